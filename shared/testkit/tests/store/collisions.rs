//! Transactions that stand in each other's way, calls that come too many or run out of time, and replicas of two releases.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aex_error::status;
use aex_kit::Call;
use aex_store::{Connect, Failure, Store, Tx};
use aex_testkit::{Database, Refused, Shape, World};
use tokio::sync::{Barrier, Notify};
use tonic::Code;

use crate::SCHEMA;

fn call(world: &World) -> Call {
    Call::own(world.runtime(), "example", "test", Duration::from_secs(10))
}

/// Is there a connection for a transaction that does nothing?
async fn nothing(store: &Store, world: &World) -> Result<(), Failure> {
    store.work(&mut call(world), async |_| Ok(())).await
}

async fn count(tx: &mut Tx<'_>, consumer: &str) -> Result<(), Failure> {
    sqlx::query("UPDATE feed SET sequence = sequence + 1 WHERE consumer = $1")
        .bind(consumer)
        .execute(tx.sql())
        .await?;
    Ok(())
}

#[tokio::test]
async fn of_two_transactions_that_wait_for_each_other_both_come_about() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let rows = "INSERT INTO feed (consumer, sequence) VALUES ('one', 0), ('other', 0)";
    database.execute(rows).await;
    let (both_have_one, attempts) = (Barrier::new(2), AtomicU32::new(0));
    let crossing = async |first: &'static str, second: &'static str| {
        let (both_have_one, attempts) = (&both_have_one, &attempts);
        store
            .work(&mut call(&world), async move |tx| {
                count(tx, first).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                    both_have_one.wait().await;
                }
                count(tx, second).await
            })
            .await
    };
    let (one, other) = tokio::join!(crossing("one", "other"), crossing("other", "one"));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert_eq!(attempts.into_inner(), 3, "one of them ran twice");
    let both = "DELETE FROM feed WHERE sequence = 2";
    assert_eq!(database.execute(both).await, 2, "each took effect once");
}

#[tokio::test]
async fn a_statement_ends_with_the_time_of_its_call() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let mut call = Call::own(world.runtime(), "example", "test", Duration::from_millis(100));
    let ended = store
        .work(&mut call, async |tx| {
            sqlx::query("SELECT pg_sleep(60)").execute(tx.sql()).await?;
            Ok::<_, Failure>(())
        })
        .await;
    let refused = Refused::from(status(&ended.expect_err("a minute is longer than its call")));
    assert_eq!(refused.why(), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn who_finds_all_connections_taken_is_told_so_and_not_kept_for_ever() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let connect = Connect {
        max_connections: 1,
        acquire: Duration::from_millis(50),
        ..database.connect().clone()
    };
    let store = Store::attach(&SCHEMA, &connect, world.runtime());
    let (has_it, lets_go) = (Notify::new(), Notify::new());
    let mut first = call(&world);
    let held = store.work(&mut first, async |tx| {
        count(tx, "nobody").await?;
        has_it.notify_one();
        lets_go.notified().await;
        Ok::<_, Failure>(())
    });
    let others = async {
        has_it.notified().await;
        let asked = async || {
            let none = nothing(&store, &world).await;
            Refused::from(status(&none.expect_err("the only connection is taken")))
        };
        // More than may wait: those are refused at once, the others when their patience ends.
        for refused in futures::future::join_all((0..100).map(|_| asked())).await {
            assert_eq!(refused.why(), (Code::Unavailable, "OVERLOADED"));
        }
        lets_go.notify_one();
    };
    let (held, ()) = tokio::join!(held, others);
    assert!(held.is_ok());
    let after = nothing(&store, &world).await;
    assert!(after.is_ok(), "the connection is there again");
}

#[tokio::test]
async fn an_older_replica_starts_on_tables_that_a_newer_one_has_migrated() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    for table in ["shared_migration", "migration"] {
        let newer = format!(
            "INSERT INTO {table} (version, description, installed_on, success, checksum, execution_time)
             VALUES (9999, 'of a later release', now(), true, '', 0)"
        );
        assert_eq!(database.execute(&newer).await, 1);
    }
    database
        .execute("ALTER TABLE feed ADD COLUMN of_a_later_release text")
        .await;
    let opened = Store::open(&SCHEMA, database.connect(), world.runtime()).await;
    let store = opened.expect("what is newer is left alone");
    let counted = store
        .work(&mut call(&world), async |tx| count(tx, "nobody").await)
        .await;
    assert!(counted.is_ok());
}
