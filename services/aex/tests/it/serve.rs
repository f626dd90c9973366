use std::{
    path::Path,
    time::{Duration, Instant},
};

use aex_proto::aex::contract_engine::v1::ContractStatus;
use aex_proto::aex::identity::v1::{self as pb, identity_service_client::IdentityServiceClient};
use aex_testkit::{
    Fleet, FleetOptions, Refused,
    fleet::{GATEWAY, SERVICES},
    trader::Terms,
};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tonic::{Code, Request, Status, transport::Endpoint};

use crate::system::{exchange, until};

const AEX: &str = env!("CARGO_BIN_EXE_aex");
/// In how many orders the services are started.
const ORDERS: u32 = 24;

/// A fleet of which nothing runs yet.
async fn fleet() -> Fleet {
    Fleet::furnish(Path::new(AEX), FleetOptions::default()).await
}

/// A tenant and its key, made with an operator's certificate.
async fn tenant(fleet: &Fleet) -> (String, String) {
    let mut operator = IdentityServiceClient::new(fleet.operator("identity"));
    let create = pb::CreateTenantRequest {
        idempotency_key: "create-0123456789".to_owned(),
        display_name: "Ada".to_owned(),
        r#type: pb::TenantType::Both.into(),
        ..Default::default()
    };
    let made = operator.create_tenant(create).await.unwrap().into_inner();
    let tenant_id = made.tenant.unwrap().tenant_id;
    let with_key = pb::CreateApiKeyRequest {
        idempotency_key: "key-0123456789abc".to_owned(),
        tenant_id: tenant_id.clone(),
        display_name: "robot".to_owned(),
        scopes: vec!["*".to_owned()],
        ..Default::default()
    };
    let made = operator.create_api_key(with_key).await.unwrap().into_inner();
    (tenant_id, made.secret)
}

/// The tenant as the edge shows it to its key.
async fn seen(fleet: &Fleet, (tenant_id, secret): &(String, String)) -> Result<pb::Tenant, Status> {
    let channel = Endpoint::from_shared(fleet.edge()).unwrap().connect_lazy();
    let mut request = Request::new(pb::GetTenantRequest {
        tenant_id: tenant_id.clone(),
    });
    let bearer = format!("Bearer {secret}");
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let reply = IdentityServiceClient::new(channel).get_tenant(request).await?;
    Ok(reply.into_inner().tenant.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_identity_nobody_is_let_in_and_with_it_again_everybody_is() {
    let fleet = Fleet::start(Path::new(AEX), FleetOptions::default()).await;
    let made = tenant(&fleet).await;
    assert_eq!(seen(&fleet, &made).await.unwrap().display_name, "Ada");

    fleet.kill("identity");
    let begun = Instant::now();
    let refused = loop {
        match seen(&fleet, &made).await {
            Ok(_) => assert!(
                begun.elapsed() < Duration::from_secs(2),
                "the verdict outlived identity"
            ),
            Err(status) => break Refused::from(status),
        }
    };
    assert_eq!(refused.code, Code::Unavailable);

    fleet.start_one("identity").await;
    assert_eq!(seen(&fleet, &made).await.unwrap().display_name, "Ada");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_ready_when_the_last_service_has_come() {
    let fleet = fleet().await;
    fleet.launch(&[GATEWAY]);
    let services: Vec<_> = SERVICES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != GATEWAY)
        .collect();
    let (last, others) = services.split_last().unwrap();
    fleet.launch(others);
    fleet.wait_for(others).await;
    assert!(!fleet.serves(GATEWAY).await);
    fleet.launch(&[last]);
    fleet.wait_for(&[last, GATEWAY]).await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_others_ends_when_asked_to() {
    let fleet = fleet().await;
    fleet.launch(&[GATEWAY]);
    until("the edge listens", async || {
        fleet.log(GATEWAY).contains("gateway listens on").then_some(())
    })
    .await;
    assert!(!fleet.serves(GATEWAY).await);
    let (end, took) = fleet.stop_one(GATEWAY).await;
    assert!(
        end.success() && took < Duration::from_secs(5),
        "{end} after {took:?}"
    );

    // Alone in the world a service serves, and its events wait for the ledger.
    fleet.start_one("identity").await;
    tenant(&fleet).await;
    let (end, took) = fleet.stop_one("identity").await;
    assert!(
        end.success() && took < Duration::from_secs(10),
        "{end} after {took:?}"
    );
    assert_eq!(fleet.errors(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_ledger_is_away_is_told_when_it_is_back() {
    let fleet = Fleet::start(Path::new(AEX), FleetOptions::default()).await;
    let exchange = exchange(&fleet);
    let (ada, bob) = (
        exchange.consumer("Ada").await,
        exchange.provider("Bob", "trade").await,
    );
    ada.deposit("10").await.unwrap();
    fleet.kill("event-ledger");
    let work = ada.publish(&Terms::default()).await.unwrap();
    fleet.start_one("event-ledger").await;
    bob.until_offered(&work.work_id).await;
    assert_eq!(fleet.errors(), Vec::<String>::new());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_whatever_order_they_are_started_all_services_become_ready_and_trade() {
    let fleet = fleet().await;
    let seed = rand::random::<u64>();
    println!("the orders are those of seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let exchange = exchange(&fleet);
    let terms = Terms {
        window_seconds: 60,
        ..Terms::default()
    };
    for round in 0..ORDERS {
        let mut order: Vec<_> = SERVICES.iter().map(|(name, _)| *name).collect();
        order.shuffle(&mut rng);
        let begun = Instant::now();
        fleet.launch(&order);
        fleet.wait_for(&order).await;
        let ready = begun.elapsed();
        let (ada, bob) = (
            exchange.consumer("Ada").await,
            exchange.provider("Bob", "trade").await,
        );
        ada.deposit("10").await.unwrap();
        let work = ada.publish(&terms).await.unwrap();
        bob.until_offered(&work.work_id).await;
        let bid = bob.bid(&work.work_id, "4").await.unwrap();
        let contract = ada.award(&work.work_id, &bid.bid_id).await.unwrap();
        bob.complete(&contract.contract_id, "done").await.unwrap();
        ada.accept(&contract.contract_id).await.unwrap();
        bob.until_contract_on(&work.work_id, &[ContractStatus::Settled])
            .await;
        let traded = begun.elapsed();
        fleet.stop_services().await;
        println!(
            "{round}: ready {ready:?}, traded {traded:?}, ended {:?}: {order:?}",
            begun.elapsed()
        );
    }
    assert_eq!(fleet.errors(), Vec::<String>::new());
}
