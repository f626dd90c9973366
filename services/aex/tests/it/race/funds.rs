//! Awards for more than there is: as many stand as are paid for.

use aex_proto::aex::{
    contract_engine::v1::ContractStatus, settlement::v1::HoldStatus, work_publisher::v1::WorkStatus,
};
use aex_testkit::trader::{Consumer, Provider};
use tokio::sync::watch;

use super::{Track, all, amount, is_typed, terms};

const WORKS: usize = 12;
const PAID_FOR: usize = 3;
const CONSUMERS: usize = 3;

/// Looks at the balance until it is told to stop: it is never negative, and money is nowhere lost.
async fn look(consumer: Consumer, mut stop: watch::Receiver<bool>) -> usize {
    let mut looks = 0;
    while !*stop.borrow_and_update() {
        // A negative number is no amount.
        let [available, escrow, pending] = consumer.funds().await;
        assert_eq!(available.checked_add(escrow), Some(amount("30")));
        assert_eq!(pending, amount("0"));
        looks += 1;
    }
    looks
}

async fn overspend(consumer: Consumer, provider: Provider) {
    let works = all((0..WORKS).map(|_| {
        let (consumer, provider) = (consumer.clone(), provider.clone());
        async move {
            let work_id = consumer.publish(&terms()).await.unwrap().work_id;
            let bid_id = provider.bid(&work_id, "10").await.unwrap().bid_id;
            (work_id, bid_id)
        }
    }))
    .await;
    let (stop, stopped) = watch::channel(false);
    let looking = tokio::spawn(look(consumer.another_connection(), stopped));
    let answers = all(works.iter().cloned().map(|(work_id, bid_id)| {
        let consumer = consumer.clone();
        async move { consumer.award(&work_id, &bid_id).await }
    }))
    .await;
    stop.send(true).unwrap();
    assert!(looking.await.unwrap() > 0);

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), PAID_FOR);
    for ((work_id, _), answer) in works.iter().zip(&answers) {
        let contracts = consumer.contracts_of(work_id).await.unwrap();
        assert_eq!(contracts.len(), 1);
        let (contract, work) = (&contracts[0], consumer.work(work_id).await.unwrap());
        let hold = consumer.settlement(&contract.contract_id).await;
        if answer.is_ok() {
            assert_eq!(contract.status(), ContractStatus::Awarded);
            assert_eq!(work.status(), WorkStatus::Awarded);
            assert_eq!(hold.unwrap().status(), HoldStatus::Held);
        } else {
            assert!(is_typed(answer, &["INSUFFICIENT_FUNDS"]));
            assert_eq!(contract.status(), ContractStatus::Void);
            assert_eq!(contract.status_reason, "insufficient_funds");
            // Its book is sealed, so that it does not take bids again.
            assert_eq!(work.status(), WorkStatus::Evaluating);
            assert!(hold.is_err() || hold.unwrap().status() == HoldStatus::Released);
        }
    }
    assert_eq!(consumer.funds().await, [amount("0"), amount("30"), amount("0")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_awards_at_once_with_money_for_three_make_three_contracts() {
    let track = Track::dev();
    let provider = track.provider().await;
    let mut consumers = Vec::new();
    for _ in 0..CONSUMERS {
        consumers.push(track.consumer("30").await);
    }
    let rounds = consumers
        .into_iter()
        .map(|consumer| overspend(consumer, provider.clone()));
    all(rounds).await;
    track.is_sound();
}
