//! What a journal is about, so that it is posted once: the business keys, and the movements at rails in them.

use std::{fmt, str::FromStr};

use aex_types::ContractId;

/// A way for money into the exchange and out of it: 1 to 16 of `a-z`, `0-9` and `-`, starting with a letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rail([u8; Self::MAX_LEN]);

/// A text that does not have the form it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a rail.
    #[error("must be 1 to 16 of a-z, 0-9 and -, starting with a letter")]
    Rail,
    /// Not a reference.
    #[error("must be 1 to 128 visible ASCII characters")]
    Reference,
    /// Not a business key.
    #[error("must be a business key like `settle:contract_01h455vb4pex5vsknk084sn02q`")]
    BusinessKey,
}

impl Rail {
    const MAX_LEN: usize = 16;

    /// The rail of test deployments, which confirms at request.
    pub const TEST: Self = Self(*b"test\0\0\0\0\0\0\0\0\0\0\0\0");

    /// Its name.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&byte| byte == 0).unwrap_or(Self::MAX_LEN);
        self.0
            .get(..len)
            .and_then(|name| std::str::from_utf8(name).ok())
            .unwrap_or_default()
    }
}

impl FromStr for Rail {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let spelled = text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !spelled || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(KeyError::Rail);
        }
        let mut name = [0; Self::MAX_LEN];
        name.get_mut(..text.len())
            .ok_or(KeyError::Rail)?
            .copy_from_slice(text.as_bytes());
        Ok(Self(name))
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name that a rail gives to a movement of money: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Reference {
    const MAX_LEN: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Reference)
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One movement of money at a rail. It pays at most one deposit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payment {
    /// Where.
    pub rail: Rail,
    /// Which.
    pub reference: Reference,
}

impl fmt::Display for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rail, self.reference)
    }
}

/// One thing that a rail says about a payment: that it arrived, was rejected, later that it was charged back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RailEvent {
    /// About which payment.
    pub payment: Payment,
    /// The number of the event at the rail, within the payment.
    pub number: u32,
}

impl fmt::Display for RailEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.payment, self.number)
    }
}

/// What a journal is about. No key is ever posted twice (L8; decisions §3.10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusinessKey {
    /// `hold:{contract}`: the award's money was reserved.
    Hold(ContractId),
    /// `release:{contract}`: it went back to the consumer.
    Release(ContractId),
    /// `settle:{contract}`: it was split into payout, fee and residual.
    Settle(ContractId),
    /// `close-residual:{contract}`: the residual went back to the consumer.
    CloseResidual(ContractId),
    /// `close-payout:{contract}`: the payout became available to the provider.
    ClosePayout(ContractId),
    /// `deposit:{rail}:{reference}:{event}`: a payment arrived.
    Deposit(RailEvent),
}

impl BusinessKey {
    /// The contract that it is about.
    pub const fn contract(&self) -> Option<ContractId> {
        match self {
            Self::Hold(contract)
            | Self::Release(contract)
            | Self::Settle(contract)
            | Self::CloseResidual(contract)
            | Self::ClosePayout(contract) => Some(*contract),
            Self::Deposit(_) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(':')?;
        if verb == "deposit" {
            // A reference may hold colons; a rail and a number cannot.
            let (rail, rest) = rest.split_once(':')?;
            let (reference, number) = rest.rsplit_once(':')?;
            let payment = Payment {
                rail: rail.parse().ok()?,
                reference: reference.parse().ok()?,
            };
            return Some(Self::Deposit(RailEvent {
                payment,
                number: number.parse().ok()?,
            }));
        }
        let contract = rest.parse().ok()?;
        match verb {
            "hold" => Some(Self::Hold(contract)),
            "release" => Some(Self::Release(contract)),
            "settle" => Some(Self::Settle(contract)),
            "close-residual" => Some(Self::CloseResidual(contract)),
            "close-payout" => Some(Self::ClosePayout(contract)),
            _ => None,
        }
    }
}

impl fmt::Display for BusinessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(contract) => write!(f, "hold:{contract}"),
            Self::Release(contract) => write!(f, "release:{contract}"),
            Self::Settle(contract) => write!(f, "settle:{contract}"),
            Self::CloseResidual(contract) => write!(f, "close-residual:{contract}"),
            Self::ClosePayout(contract) => write!(f, "close-payout:{contract}"),
            Self::Deposit(event) => write!(f, "deposit:{event}"),
        }
    }
}

impl FromStr for BusinessKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // Printing it again refuses every other spelling, such as `+1`.
        Self::parse(text)
            .filter(|key| key.to_string() == text)
            .ok_or(KeyError::BusinessKey)
    }
}
