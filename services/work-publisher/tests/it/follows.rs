use aex_proto::aex::{
    bid_evaluator::v1::BidsEvaluated,
    bid_gateway::v1::{BidSubmitted, BidWithdrawn},
    contract_engine::v1::{ContractCompleted, ContractExecuting, ContractExpired, ContractFailed},
    provider_registry::v1::OpportunityOpened,
    work_publisher::v1::{self as pb, WorkUpdateKind as Kind},
};

use crate::fixture::{NO_WORK, Publisher, next, release, usd, work};

#[tokio::test]
async fn bids_are_counted_and_shown_and_one_that_replaces_another_counts_once() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let work_id = published.work_id.clone();
    let mut watch = market.watch(&work_id, 0).await;
    next(&mut watch).await;
    let (first, second, other) = (market.bid(), market.bid(), market.bid());
    let submitted = |bid_id: &str, replaced: &str| BidSubmitted {
        bid_id: bid_id.to_owned(),
        work_id: work_id.clone(),
        price: Some(usd("2.5")),
        superseded_bid_id: replaced.to_owned(),
        ..Default::default()
    };
    let ledger = &market.ledger;
    let cause = ledger.tell("bid.submitted", &submitted(&first, ""));
    ledger.tell("bid.submitted", &submitted(&other, ""));
    ledger.tell("bid.submitted", &submitted(&second, &first));
    ledger.tell(
        "opportunity.opened",
        &OpportunityOpened {
            work_id: work_id.clone(),
            providers_notified: 7,
            ..Default::default()
        },
    );
    ledger.tell(
        "bid.withdrawn",
        &BidWithdrawn {
            bid_id: other.clone(),
            work_id: work_id.clone(),
            ..Default::default()
        },
    );
    for (bid_id, kind) in [
        (&first, Kind::BidReceived),
        (&other, Kind::BidReceived),
        (&second, Kind::BidReceived),
        (&other, Kind::BidWithdrawn),
    ] {
        let told = next(&mut watch).await.unwrap();
        assert_eq!((told.kind(), &told.bid_id), (kind, bid_id));
        assert_eq!(told.price, (kind == Kind::BidReceived).then(|| usd("2.5")));
    }
    let counted = market.get(&work_id).await;
    assert_eq!((counted.bids_received, counted.providers_notified), (1, 7));
    let noted = market.ledger.seen("work.bid_received", |_| true).await;
    assert_eq!(noted.causation_id, cause);
}

#[tokio::test]
async fn without_a_valid_bid_the_work_fails() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let mut watch = market.watch(&published.work_id, 0).await;
    next(&mut watch).await;
    market.ledger.tell(
        "bids.evaluated",
        &BidsEvaluated {
            evaluation_id: market.evaluation(),
            work_id: published.work_id.clone(),
            ..Default::default()
        },
    );
    let evaluated = next(&mut watch).await.unwrap();
    assert_eq!(
        (evaluated.kind(), evaluated.bid_id.as_str()),
        (Kind::Evaluated, "")
    );
    let failed = next(&mut watch).await.unwrap();
    assert_eq!(
        (failed.kind(), failed.reason.as_str()),
        (Kind::Failed, "no_valid_bids")
    );
    assert_eq!(
        market.get(&published.work_id).await.status(),
        pb::WorkStatus::Failed
    );
}

#[tokio::test]
async fn no_valid_bid_found_for_an_early_award_fails_the_work_when_it_is_given_back() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let contract = market.contract();
    market.reserve(&published, &contract).await.unwrap();
    let mut watch = market.watch(&published.work_id, 0).await;
    next(&mut watch).await;
    market.ledger.tell(
        "bids.evaluated",
        &BidsEvaluated {
            evaluation_id: market.evaluation(),
            work_id: published.work_id.clone(),
            ..Default::default()
        },
    );
    let evaluated = next(&mut watch).await.unwrap();
    assert_eq!(
        (evaluated.kind(), evaluated.status()),
        (Kind::Evaluated, pb::WorkStatus::Awarding)
    );
    let failed = market.release(release(&published.work_id, &contract)).await;
    assert_eq!(
        (failed.status(), failed.status_reason.as_str()),
        (pb::WorkStatus::Failed, "no_valid_bids")
    );
}

#[tokio::test]
async fn a_work_goes_forward_with_its_contract_and_may_skip() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let (contract_id, other) = (market.contract(), market.contract());
    let work_id = published.work_id.clone();
    market.reserve(&published, &contract_id).await.unwrap();
    let mut watch = market.watch(&work_id, 0).await;
    next(&mut watch).await;
    let best = market.bid();
    let ledger = &market.ledger;
    ledger.tell(
        "bids.evaluated",
        &BidsEvaluated {
            evaluation_id: market.evaluation(),
            work_id: work_id.clone(),
            winning_bid_id: best.clone(),
            valid_bids: 2,
            ..Default::default()
        },
    );
    // News of another contract, and of a work that is not known here, are passed over.
    ledger.tell(
        "contract.expired",
        &ContractExpired {
            contract_id: other,
            work_id: work_id.clone(),
            ..Default::default()
        },
    );
    ledger.tell(
        "contract.expired",
        &ContractExpired {
            contract_id: contract_id.clone(),
            work_id: NO_WORK.to_owned(),
            ..Default::default()
        },
    );
    let executing = ContractExecuting {
        contract_id: contract_id.clone(),
        work_id: work_id.clone(),
        ..Default::default()
    };
    ledger.tell("contract.executing", &executing);
    ledger.tell("contract.executing", &executing);
    let evaluated = next(&mut watch).await.unwrap();
    assert_eq!((evaluated.kind(), evaluated.bid_id), (Kind::Evaluated, best));
    let told = next(&mut watch).await.unwrap();
    assert_eq!((told.kind(), &told.contract_id), (Kind::Executing, &contract_id));
    // The confirmation comes late and changes nothing.
    let late = market.confirm(&work_id, &contract_id).await.unwrap();
    assert_eq!(
        (late.status(), late.contract_id.as_str()),
        (pb::WorkStatus::Executing, contract_id.as_str())
    );
    assert!(late.award_time.is_some());
    market.ledger.tell(
        "contract.completed",
        &ContractCompleted {
            contract_id: contract_id.clone(),
            work_id: work_id.clone(),
            ..Default::default()
        },
    );
    let told = next(&mut watch).await.unwrap();
    assert_eq!(
        (told.kind(), told.status()),
        (Kind::Completed, pb::WorkStatus::Completed)
    );
    assert!(next(&mut watch).await.is_none());
    // What it learned from others it has as events of its own, and needs nothing else to be rebuilt.
    market.ledger.seen("work.completed", |_| true).await;
    let own = market.ledger.events().into_iter();
    let own: Vec<_> = own.filter(|event| event.producer == "work-publisher").collect();
    market.assert_replays(&own).await;
}

#[tokio::test]
async fn a_contract_that_fails_or_expires_fails_its_work() {
    for expires in [false, true] {
        let mut market = Publisher::working().await;
        let published = market.publish(work()).await;
        let contract_id = market.contract();
        let work_id = published.work_id.clone();
        market.reserve(&published, &contract_id).await.unwrap();
        market.confirm(&work_id, &contract_id).await.unwrap();
        let mut watch = market.watch(&work_id, 0).await;
        for kind in [Kind::Published, Kind::Awarded] {
            assert_eq!(next(&mut watch).await.unwrap().kind(), kind);
        }
        if expires {
            let expired = ContractExpired {
                contract_id: contract_id.clone(),
                work_id: work_id.clone(),
                ..Default::default()
            };
            market.ledger.tell("contract.expired", &expired);
        } else {
            let failed = ContractFailed {
                contract_id: contract_id.clone(),
                work_id: work_id.clone(),
                reason: "rejected_by_consumer".to_owned(),
                ..Default::default()
            };
            market.ledger.tell("contract.failed", &failed);
        }
        let told = next(&mut watch).await.unwrap();
        let reason = if expires {
            "expired"
        } else {
            "rejected_by_consumer"
        };
        assert_eq!(
            (told.kind(), told.reason.as_str(), told.contract_id),
            (Kind::Failed, reason, contract_id)
        );
    }
}
