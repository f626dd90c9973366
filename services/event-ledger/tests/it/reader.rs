//! A service with two tables, that reads the log and runs jobs: what every service does with the shared store.

use std::time::Duration;

use aex_kit::{Call, Runtime};
use aex_store::{Failure, Schema, Store, Tx};
use aex_testkit::Database;
use uuid::Uuid;

pub static SCHEMA: Schema = Schema {
    name: "test_reader",
    migrations: sqlx::migrate!("./tests/migrations"),
    keeps_keys: false,
    not_replayed: &[],
    set_again: &[],
    set_by_feed: &[],
};

/// The service that it calls itself; one that may read the log.
pub const READER: &str = "settlement";

pub fn store(database: &Database, runtime: &Runtime) -> Store {
    Store::attach(&SCHEMA, database.connect(), runtime)
}

pub fn call(store: &Store) -> Call {
    Call::own(store.runtime(), READER, "test", Duration::from_secs(10))
}

/// Asks again until it is so; a test that never sees it fails.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    asked
        .await
        .unwrap_or_else(|_| panic!("it never came to this: {what}"))
}

/// Notes that an event took effect.
pub async fn see(tx: &mut Tx<'_>, event_id: &str) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO seen (event_id, place, times)
         VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM seen), 1)
         ON CONFLICT (event_id) DO UPDATE SET times = seen.times + 1",
    )
    .bind(event_id)
    .execute(tx.sql())
    .await?;
    Ok(())
}

/// What was seen, in order, and how often.
pub async fn seen(store: &Store) -> Vec<(String, i32)> {
    let mut call = call(store);
    let seen = store.read(&mut call, async |tx| {
        let rows = sqlx::query_as("SELECT event_id, times FROM seen ORDER BY place")
            .fetch_all(tx.sql())
            .await?;
        Ok::<_, Failure>(rows)
    });
    seen.await.unwrap()
}

/// Notes that a job ran.
pub async fn run(tx: &mut Tx<'_>, key: Uuid) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO done (key, runs) VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET runs = done.runs + 1",
    )
    .bind(key)
    .execute(tx.sql())
    .await?;
    Ok(())
}

/// The jobs that ran, and how often.
pub async fn done(store: &Store) -> Vec<(Uuid, i32)> {
    let mut call = call(store);
    let done = store.read(&mut call, async |tx| {
        let rows = sqlx::query_as("SELECT key, runs FROM done ORDER BY key")
            .fetch_all(tx.sql())
            .await?;
        Ok::<_, Failure>(rows)
    });
    done.await.unwrap()
}
