use aex_kit::Principal;
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::fixture::{Market, NO_WORK, by_provider, by_work, get};

#[tokio::test]
async fn competitors_never_see_each_other_whatever_they_ask() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let sellers = [market.seller(), market.seller()];
    let mut bids = Vec::new();
    for seller in &sellers {
        bids.push(market.bid(seller, &work_id, "5").await.unwrap());
    }
    for (one, other) in [(0, 1), (1, 0)] {
        let mut client = sellers[one].client.clone();
        let refused = Refused::from(client.get_bid(get(&bids[other].bid_id)).await);
        assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
        let refused = Refused::from(client.list_bids(by_work(&work_id)).await);
        assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
        let refused = Refused::from(client.list_bids(by_provider(&sellers[other].provider_id)).await);
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
        let own = client.list_bids(by_provider(&sellers[one].provider_id)).await;
        assert_eq!(own.unwrap().into_inner().bids, [bids[one].clone()]);
        let own = client.get_bid(get(&bids[one].bid_id)).await.unwrap().into_inner();
        assert_eq!(own.bid, Some(bids[one].clone()));
    }
    for event in market.database.events().await {
        let seen_by = sellers
            .iter()
            .filter(|seller| event.visible_to.contains(&seller.principal.tenant.to_string()));
        assert!(seen_by.count() <= 1, "{}", event.r#type);
    }
}

#[tokio::test]
async fn a_key_bound_to_one_provider_does_not_see_the_bids_of_another_one_of_its_tenant() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let first = market.seller();
    let second = market.seller_as(first.principal.clone());
    let bid = market.bid(&second, &work_id, "5").await.unwrap();
    let bound = Principal {
        provider: Some(first.provider_id.parse().unwrap()),
        ..first.principal.clone()
    };
    let mut client = market.tenant(&bound);
    let refused = Refused::from(client.get_bid(get(&bid.bid_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
    let refused = Refused::from(client.list_bids(by_provider(&second.provider_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

#[tokio::test]
async fn the_consumer_sees_every_bid_on_its_work_and_a_stranger_none() {
    let mut market = Market::new().await;
    let work_id = market.work().await.work_id;
    let mut consumer = market.tenant(&market.ada);
    let none = consumer.list_bids(by_work(&work_id)).await.unwrap();
    assert!(none.into_inner().bids.is_empty());
    let bid = market.bid(&market.seller(), &work_id, "5").await.unwrap();
    let seen = consumer.get_bid(get(&bid.bid_id)).await.unwrap().into_inner();
    assert_eq!(seen.bid, Some(bid.clone()));
    assert_eq!(market.get(&bid.bid_id).await, bid);
    let mut stranger = market.tenant(&principal(&market.world));
    for work_id in [work_id.as_str(), NO_WORK] {
        let refused = Refused::from(stranger.list_bids(by_work(work_id)).await);
        assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    }
    let refused = Refused::from(stranger.get_bid(get(&bid.bid_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
}
