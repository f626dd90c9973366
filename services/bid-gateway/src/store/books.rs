//! Books in their table, and the one way in which they and their bids change.

use std::collections::{BTreeMap, BTreeSet};

use aex_store::{Fact, Failure, Folding, Held, Tx, sql};
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
    let book = Book::after(None, &opened).ok_or_else(|| Failure::corrupt("a book does not open"))?;
    if insert(tx.sql(), &book).await? {
        tx.publish([Fact::from(&opened)]);
        return Ok(book);
    }
    let made_meanwhile = lock(tx, terms.work_id).await?;
    made_meanwhile.ok_or_else(|| Failure::corrupt("a book is there and is not"))
}

/// The bids of a work that take part, in order of arrival, without the texts that an evaluation does not read.
pub(crate) async fn final_set(tx: &mut Tx<'_>, id: WorkId) -> Result<Vec<Bid>, Failure> {
    bids::taking_part(tx, id).await
}

/// What was decided of one book, made true. `known` are at least the bids that the events change.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Book,
    known: impl IntoIterator<Item = Bid>,
    events: Vec<Event>,
) -> Result<(Book, BTreeMap<BidId, Bid>), Failure> {
    let id = before.terms.work_id;
    let mut books = Books::of([before], known);
    books.fold(events, "")?;
    books.record(tx).await?;
    let book = books
        .held
        .take(id)
        .ok_or_else(|| Failure::corrupt("a book is lost"))?;
    Ok((book, books.bids.remove(&id).unwrap_or_default()))
}

/// Books that are held, with their bids, and what becomes of them, which is made true at once in the end.
#[derive(Debug, Default)]
pub(crate) struct Books {
    held: Held<WorkId, Book>,
    /// All bids that are known, as they stand by now.
    bids: BTreeMap<WorkId, BTreeMap<BidId, Bid>>,
    changed: BTreeSet<(WorkId, BidId)>,
    /// Of these, those without a row.
    begun: BTreeSet<BidId>,
    /// What happened, and the event of another service that it follows from; empty when it follows from a call.
    steps: Vec<(Event, String)>,
}

impl Books {
    fn of(books: impl IntoIterator<Item = Book>, bids: impl IntoIterator<Item = Bid>) -> Self {
        let mut held = Self::default();
        held.add(books, bids);
        held
    }

    fn add(&mut self, books: impl IntoIterator<Item = Book>, bids: impl IntoIterator<Item = Bid>) {
        for book in books {
            self.held.add(book.terms.work_id, book);
        }
        for bid in bids {
            self.bids.entry(bid.work_id).or_default().insert(bid.id, bid);
        }
    }

    /// The books of these works that there are, held until the commit, and their bids that take part.
    pub(crate) async fn lock(
        tx: &mut Tx<'_>,
        ids: impl IntoIterator<Item = WorkId>,
    ) -> Result<Self, Failure> {
        let ids: Vec<_> = ids.into_iter().collect();
        let books = load(tx.sql(), &ids).await?;
        let ids: Vec<_> = books.iter().map(|book| book.terms.work_id).collect();
        let bids = bids::of_works(tx, &ids).await?;
        Ok(Self::of(books, bids))
    }

    /// Makes a book when there is none yet.
    pub(crate) async fn open(&mut self, tx: &mut Tx<'_>, terms: Terms) -> Result<(), Failure> {
        let id = terms.work_id;
        if self.held.get(id).is_none() {
            let book = lock_or_open(tx, terms).await?;
            let bids = bids::of_works(tx, &[id]).await?;
            self.add([book], bids);
        }
        Ok(())
    }

    /// The book of a work as it stands by now, and its bids in order of arrival.
    pub(crate) fn get(&self, id: WorkId) -> Option<(&Book, Vec<&Bid>)> {
        let book = self.held.get(id)?;
        let bids = self.bids.get(&id).into_iter().flat_map(BTreeMap::values);
        let mut bids: Vec<_> = bids.collect();
        bids.sort_unstable_by_key(|bid| (bid.receive_time, bid.id));
        Some((book, bids))
    }

    /// Takes up what was decided.
    pub(crate) fn fold(&mut self, events: Vec<Event>, cause: &str) -> Result<(), Failure> {
        for event in events {
            let id = event.work_id;
            self.held.fold(id, &event, Book::after)?;
            let bids = self.bids.entry(id).or_default();
            for bid_id in event.touches() {
                let known = bids.remove(&bid_id);
                if known.is_none() {
                    self.begun.insert(bid_id);
                }
                let bid = Bid::after(known, bid_id, &event)
                    .ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?;
                bids.insert(bid_id, bid);
                self.changed.insert((id, bid_id));
            }
            self.steps.push((event, cause.to_owned()));
        }
        Ok(())
    }

    /// Makes it true: saved, and published with the same commit.
    pub(crate) async fn record(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        self.save(tx.sql()).await?;
        let facts = self.steps.iter();
        tx.publish(facts.map(|(event, cause)| Fact::from(event).caused_by(cause)));
        Ok(())
    }

    async fn save(&self, sql: &mut PgConnection) -> Result<(), Failure> {
        let (known, new) = self.held.known_and_new();
        update(sql, &known).await?;
        for book in new {
            insert(sql, book).await?;
        }
        let changed = self.changed.iter();
        let changed = changed.filter_map(|(work, id)| self.bids.get(work)?.get(id));
        let (new, known): (Vec<_>, Vec<_>) = changed.partition(|bid| self.begun.contains(&bid.id));
        bids::update(sql, &known).await?;
        for bid in new {
            bids::insert(sql, bid).await?;
        }
        Ok(())
    }
}

/// Folds stored events into the tables, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: Vec<Event>) -> Result<(), Failure> {
    let works: Vec<_> = events.iter().map(|event| event.work_id).collect();
    let known = load(folding.sql(), &works).await?;
    let touched = events.iter().flat_map(Event::touches).collect();
    let mut books = Books::of(known, bids::load(folding.sql(), &touched).await?);
    books.fold(events, "")?;
    books.save(folding.sql()).await
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

/// Where these books stand now; what they know of their works never changes.
async fn update(sql: &mut PgConnection, books: &[&Book]) -> Result<(), Failure> {
    if books.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "UPDATE book SET seal_time = sealed, live_bids = live, total_bids = total, version = now_is.version,
             update_time = updated
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
              AS now_is (id, sealed, live, total, version, updated)
         WHERE work_id = id"
    ))
    .bind(column(books, |book| book.terms.work_id.uuid()))
    .bind(column(books, |book| book.seal_time.map(DateTime::<Utc>::from)))
    .bind(column(books, |book| i64::from(book.live_bids)))
    .bind(column(books, |book| i64::from(book.total_bids)))
    .bind(column(books, |book| i64::try_from(book.version).unwrap_or(i64::MAX)))
    .bind(column(books, |book| DateTime::<Utc>::from(book.update_time)))
    .execute(sql)
    .await?;
    Ok(())
}

fn column<T>(books: &[&Book], of: impl Fn(&Book) -> T) -> Vec<T> {
    books.iter().map(|book| of(book)).collect()
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
