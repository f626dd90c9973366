//! Explanations: what they say, and that they always agree with the scores.

use std::collections::BTreeMap;

use aex_types::{EvaluationId, TenantId, Tier, WorkId};
use proptest::prelude::*;
use uuid::Uuid;

use super::super::{
    bid::{Bid, Sample, Sla},
    evaluation::{Change, Evaluate, Event, evaluate},
    fixtures,
};
use super::*;

fn verdict(terms: Terms, bids: Vec<Bid>) -> Verdict {
    let standings: BTreeMap<_, _> = bids
        .iter()
        .map(|bid| (bid.provider_id, fixtures::standing()))
        .collect();
    let command = Evaluate {
        evaluation_id: EvaluationId::from(Uuid::from_u128(1)),
        work_id: WorkId::from(Uuid::from_u128(2)),
        consumer_id: TenantId::from(Uuid::from_u128(3)),
        total_bids: 2,
        terms,
        auto_award: false,
        bids,
        standings,
        sealed_at: fixtures::SEALED_AT,
    };
    let Event {
        change: Change::Evaluated { result, .. },
        ..
    } = evaluate(None, &command, fixtures::at(0)).unwrap().remove(0);
    result
}

fn ranking_of(result: &Verdict, id: u128) -> Ranking {
    match explain(result, BidId::from(Uuid::from_u128(id))).unwrap().place {
        Place::Ranked(ranking) => *ranking,
        Place::Disqualified { words, .. } => panic!("{words}"),
    }
}

fn why(result: &Verdict) -> String {
    match explain(result, BidId::from(Uuid::from_u128(1))).unwrap().place {
        Place::Disqualified { words, .. } => words,
        Place::Ranked(ranking) => panic!("rank {}", ranking.rank),
    }
}

#[test]
fn a_lost_bid_is_told_by_what_it_lost() {
    let second = Bid {
        price: fixtures::usd("30"),
        confidence: Score::clamped(0.95),
        ..fixtures::bid(2)
    };
    let first = Bid {
        confidence: Score::clamped(0.92),
        ..fixtures::bid(1)
    };
    let result = verdict(fixtures::terms(), vec![second, first]);
    let lost = ranking_of(&result, 2);
    assert_eq!((lost.rank, lost.of, lost.score), (2, 2, Score::clamped(0.5075)));
    let behind = lost.behind.unwrap();
    assert_eq!(
        (behind.winner.uuid().as_u128(), behind.decided_by),
        (1, Decider::Score)
    );
    assert_eq!(
        behind.words,
        "the best bid scores 0.0255 more: price +0.03, trust +0, confidence -0.0045, sample +0, sla +0"
    );
    let words: Vec<_> = lost.parts.iter().map(|part| part.words.as_str()).collect();
    assert_eq!(
        words,
        [
            "what the price leaves of the budget: 1 - 30 / 50 = 0.4",
            "the provider's trust score at the evaluation, of tier UNVERIFIED: 0.3",
            "the bid's own confidence: 0.95",
            "no sample was sent: 0.5",
            "latency does not matter to this work, every promise is worth 0.8",
        ]
    );
    assert_eq!(ranking_of(&result, 1).behind, None, "the winner is behind nobody");
    assert_eq!(explain(&result, BidId::from(Uuid::from_u128(3))), None);
}

#[test]
fn a_tie_is_told_by_what_broke_it() {
    let terms = Terms {
        max_price: fixtures::usd("50"),
        ..fixtures::terms()
    };
    let late = Bid {
        received_at: fixtures::at(1),
        ..fixtures::bid(2)
    };
    let result = verdict(terms, vec![fixtures::bid(1), late, fixtures::bid(3)]);
    let told = |id| ranking_of(&result, id).behind.unwrap();
    assert_eq!(
        told(2).words,
        "the best bid scores the same, costs the same, and came earlier"
    );
    assert_eq!(told(3).decided_by, Decider::BidId);
}

#[test]
fn a_sample_and_a_promise_are_told_in_numbers() {
    let terms = Terms {
        max_latency: Some(Duration::from_millis(500)),
        required_fields: fixtures::tags(&["total", "currency"]),
        ..fixtures::terms()
    };
    let sample = Sample {
        latency: Duration::from_micros(1_000_500),
        fields: fixtures::tags(&["total", "note"]),
    };
    let sla = Sla {
        max_latency: Duration::from_millis(300),
        availability: Score::ONE,
    };
    let bid = Bid {
        sample: Some(sample),
        sla: Some(sla),
        ..fixtures::bid(1)
    };
    let [.., sample, sla] = ranking_of(&verdict(terms, vec![bid]), 1).parts;
    assert_eq!(
        sample.words,
        "what the sample shows: 0.5 + 0.25 * min(1, 500 ms / 1000.5 ms) + 0.25 * 1 / 2 required fields = 0.749937531"
    );
    assert_eq!(sla.words, "300 ms are promised, within the limit of 500 ms: 1");
}

#[test]
fn a_disqualified_bid_is_told_what_it_failed() {
    let terms = fixtures::terms;
    let dear = Bid {
        price: fixtures::usd("51.5"),
        ..fixtures::bid(1)
    };
    assert_eq!(
        why(&verdict(terms(), vec![dear])),
        "the price of 51.5 USD exceeds the budget of 50 USD"
    );

    let slow = Sla {
        max_latency: Duration::from_millis(600),
        availability: Score::ONE,
    };
    let fast = Terms {
        max_latency: Some(Duration::from_millis(500)),
        ..terms()
    };
    let slow = Bid {
        sla: Some(slow),
        ..fixtures::bid(1)
    };
    assert_eq!(
        why(&verdict(fast, vec![slow])),
        "a latency of 600 ms is promised, at most 500 ms is asked"
    );

    let strict = Terms {
        min_trust_tier: Some(Tier::Trusted),
        ..terms()
    };
    assert_eq!(
        why(&verdict(strict, vec![fixtures::bid(1)])),
        "the provider is UNVERIFIED, the work asks at least TRUSTED"
    );

    let old = Bid {
        expires_at: fixtures::SEALED_AT.saturating_sub(Duration::from_secs(1)),
        ..fixtures::bid(1)
    };
    assert_eq!(
        why(&verdict(terms(), vec![old])),
        "the bid stood until 1969-12-31T23:59:59Z, the book was sealed at 1970-01-01T00:00:00Z"
    );

    let mut near = Terms {
        regions: fixtures::tags(&["eu", "us"]),
        ..terms()
    };
    near.rules.region_covered = true;
    assert_eq!(
        why(&verdict(near, vec![fixtures::bid(1)])),
        "the bid covers none of the regions eu, us"
    );
}

proptest! {
    #[test]
    fn explanations_agree_with_the_scores(terms in fixtures::any_terms(), bids in fixtures::any_bids(12)) {
        let result = verdict(terms, bids.clone());
        for bid in bids {
            let Explanation { place, .. } = explain(&result, bid.id).unwrap();
            let Place::Ranked(ranking) = place else { continue };
            let sum: f64 = ranking.parts.iter().map(|part| part.contribution).sum();
            prop_assert!((sum - ranking.score.get()).abs() < 1e-9);
            if let Some(behind) = ranking.behind {
                let gaps: f64 = behind.parts.iter().map(|(_, gap)| gap).sum();
                prop_assert!(behind.score >= 0.0 && (gaps - behind.score).abs() < 2e-9);
                prop_assert_eq!(behind.score == 0.0, behind.decided_by != Decider::Score);
            }
        }
    }

    #[test]
    fn an_explanation_says_the_same_whenever_it_is_asked(
        terms in fixtures::any_terms(),
        bids in fixtures::any_bids(6),
    ) {
        let reversed = bids.iter().rev().cloned().collect();
        let [one, other] = [verdict(terms.clone(), bids.clone()), verdict(terms, reversed)];
        for bid in bids {
            prop_assert_eq!(explain(&one, bid.id), explain(&other, bid.id));
        }
    }
}
