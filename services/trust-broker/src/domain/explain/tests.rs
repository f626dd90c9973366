//! Explanations: what they say, and that they agree with the score.

use proptest::prelude::*;

use super::super::{
    fixtures,
    modifier::MONTH,
    outcome::Kind::{FailureProvider as F, Success as S},
    score::Fraction,
};
use super::*;

#[test]
fn an_unknown_provider_is_told_what_it_lacks() {
    let record = TrustRecord::unknown(fixtures::provider());
    let told = explain(&record, Charges::NONE, fixtures::at(0));
    assert_eq!(
        (told.score, told.tier, told.success_rate),
        (Score::clamped(0.3), Tier::Unverified, None)
    );
    assert_eq!(
        told.base_words,
        "0 outcomes count, of weight 0 and worth 0, beside a prior of 5 outcomes worth 0.3 each: \
         (5 * 0.3 + 0) / (5 + 0) = 0.3"
    );
    let next = told.next.unwrap();
    let words: Vec<_> = next.missing().map(|gate| gate.words.as_str()).collect();
    assert_eq!(next.tier, Tier::Verified);
    assert_eq!(
        words,
        [
            "a score of at least 0.5: it is 0.3",
            "at least 5 contracts: there are 0",
            "a success rate of at least 70 %: 0 succeeded and 0 failed",
            "the identity verified: it is not",
        ]
    );
}

#[test]
fn each_part_of_a_score_is_told() {
    let mut record = TrustRecord::unknown(fixtures::provider());
    record.registered_at = Some(fixtures::at(0));
    record.passed = [Check::Identity, Check::Endpoint].into_iter().collect();
    record.window = [(1, S), (2, F)]
        .map(|(id, kind)| fixtures::outcome(id, id, kind))
        .into_iter()
        .collect();
    record.counts = Counts {
        contracts: 2,
        successful: 1,
        failed: 1,
        ..Counts::default()
    };
    let charges = Charges {
        open_disputes: 1,
        open_violations: 0,
    };
    let told = explain(&record, charges, fixtures::at(0).saturating_add(MONTH * 3));
    assert_eq!(told.raw_base, Score::clamped(0.5));
    assert_eq!(told.success_rate, Some(Score::clamped(0.5)));
    assert_eq!(
        told.base_words,
        "2 outcomes count, of weight 2 and worth 1, beside a prior of 5 outcomes worth 0.3 each: \
         (5 * 0.3 + 1) / (5 + 2) = 0.357142857"
    );
    assert_eq!(
        told.words,
        "0.357142857 + 0.05 + 0.05 + 0.06 - 0.1 + 0, clamped to [0, 1] = 0.417142857"
    );
    let words: Vec<_> = told
        .modifiers
        .iter()
        .map(|line| (line.modifier, line.points, line.words.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            (Modifier::Identity, 0.05, "the identity is verified: 0.05"),
            (Modifier::Endpoint, 0.05, "the endpoint is verified: 0.05"),
            (
                Modifier::Tenure,
                0.06,
                "3 whole months of 30 days since the registration, of which at most 5 count, at 0.02"
            ),
            (
                Modifier::Disputes,
                -0.1,
                "1 disputes of consumers under investigation, of which at most 2 count, at -0.1"
            ),
            (
                Modifier::Violations,
                0.0,
                "0 open violations, of which at most 2 count, at -0.2"
            ),
        ]
    );
    let weights: Vec<_> = record
        .window
        .weighed()
        .map(|(outcome, weight)| (outcome.kind, weight))
        .collect();
    assert_eq!(weights, [(F, 1.0), (S, 1.0)]);
}

#[test]
fn nothing_is_above_what_can_be_earned() {
    let house = TrustRecord {
        is_internal: true,
        ..TrustRecord::unknown(fixtures::provider())
    };
    let told = explain(&house, Charges::NONE, fixtures::at(0));
    assert_eq!(
        (told.score, told.tier, told.next),
        (Score::ONE, Tier::Internal, None)
    );
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_score(
        steps in fixtures::any_steps(60),
        disputes in 0..4_u32,
        violations in 0..4_u32,
        days in 0..1600_u64,
    ) {
        let (record, _) = fixtures::lived(&steps);
        let charges = Charges { open_disputes: disputes, open_violations: violations };
        let told = explain(&record, charges, fixtures::at(days * 24 * 60 * 60));
        let sum = told.base.get() + told.modifiers.iter().map(|line| line.points).sum::<f64>();
        prop_assert!((sum.clamp(0.0, 1.0) - told.score.get()).abs() < 1e-12);
        prop_assert_eq!(told.score, assess(&record, charges, told.at).score);
        if let Some(next) = told.next {
            prop_assert!(next.missing().count() > 0, "{} is open and not given", next.tier);
        }
        let Counts { successful, failed, .. } = record.counts;
        let rate = i64::try_from(successful).ok().zip(i64::try_from(successful + failed).ok());
        let rate = rate.filter(|(_, whole)| *whole > 0).map(|(part, whole)| Fraction::new(part, whole).score());
        prop_assert_eq!(told.success_rate, rate);
    }
}
