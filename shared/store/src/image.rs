//! What a schema holds, row by row, so that a rebuilt one can be compared with the live one. Rows are taken as they
//! arrive, so that the length of a table costs time and no memory.

use std::{cmp::Ordering, fmt::Write as _};

use aex_proto::aex::common::v1::Event;
use futures::{StreamExt as _, stream::BoxStream};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use crate::{Failure, Schema, open::in_schema, sql};

/// Tables of every schema that no replay rebuilds: replies and positions come from a backup, the outbox is the way to the
/// log itself, leases and what watchers were told are of the moment, and migrations are no data. Timers are compared as
/// jobs.
pub const KEPT_APART: [&str; 8] = [
    "idempotency",
    "outbox",
    "feed",
    "lease",
    TIMER,
    "watch_log",
    "migration",
    "shared_migration",
];

const TIMER: &str = "timer";

/// A schema that is opened to be looked at, by a connection that cannot write.
#[derive(Debug)]
pub struct Image {
    sql: PgConnection,
    schema: &'static Schema,
}

/// The rows of one table: how many, and the SHA-256 over their keys and contents in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// 64 hexadecimal digits.
    pub hash: String,
}

/// One table, live and rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub table: String,
    /// What the live one holds.
    pub live: Rows,
    /// What the rebuilt one holds. For the jobs it may be more: see [`Schema::set_again`].
    pub rebuilt: Rows,
    /// The first row, in the order of the keys, in which they differ.
    pub difference: Option<Difference>,
}

/// A row that is not the same live and rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row's primary key.
    pub key: String,
    /// The columns that differ, or which of the two is missing.
    pub detail: String,
}

type Row = (String, String);

impl Image {
    /// Opens a schema that is there already.
    pub async fn open(schema: &'static Schema, options: &PgConnectOptions) -> Result<Self, Failure> {
        let options =
            in_schema(options.clone(), schema.name).options([("default_transaction_read_only", "on")]);
        let sql = options.connect().await?;
        Ok(Self { sql, schema })
    }

    /// The tables that a replay rebuilds, by name.
    pub async fn tables(&mut self) -> Result<Vec<String>, Failure> {
        let mut tables: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1"
        ))
        .bind(self.schema.name)
        .fetch_all(&mut self.sql)
        .await?;
        tables.retain(|table| {
            !KEPT_APART.contains(&table.as_str()) && !self.schema.not_replayed.contains(&table.as_str())
        });
        Ok(tables)
    }

    /// The events that no relay has taken to the event ledger yet, in the order in which it would.
    pub async fn waiting(&mut self) -> Result<Vec<Event>, Failure> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(sql!(
            "SELECT event FROM outbox ORDER BY occur_time, aggregate_id, aggregate_version"
        ))
        .fetch_all(&mut self.sql)
        .await?;
        let read = |bytes: &Vec<u8>| {
            Event::decode(bytes.as_slice()).map_err(|error| Failure::corrupt(error.to_string()))
        };
        rows.iter().map(read).collect()
    }

    /// Every row of every table that a replay rebuilds, as text in a fixed order: equal texts are equal states.
    pub async fn text(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        for table in self.tables().await? {
            let statement = self.rows_of(&table).await?;
            let mut rows = read(&mut self.sql, statement);
            while let Some(row) = rows.next().await {
                let _ = writeln!(text, "{table} {}", row?.1);
            }
        }
        Ok(text)
    }

    /// Compares each table, and the jobs that follow from the state, with those of a rebuilt schema.
    pub async fn compare(&mut self, rebuilt: &mut Self) -> Result<Vec<Compared>, Failure> {
        let mut tables = self.tables().await?;
        tables.push(TIMER.to_owned());
        let mut all = Vec::with_capacity(tables.len());
        for table in tables {
            all.push(self.compare_table(rebuilt, table).await?);
        }
        Ok(all)
    }

    async fn compare_table(&mut self, rebuilt: &mut Self, table: String) -> Result<Compared, Failure> {
        let statement = if table == TIMER {
            self.jobs()
        } else {
            self.rows_of(&table).await?
        };
        let schema = self.schema;
        // A job that was done may be there again after a replay.
        let may_be_more = |key: &str| {
            table == TIMER
                && schema
                    .set_again
                    .iter()
                    .any(|kind| key.split_once(' ').is_some_and(|(found, _)| found == *kind))
        };
        let mut here = Side::new(read(&mut self.sql, statement.clone())).await?;
        let mut there = Side::new(read(&mut rebuilt.sql, statement)).await?;
        let mut first = None;
        loop {
            let order = match (&here.next, &there.next) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(live), Some(again)) => live.0.as_bytes().cmp(again.0.as_bytes()),
            };
            let live = if order == Ordering::Greater {
                None
            } else {
                here.step().await?
            };
            let again = if order == Ordering::Less {
                None
            } else {
                there.step().await?
            };
            let is_right =
                live == again || (live.is_none() && again.as_ref().is_some_and(|(key, _)| may_be_more(key)));
            if !is_right && first.is_none() {
                first = Some((live, again));
            }
        }
        let (live, again) = (here.end(), there.end());
        let difference = match first {
            None => None,
            Some(pair) => Some(self.explain(pair).await?),
        };
        Ok(Compared {
            table,
            live,
            rebuilt: again,
            difference,
        })
    }

    /// Names the columns in which two rows of one key differ.
    async fn explain(&mut self, pair: (Option<Row>, Option<Row>)) -> Result<Difference, Failure> {
        let detail = match &pair {
            (Some((_, live)), Some((_, again))) => {
                let columns: Vec<String> = sqlx::query_scalar(sql!(
                    "SELECT key FROM jsonb_each_text($1::jsonb) AS live JOIN jsonb_each_text($2::jsonb) AS again
                         USING (key)
                     WHERE live.value IS DISTINCT FROM again.value ORDER BY 1"
                ))
                .bind(live)
                .bind(again)
                .fetch_all(&mut self.sql)
                .await?;
                format!("not what the events say: {}", columns.join(", "))
            }
            (Some(_), None) => "no event made it".to_owned(),
            _ => "the events made it and it is not there".to_owned(),
        };
        let key = pair.0.or(pair.1).map(|(key, _)| key).unwrap_or_default();
        Ok(Difference { key, detail })
    }

    /// The rows of a table with their primary keys, in an order that no locale changes.
    async fn rows_of(&mut self, table: &str) -> Result<String, Failure> {
        let key: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
             WHERE indrelid = to_regclass($1) AND indisprimary ORDER BY array_position(indkey::int2[], attnum)"
        ))
        .bind(table)
        .fetch_all(&mut self.sql)
        .await?;
        if key.is_empty() {
            return Err(Failure::corrupt(format!("table {table} has no primary key")));
        }
        let key = key.join(", ");
        Ok(format!(
            "SELECT key, line FROM (SELECT concat_ws(' ', {key}) AS key, to_jsonb(t)::text AS line FROM {table} t) AS one \
             ORDER BY key COLLATE \"C\""
        ))
    }

    /// The jobs that follow from the state. Who has leased one, and how often it was tried, is of the moment; where a job
    /// may have been done without an event, so is its time.
    fn jobs(&self) -> String {
        let list = |kinds: &[&str]| {
            let quoted: Vec<_> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
            format!("ARRAY[{}]::text[]", quoted.join(", "))
        };
        let (heard, again) = (list(self.schema.set_by_feed), list(self.schema.set_again));
        format!(
            "SELECT key, line FROM (SELECT concat_ws(' ', kind, key) AS key,
                 jsonb_build_object('due_time', CASE WHEN kind = ANY ({again}) THEN NULL ELSE due_time END)::text AS line
                 FROM timer WHERE kind <> ALL ({heard})) AS one ORDER BY key COLLATE \"C\""
        )
    }
}

fn read(sql: &mut PgConnection, statement: String) -> BoxStream<'_, Result<Row, sqlx::Error>> {
    sqlx::query_as(AssertSqlSafe(statement)).fetch(sql)
}

/// One of the two: its next row, and what went by.
struct Side<'c> {
    rows: BoxStream<'c, Result<Row, sqlx::Error>>,
    next: Option<Row>,
    count: u64,
    hash: Sha256,
}

impl<'c> Side<'c> {
    async fn new(mut rows: BoxStream<'c, Result<Row, sqlx::Error>>) -> Result<Self, Failure> {
        let next = rows.next().await.transpose()?;
        Ok(Self {
            rows,
            next,
            count: 0,
            hash: Sha256::new(),
        })
    }

    async fn step(&mut self) -> Result<Option<Row>, Failure> {
        let after = match &self.next {
            Some((key, line)) => {
                for part in [key, line] {
                    // Lengths keep two texts apart that only read the same one after the other.
                    self.hash.update(part.len().to_be_bytes());
                    self.hash.update(part.as_bytes());
                }
                self.count += 1;
                self.rows.next().await.transpose()?
            }
            None => None,
        };
        Ok(std::mem::replace(&mut self.next, after))
    }

    fn end(self) -> Rows {
        let hash = self.hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Rows {
            count: self.count,
            hash,
        }
    }
}
