//! Many accept the same contract at once; it is paid once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use aex_proto::aex::{
    common::v1::Money,
    contract_engine::v1::ContractStatus,
    settlement::v1::{HoldStatus, LineKind, StatementLine},
};
use aex_testkit::trader::{Consumer, Provider};
use aex_types::Amount;
use tokio::sync::Semaphore;

use super::{Track, all, amount, is_typed, micros, terms};

const CONTRACTS: u64 = 200;
const CALLERS: usize = 8;
/// How many contracts are brought to delivery, or accepted, at once.
const LANES: usize = 16;

/// Prices at which the fee has to be rounded, up and down, in micro-dollars.
fn price(number: u64) -> u64 {
    1_000_000 + number * 37
}

/// 15 %, half a micro-dollar counts as one.
fn fee(price: u64) -> u64 {
    (price * 1500 + 5000) / 10_000
}

/// One contract up to its delivery.
async fn delivered(consumer: &Consumer, provider: &Provider, number: u64) -> String {
    let work = consumer.publish(&terms()).await.unwrap();
    let price = micros(price(number)).to_string();
    let bid = provider.bid(&work.work_id, &price).await.unwrap();
    let contract = consumer.award(&work.work_id, &bid.bid_id).await.unwrap();
    let delivered = provider.complete(&contract.contract_id, "done").await.unwrap();
    assert_eq!(delivered.status(), ContractStatus::VerificationPending);
    contract.contract_id
}

/// Eight accept at once, four of them under one key, over eight connections.
async fn accepted(callers: &[Consumer], contract_id: &str) {
    let shared = callers[0].key("accept");
    let calls = callers.iter().enumerate().map(|(place, caller)| {
        let (caller, contract_id) = (caller.clone(), contract_id.to_owned());
        let is_shared = place % 2 == 0;
        let key = if is_shared {
            shared.clone()
        } else {
            caller.key("accept")
        };
        async move { (is_shared, caller.accept_under(&key, &contract_id).await) }
    });
    let answers = all(calls).await;
    let won: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).collect();
    let with_shared = won.iter().filter(|(is_shared, _)| *is_shared).count();
    // One key has won: the shared one, and then all who have it are told the same, or one of the others.
    assert!(
        (with_shared, won.len() - with_shared) == (CALLERS / 2, 0) || (with_shared, won.len()) == (0, 1),
        "{answers:?}"
    );
    for (_, answer) in &answers {
        match answer {
            Ok(contract) => assert_eq!(Some(contract), won[0].1.as_ref().ok()),
            refused => assert!(is_typed(refused, &["CONTRACT_STATUS_INVALID"])),
        }
    }
}

/// Every hold is settled at its price; answers what was paid and what of it the exchange kept, in micro-dollars.
async fn sums(consumer: &Consumer, contracts: &[String]) -> (u64, u64) {
    let mut paid = 0;
    let mut kept = 0;
    for (number, contract_id) in (0..).zip(contracts) {
        let hold = consumer.settlement(contract_id).await.unwrap();
        let (price, fee) = (price(number), fee(price(number)));
        assert_eq!(hold.status(), HoldStatus::Captured);
        let of = |money: Option<Money>| amount(&money.unwrap().amount);
        assert_eq!(
            (of(hold.price), of(hold.fee), of(hold.payout)),
            (micros(price), micros(fee), micros(price - fee))
        );
        (paid, kept) = (paid + price, kept + fee);
    }
    (paid, kept)
}

/// The journal that moved a kind of money of each contract. No contract has two.
fn journals(lines: Vec<StatementLine>, kind: LineKind) -> HashMap<String, String> {
    let of_kind: Vec<_> = lines.into_iter().filter(|line| line.kind() == kind).collect();
    let count = of_kind.len();
    let by_contract: HashMap<_, _> = of_kind
        .into_iter()
        .map(|line| (line.contract_id, line.journal_id))
        .collect();
    assert_eq!(by_contract.len(), count, "a contract was settled twice");
    by_contract
}

/// What the exchange has earned, and what it has given back.
async fn revenue(track: &Track) -> (Amount, Amount) {
    let trial = track.exchange.trial_balance().await;
    assert!(trial.balanced);
    let revenue = trial
        .totals
        .iter()
        .find(|total| total.account.contains("FEE_REVENUE"))
        .unwrap();
    (amount(&revenue.credit_total), amount(&revenue.debit_total))
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_that_eight_callers_accept_at_once_are_paid_once() {
    let track = Track::dev();
    let (consumer, provider) = (track.consumer("1000").await, track.provider().await);
    let callers: Arc<Vec<_>> = Arc::new((0..CALLERS).map(|_| consumer.another_connection()).collect());
    let lanes = Arc::new(Semaphore::new(LANES));
    let contracts = all((0..CONTRACTS).map(|number| {
        let (consumer, provider, lanes) = (consumer.clone(), provider.clone(), lanes.clone());
        async move {
            let _lane = lanes.acquire().await.unwrap();
            delivered(&consumer, &provider, number).await
        }
    }))
    .await;
    all(contracts.iter().cloned().map(|contract_id| {
        let (callers, lanes) = (callers.clone(), lanes.clone());
        async move {
            let _lane = lanes.acquire().await.unwrap();
            accepted(&callers, &contract_id).await;
            let settled = [ContractStatus::Settled];
            callers[0].until_contract(&contract_id, &settled).await;
        }
    }))
    .await;

    let (paid, kept) = sums(&consumer, &contracts).await;
    // One journal has charged each contract, and the same one has paid its provider.
    let charged = journals(consumer.statement("").await, LineKind::ContractBaseCharge);
    let earned = journals(provider.statement("").await, LineKind::ContractBaseEarning);
    assert_eq!(charged, earned);
    assert_eq!(
        charged.keys().collect::<HashSet<_>>(),
        contracts.iter().collect::<HashSet<_>>()
    );
    assert_eq!(charged.values().collect::<HashSet<_>>().len(), contracts.len());

    let nothing = micros(0);
    assert_eq!(
        consumer.funds().await,
        [micros(1_000_000_000 - paid), nothing, nothing]
    );
    let [available, escrow, pending] = provider.funds().await;
    assert_eq!(
        (available.checked_add(pending), escrow),
        (Some(micros(paid - kept)), nothing)
    );
    assert_eq!(revenue(&track).await, (micros(kept), nothing));
    assert_eq!(track.is_sound()["facts"]["contract.settled"], CONTRACTS);
}
