//! Brings committed events to the event ledger: one relay per service at a time, in order, again after a failure.

use std::time::Duration;

use aex_error::chain;
use aex_kit::{Call, Link};
use aex_proto::aex::event_ledger::v1::{
    AppendRequest, event_ledger_service_client::EventLedgerServiceClient,
};
use aex_types::Timestamp;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Failure, Store, pace::Pace, sql};

/// How long the outbox stays with a relay that has died: two looks, by which one that lives renews it. When it ends
/// during an append, another relay sends the same events, which the ledger knows already.
const LEASE: Duration = Duration::from_secs(2);
/// What must be left of a lease for a round to begin without taking it again: more than the time to the next look.
const LEASE_LEFT: Duration = Duration::from_millis(1200);
/// Events of one batch, and their bytes.
const BATCH: i64 = 500;
const BATCH_BYTES: usize = 1 << 20;
/// The pause after a failure; it doubles up to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// How often a relay looks without being woken: for events of other replicas, and for a lease that was left.
const LOOK: Duration = Duration::from_secs(1);
/// The time of one append; a round that takes longer than what is left of the lease is given up.
const APPEND: Duration = Duration::from_secs(4);

type Row = (DateTime<Utc>, String, i64, Vec<u8>);

/// Starts the relay of a service, and the sweeping of its old replies.
pub fn relay(store: &Store, service: &'static str, ledger: Link) {
    store.start_sweeper();
    let mut relay = Relay {
        store: store.clone(),
        service,
        ledger,
        holder: new_holder(store),
        held_until: None,
    };
    let runtime = store.runtime().clone();
    store.runtime().spawn_needed(async move {
        tokio::select! {
            () = relay.run() => {}
            () = runtime.stopping() => {}
        }
        relay.give_up_lease().await;
    });
}

pub(crate) fn new_holder(store: &Store) -> Uuid {
    let id: aex_types::EventId = store.runtime().id();
    id.uuid()
}

struct Relay {
    store: Store,
    service: &'static str,
    ledger: Link,
    holder: Uuid,
    held_until: Option<Timestamp>,
}

impl Relay {
    async fn run(&mut self) {
        let mut signal = self.store.0.outbox.clone();
        let mut pause = BACK_OFF.0;
        let mut pace = Pace::new();
        loop {
            match self.round().await {
                Ok(true) => pause = BACK_OFF.0,
                Ok(false) => {
                    pause = BACK_OFF.0;
                    signal.wait_at_most(LOOK).await;
                    pace.next(self.store.runtime()).await;
                }
                Err(error) => {
                    tracing::warn!(service = self.service, error = %chain(&error), "the relay waits");
                    self.store.runtime().pause(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                }
            }
        }
    }

    /// Relays one batch. Is there more? What is committed after the batch was read wakes the relay again, so a batch that
    /// is not full was the last one for now; so is none, or another replica's lease.
    async fn round(&mut self) -> Result<bool, RelayError> {
        if !self.holds_lease().await? {
            return Ok(false);
        }
        let mut session = self.store.session().await?;
        let rows: Vec<Row> = sqlx::query_as(sql!(
            "SELECT occur_time, aggregate_id, aggregate_version, event FROM outbox
             ORDER BY occur_time, aggregate_id, aggregate_version LIMIT $1"
        ))
        .bind(BATCH)
        .fetch_all(session.sql())
        .await
        .map_err(Failure::from)?;
        session.release();
        let found = rows.len();
        let mut batch = cut(rows);
        if batch.is_empty() {
            return Ok(false);
        }
        let is_more = batch.len() < found || i64::try_from(found) == Ok(BATCH);
        let events = batch
            .iter_mut()
            .map(|row| Bytes::from(std::mem::take(&mut row.3)))
            .collect();
        let call = Call::own(self.store.runtime(), self.service, "relay", APPEND);
        EventLedgerServiceClient::new(self.ledger.on(&call))
            .max_encoding_message_size(usize::MAX)
            .append(AppendRequest { events })
            .await?;
        self.forget(&batch).await?;
        Ok(is_more)
    }

    async fn holds_lease(&mut self) -> Result<bool, Failure> {
        let now = self.store.runtime().now();
        let needed = now.saturating_add(LEASE_LEFT);
        if self.held_until.is_some_and(|until| until >= needed) {
            return Ok(true);
        }
        let until = now.saturating_add(LEASE);
        let mut session = self.store.session().await?;
        let held = sqlx::query(sql!(
            "INSERT INTO lease (name, holder, until_time) VALUES ('relay', $1, $3)
             ON CONFLICT (name) DO UPDATE SET holder = $1, until_time = $3
             WHERE lease.holder = $1 OR lease.until_time < $2"
        ))
        .bind(self.holder)
        .bind(DateTime::<Utc>::from(now))
        .bind(DateTime::<Utc>::from(until))
        .execute(session.sql())
        .await?;
        session.release();
        self.held_until = (held.rows_affected() == 1).then_some(until);
        Ok(self.held_until.is_some())
    }

    /// Who ends leaves the lease, so that its successor need not wait until it runs out.
    async fn give_up_lease(&self) {
        let left = async {
            let mut session = self.store.session().await?;
            sqlx::query(sql!("DELETE FROM lease WHERE name = 'relay' AND holder = $1"))
                .bind(self.holder)
                .execute(session.sql())
                .await?;
            session.release();
            Ok::<_, Failure>(())
        };
        if let Err(error) = left.await {
            tracing::info!(service = self.service, %error, "the relay's lease runs out by itself");
        }
    }

    /// The ledger has them: they need not be kept here. Nobody waits for the disk: rows that a crash brings back are sent
    /// again, and the ledger knows them.
    async fn forget(&self, batch: &[Row]) -> Result<(), Failure> {
        let times: Vec<_> = batch.iter().map(|row| row.0).collect();
        let ids: Vec<_> = batch.iter().map(|row| row.1.as_str()).collect();
        let versions: Vec<_> = batch.iter().map(|row| row.2).collect();
        let mut session = self.store.session().await?;
        sqlx::query(sql!(
            "DELETE FROM outbox
             USING set_config('synchronous_commit', 'off', true) AS unsynced,
                 UNNEST($1::timestamptz[], $2::text[], $3::bigint[]) AS sent (time, id, version)
             WHERE occur_time = sent.time AND aggregate_id = sent.id AND aggregate_version = sent.version"
        ))
        .bind(times)
        .bind(ids)
        .bind(versions)
        .execute(session.sql())
        .await?;
        session.release();
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] Failure),
    #[error("the event ledger does not take the events: {0}")]
    Ledger(#[from] tonic::Status),
}

/// The rows up to the size of a batch; at least one.
fn cut(mut rows: Vec<Row>) -> Vec<Row> {
    let mut bytes = 0;
    let fits = rows.iter().take_while(|row| {
        bytes += row.3.len();
        bytes <= BATCH_BYTES
    });
    let count = fits.count().max(1);
    rows.truncate(count);
    rows
}
