use std::time::Duration;

use aex_proto::aex::work_publisher::v1 as pb;
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::fixture::{Publisher, work};

#[tokio::test]
async fn pages_show_the_newest_first_and_every_work_once() {
    let market = Publisher::new().await;
    let mut published = Vec::new();
    for _ in 0..5 {
        published.push(market.publish(work()).await.work_id);
        market.world.advance(Duration::from_millis(10));
    }
    published.reverse();
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListWorksRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = market.ada().list_works(request).await.unwrap().into_inner();
        listed.extend(page.works.into_iter().map(|work| work.work_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, published);
}

#[tokio::test]
async fn a_list_is_filtered_and_shows_nobody_elses_works() {
    let market = Publisher::new().await;
    let first = market.publish(work()).await;
    let other = pb::PublishWorkRequest {
        category: "text.translation".to_owned(),
        ..work()
    };
    let other = market.publish(other).await;
    market.cancel(&first.work_id).await.unwrap();
    for (status, category, expected) in [
        (pb::WorkStatus::Cancelled, "", &first),
        (pb::WorkStatus::Open, "", &other),
        (pb::WorkStatus::Unspecified, "text.translation", &other),
    ] {
        let request = pb::ListWorksRequest {
            status: status.into(),
            category: category.to_owned(),
            ..Default::default()
        };
        let works = market.ada().list_works(request).await.unwrap().into_inner().works;
        let ids: Vec<_> = works.iter().map(|work| &work.work_id).collect();
        assert_eq!(ids, [&expected.work_id]);
    }
    let mut bob = market.tenant(&principal(&market.world));
    let listed = bob.list_works(pb::ListWorksRequest::default()).await.unwrap();
    assert!(listed.into_inner().works.is_empty());
}

#[tokio::test]
async fn a_token_of_another_filter_is_refused() {
    let market = Publisher::new().await;
    market.publish(work()).await;
    market.publish(work()).await;
    let first = pb::ListWorksRequest {
        page_size: 1,
        ..Default::default()
    };
    let page = market.ada().list_works(first.clone()).await.unwrap().into_inner();
    let request = pb::ListWorksRequest {
        page_token: page.next_page_token,
        status: pb::WorkStatus::Failed.into(),
        ..first
    };
    let refused = Refused::from(market.ada().list_works(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
