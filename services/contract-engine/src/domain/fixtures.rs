//! Contracts for tests.

use std::time::Duration;

use aex_types::{Amount, BidId, ContractId, Currency, Money, ProviderId, TenantId, Timestamp, WorkId};
use uuid::Uuid;

use super::contract::{Contract, Terms, propose};

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
}

pub(super) fn usd(micros: u64) -> Money {
    Money {
        currency: Currency::USD,
        amount: Amount::from_micros(micros).unwrap(),
    }
}

/// Ten minutes to deliver, one to review.
pub(super) fn terms() -> Terms {
    let id = Uuid::from_u128(7);
    Terms {
        work_id: WorkId::from(id),
        bid_id: BidId::from(id),
        bid_revision: 1,
        bid_expire_time: at(300),
        consumer_id: TenantId::from(Uuid::from_u128(1)),
        provider_id: ProviderId::from(id),
        provider_tenant_id: TenantId::from(Uuid::from_u128(2)),
        agent_id: None,
        category: "vision".to_owned(),
        price: usd(10_000_000),
        endpoint: "https://agents.example.com/a".to_owned(),
        confirm_outcome: true,
        review_time: Duration::from_mins(1),
        dispute_window: None,
        required_fields: Vec::new(),
        expire_time: at(600),
        attempt: None,
        work_auto_award: false,
    }
}

pub(super) fn proposed(terms: Terms) -> Contract {
    let event = propose(ContractId::from(Uuid::from_u128(9)), terms, at(0));
    Contract::after(None, &event).unwrap()
}
