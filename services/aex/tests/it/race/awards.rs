//! Many award one work at once; one contract stands.

use aex_proto::aex::{
    contract_engine::v1::{Contract, ContractStatus},
    settlement::v1::HoldStatus,
    work_publisher::v1::{WorkStatus, WorkUpdateKind},
};
use aex_testkit::{
    Refused,
    trader::{Consumer, Terms},
};

use super::{Track, all, amount, is_typed, terms};

const CALLERS: usize = 16;
const ROUNDS: usize = 6;
/// What who comes too late is told.
const LATE: [&str; 3] = ["WORK_NOT_AWARDABLE", "AWARD_IN_PROGRESS", "BID_NOT_RANKED"];

/// All callers at once, over four connections: the same bid for half of them, two callers with one key.
async fn rush(consumer: &Consumer, work_id: &str, bids: &[String]) -> Vec<Result<Contract, Refused>> {
    let connections: Vec<_> = (0..4).map(|_| consumer.another_connection()).collect();
    let shared = consumer.key("award");
    all((0..CALLERS).map(|caller| {
        let consumer = connections[caller % connections.len()].clone();
        let (bid, key) = match caller {
            0 | 1 => (&bids[0], shared.clone()),
            2..8 => (&bids[0], consumer.key("award")),
            _ => (&bids[caller % bids.len()], consumer.key("award")),
        };
        let (work_id, bid) = (work_id.to_owned(), bid.clone());
        async move { consumer.award_under(&key, &work_id, &bid).await }
    }))
    .await
}

/// One contract stands, it has the only hold, the work names it; who got an answer got this contract.
async fn one_stands(consumer: &Consumer, work_id: &str, answers: &[Result<Contract, Refused>]) -> Contract {
    let told = consumer.until_work(work_id, &[WorkStatus::Awarded]).await;
    let work = consumer.work(work_id).await.unwrap();
    assert_eq!(
        (work.status(), &work.contract_id),
        (WorkStatus::Awarded, &told.contract_id)
    );
    let (void, standing): (Vec<_>, Vec<_>) = consumer
        .contracts_of(work_id)
        .await
        .unwrap()
        .into_iter()
        .partition(|contract| contract.status() == ContractStatus::Void);
    assert_eq!(standing.len(), 1, "{standing:?}");
    let contract = standing.into_iter().next().unwrap();
    assert_eq!(contract.status(), ContractStatus::Awarded);
    assert_eq!(contract.contract_id, work.contract_id);
    for answer in answers {
        match answer {
            Ok(awarded) => assert_eq!(awarded.contract_id, contract.contract_id),
            refused => assert!(is_typed(refused, &LATE)),
        }
    }
    let hold = consumer.settlement(&contract.contract_id).await.unwrap();
    assert_eq!(
        (hold.status(), hold.amount),
        (HoldStatus::Held, contract.price.clone())
    );
    for void in void {
        let hold = consumer.settlement(&void.contract_id).await;
        assert!(hold.is_err() || hold.unwrap().status() == HoldStatus::Released);
    }
    contract
}

async fn bids(track: &Track, work_id: &str) -> Vec<String> {
    let providers = track.providers(4).await;
    all(providers.into_iter().enumerate().map(|(place, provider)| {
        let work_id = work_id.to_owned();
        async move {
            provider
                .bid(&work_id, &format!("{}.5", place + 1))
                .await
                .unwrap()
                .bid_id
        }
    }))
    .await
}

/// What is in escrow is what the contracts that stand cost.
async fn is_covered(consumer: &Consumer, deposited: &str, contracts: &[Contract]) {
    let held = contracts.iter().fold(amount("0"), |sum, contract| {
        let price = amount(&contract.price.as_ref().unwrap().amount);
        sum.checked_add(price).unwrap()
    });
    let left = amount(deposited).checked_sub(held).unwrap();
    assert_eq!(consumer.funds().await, [left, held, amount("0")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_who_award_an_open_work_one_makes_its_contract() {
    let track = Track::dev();
    let consumer = track.consumer("100").await;
    let mut contracts = Vec::new();
    for _ in 0..ROUNDS {
        let work = consumer.publish(&terms()).await.unwrap();
        let bids = bids(&track, &work.work_id).await;
        let answers = rush(&consumer, &work.work_id, &bids).await;
        let keys_that_won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!((1..=2).contains(&keys_that_won), "{answers:?}");
        if keys_that_won == 2 {
            assert_eq!(answers[0].as_ref().unwrap(), answers[1].as_ref().unwrap());
        }
        contracts.push(one_stands(&consumer, &work.work_id, &answers).await);
    }
    is_covered(&consumer, "100", &contracts).await;
    track.is_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_awards_while_the_exchange_does_so_by_itself_makes_no_second_contract() {
    let track = Track::dev();
    let consumer = track.consumer("100").await;
    let terms = Terms {
        auto_award: true,
        window_seconds: 5,
        ..terms()
    };
    let mut works = Vec::new();
    for _ in 0..ROUNDS {
        let work = consumer.publish(&terms).await.unwrap();
        works.push((work.work_id.clone(), bids(&track, &work.work_id).await));
    }
    // Half of them rush when bidding ends, the others when the ranking is there, which is when the exchange awards.
    let signals = [WorkUpdateKind::Closed, WorkUpdateKind::Evaluated];
    let contracts = all(works.into_iter().enumerate().map(|(place, (work_id, bids))| {
        let consumer = consumer.clone();
        async move {
            let signal = signals[place % signals.len()];
            consumer
                .hear_of_work(&work_id, |told| told.kind() == signal)
                .await;
            let answers = rush(&consumer, &work_id, &bids).await;
            one_stands(&consumer, &work_id, &answers).await
        }
    }))
    .await;
    is_covered(&consumer, "100", &contracts).await;
    track.is_sound();
}
