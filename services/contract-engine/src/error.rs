//! Everything that contract-engine says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::{common::v1::ErrorReason as Common, contract_engine::v1::ErrorReason as R};
use aex_store::Failure;
use aex_types::{BidId, ContractId, Currency, ProviderId, WorkId};

use crate::{
    domain::{
        contract::{Contract, Refusal, VoidReason},
        result::Incomplete,
    },
    token::KeyError,
};

/// Everything that contract-engine says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no contract {0}")]
    ContractNotFound(ContractId),
    #[error("this is for the other party of contract {0}")]
    OtherParty(ContractId),
    #[error("there is no work {0}")]
    WorkNotFound(WorkId),
    #[error("work {0} cannot be awarded: it is cancelled, over, or held by another contract")]
    WorkNotAwardable(WorkId),
    #[error("there is no bid {0} on this work")]
    BidNotFound(BidId),
    #[error("bid {0} cannot win: it is withdrawn, over the budget, or fails another condition of the work")]
    BidNotRanked(BidId),
    #[error("bid {0} was replaced by its provider")]
    BidChanged(BidId),
    #[error("bid {0} stands no more")]
    BidExpired(BidId),
    #[error("provider {0} is not active")]
    ProviderNotActive(ProviderId),
    #[error("there is no provider {0}")]
    ProviderNotFound(ProviderId),
    #[error("the available balance is below {price}")]
    InsufficientFunds { price: String },
    #[error("{0} is not traded here, so the price cannot be held")]
    CurrencyUnsupported(Currency),
    #[error("the provider of bid {0} is the consumer itself")]
    SameTenant(BidId),
    #[error("settlement does not hold the price of contract {0} on its terms")]
    HoldRefused(ContractId),
    #[error("contract {0} is not decided yet; it goes on by itself, ask again with the same key")]
    AwardInProgress(ContractId),
    #[error("contract {0} has no result yet")]
    ResultNotFound(ContractId),
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    #[error(transparent)]
    Contract(#[from] Refusal),
    #[error(transparent)]
    Peer(#[from] Unanswered),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] Failure),
}

impl Error {
    /// The refusal that made a contract void.
    pub(crate) fn of_void(contract: &Contract, reason: VoidReason) -> Self {
        let terms = &contract.terms;
        match reason {
            VoidReason::WorkNotFound => Self::WorkNotFound(terms.work_id),
            VoidReason::WorkNotAwardable | VoidReason::TooLate => Self::WorkNotAwardable(terms.work_id),
            VoidReason::BidNotRanked => Self::BidNotRanked(terms.bid_id),
            VoidReason::BidChanged => Self::BidChanged(terms.bid_id),
            VoidReason::InsufficientFunds => Self::InsufficientFunds {
                price: terms.price.to_string(),
            },
            VoidReason::CurrencyUnsupported => Self::CurrencyUnsupported(terms.price.currency),
            VoidReason::SameTenant => Self::SameTenant(terms.bid_id),
            VoidReason::HoldRefused => Self::HoldRefused(contract.id),
        }
    }

    /// Is it a refusal because of the bid, so that another bid may do?
    pub(crate) const fn is_of_the_bid(&self) -> bool {
        matches!(
            self,
            Self::BidNotFound(_)
                | Self::BidNotRanked(_)
                | Self::BidChanged(_)
                | Self::BidExpired(_)
                | Self::ProviderNotActive(_)
                | Self::ProviderNotFound(_)
        )
    }
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        use Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unavailable};
        match self {
            Self::ContractNotFound(id) => fault(NotFound, R::ContractNotFound).with("contract_id", id),
            Self::OtherParty(id) => fault(PermissionDenied, R::OtherParty).with("contract_id", id),
            Self::WorkNotFound(id) => fault(NotFound, R::WorkNotFound).with("work_id", id),
            Self::WorkNotAwardable(id) => fault(FailedPrecondition, R::WorkNotAwardable).with("work_id", id),
            Self::BidNotFound(id) => fault(NotFound, R::BidNotFound).with("bid_id", id),
            Self::BidNotRanked(id) => fault(FailedPrecondition, R::BidNotRanked).with("bid_id", id),
            Self::BidChanged(id) => fault(FailedPrecondition, R::BidChanged).with("bid_id", id),
            Self::BidExpired(id) => fault(FailedPrecondition, R::BidExpired).with("bid_id", id),
            Self::ProviderNotActive(id) => {
                fault(FailedPrecondition, R::ProviderNotActive).with("provider_id", id)
            }
            Self::ProviderNotFound(id) => fault(NotFound, R::ProviderNotFound).with("provider_id", id),
            Self::InsufficientFunds { price } => {
                fault(FailedPrecondition, R::InsufficientFunds).with("price", price)
            }
            Self::CurrencyUnsupported(currency) => {
                fault(FailedPrecondition, R::CurrencyUnsupported).with("currency_code", currency)
            }
            Self::SameTenant(id) => fault(FailedPrecondition, R::SameTenant).with("bid_id", id),
            Self::HoldRefused(id) => fault(FailedPrecondition, R::HoldRefused).with("contract_id", id),
            Self::AwardInProgress(id) => fault(Unavailable, R::AwardInProgress).with("contract_id", id),
            Self::ResultNotFound(id) => fault(NotFound, R::ResultNotFound).with("contract_id", id),
            Self::Incomplete(what) => {
                fault(InvalidArgument, R::ResultIncomplete).with("missing", what.missing())
            }
            Self::Contract(refusal) => explain_contract(refusal),
            Self::Peer(unanswered) => unanswered.explain(),
            Self::Key(_) => fault(Code::Internal, Common::Internal),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}

fn explain_contract(refusal: &Refusal) -> Fault {
    let (Refusal::StatusInvalid { contract_id, status }
    | Refusal::Late {
        contract_id, status, ..
    }) = refusal;
    let known = fault(Code::FailedPrecondition, R::ContractStatusInvalid)
        .with("contract_id", contract_id)
        .with("status", status);
    match refusal {
        Refusal::StatusInvalid { .. } => known,
        Refusal::Late { time, .. } => known.with("time", time),
    }
}
