//! What watchers are told is kept for a time, and nobody misses anything unnoticed.

use std::time::Duration;

use aex_error::status;
use aex_kit::Call;
use aex_store::{Failure, Store};
use aex_testkit::{Database, Refused, Shape, World};
use tonic::Code;
use uuid::Uuid;

use crate::SCHEMA;

const RESOURCE: Uuid = Uuid::from_u128(7);
const LONG: Duration = Duration::from_hours(24 * 8);

struct Watching {
    world: World,
    store: Store,
    _database: Database,
}

impl Watching {
    async fn new() -> Self {
        let world = World::new(Shape::InProcess);
        let database = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        Self {
            world,
            store,
            _database: database,
        }
    }

    fn call(&self) -> Call {
        Call::own(self.world.runtime(), "example", "test", Duration::from_secs(10))
    }

    async fn tell(&self, word: &str) {
        let mut call = self.call();
        let told = self.store.work(&mut call, async |tx| {
            tx.tell(RESOURCE, &word.to_owned());
            Ok::<_, Failure>(())
        });
        told.await.expect("the watchers are told");
    }

    async fn told(&self, after: u64) -> Result<Vec<(u64, String)>, Failure> {
        let mut watched = self.store.watched(RESOURCE, after);
        let mut call = self.call();
        self.store
            .read(&mut call, async |tx| watched.news(tx).await)
            .await
    }

    async fn sweep(&self) -> u64 {
        self.store.sweep().await.expect("what is old is forgotten")
    }
}

#[tokio::test]
async fn after_a_week_a_watch_resumes_only_where_it_misses_nothing() {
    let watching = Watching::new().await;
    watching.tell("one").await;
    watching.tell("two").await;
    assert_eq!(watching.sweep().await, 0, "nothing is old yet");
    watching.world.advance(LONG);
    watching.tell("three").await;
    assert_eq!(watching.sweep().await, 2);

    let three = [(3, "three".to_owned())];
    for complete in [0, 2] {
        let told = watching.told(complete).await.expect("nothing is missed");
        assert_eq!(told, three, "after {complete}");
    }
    assert_eq!(watching.told(3).await.expect("nothing is missed"), []);
    for token in [1, 4, u64::MAX] {
        let failure = watching.told(token).await.expect_err("something would be missed");
        let refused = Refused::from(status(&failure));
        assert_eq!(
            refused.why(),
            (Code::FailedPrecondition, "RESUME_TOKEN_INVALID"),
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_quiet_watch_goes_on_when_all_that_it_was_told_is_forgotten() {
    let watching = Watching::new().await;
    watching.tell("one").await;
    watching.tell("two").await;
    watching.world.advance(LONG);
    assert_eq!(watching.sweep().await, 2);
    assert_eq!(watching.told(0).await.expect("nothing is kept"), []);
    assert_eq!(watching.told(2).await.expect("nothing is missed"), []);
    watching.told(1).await.expect_err("two would be missed");
    watching.tell("three").await;
    let told = watching.told(2).await.expect("nothing is missed");
    assert_eq!(told, [(3, "three".to_owned())], "no version is given twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_tell_at_once_are_told_in_order_without_a_gap() {
    let watching = std::sync::Arc::new(Watching::new().await);
    let tellers: Vec<_> = (0..8)
        .map(|teller| {
            let watching = std::sync::Arc::clone(&watching);
            tokio::spawn(async move {
                for word in 0..5 {
                    watching.tell(&format!("{teller} {word}")).await;
                }
            })
        })
        .collect();
    for teller in tellers {
        teller.await.expect("it told");
    }
    let told = watching.told(0).await.expect("all is kept");
    let versions: Vec<_> = told.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=40).collect::<Vec<_>>());
}
