//! What watchers are told: a log per resource, and signals that wake its watchers.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aex_error::chain;
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

/// One resource under watch, and how far its watcher has come. The resource is forgotten when the last of its signals
/// goes.
pub struct Watched {
    store: Store,
    resource: Uuid,
    version: u64,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("resource", &self.resource)
            .field("version", &self.version)
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

    /// Everything up to this version was told: the token to resume with.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Passes over what the watchers were told until now.
    pub async fn skip(&mut self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        self.version = tx.told_until(self.resource).await?;
        Ok(())
    }

    /// What was told since, oldest first, with the version of each message; the watcher has then come so far.
    pub async fn news<M: Message + Default>(&mut self, tx: &mut Tx<'_>) -> Result<Vec<(u64, M)>, Failure> {
        let news = tx.told(self.resource, self.version).await?;
        self.version = news.last().map_or(self.version, |(version, _)| *version);
        Ok(news)
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
    /// Puts a resource under watch by one who was told everything up to a version; 0 means nothing yet.
    pub fn watched(&self, resource: Uuid, version: u64) -> Watched {
        Watched {
            store: self.clone(),
            resource,
            version,
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
                    Err(error) => tracing::warn!(error = %chain(&error), "cannot read the watch log"),
                }
            }
        });
    }

    async fn told_lately(&self, watched: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
        let since = self.runtime().now().saturating_sub(BACK);
        // Hardly anything is so new, and only a plan for this moment knows it.
        let mut session = self.planned().await?;
        let told = sqlx::query_scalar(sql!(
            "SELECT DISTINCT resource_id FROM watch_log WHERE create_time > $1 AND resource_id = ANY($2)"
        ))
        .bind(chrono::DateTime::from(since))
        .bind(watched)
        .fetch_all(session.sql())
        .await?;
        Ok(told)
    }
}

impl Tx<'_> {
    /// The version of the last message that a resource's watchers were told; 0 when they were told nothing.
    pub(crate) async fn told_until(&mut self, resource: Uuid) -> Result<u64, Failure> {
        let last: Option<i64> =
            sqlx::query_scalar(sql!("SELECT version FROM watch_head WHERE resource_id = $1"))
                .bind(resource)
                .fetch_optional(self.sql())
                .await?;
        Ok(last.map(unsigned).unwrap_or_default())
    }

    /// What a resource's watchers were told after a version, with the version of each message; after 0, all that is
    /// kept. A version that is behind what is kept, or that was never given, is refused: messages would be missed
    /// unnoticed.
    pub(crate) async fn told<M: Message + Default>(
        &mut self,
        resource: Uuid,
        after: u64,
    ) -> Result<Vec<(u64, M)>, Failure> {
        let rows: Vec<(i64, Option<i64>, Option<Vec<u8>>)> = sqlx::query_as(sql!(
            "SELECT head.version, told.version, told.message
             FROM watch_head head
             LEFT JOIN watch_log told ON told.resource_id = head.resource_id AND told.version > $2
             WHERE head.resource_id = $1 ORDER BY told.version LIMIT $3"
        ))
        .bind(resource)
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(ROUND)
        .fetch_all(self.sql())
        .await?;
        let head = rows.first().map(|(head, ..)| unsigned(*head)).unwrap_or_default();
        let first = rows.first().and_then(|(_, version, _)| version.map(unsigned));
        // Versions have no gaps until they are swept, and then from the oldest on.
        let is_next = first.map_or(after == head, |first| first == after + 1);
        if after != 0 && !is_next {
            return Err(Failure::ResumeToken(after));
        }
        rows.into_iter()
            .filter_map(|(_, version, message)| Some((unsigned(version?), message?)))
            .map(|(version, message)| {
                let message =
                    M::decode(message.as_slice()).map_err(|error| Failure::corrupt(error.to_string()))?;
                Ok((version, message))
            })
            .collect()
    }
}

fn unsigned(version: i64) -> u64 {
    u64::try_from(version).unwrap_or_default()
}
