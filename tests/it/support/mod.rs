//! What the tests stand on.

pub mod books;
pub mod browser;
pub mod client;
pub mod html;
pub mod letters;
pub mod office;
pub mod postgres;
pub mod program;
pub mod site;
pub mod sshd;
pub mod world;
