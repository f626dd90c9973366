//! Jobs that fall due while connections are few.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aex_kit::Call;
use aex_store::{Failure, Job, Store, Timers};
use aex_testkit::{Database, Shape, World};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::SCHEMA;

/// Holds a connection for longer than it takes until leases are renewed.
struct Slow {
    store: Store,
    done: Arc<AtomicUsize>,
}

impl Job for Slow {
    const KIND: &'static str = "slow";
    type Error = Failure;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Failure> {
        self.store
            .work(&mut call, async |tx| {
                sqlx::query("SELECT pg_sleep(1)").execute(tx.sql()).await?;
                tx.done(Self::KIND, key);
                Ok::<_, Failure>(())
            })
            .await?;
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_have_all_connections_do_not_wait_for_the_renewal_of_their_leases() {
    const JOBS: usize = 8;
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let mut call = Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
    store
        .work(&mut call, async |tx| {
            for _ in 0..JOBS {
                let (id, now) = (tx.id::<aex_types::id::kind::Event>(), tx.now());
                tx.schedule(Slow::KIND, id.uuid(), now);
            }
            Ok::<_, Failure>(())
        })
        .await
        .expect("the jobs are set");
    let done = Arc::new(AtomicUsize::new(0));
    let slow = Slow {
        store: store.clone(),
        done: Arc::clone(&done),
    };
    Timers::new(&store, "example", Arc::new(slow)).start();
    // Four at a time take two seconds; a renewal that waits for a connection in vain takes ten.
    for _ in 0..700 {
        if done.load(Ordering::SeqCst) == JOBS {
            return;
        }
        world.runtime().pause(Duration::from_millis(10)).await;
    }
    panic!("only {} of {JOBS} jobs are done", done.load(Ordering::SeqCst));
}

/// What the test looks at.
const KEY: Uuid = Uuid::from_u128(1);
/// Longer than a job waits after an attempt that left it scheduled.
const LONGER: Duration = Duration::from_millis(200);

/// Ends when it is let go, and says then that it is done. Jobs of other keys are done at once.
struct Held {
    store: Store,
    /// Its first run is done at the beginning, and schedules it anew.
    is_restless: bool,
    seen: Arc<Seen>,
}

struct Seen {
    runs: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    others: AtomicUsize,
    go: Semaphore,
}

impl Held {
    async fn done(&self, call: &mut Call, key: Uuid, and_again: bool) -> Result<(), Failure> {
        self.store
            .work(call, async |tx| {
                tx.done(Self::KIND, key);
                if and_again {
                    let now = tx.now();
                    tx.schedule(Self::KIND, key, now);
                }
                Ok(())
            })
            .await
    }
}

impl Job for Held {
    const KIND: &'static str = "held";
    type Error = Failure;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Failure> {
        let seen = &self.seen;
        if key != KEY {
            self.done(&mut call, key, false).await?;
            seen.others.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let beside = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(beside, Ordering::SeqCst);
        let is_restless = self.is_restless && seen.runs.load(Ordering::SeqCst) == 0;
        if is_restless {
            self.done(&mut call, key, true).await?;
        }
        seen.runs.fetch_add(1, Ordering::SeqCst);
        seen.go
            .acquire()
            .await
            .map_err(|_| Failure::corrupt("the test is over"))?
            .forget();
        if !is_restless {
            self.done(&mut call, key, false).await?;
        }
        seen.under_way.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

/// One worker, and one job of it that is let go by hand.
struct Stage {
    world: World,
    database: Arc<Database>,
    store: Store,
    seen: Arc<Seen>,
}

impl Stage {
    /// The job is under way.
    async fn new(is_restless: bool) -> Self {
        let stage = Self::on(&Arc::new(Database::of(&SCHEMA).await), is_restless);
        stage.schedule(KEY).await;
        stage.runs(1).await;
        stage
    }

    /// A process with its own clock.
    fn on(database: &Arc<Database>, is_restless: bool) -> Self {
        let world = World::new(Shape::InProcess);
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let seen = Arc::new(Seen {
            runs: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
            go: Semaphore::new(0),
        });
        let held = Held {
            store: store.clone(),
            is_restless,
            seen: Arc::clone(&seen),
        };
        Timers::new(&store, "example", Arc::new(held)).start();
        Self {
            world,
            database: Arc::clone(database),
            store,
            seen,
        }
    }

    async fn schedule(&self, key: Uuid) {
        let mut call = Call::own(self.world.runtime(), "example", "test", Duration::from_secs(10));
        self.store
            .work(&mut call, async |tx| {
                let now = tx.now();
                tx.schedule(Held::KIND, key, now);
                Ok::<_, Failure>(())
            })
            .await
            .expect("the job is set");
    }

    async fn runs(&self, count: usize) {
        eventually("it runs once more", async || {
            self.seen.runs.load(Ordering::SeqCst) >= count
        })
        .await;
    }

    /// The worker has looked for everything that is due now: it has taken what was scheduled last.
    async fn looked(&self) {
        self.world.advance(LONGER);
        let before = self.seen.others.load(Ordering::SeqCst);
        self.schedule(Uuid::from_u128(100 + before as u128)).await;
        eventually("the worker looks", async || {
            self.seen.others.load(Ordering::SeqCst) > before
        })
        .await;
    }

    /// The second run, after the first, and no third.
    async fn runs_once_more_by_itself(&self) {
        let runs = || self.seen.runs.load(Ordering::SeqCst);
        self.looked().await;
        self.looked().await;
        assert_eq!(runs(), 1, "the second run waits for the end of the first");
        self.seen.go.add_permits(1);
        self.runs(2).await;
        self.looked().await;
        self.looked().await;
        assert_eq!(runs(), 2);
        self.seen.go.add_permits(1);
        eventually("nothing is left to do", async || {
            self.database.execute("SELECT 1 FROM timer").await == 0
        })
        .await;
        self.looked().await;
        assert_eq!(runs(), 2);
        assert_eq!(self.seen.most.load(Ordering::SeqCst), 1);
    }
}

async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asked = tokio::time::timeout(Duration::from_secs(20), async {
        while !ask().await {
            tokio::task::yield_now().await;
        }
    });
    asked
        .await
        .unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

#[tokio::test]
async fn a_job_that_schedules_itself_anew_runs_once_more_and_never_beside_itself() {
    let stage = Stage::new(true).await;
    stage.runs_once_more_by_itself().await;
}

#[tokio::test]
async fn a_job_that_another_schedules_anew_while_it_runs_is_not_done_before_it_has_run_again() {
    let stage = Stage::new(false).await;
    stage.schedule(KEY).await;
    stage.runs_once_more_by_itself().await;
}

#[tokio::test]
async fn an_attempt_whose_lease_another_replica_took_leaves_that_one_alone() {
    let first = Stage::new(false).await;
    let second = Stage::on(&first.database, false);
    // For the second the lease has ended; the clock of the first stands still.
    second.world.advance(Duration::from_secs(3));
    second.runs(1).await;
    // The first attempt fails, and its process ends after it has given back what is its own.
    first.seen.go.close();
    assert!(first.world.runtime().shutdown(Duration::from_secs(20)).await);
    let now = second.world.runtime().now();
    let held = format!(
        "SELECT 1 FROM timer WHERE lease IS NOT NULL AND leased_until > '{now}'::timestamptz + '1 s'"
    );
    assert_eq!(second.database.execute(&held).await, 1);
    second.seen.go.add_permits(1);
    eventually("the second does it", async || {
        second.database.execute("SELECT 1 FROM timer").await == 0
    })
    .await;
    assert_eq!(second.seen.runs.load(Ordering::SeqCst), 1);
}
