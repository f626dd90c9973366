//! How fast it is. Run with `cargo test -p aex-event-ledger --test it measure -- --ignored --nocapture`; what a debug
//! build says is a floor.

use std::time::Instant;

use crate::fixture::{Ledger, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds and asserts no figure"]
async fn appends_a_second() {
    for (callers, batch) in [(1, 1), (16, 1), (128, 1), (256, 1), (8, 100), (4, 500)] {
        let mut ledger = Ledger::new().await;
        let calls = if callers == 1 {
            2_000
        } else {
            20_000 * batch.min(10) / callers / batch
        };
        let requests = (0..callers).map(|caller| {
            let request = |call: u64| {
                let versions = call * batch + 1..=(call + 1) * batch;
                request(
                    &versions
                        .map(|version| ledger.work(caller, version))
                        .collect::<Vec<_>>(),
                )
            };
            (0..calls).map(request).collect::<Vec<_>>()
        });
        let requests: Vec<_> = requests.collect();
        let begun = Instant::now();
        let callers = requests.into_iter().map(|requests| {
            let mut publisher = ledger.publisher.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                for request in requests {
                    let sent = Instant::now();
                    publisher.append(request).await.unwrap();
                    took.push(sent.elapsed());
                }
                took
            })
        });
        let callers: Vec<_> = callers.collect();
        let count = callers.len();
        let mut took = Vec::new();
        for caller in callers {
            took.extend(caller.await.unwrap());
        }
        let span = u64::try_from(begun.elapsed().as_millis()).unwrap();
        took.sort_unstable();
        let rate = took.len() as u64 * batch * 1000 / span;
        let (median, most) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!(
            "{count} callers × {batch} events: {rate} events/s, acknowledged p50 {median:?} p99 {most:?}"
        );
        assert_eq!(ledger.verify().await.broken_sequence, 0);
    }
}
