//! One whole trade, from the publication to the settled contract, as its parties make it through the edge.

use std::time::Duration;

use aex_proto::aex::{
    bid_gateway::v1::SubmitBidRequest,
    contract_engine::v1::{
        AcceptContractRequest, AwardContractRequest, CompleteContractRequest, ContractStatus,
        GetContractRequest, StartContractRequest,
    },
    work_publisher::v1::{PublishWorkRequest, VerificationMethod},
};
use hdrhistogram::Histogram;
use prost_types::{Duration as Span, Timestamp};
use tokio::time::{Instant, sleep_until};
use tonic::{Response, Status};

use crate::{
    caller::{limited, told},
    cast::{Consumer, Provider, usd},
    keys::Keys,
    problem::Problem,
};

/// How long bids are taken, and how long the parties have; no trade of a run takes that long.
const WINDOW: Span = minutes(5);
const TERM: Span = minutes(60);
/// A contract that is accepted and not settled after so long ends the run.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);
/// What is delivered.
const RESULT: &[u8] = br#"{"answer": 42, "why": "because it was asked for"}"#;

/// The steps of a trade.
pub(crate) const STEPS: [&str; 7] = [
    "publish", "bid", "award", "start", "complete", "accept", "settled",
];

/// How long each step took, in microseconds, and the whole.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    steps: Vec<Histogram<u64>>,
    pub(crate) whole: Histogram<u64>,
    /// Trades that were not settled when they were accepted, and were waited for.
    pub(crate) late: u64,
}

impl Times {
    pub(crate) fn new() -> Result<Self, Problem> {
        Ok(Self {
            steps: STEPS.iter().map(|_| histogram()).collect::<Result<_, _>>()?,
            whole: histogram()?,
            late: 0,
        })
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Problem> {
        for (mine, others) in self.steps.iter_mut().zip(&other.steps) {
            mine.add(others)?;
        }
        self.whole.add(&other.whole)?;
        self.late += other.late;
        Ok(())
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'static str, &Histogram<u64>)> {
        STEPS.into_iter().zip(&self.steps)
    }

    async fn measure<A>(
        &mut self,
        step: &str,
        call: impl Future<Output = Result<Response<A>, Status>>,
    ) -> Result<A, Problem> {
        let begun = Instant::now();
        let answer = told(step, call).await?;
        self.note(step, begun);
        Ok(answer)
    }

    fn note(&mut self, step: &str, begun: Instant) {
        let place = STEPS.iter().position(|name| *name == step);
        if let Some(histogram) = place.and_then(|place| self.steps.get_mut(place)) {
            histogram.saturating_record(micros(begun.elapsed()));
        }
    }
}

/// Microseconds up to a minute, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Problem> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// What a trade left behind: its work, its bids, its contract.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) work: String,
    pub(crate) bids: Vec<String>,
    pub(crate) contract: String,
}

/// Trades once: three bids, the second one wins.
pub(crate) async fn trade(
    consumer: &Consumer,
    providers: &[Provider],
    keys: &Keys,
    times: &mut Times,
) -> Result<Trace, Problem> {
    let begun = Instant::now();
    let (work, close) = publish(consumer, keys, times).await?;
    let mut bids = Vec::new();
    let mut winner = None;
    for (place, provider) in providers.iter().enumerate() {
        let price = if place == 1 { "1.25" } else { "1.5" };
        let bid = bid(provider, &work, close, price, keys, times).await?;
        if place == 1 || winner.is_none() {
            winner = Some((provider, bid.clone()));
        }
        bids.push(bid);
    }
    let (provider, bid) = winner.ok_or_else(|| Problem::new("a trade needs a provider"))?;
    let contract = award(consumer, &work, bid, keys, times).await?;
    fulfil(consumer, provider, &contract, keys, times).await?;
    times.whole.saturating_record(micros(begun.elapsed()));
    Ok(Trace { work, bids, contract })
}

async fn publish(
    consumer: &Consumer,
    keys: &Keys,
    times: &mut Times,
) -> Result<(String, Timestamp), Problem> {
    let request = PublishWorkRequest {
        idempotency_key: keys.one("work"),
        category: consumer.category.clone(),
        description: "Answer the question in the payload.".to_owned(),
        max_price: Some(usd("2")),
        payload: br#"{"question": "what do you get if you multiply six by nine?"}"#
            .as_slice()
            .into(),
        payload_content_type: "application/json".to_owned(),
        bid_window: Some(WINDOW),
        verification_method: VerificationMethod::ConsumerConfirm.into(),
        review_time: Some(TERM),
        contract_duration: Some(TERM),
        ..PublishWorkRequest::default()
    };
    let mut works = consumer.caller.works();
    let answer = times
        .measure("publish", works.publish_work(limited(request)))
        .await?;
    let work = answer.work.unwrap_or_default();
    Ok((work.work_id, work.close_time.unwrap_or_default()))
}

async fn bid(
    provider: &Provider,
    work: &str,
    close: Timestamp,
    price: &str,
    keys: &Keys,
    times: &mut Times,
) -> Result<String, Problem> {
    let request = offer(provider, work, close, price, keys.one("bid"));
    let mut bids = provider.caller.bids();
    let answer = times.measure("bid", bids.submit_bid(limited(request))).await?;
    Ok(answer.bid.unwrap_or_default().bid_id)
}

/// A bid as agents make it, which stands an hour longer than the window.
pub(crate) fn offer(
    provider: &Provider,
    work: &str,
    close: Timestamp,
    price: &str,
    key: String,
) -> SubmitBidRequest {
    SubmitBidRequest {
        idempotency_key: key,
        work_id: work.to_owned(),
        provider_id: provider.id.clone(),
        price: Some(usd(price)),
        confidence: 0.9,
        approach: "Think about it for seven and a half million years.".to_owned(),
        estimated_latency: Some(Span { seconds: 2, nanos: 0 }),
        endpoint: "https://provider.example/agent".to_owned(),
        expire_time: Some(Timestamp {
            seconds: close.seconds + TERM.seconds,
            nanos: 0,
        }),
        ..SubmitBidRequest::default()
    }
}

async fn award(
    consumer: &Consumer,
    work: &str,
    bid: String,
    keys: &Keys,
    times: &mut Times,
) -> Result<String, Problem> {
    let request = AwardContractRequest {
        idempotency_key: keys.one("award"),
        work_id: work.to_owned(),
        bid_id: bid,
    };
    let mut contracts = consumer.caller.contracts();
    let answer = times
        .measure("award", contracts.award_contract(limited(request)))
        .await?;
    Ok(answer.contract.unwrap_or_default().contract_id)
}

async fn fulfil(
    consumer: &Consumer,
    provider: &Provider,
    contract: &str,
    keys: &Keys,
    times: &mut Times,
) -> Result<(), Problem> {
    let mut seller = provider.caller.contracts();
    let request = StartContractRequest {
        idempotency_key: keys.one("start"),
        contract_id: contract.to_owned(),
    };
    times
        .measure("start", seller.start_contract(limited(request)))
        .await?;
    let request = CompleteContractRequest {
        idempotency_key: keys.one("done"),
        contract_id: contract.to_owned(),
        success: true,
        summary: "answered".to_owned(),
        result: RESULT.into(),
        result_content_type: "application/json".to_owned(),
        ..CompleteContractRequest::default()
    };
    times
        .measure("complete", seller.complete_contract(limited(request)))
        .await?;
    let mut buyer = consumer.caller.contracts();
    let request = AcceptContractRequest {
        idempotency_key: keys.one("accept"),
        contract_id: contract.to_owned(),
    };
    times
        .measure("accept", buyer.accept_contract(limited(request)))
        .await?;
    settled(consumer, contract, times).await
}

/// Looks until the contract is settled; as a rule it is when its acceptance is answered.
async fn settled(consumer: &Consumer, contract: &str, times: &mut Times) -> Result<(), Problem> {
    let begun = Instant::now();
    let mut contracts = consumer.caller.contracts();
    loop {
        let request = GetContractRequest {
            contract_id: contract.to_owned(),
        };
        let answer = told("settled", contracts.get_contract(limited(request))).await?;
        let status = answer.contract.unwrap_or_default().status();
        if status == ContractStatus::Settled {
            times.note("settled", begun);
            return Ok(());
        }
        if status != ContractStatus::Completed || begun.elapsed() > SETTLED_WITHIN {
            return Err(Problem::new(format!("{contract} was accepted and is {status:?}")));
        }
        times.late += 1;
        sleep_until(Instant::now() + LOOK).await;
    }
}

const fn minutes(minutes: i64) -> Span {
    Span {
        seconds: minutes * 60,
        nanos: 0,
    }
}
