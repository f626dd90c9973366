//! The market day: agents that read handwritten digits, trading on the exchange.

fn main() {}
