//! What time does: windows close, releases that had to wait are done, and an overdue hold is told of.
//!
//! The stored deadline decides, not the moment when a worker looked (decisions §2.6), so a journal takes effect at it.

use aex_types::{ContractId, Timestamp};

use super::{Verdict, hold::give_back};
use crate::{
    Account, Books, BusinessKey, Captured, Change, Elapse, Held, Hold, JournalKind, Reason, Refusal, State,
    Timer, Violation, draft::Draft,
};

/// A timer of a hold went off.
pub(super) fn elapse(books: &Books, command: &Elapse, now: Timestamp) -> Result<Verdict, Refusal> {
    let Elapse { contract, timer } = *command;
    let hold = books.hold(contract)?.ok_or(Refusal::HoldNotFound { contract })?;
    let Some(due) = hold.due(timer) else {
        return done_before(hold, timer);
    };
    if now < due {
        return Err(Refusal::NotDue { contract, timer, due });
    }
    match (timer, &hold.state) {
        (Timer::Overdue, State::Held(reserved)) => Ok(report(contract, reserved)),
        (Timer::Release, State::Held(reserved)) => {
            give_back(books, contract, &reserved.award, Some(due), due)
        }
        (Timer::CloseResidual, State::Captured(captured)) => close_residual(books, contract, captured),
        (Timer::ClosePayout, State::Captured(captured)) => close_payout(books, contract, captured),
        _ => Err(Refusal::NothingDue { contract, timer }),
    }
}

/// People are told; settlement never pays out on its own account (decisions §1.6).
fn report(contract: ContractId, reserved: &Held) -> Verdict {
    Verdict::memo(
        reserved.award.subject(contract),
        Change::HoldOverdue {
            deadline: reserved.award.terms.deadline,
        },
    )
}

/// D ESCROW, C AVAILABLE of the consumer: the residual.
fn close_residual(books: &Books, contract: ContractId, captured: &Captured) -> Result<Verdict, Refusal> {
    let Captured {
        award, settlement, ..
    } = captured;
    let (currency, consumer) = (award.terms.currency, award.parties.consumer);
    let subject = award.subject(contract);
    let shares = settlement.shares(award).ok_or(Violation::Figures { subject })?;
    let parts = [
        (shares.penalty_credit, Reason::PenaltyCredit),
        (shares.unused_bonus, Reason::UnusedBonus),
    ];
    let escrow = Account::escrow(contract, currency);
    let owed = books.standing(&Account::receivable(consumer, currency))?;
    let draft = Draft::new(
        JournalKind::WindowClose,
        BusinessKey::CloseResidual(contract),
        currency,
    )
    .effective(settlement.residual_release_at)
    .debit(escrow, shares.penalty_credit, Reason::PenaltyCredit)
    .debit(escrow, shares.unused_bonus, Reason::UnusedBonus)
    .pay(consumer, &parts, owed)?;
    Ok(Verdict::posting(subject, Change::ResidualReleased, draft))
}

/// D PENDING, C AVAILABLE of the provider's tenant: the payout.
fn close_payout(books: &Books, contract: ContractId, captured: &Captured) -> Result<Verdict, Refusal> {
    let Captured {
        award, settlement, ..
    } = captured;
    let (currency, payee) = (award.terms.currency, award.parties.payee);
    let owed = books.standing(&Account::receivable(payee, currency))?;
    let draft = Draft::new(
        JournalKind::WindowClose,
        BusinessKey::ClosePayout(contract),
        currency,
    )
    .effective(settlement.payout_release_at)
    .debit(
        Account::pending(contract, currency),
        settlement.payout,
        Reason::Payout,
    )
    .pay(payee, &[(settlement.payout, Reason::Payout)], owed)?;
    let subject = award.subject(contract);
    Ok(Verdict::posting(subject, Change::PayoutReleased, draft))
}

/// A timer that does not run either did what it had to, or has nothing to do.
fn done_before(hold: &Hold, timer: Timer) -> Result<Verdict, Refusal> {
    let done = match (timer, &hold.state) {
        (Timer::Overdue, State::Held(reserved)) => reserved.overdue_since.map(|_| None),
        (Timer::Release, State::Released(released)) => released.not_before.map(|_| released.released.journal),
        (Timer::CloseResidual, State::Captured(captured)) => {
            captured.residual_released.map(|posted| posted.journal)
        }
        (Timer::ClosePayout, State::Captured(captured)) => {
            captured.payout_released.map(|posted| posted.journal)
        }
        _ => None,
    };
    done.map(Verdict::Already).ok_or(Refusal::NothingDue {
        contract: hold.contract,
        timer,
    })
}
