use std::{sync::Arc, time::Duration};

use aex_bid_gateway::{App, Config, SCHEMA};
use aex_kit::{Hosted as _, Principal};
use aex_proto::aex::{
    bid_gateway::v1 as pb,
    common::v1::Money,
    provider_registry::v1::{AgentStatus, ProviderStatus},
};
use aex_store::Store;
use aex_testkit::{Database, Refused, Shape, World, principal};
use tonic::Code;

use crate::{
    fixture::{Market, NO_WORK, key, usd},
    registry::Registry,
};

#[tokio::test]
async fn a_bid_takes_part_as_soon_as_it_is_received() {
    for shape in Shape::ALL {
        let market = Market::in_shape(shape).await;
        let work = market.work().await;
        let seller = market.seller();
        let request = market.offer(&seller, &work.work_id, "2.5");
        let bid = seller.client.clone().submit_bid(request.clone()).await.unwrap();
        let bid = bid.into_inner().bid.unwrap();
        assert_eq!((bid.status(), bid.revision), (pb::BidStatus::Received, 1));
        assert_eq!(bid.provider_tenant_id, seller.principal.tenant.to_string());
        assert_eq!(
            (bid.price.clone(), &bid.sample),
            (Some(usd("2.5")), &request.sample)
        );
        assert_eq!((&bid.sla, &bid.regions), (&request.sla, &request.regions));
        let events = market.database.events().await;
        let types: Vec<_> = events.iter().map(|event| event.r#type.as_str()).collect();
        assert_eq!(types, ["book.opened", "bid.submitted"]);
        assert_eq!(
            events[1].visible_to,
            [work.consumer_id.clone(), bid.provider_tenant_id.clone()]
        );
        assert_eq!(events[0].visible_to, [work.consumer_id]);
        assert!(events.iter().all(|event| event.aggregate_type == "book"));
    }
}

#[tokio::test]
async fn a_newer_bid_takes_the_place_of_the_older() {
    let mut market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    let first = market.bid(&seller, &work_id, "5").await.unwrap();
    let second = market.bid(&seller, &work_id, "4").await.unwrap();
    assert_eq!(second.revision, 2);
    assert_eq!(
        market.get(&first.bid_id).await.status(),
        pb::BidStatus::Superseded
    );
    let sealed = market.seal(&work_id).await;
    let ids: Vec<_> = sealed.bids.iter().map(|bid| &bid.bid_id).collect();
    assert_eq!((ids, sealed.total_bids), (vec![&second.bid_id], 2));
}

#[tokio::test]
async fn a_provider_bids_twenty_times_and_no_more() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    for revision in 1..=20 {
        let bid = market.bid(&seller, &work_id, "5").await.unwrap();
        assert_eq!(bid.revision, revision);
    }
    let refused = Refused::from(market.bid(&seller, &work_id, "5").await);
    assert_eq!(refused.why(), (Code::ResourceExhausted, "REVISION_LIMIT_REACHED"));
    assert!(market.bid(&market.seller(), &work_id, "5").await.is_ok());
}

#[tokio::test]
async fn a_full_book_takes_only_what_replaces_a_live_bid() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    market.bid(&seller, &work_id, "5").await.unwrap();
    market.database.execute("UPDATE book SET live_bids = 1000").await;
    let refused = Refused::from(market.bid(&market.seller(), &work_id, "5").await);
    assert_eq!(refused.why(), (Code::ResourceExhausted, "BOOK_FULL"));
    assert!(market.bid(&seller, &work_id, "4").await.is_ok());
}

#[tokio::test]
async fn a_book_takes_no_bid_at_or_after_its_end() {
    let market = Market::new().await;
    let (with_book, without) = (market.work().await.work_id, market.work().await.work_id);
    let seller = market.seller();
    market.bid(&seller, &with_book, "5").await.unwrap();
    market.world.advance(Duration::from_millis(29_999));
    assert!(market.bid(&seller, &with_book, "4").await.is_ok());
    market.world.advance(Duration::from_millis(1));
    for work_id in [&with_book, &without] {
        let refused = Refused::from(market.bid(&seller, work_id, "3").await);
        assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
    }
}

#[tokio::test]
async fn cancelled_and_unknown_work_takes_no_bid() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    market.cancel(&work_id).await;
    let refused = Refused::from(market.bid(&seller, &work_id, "5").await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
    let refused = Refused::from(market.bid(&seller, NO_WORK, "5").await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
}

#[tokio::test]
async fn a_tenant_bids_for_its_own_active_providers_only() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let (seller, other) = (market.seller(), market.seller());
    let unknown = market.provider_id();
    for provider_id in [&other.provider_id, &unknown] {
        let mut request = market.offer(&seller, &work_id, "5");
        request.provider_id.clone_from(provider_id);
        let refused = Refused::from(seller.client.clone().submit_bid(request).await);
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }
    let mut request = market.offer(&seller, &work_id, "5");
    request.provider_id.clear();
    let refused = Refused::from(seller.client.clone().submit_bid(request).await);
    assert_eq!(refused.fields, ["provider_id"]);
    let tenant_id = seller.principal.tenant.to_string();
    for status in [ProviderStatus::Suspended, ProviderStatus::Inactive] {
        market.registry.set(&seller.provider_id, &tenant_id, status);
        let refused = Refused::from(market.bid(&seller, &work_id, "5").await);
        assert_eq!(refused.why(), (Code::FailedPrecondition, "PROVIDER_NOT_ACTIVE"));
    }
    assert!(market.database.events().await.is_empty());
}

#[tokio::test]
async fn a_bid_names_a_working_agent_of_its_provider_or_none() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let (seller, other) = (market.seller(), market.seller());
    let agent = || {
        market
            .world
            .runtime()
            .id::<aex_types::id::kind::Agent>()
            .to_string()
    };
    let (unknown, own, retired, foreign) = (agent(), agent(), agent(), agent());
    for (agent_id, owner, status) in [
        (&own, &seller, AgentStatus::Active),
        (&retired, &seller, AgentStatus::Retired),
        (&foreign, &other, AgentStatus::Active),
    ] {
        market.registry.set_agent(agent_id, &owner.provider_id, status);
    }
    let bid_for = async |agent_id: &String| {
        let mut request = market.offer(&seller, &work_id, "5");
        request.agent_id.clone_from(agent_id);
        seller.client.clone().submit_bid(request).await
    };
    let not_found = (Code::NotFound, "AGENT_NOT_FOUND");
    for (agent_id, why) in [
        (&unknown, not_found),
        (&foreign, not_found),
        (&retired, (Code::FailedPrecondition, "AGENT_RETIRED")),
    ] {
        let refused = Refused::from(bid_for(agent_id).await);
        assert_eq!(refused.why(), why);
        assert_eq!(refused.metadata.get("agent_id"), Some(agent_id));
    }
    assert!(market.database.events().await.is_empty());
    let bid = bid_for(&own).await.unwrap().into_inner().bid.unwrap();
    assert_eq!(bid.agent_id, own);
}

#[tokio::test]
async fn a_bound_key_means_its_provider_and_no_other() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    let second = market.seller_as(seller.principal.clone());
    let bound = Principal {
        provider: Some(seller.provider_id.parse().unwrap()),
        ..seller.principal.clone()
    };
    let mut client = market.tenant(&bound);
    let mut request = market.offer(&seller, &work_id, "5");
    request.provider_id.clear();
    let bid = client
        .submit_bid(request)
        .await
        .unwrap()
        .into_inner()
        .bid
        .unwrap();
    assert_eq!(bid.provider_id, seller.provider_id);
    let request = market.offer(&second, &work_id, "5");
    let refused = Refused::from(client.submit_bid(request).await);
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

#[tokio::test]
async fn nobody_bids_on_its_own_work_but_the_house() {
    let market = Market::new().await;
    let own = market.seller_as(market.ada.clone());
    let work_id = market.work().await.work_id;
    let refused = Refused::from(market.bid(&own, &work_id, "5").await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "OWN_WORK"));
    let house = Principal {
        internal: true,
        ..principal(&market.world)
    };
    let work_id = market.work_of(&house).await.work_id;
    assert!(market.bid(&market.seller_as(house), &work_id, "5").await.is_ok());
    let events = market.database.events().await;
    market.assert_replays(&events).await;
}

#[tokio::test]
async fn a_price_over_the_budget_is_taken_and_another_currency_is_not() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    assert!(market.bid(&seller, &work_id, "10.000001").await.is_ok());
    let mut request = market.offer(&seller, &work_id, "5");
    request.price = Some(Money {
        currency_code: "EUR".to_owned(),
        amount: "5".to_owned(),
    });
    let refused = Refused::from(seller.client.clone().submit_bid(request).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "CURRENCY_MISMATCH"));
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let market = Market::new().await;
    let seller = market.seller();
    let request = pb::SubmitBidRequest {
        idempotency_key: key(),
        work_id: "work".to_owned(),
        price: Some(usd("0")),
        confidence: f64::NAN,
        expire_time: Some(aex_error::wire::time(market.world.runtime().now())),
        endpoint: "nowhere".to_owned(),
        sample: Some(pb::Sample {
            input: "x".repeat(1025),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = Refused::from(seller.client.clone().submit_bid(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    for field in [
        "work_id",
        "price.amount",
        "confidence",
        "expire_time",
        "endpoint",
        "sample.input",
    ] {
        assert!(
            refused.fields.contains(&field.to_owned()),
            "{field}: {:?}",
            refused.fields
        );
    }
}

#[tokio::test]
async fn a_bid_has_at_most_four_kibibytes() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    let mut request = market.offer(&seller, &work_id, "5");
    request.approach = "x".repeat(1024);
    request.sample = Some(pb::Sample {
        input: "x".repeat(1024),
        output: "x".repeat(1024),
        latency: None,
    });
    let fits = seller.client.clone().submit_bid(request.clone()).await;
    assert!(fits.is_ok());
    request.endpoint = format!("https://agent.example/{}", "x".repeat(480));
    request.regions = vec!["a".repeat(32); 16];
    let refused = Refused::from(seller.client.clone().submit_bid(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["request"]);
}

#[tokio::test]
async fn without_the_publisher_a_first_bid_is_refused_as_unavailable() {
    let mut world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
    world.host(&app).await;
    let registry = Registry::default();
    world.host(&registry.played()).await;
    let ada = principal(&world);
    let provider_id = world.runtime().id::<aex_types::id::kind::Provider>().to_string();
    registry.set(&provider_id, &ada.tenant.to_string(), ProviderStatus::Active);
    let who = aex_testkit::Who::Tenant(ada);
    let mut client = crate::fixture::Client::new(world.client(&who, App::NAME));
    let later = world.runtime().now().saturating_add(Duration::from_hours(1));
    let request = pb::SubmitBidRequest {
        idempotency_key: key(),
        work_id: NO_WORK.to_owned(),
        provider_id,
        price: Some(usd("1")),
        endpoint: "https://agent.example".to_owned(),
        expire_time: Some(aex_error::wire::time(later)),
        ..Default::default()
    };
    let refused = Refused::from(client.submit_bid(request).await);
    assert_eq!(refused.why(), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
}
