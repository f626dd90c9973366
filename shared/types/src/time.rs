//! A moment, in UTC, to the microsecond.

use std::{fmt, time::Duration};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// A moment, in UTC, to the microsecond, which is what the database keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Midnight of the first of January 1970.
    pub const EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// Whole microseconds since the epoch; `None` beyond the calendar.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// Microseconds since the epoch.
    pub fn unix_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Milliseconds since the epoch; 0 before it.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0.timestamp_millis()).unwrap_or(0)
    }

    /// Later by a span; `None` beyond the calendar.
    pub fn checked_add(self, span: Duration) -> Option<Self> {
        let span = TimeDelta::from_std(span).ok()?;
        self.0.checked_add_signed(span).map(Self::from)
    }

    /// Later by a span, and at the end of the calendar no later.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        self.checked_add(span).unwrap_or(Self(DateTime::<Utc>::MAX_UTC))
    }

    /// Earlier by a span, and at the start of the calendar no earlier.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        let earlier = TimeDelta::from_std(span)
            .ok()
            .and_then(|span| self.0.checked_sub_signed(span));
        earlier.map_or(Self(DateTime::<Utc>::MIN_UTC), Self::from)
    }

    /// How long since an earlier moment; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0
            .signed_duration_since(earlier.0)
            .to_std()
            .unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_kept_to_the_microsecond() {
        let fine = DateTime::from_timestamp_nanos(1_700_000_000_123_456_789);
        assert_eq!(Timestamp::from(fine).unix_micros(), 1_700_000_000_123_456);
        assert_eq!(Timestamp::from(fine).to_string(), "2023-11-14T22:13:20.123456Z");
    }

    #[test]
    fn arithmetic_stays_inside_the_calendar() {
        let now = Timestamp::EPOCH;
        assert_eq!(now.checked_add(Duration::MAX), None);
        assert!(now.saturating_add(Duration::MAX) > now);
        assert!(now.saturating_sub(Duration::MAX) < now);
        assert_eq!(
            now.since(now.saturating_add(Duration::from_secs(1))),
            Duration::ZERO
        );
    }
}
