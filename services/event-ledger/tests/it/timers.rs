use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aex_kit::Call;
use aex_store::{Failure, Job, Store, Timers};
use aex_testkit::{Database, Shape, World};
use aex_types::Timestamp;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::reader::{READER, SCHEMA, call, done, eventually, run, store};

const KIND: &str = "bell";

/// Notes that it ran, and is done with.
struct Bell {
    store: Store,
}

impl Job for Bell {
    const KIND: &'static str = KIND;
    type Error = Failure;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Failure> {
        self.store
            .work(&mut call, async |tx| {
                run(tx, key).await?;
                tx.done(KIND, key);
                Ok(())
            })
            .await
    }
}

fn start<J: Job>(store: &Store, job: J) {
    Timers::new(store, READER, Arc::new(job)).start();
}

async fn schedule(store: &Store, keys: &[Uuid], due: Timestamp) {
    let mut call = call(store);
    let scheduled = store.work(&mut call, async |tx| {
        for key in keys {
            tx.schedule(KIND, *key, due);
        }
        Ok::<_, Failure>(())
    });
    scheduled.await.unwrap();
}

/// The only job's attempts and the end of its lease; `None` when it is gone.
async fn lease(store: &Store) -> Option<(i32, Option<DateTime<Utc>>)> {
    let mut call = call(store);
    let row = store.read(&mut call, async |tx| {
        let row = sqlx::query_as("SELECT attempts, leased_until FROM timer")
            .fetch_optional(tx.sql())
            .await?;
        Ok::<_, Failure>(row)
    });
    row.await.unwrap()
}

fn keys(count: u128) -> Vec<Uuid> {
    (1..=count).map(Uuid::from_u128).collect()
}

#[tokio::test]
async fn due_jobs_run_once_though_two_replicas_look_for_them() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let stores = [
        store(&database, world.runtime()),
        store(&database, world.runtime()),
    ];
    for store in &stores {
        start(store, Bell { store: store.clone() });
    }
    let now = world.runtime().now();
    let early = Duration::from_secs(10);
    let late = early * 2;
    schedule(&stores[0], &keys(60)[..30], now.saturating_add(early)).await;
    schedule(&stores[1], &keys(60)[30..], now.saturating_add(late)).await;
    assert!(done(&stores[0]).await.is_empty());
    for (span, count) in [(early, 30), (early, 60)] {
        world.advance(span);
        let expected: Vec<_> = keys(count).into_iter().map(|key| (key, 1)).collect();
        eventually("what is due was done once", async || {
            (done(&stores[0]).await == expected).then_some(())
        })
        .await;
    }
    assert_eq!(lease(&stores[0]).await, None);
}

/// Takes a job and never ends, like a process that was stopped in the middle.
struct Stuck {
    taken: Arc<Notify>,
}

impl Job for Stuck {
    const KIND: &'static str = KIND;
    type Error = Failure;

    async fn run(&self, _: Call, _: Uuid) -> Result<(), Failure> {
        self.taken.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn the_job_of_a_worker_that_died_is_run_by_another() {
    // Two processes, each with its own clock: the dead one's stands still.
    let (dead, alive) = (World::new(Shape::InProcess), World::new(Shape::InProcess));
    let database = Database::of(&SCHEMA).await;
    let (first, second) = (
        store(&database, dead.runtime()),
        store(&database, alive.runtime()),
    );
    let taken = Arc::new(Notify::new());
    start(
        &first,
        Stuck {
            taken: Arc::clone(&taken),
        },
    );
    schedule(&first, &keys(1), dead.runtime().now()).await;
    taken.notified().await;

    start(
        &second,
        Bell {
            store: second.clone(),
        },
    );
    let (attempts, leased_until) = lease(&second).await.unwrap();
    assert_eq!(attempts, 1);
    assert!(leased_until.unwrap() > DateTime::<Utc>::from(alive.runtime().now()));
    assert!(done(&second).await.is_empty());
    alive.advance(Duration::from_secs(3));
    eventually("another worker ran the job", async || {
        (done(&second).await == [(keys(1)[0], 1)]).then_some(())
    })
    .await;
    assert_eq!(lease(&second).await, None);
}

/// Does it when it is told to.
struct Slow {
    bell: Bell,
    runs: Arc<AtomicU32>,
    go: Arc<Notify>,
}

impl Job for Slow {
    const KIND: &'static str = KIND;
    type Error = Failure;

    async fn run(&self, call: Call, key: Uuid) -> Result<(), Failure> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.go.notified().await;
        self.bell.run(call, key).await
    }
}

#[tokio::test]
async fn a_job_stays_with_the_worker_that_lives_however_long_it_takes() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let (runs, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let stores = [(); 2].map(|()| store(&database, world.runtime()));
    for store in &stores {
        let slow = Slow {
            bell: Bell { store: store.clone() },
            runs: Arc::clone(&runs),
            go: Arc::clone(&go),
        };
        start(store, slow);
    }
    schedule(&stores[0], &keys(1), world.runtime().now()).await;
    for _ in 0..3 {
        let until = world.runtime().now().saturating_add(Duration::from_secs(2));
        eventually("the lease is renewed", async || {
            let leased = lease(&stores[0]).await?.1?;
            (leased >= DateTime::<Utc>::from(until)).then_some(())
        })
        .await;
        world.advance(Duration::from_millis(1900));
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    go.notify_waiters();
    eventually("the job is done", async || {
        (done(&stores[0]).await == [(keys(1)[0], 1)]).then_some(())
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// What an attempt takes: it tells the lease of an attempt under way from the pause after it.
const TAKES: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);

/// Fails so often, then does it.
struct Flaky {
    world: Arc<World>,
    store: Store,
    runs: Arc<AtomicU32>,
    fails: u32,
}

impl Job for Flaky {
    const KIND: &'static str = KIND;
    type Error = Failure;

    async fn run(&self, call: Call, key: Uuid) -> Result<(), Failure> {
        self.world.advance(TAKES);
        if self.runs.fetch_add(1, Ordering::SeqCst) < self.fails {
            return Err(Failure::corrupt("not yet"));
        }
        let bell = Bell {
            store: self.store.clone(),
        };
        bell.run(call, key).await
    }
}

#[tokio::test]
async fn a_failing_job_is_tried_again_ever_later() {
    let world = Arc::new(World::new(Shape::InProcess));
    let database = Database::of(&SCHEMA).await;
    let store = store(&database, world.runtime());
    let runs = Arc::new(AtomicU32::new(0));
    let flaky = Flaky {
        world: Arc::clone(&world),
        store: store.clone(),
        runs: Arc::clone(&runs),
        fails: 12,
    };
    start(&store, flaky);
    schedule(&store, &keys(1), world.runtime().now()).await;
    let mut pauses = Vec::new();
    for attempt in 1..=12 {
        let pause = eventually("the attempt failed and the job waits", async || {
            if runs.load(Ordering::SeqCst) != attempt {
                return None;
            }
            let until = lease(&store).await?.1?;
            let now = DateTime::<Utc>::from(world.runtime().now());
            let left = (until - now).to_std().unwrap();
            (left + TAKES != LEASE).then_some(left)
        })
        .await;
        pauses.push(pause);
        world.advance(pause);
    }
    eventually("the last attempt did it", async || {
        (done(&store).await == [(keys(1)[0], 1)]).then_some(())
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 13);
    assert!(pauses[0] <= Duration::from_secs(1), "{pauses:?}");
    assert!(
        pauses
            .windows(2)
            .all(|pair| pair[1] == (pair[0] * 2).min(LONGEST)),
        "{pauses:?}"
    );
    assert_eq!(pauses.last(), Some(&LONGEST));
}
