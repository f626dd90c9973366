use aex_proto::aex::{contract_engine::v1 as pb, work_publisher::v1::WorkStatus};
use aex_testkit::{Refused, Turn};
use tonic::Code;

use crate::fixture::{Engine, award, usd};

#[tokio::test]
async fn the_best_bid_wins_by_itself_when_bids_are_ranked() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |work| work.auto_award = true);
    let quiet = engine.trade(&["10"], |_| {});
    engine.tell_evaluated(&quiet.work_id, false);
    engine.tell_evaluated(&trade.work_id, true);
    engine.tell_evaluated(&trade.work_id, true);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work is awarded", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Awarded
        })
        .await;
    let contracts = engine.of_work(&trade.work_id).await;
    assert_eq!(
        (contracts.len(), contracts[0].bid_id.as_str()),
        (1, trade.bid_ids[0].as_str())
    );
    assert!(engine.of_work(&quiet.work_id).await.is_empty());
}

#[tokio::test]
async fn a_ranking_that_was_told_is_not_asked_for() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |work| work.auto_award = true);
    engine.tell_ranked(&trade.work_id);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work is awarded and nothing is left to do", async |engine| {
            let is_awarded = engine.peers.stage().works[&work_id].status() == WorkStatus::Awarded;
            let left = "SELECT 1 FROM timer WHERE kind IN ('auto', 'award')";
            is_awarded && engine.database.execute(left).await == 0
        })
        .await;
    let contracts = engine.of_work(&trade.work_id).await;
    assert_eq!(
        (contracts.len(), contracts[0].bid_id.as_str()),
        (1, trade.bid_ids[0].as_str())
    );
    assert_eq!(engine.peers.script.times_asked("GetEvaluation"), 0);
}

#[tokio::test]
async fn what_cannot_be_awarded_when_the_ranking_is_told_is_left_to_a_job() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |work| work.auto_award = true);
    let away = Turn::Refuse(Code::Unavailable, "DEPENDENCY_UNAVAILABLE");
    engine.peers.script.plan("GetProvider", [away; 5]);
    engine.tell_ranked(&trade.work_id);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work is awarded", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Awarded
        })
        .await;
    assert_eq!(engine.of_work(&trade.work_id).await.len(), 1);
    assert!(engine.peers.script.times_asked("GetEvaluation") > 0);
}

#[tokio::test]
async fn money_that_was_held_for_a_work_that_is_refused_is_given_back() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |work| work.auto_award = true);
    engine.peers.script.plan(
        "ReserveAward",
        [Turn::Refuse(Code::FailedPrecondition, "WORK_NOT_AWARDABLE")],
    );
    engine.tell_ranked(&trade.work_id);
    engine.start_workers();
    engine
        .until("the money is given back", async |engine| {
            !engine.peers.stage().released.is_empty()
        })
        .await;
    let contracts = engine.of_work(&trade.work_id).await;
    assert_eq!(
        (contracts.len(), contracts[0].status()),
        (1, pb::ContractStatus::Void)
    );
}

#[tokio::test]
async fn a_refusal_because_of_the_bid_leads_to_the_next_one() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "11", "12"], |work| work.auto_award = true);
    {
        let mut stage = engine.peers.stage();
        // The first one is not what was ranked, the second one is gone.
        stage.bids.get_mut(&trade.bid_ids[0]).unwrap().price = Some(usd("9"));
        stage.bids.remove(&trade.bid_ids[1]);
    }
    engine.tell_evaluated(&trade.work_id, true);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work is awarded", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Awarded
        })
        .await;
    let contracts = engine.of_work(&trade.work_id).await;
    let mut outcomes: Vec<_> = contracts
        .iter()
        .map(|contract| (contract.bid_id.as_str(), contract.status()))
        .collect();
    // Both were made in one moment, which gives them no order.
    outcomes.sort_by_key(|(bid, _)| trade.bid_ids.iter().position(|made| made == bid));
    assert_eq!(
        outcomes,
        [
            (trade.bid_ids[0].as_str(), pb::ContractStatus::Void),
            (trade.bid_ids[2].as_str(), pb::ContractStatus::Awarded)
        ]
    );
}

#[tokio::test]
async fn without_money_the_work_fails_and_nothing_else_is_tried() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "11"], |work| work.auto_award = true);
    engine.peers.stage().is_poor = true;
    engine.tell_evaluated(&trade.work_id, true);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work fails", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Failed
        })
        .await;
    assert_eq!(engine.of_work(&trade.work_id).await.len(), 1);
    assert_eq!(
        engine.peers.stage().released_works[0].reason,
        "insufficient_funds"
    );
}

#[tokio::test]
async fn work_whose_price_is_not_held_at_all_fails_by_itself() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "11"], |work| work.auto_award = true);
    engine.peers.script.plan(
        "PlaceHold",
        [Turn::Refuse(Code::InvalidArgument, "CURRENCY_UNSUPPORTED")],
    );
    engine.tell_evaluated(&trade.work_id, true);
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work fails", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Failed
        })
        .await;
    assert_eq!(engine.of_work(&trade.work_id).await.len(), 1);
    let stage = engine.peers.stage();
    assert_eq!(stage.released_works[0].reason, "currency_unsupported");
}

#[tokio::test]
async fn an_early_award_that_is_void_leaves_the_work_to_the_exchange() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "11"], |work| work.auto_award = true);
    // The consumer picks the second bid; its money is held by something else for that moment.
    engine.peers.script.plan(
        "PlaceHold",
        [Turn::Refuse(Code::FailedPrecondition, "RECEIVABLE_OPEN")],
    );
    let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 1)).await);
    assert_eq!(refused.reason, "INSUFFICIENT_FUNDS");
    engine.start_workers();
    let work_id = trade.work_id.clone();
    engine
        .until("the work is awarded", async |engine| {
            engine.peers.stage().works[&work_id].status() == WorkStatus::Awarded
        })
        .await;
    let contracts = engine.of_work(&trade.work_id).await;
    assert_eq!(contracts[1].bid_id, trade.bid_ids[0]);
    assert!(engine.peers.script.times_asked("GetEvaluation") > 0);
}
