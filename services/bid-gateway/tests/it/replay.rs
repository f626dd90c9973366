use aex_proto::aex::bid_gateway::v1 as pb;

use crate::fixture::{Market, withdraw};

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let market = Market::new().await;
    let mut sellers: Vec<_> = (0..3).map(|_| market.seller()).collect();
    for number in 0..3_usize {
        let work_id = market.work().await.work_id;
        for (turn, seller) in sellers.iter_mut().enumerate() {
            let mut request = market.offer(seller, &work_id, "5");
            if turn == number {
                (request.sample, request.sla) = (None, None);
                request.estimated_latency = Some(prost_types::Duration {
                    seconds: 2,
                    nanos: 999_999,
                });
            }
            let bid = seller.client.submit_bid(request).await.unwrap().into_inner().bid;
            if turn < number {
                let withdrawn = withdraw(&bid.unwrap().bid_id);
                seller.client.withdraw_bid(withdrawn).await.unwrap();
            }
            if turn > 0 {
                let again = market.offer(seller, &work_id, "4.25");
                seller.client.submit_bid(again).await.unwrap();
            }
        }
        if number != 1 {
            market.seal(&work_id).await;
        }
    }
    let events = market.database.events().await;
    assert!(events.len() > 18, "{}", events.len());
    market.assert_replays(&events).await;
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let market = Market::new().await;
    market.database.check_statements("aex-bid-gateway").await;
}

#[tokio::test]
async fn the_audit_states_every_bid_and_names_what_is_broken() {
    let mut market = Market::new().await;
    let work_id = market.work().await.work_id;
    let bid = market.bid(&market.seller(), &work_id, "5").await.unwrap();
    let audit = pb::AuditRequest::default;
    let clean = market.operator.audit(audit()).await.unwrap().into_inner();
    assert!(clean.violations.is_empty(), "{:?}", clean.violations);
    let facts: Vec<_> = clean
        .facts
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.subject.as_str(), fact.value.as_str()))
        .collect();
    assert_eq!(facts, [("bid.status", bid.bid_id.as_str(), "RECEIVED")]);
    market
        .database
        .execute("UPDATE book SET seal_time = create_time - interval '1 second', live_bids = 0")
        .await;
    let broken = market.operator.audit(audit()).await.unwrap().into_inner();
    assert_eq!(broken.violations.len(), 2);
    assert!(broken.violations.iter().all(|found| found.subject == work_id));
}
