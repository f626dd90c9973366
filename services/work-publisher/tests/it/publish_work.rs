use aex_kit::Hosted as _;
use aex_proto::aex::work_publisher::v1 as pb;
use aex_store::Store;
use aex_testkit::{Database, Refused, Shape, Who, World, principal};
use aex_work_publisher::{App, Config, SCHEMA};
use prost::Message as _;
use std::sync::Arc;
use tonic::Code;

use crate::fixture::{Client, NO_WORK, Publisher, seconds, usd, work};

#[tokio::test]
async fn work_is_open_at_once_and_every_default_is_written_out() {
    for shape in Shape::ALL {
        let market = Publisher::in_shape(shape).await;
        let published = market.publish(work()).await;
        assert_eq!(published.status(), pb::WorkStatus::Open);
        assert_eq!(published.bid_strategy(), pb::BidStrategy::Balanced);
        assert_eq!(
            published.verification_method(),
            pb::VerificationMethod::ConsumerConfirm
        );
        assert_eq!(published.review_time, Some(seconds(86_400)));
        assert_eq!(published.dispute_window, Some(seconds(86_400)));
        assert_eq!(published.contract_duration, Some(seconds(3_600)));
        let (created, closes) = (
            published.create_time.unwrap().seconds,
            published.close_time.unwrap().seconds,
        );
        assert_eq!(closes - created, 30);
        assert_eq!(published.consumer_id, market.ada.tenant.to_string());
        let events = market.database.events().await;
        assert_eq!(
            (
                events.len(),
                events[0].r#type.as_str(),
                events[0].aggregate_version
            ),
            (1, "work.submitted", 1)
        );
        assert_eq!(events[0].visible_to, [market.ada.tenant.to_string()]);
        let told = pb::WorkSubmitted::decode(events[0].payload.clone()).unwrap();
        assert_eq!(
            (told.work_id, told.bid_window, told.close_time),
            (published.work_id, Some(seconds(30)), published.close_time)
        );
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let market = Publisher::new().await;
    let request = pb::PublishWorkRequest {
        idempotency_key: "short".to_owned(),
        category: "Not A Category".to_owned(),
        max_price: Some(usd("0")),
        payload: b"{}".as_slice().into(),
        payload_location: "https://example.com/p".to_owned(),
        bid_window: Some(seconds(301)),
        review_time: Some(seconds(1)),
        ..Default::default()
    };
    let refused = Refused::from(market.ada().publish_work(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    for field in [
        "idempotency_key",
        "category",
        "description",
        "max_price.amount",
        "payload_location",
        "payload_content_type",
        "payload_sha256",
        "payload_size_bytes",
        "bid_window",
        "review_time",
    ] {
        assert!(
            refused.fields.contains(&field.to_owned()),
            "{field}: {:?}",
            refused.fields
        );
    }
    assert!(market.database.events().await.is_empty());
}

#[tokio::test]
async fn a_bid_window_has_five_to_three_hundred_seconds() {
    let market = Publisher::new().await;
    for (window, fits) in [(4, false), (5, true), (300, true), (301, false)] {
        let request = pb::PublishWorkRequest {
            bid_window: Some(seconds(window)),
            ..work()
        };
        let reply = market.ada().publish_work(request).await;
        assert_eq!(reply.is_ok(), fits, "{window}");
    }
}

#[tokio::test]
async fn work_that_its_consumer_could_not_pay_is_refused_and_judged_anew_later() {
    let market = Publisher::new().await;
    market.settlement.set_balance(9_999_999);
    let request = work();
    let refused = Refused::from(market.ada().publish_work(request.clone()).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
    assert_eq!(refused.metadata["available"], "9.999999 USD");
    market.settlement.set_balance(10_000_000);
    let published = market.publish(request.clone()).await;
    // A reply that is kept is answered without asking again whether the money is there.
    let asked = market.settlement.asked();
    market.settlement.set_balance(0);
    assert_eq!(market.publish(request).await, published);
    assert_eq!(market.settlement.asked(), asked);
}

#[tokio::test]
async fn a_currency_that_is_not_traded_is_refused_by_its_name() {
    let market = Publisher::new().await;
    let request = pb::PublishWorkRequest {
        max_price: Some(aex_proto::aex::common::v1::Money {
            currency_code: "EUR".to_owned(),
            ..usd("1")
        }),
        ..work()
    };
    let refused = Refused::from(market.ada().publish_work(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["max_price.currency_code"]);
}

#[tokio::test]
async fn without_settlement_work_is_refused_as_unavailable() {
    let mut world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
    world.host(&app).await;
    let ada = Who::Tenant(principal(&world));
    let mut client = Client::new(world.client(&ada, App::NAME));
    let refused = Refused::from(client.publish_work(work()).await);
    assert_eq!(refused.why(), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
}

#[tokio::test]
async fn others_learn_nothing_of_a_work() {
    let mut market = Publisher::new().await;
    let published = market.publish(work()).await;
    let mut bob = market.tenant(&principal(&market.world));
    let get = |work_id: &str| pb::GetWorkRequest {
        work_id: work_id.to_owned(),
    };
    let foreign = Refused::from(bob.get_work(get(&published.work_id)).await);
    let absent = Refused::from(bob.get_work(get(NO_WORK)).await);
    assert_eq!(foreign.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    assert_eq!(foreign.why(), absent.why());
    let own = market
        .ada()
        .get_work(get(&published.work_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(own.work, Some(published.clone()));
    let peer = market
        .engine
        .get_work(get(&published.work_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(peer.work, Some(published));
}
