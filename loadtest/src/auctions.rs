//! P7: from the end of a bid window to the award, with a thousand bids on the work, which the exchange awards by itself.
//!
//! Works are published in groups whose windows end one after the other, far enough apart that no auction meets another.
//! All bids of a group are in before its first window ends: then nothing else goes on. What is measured ends when the
//! consumer's tail of the event ledger, through the edge, hears of `contract.awarded`: the award is committed, in the
//! ledger, and visible. One machine has one clock, so the end of the window, which is stored, and the arrival, which the
//! consumer sees, can be compared.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
    time::Duration,
};

use aex_proto::aex::{
    common::v1::Event,
    contract_engine::v1::ContractAwarded,
    event_ledger::v1::{EventFilter, TailEventsRequest},
    work_publisher::v1::{BidStrategy, PublishWorkRequest},
};
use aex_types::Timestamp;
use prost::Message as _;
use prost_types::Duration as Span;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    caller::{limited, told},
    cast::{Size, usd},
    database,
    exchange::Exchange,
    machine,
    problem::Problem,
    report::{Samples, median, result, say},
    trade::offer,
};

/// Bids on each work, all of different providers.
const BIDS: usize = 1000;
const SIZE: Size = Size {
    consumers: 1,
    categories: 1,
    providers: BIDS,
    per_tenant: 100,
};
const BIDDERS: usize = 16;
/// Between the ends of two windows of a group.
const APART: Duration = Duration::from_secs(1);
/// Works of the first group, and the rate that is expected of its bidding at least. It shows how fast bids come in, makes
/// connections and plans, and is not counted.
const FIRST: usize = 2;
const EXPECTED: f64 = 50.0;
/// The bids of a group are in so long before its first window ends.
const SPARE: Duration = Duration::from_secs(3);
/// An auction that takes longer ends the run.
const LIMIT: Duration = Duration::from_secs(30);
/// What the consumer hears on the way from the end of a window to the award.
const STAGES: [&str; 4] = [
    "work.bid_window_closed",
    "bids.evaluated",
    "contract.proposed",
    "contract.awarded",
];

/// How many auctions there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) runs: usize,
    pub(crate) auctions: usize,
    pub(crate) group: usize,
}

pub(crate) async fn run(aex: &Path, folder: &Path, plan: Plan) -> Result<(), Problem> {
    let mut tails = Vec::new();
    for number in 1..=plan.runs {
        tails.push(once(aex, folder, plan, number).await?);
    }
    say(result("P7", &tails, 1));
    Ok(())
}

async fn once(aex: &Path, folder: &Path, plan: Plan, number: usize) -> Result<f64, Problem> {
    let exchange = Arc::new(Exchange::start(aex, SIZE).await?);
    let machine = machine::line(&exchange.admin(), aex).await?;
    say(format!("machine {machine}"));
    let heading = "work\tms from the end of the window to the arrival\tto each stage's stamp";
    let mut samples = Samples::create(folder, &format!("auctions-{number}"), &machine, heading)?;
    let mut heard = listen(&exchange)?;
    let mut auctions = Vec::new();
    let opened = open(&exchange, FIRST, EXPECTED).await?;
    let mut acknowledged: Vec<_> = opened.iter().map(Opened::acknowledged).collect();
    let mut rate = bid(&exchange, &opened, &mut acknowledged).await?;
    database::settle(&exchange.database()).await?;
    follow(&opened, &mut heard).await?;
    while auctions.len() < plan.auctions {
        let group = plan.group.min(plan.auctions - auctions.len());
        let opened = open(&exchange, group, rate).await?;
        acknowledged.extend(opened.iter().map(Opened::acknowledged));
        rate = bid(&exchange, &opened, &mut acknowledged).await?;
        auctions.extend(follow(&opened, &mut heard).await?);
    }
    for auction in &auctions {
        let stages: Vec<_> = auction.stages.iter().map(|stage| format!("{stage:.2}")).collect();
        samples.line(format!(
            "{}\t{:.2}\t{}",
            auction.work,
            auction.total,
            stages.join("\t")
        ))?;
    }
    let totals: Vec<f64> = auctions.iter().map(|auction| auction.total).collect();
    let tail = quantile(&totals, 0.99);
    say(format!(
        "run {number}: {} auctions of {BIDS} bids ({rate:.0} bids a second): p50 {:.1} ms, p99 {tail:.1} ms, max {:.1} ms",
        auctions.len(),
        median(&totals),
        quantile(&totals, 1.0),
    ));
    for (place, stage) in STAGES.iter().enumerate() {
        let at: Vec<f64> = auctions
            .iter()
            .filter_map(|auction| auction.stages.get(place).copied())
            .collect();
        say(format!("  {stage:<24} p50 {:.1} ms after the end", median(&at)));
    }
    drop(heard);
    let exchange = Arc::try_unwrap(exchange).map_err(|_| Problem::new("somebody still trades"))?;
    say(format!("  {}", exchange.end(&acknowledged).await?));
    say(format!("  samples   {}", samples.close()?.display()));
    Ok(tail)
}

/// A work under auction, and when its window ends.
#[derive(Debug, Clone)]
struct Opened {
    work: String,
    close: prost_types::Timestamp,
}

impl Opened {
    /// As fsck reads it.
    fn acknowledged(&self) -> String {
        format!("work {}", self.work)
    }
}

/// One auction that is over, in milliseconds after the end of its window.
#[derive(Debug)]
struct Auction {
    work: String,
    total: f64,
    stages: Vec<f64>,
}

/// Publishes works whose windows end one after the other, the first one when a thousand bids on each must be in.
async fn open(exchange: &Exchange, group: usize, rate: f64) -> Result<Vec<Opened>, Problem> {
    let consumer = exchange.cast.consumers.first();
    let consumer = consumer.ok_or_else(|| Problem::new("an auction needs a consumer"))?;
    let bids = u32::try_from(BIDS * group)?;
    let bidding = Duration::from_secs_f64(f64::from(bids) / rate * 1.3) + SPARE;
    let mut opened = Vec::new();
    for number in 0..u32::try_from(group)? {
        let window = bidding.max(Duration::from_secs(5)) + APART * number;
        let request = PublishWorkRequest {
            idempotency_key: exchange.keys.one("work"),
            category: consumer.category.clone(),
            description: "Answer the question.".to_owned(),
            max_price: Some(usd("2")),
            bid_strategy: BidStrategy::LowestPrice.into(),
            bid_window: Some(Span::try_from(window)?),
            auto_award: true,
            ..PublishWorkRequest::default()
        };
        let answer = told("publish", consumer.caller.works().publish_work(limited(request))).await?;
        let work = answer.work.unwrap_or_default();
        opened.push(Opened {
            work: work.work_id,
            close: work.close_time.unwrap_or_default(),
        });
    }
    Ok(opened)
}

/// All providers bid on all works of a group. Notes the bids, and answers how many a second came in.
async fn bid(
    exchange: &Arc<Exchange>,
    opened: &[Opened],
    acknowledged: &mut Vec<String>,
) -> Result<f64, Problem> {
    let providers = exchange
        .cast
        .providers
        .first()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let begun = Instant::now();
    let mut bidders = JoinSet::new();
    for share in providers.chunks(providers.len().div_ceil(BIDDERS)) {
        let (share, opened, keys) = (share.to_vec(), opened.to_vec(), exchange.keys.clone());
        bidders.spawn(async move {
            let mut taken = Vec::with_capacity(share.len() * opened.len());
            for work in &opened {
                for provider in &share {
                    let request = offer(provider, &work.work, work.close, "1.5", keys.one("bid"));
                    let answer = told("bid", provider.caller.bids().submit_bid(limited(request))).await?;
                    taken.push(format!("bid {}", answer.bid.unwrap_or_default().bid_id));
                }
            }
            Ok::<_, Problem>(taken)
        });
    }
    while let Some(bidder) = bidders.join_next().await {
        acknowledged.extend(bidder??);
    }
    let first = opened
        .first()
        .map(|work| micros_of(&work.close))
        .unwrap_or_default();
    if exchange.runtime.now().unix_micros() >= first {
        return Err(Problem::new("the first window ended before all bids were in"));
    }
    let bids = u32::try_from(providers.len() * opened.len())?;
    Ok(f64::from(bids) / begun.elapsed().as_secs_f64())
}

/// An event of the consumer's, and when it arrived.
struct Heard {
    event: Event,
    arrived: Timestamp,
}

/// Opens the consumer's tail.
fn listen(exchange: &Exchange) -> Result<mpsc::Receiver<Result<Heard, Problem>>, Problem> {
    let (give, take) = mpsc::channel(1024);
    let consumer = exchange.cast.consumers.first();
    let mut events = consumer
        .ok_or_else(|| Problem::new("nobody listens"))?
        .caller
        .events();
    let runtime = exchange.runtime.clone();
    exchange.runtime.spawn(async move {
        let request = TailEventsRequest {
            filter: Some(EventFilter {
                types: STAGES.map(str::to_owned).to_vec(),
                ..EventFilter::default()
            }),
            after_sequence: 0,
        };
        let mut tail = match told("tail", events.tail_events(request)).await {
            Ok(tail) => tail,
            Err(problem) => return drop(give.send(Err(problem)).await),
        };
        loop {
            let message = match tail.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return drop(give.send(Err(Problem::new("the tail ended"))).await),
                Err(status) => return drop(give.send(Err(Problem::of("tail", &status))).await),
            };
            let arrived = runtime.now();
            for stored in message.events {
                let event = Event::decode(stored.event).map_err(Problem::from);
                if give
                    .send(event.map(|event| Heard { event, arrived }))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    });
    Ok(take)
}

/// Hears how each auction of a group ends.
async fn follow(
    opened: &[Opened],
    heard: &mut mpsc::Receiver<Result<Heard, Problem>>,
) -> Result<Vec<Auction>, Problem> {
    let closes: HashMap<&str, i64> = opened
        .iter()
        .map(|work| (work.work.as_str(), micros_of(&work.close)))
        .collect();
    let last = opened
        .last()
        .map(|work| micros_of(&work.close))
        .unwrap_or_default();
    let mut stamps: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    let mut works_of = HashMap::new();
    let mut auctions = Vec::new();
    while auctions.len() < opened.len() {
        let patience = LIMIT + APART * u32::try_from(opened.len())? + Duration::from_mins(5);
        let heard = timeout(patience, heard.recv())
            .await
            .map_err(|_| Problem::new(format!("an auction whose window ended at {last} has no award")))?
            .ok_or_else(|| Problem::new("the tail ended"))??;
        let Heard { event, arrived } = heard;
        let Some(stage) = STAGES.iter().find(|stage| **stage == event.r#type) else {
            continue;
        };
        let work = work_of(&event, &mut works_of)?;
        let Some(close) = closes.get(work.as_str()) else {
            continue;
        };
        let stamp = event.occur_time.as_ref().map(micros_of).unwrap_or_default();
        let stamps = stamps.entry(work.clone()).or_default();
        stamps.insert(stage, stamp);
        if *stage == "contract.awarded" {
            let after = |moment: i64| i32::try_from(moment - close).map(|micros| f64::from(micros) / 1000.0);
            let stage = |stage: &&str| after(stamps.get(*stage).copied().unwrap_or(*close));
            auctions.push(Auction {
                total: after(arrived.unix_micros())?,
                stages: STAGES.iter().map(stage).collect::<Result<_, _>>()?,
                work,
            });
        }
    }
    Ok(auctions)
}

/// The work that an event is about.
fn work_of(event: &Event, works_of: &mut HashMap<String, String>) -> Result<String, Problem> {
    use aex_proto::aex::{bid_evaluator::v1::BidsEvaluated, contract_engine::v1::ContractProposed};
    Ok(match event.r#type.as_str() {
        "bids.evaluated" => BidsEvaluated::decode(event.payload.clone())?.work_id,
        "contract.proposed" => {
            let work = ContractProposed::decode(event.payload.clone())?.work_id;
            works_of.insert(event.aggregate_id.clone(), work.clone());
            work
        }
        "contract.awarded" => ContractAwarded::decode(event.payload.clone())?.work_id,
        _ => event.aggregate_id.clone(),
    })
}

fn micros_of(time: &prost_types::Timestamp) -> i64 {
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1000
}

/// The least value that so large a share of all does not exceed.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (1..=sorted.len()).find(|place| {
        let (place, all) = (
            u32::try_from(*place).unwrap_or(0),
            u32::try_from(sorted.len()).unwrap_or(1),
        );
        f64::from(place) >= share * f64::from(all)
    });
    place
        .and_then(|place| sorted.get(place - 1).copied())
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert!((quantile(&values, 0.99) - 198.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 1.0) - 200.0).abs() < f64::EPSILON);
        assert!((quantile(&values[..40], 0.99) - 40.0).abs() < f64::EPSILON);
        assert!(quantile(&[], 0.99).is_nan());
    }
}
