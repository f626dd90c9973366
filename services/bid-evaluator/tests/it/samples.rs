//! What the real bid-gateway says that a sample shows is what counts.

use std::time::Duration;

use aex_error::wire;
use aex_proto::aex::{
    bid_evaluator::v1 as pb,
    bid_gateway::v1::{self as gateway, bid_gateway_service_client::BidGatewayServiceClient},
    common::v1::Tier,
    provider_registry::v1::{Provider, ProviderStatus},
    trust_broker::v1::Trust,
    work_publisher::v1::{Constraints, Work, WorkStatus},
};
use aex_testkit::Who;
use aex_types::id::kind;

use crate::fixture::{Evaluator, usd};

/// An open work of Ada's whose result must have these fields.
fn asking(evaluator: &Evaluator, required_fields: &[&str]) -> String {
    let runtime = evaluator.world.runtime();
    let work_id = runtime.id::<kind::Work>().to_string();
    let work = Work {
        work_id: work_id.clone(),
        consumer_id: evaluator.ada.tenant.to_string(),
        max_price: Some(usd("50")),
        constraints: Some(Constraints {
            required_fields: required_fields.iter().map(|&name| name.to_owned()).collect(),
            ..Default::default()
        }),
        status: WorkStatus::Open.into(),
        close_time: Some(wire::time(runtime.now().saturating_add(Duration::from_mins(1)))),
        ..Default::default()
    };
    evaluator.peers.stage().works.insert(work_id.clone(), work);
    work_id
}

/// The bid of a new provider of Bob's; all are alike but for what their samples show.
async fn bid(evaluator: &Evaluator, work_id: &str, output: &str) -> gateway::Bid {
    let runtime = evaluator.world.runtime();
    let provider_id = runtime.id::<kind::Provider>().to_string();
    let provider = Provider {
        provider_id: provider_id.clone(),
        tenant_id: evaluator.bob.tenant.to_string(),
        status: ProviderStatus::Active.into(),
        ..Default::default()
    };
    let trust = Trust {
        provider_id: provider_id.clone(),
        score: 0.5,
        tier: Tier::Verified.into(),
        ..Default::default()
    };
    {
        let mut stage = evaluator.peers.stage();
        stage.providers.insert(provider_id.clone(), provider);
        stage.trust.insert(provider_id.clone(), trust);
    }
    let request = gateway::SubmitBidRequest {
        idempotency_key: runtime.id::<kind::Event>().to_string(),
        work_id: work_id.to_owned(),
        provider_id,
        price: Some(usd("25")),
        confidence: 0.9,
        sample: Some(gateway::Sample {
            input: "a bill".to_owned(),
            output: output.to_owned(),
            latency: None,
        }),
        endpoint: "https://agent.example".to_owned(),
        expire_time: Some(wire::time(runtime.now().saturating_add(Duration::from_hours(1)))),
        ..Default::default()
    };
    let who = Who::Tenant(evaluator.bob.clone());
    let mut client = BidGatewayServiceClient::new(evaluator.world.client(&who, "bid-gateway"));
    client
        .submit_bid(request)
        .await
        .unwrap()
        .into_inner()
        .bid
        .unwrap()
}

/// How the sample of a bid came to its value.
async fn told(evaluator: &Evaluator, bid: &gateway::Bid) -> String {
    let request = pb::ExplainBidRequest {
        work_id: bid.work_id.clone(),
        bid_id: bid.bid_id.clone(),
    };
    let answer = evaluator.client(&evaluator.ada).explain_bid(request).await;
    let parts = answer.unwrap().into_inner().explanation.unwrap().components;
    let sample = parts.into_iter().find(|part| part.name == "sample");
    sample.unwrap().formula
}

#[tokio::test]
async fn a_sample_with_the_required_fields_is_ranked_first_and_the_explanation_says_so() {
    let (evaluator, _bids) = Evaluator::with_bids().await;
    let work_id = asking(&evaluator, &["total", "currency"]);
    // Among equals the earlier one would be first.
    let none = bid(
        &evaluator,
        &work_id,
        r#"{"bill": {"total": "12.50", "currency": "EUR"}}"#,
    )
    .await;
    evaluator.world.advance(Duration::from_secs(1));
    let half = bid(&evaluator, &work_id, r#"{"total": "12.50"}"#).await;
    evaluator.world.advance(Duration::from_secs(1));
    let whole = bid(
        &evaluator,
        &work_id,
        r#"{"total": "12.50", "currency": "EUR", "lines": []}"#,
    )
    .await;
    assert_eq!(whole.sample_fields, ["currency", "lines", "total"]);

    let made = evaluator.evaluate(&work_id).await;
    let ranked: Vec<_> = made.ranked_bids.iter().map(|bid| bid.bid_id.as_str()).collect();
    assert_eq!(ranked, [&whole.bid_id, &half.bid_id, &none.bid_id]);
    let samples: Vec<_> = made
        .ranked_bids
        .iter()
        .map(|bid| bid.scores.unwrap().sample)
        .collect();
    assert_eq!(samples, [0.75, 0.625, 0.5]);
    for (bid, share) in [(&whole, "2 / 2"), (&half, "1 / 2"), (&none, "0 / 2")] {
        let words = told(&evaluator, bid).await;
        assert!(
            words.contains(&format!("0.25 * {share} required fields")),
            "{words}"
        );
    }
}
