//! Recomputes the chain from the stored bytes. Rows are taken one by one as they arrive, so that the length of the range
//! costs time and no memory.

use aex_store::{Failure, Tx, sql};
use futures::TryStreamExt as _;

use super::{bound, head, place};
use crate::domain::chain::Hash;

/// What a check of the chain found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// Events that fit.
    pub(crate) checked: u64,
    /// Where to go on; 0 at the end of the log.
    pub(crate) next: u64,
    /// The first event that does not fit, and what does not.
    pub(crate) broken: Option<(u64, &'static str)>,
}

impl Verdict {
    /// Nothing builds on an event that is missing: the hash of the one after it is taken as it stands, and the check goes on
    /// behind that, if only to the end of the log.
    fn missing(checked: u64, sequence: u64, end: u64) -> Self {
        let next = sequence.saturating_add(2);
        Self {
            checked,
            next: if next <= end.saturating_add(1) { next } else { 0 },
            broken: Some((sequence, "the event is missing")),
        }
    }
}

type Row = (i64, Vec<u8>, Vec<u8>);

/// Checks at most so many events from a place on.
pub(crate) async fn chain(tx: &mut Tx<'_>, from: u64, most: u64) -> Result<Verdict, Failure> {
    let end = head(tx).await?;
    let from = from.max(1);
    let upto = end.sequence.min(from.saturating_add(most).saturating_sub(1));
    let Some(mut before) = hash_before(tx, from).await? else {
        let is_missing = from <= end.sequence.saturating_add(1);
        return Ok(if is_missing {
            Verdict::missing(0, from.saturating_sub(1), end.sequence)
        } else {
            Verdict::default()
        });
    };
    let mut expected = from;
    let mut broken = None;
    {
        let mut rows = sqlx::query_as::<_, Row>(sql!(
            "SELECT sequence, event, hash FROM event WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence"
        ))
        .bind(bound(from))
        .bind(bound(upto))
        .fetch(tx.sql());
        while let Some((sequence, event, hash)) = rows.try_next().await? {
            if place(sequence)? != expected {
                break;
            }
            before = before.then(&event);
            if Hash::read(&hash) != Some(before) {
                broken = Some((expected, "its bytes, its hash or the hash before it were changed"));
                break;
            }
            expected = expected.saturating_add(1);
        }
    }
    let checked = expected.saturating_sub(from);
    if broken.is_none() && expected <= upto {
        return Ok(Verdict::missing(checked, expected, end.sequence));
    }
    if broken.is_none() && upto == end.sequence && before != end.hash {
        broken = Some((upto, "its hash is not the one that the end of the log has"));
    }
    if broken.is_none() && upto == end.sequence && exists_beyond(tx, upto).await? {
        broken = Some((upto.saturating_add(1), "it stands beyond the end of the log"));
    }
    let next = broken.map_or(expected, |(sequence, _)| sequence.saturating_add(1));
    Ok(Verdict {
        checked,
        next: if next <= end.sequence { next } else { 0 },
        broken,
    })
}

/// The stored hash that a place builds on; `None` when the event before is not there.
async fn hash_before(tx: &mut Tx<'_>, from: u64) -> Result<Option<Hash>, Failure> {
    if from <= 1 {
        return Ok(Some(Hash::START));
    }
    let hash: Option<Vec<u8>> = sqlx::query_scalar(sql!("SELECT hash FROM event WHERE sequence = $1"))
        .bind(bound(from.saturating_sub(1)))
        .fetch_optional(tx.sql())
        .await?;
    // A hash of another length cannot be built on: whatever follows it does not fit.
    Ok(hash.map(|hash| Hash::read(&hash).unwrap_or(Hash::START)))
}

async fn exists_beyond(tx: &mut Tx<'_>, end: u64) -> Result<bool, Failure> {
    let exists = sqlx::query_scalar(sql!("SELECT EXISTS (SELECT 1 FROM event WHERE sequence > $1)"))
        .bind(bound(end))
        .fetch_one(tx.sql())
        .await?;
    Ok(exists)
}
