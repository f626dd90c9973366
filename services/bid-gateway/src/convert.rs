//! The wall between the wire and the domain: requests in, all faults at once; bids and events out, and events in again,
//! for replay and from other services.

use std::time::Duration;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    bid_evaluator::v1::BidsEvaluated,
    bid_gateway::v1 as pb,
    common::v1::Event as Stored,
    contract_engine::v1::ContractAwarded,
    work_publisher::v1::{WorkCancelled, WorkFailed},
};
use aex_store::{Fact, Failure, stored};
use aex_types::{ProviderId, Timestamp, WorkId};
use prost::Message as _;

use crate::{
    domain::{
        bid::{Bid, Offer, Sample, Sla, Status},
        book::{Change, Event, Terms},
    },
    workers::News,
};

/// Bytes of a bid, encoded.
const BID_LIMIT: usize = 4096;

/// A bid to submit.
#[derive(Debug, Clone)]
pub(crate) struct Submit {
    pub(crate) work_id: WorkId,
    /// `None` means the provider that the key is bound to.
    pub(crate) provider_id: Option<ProviderId>,
    pub(crate) offer: Offer,
}

/// A bid to submit at a moment.
pub(crate) fn submit(request: &pb::SubmitBidRequest, now: Timestamp) -> Result<Submit, Invalid> {
    let mut check = Check::of(request);
    let work_id = check.parse("work_id", &request.work_id);
    let provider_id = check.maybe("provider_id", &request.provider_id);
    let agent_id = check.maybe("agent_id", &request.agent_id);
    let price = check.money("price", request.price.as_ref());
    if price.is_some_and(|price| price.amount.is_zero()) {
        check.note("price.amount", "must be more than 0");
    }
    let estimated_latency = check.maybe_span("estimated_latency", request.estimated_latency.as_ref());
    let sla = match &request.sla {
        None => Some(None),
        Some(given) => check
            .maybe_span("sla.max_latency", given.max_latency.as_ref())
            .map(|span| Some(sla_in(given, span))),
    };
    let sample = match &request.sample {
        None => Some(None),
        Some(given) => check
            .maybe_span("sample.latency", given.latency.as_ref())
            .map(|span| Some(sample_in(given, span))),
    };
    let expire_time = check.time("expire_time", request.expire_time.as_ref());
    if expire_time.is_some_and(|time| time <= now) {
        check.note("expire_time", "must be in the future");
    }
    if request.encoded_len() > BID_LIMIT {
        check.note("request", "must have at most 4096 bytes in all");
    }
    check.finish(|| {
        Some(Submit {
            work_id: work_id?,
            provider_id: provider_id?,
            offer: Offer {
                agent_id: agent_id?,
                price: price?,
                confidence: request.confidence,
                approach: request.approach.clone(),
                estimated_latency: estimated_latency?.map(whole_millis),
                sla: sla?,
                sample: sample?,
                endpoint: request.endpoint.clone(),
                regions: request.regions.clone(),
                expire_time: expire_time?,
            },
        })
    })
}

/// Spans are kept to the millisecond.
fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(span.as_millis().try_into().unwrap_or(u64::MAX))
}

fn sla_in(given: &pb::Sla, max_latency: Option<Duration>) -> Sla {
    Sla {
        max_latency: max_latency.map(whole_millis),
        availability: given.availability,
    }
}

fn sample_in(given: &pb::Sample, latency: Option<Duration>) -> Sample {
    Sample {
        input: given.input.clone(),
        output: given.output.clone(),
        latency: latency.map(whole_millis),
    }
}

const fn sla_out(sla: Sla, max_latency: Option<prost_types::Duration>) -> pb::Sla {
    pb::Sla {
        max_latency,
        availability: sla.availability,
    }
}

fn sample_out(sample: Sample) -> pb::Sample {
    pb::Sample {
        input: sample.input,
        output: sample.output,
        latency: sample.latency.map(wire::span),
    }
}

const fn status_out(status: Status) -> pb::BidStatus {
    match status {
        Status::Received => pb::BidStatus::Received,
        Status::Superseded => pb::BidStatus::Superseded,
        Status::Withdrawn => pb::BidStatus::Withdrawn,
        Status::Ranked => pb::BidStatus::Ranked,
        Status::Disqualified => pb::BidStatus::Disqualified,
        Status::Awarded => pb::BidStatus::Awarded,
        Status::Lost => pb::BidStatus::Lost,
    }
}

impl From<Bid> for pb::Bid {
    fn from(bid: Bid) -> Self {
        let offer = bid.offer;
        let sample_fields = offer.sample.iter().flat_map(Sample::fields).collect();
        Self {
            bid_id: bid.id.to_string(),
            work_id: bid.work_id.to_string(),
            provider_id: bid.provider_id.to_string(),
            provider_tenant_id: bid.provider_tenant_id.to_string(),
            agent_id: wire::text(offer.agent_id),
            price: Some(wire::money(&offer.price)),
            confidence: offer.confidence,
            approach: offer.approach,
            estimated_latency: offer.estimated_latency.map(wire::span),
            sla: offer.sla.map(|sla| sla_out(sla, sla.max_latency.map(wire::span))),
            sample: offer.sample.map(sample_out),
            endpoint: offer.endpoint,
            regions: offer.regions,
            sample_fields,
            status: status_out(bid.status).into(),
            status_reason: bid.status_reason,
            revision: bid.revision,
            expire_time: Some(wire::time(offer.expire_time)),
            receive_time: Some(wire::time(bid.receive_time)),
            update_time: Some(wire::time(bid.update_time)),
        }
    }
}

/// A bid of the final set: as it was when its book was sealed, whatever became of it since, and without its texts. Of a
/// sample's output the names of its fields are left.
pub(crate) fn sealed(bid: Bid) -> pb::Bid {
    let mut sealed = pb::Bid::from(bid);
    sealed.approach.clear();
    if let Some(sample) = &mut sealed.sample {
        sample.input.clear();
        sample.output.clear();
    }
    sealed.status = pb::BidStatus::Received.into();
    sealed.status_reason.clear();
    sealed.update_time = sealed.receive_time;
    sealed
}

impl From<&Event> for Fact {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn from(event: &Event) -> Self {
        let work_id = event.work_id.to_string();
        let consumer_id = event.consumer_id.to_string();
        let at = (event.work_id, event.version, event.time);
        let fact = match event.change.clone() {
            Change::Opened { terms } => Fact::new(
                "book.opened",
                at,
                &pb::BookOpened {
                    work_id,
                    consumer_id,
                    max_price: Some(wire::money(&terms.max_price)),
                    close_time: Some(wire::time(terms.close_time)),
                    internal: terms.internal,
                },
            ),
            Change::Submitted {
                bid_id,
                provider_id,
                offer,
                revision,
                superseded,
            } => Fact::new(
                "bid.submitted",
                at,
                &pb::BidSubmitted {
                    bid_id: bid_id.to_string(),
                    work_id,
                    consumer_id,
                    provider_id: provider_id.to_string(),
                    provider_tenant_id: wire::text(event.bidder),
                    agent_id: wire::text(offer.agent_id),
                    price: Some(wire::money(&offer.price)),
                    confidence: offer.confidence,
                    approach: offer.approach,
                    estimated_latency: offer.estimated_latency.map(wire::span),
                    sla: offer.sla.map(|sla| sla_out(sla, sla.max_latency.map(wire::span))),
                    sample: offer.sample.map(sample_out),
                    endpoint: offer.endpoint,
                    regions: offer.regions,
                    revision,
                    expire_time: Some(wire::time(offer.expire_time)),
                    receive_time: Some(wire::time(event.time)),
                    superseded_bid_id: wire::text(superseded),
                },
            ),
            Change::Withdrawn { bid_id, provider_id } => Fact::new(
                "bid.withdrawn",
                at,
                &pb::BidWithdrawn {
                    bid_id: bid_id.to_string(),
                    work_id,
                    consumer_id,
                    provider_id: provider_id.to_string(),
                },
            ),
            Change::Sealed {
                live_bids,
                total_bids,
            } => Fact::new(
                "book.sealed",
                at,
                &pb::BookSealed {
                    work_id,
                    seal_time: Some(wire::time(event.time)),
                    live_bids,
                    total_bids,
                },
            ),
            Change::Ranked { bid_id } => {
                let bid_id = bid_id.to_string();
                Fact::new("bid.ranked", at, &pb::BidRanked { bid_id, work_id })
            }
            Change::Disqualified { bid_id, reason } => Fact::new(
                "bid.disqualified",
                at,
                &pb::BidDisqualified {
                    bid_id: bid_id.to_string(),
                    work_id,
                    reason,
                },
            ),
            Change::Awarded { bid_id, contract_id } => Fact::new(
                "bid.awarded",
                at,
                &pb::BidAwarded {
                    bid_id: bid_id.to_string(),
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Lost { bid_id, reason } => Fact::new(
                "bid.lost",
                at,
                &pb::BidLost {
                    bid_id: bid_id.to_string(),
                    work_id,
                    reason,
                },
            ),
        };
        let bidder = event.bidder.filter(|bidder| *bidder != event.consumer_id);
        fact.of("book")
            .visible_to([event.consumer_id].into_iter().chain(bidder))
    }
}

/// An event of bid-gateway, as the ledger kept it.
pub(crate) fn replayed(stored: &Stored) -> Result<Event, Failure> {
    let read = || {
        let consumer_id = stored.visible_to.first()?.parse().ok()?;
        let work_id = stored.aggregate_id.parse().ok()?;
        let change = change(stored, work_id)?;
        let bidder = match (&change, stored.visible_to.get(1)) {
            (_, Some(bidder)) => Some(bidder.parse().ok()?),
            (Change::Opened { .. } | Change::Sealed { .. }, None) => None,
            // The exchange's own house bids on its own work.
            (_, None) => Some(consumer_id),
        };
        Some(Event {
            work_id,
            consumer_id,
            bidder,
            version: stored.aggregate_version,
            time: stored::occurred(stored)?,
            change,
        })
    };
    read().ok_or_else(|| stored::unreadable(stored))
}

fn change(stored: &Stored, work_id: WorkId) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "book.opened" => {
            let read: pb::BookOpened = stored::payload(stored)?;
            Change::Opened {
                terms: Terms {
                    work_id,
                    consumer_id: read.consumer_id.parse().ok()?,
                    internal: read.internal,
                    max_price: wire::read_money(read.max_price.as_ref()?)?,
                    close_time: wire::read_time(read.close_time.as_ref()?)?,
                },
            }
        }
        "bid.submitted" => submitted(stored::payload(stored)?)?,
        "bid.withdrawn" => {
            let read: pb::BidWithdrawn = stored::payload(stored)?;
            Change::Withdrawn {
                bid_id: read.bid_id.parse().ok()?,
                provider_id: read.provider_id.parse().ok()?,
            }
        }
        "book.sealed" => {
            let read: pb::BookSealed = stored::payload(stored)?;
            Change::Sealed {
                live_bids: read.live_bids,
                total_bids: read.total_bids,
            }
        }
        "bid.ranked" => Change::Ranked {
            bid_id: stored::payload::<pb::BidRanked>(stored)?.bid_id.parse().ok()?,
        },
        "bid.disqualified" => {
            let read: pb::BidDisqualified = stored::payload(stored)?;
            Change::Disqualified {
                bid_id: read.bid_id.parse().ok()?,
                reason: read.reason,
            }
        }
        "bid.awarded" => {
            let read: pb::BidAwarded = stored::payload(stored)?;
            Change::Awarded {
                bid_id: read.bid_id.parse().ok()?,
                contract_id: read.contract_id.parse().ok()?,
            }
        }
        "bid.lost" => {
            let read: pb::BidLost = stored::payload(stored)?;
            Change::Lost {
                bid_id: read.bid_id.parse().ok()?,
                reason: read.reason,
            }
        }
        _ => return None,
    })
}

fn submitted(read: pb::BidSubmitted) -> Option<Change> {
    let span = |span: &Option<prost_types::Duration>| wire::maybe_of(span.as_ref(), wire::read_span);
    let sla = |given: &pb::Sla| Some(sla_in(given, span(&given.max_latency)?));
    let sample = |given: &pb::Sample| Some(sample_in(given, span(&given.latency)?));
    let offer = Offer {
        agent_id: wire::maybe(&read.agent_id)?,
        price: wire::read_money(read.price.as_ref()?)?,
        confidence: read.confidence,
        approach: read.approach,
        estimated_latency: span(&read.estimated_latency)?,
        sla: wire::maybe_of(read.sla.as_ref(), sla)?,
        sample: wire::maybe_of(read.sample.as_ref(), sample)?,
        endpoint: read.endpoint,
        regions: read.regions,
        expire_time: wire::read_time(read.expire_time.as_ref()?)?,
    };
    Some(Change::Submitted {
        bid_id: read.bid_id.parse().ok()?,
        provider_id: read.provider_id.parse().ok()?,
        offer: Box::new(offer),
        revision: read.revision,
        superseded: wire::maybe(&read.superseded_bid_id)?,
    })
}

/// What bid-gateway listens to.
pub(crate) const HEARD: &[&str] = &[
    "work.cancelled",
    "work.failed",
    "bids.evaluated",
    "contract.awarded",
];

/// What an event of another service says of a book; `None` when it says nothing.
pub(crate) fn heard(stored: &Stored) -> Result<Option<(WorkId, News)>, Failure> {
    if !HEARD.contains(&stored.r#type.as_str()) {
        return Ok(None);
    }
    let read = || {
        Some(match stored.r#type.as_str() {
            "work.cancelled" => {
                let read: WorkCancelled = stored::payload(stored)?;
                let work_id = read.work_id.parse().ok()?;
                let terms = Terms {
                    work_id,
                    consumer_id: read.consumer_id.parse().ok()?,
                    internal: read.internal,
                    max_price: wire::read_money(read.max_price.as_ref()?)?,
                    close_time: wire::read_time(read.close_time.as_ref()?)?,
                };
                (work_id, News::Cancelled(terms))
            }
            "work.failed" => {
                let read: WorkFailed = stored::payload(stored)?;
                (read.work_id.parse().ok()?, News::Failed)
            }
            "bids.evaluated" => {
                let read: BidsEvaluated = stored::payload(stored)?;
                let ranked = read.ranked_bids.iter().map(|bid| (bid, None));
                let disqualified = read.disqualified_bids.iter();
                let disqualified = disqualified.map(|bid| (bid, Some(bid.disqualified_reason.clone())));
                let verdicts = ranked.chain(disqualified);
                let verdicts = verdicts.map(|(bid, why)| Some((bid.bid_id.parse().ok()?, why)));
                let verdicts = verdicts.collect::<Option<_>>()?;
                (read.work_id.parse().ok()?, News::Evaluated(verdicts))
            }
            _ => {
                let read: ContractAwarded = stored::payload(stored)?;
                let news = News::Awarded(read.bid_id.parse().ok()?, read.contract_id.parse().ok()?);
                (read.work_id.parse().ok()?, news)
            }
        })
    };
    read().map(Some).ok_or_else(|| stored::unreadable(stored))
}
