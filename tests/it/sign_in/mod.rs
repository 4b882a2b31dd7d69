//! Signing in, who may do what, and what keeps merchants apart.

mod being_first;
mod forms;
mod log;
mod matrix;
mod roles;
mod separation;
mod sessions;
