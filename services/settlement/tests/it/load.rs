//! Many callers at once, and how fast it goes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::fixture::{Settlement, deposit, settle};

/// One-dollar deposits. 16,000 take too long for every run of a debug build.
const DEPOSITS: usize = 2_000;
const CALLERS: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn every_deposit_that_is_retried_until_acknowledged_counts_once() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let requests: Vec<_> = (0..DEPOSITS).map(|_| deposit("test", "1")).collect();
    let queue = Arc::new(Mutex::new(requests));
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (mut client, queue) = (settlement.client(&ada), Arc::clone(&queue));
            tokio::spawn(async move {
                loop {
                    let Some(request) = queue.lock().await.pop() else {
                        return;
                    };
                    // Some callers hear nothing and ask again under the same key.
                    if caller % 8 == 0 {
                        let mut hasty = client.clone();
                        let copy = request.clone();
                        let lost = tokio::spawn(async move { hasty.request_deposit(copy).await });
                        tokio::task::yield_now().await;
                        lost.abort();
                    }
                    while let Err(status) = client.request_deposit(request.clone()).await {
                        assert!(
                            matches!(
                                status.code(),
                                tonic::Code::Unavailable
                                    | tonic::Code::DeadlineExceeded
                                    | tonic::Code::Aborted
                            ),
                            "{status:?}"
                        );
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let took = began.elapsed();
    report("deposits", DEPOSITS, took);
    assert_eq!(
        settlement.balance(&ada).await,
        [&DEPOSITS.to_string(), "0", "0", "0"]
    );
    settlement.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_trades_between_many_tenants_balance() {
    const TRADES: usize = 640;
    let mut settlement = Settlement::new().await;
    let mut parties = Vec::new();
    for _ in 0..8 {
        parties.push(settlement.traders("1000").await);
    }
    let mut awards = Vec::new();
    for number in 0..TRADES {
        let (ada, bob) = &parties[number % parties.len()];
        awards.push(settlement.award(ada, bob, "1"));
    }
    let began = Instant::now();
    let traders: Vec<_> = awards
        .chunks(TRADES / CALLERS)
        .map(|awards| {
            let (mut engine, awards) = (settlement.engine.clone(), awards.to_vec());
            tokio::spawn(async move {
                for award in &awards {
                    engine.place_hold(award.clone()).await.unwrap();
                }
            })
        })
        .collect();
    for trader in traders {
        trader.await.unwrap();
    }
    let placed = began.elapsed();
    let began = Instant::now();
    let traders: Vec<_> = awards
        .chunks(TRADES / CALLERS)
        .map(|awards| {
            let (mut engine, awards) = (settlement.engine.clone(), awards.to_vec());
            tokio::spawn(async move {
                for award in &awards {
                    engine
                        .settle_contract(settle(&award.contract_id, "1"))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for trader in traders {
        trader.await.unwrap();
    }
    let settled = began.elapsed();
    report("holds", TRADES, placed);
    report("settlements", TRADES, settled);
    settlement.assert_clean().await;
}

#[expect(clippy::print_stdout, reason = "a measurement is for reading")]
fn report(what: &str, count: usize, took: Duration) {
    let rate = f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64();
    println!("RESULT {what} {count} in {took:?}: {rate:.0}/s");
}
