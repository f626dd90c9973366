use aex_kit::Principal;
use aex_proto::aex::contract_engine::v1::{
    self as pb,
    ContractStatus::{Awarded, Completed, Executing, Proposed, Settled, VerificationPending},
};
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Engine, accept, complete, start};

#[tokio::test]
async fn a_watcher_sees_every_state_and_the_end() {
    let mut engine = Engine::new().await;
    let id = engine.awarded().await.contract_id;
    let request = pb::WatchContractRequest {
        contract_id: id.clone(),
        resume_token: 0,
    };
    let mut watch = engine
        .ada_client
        .watch_contract(request.clone())
        .await
        .unwrap()
        .into_inner();
    engine.bob_client.start_contract(start(&id)).await.unwrap();
    engine.bob_client.complete_contract(complete(&id)).await.unwrap();
    engine.ada_client.accept_contract(accept(&id)).await.unwrap();
    let (mut seen, mut tokens) = (Vec::new(), Vec::new());
    while let Some(message) = watch.message().await.unwrap() {
        tokens.push(message.resume_token);
        seen.extend(message.contract.map(|contract| contract.status()));
    }
    assert_eq!(
        seen,
        [
            Proposed,
            Awarded,
            Executing,
            VerificationPending,
            Completed,
            Settled
        ]
    );
    let resumed = pb::WatchContractRequest {
        resume_token: tokens[3],
        ..request.clone()
    };
    let mut watch = engine
        .ada_client
        .watch_contract(resumed)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().contract.unwrap().status(),
        Completed
    );
    let stranger = aex_testkit::principal(&engine.world);
    let refused = Refused::from(engine.client(&stranger).watch_contract(request).await.map(drop));
    assert_eq!(refused.why(), (Code::NotFound, "CONTRACT_NOT_FOUND"));
}

#[tokio::test]
async fn a_provider_is_told_of_its_awards() {
    let mut engine = Engine::new().await;
    let known = engine.awarded().await;
    let by_tenant = pb::WatchContractsRequest::default();
    let by_provider = pb::WatchContractsRequest {
        provider_id: known.provider_id.clone(),
        resume_token: 0,
    };
    let mut tenant = engine
        .bob_client
        .watch_contracts(by_tenant)
        .await
        .unwrap()
        .into_inner();
    let mut provider = engine
        .bob_client
        .watch_contracts(by_provider.clone())
        .await
        .unwrap()
        .into_inner();
    let other = engine.awarded().await;
    for expected in [&known, &other] {
        let told = tenant.message().await.unwrap().unwrap().contract.unwrap();
        assert_eq!(
            (told.contract_id.as_str(), told.status()),
            (expected.contract_id.as_str(), Awarded)
        );
    }
    let told = provider.message().await.unwrap().unwrap().contract.unwrap();
    assert_eq!(told.contract_id, known.contract_id);
    let refused = Refused::from(
        engine
            .ada_client
            .watch_contracts(by_provider.clone())
            .await
            .map(drop),
    );
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    let bound = Principal {
        provider: Some(other.provider_id.parse().unwrap()),
        ..engine.bob.clone()
    };
    let refused = Refused::from(engine.client(&bound).watch_contracts(by_provider).await.map(drop));
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}
