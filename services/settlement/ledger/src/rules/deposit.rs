//! Deposits: a tenant asks, a rail confirms or rejects. Decisions §3.8.

use aex_types::DepositId;

use super::Verdict;
use crate::{
    Account, Books, BusinessKey, Change, ConfirmDeposit, Deposit, DepositState, JournalKind, Payment, Reason,
    Refusal, RejectDeposit, RequestDeposit, Subject, draft::Draft,
};

/// Nothing moves; the amount has to be within the limits of its currency.
pub(super) fn request(books: &Books, command: &RequestDeposit) -> Result<Verdict, Refusal> {
    let RequestDeposit {
        deposit,
        tenant,
        money,
        rail,
    } = *command;
    if let Some(before) = books.deposit(deposit)? {
        let same = (before.tenant, before.money, before.rail) == (tenant, money, rail);
        return if same {
            Ok(Verdict::Already(None))
        } else {
            Err(Refusal::DepositDiffers { deposit })
        };
    }
    let currency = money.currency;
    let limits = books
        .policy()
        .deposits
        .get(&currency)
        .ok_or(Refusal::CurrencyNotSupported { currency })?;
    if money.amount < limits.min || money.amount > limits.max {
        let (min, max) = (limits.min, limits.max);
        return Err(Refusal::DepositOutOfRange {
            amount: money.amount,
            min,
            max,
        });
    }
    Ok(Verdict::memo(
        Subject::Deposit { deposit, tenant },
        Change::DepositRequested { money, rail },
    ))
}

/// D CASH, C AVAILABLE of the tenant; for a payment that paid no other deposit.
pub(super) fn confirm(books: &Books, command: &ConfirmDeposit) -> Result<Verdict, Refusal> {
    let ConfirmDeposit {
        deposit: id,
        event,
        money,
    } = command;
    let deposit = decidable(books, *id, &event.payment)?;
    let key = BusinessKey::Deposit(event.clone());
    match &deposit.state {
        DepositState::Confirmed {
            event: before,
            posted,
        } if before == event => {
            return if deposit.money == *money {
                Ok(Verdict::Already(posted.journal))
            } else {
                Err(Refusal::OtherTerms { key })
            };
        }
        DepositState::Pending => {}
        decided => {
            return Err(Refusal::DepositDecided {
                deposit: *id,
                state: decided.as_str(),
            });
        }
    }
    if deposit.rail != event.payment.rail {
        return Err(Refusal::RailDiffers {
            deposit: *id,
            payment: event.payment.clone(),
        });
    }
    if deposit.money != *money {
        return Err(Refusal::MoneyDiffers {
            deposit: *id,
            asked: deposit.money,
            arrived: *money,
        });
    }
    let (tenant, currency) = (deposit.tenant, money.currency);
    let cash = Account::client_cash(deposit.rail, currency);
    let owed = books.standing(&Account::receivable(tenant, currency))?;
    let draft = Draft::new(JournalKind::Deposit, key, currency)
        .debit(cash, money.amount, Reason::Principal)
        .pay(tenant, &[(money.amount, Reason::Principal)], owed)?;
    Ok(Verdict::posting(
        Subject::Deposit { deposit: *id, tenant },
        Change::DepositConfirmed { event: event.clone() },
        draft,
    ))
}

/// Nothing moves; the deposit is over.
pub(super) fn reject(books: &Books, command: &RejectDeposit) -> Result<Verdict, Refusal> {
    let RejectDeposit {
        deposit: id,
        event,
        reason,
    } = command;
    let deposit = decidable(books, *id, &event.payment)?;
    match &deposit.state {
        DepositState::Rejected {
            event: before,
            reason: why,
        } if before == event => {
            return if why == reason {
                Ok(Verdict::Already(None))
            } else {
                Err(Refusal::OtherTerms {
                    key: BusinessKey::Deposit(event.clone()),
                })
            };
        }
        DepositState::Pending => {}
        decided => {
            return Err(Refusal::DepositDecided {
                deposit: *id,
                state: decided.as_str(),
            });
        }
    }
    if deposit.rail != event.payment.rail {
        return Err(Refusal::RailDiffers {
            deposit: *id,
            payment: event.payment.clone(),
        });
    }
    Ok(Verdict::memo(
        Subject::Deposit {
            deposit: *id,
            tenant: deposit.tenant,
        },
        Change::DepositRejected {
            event: event.clone(),
            reason: reason.clone(),
        },
    ))
}

/// The deposit, if there is one and the payment is not another's.
fn decidable<'a>(books: &'a Books, id: DepositId, payment: &Payment) -> Result<&'a Deposit, Refusal> {
    let deposit = books
        .deposit(id)?
        .ok_or(Refusal::DepositNotFound { deposit: id })?;
    match books.payment(payment)? {
        Some(other) if other != id => Err(Refusal::PaymentTaken {
            payment: payment.clone(),
            deposit: other,
        }),
        _ => Ok(deposit),
    }
}
