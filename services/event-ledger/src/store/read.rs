//! Reads the log. One reading looks at a bounded number of events, wanted or not, so that a filter that hardly anything
//! fits cannot make it read the whole log; the next one goes on where it ended.

use aex_store::{Failure, Tx, sql};
use aex_types::{TenantId, Timestamp};
use chrono::{DateTime, Utc};

use super::{bound, head, place, stored_hash};
use crate::{
    domain::filter::{Filter, Types},
    log::{Batch, Measure, Stored},
};

/// Events that one step looks at, and steps of one reading.
const STEP: i64 = 4_096;
const STEPS: u32 = 32;

type Row = (i64, Vec<u8>, Vec<u8>, DateTime<Utc>);

/// What follows a place.
pub(crate) async fn after(
    tx: &mut Tx<'_>,
    mut place: u64,
    filter: &Filter,
    viewer: Option<TenantId>,
    measure: Measure,
) -> Result<Batch, Failure> {
    let end = head(tx).await?.sequence;
    for _ in 0..STEPS {
        let window = window(tx, place, end, filter, viewer).await?;
        let batch = step(tx, place, &window, filter, measure).await?;
        let is_last = batch.upto >= end;
        if !batch.events.is_empty() || is_last {
            return Ok(Batch { is_last, ..batch });
        }
        place = batch.upto;
    }
    Ok(Batch {
        upto: place,
        ..Batch::default()
    })
}

/// The events that one step looks at.
struct Window {
    /// Only these; `None` means all up to the end.
    places: Option<Vec<i64>>,
    /// The last place that the window covers.
    upto: u64,
}

async fn window(
    tx: &mut Tx<'_>,
    after: u64,
    end: u64,
    filter: &Filter,
    viewer: Option<TenantId>,
) -> Result<Window, Failure> {
    let places: Vec<i64> = match (viewer, &filter.aggregate_id) {
        (None, None) => {
            let upto = after.saturating_add(STEP.unsigned_abs()).min(end.max(after));
            return Ok(Window { places: None, upto });
        }
        (Some(viewer), None) => sqlx::query_scalar(sql!(
            "SELECT sequence FROM visible WHERE tenant_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
        ))
        .bind(viewer.uuid())
        .bind(bound(after))
        .bind(STEP)
        .fetch_all(tx.sql())
        .await?,
        (viewer, Some(aggregate)) => {
            sqlx::query_scalar(sql!(
                "SELECT sequence FROM event WHERE aggregate_id = $1 AND sequence > $2
                     AND ($4::uuid IS NULL OR EXISTS (
                         SELECT 1 FROM visible WHERE tenant_id = $4 AND visible.sequence = event.sequence))
                 ORDER BY sequence LIMIT $3"
            ))
            .bind(aggregate)
            .bind(bound(after))
            .bind(STEP)
            .bind(viewer.map(TenantId::uuid))
            .fetch_all(tx.sql())
            .await?
        }
    };
    let is_full = places.len() as u64 == STEP.unsigned_abs();
    let upto = match places.last() {
        Some(last) if is_full => place(*last)?,
        _ => end.max(after),
    };
    Ok(Window {
        places: Some(places),
        upto,
    })
}

async fn step(
    tx: &mut Tx<'_>,
    after: u64,
    window: &Window,
    filter: &Filter,
    measure: Measure,
) -> Result<Batch, Failure> {
    let wanted = wanted(tx, after, window, filter, measure.events).await?;
    let mut bytes = 0;
    let fits = wanted.iter().take_while(|(_, length)| {
        bytes += usize::try_from(*length).unwrap_or_default();
        bytes <= measure.bytes
    });
    let count = fits.count().max(1);
    // More was found than fits, or as much as was asked for: the rest of the window comes next time.
    let is_cut = wanted.len() > count || wanted.len() == measure.events;
    let places: Vec<i64> = wanted.into_iter().take(count).map(|(place, _)| place).collect();
    let events = fetch(tx, &places).await?;
    let upto = match events.last() {
        Some(last) if is_cut => last.sequence,
        _ => window.upto,
    };
    Ok(Batch {
        events,
        upto,
        is_last: false,
    })
}

/// The first events of a window that the filter wants: places and lengths.
async fn wanted(
    tx: &mut Tx<'_>,
    after: u64,
    window: &Window,
    filter: &Filter,
    most: usize,
) -> Result<Vec<(i64, i32)>, Failure> {
    let types: Option<Vec<String>> =
        (!filter.types.is_empty()).then(|| filter.types.iter().map(like).collect());
    let query = match &window.places {
        None => sqlx::query_as(sql!(
            "SELECT sequence, octet_length(event) FROM event
             WHERE sequence > $1 AND sequence <= $2
                 AND ($3::text[] IS NULL OR type LIKE ANY ($3)) AND ($4::text IS NULL OR producer = $4)
             ORDER BY sequence LIMIT $5"
        ))
        .bind(bound(after)),
        Some(places) => sqlx::query_as(sql!(
            "SELECT sequence, octet_length(event) FROM event
             WHERE sequence = ANY ($1) AND sequence <= $2
                 AND ($3::text[] IS NULL OR type LIKE ANY ($3)) AND ($4::text IS NULL OR producer = $4)
             ORDER BY sequence LIMIT $5"
        ))
        .bind(places),
    };
    let wanted = query
        .bind(bound(window.upto))
        .bind(types)
        .bind(filter.producer.as_deref())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(tx.sql())
        .await?;
    Ok(wanted)
}

async fn fetch(tx: &mut Tx<'_>, places: &[i64]) -> Result<Vec<Stored>, Failure> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT sequence, event, hash, append_time FROM event WHERE sequence = ANY ($1) ORDER BY sequence"
    ))
    .bind(places)
    .fetch_all(tx.sql())
    .await?;
    let stored = |(sequence, event, hash, append_time): Row| {
        Ok(Stored {
            sequence: place(sequence)?,
            bytes: event.into(),
            hash: stored_hash(&hash)?,
            append_time: Timestamp::from(append_time),
        })
    };
    rows.into_iter().map(stored).collect()
}

/// Types as a pattern of LIKE.
fn like(types: &Types) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
    match types {
        Types::One(one) => escaped(one),
        Types::Below(prefix) => format!("{}%", escaped(prefix)),
    }
}
