use std::sync::Arc;

use aex_kit::Hosted as _;
use aex_proto::aex::common::v1::Event;
use aex_provider_registry::{App, Config, SCHEMA};
use aex_store::Store;
use aex_testkit::Database;

use crate::{
    fixture::Registry,
    opportunities::{ended, new_work, of_work, submitted},
};

/// A registry that begins with what the first one has published.
async fn beginning(registry: &Registry, events: &[Event]) -> (Database, Arc<App>) {
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), registry.world.runtime());
    let app = Arc::new(App::on(store, &Config::default(), registry.world.mesh()));
    app.replay(events).await.unwrap();
    (database, app)
}

#[tokio::test]
async fn a_batch_that_names_works_many_times_leaves_what_its_events_leave_one_by_one() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    for name in ["one", "two"] {
        let provider = registry.register(&ada, name).await;
        registry.subscribe(&ada, &provider, &["vision.*"]).await;
    }
    let begun = registry.database.events().await;
    let works: Vec<_> = (0..9).map(|_| new_work(&registry)).collect();
    let open = |work: &String| {
        let payload = submitted(&registry, work);
        of_work(registry.world.runtime(), "work.submitted", work, 1, &payload)
    };
    let (slow, slow_app) = beginning(&registry, &begun).await;
    slow_app.start_workers();
    let one_by_one = async |news: Vec<Event>| {
        for event in news {
            registry.ledger.append([event]);
            slow.has_heard("provider-registry.works", registry.ledger.events().len())
                .await;
        }
        registry.ledger.events().len()
    };
    let known = one_by_one(works.iter().take(3).map(open).collect()).await;
    let (quick, quick_app) = beginning(&registry, &begun).await;
    let own = registry.ledger.events().into_iter();
    let own: Vec<_> = own.filter(|event| event.producer == App::NAME).collect();
    quick_app.replay(&own).await.unwrap();

    // Three works are known already, five come now, and one never; most end, and are told to end again.
    let mut news = Vec::new();
    for (number, work) in works.iter().enumerate().take(8) {
        news.push(open(work));
        if number != 4 {
            let ends = ["work.bid_window_closed", "work.award_released", "work.awarded"];
            news.push(ended(&registry, ends[number % 3], work));
            news.push(ended(&registry, "work.cancelled", work));
        }
    }
    news.push(ended(&registry, "work.failed", &works[8]));
    let heard = one_by_one(news).await;
    let told = registry.ledger.told_since(known, App::NAME);
    assert_eq!(told.len(), 5 + 7);

    quick_app.start_workers();
    quick.has_heard("provider-registry.works", heard).await;

    assert_eq!(registry.ledger.told_since(heard, App::NAME), told);
    assert_eq!(quick.state().await, slow.state().await);
    let told = slow.told().await.into_iter();
    // The watchers of the slow one were told of the three as well.
    let told: Vec<_> = told
        .filter(|(_, version, _)| *version > 3)
        .map(|(resource, version, message)| (resource, version - 3, message))
        .collect();
    assert_eq!(quick.told().await, told);
    // One transaction has closed them all.
    let closing = "SELECT xmin FROM opportunity WHERE closed_reason IS NOT NULL GROUP BY xmin";
    assert_eq!(
        (quick.execute(closing).await, slow.execute(closing).await),
        (1, 7)
    );
}
