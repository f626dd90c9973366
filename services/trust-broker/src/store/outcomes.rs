//! Outcomes in their table.

use std::collections::BTreeMap;

use aex_store::{Failure, Page, Tx, sql};
use aex_types::{Amount, ContractId, Money, ProviderId, Timestamp};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{outcome::Outcome, window::Window};

#[derive(sqlx::FromRow)]
struct Row {
    provider_id: Uuid,
    contract_id: Uuid,
    consumer_id: Uuid,
    kind: String,
    currency: String,
    price: Decimal,
    completed_at: DateTime<Utc>,
    is_counted: bool,
}

/// Where a page of outcomes ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pub(crate) Timestamp, pub(crate) ContractId);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.unix_micros(), self.1)
    }
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let (micros, contract) = text.split_once(' ')?;
            let time = Timestamp::from_unix_micros(micros.parse().ok()?)?;
            Some(Self(time, contract.parse().ok()?))
        };
        read().ok_or("is no place")
    }
}

/// The outcomes of those of these contracts that have one.
pub(super) async fn of_contracts(
    tx: &mut Tx<'_>,
    contracts: &[ContractId],
) -> Result<BTreeMap<ContractId, Outcome>, Failure> {
    if contracts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!("SELECT * FROM outcome WHERE contract_id = ANY($1)"))
        .bind(
            contracts
                .iter()
                .map(|contract| contract.uuid())
                .collect::<Vec<_>>(),
        )
        .fetch_all(tx.sql())
        .await?;
    let read = |row| Outcome::try_from(row).map(|outcome| (outcome.contract_id, outcome));
    rows.into_iter().map(read).collect()
}

/// A page of a provider's outcomes, newest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    page: &Page,
) -> Result<Vec<Outcome>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM outcome
         WHERE provider_id = $1 AND ($2::timestamptz IS NULL OR (completed_at, contract_id) < ($2, $3::uuid))
         ORDER BY completed_at DESC, contract_id DESC LIMIT $4"
    ))
    .bind(provider.uuid())
    .bind(after.map(|place| DateTime::<Utc>::from(place.0)))
    .bind(after.map(|place| place.1.uuid()))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Outcome::try_from).collect()
}

/// Every outcome of some providers, each with whether it counts; for the audit.
pub(crate) async fn all_of(
    tx: &mut Tx<'_>,
    providers: &[Uuid],
) -> Result<Vec<(ProviderId, Outcome, bool)>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!("SELECT * FROM outcome WHERE provider_id = ANY($1)"))
        .bind(providers)
        .fetch_all(tx.sql())
        .await?;
    let read = |row: Row| {
        let (provider, is_counted) = (row.provider_id.into(), row.is_counted);
        Ok((provider, Outcome::try_from(row)?, is_counted))
    };
    rows.into_iter().map(read).collect()
}

/// The outcomes that the scores of some providers are made of.
pub(super) async fn windows(
    sql: &mut PgConnection,
    providers: &[Uuid],
) -> Result<BTreeMap<ProviderId, Window>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM outcome WHERE provider_id = ANY($1) AND in_window
         ORDER BY provider_id, completed_at, contract_id"
    ))
    .bind(providers)
    .fetch_all(sql)
    .await?;
    let mut windows: BTreeMap<ProviderId, Window> = BTreeMap::new();
    for row in rows {
        let provider = ProviderId::from(row.provider_id);
        windows
            .entry(provider)
            .or_default()
            .insert(Outcome::try_from(row)?);
    }
    Ok(windows)
}

/// A new outcome.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) provider_id: ProviderId,
    pub(super) outcome: Outcome,
    pub(super) is_counted: bool,
    /// The provider's score is made of it.
    pub(super) in_window: bool,
}

pub(super) async fn insert(sql: &mut PgConnection, recorded: &[Recorded]) -> Result<(), Failure> {
    if recorded.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Outcome) -> Uuid| recorded.iter().map(|one| of(&one.outcome)).collect::<Vec<_>>();
    sqlx::query(sql!(
        "INSERT INTO outcome (provider_id, contract_id, consumer_id, kind, currency, price, completed_at, is_counted,
                              in_window)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::numeric[],
                              $7::timestamptz[], $8::boolean[], $9::boolean[])"
    ))
    .bind(recorded.iter().map(|one| one.provider_id.uuid()).collect::<Vec<_>>())
    .bind(column(|one| one.contract_id.uuid()))
    .bind(column(|one| one.consumer_id.uuid()))
    .bind(recorded.iter().map(|one| one.outcome.kind.as_str()).collect::<Vec<_>>())
    .bind(recorded.iter().map(|one| one.outcome.price.currency.to_string()).collect::<Vec<_>>())
    .bind(recorded.iter().map(|one| one.outcome.price.amount.decimal()).collect::<Vec<_>>())
    .bind(recorded.iter().map(|one| DateTime::<Utc>::from(one.outcome.completed_at)).collect::<Vec<_>>())
    .bind(recorded.iter().map(|one| one.is_counted).collect::<Vec<_>>())
    .bind(recorded.iter().map(|one| one.in_window).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

/// No score is made of these any more.
pub(super) async fn leave_window(sql: &mut PgConnection, contracts: &[ContractId]) -> Result<(), Failure> {
    if contracts.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "UPDATE outcome SET in_window = false WHERE contract_id = ANY($1)"
    ))
    .bind(
        contracts
            .iter()
            .map(|contract| contract.uuid())
            .collect::<Vec<_>>(),
    )
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Outcome {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("outcome of {}: {what}", row.contract_id));
        Ok(Self {
            contract_id: row.contract_id.into(),
            consumer_id: row.consumer_id.into(),
            price: Money {
                currency: row.currency.parse().map_err(|_| broken("currency"))?,
                amount: Amount::try_from(row.price).map_err(|_| broken("price"))?,
            },
            kind: row.kind.parse().map_err(|_| broken("kind"))?,
            completed_at: Timestamp::from(row.completed_at),
        })
    }
}
