//! A consumer that awards and cancels the same work at once gets one of both, whole.

use std::time::Duration;

use aex_proto::aex::{
    contract_engine::v1::ContractStatus, settlement::v1::HoldStatus, work_publisher::v1::WorkStatus,
};
use aex_testkit::trader::{Consumer, Provider};
use aex_types::Amount;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

use super::{Track, all, amount, is_typed, terms};

const WORKS: usize = 60;
/// Works that are raced for at once.
const ABREAST: usize = 6;
/// How long after the award the cancellation begins at first, in the middle.
const FIRST_LAG: Duration = Duration::from_millis(60);
/// The lag is changed by so much after every race, towards the side that lost: the race stays close on any machine.
const STEP: f64 = 1.3;
/// How often each side wins at least, or it was no race.
const LEAST: usize = 3;
const SEED: u64 = 20_260_417;
/// What an award is told that came too late, or whose work was cancelled under its hands.
const LATE: [&str; 2] = ["WORK_NOT_AWARDABLE", "AWARD_IN_PROGRESS"];

/// One race, in which the cancellation begins so much later than the award. Answers the price when the award has won.
async fn once(consumer: Consumer, provider: Provider, lag: Duration) -> Option<Amount> {
    let work_id = consumer.publish(&terms()).await.unwrap().work_id;
    let bid_id = provider.bid(&work_id, "2.25").await.unwrap().bid_id;
    let (awarding, cancelling) = (consumer.another_connection(), consumer.another_connection());
    // The connections stand before the start.
    let _ = tokio::join!(awarding.balance(), cancelling.balance());
    let cancel = async {
        sleep(lag).await;
        cancelling.cancel(&work_id).await
    };
    let (awarded, cancelled) = tokio::join!(awarding.award(&work_id, &bid_id), cancel);
    assert!(
        awarded.is_ok() != cancelled.is_ok(),
        "{lag:?}: {awarded:?}, {cancelled:?}"
    );

    let contracts = consumer.contracts_of(&work_id).await.unwrap();
    if cancelled.is_ok() {
        assert!(is_typed(&awarded, &LATE));
        let work = consumer.work(&work_id).await.unwrap();
        assert_eq!(
            (work.status(), work.contract_id.as_str()),
            (WorkStatus::Cancelled, "")
        );
        for contract in contracts {
            assert_eq!(contract.status(), ContractStatus::Void, "{contract:?}");
            let hold = consumer.settlement(&contract.contract_id).await;
            assert!(hold.is_err() || hold.unwrap().status() == HoldStatus::Released);
        }
        return None;
    }
    assert!(is_typed(&cancelled, &["WORK_NOT_CANCELLABLE"]));
    let contract = awarded.unwrap();
    assert_eq!(contracts.len(), 1);
    assert_eq!(contracts[0].status(), ContractStatus::Awarded);
    assert_eq!(contracts[0].contract_id, contract.contract_id);
    let work = consumer.work(&work_id).await.unwrap();
    let named = (work.status(), work.contract_id);
    assert_eq!(named, (WorkStatus::Awarded, contract.contract_id.clone()));
    let hold = consumer.settlement(&contract.contract_id).await.unwrap();
    assert_eq!(
        (hold.status(), hold.amount),
        (HoldStatus::Held, contract.price.clone())
    );
    Some(amount(&contract.price.unwrap().amount))
}

/// So many races, a few of them at once.
async fn race(track: &Track, works: usize) {
    let (consumer, provider) = (track.consumer("1000").await, track.provider().await);
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut won = Vec::new();
    let mut middle = FIRST_LAG;
    for _ in 0..works / ABREAST {
        let lags: Vec<_> = (0..ABREAST)
            .map(|_| middle.mul_f64(rng.random_range(0.3..1.7)))
            .collect();
        let races = lags
            .into_iter()
            .map(|lag| once(consumer.clone(), provider.clone(), lag));
        for awarded in all(races).await {
            middle = match awarded {
                Some(_) => middle.div_f64(STEP),
                None => middle.mul_f64(STEP),
            };
            won.push(awarded);
        }
    }
    let prices: Vec<_> = won.iter().flatten().copied().collect();
    let awards = prices.len();
    println!(
        "{awards} awards and {} cancellations have won",
        won.len() - awards
    );
    assert!(
        (LEAST..=works - LEAST).contains(&awards),
        "it was no race: {awards} of {works}"
    );
    let held = prices
        .into_iter()
        .fold(amount("0"), |sum, price| sum.checked_add(price).unwrap());
    let left = amount("1000").checked_sub(held).unwrap();
    assert_eq!(consumer.funds().await, [left, held, amount("0")]);
    track.is_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_award_and_a_cancellation_at_the_same_time_exactly_one_happens() {
    race(&Track::dev(), WORKS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_processes_an_award_and_a_cancellation_exclude_each_other_too() {
    race(&Track::fleet().await, WORKS / 2).await;
}
