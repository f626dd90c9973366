//! The yardstick: transactions like those of TPC-B (as pgbench makes them) on the same PostgreSQL, by clients that do
//! nothing else. Whatever slows the machine down slows this down too, so a rate divided by it can be compared with another.

use std::time::Duration;

use rand::RngExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::PgConnectOptions,
};
use tokio::{task::JoinSet, time::Instant};

use crate::problem::Problem;

/// Branches; ten tellers and a hundred thousand accounts each.
const SCALE: i32 = 8;
const CLIENTS: u64 = 8;
const NAME: &str = "yardstick";

/// A database of its own beside the exchange's.
#[derive(Debug, Clone)]
pub(crate) struct Yardstick {
    options: PgConnectOptions,
}

/// One sample: transactions a second, and how many they were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) rate: f64,
}

impl Yardstick {
    /// Makes the database and its rows.
    pub(crate) async fn make(admin: &PgConnectOptions) -> Result<Self, Problem> {
        let mut connection = admin.connect().await?;
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {NAME}")))
            .await?;
        connection.close().await?;
        let options = admin.clone().database(NAME);
        let mut connection = options.connect().await?;
        for statement in tables() {
            connection.execute(AssertSqlSafe(statement)).await?;
        }
        connection.close().await?;
        Ok(Self { options })
    }

    /// Runs for so long.
    pub(crate) async fn sample(&self, span: Duration) -> Result<Sample, Problem> {
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            let mut connection = self.options.connect().await?;
            // Statements are prepared before the time begins.
            transaction(&mut connection, 1, 1, 1, 0).await?;
            connections.push(connection);
        }
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for (number, connection) in (0..).zip(connections) {
            clients.spawn(client(connection, number, begun + span));
        }
        let mut done = 0;
        while let Some(client) = clients.join_next().await {
            done += client??;
        }
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Sample {
            rate: f64::from(done) / seconds,
        })
    }
}

fn tables() -> Vec<String> {
    let accounts = SCALE * 100_000;
    vec![
        "CREATE TABLE branch (bid int PRIMARY KEY, balance int, filler char(88)) WITH (fillfactor = 100)"
            .to_owned(),
        "CREATE TABLE teller (tid int PRIMARY KEY, bid int, balance int, filler char(84))".to_owned(),
        "CREATE TABLE account (aid int, bid int, balance int, filler char(84))".to_owned(),
        "CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamptz, filler char(22))"
            .to_owned(),
        format!("INSERT INTO branch SELECT n, 0, '' FROM generate_series(1, {SCALE}) AS n"),
        format!(
            "INSERT INTO teller SELECT n, (n - 1) / 10 + 1, 0, '' FROM generate_series(1, {SCALE} * 10) AS n"
        ),
        format!(
            "INSERT INTO account SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, {accounts}) AS n"
        ),
        "ALTER TABLE account ADD PRIMARY KEY (aid)".to_owned(),
        "VACUUM ANALYZE".to_owned(),
    ]
}

async fn client(mut connection: PgConnection, seed: u64, end: Instant) -> Result<u32, sqlx::Error> {
    let mut rng: rand::rngs::StdRng = rand::SeedableRng::seed_from_u64(seed);
    let mut done = 0;
    while Instant::now() < end {
        let account = rng.random_range(1..=SCALE * 100_000);
        let (teller, branch) = (rng.random_range(1..=SCALE * 10), rng.random_range(1..=SCALE));
        let delta = rng.random_range(-5000..=5000);
        transaction(&mut connection, account, teller, branch, delta).await?;
        done += 1;
    }
    connection.close().await?;
    Ok(done)
}

async fn transaction(
    connection: &mut PgConnection,
    account: i32,
    teller: i32,
    branch: i32,
    delta: i32,
) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::query("UPDATE account SET balance = balance + $1 WHERE aid = $2")
        .bind(delta)
        .bind(account)
        .execute(&mut *tx)
        .await?;
    sqlx::query("SELECT balance FROM account WHERE aid = $1")
        .bind(account)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("UPDATE teller SET balance = balance + $1 WHERE tid = $2")
        .bind(delta)
        .bind(teller)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE branch SET balance = balance + $1 WHERE bid = $2")
        .bind(delta)
        .bind(branch)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, now())")
        .bind(teller)
        .bind(branch)
        .bind(account)
        .bind(delta)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}
