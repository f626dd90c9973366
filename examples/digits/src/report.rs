//! What a day came to, for people and for programs.

use std::fmt::Write as _;

use aex_types::Amount;
use serde::Serialize;

use crate::{
    books::{Balance, Change, Sums},
    chaos::Killed,
    methods::share,
    plan::Kind,
    sale::{Sale, spelled},
};

/// A day.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// What chance was made of.
    pub(crate) seed: u64,
    /// How often the exchange was killed, and how it came back.
    pub(crate) kills: Vec<Killed>,
    /// The longest that an award waited for its answer after a kill had interrupted it; 0 when none was.
    pub(crate) slowest_award_seconds: f64,
    /// How long all of it took.
    pub(crate) seconds: f64,
    /// How long the trading took.
    pub(crate) trading_seconds: f64,
    /// Every batch.
    pub(crate) sales: Vec<Sale>,
    /// Every agent.
    pub(crate) agents: Vec<AgentDay>,
    /// What the consumer has at the end.
    pub(crate) consumer: Balance,
    /// The money.
    pub(crate) sums: Sums,
    /// What the exchange says about itself.
    pub(crate) fsck: String,
    /// Everything that is not as it should be.
    pub(crate) problems: Vec<String>,
}

/// The day of one agent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AgentDay {
    /// How it reads.
    pub(crate) method: &'static str,
    /// Its provider.
    pub(crate) provider_id: String,
    /// What it asks for a batch.
    #[serde(serialize_with = "spelled")]
    pub(crate) price: Amount,
    /// How sure it says it is.
    pub(crate) claimed: f64,
    /// The share of images that it read rightly.
    pub(crate) found: f64,
    /// Valid bids.
    pub(crate) bids: usize,
    /// Contracts.
    pub(crate) won: usize,
    /// Of them accepted.
    pub(crate) accepted: usize,
    /// Of them rejected.
    pub(crate) rejected: usize,
    /// What it earned.
    #[serde(serialize_with = "spelled")]
    pub(crate) earned: Amount,
    /// Trust at the beginning.
    pub(crate) trust_before: f64,
    /// Trust at the end.
    pub(crate) trust_after: f64,
    /// The tier at the end.
    pub(crate) tier: String,
    /// Its balance, at the beginning and at the end.
    #[serde(skip)]
    pub(crate) change: Change,
}

impl Report {
    /// Whether everything is as it should be.
    pub(crate) fn is_well(&self) -> bool {
        self.problems.is_empty()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|error| format!("the report cannot be written: {error}"))
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        // Writing into a text does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        self.write_agents(text)?;
        self.write_works(text)?;
        self.write_reasons(text)?;
        self.write_money(text)?;
        self.write_kills(text)?;
        for problem in &self.problems {
            writeln!(text, "PROBLEM: {problem}")?;
        }
        if self.is_well() {
            write!(text, "{}\nfsck: ok", self.fsck)
        } else {
            write!(text, "{}", self.fsck)
        }
    }

    fn write_agents(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n{:<9} {:>6} {:>7} {:>6} {:>5} {:>4} {:>8} {:>8} {:>9} {:>9}  {:<14} tier",
            "agent",
            "price",
            "claims",
            "found",
            "bids",
            "won",
            "accepted",
            "rejected",
            "earned",
            "balance",
            "trust"
        )?;
        for agent in &self.agents {
            let after = agent.change.after;
            let balance = after.available.checked_add(after.pending).unwrap_or_default();
            let found = if agent.accepted + agent.rejected == 0 {
                "-".to_owned()
            } else {
                percent(agent.found)
            };
            writeln!(
                text,
                "{:<9} {:>6} {:>7} {:>6} {:>5} {:>4} {:>8} {:>8} {:>9} {:>9}  {:.3} → {:.3}  {}",
                agent.method,
                dollars(agent.price),
                percent(agent.claimed),
                found,
                agent.bids,
                agent.won,
                agent.accepted,
                agent.rejected,
                dollars(agent.earned),
                dollars(balance),
                agent.trust_before,
                agent.trust_after,
                agent.tier
            )?;
        }
        Ok(())
    }

    fn write_works(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n{:<9} {:>6} {:>5} {:>6} {:>5} {:>8} {:>8} {:>7} {:>8}",
            "works", "budget", "asks", "number", "bids", "accepted", "rejected", "nobody", "accuracy"
        )?;
        for kind in Kind::ALL {
            let sales: Vec<&Sale> = self.sales.iter().filter(|sale| sale.kind == kind).collect();
            let judged = |verdict| sales.iter().filter(|sale| sale.is_accepted == verdict).count();
            let right: usize = sales.iter().filter_map(|sale| sale.right).sum();
            let read = sales.iter().filter(|sale| sale.right.is_some()).count() * crate::plan::BATCH;
            writeln!(
                text,
                "{:<9} {:>6} {:>4}% {:>6} {:>5} {:>8} {:>8} {:>7} {:>8}",
                kind.name(),
                dollars(kind.most()),
                kind.percent(),
                sales.len(),
                sales.iter().map(|sale| sale.bidders.len()).sum::<usize>(),
                judged(Some(true)),
                judged(Some(false)),
                judged(None),
                percent(share(right, read))
            )?;
        }
        Ok(())
    }

    /// The first and the last work of each kind: who won, and why.
    fn write_reasons(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nwho won, and why (rank and score in the exchange's ranking)"
        )?;
        let mut shown: Vec<&Sale> = Vec::new();
        for kind in Kind::ALL {
            let mut won = self
                .sales
                .iter()
                .filter(|sale| sale.kind == kind && sale.winner.is_some());
            shown.extend(won.next());
            shown.extend(won.next_back());
        }
        shown.sort_by_key(|sale| sale.number);
        for sale in shown {
            let Some(winner) = &sale.winner else { continue };
            let parts: Vec<String> = winner
                .parts
                .iter()
                .map(|(name, part)| format!("{name} {part:.3}"))
                .collect();
            writeln!(
                text,
                "#{:<4} {:<7} {:<9} for {:<5} rank {} of {}, {:.3} = {} (best {:.3}); chosen by the {}: {}",
                sale.number,
                sale.kind.name(),
                self.name(&winner.provider_id),
                dollars(winner.price),
                winner.rank,
                sale.bidders.len(),
                winner.score,
                parts.join(" + "),
                winner.best_score,
                if sale.is_auto { "exchange" } else { "consumer" },
                match (sale.is_accepted, sale.accuracy) {
                    (Some(true), Some(accuracy)) => format!("{} right, accepted", percent(accuracy)),
                    (Some(false), Some(accuracy)) => format!("{} right, rejected", percent(accuracy)),
                    _ => format!("{} {}", sale.status, sale.reason),
                }
            )?;
        }
        Ok(())
    }

    fn write_money(&self, text: &mut String) -> std::fmt::Result {
        let money = self.sums.moved;
        writeln!(text)?;
        writeln!(
            text,
            "the consumer deposited {} and paid {}: {} to the agents, {} to the exchange; it has {} left, {} in escrow",
            dollars(self.sums.deposited),
            dollars(money.paid),
            dollars(money.payout),
            dollars(money.fee),
            dollars(self.consumer.available),
            dollars(self.consumer.escrow)
        )?;
        writeln!(
            text,
            "{} works ended in {:.1} s ({:.1} s with everything), {}",
            self.sales.len(),
            self.trading_seconds,
            self.seconds,
            if self.is_well() {
                "the money adds up"
            } else {
                "NOT ALL IS WELL"
            }
        )
    }

    fn write_kills(&self, text: &mut String) -> std::fmt::Result {
        if self.kills.is_empty() {
            return Ok(());
        }
        let longest = |of: fn(&Killed) -> f64| self.kills.iter().map(of).fold(0.0, f64::max);
        writeln!(
            text,
            "the exchange was killed {} times, {} of them during an award; it was back after {:.2} s at most, {:.2} s of \
             its own beside PostgreSQL; an interrupted award was answered {:.2} s after the kill at most",
            self.kills.len(),
            self.kills.iter().filter(|kill| kill.in_award).count(),
            longest(|kill| kill.down_seconds),
            longest(|kill| kill.down_seconds - kill.database_seconds),
            self.slowest_award_seconds
        )
    }

    fn name<'a>(&'a self, provider_id: &'a str) -> &'a str {
        let agent = self.agents.iter().find(|agent| agent.provider_id == provider_id);
        agent.map_or(provider_id, |agent| agent.method)
    }
}

/// With two digits at least after the point, as prices are written.
fn dollars(amount: Amount) -> String {
    let mut text = amount.to_string();
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if digits == 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', 2_usize.saturating_sub(digits)));
    text
}

fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::{Moved, Winner};

    fn report() -> Report {
        let usd = |text: &str| -> Amount { text.parse().unwrap() };
        let moved = Moved {
            paid: usd("0.45"),
            fee: usd("0.0675"),
            payout: usd("0.3825"),
            held: Amount::ZERO,
        };
        Report {
            seed: 1,
            kills: vec![Killed {
                after_works: 1,
                in_award: true,
                down_seconds: 1.5,
                database_seconds: 1.0,
            }],
            slowest_award_seconds: 2.25,
            seconds: 12.5,
            trading_seconds: 10.0,
            sales: vec![Sale {
                number: 1,
                kind: Kind::Fine,
                is_auto: false,
                work_id: "work_1".to_owned(),
                status: "completed".to_owned(),
                reason: String::new(),
                bidders: vec!["provider_1".to_owned()],
                contract_id: "contract_1".to_owned(),
                winner: Some(Winner {
                    provider_id: "provider_1".to_owned(),
                    price: usd("0.45"),
                    rank: 1,
                    score: 0.625,
                    best_score: 0.625,
                    trust: 0.3,
                    parts: vec![("trust".to_owned(), 0.12), ("price".to_owned(), 0.055)],
                }),
                right: Some(19),
                accuracy: Some(0.95),
                is_accepted: Some(true),
                money: moved,
            }],
            agents: vec![AgentDay {
                method: "knn",
                provider_id: "provider_1".to_owned(),
                price: usd("0.45"),
                claimed: 0.985,
                found: 0.95,
                bids: 1,
                won: 1,
                accepted: 1,
                rejected: 0,
                earned: usd("0.3825"),
                trust_before: 0.3,
                trust_after: 0.42,
                tier: "unverified".to_owned(),
                change: Change {
                    provider_id: "provider_1".to_owned(),
                    before: Balance::default(),
                    after: Balance {
                        pending: usd("0.3825"),
                        ..Balance::default()
                    },
                },
            }],
            consumer: Balance {
                available: usd("0.55"),
                ..Balance::default()
            },
            sums: Sums {
                moved,
                deposited: usd("1"),
            },
            fsck: "nothing is broken".to_owned(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_table_says_who_won_and_why_and_where_the_money_went() {
        let table = report().table();
        for words in [
            "knn         0.45   98.5%  95.0%     1    1        1        0    0.3825    0.3825  0.300 → 0.420",
            "fine        1.00   95%      1     1        1        0       0    95.0%",
            "#1    fine    knn       for 0.45  rank 1 of 1, 0.625 = trust 0.120 + price 0.055",
            "chosen by the consumer: 95.0% right, accepted",
            "the consumer deposited 1.00 and paid 0.45: 0.3825 to the agents, 0.0675 to the exchange; it has 0.55 left",
            "the money adds up",
            "was killed 1 times, 1 of them during an award; it was back after 1.50 s at most, 0.50 s of its own beside",
            "an interrupted award was answered 2.25 s after the kill at most",
        ] {
            assert!(table.contains(words), "{words}\n{table}");
        }
        assert!(table.ends_with("nothing is broken\nfsck: ok"));
    }

    #[test]
    fn what_is_wrong_stands_in_the_table_and_makes_the_day_a_failure() {
        let mut report = report();
        report.problems.push("0.1 is not 0.2".to_owned());
        assert!(!report.is_well());
        assert!(report.table().contains("PROBLEM: 0.1 is not 0.2"));
        assert!(!report.table().contains("fsck: ok"));
    }

    #[test]
    fn money_is_text_in_the_report_for_programs() {
        let json: serde_json::Value = serde_json::from_str(&report().json().unwrap()).unwrap();
        assert_eq!(json["sums"]["paid"], "0.45");
        assert_eq!(json["sums"]["deposited"], "1");
        assert_eq!(json["agents"][0]["earned"], "0.3825");
        assert_eq!(json["sales"][0]["money"]["fee"], "0.0675");
    }
}
