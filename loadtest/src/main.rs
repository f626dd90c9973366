//! Benchmarks: ratios with spread, and what they are made of.

fn main() {}
