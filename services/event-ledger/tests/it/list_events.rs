use aex_proto::aex::{common::v1::Event, event_ledger::v1 as pb};
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::fixture::{Ledger, listed, sequences};

fn types(types: &[&str]) -> pb::EventFilter {
    pb::EventFilter {
        types: types.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn pages_are_complete_and_in_order_and_bound_to_their_filter() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..7).await;
    let mut request = pb::ListEventsRequest {
        page_size: 3,
        ..Default::default()
    };
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = ledger
            .operator
            .list_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        sizes.push(page.events.len());
        found.extend(sequences(&page.events));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((found, sizes), ((1..=7).collect(), vec![3, 3, 1]));

    request.filter = Some(types(&["work.*"]));
    let refused = Refused::from(ledger.operator.list_events(request.clone()).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    request.filter = None;
    let other_viewer = principal(&ledger.world);
    let refused = Refused::from(ledger.tenant(&other_viewer).list_events(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

#[tokio::test]
async fn a_filter_shows_only_what_fits_all_of_it() {
    let mut ledger = Ledger::new().await;
    let cancelled = |event: Event| Event {
        r#type: "work.bid_window_closed".to_owned(),
        ..event
    };
    let works = [ledger.work(1, 1), ledger.work(2, 1), cancelled(ledger.work(1, 2))];
    ledger.append(&works).await;
    let workers = Event {
        r#type: "workxbid".to_owned(),
        aggregate_id: "worker_1".to_owned(),
        ..ledger.work(3, 1)
    };
    ledger.append(&[workers]).await;

    let mut found =
        async |filter: pb::EventFilter| sequences(&listed(&mut ledger.operator, Some(filter)).await);
    assert_eq!(found(types(&["work.*"])).await, [1, 2, 3]);
    assert_eq!(found(types(&["work.bid_window_closed"])).await, [3]);
    assert_eq!(
        found(types(&["work.bid-window_closed", "work_bid"])).await,
        [0; 0]
    );
    assert_eq!(found(types(&["workxbid", "work.submitted"])).await, [1, 2, 4]);
    assert_eq!(found(types(&["*"])).await, [1, 2, 3, 4]);
    let of_one = pb::EventFilter {
        aggregate_id: "work_1".to_owned(),
        ..Default::default()
    };
    assert_eq!(found(of_one.clone()).await, [1, 3]);
    let both = pb::EventFilter {
        types: vec!["work.submitted".to_owned()],
        ..of_one
    };
    assert_eq!(found(both).await, [1]);
    for (producer, expected) in [("work-publisher", vec![1, 2, 3, 4]), ("settlement", vec![])] {
        let of_producer = pb::EventFilter {
            producer: producer.to_owned(),
            ..Default::default()
        };
        assert_eq!(found(of_producer).await, expected);
    }
}

#[tokio::test]
async fn a_wildcard_may_only_be_the_last_word() {
    let mut ledger = Ledger::new().await;
    let request = pb::ListEventsRequest {
        filter: Some(types(&["work.*", "*.submitted"])),
        ..Default::default()
    };
    let refused = Refused::from(ledger.operator.list_events(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["filter.types[1]"]);
}

#[tokio::test]
async fn a_tenant_finds_only_what_it_may_see() {
    let mut ledger = Ledger::new().await;
    let (ada, bob) = (principal(&ledger.world), principal(&ledger.world));
    let shown_to = |event: Event, tenants: &[&aex_kit::Principal]| Event {
        visible_to: tenants
            .iter()
            .map(|principal| principal.tenant.to_string())
            .collect(),
        ..event
    };
    let events = [
        shown_to(ledger.work(1, 1), &[&ada]),
        shown_to(ledger.work(2, 1), &[&bob, &ada, &bob]),
        shown_to(ledger.work(3, 1), &[]),
        shown_to(ledger.work(1, 2), &[&bob]),
    ];
    ledger.append(&events).await;
    let (mut ada, mut bob) = (ledger.tenant(&ada), ledger.tenant(&bob));
    assert_eq!(sequences(&listed(&mut ada, None).await), [1, 2]);
    assert_eq!(sequences(&listed(&mut bob, None).await), [2, 4]);
    let of_one = pb::EventFilter {
        aggregate_id: "work_1".to_owned(),
        ..Default::default()
    };
    assert_eq!(sequences(&listed(&mut ada, Some(of_one.clone())).await), [1]);
    assert_eq!(sequences(&listed(&mut bob, Some(of_one)).await), [4]);
    assert_eq!(ledger.events().await.len(), 4);
}

#[tokio::test]
async fn pages_of_large_events_are_cut_by_their_bytes() {
    let mut ledger = Ledger::new().await;
    for work in 0..3 {
        let large = Event {
            payload: vec![7; 400 << 10].into(),
            ..ledger.work(work, 1)
        };
        ledger
            .append(&[
                large.clone(),
                Event {
                    payload: vec![].into(),
                    ..ledger.work(work, 2)
                },
            ])
            .await;
    }
    let mut request = pb::ListEventsRequest::default();
    let mut pages = Vec::new();
    loop {
        let page = ledger
            .operator
            .list_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        pages.push(sequences(&page.events));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages, [vec![1, 2, 3, 4], vec![5, 6]]);
}

#[tokio::test]
async fn a_rare_type_is_found_in_a_long_log_by_steps() {
    let mut ledger = Ledger::new().await;
    // More than one step of a reading looks at.
    let many: Vec<_> = (0..4_900).map(|work| ledger.work(work, 1)).collect();
    for batch in many.chunks(700) {
        ledger.append(batch).await;
    }
    let rare = Event {
        r#type: "work.cancelled".to_owned(),
        ..ledger.work(0, 2)
    };
    ledger.append(&[rare]).await;
    let found = listed(&mut ledger.operator, Some(types(&["work.cancelled"]))).await;
    assert_eq!(sequences(&found), [4_901]);
    assert_eq!(ledger.events().await.len(), 4_901);
}
