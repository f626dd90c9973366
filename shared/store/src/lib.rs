//! PostgreSQL for one service: transactions that claim an idempotency key and publish events with their commit, the
//! relay that brings those to the event ledger, feeds, timers, watches and pages. The only SQL of a service stands in
//! its own `store/`; what all services share stands here.

mod ahead;
mod claim;
mod ending;
mod failure;
pub mod feed;
mod held;
pub mod image;
mod jobs;
mod open;
mod outbox;
mod pace;
mod page;
pub mod private;
mod session;
mod stated;
mod statement;
pub mod stored;
mod sweep;
mod timer;
mod transact;
mod tx;
mod watch;

pub use ahead::Ahead;
pub use claim::{Claim, Taken};
pub use failure::Failure;
pub use feed::Follower;
pub use held::Held;
pub use inventory;
pub use jobs::Due;
pub use open::{Connect, OpenError, Schema};
pub use outbox::relay;
pub use page::Page;
pub use stated::{Place, Stated};
pub use statement::Statement;
pub use timer::{Job, Timers};
pub use transact::Store;
pub use tx::{Fact, Folding, Tx};
pub use watch::Watched;
