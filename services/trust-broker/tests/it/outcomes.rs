use aex_error::wire;
use aex_proto::aex::{
    contract_engine::v1::{ContractExpired, Party},
    trust_broker::v1 as pb,
};
use aex_testkit::Refused;
use prost::Message as _;
use tonic::Code;

use crate::fixture::{Broker, close, list, usd};

#[tokio::test]
async fn each_end_of_a_contract_is_the_outcome_that_it_is() {
    let mut broker = Broker::at_work().await;
    let seller = broker.registered(false);
    let contracts = [
        broker.settle(&seller),
        broker.fail(&seller, "provider_reported_failure", Party::Provider),
        broker.fail(&seller, "rejected_by_consumer", Party::Provider),
        broker.fail(&seller, "failed_by_provider", Party::Provider),
        broker.fail(&seller, "failed_by_consumer", Party::Consumer),
        broker.expire(&seller),
    ];
    broker.told("trust.outcome_recorded", 6).await;
    let page = broker
        .tenant
        .list_outcomes(list(&seller.provider_id))
        .await
        .unwrap()
        .into_inner();
    let mut outcomes = page.outcomes.clone();
    outcomes.reverse();
    let found: Vec<_> = outcomes
        .iter()
        .map(|one| (one.contract_id.clone(), one.r#type(), one.score))
        .collect();
    let types = [
        (pb::OutcomeType::Success, 1.0),
        (pb::OutcomeType::FailureProvider, 0.0),
        (pb::OutcomeType::FailureProvider, 0.0),
        (pb::OutcomeType::FailureProvider, 0.0),
        (pb::OutcomeType::FailureConsumer, 0.8),
        (pb::OutcomeType::Expired, 0.2),
    ];
    let expected: Vec<_> = contracts
        .into_iter()
        .zip(types)
        .map(|(id, (kind, score))| (id, kind, score))
        .collect();
    assert_eq!(found, expected);
    assert!(
        outcomes
            .iter()
            .all(|one| close(one.weight, 1.0) && one.price == Some(usd("0.25")))
    );
    let trust = broker.trust(&seller.provider_id).await;
    assert_eq!(
        (
            trust.total_contracts,
            trust.successful_contracts,
            trust.failed_contracts
        ),
        (6, 1, 3)
    );
    assert!(close(trust.success_rate, 0.25) && close(trust.raw_base, 2.0 / 6.0));
}

#[tokio::test]
async fn a_contract_has_one_outcome_however_often_and_however_its_end_is_told() {
    let broker = Broker::at_work().await;
    let seller = broker.registered(false);
    let contract_id = broker.settle(&seller);
    let contradiction = ContractExpired {
        contract_id,
        consumer_id: broker.new_id::<aex_types::id::kind::Tenant>(),
        provider_id: seller.provider_id.clone(),
        provider_tenant_id: seller.owner_id.clone(),
        price: Some(usd("0.25")),
        ..Default::default()
    };
    broker.tell("contract.expired", "contract-engine", &contradiction);
    // What comes behind the contradiction is heard.
    broker.settle(&seller);
    let told = broker.told("trust.outcome_recorded", 2).await;
    let outcomes: Vec<_> = told
        .iter()
        .map(|event| pb::TrustOutcomeRecorded::decode(event.payload.clone()).unwrap())
        .collect();
    assert!(
        outcomes
            .iter()
            .all(|one| one.r#type() == pb::OutcomeType::Success && one.counted)
    );
    assert!(
        told.iter()
            .all(|event| event.visible_to == [seller.owner_id.clone()] && !event.causation_id.is_empty())
    );
    assert_eq!(broker.trust(&seller.provider_id).await.total_contracts, 2);
}

#[tokio::test]
async fn who_trades_with_itself_gains_nothing() {
    let mut broker = Broker::at_work().await;
    let seller = broker.registered(false);
    broker.settle_for(&seller, &seller.owner_id);
    let told = broker.told("trust.outcome_recorded", 1).await;
    let outcome = pb::TrustOutcomeRecorded::decode(told.first().unwrap().payload.clone()).unwrap();
    assert!(!outcome.counted);
    let trust = broker.trust(&seller.provider_id).await;
    assert!(close(trust.score, 0.3));
    assert_eq!((trust.total_contracts, trust.successful_contracts), (1, 0));
    let page = broker
        .tenant
        .list_outcomes(list(&seller.provider_id))
        .await
        .unwrap()
        .into_inner();
    assert!(close(page.outcomes.first().unwrap().weight, 0.0));
}

#[tokio::test]
async fn outcomes_are_listed_newest_first_with_what_they_weigh() {
    let mut broker = Broker::at_work().await;
    let seller = broker.registered(false);
    let mut contracts: Vec<_> = (0..12).map(|_| broker.settle(&seller)).collect();
    contracts.reverse();
    // Of one consumer fourteen count.
    let friend = broker.new_id::<aex_types::id::kind::Tenant>();
    for _ in 0..15 {
        broker.settle_for(&seller, &friend);
    }
    broker.told("trust.outcome_recorded", 27).await;
    let (mut found, mut weights) = (Vec::new(), Vec::new());
    let mut request = pb::ListOutcomesRequest {
        page_size: 10,
        ..list(&seller.provider_id)
    };
    loop {
        let page = broker
            .tenant
            .list_outcomes(request.clone())
            .await
            .unwrap()
            .into_inner();
        for outcome in page.outcomes {
            found.push(wire::read_time(&outcome.end_time.unwrap()).unwrap());
            weights.push(outcome.weight);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found.len(), 27);
    assert!(found.is_sorted_by(|newer, older| newer > older));
    let expected: Vec<f64> = [vec![1.0; 10], vec![0.5; 4], vec![0.0], vec![0.5; 12]].concat();
    assert!(
        weights
            .iter()
            .zip(&expected)
            .all(|(one, other)| close(*one, *other)),
        "{weights:?}"
    );
    let other = broker.stranger().provider_id;
    let foreign = pb::ListOutcomesRequest {
        page_token: request.page_token,
        ..list(&other)
    };
    let refused = Refused::from(broker.tenant.list_outcomes(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
