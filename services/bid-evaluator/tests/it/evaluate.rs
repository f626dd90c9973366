use std::sync::Arc;

use aex_kit::Hosted as _;
use aex_proto::aex::bid_evaluator::v1 as pb;
use aex_testkit::{Refused, Turn};
use tonic::Code;

use crate::fixture::Evaluator;

#[tokio::test]
async fn bids_are_ranked_once_and_the_ranking_is_answered_for_ever() {
    let evaluator = Evaluator::new().await;
    let (work_id, bids) = evaluator.work(&[("40", 0.3), ("10", 0.3), ("60", 0.9), ("10", 0.9)]);
    let made = evaluator.evaluate(&work_id).await;
    let ranked: Vec<_> = made.ranked_bids.iter().map(|bid| bid.bid_id.as_str()).collect();
    assert_eq!(ranked, [&bids[3], &bids[1], &bids[0]]);
    assert_eq!(made.disqualified_bids[0].reason, "Price exceeds budget");
    assert_eq!((made.total_bids, made.valid_bids), (5, 3));
    assert!(
        (made.ranked_bids[0].total_score - 0.8 * 0.3 - 0.9 * 0.3 - 0.9 * 0.15 - 0.5 * 0.15 - 0.08).abs()
            < 1e-9
    );
    // What the others say later changes nothing.
    evaluator.peers.stage().books.clear();
    evaluator.peers.stage().trust.clear();
    assert_eq!(evaluator.evaluate(&work_id).await, made);
    assert_eq!(evaluator.database.event_types().await, ["bids.evaluated"]);
}

#[tokio::test]
async fn many_who_ask_at_once_get_one_evaluation() {
    let evaluator = Arc::new(Evaluator::new().await);
    let (work_id, _) = evaluator.work(&[("40", 0.3), ("10", 0.3)]);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (evaluator, work_id) = (Arc::clone(&evaluator), work_id.clone());
            tokio::spawn(async move { evaluator.evaluate(&work_id).await.evaluation_id })
        })
        .collect();
    let mut ids = Vec::new();
    for call in calls {
        ids.push(call.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(evaluator.database.event_types().await.len(), 1);
}

#[tokio::test]
async fn a_work_without_bids_has_an_evaluation_that_says_so() {
    let evaluator = Evaluator::new().await;
    let (work_id, _) = evaluator.work(&[]);
    let made = evaluator.evaluate(&work_id).await;
    assert_eq!(
        (made.status(), made.total_bids),
        (pb::EvaluationStatus::NoBids, 1)
    );
    assert_eq!(evaluator.peers.script.times_asked("BatchGetTrust"), 0);
}

#[tokio::test]
async fn no_score_is_made_up_while_trust_broker_is_away() {
    let evaluator = Evaluator::new().await;
    let (work_id, _) = evaluator.work(&[("25", 0.7)]);
    let away = Turn::Refuse(Code::Unavailable, "DEPENDENCY_UNAVAILABLE");
    evaluator.peers.script.plan("BatchGetTrust", [away; 100]);
    let request = pb::EvaluateRequest {
        work_id: work_id.clone(),
    };
    let refused = Refused::from(evaluator.engine.clone().evaluate(request).await);
    assert_eq!(refused.code, Code::Unavailable);
    assert!(evaluator.database.event_types().await.is_empty());
    evaluator.peers.script.clear();
    evaluator.peers.script.plan("BatchGetTrust", [away; 7]);
    evaluator.tell_closed(&work_id);
    Arc::clone(&evaluator.app).start_workers();
    let made = evaluator.made(&work_id).await;
    assert!((made.ranked_bids[0].trust_score - 0.7).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_window_that_closes_brings_the_evaluation_about() {
    let evaluator = Evaluator::new().await;
    let (first, _) = evaluator.work(&[("25", 0.7)]);
    let (second, _) = evaluator.work(&[("25", 0.7), ("26", 0.7)]);
    evaluator.tell_closed(&first);
    evaluator.tell_closed(&second);
    Arc::clone(&evaluator.app).start_workers();
    assert_eq!(evaluator.made(&first).await.valid_bids, 1);
    assert_eq!(evaluator.made(&second).await.valid_bids, 2);
}

#[tokio::test]
async fn an_unknown_work_is_refused() {
    let evaluator = Evaluator::new().await;
    let work_id = "work_01h455vb4pex5vsknk084sn02q".to_owned();
    let refused = Refused::from(
        evaluator
            .engine
            .clone()
            .evaluate(pb::EvaluateRequest { work_id })
            .await,
    );
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
}

#[tokio::test]
async fn a_thousand_bids_are_one_event_that_the_ledger_takes() {
    let evaluator = Evaluator::new().await;
    let (work_id, _) = evaluator.work(&vec![("25.123456", 0.7); 1000]);
    let made = evaluator.evaluate(&work_id).await;
    assert_eq!(made.ranked_bids.len(), 1000);
    let event = evaluator.database.events().await.remove(0);
    assert!(event.payload.len() < 512 * 1024, "{} bytes", event.payload.len());
}
