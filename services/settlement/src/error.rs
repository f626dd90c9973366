//! Everything that settlement says no with.

use std::sync::Arc;

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::{common::v1::ErrorReason as Common, settlement::v1::ErrorReason as R};
use aex_settlement_ledger::{BusinessKey, Refusal};
use aex_store::Failure;
use aex_types::{ContractId, Currency, DepositId, TenantId};

/// Everything that settlement says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no deposit {0}")]
    DepositNotFound(DepositId),
    #[error("contract {0} has no hold")]
    HoldNotFound(ContractId),
    #[error("there is no rail {0} here")]
    RailUnknown(String),
    #[error("{0} is not traded here")]
    CurrencyUnsupported(Currency),
    #[error("tenant {0} is not active")]
    TenantNotActive(TenantId),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] Failure),
    /// What went wrong with the transaction of many.
    #[error(transparent)]
    Batch(Arc<Self>),
    #[error(transparent)]
    Peer(#[from] Unanswered),
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        match self {
            Self::DepositNotFound(id) => fault(Code::NotFound, R::DepositNotFound).with("deposit_id", id),
            Self::HoldNotFound(id) => fault(Code::NotFound, R::HoldNotFound).with("contract_id", id),
            Self::RailUnknown(rail) => fault(Code::InvalidArgument, R::RailUnknown).with("rail", rail),
            Self::CurrencyUnsupported(currency) => {
                fault(Code::InvalidArgument, R::CurrencyUnsupported).with("currency_code", currency)
            }
            Self::TenantNotActive(id) => {
                fault(Code::FailedPrecondition, R::TenantNotActive).with("tenant_id", id)
            }
            Self::Refused(refusal) => explain_refusal(refusal),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
            Self::Batch(error) => error.explain(),
            Self::Peer(unanswered) => unanswered.explain(),
        }
    }
}

/// What the books say of one field of the request, in words that go on from its name.
fn wrong_field(refusal: &Refusal) -> Option<Invalid> {
    use Refusal as Why;
    let (field, words) = match refusal {
        Why::DepositOutOfRange { amount, min, max } => (
            "amount",
            format!("has to be between {min} and {max}, not {amount}"),
        ),
        Why::EscrowTooSmall { base, escrow } => (
            "amount",
            format!("has to cover a base price of {base}, which {escrow} does not"),
        ),
        Why::WindowOutOfRange { window, min, max } => (
            "dispute_window",
            format!("has to last from {min:?} to {max:?}, not {window:?}"),
        ),
        Why::GrossAboveEscrow { gross, escrow, .. } => (
            "price",
            format!("has to be at most the escrow of {escrow}, not {gross}"),
        ),
        Why::SameTenant { tenant } => (
            "provider_tenant_id",
            format!("has to be another tenant than the consumer, {tenant}"),
        ),
        _ => return None,
    };
    Some(Invalid::field(field, words))
}

fn explain_refusal(refusal: &Refusal) -> Fault {
    use Refusal as Why;
    if let Some(invalid) = wrong_field(refusal) {
        return invalid.explain();
    }
    match refusal {
        // These name a field, above.
        Why::DepositOutOfRange { .. }
        | Why::EscrowTooSmall { .. }
        | Why::WindowOutOfRange { .. }
        | Why::GrossAboveEscrow { .. }
        | Why::SameTenant { .. } => fault(Code::InvalidArgument, Common::RequestInvalid),
        Why::CurrencyNotSupported { currency } => {
            fault(Code::InvalidArgument, R::CurrencyUnsupported).with("currency_code", currency)
        }
        Why::DepositNotFound { deposit } => {
            fault(Code::NotFound, R::DepositNotFound).with("deposit_id", deposit)
        }
        Why::DepositDecided { deposit, state } => fault(Code::FailedPrecondition, R::DepositNotPending)
            .with("deposit_id", deposit)
            .with("status", state),
        Why::OtherTerms {
            key: BusinessKey::Deposit(event),
        } => fault(Code::FailedPrecondition, R::DepositNotPending).with("rail_event", event),
        Why::PaymentTaken { payment, deposit } => fault(Code::AlreadyExists, R::RailEventReused)
            .with("payment", payment)
            .with("deposit_id", deposit),
        Why::HoldNotFound { contract } => {
            fault(Code::NotFound, R::HoldNotFound).with("contract_id", contract)
        }
        Why::HoldReleased { contract } => {
            fault(Code::FailedPrecondition, R::HoldReleased).with("contract_id", contract)
        }
        Why::HoldReleasing { contract, not_before } => fault(Code::FailedPrecondition, R::HoldReleased)
            .with("contract_id", contract)
            .with("not_before", not_before),
        Why::HoldCaptured { contract } => {
            fault(Code::FailedPrecondition, R::HoldCaptured).with("contract_id", contract)
        }
        Why::OtherTerms { key } => {
            fault(Code::FailedPrecondition, R::HoldTermsChanged).with("business_key", key)
        }
        Why::DebtOutstanding { tenant, owed } => fault(Code::FailedPrecondition, R::ReceivableOpen)
            .with("tenant_id", tenant)
            .with("owed", owed),
        Why::InsufficientFunds {
            tenant,
            available,
            needed,
        } => fault(Code::FailedPrecondition, R::InsufficientFunds)
            .with("tenant_id", tenant)
            .with("available", available)
            .with("needed", needed),
        // The callers of the ledger in this service make these impossible, or they are alarms.
        Why::DepositDiffers { .. }
        | Why::RailDiffers { .. }
        | Why::MoneyDiffers { .. }
        | Why::NotDue { .. }
        | Why::NothingDue { .. }
        | Why::NotLoaded(_)
        | Why::Unsound(_) => fault(Code::Internal, Common::Internal),
    }
}

#[cfg(test)]
mod tests {
    use aex_types::Amount;

    use super::*;

    #[test]
    fn what_is_said_of_a_field_goes_on_from_its_name() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let refusal = Refusal::DepositOutOfRange {
            amount: Amount::ZERO,
            min: amount("0.01"),
            max: amount("100000"),
        };
        let invalid = wrong_field(&refusal).unwrap();
        let said = &invalid.violations()[0];
        assert_eq!(
            format!("{} {}", said.field, said.description),
            "amount has to be between 0.01 and 100000, not 0"
        );
        assert_eq!(Error::Refused(refusal).explain().reason(), "REQUEST_INVALID");
    }

    #[test]
    fn a_failure_of_many_keeps_its_cause() {
        let failure = Failure::from(sqlx::Error::RowNotFound);
        let many = Error::Batch(Arc::new(failure.into()));
        let cause = sqlx::Error::RowNotFound.to_string();
        assert!(
            aex_error::chain(&many).ends_with(&cause),
            "{}",
            aex_error::chain(&many)
        );
        assert_eq!(many.explain().code(), Code::Internal);
    }
}
