//! What other services tell of works.

use aex_error::wire;
use aex_proto::aex::{
    bid_evaluator::v1::BidsEvaluated,
    bid_gateway::v1::{BidSubmitted, BidWithdrawn},
    common::v1::Event as Stored,
    contract_engine::v1 as contract,
    provider_registry::v1::OpportunityOpened,
};
use aex_store::{Failure, stored};
use aex_types::WorkId;

use crate::domain::work::{News, Outcome, Ranking};

/// What an event of another service says of a work; `None` when it says nothing.
pub(crate) fn heard(stored: &Stored) -> Result<Option<(WorkId, News)>, Failure> {
    let of_contract = |work_id: &str, contract_id: &str, outcome: Outcome| {
        let contract_id = contract_id.parse().ok()?;
        Some((work_id.parse().ok()?, News::Contract(contract_id, outcome)))
    };
    let read = || match stored.r#type.as_str() {
        "opportunity.opened" => {
            let read: OpportunityOpened = stored::payload(stored)?;
            Some((read.work_id.parse().ok()?, News::Offered(read.providers_notified)))
        }
        "bid.submitted" => {
            let read: BidSubmitted = stored::payload(stored)?;
            let news = News::BidReceived {
                bid_id: read.bid_id.parse().ok()?,
                price: wire::read_money(read.price.as_ref()?)?,
                replaces: !read.superseded_bid_id.is_empty(),
            };
            Some((read.work_id.parse().ok()?, news))
        }
        "bid.withdrawn" => {
            let read: BidWithdrawn = stored::payload(stored)?;
            Some((
                read.work_id.parse().ok()?,
                News::BidWithdrawn(read.bid_id.parse().ok()?),
            ))
        }
        "bids.evaluated" => {
            let read: BidsEvaluated = stored::payload(stored)?;
            let ranking = Ranking {
                evaluation_id: read.evaluation_id.parse().ok()?,
                winning_bid_id: wire::maybe(&read.winning_bid_id)?,
                valid_bids: read.valid_bids,
            };
            Some((read.work_id.parse().ok()?, News::Evaluated(ranking)))
        }
        "contract.executing" => {
            let read: contract::ContractExecuting = stored::payload(stored)?;
            of_contract(&read.work_id, &read.contract_id, Outcome::Executing)
        }
        "contract.completed" => {
            let read: contract::ContractCompleted = stored::payload(stored)?;
            of_contract(&read.work_id, &read.contract_id, Outcome::Completed)
        }
        "contract.failed" => {
            let read: contract::ContractFailed = stored::payload(stored)?;
            let reason = read.reason;
            of_contract(&read.work_id, &read.contract_id, Outcome::Failed { reason })
        }
        "contract.expired" => {
            let read: contract::ContractExpired = stored::payload(stored)?;
            let reason = "expired".to_owned();
            of_contract(&read.work_id, &read.contract_id, Outcome::Failed { reason })
        }
        _ => None,
    };
    match read() {
        Some(heard) => Ok(Some(heard)),
        None if KNOWN.contains(&stored.r#type.as_str()) => Err(stored::unreadable(stored)),
        None => Ok(None),
    }
}

/// What work-publisher listens to.
pub(crate) const KNOWN: &[&str] = &[
    "opportunity.opened",
    "bid.submitted",
    "bid.withdrawn",
    "bids.evaluated",
    "contract.executing",
    "contract.completed",
    "contract.failed",
    "contract.expired",
];
