//! Books in their table, and the one way in which they and their bids change.

use std::collections::{BTreeMap, BTreeSet};

use aex_store::{Fact, Failure, Folding, Tx, sql};
use aex_types::{Amount, BidId, Money, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::bids;
use crate::domain::{
    bid::Bid,
    book::{self, Book, Event, Terms},
};

#[derive(sqlx::FromRow)]
struct Row {
    work_id: Uuid,
    consumer_id: Uuid,
    internal: bool,
    currency: String,
    max_price: Decimal,
    close_time: DateTime<Utc>,
    seal_time: Option<DateTime<Utc>>,
    live_bids: i64,
    total_bids: i64,
    version: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// One book, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: WorkId) -> Result<Option<Book>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM book WHERE work_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Book::try_from).transpose()
}

/// One book, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: WorkId) -> Result<Option<Book>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// One book, held until the commit, made when there is none. Whoever makes it at the same time is waited for.
pub(crate) async fn lock_or_open(tx: &mut Tx<'_>, terms: Terms) -> Result<Book, Failure> {
    if let Some(book) = lock(tx, terms.work_id).await? {
        return Ok(book);
    }
    let opened = book::open(terms, tx.now());
    let book = step(None, &opened)?;
    if insert(tx.sql(), &book).await? {
        tx.publish([Fact::from(&opened)]);
        return Ok(book);
    }
    let made_meanwhile = lock(tx, terms.work_id).await?;
    made_meanwhile.ok_or_else(|| Failure::corrupt("a book is there and is not"))
}

/// The bids that take part, in order of arrival.
pub(crate) async fn final_set(tx: &mut Tx<'_>, id: WorkId) -> Result<Vec<Bid>, Failure> {
    bids::taking_part(tx, id).await
}

/// The same without their texts, which an evaluation does not read.
pub(crate) async fn sealed_set(tx: &mut Tx<'_>, id: WorkId) -> Result<Vec<Bid>, Failure> {
    bids::taking_part_without_texts(tx, id).await
}

/// What was decided, made true: folded, saved, and published with the same commit. `known` are at least the bids that
/// the events change. `cause` is the event of another service that it follows from; empty when it follows from a call.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Book,
    known: impl IntoIterator<Item = Bid>,
    events: &[Event],
    cause: &str,
) -> Result<(Book, BTreeMap<BidId, Bid>), Failure> {
    let mut book = before;
    let mut bids: BTreeMap<_, _> = known.into_iter().map(|bid| (bid.id, bid)).collect();
    if events.is_empty() {
        return Ok((book, bids));
    }
    let existing: BTreeSet<_> = bids.keys().copied().collect();
    for event in events {
        book = step(Some(book), event)?;
        turn(&mut bids, event)?;
    }
    update(tx.sql(), &book).await?;
    save_bids(tx.sql(), events, &bids, &existing).await?;
    tx.publish(events.iter().map(|event| Fact::from(event).caused_by(cause)));
    Ok((book, bids))
}

/// Folds stored events into the tables, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let works: BTreeSet<_> = events.iter().map(|event| event.work_id).collect();
    let works: Vec<_> = works.into_iter().collect();
    let mut books: BTreeMap<_, _> = load(folding.sql(), &works)
        .await?
        .into_iter()
        .map(|book| (book.terms.work_id, book))
        .collect();
    let touched: BTreeSet<BidId> = events.iter().flat_map(Event::touches).collect();
    let mut bids: BTreeMap<_, _> = bids::load(folding.sql(), &touched)
        .await?
        .into_iter()
        .map(|bid| (bid.id, bid))
        .collect();
    let existing = bids.keys().copied().collect();
    for event in events {
        let after = step(books.remove(&event.work_id), event)?;
        books.insert(event.work_id, after);
        turn(&mut bids, event)?;
    }
    for book in books.values() {
        if !insert(folding.sql(), book).await? {
            update(folding.sql(), book).await?;
        }
    }
    save_bids(folding.sql(), events, &bids, &existing).await
}

fn step(before: Option<Book>, event: &Event) -> Result<Book, Failure> {
    Book::after(before, event).ok_or_else(|| does_not_follow(event))
}

fn turn(bids: &mut BTreeMap<BidId, Bid>, event: &Event) -> Result<(), Failure> {
    for id in event.touches() {
        let after = Bid::after(bids.remove(&id), id, event).ok_or_else(|| does_not_follow(event))?;
        bids.insert(id, after);
    }
    Ok(())
}

fn does_not_follow(event: &Event) -> Failure {
    Failure::corrupt(format!("an event does not follow: {event:?}"))
}

async fn save_bids(
    sql: &mut PgConnection,
    events: &[Event],
    bids: &BTreeMap<BidId, Bid>,
    existing: &BTreeSet<BidId>,
) -> Result<(), Failure> {
    let touched: BTreeSet<_> = events.iter().flat_map(Event::touches).collect();
    let (old, new): (Vec<_>, Vec<_>) = touched
        .iter()
        .filter_map(|id| bids.get(id))
        .partition(|bid| existing.contains(&bid.id));
    bids::update(sql, &old).await?;
    for bid in new {
        bids::insert(sql, bid).await?;
    }
    Ok(())
}

async fn load(sql: &mut PgConnection, ids: &[WorkId]) -> Result<Vec<Book>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM book WHERE work_id = ANY($1) ORDER BY work_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Book::try_from).collect()
}

/// Puts a book where there is none; `false` when there is one, after whoever made it has committed.
async fn insert(sql: &mut PgConnection, book: &Book) -> Result<bool, Failure> {
    let inserted = sqlx::query(sql!(
        "INSERT INTO book (work_id, consumer_id, internal, currency, max_price, close_time, seal_time, live_bids,
                           total_bids, version, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (work_id) DO NOTHING"
    ))
    .bind(book.terms.work_id.uuid())
    .bind(book.terms.consumer_id.uuid())
    .bind(book.terms.internal)
    .bind(book.terms.max_price.currency.as_str())
    .bind(book.terms.max_price.amount.decimal())
    .bind(DateTime::<Utc>::from(book.terms.close_time))
    .bind(book.seal_time.map(DateTime::<Utc>::from))
    .bind(i64::from(book.live_bids))
    .bind(i64::from(book.total_bids))
    .bind(i64::try_from(book.version).unwrap_or(i64::MAX))
    .bind(DateTime::<Utc>::from(book.create_time))
    .bind(DateTime::<Utc>::from(book.update_time))
    .execute(sql)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn update(sql: &mut PgConnection, book: &Book) -> Result<(), Failure> {
    sqlx::query(sql!(
        "UPDATE book SET seal_time = $2, live_bids = $3, total_bids = $4, version = $5, update_time = $6
         WHERE work_id = $1"
    ))
    .bind(book.terms.work_id.uuid())
    .bind(book.seal_time.map(DateTime::<Utc>::from))
    .bind(i64::from(book.live_bids))
    .bind(i64::from(book.total_bids))
    .bind(i64::try_from(book.version).unwrap_or(i64::MAX))
    .bind(DateTime::<Utc>::from(book.update_time))
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Book {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("book {}: {what}", row.work_id));
        Ok(Self {
            terms: Terms {
                work_id: row.work_id.into(),
                consumer_id: row.consumer_id.into(),
                internal: row.internal,
                max_price: Money {
                    currency: row.currency.parse().map_err(|_| broken("currency"))?,
                    amount: Amount::try_from(row.max_price).map_err(|_| broken("max_price"))?,
                },
                close_time: row.close_time.into(),
            },
            seal_time: row.seal_time.map(Timestamp::from),
            live_bids: u32::try_from(row.live_bids).map_err(|_| broken("live_bids"))?,
            total_bids: u32::try_from(row.total_bids).map_err(|_| broken("total_bids"))?,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: row.create_time.into(),
            update_time: row.update_time.into(),
        })
    }
}
