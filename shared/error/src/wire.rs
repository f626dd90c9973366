//! Small values between the domain and the wire, where there is exactly one way to write them.

use std::{fmt::Display, str::FromStr, time::Duration};

use aex_proto::aex::common::v1 as pb;
use aex_types::{Amount, Currency, Money, Tier, Timestamp};

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
    if !aex_proto::is_moment(time) {
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

/// A tier, for the wire.
pub const fn tier(tier: Tier) -> pb::Tier {
    match tier {
        Tier::Unverified => pb::Tier::Unverified,
        Tier::Verified => pb::Tier::Verified,
        Tier::Trusted => pb::Tier::Trusted,
        Tier::Preferred => pb::Tier::Preferred,
        Tier::Internal => pb::Tier::Internal,
    }
}

/// A tier from the wire; `None` when it is not stated.
pub const fn read_tier(tier: pb::Tier) -> Option<Tier> {
    match tier {
        pb::Tier::Unspecified => None,
        pb::Tier::Unverified => Some(Tier::Unverified),
        pb::Tier::Verified => Some(Tier::Verified),
        pb::Tier::Trusted => Some(Tier::Trusted),
        pb::Tier::Preferred => Some(Tier::Preferred),
        pb::Tier::Internal => Some(Tier::Internal),
    }
}

/// What may be absent as text, for the wire: absent is empty.
pub fn text<T: Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Values as texts, for the wire.
pub fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Values from their texts; `None` when one of them cannot be read.
pub fn read_texts<T: FromStr, C: FromIterator<T>>(texts: &[String]) -> Option<C> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// What may be absent as text, from the wire: empty is absent. The outer `None` says that it cannot be read.
pub fn maybe<T: FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() {
        Some(None)
    } else {
        text.parse().ok().map(Some)
    }
}

/// What may be absent as a message, from the wire, read by one of the readers above. The outer `None` says that it
/// cannot be read.
pub fn maybe_of<W, T>(value: Option<&W>, read: impl FnOnce(&W) -> Option<T>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| read(value).map(Some))
}
