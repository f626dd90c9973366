//! The wall between the wire and the domain: resources and events out, and events in again for replay.

use aex_error::wire;
use aex_proto::aex::{
    bid_evaluator::v1 as pb,
    common::v1::{Event as Stored, Tier as WireTier},
};
use aex_store::{Fact, Failure, stored};
use aex_types::WorkId;
use prost::Message as _;

use crate::domain::{
    bid::{Facts, Shown},
    evaluation::{Change, Disqualified, Evaluation, Event, Status, Verdict},
    explain::{Explanation, Place, Ranking},
    rank::Ranked,
    score::{Component, Components, Score},
    terms::{Rules, Terms},
};

impl From<Status> for pb::EvaluationStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Evaluated => Self::Evaluated,
            Status::NoBids => Self::NoBids,
        }
    }
}

fn scores(parts: &Components) -> pb::Scores {
    pb::Scores {
        price: parts.price.get(),
        trust: parts.trust.get(),
        confidence: parts.confidence.get(),
        sample: parts.sample.get(),
        sla: parts.sla.get(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<&Evaluation> for pb::Evaluation {
    fn from(evaluation: &Evaluation) -> Self {
        let Verdict {
            terms,
            sealed_at,
            ranked,
            disqualified,
            ..
        } = &evaluation.result;
        Self {
            evaluation_id: evaluation.id.to_string(),
            work_id: evaluation.work_id.to_string(),
            consumer_id: evaluation.consumer_id.to_string(),
            status: pb::EvaluationStatus::from(evaluation.result.status()).into(),
            bid_strategy: terms.strategy.to_string(),
            total_bids: evaluation.total_bids,
            valid_bids: count(ranked.len()),
            ranked_bids: ranked.iter().map(ranked_bid).collect(),
            disqualified_bids: disqualified
                .iter()
                .map(|one| pb::DisqualifiedBid {
                    bid_id: one.bid.bid_id.to_string(),
                    provider_id: one.bid.provider_id.to_string(),
                    reason: one.reason.to_string(),
                })
                .collect(),
            evaluate_time: Some(wire::time(*sealed_at)),
        }
    }
}

fn ranked_bid(one: &Ranked) -> pb::RankedBid {
    pb::RankedBid {
        rank: one.rank,
        bid_id: one.bid.bid_id.to_string(),
        provider_id: one.bid.provider_id.to_string(),
        agent_id: wire::text(one.bid.agent_id),
        price: Some(wire::money(&one.bid.price)),
        total_score: one.score.get(),
        scores: Some(scores(&one.components)),
        trust_score: one.bid.trust.get(),
        tier: wire::tier(one.bid.tier).into(),
        revision: one.bid.revision,
    }
}

/// How an explanation is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The consumer, or an operator: everything.
    Owner,
    /// The bid's provider: nothing of the others but the winning score.
    Bidder,
}

/// An explanation, for one who may read it. A bidder is not told by how much each part is behind: from the part of the
/// price, and the budget, it would know the winning price.
pub(crate) fn explanation(told: &Explanation, winning: Option<Score>, reader: Reader) -> pb::Explanation {
    let winning_score = winning.map(Score::get).unwrap_or_default();
    let bid_id = told.bid.bid_id.to_string();
    match &told.place {
        Place::Disqualified { reason, words } => pb::Explanation {
            bid_id,
            winning_score,
            disqualified_reason: format!("{reason}: {words}"),
            ..pb::Explanation::default()
        },
        Place::Ranked(ranking) => pb::Explanation {
            bid_id,
            rank: ranking.rank,
            total_score: ranking.score.get(),
            winning_score,
            disqualified_reason: String::new(),
            components: components(ranking, reader),
        },
    }
}

fn components(ranking: &Ranking, reader: Reader) -> Vec<pb::Component> {
    let behind = |component: Component| {
        let parts = ranking
            .behind
            .as_ref()
            .filter(|_| reader == Reader::Owner)
            .map(|behind| behind.parts);
        parts
            .iter()
            .flatten()
            .find(|(one, _)| *one == component)
            .map(|(_, gap)| *gap)
            .unwrap_or_default()
    };
    let mut parts: Vec<_> = ranking.parts.iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.percent));
    let told = parts.into_iter().map(|part| pb::Component {
        name: part.component.to_string(),
        value: part.value.get(),
        weight: f64::from(part.percent) / 100.0,
        contribution: part.contribution,
        formula: part.words.clone(),
        behind_winner: behind(part.component),
    });
    told.collect()
}

/// What was evaluated, as the event and the column have it.
pub(crate) fn payload(evaluation: &Evaluation) -> pb::BidsEvaluated {
    let Verdict {
        terms,
        sealed_at,
        auto_award,
        ranked,
        disqualified,
    } = &evaluation.result;
    pb::BidsEvaluated {
        evaluation_id: evaluation.id.to_string(),
        work_id: evaluation.work_id.to_string(),
        consumer_id: evaluation.consumer_id.to_string(),
        status: pb::EvaluationStatus::from(evaluation.result.status()).into(),
        auto_award: *auto_award,
        winning_bid_id: wire::text(ranked.first().map(|best| best.bid.bid_id)),
        currency_code: terms.max_price.currency.to_string(),
        total_bids: evaluation.total_bids,
        valid_bids: count(ranked.len()),
        ranked_bids: ranked
            .iter()
            .map(|one| pb::EvaluatedBid {
                rank: one.rank,
                total_score: one.score.get(),
                scores: Some(scores(&one.components)),
                ..facts_out(&one.bid)
            })
            .collect(),
        disqualified_bids: disqualified
            .iter()
            .map(|one| pb::EvaluatedBid {
                disqualified_reason: one.reason.to_string(),
                ..facts_out(&one.bid)
            })
            .collect(),
        terms: Some(terms_out(terms)),
        evaluate_time: Some(wire::time(*sealed_at)),
    }
}

fn terms_out(terms: &Terms) -> pb::EvaluatedTerms {
    pb::EvaluatedTerms {
        max_price: Some(wire::money(&terms.max_price)),
        bid_strategy: terms.strategy.to_string(),
        max_latency: terms.max_latency.map(wire::span),
        min_trust_tier: terms
            .min_trust_tier
            .map_or(WireTier::Unspecified, wire::tier)
            .into(),
        internal_only: terms.internal_only,
        regions: terms.regions.iter().cloned().collect(),
        required_fields: terms.required_fields.iter().cloned().collect(),
        confidence_floor: terms.rules.confidence_floor.map(Score::get),
        region_covered: terms.rules.region_covered,
        sample_required: terms.rules.sample_required,
    }
}

fn facts_out(bid: &Facts) -> pb::EvaluatedBid {
    pb::EvaluatedBid {
        bid_id: bid.bid_id.to_string(),
        provider_id: bid.provider_id.to_string(),
        provider_tenant_id: bid.provider_tenant_id.to_string(),
        agent_id: wire::text(bid.agent_id),
        revision: bid.revision,
        price: Some(wire::money(&bid.price)),
        confidence: bid.confidence.get(),
        trust_score: bid.trust.get(),
        tier: wire::tier(bid.tier).into(),
        estimated_latency: bid.estimated_latency.map(wire::span),
        promised_latency: bid.promised_latency.map(wire::span),
        sample: bid.sample.map(|sample| pb::EvaluatedSample {
            latency: Some(wire::span(sample.latency)),
            covered: sample.covered,
            required: sample.required,
        }),
        expire_time: Some(wire::time(bid.expires_at)),
        receive_time: Some(wire::time(bid.received_at)),
        ..pb::EvaluatedBid::default()
    }
}

/// The event of an evaluation, with its payload.
pub(crate) fn fact(evaluation: &Evaluation, payload: &pb::BidsEvaluated) -> Fact {
    // Its consumer only: competitors never see each other.
    Fact::new(
        "bids.evaluated",
        (evaluation.id, evaluation.version, evaluation.create_time),
        payload,
    )
    .of("evaluation")
    .visible_to([evaluation.consumer_id])
}

/// An evaluation from its column; `None` when it is damaged.
pub(crate) fn verdict_from(bytes: &[u8]) -> Option<Change> {
    change(&pb::BidsEvaluated::decode(bytes).ok()?)
}

impl TryFrom<&Stored> for Event {
    type Error = Failure;

    fn try_from(stored: &Stored) -> Result<Self, Failure> {
        let read = || {
            (stored.r#type == "bids.evaluated").then_some(())?;
            let payload = stored::payload::<pb::BidsEvaluated>(stored)?;
            Some(Self {
                evaluation_id: payload.evaluation_id.parse().ok()?,
                version: stored.aggregate_version,
                time: stored::occurred(stored)?,
                change: change(&payload)?,
            })
        };
        read().ok_or_else(|| stored::unreadable(stored))
    }
}

/// The work whose bid window has closed.
pub(crate) fn closed_work(stored: &Stored) -> Result<WorkId, Failure> {
    stored
        .aggregate_id
        .parse()
        .map_err(|_| stored::unreadable(stored))
}

fn change(payload: &pb::BidsEvaluated) -> Option<Change> {
    let ranked = payload.ranked_bids.iter().map(|one| {
        let parts = one.scores.as_ref()?;
        Some(Ranked {
            rank: one.rank,
            score: Score::clamped(one.total_score),
            components: Components {
                price: Score::clamped(parts.price),
                trust: Score::clamped(parts.trust),
                confidence: Score::clamped(parts.confidence),
                sample: Score::clamped(parts.sample),
                sla: Score::clamped(parts.sla),
            },
            bid: facts(one)?,
        })
    });
    let disqualified = payload.disqualified_bids.iter().map(|one| {
        Some(Disqualified {
            bid: facts(one)?,
            reason: one.disqualified_reason.parse().ok()?,
        })
    });
    Some(Change::Evaluated {
        work_id: payload.work_id.parse().ok()?,
        consumer_id: payload.consumer_id.parse().ok()?,
        total_bids: payload.total_bids,
        result: Verdict {
            terms: terms(payload.terms.as_ref()?)?,
            sealed_at: wire::read_time(payload.evaluate_time.as_ref()?)?,
            auto_award: payload.auto_award,
            ranked: ranked.collect::<Option<_>>()?,
            disqualified: disqualified.collect::<Option<_>>()?,
        },
    })
}

fn terms(payload: &pb::EvaluatedTerms) -> Option<Terms> {
    Some(Terms {
        max_price: wire::read_money(payload.max_price.as_ref()?)?,
        strategy: payload.bid_strategy.parse().ok()?,
        max_latency: wire::maybe_of(payload.max_latency.as_ref(), wire::read_span)?,
        min_trust_tier: wire::read_tier(payload.min_trust_tier()),
        internal_only: payload.internal_only,
        regions: payload.regions.iter().cloned().collect(),
        required_fields: payload.required_fields.iter().cloned().collect(),
        rules: Rules {
            confidence_floor: payload.confidence_floor.map(Score::clamped),
            region_covered: payload.region_covered,
            sample_required: payload.sample_required,
        },
    })
}

fn facts(bid: &pb::EvaluatedBid) -> Option<Facts> {
    let span = |span: &Option<prost_types::Duration>| wire::maybe_of(span.as_ref(), wire::read_span);
    let shown = |sample: &pb::EvaluatedSample| {
        Some(Shown {
            latency: span(&sample.latency)?.unwrap_or_default(),
            covered: sample.covered,
            required: sample.required,
        })
    };
    Some(Facts {
        bid_id: bid.bid_id.parse().ok()?,
        provider_id: bid.provider_id.parse().ok()?,
        provider_tenant_id: bid.provider_tenant_id.parse().ok()?,
        agent_id: wire::maybe(&bid.agent_id)?,
        revision: bid.revision,
        price: wire::read_money(bid.price.as_ref()?)?,
        confidence: Score::clamped(bid.confidence),
        estimated_latency: span(&bid.estimated_latency)?,
        promised_latency: span(&bid.promised_latency)?,
        sample: wire::maybe_of(bid.sample.as_ref(), shown)?,
        expires_at: wire::read_time(bid.expire_time.as_ref()?)?,
        received_at: wire::read_time(bid.receive_time.as_ref()?)?,
        trust: Score::clamped(bid.trust_score),
        tier: wire::read_tier(bid.tier())?,
    })
}
