//! Events of the books, to the wire and back.

use aex_error::wire;
use aex_proto::aex::{common::v1 as common, settlement::v1 as pb};
use aex_settlement_ledger::{
    Account, AccountCode, Change, Entry, Event, Journal, Line, Owner, Parties, Payment, RailEvent, Rates,
    Settlement, Subject, Terms,
};
use aex_store::Fact;
use aex_types::{Amount, BasisPoints, Currency, Money, Timestamp};
use prost::{Message, Name};
use prost_types::Timestamp as WireTime;

/// An event as it is published.
pub(crate) fn fact_of(event: &Event) -> Fact {
    match event.subject {
        Subject::Deposit { deposit, tenant } => of_deposit(event, deposit.to_string(), tenant.to_string()),
        Subject::Contract { contract, parties } => of_hold(event, contract.to_string(), parties),
    }
}

fn fact<P: Message + Name>(event: &Event, aggregate: &str, payload: &P) -> Fact {
    Fact::new(event.name(), (event.subject, event.version, event.time), payload)
        .of(aggregate)
        .visible_to(event.visible_to())
}

fn of_deposit(event: &Event, deposit_id: String, tenant_id: String) -> Fact {
    let journal = event.journal.as_ref().map(journal_out);
    match &event.change {
        Change::DepositConfirmed { event: said } => {
            let payload = pb::DepositConfirmed {
                deposit_id,
                tenant_id,
                rail: said.payment.rail.to_string(),
                rail_reference: said.payment.reference.to_string(),
                event_number: said.number,
                amount: arrived(event),
                journal,
            };
            fact(event, "deposit", &payload)
        }
        Change::DepositRejected { event: said, reason } => {
            let payload = pb::DepositRejected {
                deposit_id,
                tenant_id,
                rail: said.payment.rail.to_string(),
                rail_reference: said.payment.reference.to_string(),
                event_number: said.number,
                reason: reason.to_string(),
            };
            fact(event, "deposit", &payload)
        }
        change => {
            let (amount, rail) = match change {
                Change::DepositRequested { money, rail } => (Some(wire::money(money)), rail.to_string()),
                _ => (None, String::new()),
            };
            let payload = pb::DepositRequested {
                deposit_id,
                tenant_id,
                amount,
                rail,
            };
            fact(event, "deposit", &payload)
        }
    }
}

/// What arrived is the first line of a deposit's journal: cash.
fn arrived(event: &Event) -> Option<common::Money> {
    let journal = event.journal.as_ref()?;
    let cash = journal.lines.first()?;
    Some(wire::money(&Money {
        currency: journal.currency,
        amount: cash.amount,
    }))
}

fn of_hold(event: &Event, contract_id: String, parties: Option<Parties>) -> Fact {
    let journal = event.journal.as_ref().map(journal_out);
    let name = |read: fn(&Parties) -> String| parties.as_ref().map(read).unwrap_or_default();
    let consumer_id = name(|parties| parties.consumer.to_string());
    let provider_id = name(|parties| parties.provider.to_string());
    let provider_tenant_id = name(|parties| parties.payee.to_string());
    /// A payload with the fields that all of them have.
    macro_rules! of {
        ($message:ident { $($field:ident: $value:expr),* $(,)? }) => {
            fact(event, "hold", &pb::$message {
                contract_id, consumer_id, provider_id, provider_tenant_id, $($field: $value),*
            })
        };
    }
    match &event.change {
        Change::HoldPlaced { terms, rates } => {
            let base = Money {
                currency: terms.currency,
                amount: terms.base,
            };
            of!(HoldPlaced {
                base: Some(wire::money(&base)),
                escrow: terms.escrow.to_string(),
                tier: wire::tier(terms.tier).into(),
                dispute_window: Some(wire::span(terms.dispute_window)),
                deadline: Some(wire::time(terms.deadline)),
                policy_version: rates.policy,
                fee_basis_points: u32::from(rates.fee.get()),
                payout_hold: Some(wire::span(rates.payout_hold)),
                journal: journal,
            })
        }
        Change::HoldReleaseScheduled { not_before } => of!(HoldReleaseScheduled {
            not_before: Some(wire::time(*not_before)),
        }),
        Change::HoldReleased { not_before } => of!(HoldReleased {
            not_before: not_before.map(wire::time),
            journal: journal,
        }),
        Change::ContractSettled(settlement) => {
            let currency = settlement.currency;
            let money = |amount| Some(wire::money(&Money { currency, amount }));
            of!(ContractSettled {
                price: money(settlement.gross),
                fee: money(settlement.fee),
                payout: money(settlement.payout),
                residual: money(settlement.residual),
                settle_time: Some(wire::time(event.time)),
                residual_release_time: Some(wire::time(settlement.residual_release_at)),
                payout_release_time: Some(wire::time(settlement.payout_release_at)),
                journal: journal,
            })
        }
        Change::ResidualReleased => of!(HoldResidualReleased { journal: journal }),
        Change::PayoutReleased => of!(HoldPayoutReleased { journal: journal }),
        Change::HoldOverdue { deadline } => of!(HoldOverdue {
            deadline: Some(wire::time(*deadline)),
        }),
        Change::DepositRequested { .. }
        | Change::DepositConfirmed { .. }
        | Change::DepositRejected { .. } => {
            of!(HoldOverdue { deadline: None })
        }
    }
}

fn journal_out(journal: &Journal) -> pb::Journal {
    pb::Journal {
        journal_id: journal.id.to_string(),
        kind: journal.kind.to_string(),
        business_key: journal.key.to_string(),
        currency_code: journal.currency.to_string(),
        effective_time: Some(wire::time(journal.effective_time)),
        lines: journal.lines.iter().map(line_out).collect(),
    }
}

fn line_out(line: &Line) -> pb::JournalLine {
    pb::JournalLine {
        account_code: u32::from(line.account.code().number()),
        owner: line.account.owner().to_string(),
        side: line.side.letter().to_owned(),
        amount: line.amount.to_string(),
        reason: line.reason.to_string(),
        seq: line.entry.map(|entry| entry.seq).unwrap_or_default(),
        balance_after: line
            .entry
            .map(|entry| entry.balance_after.to_string())
            .unwrap_or_default(),
    }
}

/// An event of settlement, as the event ledger kept it; `None` when it cannot be read.
pub(crate) fn event(stored: &common::Event) -> Option<Event> {
    let time = wire::read_time(stored.occur_time.as_ref()?)?;
    let read = Reading { stored, time };
    match stored.r#type.as_str() {
        "deposit.requested" => read.deposit(|payload: pb::DepositRequested| {
            let change = Change::DepositRequested {
                money: wire::read_money(payload.amount.as_ref()?)?,
                rail: payload.rail.parse().ok()?,
            };
            Some((payload.deposit_id, payload.tenant_id, change, None))
        }),
        "deposit.confirmed" => read.deposit(|payload: pb::DepositConfirmed| {
            let event = rail_event(&payload.rail, &payload.rail_reference, payload.event_number)?;
            let change = Change::DepositConfirmed { event };
            Some((payload.deposit_id, payload.tenant_id, change, payload.journal))
        }),
        "deposit.rejected" => read.deposit(|payload: pb::DepositRejected| {
            let event = rail_event(&payload.rail, &payload.rail_reference, payload.event_number)?;
            let reason = payload.reason.parse().ok()?;
            let change = Change::DepositRejected { event, reason };
            Some((payload.deposit_id, payload.tenant_id, change, None))
        }),
        _ => read.hold_event(),
    }
}

fn rail_event(rail: &str, reference: &str, number: u32) -> Option<RailEvent> {
    let payment = Payment {
        rail: rail.parse().ok()?,
        reference: reference.parse().ok()?,
    };
    Some(RailEvent { payment, number })
}

struct Reading<'a> {
    stored: &'a common::Event,
    time: Timestamp,
}

impl Reading<'_> {
    fn payload<P: Message + Default>(&self) -> Option<P> {
        P::decode(self.stored.payload.clone()).ok()
    }

    fn event(&self, subject: Subject, change: Change, journal: Option<pb::Journal>) -> Option<Event> {
        let journal = match journal {
            None => None,
            Some(journal) => Some(journal_in(&journal, self.time)?),
        };
        Some(Event {
            subject,
            version: self.stored.aggregate_version,
            time: self.time,
            change,
            journal,
        })
    }

    fn deposit<P: Message + Default>(
        &self,
        read: impl FnOnce(P) -> Option<(String, String, Change, Option<pb::Journal>)>,
    ) -> Option<Event> {
        let (deposit, tenant, change, journal) = read(self.payload()?)?;
        let subject = Subject::Deposit {
            deposit: deposit.parse().ok()?,
            tenant: tenant.parse().ok()?,
        };
        self.event(subject, change, journal)
    }

    fn hold_event(&self) -> Option<Event> {
        /// The payload of a hold's event: its change, its journal, and whose it is.
        macro_rules! of {
            ($message:ident, |$payload:ident| $change:expr, $journal:expr) => {{
                let $payload: pb::$message = self.payload()?;
                let parties = parties(
                    &$payload.consumer_id,
                    &$payload.provider_id,
                    &$payload.provider_tenant_id,
                )?;
                let contract = $payload.contract_id.parse().ok()?;
                let change = $change;
                self.event(Subject::Contract { contract, parties }, change, $journal)
            }};
        }
        match self.stored.r#type.as_str() {
            "hold.placed" => of!(HoldPlaced, |payload| placed(&payload)?, payload.journal),
            "hold.release_scheduled" => of!(
                HoldReleaseScheduled,
                |payload| Change::HoldReleaseScheduled {
                    not_before: moment(payload.not_before.as_ref())?,
                },
                None
            ),
            "hold.released" => of!(
                HoldReleased,
                |payload| Change::HoldReleased {
                    not_before: match payload.not_before.as_ref() {
                        None => None,
                        given => Some(moment(given)?),
                    },
                },
                payload.journal
            ),
            "contract.settled" => of!(ContractSettled, |payload| settled(&payload)?, payload.journal),
            "hold.residual_released" => {
                of!(
                    HoldResidualReleased,
                    |payload| Change::ResidualReleased,
                    payload.journal
                )
            }
            "hold.payout_released" => {
                of!(
                    HoldPayoutReleased,
                    |payload| Change::PayoutReleased,
                    payload.journal
                )
            }
            "hold.overdue" => of!(
                HoldOverdue,
                |payload| Change::HoldOverdue {
                    deadline: moment(payload.deadline.as_ref())?,
                },
                None
            ),
            _ => None,
        }
    }
}

fn moment(time: Option<&WireTime>) -> Option<Timestamp> {
    wire::read_time(time?)
}

/// Nobody's hold has no parties; the outer `None` says that they cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn parties(consumer: &str, provider: &str, payee: &str) -> Option<Option<Parties>> {
    if consumer.is_empty() {
        return Some(None);
    }
    Some(Some(Parties {
        consumer: consumer.parse().ok()?,
        provider: provider.parse().ok()?,
        payee: payee.parse().ok()?,
    }))
}

fn placed(payload: &pb::HoldPlaced) -> Option<Change> {
    let base = wire::read_money(payload.base.as_ref()?)?;
    let terms = Terms {
        currency: base.currency,
        base: base.amount,
        escrow: payload.escrow.parse().ok()?,
        tier: wire::read_tier(payload.tier())?,
        dispute_window: wire::read_span(payload.dispute_window.as_ref()?)?,
        deadline: moment(payload.deadline.as_ref())?,
    };
    let rates = Rates {
        policy: payload.policy_version,
        fee: BasisPoints::new(u16::try_from(payload.fee_basis_points).ok()?)?,
        payout_hold: wire::read_span(payload.payout_hold.as_ref()?)?,
    };
    Some(Change::HoldPlaced { terms, rates })
}

fn settled(payload: &pb::ContractSettled) -> Option<Change> {
    let price = wire::read_money(payload.price.as_ref()?)?;
    let amount = |money: &Option<common::Money>| Some(wire::read_money(money.as_ref()?)?.amount);
    Some(Change::ContractSettled(Settlement {
        currency: price.currency,
        gross: price.amount,
        fee: amount(&payload.fee)?,
        payout: amount(&payload.payout)?,
        residual: amount(&payload.residual)?,
        residual_release_at: moment(payload.residual_release_time.as_ref())?,
        payout_release_at: moment(payload.payout_release_time.as_ref())?,
    }))
}

fn journal_in(journal: &pb::Journal, post_time: Timestamp) -> Option<Journal> {
    let currency: Currency = journal.currency_code.parse().ok()?;
    Some(Journal {
        id: journal.journal_id.parse().ok()?,
        kind: journal.kind.parse().ok()?,
        key: journal.business_key.parse().ok()?,
        currency,
        post_time,
        effective_time: moment(journal.effective_time.as_ref())?,
        lines: journal
            .lines
            .iter()
            .map(|line| line_in(line, currency))
            .collect::<Option<_>>()?,
    })
}

fn line_in(line: &pb::JournalLine, currency: Currency) -> Option<Line> {
    let code = AccountCode::try_from(u16::try_from(line.account_code).ok()?).ok()?;
    let owners = [
        line.owner.parse().ok().map(Owner::Tenant),
        line.owner.parse().ok().map(Owner::Contract),
        (line.owner == Owner::Platform.to_string()).then_some(Owner::Platform),
        line.owner.parse().ok().map(Owner::Rail),
    ];
    let account = owners
        .into_iter()
        .flatten()
        .find_map(|owner| Account::new(code, owner, currency))?;
    let balance: Option<Amount> = match line.balance_after.as_str() {
        "" => None,
        // A balance may have more digits than an amount on the wire.
        text => Some(Amount::try_from(text.parse::<rust_decimal::Decimal>().ok()?).ok()?),
    };
    Some(Line {
        account,
        side: line.side.parse().ok()?,
        amount: line.amount.parse().ok()?,
        reason: line.reason.parse().ok()?,
        entry: balance.map(|balance_after| Entry {
            seq: line.seq,
            balance_after,
        }),
    })
}
