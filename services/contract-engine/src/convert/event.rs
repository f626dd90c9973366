//! Events of contracts: out, and in again for replay.

use aex_error::wire;
use aex_proto::aex::{common::v1::Event as Stored, contract_engine::v1 as pb};
use aex_store::{Fact, Failure, stored};
use aex_types::Tier;

use super::{delivery, proposed, terms};
use crate::domain::contract::{Change, Contract, Event, FailReason, Party, Terms, VoidReason};

const fn party_out(party: Option<Party>) -> pb::Party {
    match party {
        None => pb::Party::Unspecified,
        Some(Party::Consumer) => pb::Party::Consumer,
        Some(Party::Provider) => pb::Party::Provider,
    }
}

const fn party(wire: pb::Party) -> Option<Party> {
    match wire {
        pb::Party::Unspecified => None,
        pb::Party::Consumer => Some(Party::Consumer),
        pb::Party::Provider => Some(Party::Provider),
    }
}

/// An event of a contract, for the ledger. The terms stand in the state, which the event has been folded into.
#[expect(clippy::too_many_lines, reason = "one arm for each event")]
pub(crate) fn fact(event: &Event, after: &Contract) -> Fact {
    let terms = &after.terms;
    let known = Known::of(after);
    let at = (event.contract_id, event.version, event.time);
    let fact = match &event.change {
        Change::Proposed(terms) => Fact::new("contract.proposed", at, &proposed(&known.contract_id, terms)),
        Change::Awarded { tier } => Fact::new("contract.awarded", at, &known.awarded(terms, *tier)),
        Change::Void {
            reason,
            sealed,
            is_final,
        } => Fact::new(
            "contract.void",
            at,
            &pb::ContractVoid {
                contract_id: known.contract_id,
                work_id: known.work_id,
                bid_id: terms.bid_id.to_string(),
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                reason: reason.as_str().to_owned(),
                sealed: *sealed,
                r#final: *is_final,
            },
        ),
        Change::Executing => Fact::new(
            "contract.executing",
            at,
            &pb::ContractExecuting {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                agent_id: known.agent_id,
            },
        ),
        Change::Progress { percent, message } => Fact::new(
            "contract.progress",
            at,
            &pb::ContractProgress {
                contract_id: known.contract_id,
                work_id: known.work_id,
                provider_id: known.provider_id,
                percent: *percent,
                message: message.clone(),
            },
        ),
        Change::Delivered {
            result,
            review_deadline,
        } => Fact::new(
            "contract.delivered",
            at,
            &pb::ContractDelivered {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                agent_id: known.agent_id,
                result: Some(result.into()),
                review_deadline: Some(wire::time(*review_deadline)),
            },
        ),
        Change::Completed { by, .. } => Fact::new("contract.completed", at, &known.completed(after, *by)),
        Change::Paid => Fact::new(
            "contract.paid",
            at,
            &pb::ContractPaid {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                price: Some(wire::money(&terms.price)),
            },
        ),
        Change::Failed {
            reason,
            message,
            release_not_before,
        } => Fact::new(
            "contract.failed",
            at,
            &pb::ContractFailed {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                provider_tenant_id: known.provider_tenant_id,
                agent_id: known.agent_id,
                category: terms.category.clone(),
                price: Some(wire::money(&terms.price)),
                reason: reason.as_str().to_owned(),
                message: message.clone(),
                failed_by: party_out(Some(reason.said_by())).into(),
                fault: party_out(Some(reason.fault())).into(),
                release_not_before: release_not_before.map(wire::time),
            },
        ),
        Change::Expired => Fact::new(
            "contract.expired",
            at,
            &pb::ContractExpired {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                provider_tenant_id: known.provider_tenant_id,
                agent_id: known.agent_id,
                category: terms.category.clone(),
                price: Some(wire::money(&terms.price)),
            },
        ),
    };
    match &event.change {
        // Of an award that is not decided, or came to nothing, the provider does not learn.
        Change::Proposed(_) | Change::Void { .. } => fact.visible_to([terms.consumer_id]),
        _ if terms.consumer_id == terms.provider_tenant_id => fact.visible_to([terms.consumer_id]),
        _ => fact.visible_to([terms.consumer_id, terms.provider_tenant_id]),
    }
}

/// What nearly every event of a contract says.
#[expect(clippy::struct_field_names, reason = "as the fields of the events")]
struct Known {
    contract_id: String,
    work_id: String,
    consumer_id: String,
    provider_id: String,
    provider_tenant_id: String,
    agent_id: String,
}

impl Known {
    fn of(contract: &Contract) -> Self {
        let terms = &contract.terms;
        Self {
            contract_id: contract.id.to_string(),
            work_id: terms.work_id.to_string(),
            consumer_id: terms.consumer_id.to_string(),
            provider_id: terms.provider_id.to_string(),
            provider_tenant_id: terms.provider_tenant_id.to_string(),
            agent_id: wire::text(terms.agent_id),
        }
    }

    fn awarded(self, terms: &Terms, tier: Tier) -> pb::ContractAwarded {
        pb::ContractAwarded {
            contract_id: self.contract_id,
            work_id: self.work_id,
            bid_id: terms.bid_id.to_string(),
            consumer_id: self.consumer_id,
            provider_id: self.provider_id,
            provider_tenant_id: self.provider_tenant_id,
            agent_id: self.agent_id,
            category: terms.category.clone(),
            price: Some(wire::money(&terms.price)),
            endpoint: terms.endpoint.clone(),
            tier: wire::tier(tier).into(),
            expire_time: Some(wire::time(terms.expire_time)),
        }
    }

    fn completed(self, contract: &Contract, by: Option<Party>) -> pb::ContractCompleted {
        let terms = &contract.terms;
        pb::ContractCompleted {
            contract_id: self.contract_id,
            work_id: self.work_id,
            consumer_id: self.consumer_id,
            provider_id: self.provider_id,
            provider_tenant_id: self.provider_tenant_id,
            agent_id: self.agent_id,
            category: terms.category.clone(),
            price: Some(wire::money(&terms.price)),
            result: contract.result.as_ref().map(Into::into),
            accepted_by: party_out(by).into(),
            start_time: contract.start_time.or(contract.award_time).map(wire::time),
            deliver_time: contract.deliver_time.map(wire::time),
        }
    }
}

impl TryFrom<&Stored> for Event {
    type Error = Failure;

    fn try_from(stored: &Stored) -> Result<Self, Failure> {
        let read = || {
            Some(Self {
                contract_id: stored.aggregate_id.parse().ok()?,
                version: stored.aggregate_version,
                time: stored::occurred(stored)?,
                change: change(stored)?,
            })
        };
        read().ok_or_else(|| stored::unreadable(stored))
    }
}

fn change(stored: &Stored) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "contract.proposed" => Change::Proposed(Box::new(terms(&stored::payload(stored)?)?)),
        "contract.awarded" => Change::Awarded {
            tier: wire::read_tier(stored::payload::<pb::ContractAwarded>(stored)?.tier())?,
        },
        "contract.void" => {
            let payload: pb::ContractVoid = stored::payload(stored)?;
            Change::Void {
                reason: payload.reason.parse::<VoidReason>().ok()?,
                sealed: payload.sealed,
                is_final: payload.r#final,
            }
        }
        "contract.executing" => Change::Executing,
        "contract.progress" => {
            let payload: pb::ContractProgress = stored::payload(stored)?;
            Change::Progress {
                percent: payload.percent,
                message: payload.message,
            }
        }
        "contract.delivered" => {
            let payload: pb::ContractDelivered = stored::payload(stored)?;
            Change::Delivered {
                result: delivery(payload.result.as_ref()?)?,
                review_deadline: wire::read_time(payload.review_deadline.as_ref()?)?,
            }
        }
        "contract.completed" => {
            let payload: pb::ContractCompleted = stored::payload(stored)?;
            let by = party(payload.accepted_by());
            // Only the provider's own word completes what was not delivered before.
            let result = match by {
                Some(Party::Provider) => Some(delivery(payload.result.as_ref()?)?),
                _ => None,
            };
            Change::Completed { by, result }
        }
        "contract.paid" => Change::Paid,
        "contract.failed" => {
            let payload: pb::ContractFailed = stored::payload(stored)?;
            Change::Failed {
                reason: payload.reason.parse::<FailReason>().ok()?,
                release_not_before: wire::maybe_of(payload.release_not_before.as_ref(), wire::read_time)?,
                message: payload.message,
            }
        }
        "contract.expired" => Change::Expired,
        _ => return None,
    })
}
