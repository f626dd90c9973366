//! A named consumer: how far a reader outside the exchange has come.

use aex_types::Timestamp;

/// How far a consumer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name, chosen by its owner.
    pub name: String,
    /// It has handled everything up to here.
    pub sequence: u64,
    /// When it said so.
    pub update_time: Timestamp,
}

/// The most named consumers of one owner.
pub const MOST: u64 = 100;

/// A commit that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Positions only move forward.
    #[error("consumer {name} stands at {at} already")]
    Back {
        /// Whose.
        name: String,
        /// Where it stands.
        at: u64,
    },
    /// There is no such event yet.
    #[error("the log ends at {head}")]
    BeyondEnd {
        /// The last event.
        head: u64,
    },
    /// The owner has as many consumers as it may have.
    #[error("there are {MOST} consumers already, which is the most")]
    TooMany,
}

/// Lets an owner have so many consumers.
pub const fn check_count(count: u64) -> Result<(), Refusal> {
    if count > MOST {
        return Err(Refusal::TooMany);
    }
    Ok(())
}

/// Moves a consumer on. To say the same position again changes nothing.
pub fn commit(consumer: &Consumer, sequence: u64, head: u64, now: Timestamp) -> Result<Consumer, Refusal> {
    if sequence < consumer.sequence {
        return Err(Refusal::Back {
            name: consumer.name.clone(),
            at: consumer.sequence,
        });
    }
    if sequence > head {
        return Err(Refusal::BeyondEnd { head });
    }
    Ok(Consumer {
        name: consumer.name.clone(),
        sequence,
        update_time: now.max(consumer.update_time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_moves_forward_and_not_beyond_the_end() {
        let at = |sequence| Consumer {
            name: "reports".to_owned(),
            sequence,
            update_time: Timestamp::EPOCH,
        };
        let now = Timestamp::EPOCH;
        assert_eq!(commit(&at(3), 5, 5, now), Ok(at(5)));
        assert_eq!(commit(&at(3), 3, 5, now), Ok(at(3)));
        assert_eq!(commit(&at(3), 6, 5, now), Err(Refusal::BeyondEnd { head: 5 }));
        let back = Refusal::Back {
            name: "reports".to_owned(),
            at: 3,
        };
        assert_eq!(commit(&at(3), 2, 5, now), Err(back));
    }
}
