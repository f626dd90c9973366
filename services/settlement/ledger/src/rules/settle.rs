//! Settlement: the escrow is split into what the provider earned, the fee, and what stays reserved.

use aex_types::Timestamp;

use super::Verdict;
use crate::{
    Account, Books, BusinessKey, Change, Held, JournalKind, Reason, Refusal, Settle, Settlement, State,
    Violation, draft::Draft,
};

/// D ESCROW `G`; C PENDING `payout(G)`, C FEE_REVENUE `fee(G)`. The residual stays until its window closes.
pub(super) fn settle(books: &Books, command: &Settle, now: Timestamp) -> Result<Verdict, Refusal> {
    let Settle {
        contract,
        currency,
        gross,
    } = *command;
    let other_terms = || Refusal::OtherTerms {
        key: BusinessKey::Settle(contract),
    };
    let hold = books.hold(contract)?.ok_or(Refusal::HoldNotFound { contract })?;
    if hold.award().is_some_and(|award| award.terms.currency != currency) {
        return Err(other_terms());
    }
    match &hold.state {
        State::Released(_) => Err(Refusal::HoldReleased { contract }),
        State::Captured(captured) if captured.settlement.gross == gross => {
            Ok(Verdict::Already(captured.settled.journal))
        }
        State::Captured(_) => Err(other_terms()),
        State::Held(Held {
            release_not_before: Some(not_before),
            ..
        }) => Err(Refusal::HoldReleasing {
            contract,
            not_before: *not_before,
        }),
        State::Held(reserved) => capture(command, reserved, now),
    }
}

fn capture(command: &Settle, reserved: &Held, now: Timestamp) -> Result<Verdict, Refusal> {
    let Settle {
        contract,
        currency,
        gross,
    } = *command;
    let award = &reserved.award;
    let escrow = award.terms.escrow;
    let settlement = Settlement::of(award, gross, now).ok_or(Refusal::GrossAboveEscrow {
        contract,
        gross,
        escrow,
    })?;
    let subject = award.subject(contract);
    let shares = settlement.shares(award).ok_or(Violation::Figures { subject })?;
    let (escrow, pending) = (
        Account::escrow(contract, currency),
        Account::pending(contract, currency),
    );
    let draft = Draft::new(JournalKind::Settle, BusinessKey::Settle(contract), currency)
        .debit(escrow, shares.base, Reason::Base)
        .debit(escrow, shares.bonus, Reason::Bonus)
        .credit(pending, shares.base_earning, Reason::Base)
        .credit(pending, shares.bonus_earning, Reason::Bonus)
        .credit(Account::fee_revenue(currency), settlement.fee, Reason::Fee);
    Ok(Verdict::posting(
        subject,
        Change::ContractSettled(settlement),
        draft,
    ))
}
