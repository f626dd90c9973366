//! Awards against peers that answer in every way, taken up anew at every moment.

use aex_types::ContractId;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::{
    contract::{self, award, void},
    fixtures::{at, proposed, terms, usd},
};
use super::*;

fn ranked(contract: &Contract) -> RankedBid {
    RankedBid {
        bid_id: contract.terms.bid_id,
        provider_id: contract.terms.provider_id,
        revision: contract.terms.bid_revision,
        price: contract.terms.price,
        tier: Tier::Trusted,
    }
}

fn ranking(contract: &Contract) -> Ranking {
    Ranking {
        ranked: vec![ranked(contract)],
        disqualified: Vec::new(),
    }
}

/// Plays an award to its end. `refuse_at` refuses the step of that number for good; after each step of `crashes` all that
/// is not stored is forgotten. `is_told` begins with the ranking at hand. Answers the contract and the steps.
fn play(is_told: bool, refuse_at: Option<usize>, crashes: &[bool]) -> (Contract, Vec<Step>) {
    let mut contract = proposed(terms());
    let (mut known, mut steps) = (Known::default(), Vec::new());
    known.ranking = is_told.then(|| ranking(&contract));
    let mut crashes = crashes.iter();
    let mut asked = 0;
    loop {
        let step = next(&contract, &known, at(1));
        steps.push(step);
        assert!(steps.len() < 200, "no end: {steps:?}");
        let is_refused = |asked: &mut usize| {
            *asked += 1;
            refuse_at.is_some_and(|refused| *asked > refused)
        };
        match step {
            Step::Reserve if is_refused(&mut asked) => known.refusal = Some(VoidReason::WorkNotAwardable),
            Step::Reserve => known.is_reserved = true,
            Step::ReserveAndHold => {
                let (work, money) = (is_refused(&mut asked), is_refused(&mut asked));
                (known.is_reserved, known.is_held) = (!work, !money);
                known.refusal = match (work, money) {
                    (true, _) => Some(VoidReason::WorkNotAwardable),
                    (false, true) => Some(VoidReason::InsufficientFunds),
                    (false, false) => None,
                };
            }
            Step::Rank => known.ranking = Some(ranking(&contract)),
            Step::Hold if is_refused(&mut asked) => known.refusal = Some(VoidReason::InsufficientFunds),
            Step::Hold => known.is_held = true,
            Step::Award { tier } => {
                let event = award(&contract, tier, at(1)).unwrap().remove(0);
                contract = Contract::after(Some(contract), &event).unwrap();
            }
            Step::Void { reason, sealed } => {
                let event = void(&contract, reason, sealed, at(1)).unwrap().remove(0);
                contract = Contract::after(Some(contract), &event).unwrap();
            }
            Step::Confirm => known.is_confirmed = true,
            Step::ReleaseMoney => known.is_money_released = true,
            Step::ReleaseWork => known.is_work_released = true,
            Step::Done => return (contract, steps),
        }
        if crashes.next() == Some(&true) {
            known = Known::default();
        }
    }
}

#[test]
fn an_award_takes_its_steps_in_order() {
    let tier = Tier::Trusted;
    let (contract, steps) = play(false, None, &[]);
    assert_eq!(contract.status, Status::Awarded);
    assert_eq!(
        steps,
        [
            Step::Reserve,
            Step::Rank,
            Step::Hold,
            Step::Award { tier },
            Step::Confirm,
            Step::Done
        ]
    );
}

#[test]
fn an_award_that_knows_its_ranking_takes_work_and_money_together() {
    let tier = Tier::Trusted;
    let (contract, steps) = play(true, None, &[]);
    assert_eq!(contract.status, Status::Awarded);
    let wanted = [
        Step::ReserveAndHold,
        Step::Award { tier },
        Step::Confirm,
        Step::Done,
    ];
    assert_eq!(steps, wanted);
}

#[test]
fn what_was_taken_is_not_asked_for_again() {
    let contract = proposed(terms());
    let known = |is_reserved, is_held| Known {
        ranking: Some(ranking(&contract)),
        is_reserved,
        is_held,
        ..Known::default()
    };
    assert_eq!(next(&contract, &known(true, false), at(1)), Step::Hold);
    assert_eq!(next(&contract, &known(false, true), at(1)), Step::Reserve);
}

proptest! {
    /// Wherever it crashes and whatever is refused: an award ends, it stands only after the money was held for what was
    /// ranked, and what is void gives the money back before the work.
    #[test]
    fn an_award_ends_well_wherever_it_crashes(
        is_told in any::<bool>(),
        refuse_at in prop::option::of(0..3_usize),
        crashes in prop::collection::vec(any::<bool>(), 0..12),
    ) {
        let (contract, steps) = play(is_told, refuse_at, &crashes);
        let at = |wanted: fn(&Step) -> bool| steps.iter().position(wanted);
        match contract.status {
            Status::Awarded => {
                let awarded = at(|step| matches!(step, Step::Award { .. }));
                let held = at(|step| matches!(step, Step::Hold | Step::ReserveAndHold));
                prop_assert!(held.is_some() && held < awarded);
                prop_assert!(at(|step| *step == Step::Confirm).is_some());
                prop_assert!(at(|step| *step == Step::ReleaseMoney).is_none());
            }
            Status::Void => {
                let (void, money) = (at(|step| matches!(step, Step::Void { .. })), at(|step| *step == Step::ReleaseMoney));
                prop_assert!(void < money && money < at(|step| *step == Step::ReleaseWork));
                prop_assert!(at(|step| *step == Step::Confirm).is_none());
            }
            other => prop_assert!(false, "ended {other}"),
        }
    }
}

#[test]
fn an_award_that_comes_too_late_for_its_provider_is_void() {
    let contract = proposed(terms());
    let late = next(&contract, &Known::default(), contract.terms.expire_time);
    let (reason, sealed) = (VoidReason::TooLate, false);
    assert_eq!(late, Step::Void { reason, sealed });
}

#[test]
fn only_the_bid_that_was_seen_is_awarded() {
    let contract = proposed(terms());
    let other = BidId::from(Uuid::from_u128(8));
    let cases = [
        (vec![ranked(&contract)], vec![], Ok(Tier::Trusted)),
        (
            vec![RankedBid {
                revision: 2,
                ..ranked(&contract)
            }],
            vec![],
            Err(VoidReason::BidChanged),
        ),
        (
            vec![RankedBid {
                price: usd(1),
                ..ranked(&contract)
            }],
            vec![],
            Err(VoidReason::BidChanged),
        ),
        (
            vec![RankedBid {
                bid_id: other,
                ..ranked(&contract)
            }],
            vec![],
            Err(VoidReason::BidChanged),
        ),
        (
            vec![],
            vec![(other, contract.terms.provider_id)],
            Err(VoidReason::BidChanged),
        ),
        (
            vec![],
            vec![(contract.terms.bid_id, contract.terms.provider_id)],
            Err(VoidReason::BidNotRanked),
        ),
        (vec![], vec![], Err(VoidReason::BidNotRanked)),
    ];
    for (ranked, disqualified, expected) in cases {
        let ranking = Ranking { ranked, disqualified };
        assert_eq!(ranking.tier_of(&contract.terms), expected, "{ranking:?}");
    }
}

#[test]
fn an_automatic_award_tries_the_best_three_and_stops_for_anything_but_a_bid() {
    let bids: Vec<_> = (1..=5_u128)
        .map(|number| RankedBid {
            bid_id: BidId::from(Uuid::from_u128(number)),
            ..ranked(&proposed(terms()))
        })
        .collect();
    let ranking = Ranking {
        ranked: bids.clone(),
        disqualified: Vec::new(),
    };
    let tried = |bid: &RankedBid, attempt, reason| {
        let event = contract::propose(
            ContractId::from(Uuid::from_u128(1)),
            Terms {
                bid_id: bid.bid_id,
                attempt,
                ..terms()
            },
            at(0),
        );
        let contract = Contract::after(None, &event).unwrap();
        let event = void(&contract, reason, true, at(1)).unwrap().remove(0);
        Contract::after(Some(contract), &event).unwrap()
    };
    let places = |before: &[Contract]| -> Vec<_> {
        ranking
            .left_to_try(before)
            .into_iter()
            .map(|(place, _)| place)
            .collect()
    };
    let first = tried(&bids[0], Some(1), VoidReason::BidChanged);
    let by_hand = tried(&bids[0], None, VoidReason::InsufficientFunds);
    assert_eq!(places(&[]), [1, 2, 3]);
    assert_eq!(places(std::slice::from_ref(&first)), [2, 3]);
    assert_eq!(places(&[by_hand]), [1, 2, 3]);
    assert_eq!(
        places(&[tried(&bids[0], Some(1), VoidReason::InsufficientFunds)]),
        [0_u32; 0]
    );
    assert_eq!(places(&[proposed(terms())]), [0_u32; 0]);
    let three: Vec<_> = (0..3)
        .map(|index| tried(&bids[index], Some(1), VoidReason::BidChanged))
        .collect();
    assert_eq!(places(&three), [0_u32; 0]);
}
