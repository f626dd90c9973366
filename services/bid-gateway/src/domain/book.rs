//! The book of a work: which bids take part, until it is sealed. Its events are numbered together with those of its
//! bids, so one order holds for all of them.

use std::collections::BTreeMap;

use aex_types::{BidId, ContractId, Currency, Money, ProviderId, TenantId, Timestamp, WorkId};

use super::bid::{Bid, Offer, Status};

/// Live bids of one work.
pub const MOST_LIVE: u32 = 1000;
/// Bids of one provider on one work.
pub const MOST_REVISIONS: u32 = 20;

/// The book of a work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The work, and what it asks.
    pub terms: Terms,
    /// When it was sealed.
    pub seal_time: Option<Timestamp>,
    /// How many bids take part.
    pub live_bids: u32,
    /// How many bids were received in all.
    pub total_bids: u32,
    /// The version of its last event.
    pub version: u64,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// What a book knows of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The work.
    pub work_id: WorkId,
    /// The tenant that wants it.
    pub consumer_id: TenantId,
    /// The consumer belongs to the exchange's own house.
    pub internal: bool,
    /// The most that is paid.
    pub max_price: Money,
    /// When bidding ends.
    pub close_time: Timestamp,
}

/// Who bids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bidder {
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that owns it.
    pub tenant_id: TenantId,
    /// The tenant belongs to the exchange's own house.
    pub internal: bool,
}

/// One thing that happened to a book or to a bid in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of which work.
    pub work_id: WorkId,
    /// Whose.
    pub consumer_id: TenantId,
    /// The bidder that it is about; nobody when it is about the whole book.
    pub bidder: Option<TenantId>,
    /// The book's version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a book.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/bid_gateway/v1/event.proto"
)]
pub enum Change {
    Opened {
        terms: Terms,
    },
    Submitted {
        bid_id: BidId,
        provider_id: ProviderId,
        offer: Box<Offer>,
        revision: u32,
        superseded: Option<BidId>,
    },
    Withdrawn {
        bid_id: BidId,
        provider_id: ProviderId,
    },
    Sealed {
        live_bids: u32,
        total_bids: u32,
    },
    Ranked {
        bid_id: BidId,
    },
    Disqualified {
        bid_id: BidId,
        reason: String,
    },
    Awarded {
        bid_id: BidId,
        contract_id: ContractId,
    },
    Lost {
        bid_id: BidId,
        reason: String,
    },
}

/// Why something may not happen to a book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("bidding on work {work_id} is over")]
    Closed { work_id: WorkId },
    #[error("work {work_id} has {MOST_LIVE} live bids, which is the most")]
    Full { work_id: WorkId },
    #[error("provider {provider_id} has bid {MOST_REVISIONS} times on work {work_id}, which is the most")]
    RevisionLimit {
        work_id: WorkId,
        provider_id: ProviderId,
    },
    #[error("a tenant does not bid on its own work {work_id}")]
    OwnWork { work_id: WorkId },
    #[error("work {work_id} is paid in {currency}")]
    CurrencyMismatch { work_id: WorkId, currency: Currency },
    #[error("bid {bid_id} is {status}")]
    NotLive { bid_id: BidId, status: Status },
}

/// A work's book begins open and empty.
pub fn open(terms: Terms, now: Timestamp) -> Event {
    Event {
        work_id: terms.work_id,
        consumer_id: terms.consumer_id,
        bidder: None,
        version: 1,
        time: now,
        change: Change::Opened { terms },
    }
}

/// A bid takes part while the book is open, in the place of the provider's last one if that is live. `last` is the
/// provider's newest bid on this work.
pub fn submit(
    book: &Book,
    last: Option<&Bid>,
    id: BidId,
    bidder: Bidder,
    offer: Offer,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let work_id = book.terms.work_id;
    let is_house = bidder.internal && book.terms.internal;
    if bidder.tenant_id == book.terms.consumer_id && !is_house {
        return Err(Refusal::OwnWork { work_id });
    }
    let currency = book.terms.max_price.currency;
    if offer.price.currency != currency {
        return Err(Refusal::CurrencyMismatch { work_id, currency });
    }
    book.takes_bids(now)?;
    let provider_id = bidder.provider_id;
    let revision = last.map_or(0, |last| last.revision).saturating_add(1);
    if revision > MOST_REVISIONS {
        return Err(Refusal::RevisionLimit { work_id, provider_id });
    }
    let superseded = last.filter(|last| last.status == Status::Received);
    if superseded.is_none() && book.live_bids >= MOST_LIVE {
        return Err(Refusal::Full { work_id });
    }
    let change = Change::Submitted {
        bid_id: id,
        provider_id,
        offer: Box::new(offer),
        revision,
        superseded: superseded.map(|bid| bid.id),
    };
    Ok(book.all(vec![(Some(bidder.tenant_id), change)], now))
}

/// A live bid can be taken back while the book is open.
pub fn withdraw(book: &Book, bid: &Bid, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if bid.status.is_gone() {
        return Err(Refusal::NotLive {
            bid_id: bid.id,
            status: bid.status,
        });
    }
    book.takes_bids(now)?;
    let change = Change::Withdrawn {
        bid_id: bid.id,
        provider_id: bid.provider_id,
    };
    Ok(book.all(vec![(Some(bid.provider_tenant_id), change)], now))
}

/// A book is sealed once.
pub fn seal(book: &Book, now: Timestamp) -> Vec<Event> {
    book.all(book.sealing(), now)
}

/// The evaluation judged the bids: `None` is valid, a text says why not. It may be heard after the award, or after the end of
/// the work: the bids stand as if it had been heard before. Who won has won, what lost has lost, and of that, what is
/// not valid is disqualified after all.
pub fn evaluated<'b>(
    book: &Book,
    bids: impl IntoIterator<Item = &'b Bid>,
    verdicts: &BTreeMap<BidId, Option<String>>,
    now: Timestamp,
) -> Vec<Event> {
    let changes = bids.into_iter().filter_map(|bid| {
        let change = match (verdicts.get(&bid.id)?, bid.status) {
            (None, Status::Received) => Change::Ranked { bid_id: bid.id },
            (Some(reason), Status::Received | Status::Lost) => Change::Disqualified {
                bid_id: bid.id,
                reason: reason.clone(),
            },
            _ => return None,
        };
        Some((Some(bid.provider_tenant_id), change))
    });
    book.all(changes.collect(), now)
}

/// One bid won; all others that could have did not.
pub fn awarded<'b>(
    book: &Book,
    bids: impl IntoIterator<Item = &'b Bid>,
    winner: BidId,
    contract_id: ContractId,
    now: Timestamp,
) -> Vec<Event> {
    let mut changes = book.sealing();
    for bid in bids.into_iter().filter(|bid| bid.status.is_running()) {
        let change = if bid.id == winner {
            Change::Awarded {
                bid_id: bid.id,
                contract_id,
            }
        } else {
            lost(bid.id, "awarded_elsewhere")
        };
        changes.push((Some(bid.provider_tenant_id), change));
    }
    book.all(changes, now)
}

/// The work is over without an award: its book is sealed and nobody wins.
pub fn abandon<'b>(
    book: &Book,
    bids: impl IntoIterator<Item = &'b Bid>,
    reason: &str,
    now: Timestamp,
) -> Vec<Event> {
    let mut changes = book.sealing();
    let running = bids.into_iter().filter(|bid| bid.status.is_running());
    changes.extend(running.map(|bid| (Some(bid.provider_tenant_id), lost(bid.id, reason))));
    book.all(changes, now)
}

fn lost(bid_id: BidId, reason: &str) -> Change {
    Change::Lost {
        bid_id,
        reason: reason.to_owned(),
    }
}

impl Book {
    /// Does it take bids at a moment? The stored end decides, not when somebody looks.
    pub fn takes_bids(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.seal_time.is_some() || now >= self.terms.close_time {
            Err(Refusal::Closed {
                work_id: self.terms.work_id,
            })
        } else {
            Ok(())
        }
    }

    fn sealing(&self) -> Vec<(Option<TenantId>, Change)> {
        let sealed = Change::Sealed {
            live_bids: self.live_bids,
            total_bids: self.total_bids,
        };
        match self.seal_time {
            None => vec![(None, sealed)],
            Some(_) => Vec::new(),
        }
    }

    /// The next events: one version on each, and never earlier than the one before.
    fn all(&self, changes: Vec<(Option<TenantId>, Change)>, now: Timestamp) -> Vec<Event> {
        let versions = self.version + 1..;
        let event = |(version, (bidder, change))| Event {
            work_id: self.terms.work_id,
            consumer_id: self.terms.consumer_id,
            bidder,
            version,
            time: now.max(self.update_time),
            change,
        };
        versions.zip(changes).map(event).collect()
    }

    /// The book after an event, live and in replay. `None` when the event does not follow it.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let Some(before) = before else {
            let Change::Opened { terms } = event.change else {
                return None;
            };
            return (event.version == 1).then_some(Self {
                terms,
                seal_time: None,
                live_bids: 0,
                total_bids: 0,
                version: 1,
                create_time: event.time,
                update_time: event.time,
            });
        };
        if event.version != before.version + 1 || event.work_id != before.terms.work_id {
            return None;
        }
        let is_open = before.seal_time.is_none();
        let mut after = Self {
            version: event.version,
            update_time: event.time,
            ..before
        };
        match &event.change {
            Change::Submitted { superseded, .. } if is_open => {
                after.total_bids = after.total_bids.checked_add(1)?;
                after.live_bids = after.live_bids.checked_add(u32::from(superseded.is_none()))?;
            }
            Change::Withdrawn { .. } if is_open => after.live_bids = after.live_bids.checked_sub(1)?,
            Change::Sealed { .. } if is_open => after.seal_time = Some(event.time),
            Change::Ranked { .. }
            | Change::Disqualified { .. }
            | Change::Awarded { .. }
            | Change::Lost { .. } => {}
            _ => return None,
        }
        Some(after)
    }
}

impl Event {
    /// The bids that it changes.
    pub fn touches(&self) -> impl Iterator<Item = BidId> {
        let (bid_id, superseded) = match &self.change {
            Change::Opened { .. } | Change::Sealed { .. } => (None, None),
            Change::Submitted {
                bid_id, superseded, ..
            } => (Some(*bid_id), *superseded),
            Change::Withdrawn { bid_id, .. }
            | Change::Ranked { bid_id }
            | Change::Disqualified { bid_id, .. }
            | Change::Awarded { bid_id, .. }
            | Change::Lost { bid_id, .. } => (Some(*bid_id), None),
        };
        bid_id.into_iter().chain(superseded)
    }
}

impl Bid {
    /// One of the bids that an event changes, after it, live and in replay. `None` when the event does not follow it.
    pub fn after(before: Option<Self>, id: BidId, event: &Event) -> Option<Self> {
        let Some(before) = before else {
            return Self::begun(id, event);
        };
        let status_before = before.status;
        let mut after = Self {
            update_time: event.time,
            ..before
        };
        match &event.change {
            Change::Submitted { superseded, .. }
                if *superseded == Some(id) && status_before == Status::Received =>
            {
                after.status = Status::Superseded;
            }
            Change::Withdrawn { .. } if status_before == Status::Received => {
                after.status = Status::Withdrawn;
            }
            Change::Ranked { .. } if status_before == Status::Received => after.status = Status::Ranked,
            Change::Disqualified { reason, .. }
                if matches!(status_before, Status::Received | Status::Lost) =>
            {
                after.status = Status::Disqualified;
                after.status_reason.clone_from(reason);
            }
            Change::Awarded { .. } if status_before.is_running() => after.status = Status::Awarded,
            Change::Lost { .. } if status_before.is_running() => after.status = Status::Lost,
            _ => return None,
        }
        Some(after)
    }

    fn begun(id: BidId, event: &Event) -> Option<Self> {
        let Change::Submitted {
            bid_id,
            provider_id,
            offer,
            revision,
            ..
        } = &event.change
        else {
            return None;
        };
        (*bid_id == id).then_some(Self {
            id,
            work_id: event.work_id,
            consumer_id: event.consumer_id,
            provider_id: *provider_id,
            provider_tenant_id: event.bidder?,
            offer: (**offer).clone(),
            status: Status::Received,
            status_reason: String::new(),
            revision: *revision,
            receive_time: event.time,
            update_time: event.time,
        })
    }
}

#[cfg(test)]
mod tests;
