//! Typed ids: a prefix that says what it names, and a UUIDv7 in 26 characters of base 32 (TypeID 0.3).

use std::{fmt, marker::PhantomData, str::FromStr};

use rand::Rng;
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use crate::Timestamp;

/// A kind of thing that has ids.
pub trait Named: Copy + Eq + Ord + std::hash::Hash + fmt::Debug + Send + Sync + 'static {
    /// The prefix of its ids, for example `tenant`.
    const PREFIX: &'static str;
}

/// The id of one `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<T: Named>(Uuid, PhantomData<T>);

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an id like `{prefix}_01h455vb4pex5vsknk084sn02q`")]
pub struct IdError {
    prefix: &'static str,
}

impl<T: Named> Id<T> {
    /// A new id. Ids made later sort later, to the millisecond.
    pub fn new(now: Timestamp, rng: &mut impl Rng) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        Self::from(uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random).into_uuid())
    }

    /// The id as it is stored.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<T: Named> From<Uuid> for Id<T> {
    fn from(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }
}

impl<T: Named> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A prefix is a constant of this crate, and a test holds that each is valid.
        let kind = DynamicType::new(T::PREFIX).map_err(|_| fmt::Error)?;
        write!(f, "{}", TypeSafeId::from_type_and_uuid(kind, self.0))
    }
}

impl<T: Named> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Named> FromStr for Id<T> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError { prefix: T::PREFIX };
        let id: TypeSafeId<DynamicType> = text.parse().map_err(|_| wrong())?;
        if id.type_prefix() == T::PREFIX {
            Ok(Self::from(id.uuid()))
        } else {
            Err(wrong())
        }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $prefix:literal;)*) => {
        /// The kinds of thing that have ids.
        pub mod kind {
            $(
                $(#[$doc])*
                #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
                pub enum $kind {}

                impl super::Named for $kind {
                    const PREFIX: &'static str = $prefix;
                }
            )*
        }
        $(
            $(#[$doc])*
            pub type $name = Id<kind::$kind>;
        )*
        #[cfg(test)]
        const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

ids! {
    /// A tenant of the exchange.
    TenantId = Tenant, "tenant";
    /// An API key.
    KeyId = Key, "key";
    /// A provider of agents.
    ProviderId = Provider, "provider";
    /// An agent of a provider.
    AgentId = Agent, "agent";
    /// A subscription of a provider to categories.
    SubscriptionId = Subscription, "sub";
    /// A piece of work.
    WorkId = Work, "work";
    /// A bid on a work.
    BidId = Bid, "bid";
    /// The evaluation of a work's bids.
    EvaluationId = Evaluation, "eval";
    /// A contract.
    ContractId = Contract, "contract";
    /// A deposit of money.
    DepositId = Deposit, "deposit";
    /// A journal of the books.
    JournalId = Journal, "journal";
    /// An event.
    EventId = Event, "evt";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_prefix_is_valid_and_stands_once() {
        for (index, prefix) in PREFIXES.iter().enumerate() {
            assert!(DynamicType::new(prefix).is_ok(), "{prefix}");
            assert!(!PREFIXES[..index].contains(prefix), "{prefix} stands twice");
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = TenantId::from(Uuid::from_u128(7));
        assert!(id.to_string().parse::<KeyId>().is_err());
        for wrong in [
            "",
            "tenant",
            "tenant_",
            "tenant_01h",
            "TENANT_01h455vb4pex5vsknk084sn02q",
            "tenant_81h455vb4pex5vsknk084sn02q",
        ] {
            assert!(wrong.parse::<TenantId>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parsing_undoes_printing(number: u128) {
            let id = WorkId::from(Uuid::from_u128(number));
            prop_assert_eq!(id.to_string().parse::<WorkId>(), Ok(id));
        }
    }
}
