//! What the store does with what the database answers.

mod collisions;
mod follower;
mod image;
mod timers;
mod watch;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aex_error::{chain, status};
use aex_kit::Call;
use aex_store::{Connect, Failure, Schema, Store};
use aex_testkit::{Database, Refused, Shape, World};
use sqlx::{Connection as _, migrate::Migrator};
use tonic::Code;

static SCHEMA: Schema = Schema {
    name: "example",
    migrations: Migrator::DEFAULT,
    keeps_keys: false,
    not_replayed: &[],
    set_again: &[],
    set_by_feed: &[],
};

/// A transaction whose first attempts the database refuses as colliding.
async fn colliding(times: u32) -> (Result<u32, Failure>, u32) {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let mut call = Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
    let attempts = AtomicU32::new(0);
    let counted = &attempts;
    let ended = store
        .work(&mut call, async move |tx| {
            let attempt = counted.fetch_add(1, Ordering::Relaxed);
            if attempt < times {
                sqlx::query("DO $$ BEGIN RAISE EXCEPTION 'collided' USING ERRCODE = '40001'; END $$")
                    .execute(tx.sql())
                    .await?;
            }
            Ok::<_, Failure>(attempt)
        })
        .await;
    (ended, attempts.into_inner())
}

#[tokio::test]
async fn a_transaction_that_collides_is_run_again() {
    let (ended, attempts) = colliding(3).await;
    assert_eq!((ended.expect("the fourth attempt succeeds"), attempts), (3, 4));
}

#[tokio::test]
async fn one_that_always_collides_is_given_up_and_says_so() {
    let (ended, attempts) = colliding(u32::MAX).await;
    let refused = Refused::from(status(&ended.expect_err("every attempt collides")));
    assert_eq!(refused.why(), (Code::Aborted, "CONTENTION"));
    assert_eq!(attempts, 8);
}

#[tokio::test]
async fn replies_are_forgotten_after_a_day_and_not_before() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let keep = async |key: &str| {
        let mut call = Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
        let key = key.to_owned();
        let kept = store.work(&mut call, async move |tx| {
            let now = tx.now().to_string();
            sqlx::query(
                "INSERT INTO idempotency VALUES ('scope', 'method', $1, '', '', $2::text::timestamptz)",
            )
            .bind(key.as_str())
            .bind(now)
            .execute(tx.sql())
            .await?;
            Ok::<_, Failure>(())
        });
        kept.await.expect("the row is written");
    };
    keep("old").await;
    world.advance(Duration::from_hours(12));
    keep("young").await;
    assert_eq!(store.sweep().await.expect("nothing is old yet"), 0);
    world.advance(Duration::from_hours(13));
    assert_eq!(store.sweep().await.expect("one is a day old"), 1);
    assert_eq!(
        database
            .execute("DELETE FROM idempotency WHERE key = 'young'")
            .await,
        1
    );
}

#[tokio::test]
async fn what_the_database_refuses_is_logged_with_its_cause_and_told_without() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let mut call = Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
    let ended = store
        .work(&mut call, async |tx| {
            sqlx::query("SELECT 1 / 0").execute(tx.sql()).await?;
            Ok::<_, Failure>(())
        })
        .await;
    let failure = ended.expect_err("nothing is divided by zero");
    assert!(
        chain(&failure).contains("division by zero"),
        "{}",
        chain(&failure)
    );
    let refused = Refused::from(status(&failure));
    assert_eq!(refused.why(), (Code::Internal, "INTERNAL"));
    assert!(!refused.message.contains("division"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_make_the_tables_once() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let empty = "DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
            EXECUTE 'DROP TABLE ' || name;
        END LOOP; END $$";
    database.execute(empty).await;
    let replicas = (0..8).map(|_| Store::open(&SCHEMA, database.connect(), world.runtime()));
    for opened in futures::future::join_all(replicas).await {
        opened.expect("each of them opens it");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_while_a_transaction_begins_leaves_no_connection_in_it() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let call = || Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
    let nothing = async |_: &mut aex_store::Tx<'_>| Ok::<_, Failure>(());
    store
        .read(&mut call(), nothing)
        .await
        .expect("a connection is open");
    for _ in 0..50 {
        // It begins, and is dropped at its first wait.
        let mut left = call();
        let _ = tokio::time::timeout(Duration::ZERO, store.read(&mut left, nothing)).await;
        let mut next = call();
        let written = store.work(&mut next, async |tx| {
            sqlx::query("DELETE FROM idempotency").execute(tx.sql()).await?;
            Ok::<_, Failure>(())
        });
        written.await.expect("the connection is as good as new");
        store.sweep().await.expect("so it is without a transaction");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_a_statement_leaves_nothing_of_it_to_the_next() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let one = Connect {
        max_connections: 1,
        ..database.connect().clone()
    };
    let store = Store::attach(&SCHEMA, &one, world.runtime());
    let call = || Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
    let mut other = database.sql().await;
    for round in 1..=3 {
        let mut lock = other.begin().await.expect("another transaction begins");
        sqlx::query("LOCK TABLE idempotency IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .expect("it locks the table");
        let mut left = call();
        let count = store.read_one(&mut left, async |tx| {
            let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM idempotency");
            Ok::<_, Failure>(count.fetch_one(tx.sql()).await?)
        });
        let mut count = Box::pin(count);
        loop {
            let waits = sqlx::query_scalar::<_, bool>(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'idempotency'::regclass)",
            );
            tokio::select! {
                biased;
                ended = &mut count => panic!("the table is locked: {ended:?}"),
                waits = waits.fetch_one(&mut *lock) => if waits.expect("the locks are seen") { break },
            }
        }
        drop(count);
        lock.commit().await.expect("the table is free");
        let mut next = call();
        let answer = store.read_one(&mut next, async |tx| {
            Ok::<_, Failure>(
                sqlx::query_scalar::<_, i32>("SELECT $1")
                    .bind(round)
                    .fetch_one(tx.sql())
                    .await?,
            )
        });
        assert_eq!(answer.await.expect("the only connection is well"), round);
    }
}
