use aex_kit::Principal;
use aex_proto::aex::bid_evaluator::v1 as pb;
use aex_testkit::{Refused, principal};
use tonic::{Code, Status};

use crate::fixture::Evaluator;

async fn explained(
    evaluator: &Evaluator,
    who: &Principal,
    work_id: &str,
    bid_id: &str,
) -> Result<pb::Explanation, Status> {
    let request = pb::ExplainBidRequest {
        work_id: work_id.to_owned(),
        bid_id: bid_id.to_owned(),
    };
    let answer = evaluator.client(who).explain_bid(request).await?;
    Ok(answer.into_inner().explanation.unwrap())
}

#[tokio::test]
async fn a_consumer_is_told_why_each_bid_stands_where_it_stands() {
    let evaluator = Evaluator::new().await;
    let (work_id, bids) = evaluator.work(&[("10", 0.9), ("40", 0.3), ("60", 0.9)]);
    let made = evaluator.evaluate(&work_id).await;
    let second = explained(&evaluator, &evaluator.ada, &work_id, &bids[1])
        .await
        .unwrap();
    assert_eq!(second.rank, 2);
    let sum: f64 = second.components.iter().map(|part| part.contribution).sum();
    assert!((sum - made.ranked_bids[1].total_score).abs() < 1e-9);
    let behind: f64 = second.components.iter().map(|part| part.behind_winner).sum();
    assert!((behind - (second.winning_score - second.total_score)).abs() < 1e-9);
    let unfit = explained(&evaluator, &evaluator.ada, &work_id, &bids[2])
        .await
        .unwrap();
    assert!(unfit.disqualified_reason.starts_with("Price exceeds budget"));
    assert!(unfit.components.is_empty());
}

#[tokio::test]
async fn a_bidder_learns_of_its_own_bid_and_the_winning_score_only() {
    let evaluator = Evaluator::new().await;
    let (work_id, bids) = evaluator.work(&[("10", 0.9), ("40", 0.3)]);
    evaluator.evaluate(&work_id).await;
    let own = explained(&evaluator, &evaluator.bob, &work_id, &bids[1])
        .await
        .unwrap();
    assert!(own.winning_score > own.total_score);
    assert!(own.components.iter().all(|part| part.behind_winner == 0.0));
    let bound = Principal {
        provider: Some(evaluator.world.runtime().id::<aex_types::id::kind::Provider>()),
        ..evaluator.bob.clone()
    };
    for stranger in [principal(&evaluator.world), bound] {
        let refused = Refused::from(explained(&evaluator, &stranger, &work_id, &bids[1]).await);
        assert_eq!(refused.why(), (Code::NotFound, "EVALUATION_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_ranking_is_its_consumers() {
    let evaluator = Evaluator::new().await;
    let (work_id, _) = evaluator.work(&[("10", 0.9)]);
    let request = pb::GetEvaluationRequest {
        work_id: work_id.clone(),
    };
    let early = Refused::from(
        evaluator
            .client(&evaluator.ada)
            .get_evaluation(request.clone())
            .await,
    );
    assert_eq!(early.reason, "EVALUATION_NOT_FOUND");
    let made = evaluator.evaluate(&work_id).await;
    let seen = evaluator
        .client(&evaluator.ada)
        .get_evaluation(request.clone())
        .await
        .unwrap();
    assert_eq!(seen.into_inner().evaluation, Some(made));
    evaluator
        .operator
        .clone()
        .get_evaluation(request.clone())
        .await
        .unwrap();
    let refused = Refused::from(evaluator.client(&evaluator.bob).get_evaluation(request).await);
    assert_eq!(refused.reason, "EVALUATION_NOT_FOUND");
}
