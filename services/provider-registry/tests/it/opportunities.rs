use std::time::Duration;

use aex_error::wire;
use aex_kit::{Principal, Runtime};
use aex_proto::aex::{
    common::v1::{Event, Tier},
    provider_registry::v1 as pb,
    work_publisher::v1 as work,
};
use aex_testkit::Refused;
use aex_types::{EventId, WorkId};
use prost::{Message, Name};
use tonic::{Code, Streaming};

use crate::fixture::{Registry, bound, cancel, reinstate, subscribe, usd};

pub fn new_work(registry: &Registry) -> String {
    registry
        .world
        .runtime()
        .id::<aex_types::id::kind::Work>()
        .to_string()
}

/// An event of work-publisher.
pub fn of_work<P: Message + Name>(
    runtime: &Runtime,
    kind: &str,
    work_id: &str,
    version: u64,
    payload: &P,
) -> Event {
    let event_id: EventId = runtime.id();
    Event {
        event_id: event_id.to_string(),
        r#type: kind.to_owned(),
        payload_type: P::full_name(),
        payload: payload.encode_to_vec().into(),
        aggregate_type: "work".to_owned(),
        aggregate_id: work_id.to_owned(),
        aggregate_version: version,
        occur_time: Some(wire::time(runtime.now())),
        producer: "work-publisher".to_owned(),
        ..Event::default()
    }
}

pub fn submitted(registry: &Registry, work_id: &str) -> work::WorkSubmitted {
    work::WorkSubmitted {
        work_id: work_id.to_owned(),
        consumer_id: "tenant_01h455vb4pex5vsknk084sn02q".to_owned(),
        category: "vision.classification".to_owned(),
        description: "read these digits".to_owned(),
        max_price: Some(usd("0.5")),
        bid_strategy: work::BidStrategy::BestQuality.into(),
        constraints: Some(work::Constraints {
            max_latency: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
            required_fields: vec!["label".to_owned()],
            min_trust_tier: Tier::Verified.into(),
            internal_only: false,
            regions: vec!["eu".to_owned()],
        }),
        payload_preview: "P5 28 28".to_owned(),
        close_time: Some(wire::time(
            registry
                .world
                .runtime()
                .now()
                .saturating_add(Duration::from_secs(30)),
        )),
        ..Default::default()
    }
}

type Change = fn(&mut pb::CreateSubscriptionRequest);

/// Publishes work and answers its id and the event that offered it.
async fn publish(
    registry: &Registry,
    change: impl FnOnce(&mut work::WorkSubmitted),
) -> (String, pb::OpportunityOpened) {
    let work_id = new_work(registry);
    let mut payload = submitted(registry, &work_id);
    change(&mut payload);
    let event = of_work(registry.world.runtime(), "work.submitted", &work_id, 1, &payload);
    registry.ledger.append([event]);
    let opened = opened(registry, &work_id).await;
    (work_id, opened)
}

async fn opened(registry: &Registry, work_id: &str) -> pb::OpportunityOpened {
    let mut seen = 0;
    loop {
        let events = registry.ledger.told_by("provider-registry", seen + 1).await;
        seen = events.len();
        let opened = events
            .iter()
            .find(|event| event.r#type == "opportunity.opened" && event.aggregate_id == work_id);
        if let Some(event) = opened {
            return pb::OpportunityOpened::decode(event.payload.clone()).unwrap();
        }
    }
}

/// The event that says how work ended.
pub fn ended(registry: &Registry, kind: &str, work_id: &str) -> Event {
    let runtime = registry.world.runtime();
    match kind {
        "work.cancelled" => of_work(runtime, kind, work_id, 2, &work::WorkCancelled::default()),
        "work.awarded" => of_work(runtime, kind, work_id, 2, &work::WorkAwarded::default()),
        "work.failed" => of_work(runtime, kind, work_id, 2, &work::WorkFailed::default()),
        "work.award_released" => {
            let payload = work::WorkAwardReleased {
                status: work::WorkStatus::Evaluating.into(),
                ..Default::default()
            };
            of_work(runtime, kind, work_id, 2, &payload)
        }
        _ => of_work(
            runtime,
            "work.bid_window_closed",
            work_id,
            2,
            &work::WorkBidWindowClosed::default(),
        ),
    }
}

fn end(registry: &Registry, kind: &str, work_id: &str) {
    registry.ledger.append([ended(registry, kind, work_id)]);
}

async fn watch(
    registry: &Registry,
    principal: &Principal,
    provider_id: &str,
    resume_token: u64,
) -> Streaming<pb::WatchOpportunitiesResponse> {
    let request = pb::WatchOpportunitiesRequest {
        provider_id: provider_id.to_owned(),
        resume_token,
    };
    registry
        .client(principal)
        .watch_opportunities(request)
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<pb::WatchOpportunitiesResponse>) -> pb::WatchOpportunitiesResponse {
    let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await;
    message.unwrap().unwrap().unwrap()
}

fn work_of(message: &pb::WatchOpportunitiesResponse) -> &str {
    message.opened.as_ref().map_or("", |opened| &opened.work_id)
}

#[tokio::test]
async fn work_is_offered_to_those_it_fits_and_each_is_told_at_once() {
    let mut registry = Registry::at_work().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (fits, other) = (
        registry.register(&ada, "fits").await,
        registry.register(&bob, "other").await,
    );
    registry.subscribe(&ada, &fits, &["vision.*"]).await;
    registry.subscribe(&ada, &fits, &["*"]).await;
    registry.subscribe(&bob, &other, &["audio.*"]).await;
    let mut stream = watch(&registry, &ada, &fits, 0).await;
    let (work_id, event) = publish(&registry, |_| {}).await;
    assert_eq!(
        (event.providers_notified, event.providers.len()),
        (1, 1),
        "once, however many subscriptions fit"
    );
    assert_eq!(event.providers[0].provider_id, fits);

    let told = next(&mut stream).await;
    let offer = told.opened.clone().unwrap();
    assert_eq!(
        (offer.work_id.as_str(), offer.category.as_str()),
        (work_id.as_str(), "vision.classification")
    );
    assert_eq!(
        (offer.bid_strategy.as_str(), offer.min_trust_tier.as_str()),
        ("best_quality", "VERIFIED")
    );
    assert_eq!(
        (offer.max_price, offer.payload_preview.as_str()),
        (Some(usd("0.5")), "P5 28 28")
    );
    assert_eq!(
        (offer.required_fields, offer.regions),
        (vec!["label".to_owned()], vec!["eu".to_owned()])
    );
    assert_eq!(told.resume_token, 1);

    end(&registry, "work.bid_window_closed", &work_id);
    let closed = next(&mut stream).await;
    assert_eq!(
        (closed.closed_work_id, closed.resume_token, closed.opened),
        (work_id, 2, None)
    );
}

#[tokio::test]
async fn what_a_subscription_asks_for_decides_and_so_does_the_providers_status() {
    let mut registry = Registry::at_work().await;
    let ada = registry.tenant("Ada").await;
    let mut ids = Vec::new();
    let wishes: [(&str, Change, bool); 8] = [
        ("rich", |wish| wish.min_budget = Some(usd("0.500001")), false),
        ("modest", |wish| wish.min_budget = Some(usd("0.5")), true),
        (
            "slow",
            |wish| {
                wish.min_latency = Some(prost_types::Duration {
                    seconds: 2,
                    nanos: 1_000,
                });
            },
            false,
        ),
        (
            "quick",
            |wish| wish.min_latency = Some(prost_types::Duration { seconds: 2, nanos: 0 }),
            true,
        ),
        ("far", |wish| wish.regions = vec!["us".to_owned()], false),
        (
            "near",
            |wish| wish.regions = vec!["us".to_owned(), "eu".to_owned()],
            true,
        ),
        (
            "starred",
            |wish| wish.categories = vec!["*.classification".to_owned()],
            true,
        ),
        (
            "narrow",
            |wish| wish.categories = vec!["vision".to_owned(), "vision.*.digits".to_owned()],
            false,
        ),
    ];
    for (name, change, fits) in wishes {
        let id = registry.register(&ada, name).await;
        let mut request = subscribe(&id, &["vision.*"]);
        change(&mut request);
        registry.client(&ada).create_subscription(request).await.unwrap();
        if fits {
            ids.push(id);
        }
    }
    for stopped in ["inactive", "suspended", "cancelled"] {
        let id = registry.register(&ada, stopped).await;
        let made = registry.subscribe(&ada, &id, &["*"]).await.subscription_id;
        match stopped {
            "inactive" => registry.deactivate(&ada, &id).await,
            "suspended" => registry.suspend(&id).await,
            _ => {
                registry
                    .client(&ada)
                    .cancel_subscription(cancel(&made))
                    .await
                    .unwrap();
            }
        }
    }
    let reinstated = registry.register(&ada, "reinstated").await;
    registry.subscribe(&ada, &reinstated, &["*"]).await;
    registry.suspend(&reinstated).await;
    registry
        .operator
        .reinstate_provider(reinstate(&reinstated))
        .await
        .unwrap();
    ids.push(reinstated);
    ids.sort();

    let (_, event) = publish(&registry, |_| {}).await;
    let offered: Vec<_> = event
        .providers
        .into_iter()
        .map(|offered| offered.provider_id)
        .collect();
    assert_eq!(offered, ids);
    let (_, event) = publish(&registry, |work| work.category = "music".to_owned()).await;
    assert_eq!(event.providers.len(), 1, "the one reinstated takes anything");
}

#[tokio::test]
async fn a_tenant_is_not_offered_its_own_work_unless_it_is_of_the_house() {
    let mut registry = Registry::at_work().await;
    let (ada, house) = (
        registry.tenant("Ada").await,
        registry.tenant_of_house("House", true).await,
    );
    let (own, inner) = (
        registry.register(&ada, "own").await,
        registry.register(&house, "inner").await,
    );
    registry.subscribe(&ada, &own, &["*"]).await;
    registry.subscribe(&house, &inner, &["*"]).await;
    let offered = |event: pb::OpportunityOpened| {
        event
            .providers
            .into_iter()
            .map(|offered| offered.provider_id)
            .collect::<Vec<_>>()
    };
    let (_, event) = publish(&registry, |work| work.consumer_id = ada.tenant.to_string()).await;
    assert_eq!(offered(event), std::slice::from_ref(&inner));
    let (_, event) = publish(&registry, |work| {
        work.consumer_id = house.tenant.to_string();
        work.internal = true;
        work.constraints = Some(work::Constraints {
            internal_only: true,
            ..Default::default()
        });
    })
    .await;
    assert_eq!(offered(event), [inner]);
}

#[tokio::test]
async fn no_tenant_sees_the_event_because_it_names_all_who_were_asked() {
    let mut registry = Registry::at_work().await;
    let ada = registry.tenant("Ada").await;
    for name in ["one", "two"] {
        let id = registry.register(&ada, name).await;
        registry.subscribe(&ada, &id, &["*"]).await;
    }
    let (work_id, event) = publish(&registry, |_| {}).await;
    assert_eq!(event.providers_notified, 2);
    let events = registry.ledger.told_by("provider-registry", 1).await;
    let opened = events
        .iter()
        .find(|event| event.r#type == "opportunity.opened")
        .unwrap();
    assert!(opened.visible_to.is_empty());
    assert_eq!(
        (opened.aggregate_type.as_str(), &opened.aggregate_id),
        ("opportunity", &work_id)
    );
    assert!(opened.causation_id.parse::<EventId>().is_ok());
    // Work that fits nobody is told of too: its publisher learns the number.
    let (_, event) = publish(&registry, |work| work.consumer_id = ada.tenant.to_string()).await;
    assert_eq!(event.providers_notified, 0);
}

#[tokio::test]
async fn an_opportunity_ends_once_whatever_ends_it() {
    let mut registry = Registry::at_work().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    registry.subscribe(&ada, &provider, &["*"]).await;
    let endings = [
        ("work.bid_window_closed", "window_closed"),
        ("work.award_released", "window_closed"),
        ("work.awarded", "awarded"),
        ("work.cancelled", "cancelled"),
        ("work.failed", "failed"),
    ];
    let mut stream = watch(&registry, &ada, &provider, 0).await;
    let mut token = 0;
    for (kind, reason) in endings {
        let (work_id, _) = publish(&registry, |_| {}).await;
        end(&registry, kind, &work_id);
        end(&registry, "work.failed", &work_id);
        assert_eq!(work_of(&next(&mut stream).await), work_id);
        let closed = next(&mut stream).await;
        assert_eq!(closed.closed_work_id, work_id);
        token = closed.resume_token;
        // Every event of the registry so far: the one that ends this is among them, and alone.
        let events = registry
            .ledger
            .told_by("provider-registry", 2 + usize::try_from(token).unwrap())
            .await;
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.r#type == "opportunity.closed" && event.aggregate_id == work_id)
            .map(|event| {
                pb::OpportunityClosed::decode(event.payload.clone())
                    .unwrap()
                    .reason
            })
            .collect();
        assert_eq!(told, [reason]);
    }
    assert_eq!(token, 10);
    // The end of work that nobody here heard of changes nothing, and what comes after it does.
    end(&registry, "work.cancelled", &new_work(&registry));
    let (work_id, _) = publish(&registry, |_| {}).await;
    assert_eq!(work_of(&next(&mut stream).await), work_id);
}

#[tokio::test]
async fn a_watch_begins_with_what_is_still_open_and_resumes_where_it_was_left() {
    let mut registry = Registry::at_work().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    registry.subscribe(&ada, &provider, &["*"]).await;
    let mut works = Vec::new();
    for seconds in [5, 30, 30, 30] {
        let close = registry
            .world
            .runtime()
            .now()
            .saturating_add(Duration::from_secs(seconds));
        works.push(
            publish(&registry, |work| work.close_time = Some(wire::time(close)))
                .await
                .0,
        );
        registry.world.advance(Duration::from_millis(1));
    }
    end(&registry, "work.cancelled", &works[1]);
    let mut all = watch(&registry, &ada, &provider, 1).await;
    let mut seen = Vec::new();
    for token in 2..=5 {
        let message = next(&mut all).await;
        assert_eq!(message.resume_token, token);
        seen.push(message);
    }
    assert_eq!(work_of(&seen[0]), works[1]);
    assert_eq!(seen[3].closed_work_id, works[1]);

    // The first one's time is over, though nobody said so yet; the second was withdrawn.
    registry.world.advance(Duration::from_secs(6));
    let key = bound(&ada, &provider);
    let mut stream = watch(&registry, &key, "", 0).await;
    let first = next(&mut stream).await;
    let second = next(&mut stream).await;
    assert_eq!(
        [work_of(&first), work_of(&second)],
        [works[2].as_str(), works[3].as_str()]
    );
    // Only behind the last of them is everything known that was before.
    assert_eq!((first.resume_token, second.resume_token), (0, 5));
    end(&registry, "work.awarded", &works[2]);
    let closed = next(&mut stream).await;
    assert_eq!(
        (closed.closed_work_id, closed.resume_token),
        (works[2].clone(), 6)
    );
    drop(stream);
    end(&registry, "work.awarded", &works[3]);
    let mut resumed = watch(&registry, &key, &provider, 6).await;
    let closed = next(&mut resumed).await;
    assert_eq!(
        (closed.closed_work_id, closed.resume_token),
        (works[3].clone(), 7)
    );
}

#[tokio::test]
async fn a_watch_of_more_than_one_round_tells_everything_that_is_open() {
    let mut registry = Registry::at_work().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    registry.subscribe(&ada, &provider, &["*"]).await;
    let mut works = Vec::new();
    let mut events = Vec::new();
    for _ in 0..230 {
        let work_id = new_work(&registry);
        let payload = submitted(&registry, &work_id);
        events.push(of_work(
            registry.world.runtime(),
            "work.submitted",
            &work_id,
            1,
            &payload,
        ));
        works.push(work_id);
    }
    let last = works[229].clone();
    registry.ledger.append(events);
    opened(&registry, &last).await;
    let mut stream = watch(&registry, &ada, &provider, 0).await;
    let mut found = Vec::new();
    for _ in 0..230 {
        let message = next(&mut stream).await;
        found.push(work_of(&message).parse::<WorkId>().unwrap());
        assert_eq!(message.resume_token, if found.len() == 230 { 230 } else { 0 });
    }
    let mut expected: Vec<WorkId> = works.iter().map(|work| work.parse().unwrap()).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn only_its_own_provider_is_watched() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (one, two) = (
        registry.register(&ada, "one").await,
        registry.register(&ada, "two").await,
    );
    let request = |provider_id: &str| pb::WatchOpportunitiesRequest {
        provider_id: provider_id.to_owned(),
        resume_token: 0,
    };
    for (caller, provider) in [(&bob, &one), (&bound(&ada, &one), &two)] {
        let refused = Refused::from(
            registry
                .client(caller)
                .watch_opportunities(request(provider))
                .await
                .map(drop),
        );
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }
    let refused = Refused::from(
        registry
            .client(&ada)
            .watch_opportunities(request(""))
            .await
            .map(drop),
    );
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["provider_id"]);
}
