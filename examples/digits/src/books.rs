//! Whether the money of a day adds up, seen from outside: what the consumer paid is what the providers earned and the
//! exchange kept, and every balance moved by just that.

use aex_types::Amount;
use serde::Serialize;

use crate::sale::{Moved, Sale, spelled};

/// What a tenant has, in dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Balance {
    /// Free to be spent.
    #[serde(serialize_with = "spelled")]
    pub(crate) available: Amount,
    /// Held for its contracts.
    #[serde(serialize_with = "spelled")]
    pub(crate) escrow: Amount,
    /// Earned, and not free yet.
    #[serde(serialize_with = "spelled")]
    pub(crate) pending: Amount,
}

impl Balance {
    fn total(self) -> Result<Amount, String> {
        sum([self.available, self.escrow, self.pending])
    }
}

/// A balance before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The provider; empty for the consumer.
    pub(crate) provider_id: String,
    /// At the beginning.
    pub(crate) before: Balance,
    /// At the end.
    pub(crate) after: Balance,
}

/// The sums of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sums {
    /// All contracts together.
    #[serde(flatten)]
    pub(crate) moved: Moved,
    /// What the consumer deposited.
    #[serde(serialize_with = "spelled")]
    pub(crate) deposited: Amount,
}

/// The sum; an error where no amount can be that large.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount, String> {
    amounts
        .into_iter()
        .try_fold(Amount::ZERO, Amount::checked_add)
        .ok_or_else(|| "a sum is larger than any amount".to_owned())
}

/// The sums of all sales.
pub(crate) fn sums(sales: &[Sale], deposited: Amount) -> Result<Sums, String> {
    let all = |part: fn(&Moved) -> Amount| sum(sales.iter().map(|sale| part(&sale.money)));
    Ok(Sums {
        moved: Moved {
            paid: all(|money| money.paid)?,
            fee: all(|money| money.fee)?,
            payout: all(|money| money.payout)?,
            held: all(|money| money.held)?,
        },
        deposited,
    })
}

/// What a provider earned in these sales.
pub(crate) fn earned(sales: &[Sale], provider_id: &str) -> Result<Amount, String> {
    let own = sales.iter().filter(|sale| {
        sale.winner
            .as_ref()
            .is_some_and(|winner| winner.provider_id == provider_id)
    });
    sum(own.map(|sale| sale.money.payout))
}

/// Everything that does not add up, one line each.
pub(crate) fn audit(
    sales: &[Sale],
    sums: Sums,
    consumer: &Change,
    providers: &[Change],
) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    let mut equal = |what: &str, one: Amount, other: Amount| {
        if one != other {
            wrong.push(format!("{what}: {one} is not {other}"));
        }
    };
    for sale in sales {
        let money = sale.money;
        equal(
            &format!("{}: fee and payout, and the price", sale.work_id),
            sum([money.fee, money.payout])?,
            money.paid,
        );
        let price = match (&sale.winner, sale.is_accepted) {
            (Some(winner), Some(true)) => winner.price,
            _ => Amount::ZERO,
        };
        equal(
            &format!("{}: what was paid, and what was agreed", sale.work_id),
            money.paid,
            price,
        );
    }
    let before = sum([consumer.before.total()?, sums.deposited])?;
    equal(
        "what the consumer had, and what it has and paid",
        before,
        sum([consumer.after.total()?, sums.moved.paid])?,
    );
    equal(
        "what is in escrow, and what contracts hold",
        consumer.after.escrow,
        sum([consumer.before.escrow, sums.moved.held])?,
    );
    let mut gained = Vec::new();
    for provider in providers {
        let earned = earned(sales, &provider.provider_id)?;
        gained.push(earned);
        let expected = sum([provider.before.total()?, earned])?;
        equal(
            &format!("{}: its balance, and what it earned", provider.provider_id),
            provider.after.total()?,
            expected,
        );
    }
    let gained = sum(gained)?;
    equal(
        "what the consumer paid, and what was earned and kept",
        sums.moved.paid,
        sum([gained, sums.moved.fee])?,
    );
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Kind, sale::Winner};

    fn usd(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn sale(provider: &str, price: &str, fee: &str, payout: &str, is_accepted: bool) -> Sale {
        let money = Moved {
            paid: usd(price),
            fee: usd(fee),
            payout: usd(payout),
            held: Amount::ZERO,
        };
        Sale {
            number: 1,
            kind: Kind::Rough,
            is_auto: false,
            work_id: "work_1".to_owned(),
            status: "completed".to_owned(),
            reason: String::new(),
            bidders: vec![provider.to_owned()],
            contract_id: "contract_1".to_owned(),
            winner: Some(Winner {
                provider_id: provider.to_owned(),
                price: usd(price),
                rank: 1,
                score: 0.5,
                best_score: 0.5,
                trust: 0.3,
                parts: Vec::new(),
            }),
            right: Some(20),
            accuracy: Some(1.0),
            is_accepted: Some(is_accepted),
            money: if is_accepted { money } else { Moved::default() },
        }
    }

    fn change(provider_id: &str, before: &str, after: &str) -> Change {
        let balance = |available| Balance {
            available: usd(available),
            ..Balance::default()
        };
        Change {
            provider_id: provider_id.to_owned(),
            before: balance(before),
            after: balance(after),
        }
    }

    /// Two contracts at 0.22 and 0.45 with a fee of 15 %, and one that was rejected.
    fn day() -> (Vec<Sale>, Change, Vec<Change>) {
        let sales = vec![
            sale("provider_1", "0.22", "0.033", "0.187", true),
            sale("provider_2", "0.45", "0.0675", "0.3825", true),
            sale("provider_2", "0.45", "0", "0", false),
        ];
        let providers = vec![
            change("provider_1", "0", "0.187"),
            change("provider_2", "1", "1.3825"),
        ];
        (sales, change("", "2", "11.33"), providers)
    }

    fn problems(day: &(Vec<Sale>, Change, Vec<Change>)) -> Vec<String> {
        let sums = sums(&day.0, usd("10")).unwrap();
        audit(&day.0, sums, &day.1, &day.2).unwrap()
    }

    #[test]
    fn a_day_whose_money_adds_up_has_no_problems() {
        let day = day();
        assert_eq!(problems(&day), Vec::<String>::new());
        let sums = sums(&day.0, usd("10")).unwrap();
        assert_eq!(
            (sums.moved.paid, sums.moved.fee, sums.moved.payout),
            (usd("0.67"), usd("0.1005"), usd("0.5695"))
        );
    }

    #[test]
    fn a_micro_dollar_too_much_or_too_little_is_found_wherever_it_is() {
        let mut consumer = day();
        consumer.1.after.available = usd("11.330001");
        let mut provider = day();
        provider.2[1].after.pending = usd("0.000001");
        let mut fee = day();
        fee.0[0].money.fee = usd("0.032999");
        let mut rejected = day();
        rejected.0[2].money = Moved {
            paid: usd("0.45"),
            fee: usd("0"),
            payout: usd("0.45"),
            held: Amount::ZERO,
        };
        let mut escrow = day();
        (escrow.1.after.available, escrow.1.after.escrow) = (usd("10.88"), usd("0.45"));
        for (name, day) in [
            ("consumer", consumer),
            ("provider", provider),
            ("fee", fee),
            ("rejected", rejected),
            ("escrow", escrow),
        ] {
            assert!(!problems(&day).is_empty(), "{name}");
        }
    }

    #[test]
    fn what_a_rejected_contract_still_holds_is_in_escrow() {
        let mut day = day();
        day.0[2].money.held = usd("0.45");
        (day.1.after.available, day.1.after.escrow) = (usd("10.88"), usd("0.45"));
        assert_eq!(problems(&day), Vec::<String>::new());
    }
}
