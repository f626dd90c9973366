//! The wall between the wire and the books: requests in, all faults at once; resources and events out, and events in
//! again for replay.

mod event;

use std::time::Duration;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::settlement::v1 as pb;
use aex_settlement_ledger::{
    AccountCode, Deposit, DepositState, EntryType, Hold, Parties, PlaceHold, RailEvent, Reference,
    RejectReason, Release, Settle, Side, State, Terms,
};
use aex_types::{ContractId, Currency, DepositId, Money, Timestamp};

pub(crate) use event::{event, fact_of};

use crate::store::{accounts::Purse, statements::StatementLine};

/// What a rail says about a deposit, before it is known by which rail that comes.
#[derive(Debug, Clone)]
pub(crate) struct RailMessage {
    pub(crate) deposit: DepositId,
    pub(crate) reference: Reference,
    pub(crate) number: u32,
}

impl RailMessage {
    /// The message as one of the deposit's rail.
    pub(crate) fn about(self, deposit: &Deposit) -> RailEvent {
        RailEvent {
            payment: aex_settlement_ledger::Payment {
                rail: deposit.rail,
                reference: self.reference,
            },
            number: self.number,
        }
    }
}

impl TryFrom<&pb::ConfirmDepositRequest> for RailMessage {
    type Error = Invalid;

    fn try_from(request: &pb::ConfirmDepositRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let deposit = check.parse("deposit_id", &request.deposit_id);
        let reference = check.parse("rail_reference", &request.rail_reference);
        check.finish(|| {
            Some(Self {
                deposit: deposit?,
                reference: reference?,
                number: request.event_number,
            })
        })
    }
}

/// Reads a rejection: what the rail says, and why.
pub(crate) fn rejection(request: &pb::RejectDepositRequest) -> Result<(RailMessage, RejectReason), Invalid> {
    let mut check = Check::of(request);
    let deposit = check.parse("deposit_id", &request.deposit_id);
    let reference = check.parse("rail_reference", &request.rail_reference);
    let reason = check.parse("reason", &request.reason);
    check.finish(|| {
        let message = RailMessage {
            deposit: deposit?,
            reference: reference?,
            number: request.event_number,
        };
        Some((message, reason?))
    })
}

/// Reads what a deposit is to be of, and by which rail.
pub(crate) fn deposit_request(request: &pb::RequestDepositRequest) -> Result<(Money, String), Invalid> {
    let mut check = Check::of(request);
    let money = check.money("amount", request.amount.as_ref());
    check.finish(|| Some((money?, request.rail.clone())))
}

/// Reads an award; `window` is the dispute window where it does not name one.
pub(crate) fn place_hold(request: &pb::PlaceHoldRequest, window: Duration) -> Result<PlaceHold, Invalid> {
    let mut check = Check::of(request);
    let contract = check.parse("contract_id", &request.contract_id);
    let consumer = check.parse("consumer_id", &request.consumer_id);
    let provider = check.parse("provider_id", &request.provider_id);
    let payee = check.parse("provider_tenant_id", &request.provider_tenant_id);
    let money = check.money("amount", request.amount.as_ref());
    let tier = check.choice("tier", request.tier).and_then(wire::read_tier);
    let dispute_window = check.maybe_span("dispute_window", request.dispute_window.as_ref());
    let deadline = check.time("deadline", request.deadline.as_ref());
    check.finish(|| {
        let money = money?;
        Some(PlaceHold {
            contract: contract?,
            parties: Parties {
                consumer: consumer?,
                provider: provider?,
                payee: payee?,
            },
            terms: Terms {
                currency: money.currency,
                base: money.amount,
                escrow: money.amount,
                tier: tier?,
                dispute_window: dispute_window?.unwrap_or(window),
                deadline: deadline?,
            },
        })
    })
}

/// Reads a release.
pub(crate) fn release_hold(request: &pb::ReleaseHoldRequest) -> Result<Release, Invalid> {
    let mut check = Check::of(request);
    let contract = check.parse("contract_id", &request.contract_id);
    let not_before = check.maybe_time("not_before", request.not_before.as_ref());
    check.finish(|| {
        Some(Release {
            contract: contract?,
            not_before: not_before?,
        })
    })
}

/// Reads what a contract costs.
pub(crate) fn settle_contract(request: &pb::SettleContractRequest) -> Result<Settle, Invalid> {
    let mut check = Check::of(request);
    let contract = check.parse("contract_id", &request.contract_id);
    let price = check.money("price", request.price.as_ref());
    check.finish(|| {
        let price = price?;
        Some(Settle {
            contract: contract?,
            currency: price.currency,
            gross: price.amount,
        })
    })
}

/// Reads the filter of a statement.
pub(crate) fn statement_filter(
    request: &pb::ListStatementLinesRequest,
) -> Result<(Option<Currency>, Option<ContractId>), Invalid> {
    let mut check = Check::of(request);
    let currency = check.maybe("currency_code", &request.currency_code);
    let contract = check.maybe("contract_id", &request.contract_id);
    check.finish(|| Some((currency?, contract?)))
}

/// A deposit as it stands.
pub(crate) fn deposit(deposit: &Deposit) -> pb::Deposit {
    let (status, reason) = match &deposit.state {
        DepositState::Pending => (pb::DepositStatus::Pending, String::new()),
        DepositState::Confirmed { .. } => (pb::DepositStatus::Confirmed, String::new()),
        DepositState::Rejected { reason, .. } => (pb::DepositStatus::Rejected, reason.to_string()),
    };
    let event = deposit.rail_event();
    pb::Deposit {
        deposit_id: deposit.id.to_string(),
        tenant_id: deposit.tenant.to_string(),
        rail: deposit.rail.to_string(),
        amount: Some(wire::money(&deposit.money)),
        status: status.into(),
        rail_reference: wire::text(event.map(|event| &event.payment.reference)),
        reason,
        create_time: Some(wire::time(deposit.request_time)),
        end_time: event.map(|_| wire::time(deposit.time)),
    }
}

/// A hold as it stands.
pub(crate) fn hold(hold: &Hold) -> pb::Hold {
    let mut wire = pb::Hold {
        contract_id: hold.contract.to_string(),
        ..pb::Hold::default()
    };
    let moment = |time: Timestamp| Some(wire::time(time));
    if let Some(award) = hold.award() {
        let terms = &award.terms;
        wire.consumer_id = award.parties.consumer.to_string();
        wire.provider_id = award.parties.provider.to_string();
        wire.provider_tenant_id = award.parties.payee.to_string();
        wire.amount = Some(wire::money(&Money {
            currency: terms.currency,
            amount: terms.escrow,
        }));
        wire.deadline = moment(terms.deadline);
        wire.place_time = moment(award.placed.time);
    }
    let status = match &hold.state {
        State::Held(_) => pb::HoldStatus::Held,
        State::Captured(captured) => {
            let currency = captured.award.terms.currency;
            let money = |amount| Some(wire::money(&Money { currency, amount }));
            let settlement = &captured.settlement;
            wire.price = money(settlement.gross);
            wire.fee = money(settlement.fee);
            wire.payout = money(settlement.payout);
            wire.residual_release_time = moment(settlement.residual_release_at);
            wire.payout_release_time = moment(settlement.payout_release_at);
            wire.settle_time = moment(captured.settled.time);
            pb::HoldStatus::Captured
        }
        State::Released(released) => {
            wire.release_time = moment(released.released.time);
            pb::HoldStatus::Released
        }
    };
    wire.set_status(status);
    wire
}

/// What a tenant has, as of a moment.
pub(crate) fn balance(purse: &Purse, now: Timestamp) -> pb::Balance {
    pb::Balance {
        currency_code: purse.currency.to_string(),
        available: purse.available.to_string(),
        escrow: purse.escrow.to_string(),
        pending: purse.pending.to_string(),
        receivable: purse.receivable.to_string(),
        as_of_time: Some(wire::time(now)),
    }
}

impl From<StatementLine> for pb::StatementLine {
    fn from(line: StatementLine) -> Self {
        let kind = match line.entry_type {
            EntryType::Deposit => pb::LineKind::Deposit,
            EntryType::EscrowHold => pb::LineKind::Hold,
            EntryType::EscrowRelease | EntryType::ContractPenaltyCredit | EntryType::Refund => {
                pb::LineKind::HoldRelease
            }
            EntryType::ContractBaseCharge | EntryType::ContractBonusCharge => {
                pb::LineKind::ContractBaseCharge
            }
            EntryType::ContractBaseEarning | EntryType::ContractBonusEarning => {
                pb::LineKind::ContractBaseEarning
            }
            EntryType::PayoutRelease => pb::LineKind::PayoutRelease,
            EntryType::PlatformFee => pb::LineKind::PlatformFee,
            EntryType::DebtRepayment => pb::LineKind::Recovery,
            EntryType::ContractPenaltyDebit | EntryType::Withdrawal => pb::LineKind::Unspecified,
        };
        let direction = match (line.entry_type, line.direction) {
            (EntryType::PlatformFee, _) => pb::Direction::Information,
            (_, Side::Debit) => pb::Direction::Debit,
            (_, Side::Credit) => pb::Direction::Credit,
        };
        let account = match line.account {
            AccountCode::Available => "available",
            AccountCode::Escrow => "escrow",
            AccountCode::Pending => "pending",
            AccountCode::Receivable => "receivable",
            _ => "none",
        };
        Self {
            journal_id: line.at.journal.to_string(),
            line: u32::try_from(line.at.line).unwrap_or_default(),
            kind: kind.into(),
            direction: direction.into(),
            amount: Some(wire::money(&line.money)),
            account: account.to_owned(),
            balance_after: wire::text(line.balance_after),
            contract_id: wire::text(line.contract),
            deposit_id: wire::text(line.deposit),
            post_time: Some(wire::time(line.at.time)),
        }
    }
}
