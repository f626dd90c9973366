//! Evaluations in their table: one row each, written once.

use aex_store::{Failure, Folding, Tx, sql};
use aex_types::{Timestamp, WorkId};
use chrono::{DateTime, Utc};
use prost::Message as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    convert,
    domain::evaluation::{Evaluation, Event},
};

/// The index that keeps a second evaluation of one work out.
const ONE_PER_WORK: &str = "evaluation_by_work";

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    evaluation_id: Uuid,
    verdict: Vec<u8>,
    version: i64,
    create_time: DateTime<Utc>,
}

/// The evaluation of a work, when there is one.
pub(crate) async fn of_work(tx: &mut Tx<'_>, work: WorkId) -> Result<Option<Evaluation>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!(
        "SELECT evaluation_id, verdict, version, create_time FROM evaluation WHERE work_id = $1"
    ))
    .bind(work.uuid())
    .fetch_optional(tx.sql())
    .await?;
    row.map(Evaluation::try_from).transpose()
}

/// What was decided, made true: folded, saved, and published with the same commit.
pub(crate) async fn record(tx: &mut Tx<'_>, events: &[Event]) -> Result<Evaluation, Failure> {
    let [event] = events else {
        return Err(Failure::corrupt("an evaluation is one event"));
    };
    let after = follow(event)?;
    // Written out once, for the column and for the event.
    let payload = convert::payload(&after);
    save(tx.sql(), &[(&after, payload.encode_to_vec())]).await?;
    tx.publish([convert::fact(&after, &payload)]);
    Ok(after)
}

/// Is it the refusal of a second evaluation of one work?
pub(crate) fn is_second(failure: &Failure) -> bool {
    failure.is_duplicate(ONE_PER_WORK)
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let after: Vec<_> = events.iter().map(follow).collect::<Result<_, _>>()?;
    let rows: Vec<_> = after
        .iter()
        .map(|one| (one, convert::payload(one).encode_to_vec()))
        .collect();
    save(folding.sql(), &rows).await
}

fn follow(event: &Event) -> Result<Evaluation, Failure> {
    let after = Evaluation::after(None, event);
    after.ok_or_else(|| Failure::corrupt(format!("an event does not follow: {}", event.evaluation_id)))
}

/// Saves evaluations, each with what stands in its column.
async fn save(sql: &mut PgConnection, evaluations: &[(&Evaluation, Vec<u8>)]) -> Result<(), Failure> {
    let all = || evaluations.iter().map(|(one, _)| *one);
    sqlx::query(sql!(
        "INSERT INTO evaluation (evaluation_id, work_id, consumer_id, status, verdict, version, create_time)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bigint[],
                              $7::timestamptz[])"
    ))
    .bind(all().map(|one| one.id.uuid()).collect::<Vec<_>>())
    .bind(all().map(|one| one.work_id.uuid()).collect::<Vec<_>>())
    .bind(all().map(|one| one.consumer_id.uuid()).collect::<Vec<_>>())
    .bind(
        all()
            .map(|one| one.result.status().to_string())
            .collect::<Vec<_>>(),
    )
    .bind(
        evaluations
            .iter()
            .map(|(_, verdict)| verdict.as_slice())
            .collect::<Vec<_>>(),
    )
    .bind(
        all()
            .map(|one| i64::try_from(one.version).unwrap_or(i64::MAX))
            .collect::<Vec<_>>(),
    )
    .bind(
        all()
            .map(|one| DateTime::<Utc>::from(one.create_time))
            .collect::<Vec<_>>(),
    )
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Evaluation {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = || Failure::corrupt(format!("evaluation {}", row.evaluation_id));
        let event = Event {
            evaluation_id: row.evaluation_id.into(),
            version: u64::try_from(row.version).map_err(|_| broken())?,
            time: Timestamp::from(row.create_time),
            change: convert::verdict_from(&row.verdict).ok_or_else(broken)?,
        };
        Self::after(None, &event).ok_or_else(broken)
    }
}
