//! Holds: an award reserves its escrow, and a failure gives it back.

use aex_types::{ContractId, Money, Tier, Timestamp};

use super::Verdict;
use crate::{
    Account, Award, Books, BusinessKey, Change, Hold, JournalKind, PlaceHold, Policy, Rates, Reason, Refusal,
    Release, State, Subject, draft::Draft,
};

/// D AVAILABLE of the consumer, C ESCROW of the contract: the whole escrow, or nothing.
pub(super) fn place(books: &Books, command: &PlaceHold) -> Result<Verdict, Refusal> {
    let PlaceHold {
        contract,
        parties,
        terms,
    } = *command;
    if let Some(hold) = books.hold(contract)? {
        return placed_before(hold, command);
    }
    check(command, books.policy())?;
    let (tenant, currency) = (parties.consumer, terms.currency);
    let of_currency = |amount| Money { currency, amount };
    let owed = books.standing(&Account::receivable(tenant, currency))?;
    if !owed.is_zero() {
        return Err(Refusal::DebtOutstanding {
            tenant,
            owed: of_currency(owed),
        });
    }
    let account = Account::available(tenant, currency);
    let available = books.standing(&account)?;
    if available < terms.escrow {
        let (available, needed) = (of_currency(available), of_currency(terms.escrow));
        return Err(Refusal::InsufficientFunds {
            tenant,
            available,
            needed,
        });
    }
    let policy = books.policy();
    let rates = Rates {
        policy: policy.version,
        fee: policy.fee,
        payout_hold: policy.payout_holds.of(terms.tier).with(terms.dispute_window),
    };
    let draft = Draft::new(JournalKind::AwardHold, BusinessKey::Hold(contract), currency)
        .debit(account, terms.escrow, Reason::Principal)
        .credit(
            Account::escrow(contract, currency),
            terms.escrow,
            Reason::Principal,
        );
    Ok(Verdict::posting(
        Subject::Contract {
            contract,
            parties: Some(parties),
        },
        Change::HoldPlaced { terms, rates },
        draft,
    ))
}

/// ESCROW back to AVAILABLE of the consumer, now or once `not_before` is reached; without a hold, a tombstone.
pub(super) fn release(books: &Books, command: &Release, now: Timestamp) -> Result<Verdict, Refusal> {
    let Release { contract, not_before } = *command;
    let again = |before, journal| {
        if before == not_before {
            Ok(Verdict::Already(journal))
        } else {
            Err(Refusal::OtherTerms {
                key: BusinessKey::Release(contract),
            })
        }
    };
    let Some(hold) = books.hold(contract)? else {
        return Ok(Verdict::memo(
            Subject::Contract {
                contract,
                parties: None,
            },
            Change::HoldReleased { not_before },
        ));
    };
    match &hold.state {
        State::Released(released) => again(released.not_before, released.released.journal),
        State::Captured(_) => Err(Refusal::HoldCaptured { contract }),
        State::Held(reserved) => match (reserved.release_not_before, not_before) {
            (Some(scheduled), _) => again(Some(scheduled), None),
            (None, Some(not_before)) if now < not_before => Ok(Verdict::memo(
                reserved.award.subject(contract),
                Change::HoldReleaseScheduled { not_before },
            )),
            (None, _) => give_back(books, contract, &reserved.award, not_before, now),
        },
    }
}

/// D ESCROW, C AVAILABLE of the consumer: all of it. It takes effect at `effective`.
pub(super) fn give_back(
    books: &Books,
    contract: ContractId,
    award: &Award,
    not_before: Option<Timestamp>,
    effective: Timestamp,
) -> Result<Verdict, Refusal> {
    let (currency, consumer, escrow) = (award.terms.currency, award.parties.consumer, award.terms.escrow);
    let owed = books.standing(&Account::receivable(consumer, currency))?;
    let draft = Draft::new(JournalKind::HoldRelease, BusinessKey::Release(contract), currency)
        .effective(effective)
        .debit(Account::escrow(contract, currency), escrow, Reason::Principal)
        .pay(consumer, &[(escrow, Reason::Principal)], owed)?;
    Ok(Verdict::posting(
        award.subject(contract),
        Change::HoldReleased { not_before },
        draft,
    ))
}

/// The first journal for the same award. Not for a released contract: nothing is held for it any more.
fn placed_before(hold: &Hold, command: &PlaceHold) -> Result<Verdict, Refusal> {
    let contract = hold.contract;
    let award = match &hold.state {
        State::Released(_) => return Err(Refusal::HoldReleased { contract }),
        State::Held(reserved) => &reserved.award,
        State::Captured(captured) => &captured.award,
    };
    if (award.parties, award.terms) == (command.parties, command.terms) {
        Ok(Verdict::Already(award.placed.journal))
    } else {
        Err(Refusal::OtherTerms {
            key: BusinessKey::Hold(contract),
        })
    }
}

/// What can be said about an award without looking at money.
fn check(command: &PlaceHold, policy: &Policy) -> Result<(), Refusal> {
    let PlaceHold { parties, terms, .. } = command;
    if parties.consumer == parties.payee && terms.tier != Tier::Internal {
        return Err(Refusal::SameTenant {
            tenant: parties.consumer,
        });
    }
    if terms.base.is_zero() || terms.escrow < terms.base {
        return Err(Refusal::EscrowTooSmall {
            base: terms.base,
            escrow: terms.escrow,
        });
    }
    let (min, max) = (policy.dispute_window_min, policy.dispute_window_max);
    if terms.dispute_window < min || terms.dispute_window > max {
        return Err(Refusal::WindowOutOfRange {
            window: terms.dispute_window,
            min,
            max,
        });
    }
    Ok(())
}
