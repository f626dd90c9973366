//! The exchange in one binary: dev, serve, and the commands of its operators.

fn main() {}
