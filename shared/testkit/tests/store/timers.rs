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
                tx.unschedule(Self::KIND, key).await
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
                tx.schedule(Slow::KIND, id.uuid(), now).await?;
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
