//! Follows the event ledger: each event takes effect once, because its effect and the consumer's position are one
//! transaction.

use std::{future::Future, sync::Arc, time::Duration};

use aex_error::{Explain, chain};
use aex_kit::{Call, Link};
use aex_proto::aex::{
    common::v1::Event,
    event_ledger::v1::{
        EventFilter, StoredEvent, TailEventsRequest, TailEventsResponse,
        event_ledger_service_client::EventLedgerServiceClient,
    },
};
use futures::{FutureExt as _, Stream, StreamExt as _};
use prost::Message as _;
use tokio::time::Instant;
use tonic::Status;

use crate::{Failure, Store, Tx, pace::Pace, sql};

/// The time of one transaction of a follower.
const EFFECT: Duration = Duration::from_secs(10);
/// The pause after a failure; it doubles up to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// A tail that says nothing for so long is opened anew.
const SILENCE: Duration = Duration::from_secs(30);
/// A transaction that has so many events takes no more messages in.
const TOGETHER: usize = 100;
/// How long an event that may wait for others waits.
const PATIENCE: Duration = Duration::from_millis(250);
/// The largest message of a tail.
const MESSAGE: usize = 17 << 18;

/// What a service does with the events of others.
pub trait Follower: Send + Sync + 'static {
    /// The name of its position.
    const NAME: &'static str;
    /// The types that it wants: `work.submitted`, `contract.*`.
    const TYPES: &'static [&'static str];
    /// Those of them that nobody waits for: they wait up to a quarter of a second to take effect with what follows. Meant
    /// for those whose effect is large, so that it does not stand in the way of what others do about the same event.
    const PATIENT: &'static [&'static str] = &[];
    /// Why an event could not be handled; it is tried again, and no later one before it.
    type Error: Explain + From<Failure> + Send;

    /// The effect of events, in their order, on the service's own tables. What needs a peer is scheduled as a job. However
    /// the log is cut into batches, the effect is the same: each event meets what those before it left behind. One that
    /// cannot be handled fails the batch, and then each is handled alone.
    fn handle(
        &self,
        tx: &mut Tx<'_>,
        events: &[Event],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Starts a follower.
pub fn follow<F: Follower>(store: &Store, service: &'static str, ledger: Link, follower: Arc<F>) {
    debug_assert!(F::PATIENT.iter().all(|patient| F::TYPES.contains(patient)));
    let feed = Feed {
        store: store.clone(),
        service,
        ledger,
        follower,
    };
    store.runtime().clone().spawn_until_stop(feed.run());
}

struct Feed<F> {
    store: Store,
    service: &'static str,
    ledger: Link,
    follower: Arc<F>,
}

impl<F: Follower> Feed<F> {
    async fn run(self) {
        let mut pause = BACK_OFF.0;
        loop {
            match self.tail(&mut pause).await {
                Ok(()) => pause = BACK_OFF.0,
                Err(error) => {
                    tracing::debug!(consumer = F::NAME, error, "the feed is opened anew");
                    self.store.runtime().pause(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                }
            }
        }
    }

    /// Follows one tail until it ends.
    async fn tail(&self, pause: &mut Duration) -> Result<(), String> {
        let mut position = self.position().await.map_err(|error| error.to_string())?;
        let request = TailEventsRequest {
            filter: Some(EventFilter {
                types: F::TYPES.iter().map(ToString::to_string).collect(),
                ..EventFilter::default()
            }),
            after_sequence: position,
        };
        let call = Call::own(self.store.runtime(), self.service, F::NAME, EFFECT);
        let mut tail = EventLedgerServiceClient::new(self.ledger.on(&call))
            .max_decoding_message_size(MESSAGE)
            .tail_events(request)
            .await
            .map_err(|error| error.to_string())?
            .into_inner();
        let mut pace = Pace::new();
        loop {
            let message = tokio::time::timeout(SILENCE, tail.message())
                .await
                .map_err(|_| "silence".to_owned())?;
            match message.map_err(|error| error.to_string())? {
                None => return Ok(()),
                Some(batch) => {
                    let mut batch = company::<F>(batch, &mut tail)
                        .await
                        .map_err(|error| error.to_string())?;
                    if batch.events.len() < TOGETHER {
                        pace.next(self.store.runtime()).await;
                        batch = gathered(batch, &mut tail).map_err(|error| error.to_string())?;
                    }
                    position = self
                        .apply(&call, &batch, position)
                        .await
                        .map_err(|error| error.to_string())?;
                    *pause = BACK_OFF.0;
                }
            }
        }
    }

    /// Applies a batch in one transaction; when that fails, event by event, so that one bad event holds up only what
    /// comes after it. Answers how far the follower has come. A sign of life brings no events and moves it on too:
    /// what it passed over need not be read again.
    async fn apply(&self, call: &Call, batch: &TailEventsResponse, position: u64) -> Result<u64, F::Error> {
        let last = batch.events.last().map_or(position, |last| last.sequence);
        let reached = last.max(batch.resume_sequence);
        if reached <= position {
            return Ok(position);
        }
        let whole = self.effect(call, &batch.events, (position, reached)).await;
        if whole.is_ok() || batch.events.is_empty() {
            return whole.map(|()| reached);
        }
        let mut position = position;
        for event in &batch.events {
            let step = (position, event.sequence);
            if let Err(error) = self.effect(call, std::slice::from_ref(event), step).await {
                tracing::warn!(consumer = F::NAME, sequence = event.sequence, error = %chain(&error), "an event waits");
                return Err(error);
            }
            position = event.sequence;
        }
        Ok(last)
    }

    async fn effect(&self, call: &Call, events: &[StoredEvent], step: (u64, u64)) -> Result<(), F::Error> {
        let mut call = call.renewed();
        let follower = &self.follower;
        self.store
            .work(&mut call, async move |tx| {
                let handled = moved_on(tx, F::NAME, step).await?;
                let news = events
                    .iter()
                    .filter(|stored| stored.sequence > handled)
                    .map(|stored| Event::decode(stored.event.clone()))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| Failure::corrupt(error.to_string()))?;
                if !news.is_empty() {
                    follower.handle(tx, &news).await?;
                }
                Ok(())
            })
            .await
    }

    async fn position(&self) -> Result<u64, Failure> {
        let mut session = self.store.session().await?;
        let position: Option<i64> = sqlx::query_scalar(sql!("SELECT sequence FROM feed WHERE consumer = $1"))
            .bind(F::NAME)
            .fetch_optional(session.sql())
            .await?;
        session.release();
        Ok(position
            .and_then(|position| u64::try_from(position).ok())
            .unwrap_or_default())
    }
}

/// A batch with what else has arrived by now; while all of it may wait, also with what arrives in the time for that.
async fn company<F: Follower>(
    mut batch: TailEventsResponse,
    tail: &mut (impl Stream<Item = Result<TailEventsResponse, Status>> + Unpin),
) -> Result<TailEventsResponse, Status> {
    let until = Instant::now() + PATIENCE;
    let mut judged = 0;
    loop {
        batch = gathered(batch, tail)?;
        let count = batch.events.len();
        let may_wait = batch.events.iter().skip(judged).all(is_patient::<F>);
        if count == judged || count >= TOGETHER || !may_wait {
            return Ok(batch);
        }
        judged = count;
        match tokio::time::timeout_at(until, tail.next()).await {
            Err(_) | Ok(None) => return Ok(batch),
            Ok(Some(more)) => join(&mut batch, more?),
        }
    }
}

/// A batch and what else has arrived by now, up to a bound: while one transaction ran, several messages may have come,
/// and they go together.
fn gathered(
    mut batch: TailEventsResponse,
    tail: &mut (impl Stream<Item = Result<TailEventsResponse, Status>> + Unpin),
) -> Result<TailEventsResponse, Status> {
    while batch.events.len() < TOGETHER
        && let Some(Some(more)) = tail.next().now_or_never()
    {
        join(&mut batch, more?);
    }
    Ok(batch)
}

fn join(batch: &mut TailEventsResponse, more: TailEventsResponse) {
    batch.events.extend(more.events);
    batch.resume_sequence = batch.resume_sequence.max(more.resume_sequence);
}

/// Whether a follower lets an event wait for others.
fn is_patient<F: Follower>(stored: &StoredEvent) -> bool {
    !F::PATIENT.is_empty()
        && Event::decode(stored.event.clone()).is_ok_and(|event| F::PATIENT.contains(&event.r#type.as_str()))
}

/// Moves the consumer's position, and answers what is handled: where it really stood. The row is held until the commit,
/// so that a second replica's follower waits until this one has moved on.
async fn moved_on(tx: &mut Tx<'_>, consumer: &str, (from, to): (u64, u64)) -> Result<u64, Failure> {
    if move_position(tx, consumer, (from, to)).await? {
        return Ok(from);
    }
    // It does not stand where this follower has left it: there is none yet, or a second replica has moved it.
    let handled = lock_position(tx, consumer).await?;
    if to > handled {
        move_position(tx, consumer, (handled, to)).await?;
    }
    Ok(handled)
}

async fn lock_position(tx: &mut Tx<'_>, consumer: &str) -> Result<u64, Failure> {
    if let Some(position) = held_position(tx, consumer).await? {
        return Ok(position);
    }
    sqlx::query(sql!(
        "INSERT INTO feed (consumer, sequence) VALUES ($1, 0) ON CONFLICT DO NOTHING"
    ))
    .bind(consumer)
    .execute(tx.sql())
    .await?;
    // A second replica may have made the row, and moved it, meanwhile.
    Ok(held_position(tx, consumer).await?.unwrap_or_default())
}

async fn held_position(tx: &mut Tx<'_>, consumer: &str) -> Result<Option<u64>, Failure> {
    let position: Option<i64> =
        sqlx::query_scalar(sql!("SELECT sequence FROM feed WHERE consumer = $1 FOR UPDATE"))
            .bind(consumer)
            .fetch_optional(tx.sql())
            .await?;
    Ok(position.map(|position| u64::try_from(position).unwrap_or_default()))
}

/// Moves the position on from where it is thought to stand; `false` when it does not stand there.
async fn move_position(tx: &mut Tx<'_>, consumer: &str, (from, to): (u64, u64)) -> Result<bool, Failure> {
    let column = |sequence| i64::try_from(sequence).unwrap_or(i64::MAX);
    let moved = sqlx::query(sql!(
        "UPDATE feed SET sequence = $3 WHERE consumer = $1 AND sequence = $2"
    ))
    .bind(consumer)
    .bind(column(from))
    .bind(column(to))
    .execute(tx.sql())
    .await?;
    Ok(moved.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::stream;

    use super::*;

    const WAITS: &str = "bids.evaluated";
    const GOES: &str = "work.cancelled";

    struct Patient;

    impl Follower for Patient {
        const NAME: &'static str = "patient";
        const TYPES: &'static [&'static str] = &[WAITS, GOES];
        const PATIENT: &'static [&'static str] = &[WAITS];
        type Error = Failure;

        async fn handle(&self, _: &mut Tx<'_>, _: &[Event]) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn message(event_type: &str) -> TailEventsResponse {
        let event = Event {
            r#type: event_type.to_owned(),
            ..Event::default()
        };
        TailEventsResponse {
            events: vec![StoredEvent {
                event: event.encode_to_vec().into(),
                ..StoredEvent::default()
            }],
            resume_sequence: 0,
        }
    }

    /// How many events take effect with the first one, and after how long. None of the others is there when it is looked
    /// for the first time, and the tail stays open after the last.
    async fn together(first: &str, others: &[&str]) -> (usize, Duration) {
        let begun = Instant::now();
        let others = stream::iter(others).then(async |event_type| {
            tokio::task::yield_now().await;
            Ok(message(event_type))
        });
        let mut tail = pin!(others.chain(stream::pending()));
        let batch = company::<Patient>(message(first), &mut tail).await.unwrap();
        (batch.events.len(), begun.elapsed())
    }

    #[tokio::test]
    async fn an_event_that_may_wait_gathers_others_and_in_the_end_goes_alone() {
        for others in [&[] as &[&str], &[WAITS], &[WAITS; 5]] {
            let (count, waited) = together(WAITS, others).await;
            assert_eq!(count, 1 + others.len());
            assert!(waited >= PATIENCE);
        }
    }

    #[tokio::test]
    async fn an_event_that_may_not_wait_goes_at_once_with_what_has_waited() {
        assert_eq!(together(GOES, &[WAITS, WAITS]).await.0, 1);
        assert_eq!(together(WAITS, &[WAITS, GOES, WAITS]).await.0, 3);
        assert_eq!(together(WAITS, &[WAITS; 2 * TOGETHER]).await.0, TOGETHER);
    }

    #[tokio::test]
    async fn a_tail_that_ends_holds_nothing_back_and_one_that_breaks_is_told_again() {
        let ended = company::<Patient>(message(WAITS), &mut stream::empty()).await;
        assert_eq!(ended.unwrap().events.len(), 1);
        let mut broken = stream::iter([Err(Status::unavailable("gone"))]);
        assert!(company::<Patient>(message(WAITS), &mut broken).await.is_err());
    }
}
