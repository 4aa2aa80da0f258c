//! The `mainspring` program: reads the command line and does what it says.

fn main() {}
