//! What the store does with what the database answers.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aex_error::status;
use aex_kit::Call;
use aex_store::{Failure, Schema, Store};
use aex_testkit::{Database, Refused, Shape, World};
use sqlx::migrate::Migrator;
use tonic::Code;

static SCHEMA: Schema = Schema {
    name: "example",
    migrations: Migrator::DEFAULT,
    keeps_keys: false,
    not_replayed: &[],
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
