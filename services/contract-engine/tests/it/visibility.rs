use aex_contract_engine::{App, Config, SCHEMA, config::Tokens};
use aex_kit::{Principal, config::Secret};
use aex_proto::aex::contract_engine::v1 as pb;
use aex_store::Store;
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::fixture::{Engine, accept, award, complete, reject, start};

#[tokio::test]
async fn a_contract_is_its_parties_and_operators() {
    let mut engine = Engine::new().await;
    let contract = engine.awarded().await;
    let id = contract.contract_id.clone();
    let request = pb::GetContractRequest {
        contract_id: id.clone(),
    };
    let seen = engine
        .bob_client
        .get_contract(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen.contract, Some(engine.get(&id).await));
    engine.ada_client.get_contract(request.clone()).await.unwrap();
    let bound = Principal {
        provider: Some(engine.world.runtime().id::<aex_types::id::kind::Provider>()),
        ..engine.bob.clone()
    };
    for stranger in [principal(&engine.world), bound] {
        let mut stranger = engine.client(&stranger);
        let refused = Refused::from(stranger.get_contract(request.clone()).await);
        assert_eq!(refused.why(), (Code::NotFound, "CONTRACT_NOT_FOUND"));
        assert_eq!(
            Refused::from(stranger.start_contract(start(&id)).await).reason,
            "CONTRACT_NOT_FOUND"
        );
        assert_eq!(
            Refused::from(stranger.reject_contract(reject(&id)).await).reason,
            "CONTRACT_NOT_FOUND"
        );
        let listed = stranger
            .list_contracts(pb::ListContractsRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert!(listed.contracts.is_empty());
    }
    // Each side does its own part only.
    assert_eq!(
        Refused::from(engine.ada_client.complete_contract(complete(&id)).await).why(),
        (Code::PermissionDenied, "OTHER_PARTY")
    );
    assert_eq!(
        Refused::from(engine.bob_client.accept_contract(accept(&id)).await).why(),
        (Code::PermissionDenied, "OTHER_PARTY")
    );
    let own = Principal {
        provider: Some(contract.provider_id.parse().unwrap()),
        ..engine.bob.clone()
    };
    engine.client(&own).start_contract(start(&id)).await.unwrap();
}

#[tokio::test]
async fn a_provider_never_learns_of_an_award_that_came_to_nothing() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10"], |_| {});
    engine.peers.stage().is_poor = true;
    engine
        .ada_client
        .award_contract(award(&trade, 0))
        .await
        .unwrap_err();
    let void = engine.of_work(&trade.work_id).await.remove(0);
    let request = pb::GetContractRequest {
        contract_id: void.contract_id,
    };
    assert_eq!(
        Refused::from(engine.bob_client.get_contract(request).await).reason,
        "CONTRACT_NOT_FOUND"
    );
    let bob = engine.bob.tenant.to_string();
    let events = engine.database.events().await;
    assert!(
        events.iter().all(|event| !event.visible_to.contains(&bob)),
        "{events:?}"
    );
}

#[tokio::test]
async fn lists_are_newest_first_and_complete() {
    let mut engine = Engine::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(engine.awarded().await.contract_id);
        engine.world.advance(std::time::Duration::from_millis(2));
    }
    made.reverse();
    let mut request = pb::ListContractsRequest {
        page_size: 2,
        status: pb::ContractStatus::Awarded.into(),
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = engine
            .bob_client
            .list_contracts(request.clone())
            .await
            .unwrap()
            .into_inner();
        listed.extend(page.contracts.into_iter().map(|contract| contract.contract_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn a_token_is_the_same_each_time_and_verified_by_the_published_keys() {
    let mut engine = Engine::new().await;
    let contract = engine.awarded().await;
    let request = pb::GetContractTokenRequest {
        contract_id: contract.contract_id.clone(),
    };
    let ours = engine
        .bob_client
        .get_contract_token(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        engine
            .bob_client
            .get_contract_token(request.clone())
            .await
            .unwrap()
            .into_inner(),
        ours
    );
    let theirs = engine
        .ada_client
        .get_contract_token(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_ne!(theirs.token, ours.token);
    let keys = engine
        .ada_client
        .get_contract_keys(pb::GetContractKeysRequest {})
        .await
        .unwrap()
        .into_inner();
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&keys.jwks_json).unwrap();
    let header = jsonwebtoken::decode_header(&ours.token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("aex-contract+jwt"));
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&["aex-contract"]);
    let claims = jsonwebtoken::decode::<serde_json::Value>(&ours.token, &key, &rules)
        .unwrap()
        .claims;
    assert_eq!(claims["contract"], contract.contract_id);
    assert_eq!(
        (claims["party"].as_str(), claims["counterparty"].as_str()),
        (
            Some(contract.provider_tenant_id.as_str()),
            Some(contract.consumer_id.as_str())
        )
    );
    engine
        .bob_client
        .fail_contract(crate::fixture::fail(&contract.contract_id))
        .await
        .unwrap();
    let refused = Refused::from(engine.bob_client.get_contract_token(request).await);
    assert_eq!(refused.reason, "CONTRACT_STATUS_INVALID");
}

#[tokio::test]
async fn without_a_key_that_can_be_used_nothing_is_opened() {
    let engine = Engine::new().await;
    let refused = |change: fn(&mut Tokens)| {
        let mut config = Config::default();
        change(&mut config.tokens);
        let store = Store::attach(&SCHEMA, engine.database.connect(), engine.world.runtime());
        App::on(store, &config, engine.world.mesh())
            .unwrap_err()
            .to_string()
    };
    let missing = refused(|_| {});
    assert!(
        missing.contains("tokens.key_file") && missing.contains("openssl genpkey"),
        "{missing}"
    );
    let nowhere = refused(|tokens| tokens.key_file = Some("/nowhere/token.key".into()));
    assert!(nowhere.contains("/nowhere/token.key"), "{nowhere}");
    let blank = refused(|tokens| tokens.key = Some(Secret::new(String::new())));
    assert!(blank.contains("cannot be used"), "{blank}");
}
