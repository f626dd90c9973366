//! The market day: agents that read handwritten digits, trading on the exchange.

mod images;
mod methods;

fn main() {}
