//! The wall between the wire and the domain: requests in; resources and events out, and events in again for replay.

use aex_error::{Check as Reading, Invalid, wire};
use aex_proto::aex::{
    common::v1::{Event as Stored, Tier as WireTier},
    contract_engine::v1 as contract,
    provider_registry::v1 as registry,
    settlement::v1 as settlement,
    trust_broker::v1 as pb,
};
use aex_store::{Fact, Failure, stored};
use aex_types::{ContractId, Money, ProviderId, TenantId, Timestamp};

use crate::domain::{
    assessment::assess,
    decide::{RecordOutcome, Register, SetVerification},
    ending::Ending,
    explain::Explanation,
    ladder::{Case, Check, Need},
    modifier::Charges,
    outcome::{Kind, Outcome},
    record::{Cause, Change, Event, TrustRecord},
    score::Score,
};

/// The provider that a request is about.
pub(crate) fn provider_id(mut check: Reading, text: &str) -> Result<ProviderId, Invalid> {
    let id = check.parse("provider_id", text);
    check.finish(|| id)
}

/// The providers that a request is about, in its order.
pub(crate) fn provider_ids(mut check: Reading, texts: &[String]) -> Result<Vec<ProviderId>, Invalid> {
    let ids = check.parse_all("provider_ids", texts);
    check.finish(|| ids)
}

/// What an operator says, check by check; what it does not say is not there.
pub(crate) fn verifications(request: &pb::SetVerificationRequest) -> Result<Vec<SetVerification>, Invalid> {
    let provider_id = provider_id(Reading::of(request), &request.provider_id)?;
    let said = [
        (Check::Identity, request.identity_verified),
        (Check::Endpoint, request.endpoint_verified),
        (Check::Review, request.review_passed),
    ];
    let command = |(check, is_passed): (Check, Option<bool>)| {
        Some(SetVerification {
            provider_id,
            check,
            is_passed: is_passed?,
            note: None,
        })
    };
    Ok(said.into_iter().filter_map(command).collect())
}

const KINDS: [(Kind, pb::OutcomeType); 8] = [
    (Kind::Success, pb::OutcomeType::Success),
    (Kind::SuccessPartial, pb::OutcomeType::SuccessPartial),
    (Kind::FailureProvider, pb::OutcomeType::FailureProvider),
    (Kind::FailureExternal, pb::OutcomeType::FailureExternal),
    (Kind::FailureConsumer, pb::OutcomeType::FailureConsumer),
    (Kind::DisputeWon, pb::OutcomeType::DisputeWon),
    (Kind::DisputeLost, pb::OutcomeType::DisputeLost),
    (Kind::Expired, pb::OutcomeType::Expired),
];

fn kind_out(kind: Kind) -> pb::OutcomeType {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    known.map_or(pb::OutcomeType::Unspecified, |(_, wire)| *wire)
}

fn kind_in(wire: pb::OutcomeType) -> Option<Kind> {
    KINDS
        .iter()
        .find(|(_, known)| *known == wire)
        .map(|(kind, _)| *kind)
}

const fn check_out(check: Check) -> pb::TrustCheck {
    match check {
        Check::Identity => pb::TrustCheck::Identity,
        Check::Endpoint => pb::TrustCheck::Endpoint,
        Check::Compliance => pb::TrustCheck::Compliance,
        Check::Review => pb::TrustCheck::Review,
    }
}

const fn check_in(check: pb::TrustCheck) -> Option<Check> {
    match check {
        pb::TrustCheck::Unspecified => None,
        pb::TrustCheck::Identity => Some(Check::Identity),
        pb::TrustCheck::Endpoint => Some(Check::Endpoint),
        pb::TrustCheck::Compliance => Some(Check::Compliance),
        pb::TrustCheck::Review => Some(Check::Review),
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A record as it stands at a moment.
pub(crate) fn trust(record: &TrustRecord, now: Timestamp) -> pb::Trust {
    let found = assess(record, Charges::NONE, now);
    pb::Trust {
        provider_id: record.provider_id.to_string(),
        score: found.score.get(),
        tier: wire::tier(found.tier).into(),
        raw_base: found.evidence.raw_base().get(),
        total_contracts: count(record.counts.contracts.saturating_add(record.counts.excluded)),
        successful_contracts: count(record.counts.successful),
        failed_contracts: count(record.counts.failed),
        success_rate: found.case.success_rate().map(Score::get).unwrap_or_default(),
        identity_verified: record.passed.has(Check::Identity),
        endpoint_verified: record.passed.has(Check::Endpoint),
        review_passed: record.passed.has(Check::Review),
        update_time: record.update_time.map(wire::time),
    }
}

/// An outcome with what it counts today, without its consumer.
pub(crate) fn outcome(outcome: &Outcome, weight: f64) -> pb::Outcome {
    pb::Outcome {
        contract_id: outcome.contract_id.to_string(),
        r#type: kind_out(outcome.kind).into(),
        score: outcome.kind.score().get(),
        weight,
        price: Some(wire::money(&outcome.price)),
        end_time: Some(wire::time(outcome.completed_at)),
    }
}

/// Why a provider has the trust that it has.
pub(crate) fn explained(
    record: &TrustRecord,
    explanation: &Explanation,
    case: &Case,
) -> pb::ExplainTrustResponse {
    let base = pb::TrustComponent {
        name: "base".to_owned(),
        value: explanation.base.get(),
        formula: explanation.base_words.clone(),
    };
    let modifiers = explanation.modifiers.iter().map(|line| pb::TrustComponent {
        name: line.modifier.to_string(),
        value: line.points,
        formula: line.words.clone(),
    });
    let missing = explanation
        .next
        .iter()
        .flat_map(crate::domain::explain::NextTier::missing);
    let next_tier = explanation.next.as_ref().map(|next| wire::tier(next.tier));
    pb::ExplainTrustResponse {
        trust: Some(trust(record, explanation.at)),
        components: std::iter::once(base).chain(modifiers).collect(),
        next_tier: next_tier.unwrap_or(WireTier::Unspecified).into(),
        missing: missing.map(|gate| missing_gate(gate.need, case)).collect(),
    }
}

fn missing_gate(need: Need, case: &Case) -> pb::MissingGate {
    let (gate, has, needs) = match need {
        Need::Score(least) => ("score", case.score.to_string(), least.to_string()),
        Need::Contracts(least) => ("contracts", case.contracts.to_string(), least.to_string()),
        Need::SuccessRate(percent) => {
            let has = case.success_rate().unwrap_or_default();
            (
                "success_rate",
                has.to_string(),
                Score::clamped(f64::from(percent) / 100.0).to_string(),
            )
        }
        Need::Check(check) => {
            let gate = match check {
                Check::Identity => "identity_verified",
                Check::Endpoint => "endpoint_verified",
                Check::Compliance => "compliance_verified",
                Check::Review => "review_passed",
            };
            (gate, case.passed.has(check).to_string(), true.to_string())
        }
    };
    pb::MissingGate {
        gate: gate.to_owned(),
        has,
        needs,
    }
}

/// What another service told that trust-broker acts on.
#[derive(Debug)]
pub(crate) enum Told {
    Registered(Register),
    Ended(RecordOutcome),
}

impl Told {
    /// Which provider.
    pub(crate) const fn provider_id(&self) -> ProviderId {
        match self {
            Self::Registered(command) => command.provider_id,
            Self::Ended(command) => command.provider_id,
        }
    }

    /// The contract that ended.
    pub(crate) const fn contract_id(&self) -> Option<ContractId> {
        match self {
            Self::Registered(_) => None,
            Self::Ended(command) => Some(command.contract_id),
        }
    }

    /// Reads an event of another service; `None` when it says nothing about a provider.
    pub(crate) fn read(stored: &Stored) -> Result<Option<Self>, Failure> {
        let broken = || stored::unreadable(stored);
        match stored.r#type.as_str() {
            "provider.registered" => registered(stored).map(Some).ok_or_else(broken),
            "contract.settled" => settled(stored).map(Some).ok_or_else(broken),
            "contract.failed" => failed(stored).map(Some).ok_or_else(broken),
            "contract.expired" => expired(stored).map(Some).ok_or_else(broken),
            _ => Ok(None),
        }
    }
}

fn registered(stored: &Stored) -> Option<Told> {
    let told: registry::ProviderRegistered = stored::payload(stored)?;
    Some(Told::Registered(Register {
        provider_id: told.provider_id.parse().ok()?,
        owner_id: told.tenant_id.parse().ok()?,
        registered_at: stored::occurred(stored)?,
        is_internal: told.internal,
    }))
}

fn settled(stored: &Stored) -> Option<Told> {
    let told: settlement::ContractSettled = stored::payload(stored)?;
    let parties = [&told.provider_id, &told.provider_tenant_id, &told.consumer_id];
    let completed_at = wire::read_time(told.settle_time.as_ref()?)?;
    let price = wire::read_money(told.price.as_ref()?)?;
    ended(&told.contract_id, parties, Ending::Settled, price, completed_at)
}

fn failed(stored: &Stored) -> Option<Told> {
    let told: contract::ContractFailed = stored::payload(stored)?;
    let ending = match (told.fault(), told.reason.as_str()) {
        (contract::Party::Consumer, _) => Ending::FailedByConsumer,
        (_, "rejected_by_consumer") => Ending::Rejected,
        (_, "provider_reported_failure") => Ending::ReportedFailure,
        _ => Ending::FailedByProvider,
    };
    let parties = [&told.provider_id, &told.provider_tenant_id, &told.consumer_id];
    let price = wire::read_money(told.price.as_ref()?)?;
    ended(
        &told.contract_id,
        parties,
        ending,
        price,
        stored::occurred(stored)?,
    )
}

fn expired(stored: &Stored) -> Option<Told> {
    let told: contract::ContractExpired = stored::payload(stored)?;
    let parties = [&told.provider_id, &told.provider_tenant_id, &told.consumer_id];
    let price = wire::read_money(told.price.as_ref()?)?;
    ended(
        &told.contract_id,
        parties,
        Ending::Expired,
        price,
        stored::occurred(stored)?,
    )
}

fn ended(
    contract_id: &str,
    [provider_id, owner_id, consumer_id]: [&String; 3],
    ending: Ending,
    price: Money,
    completed_at: Timestamp,
) -> Option<Told> {
    Some(Told::Ended(RecordOutcome {
        provider_id: provider_id.parse().ok()?,
        owner_id: owner_id.parse().ok()?,
        consumer_id: consumer_id.parse().ok()?,
        contract_id: contract_id.parse().ok()?,
        price,
        kind: ending.kind()?,
        completed_at,
    }))
}

/// An event of ours, shown to the tenant that owns the provider, as far as it is known.
pub(crate) fn fact(event: &Event, owner: Option<TenantId>) -> Fact {
    let provider_id = event.provider_id.to_string();
    let fact = match &event.change {
        Change::Registered {
            owner_id,
            registered_at,
            is_internal,
        } => told(
            event,
            &pb::TrustProviderRegistered {
                provider_id,
                tenant_id: owner_id.to_string(),
                register_time: Some(wire::time(*registered_at)),
                internal: *is_internal,
            },
        ),
        Change::OutcomeRecorded { outcome, is_counted } => told(
            event,
            &pb::TrustOutcomeRecorded {
                provider_id,
                contract_id: outcome.contract_id.to_string(),
                consumer_id: outcome.consumer_id.to_string(),
                r#type: kind_out(outcome.kind).into(),
                price: Some(wire::money(&outcome.price)),
                end_time: Some(wire::time(outcome.completed_at)),
                counted: *is_counted,
            },
        ),
        Change::VerificationChanged { check, is_passed, .. } => told(
            event,
            &pb::TrustVerificationChanged {
                provider_id,
                check: check_out(*check).into(),
                passed: *is_passed,
            },
        ),
        Change::ScoreUpdated {
            previous_score,
            score,
            cause,
        } => told(
            event,
            &score_updated(provider_id, *previous_score, *score, *cause),
        ),
        Change::TierChanged { previous_tier, tier } => told(
            event,
            &pb::TrustTierChanged {
                provider_id,
                previous_tier: wire::tier(*previous_tier).into(),
                tier: wire::tier(*tier).into(),
            },
        ),
    };
    fact.visible_to(owner)
}

fn score_updated(provider_id: String, previous: Score, score: Score, cause: Cause) -> pb::TrustScoreUpdated {
    let (word, contract_id, check) = match cause {
        Cause::Registration => ("registration", None, None),
        Cause::Outcome(contract_id) => ("outcome", Some(contract_id), None),
        Cause::Verification(check) => ("verification", None, Some(check)),
        Cause::Tenure => ("tenure", None, None),
    };
    pb::TrustScoreUpdated {
        provider_id,
        previous_score: previous.get(),
        score: score.get(),
        cause: word.to_owned(),
        contract_id: wire::text(contract_id),
        check: check.map_or(pb::TrustCheck::Unspecified, check_out).into(),
    }
}

fn told<P: prost::Message + prost::Name>(event: &Event, payload: &P) -> Fact {
    Fact::new(
        event.change.event_type(),
        (event.provider_id, event.version, event.time),
        payload,
    )
}

/// One of our events, as the ledger kept it.
pub(crate) fn replayed(stored: &Stored) -> Result<Event, Failure> {
    let read = || {
        let (provider_id, change) = change(stored)?;
        Some(Event {
            provider_id: provider_id.parse().ok()?,
            version: stored.aggregate_version,
            time: stored::occurred(stored)?,
            change,
        })
    };
    read().ok_or_else(|| stored::unreadable(stored))
}

fn change(stored: &Stored) -> Option<(String, Change)> {
    Some(match stored.r#type.as_str() {
        "trust.provider_registered" => {
            let p: pb::TrustProviderRegistered = stored::payload(stored)?;
            let change = Change::Registered {
                owner_id: p.tenant_id.parse().ok()?,
                registered_at: wire::read_time(p.register_time.as_ref()?)?,
                is_internal: p.internal,
            };
            (p.provider_id, change)
        }
        "trust.outcome_recorded" => {
            let p: pb::TrustOutcomeRecorded = stored::payload(stored)?;
            let outcome = Outcome {
                contract_id: p.contract_id.parse().ok()?,
                consumer_id: p.consumer_id.parse().ok()?,
                price: wire::read_money(p.price.as_ref()?)?,
                kind: kind_in(p.r#type())?,
                completed_at: wire::read_time(p.end_time.as_ref()?)?,
            };
            let is_counted = p.counted;
            (p.provider_id, Change::OutcomeRecorded { outcome, is_counted })
        }
        "trust.verification_changed" => {
            let p: pb::TrustVerificationChanged = stored::payload(stored)?;
            let change = Change::VerificationChanged {
                check: check_in(p.check())?,
                is_passed: p.passed,
                note: None,
            };
            (p.provider_id, change)
        }
        "trust.score_updated" => {
            let p: pb::TrustScoreUpdated = stored::payload(stored)?;
            let cause = match p.cause.as_str() {
                "registration" => Cause::Registration,
                "outcome" => Cause::Outcome(p.contract_id.parse().ok()?),
                "verification" => Cause::Verification(check_in(p.check())?),
                "tenure" => Cause::Tenure,
                _ => return None,
            };
            let change = Change::ScoreUpdated {
                previous_score: Score::clamped(p.previous_score),
                score: Score::clamped(p.score),
                cause,
            };
            (p.provider_id, change)
        }
        "trust.tier_changed" => {
            let p: pb::TrustTierChanged = stored::payload(stored)?;
            let change = Change::TierChanged {
                previous_tier: wire::read_tier(p.previous_tier())?,
                tier: wire::read_tier(p.tier())?,
            };
            (p.provider_id, change)
        }
        _ => return None,
    })
}
