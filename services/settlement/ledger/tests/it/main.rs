//! The books against the figures of the money page, what they refuse, and what holds whatever is asked of them.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should end there and then"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "a command reads best where it is given, made on the spot"
)]

mod alarms;
mod case;
mod checks;
mod figures;
mod properties;
mod readings;
mod refusals;
mod repeats;
mod statements;
mod timers;
mod vocabulary;
mod world;
