//! Configuration of settlement.

use std::{fmt::Display, str::FromStr, time::Duration};

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry, at_least_one, at_most};
use aex_settlement_ledger::{DepositLimits, PayoutHold, PayoutHolds, Policy, Rail};
use aex_types::{Amount, BasisPoints, Currency};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Configuration of settlement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How it is served.
    pub server: Server,
    /// Where it keeps its state.
    pub database: Database,
    /// Who it is and whom it believes.
    pub auth: Auth,
    /// Where the other services are.
    pub peers: Peers,
    /// What it tells about itself.
    pub telemetry: Telemetry,
    /// By which rules it keeps the books.
    #[serde(deserialize_with = "sensible")]
    pub books: Books,
    /// How money comes in.
    pub rails: Rails,
    /// How commands are gathered into transactions.
    pub batch: Batch,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            database: Database {
                max_connections: 8,
                ..Database::default()
            },
            auth: Auth::default(),
            peers: Peers::default(),
            telemetry: Telemetry::default(),
            books: Books::default(),
            rails: Rails::default(),
            batch: Batch::default(),
        }
    }
}

/// By which rules the books are kept. What a contract is subject to is frozen at its award.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Books {
    /// Which configuration this is; another one has another number.
    #[serde(deserialize_with = "at_least_one")]
    pub version: u32,
    /// The exchange's share of a price, in hundredths of a percent, 0 to 10,000.
    pub fee_basis_points: Rate,
    /// What is traded in.
    pub currencies: Vec<Spelled<Currency>>,
    /// The least that one deposit may be.
    pub least_deposit: Spelled<Amount>,
    /// The most that one deposit may be.
    pub most_deposit: Spelled<Amount>,
    /// How long after its settlement a contract can be disputed, in seconds, where its award does not say; at most 7
    /// days.
    #[serde(deserialize_with = "at_most::<_, LONGEST_WINDOW>")]
    pub dispute_window_s: u64,
    /// How long after its settlement a payout waits, by the provider's tier.
    pub payout_holds: Waits,
    /// For development: without a word in the award there is no dispute window, and no payout waits.
    pub windows_zero: bool,
}

impl Default for Books {
    fn default() -> Self {
        let amount = |micros| Spelled(Amount::from_micros(micros).unwrap_or_default());
        Self {
            version: 1,
            fee_basis_points: Rate(USUAL_FEE),
            currencies: vec![Spelled(Currency::USD)],
            least_deposit: amount(10_000),
            most_deposit: amount(100_000_000_000),
            dispute_window_s: 24 * 3600,
            payout_holds: Waits::default(),
            windows_zero: false,
        }
    }
}

/// The longest dispute window in seconds, as the contract of `PlaceHold` says.
const LONGEST_WINDOW: u64 = 7 * 24 * 3600;

/// Reads rules by which money can come in.
fn sensible<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Books, D::Error> {
    let books = Books::deserialize(deserializer)?;
    let refused = |what: &str| Err(de::Error::custom(what));
    if books.currencies.is_empty() {
        return refused("books.currencies must name one at least");
    }
    if books.least_deposit.0 == Amount::default() {
        return refused("books.least_deposit must be more than 0");
    }
    if books.least_deposit.0 > books.most_deposit.0 {
        return refused("books.least_deposit must be at most books.most_deposit");
    }
    Ok(books)
}

impl Books {
    /// The rules as the ledger reads them.
    pub fn policy(&self) -> Policy {
        let limits = DepositLimits {
            min: self.least_deposit.0,
            max: self.most_deposit.0,
        };
        Policy {
            version: self.version,
            fee: self.fee_basis_points.0,
            payout_holds: if self.windows_zero {
                PayoutHolds::NONE
            } else {
                self.payout_holds.table()
            },
            dispute_window_min: Duration::ZERO,
            dispute_window_max: Duration::from_secs(LONGEST_WINDOW),
            deposits: self
                .currencies
                .iter()
                .map(|currency| (currency.0, limits))
                .collect(),
        }
    }

    /// The dispute window of an award that does not name one.
    pub fn dispute_window(&self) -> Duration {
        if self.windows_zero {
            Duration::ZERO
        } else {
            Duration::from_secs(self.dispute_window_s)
        }
    }
}

/// How a payout waits, compared with the dispute window of its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// As long as the window, and at least so many seconds.
    AtLeast(u64),
    /// As long as the window.
    Window,
    /// As long as the window, and at most so many seconds.
    AtMost(u64),
}

/// How payouts wait, by the provider's tier.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is the name of a tier")]
pub struct Waits {
    pub unverified: Wait,
    pub verified: Wait,
    pub trusted: Wait,
    pub preferred: Wait,
    pub internal: Wait,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            unverified: Wait::AtLeast(72 * 3600),
            verified: Wait::Window,
            trusted: Wait::Window,
            preferred: Wait::AtMost(3600),
            internal: Wait::AtMost(0),
        }
    }
}

impl Waits {
    const fn table(&self) -> PayoutHolds {
        const fn hold(wait: Wait) -> PayoutHold {
            match wait {
                Wait::AtLeast(seconds) => PayoutHold::AtLeast(Duration::from_secs(seconds)),
                Wait::Window => PayoutHold::Window,
                Wait::AtMost(seconds) => PayoutHold::AtMost(Duration::from_secs(seconds)),
            }
        }
        PayoutHolds {
            unverified: hold(self.unverified),
            verified: hold(self.verified),
            trusted: hold(self.trusted),
            preferred: hold(self.preferred),
            internal: hold(self.internal),
        }
    }
}

/// How money comes in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rails {
    /// A test deployment: deposits by the rail `test` are confirmed at once, out of nothing.
    pub test: bool,
    /// The other rails, which operators confirm.
    pub known: Vec<Spelled<Rail>>,
}

impl Default for Rails {
    fn default() -> Self {
        let known = ["bank", "card"].iter().filter_map(|name| name.parse().ok());
        Self {
            test: false,
            known: known.map(Spelled).collect(),
        }
    }
}

impl Rails {
    /// The rail of this name, if this deployment has it.
    pub fn find(&self, name: &str) -> Option<Rail> {
        let rail: Rail = name.parse().ok()?;
        let is_here = if rail == Rail::TEST {
            self.test
        } else {
            self.known.iter().any(|known| known.0 == rail)
        };
        is_here.then_some(rail)
    }
}

/// How commands are gathered into transactions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// The most commands of one transaction.
    #[serde(deserialize_with = "at_least_one")]
    pub most: usize,
    /// How long a transaction waits for more commands when there is more than one already, in milliseconds. A lone
    /// command never waits. At most 1000.
    #[serde(deserialize_with = "at_most::<_, 1000>")]
    pub linger_ms: u64,
    /// The most commands that wait; more are refused with UNAVAILABLE.
    #[serde(deserialize_with = "at_least_one")]
    pub queue: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            most: 100,
            linger_ms: 1,
            queue: 2048,
        }
    }
}

/// A value that is spelled as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelled<T>(pub T);

impl<T: Display> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Spelled<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A rate in hundredths of a percent, 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(BasisPoints);

/// What the exchange keeps where nothing else is configured: 15 %.
const USUAL_FEE: BasisPoints = match BasisPoints::new(1500) {
    Some(rate) => rate,
    None => panic!("15 % is a rate"),
};

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0.get())
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let points = u16::deserialize(deserializer)?;
        BasisPoints::new(points)
            .map(Self)
            .ok_or_else(|| de::Error::custom("must be 0 to 10,000 hundredths of a percent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rail_is_known_only_where_it_is_configured() {
        let live = Rails::default();
        assert!(live.find("bank").is_some());
        assert_eq!(live.find("test"), None);
        assert_eq!(live.find("gold"), None);
        let test = Rails { test: true, ..live };
        assert_eq!(test.find("test"), Some(Rail::TEST));
    }

    #[test]
    fn the_rules_survive_being_written_and_read() {
        let books = Books::default();
        let text = serde_json::to_string(&books).unwrap();
        let read: Books = serde_json::from_str(&text).unwrap();
        assert_eq!(read.policy(), books.policy());
        assert_eq!(
            (books.policy().fee.get(), books.dispute_window()),
            (1500, Duration::from_hours(24))
        );
        assert!(serde_json::from_str::<Books>(r#"{"fee_basis_points": 10001}"#).is_err());
        assert!(serde_json::from_str::<Books>(r#"{"currencies": ["dollar"]}"#).is_err());
    }

    #[test]
    fn rules_by_which_no_money_comes_in_are_refused() {
        let read = |books: &str| serde_json::from_str::<Config>(&format!(r#"{{"books": {{{books}}}}}"#));
        assert!(read(r#""least_deposit": "5", "most_deposit": "5""#).is_ok());
        for (books, word) in [
            (r#""currencies": []"#, "books.currencies"),
            (
                r#""least_deposit": "5", "most_deposit": "4.999999""#,
                "books.most_deposit",
            ),
            (r#""least_deposit": "0""#, "more than 0"),
            (r#""version": 0"#, "at least 1"),
            (r#""dispute_window_s": 604801"#, "at most 604800"),
        ] {
            let refused = read(books).unwrap_err().to_string();
            assert!(refused.contains(word), "{word} in {refused}");
        }
        for batch in [r#""most": 0"#, r#""queue": 0"#, r#""linger_ms": 1001"#] {
            assert!(
                serde_json::from_str::<Batch>(&format!("{{{batch}}}")).is_err(),
                "{batch}"
            );
        }
    }

    #[test]
    fn development_has_no_windows() {
        let books = Books {
            windows_zero: true,
            ..Books::default()
        };
        assert_eq!(books.dispute_window(), Duration::ZERO);
        assert_eq!(books.policy().payout_holds, PayoutHolds::NONE);
    }
}
