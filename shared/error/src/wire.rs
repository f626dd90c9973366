//! Small values between the domain and the wire, where there is exactly one way to write them.

use std::time::Duration;

use aex_proto::aex::common::v1 as pb;
use aex_types::{Amount, Currency, Money, Timestamp};

/// A moment, for the wire.
pub fn time(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.unix_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// A moment from the wire; `None` when it is no moment of the years 1 to 9999.
pub fn read_time(time: &prost_types::Timestamp) -> Option<Timestamp> {
    const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    if !YEARS.contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return None;
    }
    Timestamp::from_unix_micros(time.seconds * 1_000_000 + i64::from(time.nanos / 1_000))
}

/// Money, for the wire.
pub fn money(money: &Money) -> pb::Money {
    pb::Money {
        currency_code: money.currency.to_string(),
        amount: money.amount.to_string(),
    }
}

/// Money from the wire; `None` when it is not spelled as money.
pub fn read_money(money: &pb::Money) -> Option<Money> {
    let currency: Currency = money.currency_code.parse().ok()?;
    let amount: Amount = money.amount.parse().ok()?;
    Some(Money { currency, amount })
}

/// A span, for the wire.
pub fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or_default(),
    }
}

/// A span from the wire; `None` when it is negative or malformed.
pub fn read_span(span: &prost_types::Duration) -> Option<Duration> {
    Some(Duration::new(
        u64::try_from(span.seconds).ok()?,
        u32::try_from(span.nanos).ok()?,
    ))
}
