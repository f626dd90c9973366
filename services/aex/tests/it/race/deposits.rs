//! Deposits of a dollar by many callers, who ask again under their keys whenever they are not sure.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use aex_proto::aex::settlement::v1::{DepositStatus, LineKind};
use aex_testkit::trader::Consumer;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::timeout;

use super::{Track, all, micros};

/// How many deposits, unless `AEX_RACE_DEPOSITS` says.
const DEPOSITS: usize = 16_000;
/// How many of them between processes, each of which signs and checks.
const BETWEEN_PROCESSES: usize = 1_000;
const CALLERS: usize = 64;
/// Callers that share a connection.
const ABOARD: usize = 16;
/// One call of so many is given up while it is under way, and asked again; another of so many is asked twice at once.
const UNSURE: u32 = 16;

/// Deposits a dollar, whatever it takes; answers the deposit.
async fn deposit(consumer: &Consumer, rng: &mut StdRng) -> String {
    let key = consumer.key("dollar");
    match rng.random_range(0..UNSURE) {
        0 => {
            // Whether it arrived is unknown, and it may still be on its way when it is asked again.
            let wait = Duration::from_micros(rng.random_range(0..20_000));
            let _ = timeout(wait, consumer.deposit_under(&key, "1")).await;
        }
        1 => {
            let (consumer, key) = (consumer.clone(), key.clone());
            let twice = [consumer.clone(), consumer].map(|consumer| {
                let key = key.clone();
                async move { consumer.deposit_under(&key, "1").await.unwrap() }
            });
            let twice = all(twice).await;
            assert_eq!(twice[0], twice[1]);
        }
        _ => {}
    }
    let deposit = consumer.deposit_under(&key, "1").await.unwrap();
    assert_eq!(deposit.status(), DepositStatus::Confirmed);
    deposit.deposit_id
}

/// So many deposits by all callers, over a few connections.
async fn race(track: &Track, deposits: usize) {
    let consumer = track.exchange.consumer("Ada").await;
    let connections: Vec<_> = (0..CALLERS / ABOARD)
        .map(|_| consumer.another_connection())
        .collect();
    let left = Arc::new(AtomicI64::new(i64::try_from(deposits).unwrap()));
    let begun = Instant::now();
    let acknowledged = all((0..CALLERS).map(|caller| {
        let (consumer, left) = (connections[caller / ABOARD].clone(), left.clone());
        async move {
            let mut rng = StdRng::seed_from_u64(u64::try_from(caller).unwrap());
            let mut mine = Vec::new();
            while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                mine.push(deposit(&consumer, &mut rng).await);
            }
            mine
        }
    }))
    .await;
    println!("{deposits} deposits in {:.1?}", begun.elapsed());

    let acknowledged: HashSet<_> = acknowledged.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), deposits, "two keys have made one deposit");
    let dollars = micros(u64::try_from(deposits).unwrap() * 1_000_000);
    assert_eq!(consumer.funds().await, [dollars, micros(0), micros(0)]);
    let lines = consumer.statement("").await;
    assert!(lines.iter().all(|line| line.kind() == LineKind::Deposit));
    assert_eq!(lines.len(), deposits);
    let booked: HashSet<_> = lines.into_iter().map(|line| line.deposit_id).collect();
    assert_eq!(booked, acknowledged);
    assert!(track.exchange.trial_balance().await.balanced);
    track.is_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dollar_that_was_acknowledged_is_there_once() {
    let deposits = std::env::var("AEX_RACE_DEPOSITS").map_or(DEPOSITS, |text| text.parse().unwrap());
    race(&Track::dev(), deposits).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_processes_every_dollar_is_there_once_too() {
    race(&Track::fleet().await, BETWEEN_PROCESSES).await;
}
