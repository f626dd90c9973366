//! What watchers are told: a log per resource, and signals that wake its watchers.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aex_kit::Signal;
use prost::Message;
use uuid::Uuid;

use crate::{Failure, Store, Tx, sql};

/// How often the log is read for what other replicas wrote.
const LOOK: Duration = Duration::from_millis(250);
/// How far back such a reading goes: longer than a transaction lives between its stamp and its commit.
const BACK: Duration = Duration::from_secs(10);
/// Messages that one round of a watch reads.
const ROUND: i64 = 100;

/// Wakes the watchers of each resource.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<Uuid, Signal>>);

impl Watches {
    pub(crate) fn wake(&self, resource: Uuid) {
        if let Some(signal) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&resource)
        {
            signal.wake();
        }
    }
}

/// One resource under watch by at least one stream; forgotten when the last of its signals goes.
pub struct Watched {
    store: Store,
    resource: Uuid,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl Watched {
    /// The signal that something was told.
    pub fn signal(&self) -> Signal {
        let mut watches = self
            .store
            .0
            .watches
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        watches.entry(self.resource).or_default().clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut watches = self
            .store
            .0
            .watches
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // One for the table, one for each stream that is still open.
        if watches
            .get(&self.resource)
            .is_some_and(|signal| signal.watchers() <= 1)
        {
            watches.remove(&self.resource);
        }
    }
}

impl Store {
    /// Puts a resource under watch.
    pub fn watched(&self, resource: Uuid) -> Watched {
        Watched {
            store: self.clone(),
            resource,
        }
    }

    /// One reader for all streams of the service: it wakes the watchers of what other replicas told.
    pub fn start_watch_reader(&self) {
        let store = self.clone();
        self.runtime().clone().spawn_until_stop(async move {
            loop {
                store.runtime().pause(LOOK).await;
                let watched: Vec<Uuid> = store
                    .0
                    .watches
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .keys()
                    .copied()
                    .collect();
                if watched.is_empty() {
                    continue;
                }
                match store.told_lately(&watched).await {
                    Ok(told) => told
                        .into_iter()
                        .for_each(|resource| store.0.watches.wake(resource)),
                    Err(error) => tracing::warn!(%error, "cannot read the watch log"),
                }
            }
        });
    }

    async fn told_lately(&self, watched: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
        let since = self.runtime().now().saturating_sub(BACK);
        let told = sqlx::query_scalar(sql!(
            "SELECT DISTINCT resource_id FROM watch_log WHERE create_time > $1 AND resource_id = ANY($2)"
        ))
        .bind(chrono::DateTime::from(since))
        .bind(watched)
        .fetch_all(&self.0.pool)
        .await?;
        Ok(told)
    }
}

impl Tx<'_> {
    /// The version of the last message that a resource's watchers were told; 0 when they were told nothing.
    pub async fn told_until(&mut self, resource: Uuid) -> Result<u64, Failure> {
        let last: i64 = sqlx::query_scalar(sql!(
            "SELECT COALESCE(MAX(version), 0) FROM watch_log WHERE resource_id = $1"
        ))
        .bind(resource)
        .fetch_one(self.sql())
        .await?;
        Ok(u64::try_from(last).unwrap_or_default())
    }

    /// What a resource's watchers were told after a version, with the version of each message.
    pub async fn told<M: Message + Default>(
        &mut self,
        resource: Uuid,
        after: u64,
    ) -> Result<Vec<(u64, M)>, Failure> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(sql!(
            "SELECT version, message FROM watch_log WHERE resource_id = $1 AND version > $2 ORDER BY version LIMIT $3"
        ))
        .bind(resource)
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(ROUND)
        .fetch_all(self.sql())
        .await?;
        rows.into_iter()
            .map(|(version, message)| {
                let message =
                    M::decode(message.as_slice()).map_err(|error| Failure::corrupt(error.to_string()))?;
                Ok((u64::try_from(version).unwrap_or_default(), message))
            })
            .collect()
    }
}
