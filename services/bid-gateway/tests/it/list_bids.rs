use std::time::Duration;

use aex_proto::aex::bid_gateway::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Client, Market, by_provider, by_work, withdraw};

async fn all(client: &mut Client, mut request: pb::ListBidsRequest) -> Vec<String> {
    request.page_size = 2;
    let mut listed = Vec::new();
    loop {
        let page = client.list_bids(request.clone()).await.unwrap().into_inner();
        assert!(page.bids.len() <= 2);
        listed.extend(page.bids.into_iter().map(|bid| bid.bid_id));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return listed;
        }
    }
}

#[tokio::test]
async fn pages_show_live_bids_in_order_of_arrival_and_a_provider_all_of_its_own() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let mut own = market.seller();
    let mut live = Vec::new();
    let replaced = market.bid(&own, &work_id, "6").await.unwrap().bid_id;
    for step in 0..5 {
        let seller = market.seller();
        live.push(market.bid(&seller, &work_id, "5").await.unwrap().bid_id);
        // Some arrive at the same instant: then their ids order them.
        if step % 2 == 0 {
            market.world.advance(Duration::from_millis(5));
        }
    }
    let last = market.bid(&own, &work_id, "4").await.unwrap().bid_id;
    live.push(last.clone());
    let mut gone = market.seller();
    let bid = market.bid(&gone, &work_id, "3").await.unwrap();
    gone.client.withdraw_bid(withdraw(&bid.bid_id)).await.unwrap();

    let mut consumer = market.tenant(&market.ada);
    let listed = all(&mut consumer, by_work(&work_id)).await;
    let sealed = market.seal(&work_id).await;
    let sealed: Vec<_> = sealed.bids.into_iter().map(|bid| bid.bid_id).collect();
    assert_eq!(listed, sealed);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(listed), sorted(live));
    assert_eq!(
        all(&mut own.client, by_provider(&own.provider_id)).await,
        [replaced, last]
    );
}

#[tokio::test]
async fn a_list_is_by_work_or_by_provider_and_its_token_belongs_to_it() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let mut seller = market.seller();
    for price in ["5", "4"] {
        market.bid(&seller, &work_id, price).await.unwrap();
    }
    let both = pb::ListBidsRequest {
        provider_id: seller.provider_id.clone(),
        ..by_work(&work_id)
    };
    let refused = Refused::from(seller.client.list_bids(both).await);
    assert_eq!(refused.fields, ["provider_id"]);
    let neither = Refused::from(seller.client.list_bids(pb::ListBidsRequest::default()).await);
    assert_eq!(neither.fields, ["provider_id"]);
    let first = pb::ListBidsRequest {
        page_size: 1,
        ..by_provider(&seller.provider_id)
    };
    let page = seller.client.list_bids(first).await.unwrap().into_inner();
    let other = pb::ListBidsRequest {
        page_token: page.next_page_token,
        ..by_work(&work_id)
    };
    let mut consumer = market.tenant(&market.ada);
    let refused = Refused::from(consumer.list_bids(other).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
