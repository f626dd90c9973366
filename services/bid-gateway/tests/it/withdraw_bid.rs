use aex_proto::aex::bid_gateway::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Market, NO_BID, withdraw};

#[tokio::test]
async fn a_bid_that_is_taken_back_takes_no_part_and_another_may_follow() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let mut seller = market.seller();
    let first = market.bid(&seller, &work_id, "5").await.unwrap();
    let gone = seller.client.withdraw_bid(withdraw(&first.bid_id)).await.unwrap();
    assert_eq!(gone.into_inner().bid.unwrap().status(), pb::BidStatus::Withdrawn);
    let refused = Refused::from(seller.client.withdraw_bid(withdraw(&first.bid_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BID_NOT_LIVE"));
    let second = market.bid(&seller, &work_id, "4").await.unwrap();
    assert_eq!(second.revision, 2);
    let sealed = market.seal(&work_id).await;
    assert_eq!((sealed.bids.len(), sealed.total_bids), (1, 2));
    let refused = Refused::from(seller.client.withdraw_bid(withdraw(&second.bid_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
}

#[tokio::test]
async fn only_its_provider_takes_a_bid_back() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let (seller, mut other) = (market.seller(), market.seller());
    let bid = market.bid(&seller, &work_id, "5").await.unwrap();
    for bid_id in [bid.bid_id.as_str(), NO_BID] {
        let refused = Refused::from(other.client.withdraw_bid(withdraw(bid_id)).await);
        assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
    }
    let mut consumer = market.tenant(&market.ada);
    let refused = Refused::from(consumer.withdraw_bid(withdraw(&bid.bid_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
}
