//! Money: exact, checked, never a float.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};

/// An amount of money without its currency: not negative, at most six fraction digits, at most 10^15.
///
/// There is no `Add`: every sum is checked, and what does not fit is an error and never wraps or rounds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(Decimal);

/// A text or number that is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not spelled as an amount.
    #[error("must be a decimal of at most 12 digits before and 6 after the point, without a sign")]
    Spelling,
    /// Below zero, above 10^15, or finer than a micro.
    #[error("is outside of what an amount can be")]
    Range,
}

/// The fraction digits that every amount is exact to.
const DIGITS: u32 = 6;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The most that any amount or balance can be: 10^15.
    pub const MAX: Self = Self(Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0));

    /// From whole millionths.
    pub fn from_micros(micros: u64) -> Result<Self, AmountError> {
        Self::try_from(Decimal::from_i128_with_scale(i128::from(micros), DIGITS))
    }

    /// The number, with at most six fraction digits.
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Is it nothing?
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum; `None` above 10^15.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0
            .checked_add(other.0)
            .and_then(|sum| Self::try_from(sum).ok())
    }

    /// The difference; `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0
            .checked_sub(other.0)
            .and_then(|difference| Self::try_from(difference).ok())
    }

    /// The share that a rate is of this amount, rounded half away from zero at six digits.
    ///
    /// This is the only rounding in the exchange: fees and penalties are made here, everything else by subtraction.
    #[must_use]
    pub fn share(self, rate: BasisPoints) -> Self {
        let exact = self.0.saturating_mul(Decimal::new(i64::from(rate.0), 4));
        Self(exact.round_dp_with_strategy(DIGITS, RoundingStrategy::MidpointAwayFromZero))
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = AmountError;

    fn try_from(number: Decimal) -> Result<Self, AmountError> {
        let number = number.normalize();
        let fits = !number.is_sign_negative() && number.scale() <= DIGITS && number <= Self::MAX.0;
        if fits || number.is_zero() {
            Ok(Self(number))
        } else {
            Err(AmountError::Range)
        }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        // `Decimal` would also take `1e3`, `1_000` and `.5`, and would round what it cannot hold.
        let (whole, fraction) = text
            .split_once('.')
            .map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let spelled = digits(whole, 12)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(|fraction| digits(fraction, 6));
        if !spelled {
            return Err(AmountError::Spelling);
        }
        let number: Decimal = text.parse().map_err(|_| AmountError::Spelling)?;
        Self::try_from(number)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.normalize(), f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A rate in hundredths of a percent, from 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// A rate; `None` above 10,000.
    pub const fn new(points: u16) -> Option<Self> {
        if points <= 10_000 {
            Some(Self(points))
        } else {
            None
        }
    }

    /// The rate as a number of hundredths of a percent.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A currency: 3 to 8 capitals or digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 8],
    len: u8,
}

/// A text that is not a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 3 to 8 capitals or digits")]
pub struct CurrencyError;

impl Currency {
    /// The dollar of the United States.
    pub const USD: Self = Self {
        code: *b"USD\0\0\0\0\0",
        len: 3,
    };

    /// The code.
    pub fn as_str(&self) -> &str {
        let code = self.code.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(code).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let spelled = text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let len = u8::try_from(text.len()).map_err(|_| CurrencyError)?;
        if !spelled || len < 3 {
            return Err(CurrencyError);
        }
        let mut code = [0; 8];
        code.get_mut(..text.len())
            .ok_or(CurrencyError)?
            .copy_from_slice(text.as_bytes());
        Ok(Self { code, len })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Of which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Amount,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEE: BasisPoints = BasisPoints(1500);

    #[test]
    fn what_is_not_spelled_as_an_amount_is_refused() {
        for wrong in [
            "",
            ".5",
            "5.",
            "01",
            "1e3",
            "1_000",
            "-1",
            "+1",
            "1.0000001",
            "1000000000000",
            " 1",
            "NaN",
        ] {
            assert_eq!(wrong.parse::<Amount>(), Err(AmountError::Spelling), "{wrong}");
        }
        assert_eq!(
            "12.500".parse::<Amount>().map(|amount| amount.to_string()),
            Ok("12.5".to_owned())
        );
    }

    #[test]
    fn the_greatest_amount_is_ten_to_the_fifteenth() {
        assert_eq!(Amount::MAX.to_string(), "1000000000000000");
        let micro = Amount::from_micros(1).unwrap();
        assert_eq!(Amount::MAX.checked_add(micro), None);
        assert_eq!(Amount::ZERO.checked_sub(micro), None);
    }

    /// The golden vectors of the fee, in micros.
    #[test]
    fn the_fee_is_rounded_half_away_from_zero() {
        let vectors = [
            (0, 0),
            (1, 0),
            (3, 0),
            (4, 1),
            (10, 2),
            (11, 2),
            (44_000, 6_600),
            (64_000, 9_600),
            (80_000, 12_000),
            (84_000, 12_600),
            (100_000, 15_000),
            (120_000, 18_000),
            (130_000, 19_500),
            (150_000, 22_500),
            (1_000_000, 150_000),
            (99_990_000, 14_998_500),
            (9_999_999_999, 1_500_000_000),
        ];
        for (gross, fee) in vectors {
            let (gross, fee) = (
                Amount::from_micros(gross).unwrap(),
                Amount::from_micros(fee).unwrap(),
            );
            assert_eq!(gross.share(FEE), fee, "fee of {gross}");
        }
    }

    proptest! {
        #[test]
        fn parsing_undoes_printing(micros in 0..=999_999_999_999_999_999_u64) {
            let amount = Amount::from_micros(micros).unwrap();
            prop_assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount));
        }

        #[test]
        fn a_share_never_exceeds_the_whole_and_grows_with_it(a in 0..=10_u64.pow(15), b in 0..=10_u64.pow(15), points in 0..=10_000_u16) {
            let rate = BasisPoints::new(points).unwrap();
            let (small, large) = (Amount::from_micros(a.min(b)).unwrap(), Amount::from_micros(a.max(b)).unwrap());
            prop_assert!(large.share(rate) <= large);
            prop_assert!(small.share(rate) <= large.share(rate));
            let rest = large.checked_sub(large.share(rate)).unwrap();
            prop_assert_eq!(rest.checked_add(large.share(rate)), Some(large));
        }

        #[test]
        fn integers_agree_with_the_decimal_fee(micros in 0..=10_u64.pow(16)) {
            let expected = (u128::from(micros) * 1500 + 5000) / 10_000;
            let expected = Amount::from_micros(u64::try_from(expected).unwrap()).unwrap();
            prop_assert_eq!(Amount::from_micros(micros).unwrap().share(FEE), expected);
        }
    }
}
