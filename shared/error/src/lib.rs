//! One vocabulary of errors. A service's error says what it means by [`Explain`]; [`status`] alone makes the gRPC
//! status of it. [`Check`] reads requests and collects everything that is wrong with one.

mod check;
mod fault;
mod unanswered;
pub mod wire;

pub use aex_proto::Violation;
pub use check::{Check, Invalid};
pub use fault::{Denied, Explain, Fault, chain, fault, status};
pub use tonic::Code;
pub use unanswered::Unanswered;
