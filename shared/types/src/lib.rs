//! The words the domain is written in: ids, money, time and bounded text. No I/O, no wire types.

pub mod id;
pub mod money;
pub mod score;
pub mod text;
pub mod tier;
pub mod time;

pub use id::{
    AgentId, BidId, ContractId, DepositId, EvaluationId, EventId, Id, IdError, JournalId, KeyId, ProviderId,
    SubscriptionId, TenantId, WorkId,
};
pub use money::{Amount, AmountError, BasisPoints, Currency, CurrencyError, Money};
pub use score::Score;
pub use text::{Text, TextError};
pub use tier::{Tier, TierError};
pub use time::Timestamp;
