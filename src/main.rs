//! The `stipend` program.

fn main() {}
