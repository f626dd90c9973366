use std::time::Duration;

use aex_proto::aex::{common::v1::Tier, contract_engine::v1::Party, trust_broker::v1 as pb};
use aex_testkit::Shape;
use prost::Message as _;

use crate::fixture::{Broker, close, verify};

const MONTH: Duration = Duration::from_hours(30 * 24);

#[tokio::test]
async fn a_provider_without_a_record_has_the_newcomers_and_asking_makes_none() {
    for shape in Shape::ALL {
        let broker = Broker::in_shape(shape).await;
        let stranger = broker.stranger().provider_id;
        let trust = broker.trust(&stranger).await;
        assert_eq!(
            (trust.provider_id.as_str(), trust.tier()),
            (stranger.as_str(), Tier::Unverified)
        );
        assert!(close(trust.score, 0.3) && close(trust.raw_base, 0.3));
        assert_eq!((trust.total_contracts, trust.update_time), (0, None));
        assert_eq!(broker.database.state().await, "");
        assert!(broker.database.events().await.is_empty());
    }
}

#[tokio::test]
async fn trust_is_earned_gate_by_gate_and_a_batch_agrees_with_each() {
    let mut broker = Broker::at_work().await;
    let seller = broker.registered(false);
    for _ in 0..10 {
        broker.settle(&seller);
    }
    broker.told("trust.outcome_recorded", 10).await;
    let trust = broker.trust(&seller.provider_id).await;
    // Five outcomes of 0.3 stand before the first; ten successes beside them.
    assert!(close(trust.score, 11.5 / 15.0) && close(trust.raw_base, 1.0));
    assert_eq!((trust.total_contracts, trust.successful_contracts), (10, 10));
    assert_eq!(trust.tier(), Tier::Unverified, "its identity is not verified");
    let trust = broker.verify(&seller.provider_id, [true, false, false]).await;
    assert_eq!((trust.tier(), trust.identity_verified), (Tier::Verified, true));
    assert!(close(trust.score, 11.5 / 15.0 + 0.05));
    for _ in 0..15 {
        broker.settle(&seller);
    }
    broker.told("trust.outcome_recorded", 25).await;
    assert_eq!(
        broker.trust(&seller.provider_id).await.tier(),
        Tier::Verified,
        "its endpoint is not"
    );
    let trust = broker.verify(&seller.provider_id, [true, true, false]).await;
    assert_eq!(trust.tier(), Tier::Trusted);
    broker.told("trust.tier_changed", 2).await;

    let stranger = broker.stranger().provider_id;
    let ids = vec![stranger.clone(), seller.provider_id.clone(), stranger.clone()];
    let request = pb::BatchGetTrustRequest { provider_ids: ids };
    let batch = broker
        .evaluator
        .batch_get_trust(request)
        .await
        .unwrap()
        .into_inner()
        .trusts;
    let (known, unknown) = (
        broker.trust(&seller.provider_id).await,
        broker.trust(&stranger).await,
    );
    assert_eq!(batch, [unknown.clone(), known, unknown]);

    // An identity that is verified no more opens nothing.
    let trust = broker.verify(&seller.provider_id, [false, true, false]).await;
    assert_eq!(trust.tier(), Tier::Unverified);
}

#[tokio::test]
async fn a_thousand_providers_are_answered_at_once() {
    let mut broker = Broker::at_work().await;
    let known = broker.registered(true);
    broker.told("trust.tier_changed", 1).await;
    let mut ids: Vec<_> = (0..999).map(|_| broker.stranger().provider_id).collect();
    ids.push(known.provider_id);
    let request = pb::BatchGetTrustRequest {
        provider_ids: ids.clone(),
    };
    let trusts = broker
        .evaluator
        .batch_get_trust(request)
        .await
        .unwrap()
        .into_inner()
        .trusts;
    let answered: Vec<_> = trusts.iter().map(|trust| trust.provider_id.clone()).collect();
    assert_eq!(answered, ids);
    assert_eq!(trusts.last().unwrap().tier(), Tier::Internal);
}

#[tokio::test]
async fn a_provider_of_the_house_is_internal_from_its_registration_on() {
    let broker = Broker::at_work().await;
    let seller = broker.registered(true);
    let changed = broker.told("trust.tier_changed", 1).await;
    let change = pb::TrustTierChanged::decode(changed.first().unwrap().payload.clone()).unwrap();
    assert_eq!(
        (change.previous_tier(), change.tier()),
        (Tier::Unverified, Tier::Internal)
    );
    assert_eq!(
        changed.first().unwrap().visible_to,
        std::slice::from_ref(&seller.owner_id)
    );
    let trust = broker.trust(&seller.provider_id).await;
    assert_eq!(trust.tier(), Tier::Internal);
    assert!(close(trust.score, 1.0));
}

#[tokio::test]
async fn tenure_counts_from_the_moment_a_month_is_full_and_is_told() {
    let broker = Broker::at_work().await;
    let seller = broker.registered(false);
    broker.told("trust.provider_registered", 1).await;
    broker.world.advance(MONTH.saturating_sub(Duration::from_secs(1)));
    assert!(close(broker.trust(&seller.provider_id).await.score, 0.3));
    broker.world.advance(Duration::from_secs(1));
    assert!(close(broker.trust(&seller.provider_id).await.score, 0.32));
    for months in 1..=5 {
        let told = broker.told("trust.score_updated", months).await;
        let update = pb::TrustScoreUpdated::decode(told.last().unwrap().payload.clone()).unwrap();
        assert_eq!((told.len(), update.cause.as_str()), (months, "tenure"));
        broker.world.advance(MONTH);
    }
    assert!(
        close(broker.trust(&seller.provider_id).await.score, 0.4),
        "at most five months count"
    );
}

#[tokio::test]
async fn asking_again_with_the_same_key_verifies_once() {
    let mut broker = Broker::new().await;
    let provider = broker.stranger().provider_id;
    let request = verify(&provider, [true, true, false]);
    let first = broker
        .operator
        .set_verification(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = broker
        .operator
        .set_verification(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let expected = ["trust.verification_changed", "trust.score_updated"].repeat(2);
    assert_eq!(broker.database.event_types().await, expected);
    // What is left out stays as it is, and what is so already needs no event.
    let partial = pb::SetVerificationRequest {
        identity_verified: None,
        endpoint_verified: Some(true),
        review_passed: None,
        ..verify(&provider, [false; 3])
    };
    let trust = broker
        .operator
        .set_verification(partial)
        .await
        .unwrap()
        .into_inner()
        .trust
        .unwrap();
    assert!(trust.identity_verified && trust.endpoint_verified && !trust.review_passed);
    assert_eq!(broker.database.event_types().await.len(), 4);
}

#[tokio::test]
async fn an_explanation_adds_up_and_names_what_the_next_tier_asks_for() {
    let mut broker = Broker::at_work().await;
    let seller = broker.registered(false);
    for _ in 0..6 {
        broker.settle(&seller);
    }
    for _ in 0..4 {
        broker.fail(&seller, "failed_by_provider", Party::Provider);
    }
    broker.told("trust.outcome_recorded", 10).await;
    broker.verify(&seller.provider_id, [false, true, false]).await;
    let request = pb::ExplainTrustRequest {
        provider_id: seller.provider_id.clone(),
    };
    let explained = broker.tenant.explain_trust(request).await.unwrap().into_inner();
    let trust = explained.trust.clone().unwrap();
    let sum: f64 = explained.components.iter().map(|component| component.value).sum();
    assert!(close(sum, trust.score) && close(trust.score, 7.5 / 15.0 + 0.05));
    assert!(
        explained
            .components
            .iter()
            .all(|component| !component.formula.is_empty())
    );
    assert_eq!(explained.next_tier(), Tier::Verified);
    let missing: Vec<_> = explained
        .missing
        .iter()
        .map(|gate| (gate.gate.as_str(), gate.has.as_str(), gate.needs.as_str()))
        .collect();
    assert_eq!(
        missing,
        [
            ("success_rate", "0.6", "0.7"),
            ("identity_verified", "false", "true")
        ]
    );
    assert_eq!(trust, broker.trust(&seller.provider_id).await);
}
