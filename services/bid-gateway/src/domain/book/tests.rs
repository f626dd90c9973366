use std::time::Duration;

use aex_types::Amount;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const CONSUMER: u128 = 1000;

fn usd(micros: u64) -> Money {
    Money {
        currency: Currency::USD,
        amount: Amount::from_micros(micros).unwrap(),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
}

fn terms() -> Terms {
    Terms {
        work_id: Uuid::from_u128(1).into(),
        consumer_id: Uuid::from_u128(CONSUMER).into(),
        internal: true,
        max_price: usd(5),
        close_time: at(100),
    }
}

fn bidder(number: u8) -> Bidder {
    Bidder {
        provider_id: Uuid::from_u128(number.into()).into(),
        tenant_id: Uuid::from_u128(number.into()).into(),
        internal: false,
    }
}

fn offer(micros: u64) -> Offer {
    Offer {
        agent_id: None,
        price: usd(micros),
        confidence: 0.5,
        approach: String::new(),
        estimated_latency: None,
        sla: None,
        sample: None,
        endpoint: "https://agent.example".to_owned(),
        regions: Vec::new(),
        expire_time: at(1000),
    }
}

/// A whole book in memory: what the tables hold, folded the same way.
#[derive(Debug, Clone, PartialEq)]
struct Shelf {
    book: Book,
    bids: BTreeMap<BidId, Bid>,
}

impl Shelf {
    fn new() -> Self {
        Self {
            book: Book::after(None, &open(terms(), at(0))).unwrap(),
            bids: BTreeMap::new(),
        }
    }

    fn fold(&mut self, event: &Event) {
        self.book = Book::after(Some(self.book.clone()), event).unwrap();
        for id in event.touches() {
            let after = Bid::after(self.bids.remove(&id), id, event).unwrap();
            self.bids.insert(id, after);
        }
    }

    fn last(&self, bidder: Bidder) -> Option<&Bid> {
        let own = self
            .bids
            .values()
            .filter(|bid| bid.provider_id == bidder.provider_id);
        own.max_by_key(|bid| bid.revision)
    }

    fn live(&self) -> BTreeMap<ProviderId, Money> {
        let live = self.bids.values().filter(|bid| !bid.status.is_gone());
        live.map(|bid| (bid.provider_id, bid.offer.price)).collect()
    }
}

proptest! {
    /// The book against the simplest model of it: who has which price in it, until it is sealed or its time is over.
    #[test]
    fn a_book_is_what_its_model_says(
        steps in prop::collection::vec((0..12_u8, 0..5_u8, 1..9_u64, 0..6_u64), 0..120)
    ) {
        let mut shelf = Shelf::new();
        let first = shelf.clone();
        let mut model: BTreeMap<ProviderId, Money> = BTreeMap::new();
        let mut revisions: BTreeMap<ProviderId, u32> = BTreeMap::new();
        let (mut events, mut is_open, mut seconds) = (Vec::new(), true, 0);
        for (number, (step, who, price, pause)) in (100_u128..).zip(steps) {
            seconds += pause;
            let (now, bidder) = (at(seconds), bidder(who));
            let takes_bids = is_open && seconds < 100;
            let decided = match step {
                0..=6 => {
                    let id = Uuid::from_u128(number).into();
                    let decided = submit(&shelf.book, shelf.last(bidder), id, bidder, offer(price), now);
                    let revision = revisions.entry(bidder.provider_id).or_default();
                    prop_assert_eq!(decided.is_ok(), takes_bids && *revision < MOST_REVISIONS);
                    if decided.is_ok() {
                        *revision += 1;
                        model.insert(bidder.provider_id, usd(price));
                    }
                    decided
                }
                7 | 8 => match shelf.last(bidder).cloned() {
                    None => continue,
                    Some(bid) => {
                        let decided = withdraw(&shelf.book, &bid, now);
                        let is_in = model.contains_key(&bidder.provider_id);
                        prop_assert_eq!(decided.is_ok(), takes_bids && is_in);
                        if decided.is_ok() {
                            model.remove(&bidder.provider_id);
                        }
                        decided
                    }
                },
                9 if seconds > 40 => {
                    is_open = false;
                    Ok(seal(&shelf.book, now))
                }
                10 if !is_open => {
                    let verdict = |(place, bid): (u8, &Bid)| (bid.id, (place > who).then(String::new));
                    let verdicts = (0..).zip(shelf.bids.values()).map(verdict).collect();
                    Ok(evaluated(&shelf.book, shelf.bids.values(), &verdicts, now))
                }
                11 if !is_open => match shelf.bids.keys().next().copied() {
                    None => continue,
                    Some(winner) => {
                        let contract = Uuid::from_u128(7).into();
                        Ok(awarded(&shelf.book, shelf.bids.values(), winner, contract, now))
                    }
                },
                _ => continue,
            };
            for event in decided.unwrap_or_default() {
                prop_assert!(event.time >= shelf.book.update_time);
                shelf.fold(&event);
                events.push(event);
            }
            prop_assert_eq!(&shelf.live(), &model);
            prop_assert_eq!(shelf.book.live_bids as usize, model.len());
            prop_assert_eq!(shelf.book.total_bids as usize, shelf.bids.len());
            let won = shelf.bids.values().filter(|bid| bid.status == Status::Awarded);
            prop_assert!(won.count() <= 1);
        }
        let mut replayed = first;
        for event in &events {
            replayed.fold(event);
        }
        prop_assert_eq!(replayed, shelf);
    }
}

/// What ends a work, as its bids hear of it. The verdict on the bids comes from another service, before or after.
#[derive(Debug, Clone, Copy)]
enum End {
    Awarded,
    Failed,
    Cancelled,
}

fn ends() -> impl Strategy<Value = Vec<End>> {
    prop::sample::select(vec![
        vec![],
        vec![End::Awarded],
        vec![End::Awarded, End::Failed],
        vec![End::Failed],
        vec![End::Cancelled],
    ])
}

/// A sealed book of as many bids as there are verdicts.
fn sealed(verdicts: &[bool]) -> (Shelf, BTreeMap<BidId, Option<String>>) {
    let mut shelf = Shelf::new();
    let mut judged = BTreeMap::new();
    for (number, is_valid) in (1_u8..).zip(verdicts) {
        let id = Uuid::from_u128(number.into()).into();
        let submitted = submit(&shelf.book, None, id, bidder(number), offer(1), at(1)).unwrap();
        shelf.fold(&submitted[0]);
        judged.insert(id, (!is_valid).then(|| format!("reason {number}")));
    }
    shelf.fold(&seal(&shelf.book, at(2))[0]);
    (shelf, judged)
}

proptest! {
    /// The verdict and the end of a work are told by services that wait for nobody.
    #[test]
    fn bids_end_the_same_whenever_the_verdict_is_heard(
        verdicts in prop::collection::vec(any::<bool>(), 1..8),
        ends in ends(),
        picked in any::<prop::sample::Index>(),
    ) {
        let (begun, judged) = sealed(&verdicts);
        let valid: Vec<_> = judged.iter().filter(|(_, why)| why.is_none()).map(|(id, _)| *id).collect();
        // Only a valid bid is awarded.
        prop_assume!(!valid.is_empty() || !matches!(ends.first(), Some(End::Awarded)));
        let stand_when_judged_after = |place: usize| {
            let mut shelf = begun.clone();
            let mut hear = |decided: &dyn Fn(&Shelf) -> Vec<Event>| {
                for event in decided(&shelf) {
                    shelf.fold(&event);
                }
            };
            let verdict = |shelf: &Shelf| evaluated(&shelf.book, shelf.bids.values(), &judged, at(3));
            for (number, end) in ends.iter().enumerate() {
                if number == place {
                    hear(&verdict);
                }
                hear(&|shelf| {
                    let (book, bids) = (&shelf.book, shelf.bids.values());
                    match end {
                        End::Awarded => {
                            let winner = valid[picked.index(valid.len())];
                            awarded(book, bids, winner, Uuid::from_u128(7).into(), at(4))
                        }
                        End::Failed => abandon(book, bids, "work_failed", at(4)),
                        End::Cancelled => abandon(book, bids, "work_cancelled", at(4)),
                    }
                });
            }
            // Told again, it says nothing new.
            hear(&verdict);
            let bids = shelf.bids.into_values();
            bids.map(|bid| (bid.status, bid.status_reason)).collect::<Vec<_>>()
        };
        let first = stand_when_judged_after(0);
        for ((status, reason), is_valid) in first.iter().zip(&verdicts) {
            prop_assert_eq!(*status == Status::Disqualified, !is_valid);
            prop_assert_eq!(reason.is_empty(), *is_valid);
        }
        for place in 1..=ends.len() {
            prop_assert_eq!(&stand_when_judged_after(place), &first, "judged after {}", place);
        }
    }
}

#[test]
fn a_tenant_bids_on_its_own_work_only_inside_the_house() {
    let own = Bidder {
        tenant_id: Uuid::from_u128(CONSUMER).into(),
        ..bidder(1)
    };
    let mut book = Shelf::new().book;
    let id = Uuid::from_u128(9).into();
    let refused = submit(&book, None, id, own, offer(1), at(1));
    assert!(matches!(refused, Err(Refusal::OwnWork { .. })));
    let house = Bidder {
        internal: true,
        ..own
    };
    assert!(submit(&book, None, id, house, offer(1), at(1)).is_ok());
    book.terms.internal = false;
    let refused = submit(&book, None, id, house, offer(1), at(1));
    assert!(matches!(refused, Err(Refusal::OwnWork { .. })));
}

#[test]
fn a_full_book_still_takes_what_replaces_a_live_bid() {
    let mut shelf = Shelf::new();
    let first = submit(
        &shelf.book,
        None,
        Uuid::from_u128(9).into(),
        bidder(1),
        offer(1),
        at(1),
    );
    shelf.fold(&first.unwrap()[0]);
    shelf.book.live_bids = MOST_LIVE;
    let id = Uuid::from_u128(10).into();
    let refused = submit(&shelf.book, None, id, bidder(2), offer(1), at(1));
    assert!(matches!(refused, Err(Refusal::Full { .. })));
    assert!(submit(&shelf.book, shelf.last(bidder(1)), id, bidder(1), offer(2), at(1)).is_ok());
}
