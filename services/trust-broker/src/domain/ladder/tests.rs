//! The ladder at its rungs.

use proptest::prelude::*;

use super::*;

fn all_passed() -> Passed {
    Check::ALL.into_iter().collect()
}

/// A provider whose contracts were all successes and who has passed every check.
fn case(score: f64, contracts: u64) -> Case {
    Case {
        score: Score::clamped(score),
        contracts,
        successful: contracts,
        failed: 0,
        passed: all_passed(),
        is_internal: false,
    }
}

#[test]
fn score_and_contracts_open_what_is_published() {
    let vectors = [
        (0.9, 100, Tier::Preferred),
        (0.89, 100, Tier::Trusted),
        (0.95, 99, Tier::Trusted),
        (0.75, 25, Tier::Trusted),
        (0.7, 25, Tier::Trusted),
        (0.75, 24, Tier::Verified),
        (0.6, 5, Tier::Verified),
        (0.5, 5, Tier::Verified),
        (0.5, 4, Tier::Unverified),
        (0.4, 10, Tier::Unverified),
    ];
    for (score, contracts, expected) in vectors {
        assert_eq!(
            tier(&case(score, contracts)),
            expected,
            "{score} after {contracts}"
        );
    }
    for score in [0.0, 0.3, 1.0] {
        assert_eq!(
            tier(&Case {
                is_internal: true,
                ..case(score, 0)
            }),
            Tier::Internal,
            "at any score"
        );
    }
}

#[test]
fn the_success_rate_is_a_gate() {
    let rated = |successful, failed| {
        tier(&Case {
            successful,
            failed,
            ..case(1.0, 1000)
        })
    };
    assert_eq!(rated(95, 5), Tier::Preferred);
    assert_eq!(rated(949, 51), Tier::Trusted);
    assert_eq!(rated(85, 15), Tier::Trusted);
    assert_eq!(rated(849, 151), Tier::Verified);
    assert_eq!(rated(7, 3), Tier::Verified);
    assert_eq!(rated(699, 301), Tier::Unverified);
    assert_eq!(rated(0, 0), Tier::Unverified, "of nothing there is no rate");
    assert_eq!(
        rated(u64::MAX, u64::MAX),
        Tier::Unverified,
        "the rate of any counts can be told"
    );
}

#[test]
fn each_rung_asks_for_its_checks_and_those_below() {
    let with = |checks: &[Check]| {
        tier(&Case {
            passed: checks.iter().copied().collect(),
            ..case(1.0, 1000)
        })
    };
    assert_eq!(with(&[]), Tier::Unverified);
    assert_eq!(
        with(&[Check::Endpoint, Check::Review, Check::Compliance]),
        Tier::Unverified
    );
    assert_eq!(with(&[Check::Identity]), Tier::Verified);
    assert_eq!(with(&[Check::Identity, Check::Review]), Tier::Verified);
    assert_eq!(with(&[Check::Identity, Check::Endpoint]), Tier::Trusted);
    assert_eq!(
        with(&[Check::Identity, Check::Endpoint, Check::Review]),
        Tier::Preferred
    );
}

#[test]
fn a_check_is_passed_until_it_is_not() {
    let passed = Passed::NONE.with(Check::Identity, true).with(Check::Review, true);
    assert!(passed.has(Check::Identity) && passed.has(Check::Review) && !passed.has(Check::Endpoint));
    assert_eq!(
        passed.with(Check::Review, false),
        [Check::Identity].into_iter().collect()
    );
    for check in Check::ALL {
        assert_eq!(check.to_string().parse(), Ok(check));
    }
    assert_eq!("identity".parse::<Check>(), Err(CheckError));
}

fn any_case() -> impl Strategy<Value = Case> {
    let counts = prop::array::uniform3(0..200_u64);
    let checks = prop::array::uniform4(any::<bool>());
    (0.0..=1.0_f64, counts, checks).prop_map(|(score, [contracts, successful, failed], checks)| Case {
        score: Score::clamped(score),
        contracts,
        successful,
        failed,
        passed: Check::ALL
            .into_iter()
            .zip(checks)
            .filter_map(|(check, is_passed)| is_passed.then_some(check))
            .collect(),
        is_internal: false,
    })
}

proptest! {
    #[test]
    fn a_tier_is_given_when_its_gates_are_open_and_none_above_are(case in any_case()) {
        let given = tier(&case);
        prop_assert!(needs(given).iter().all(|need| need.is_met(&case)));
        let mut above = next(given);
        while let Some(tier) = above {
            prop_assert!(needs(tier).iter().any(|need| !need.is_met(&case)), "{tier} is open");
            above = next(tier);
        }
        prop_assert!(given != Tier::Internal, "the house cannot be entered by merit");
    }

    #[test]
    fn whoever_gets_better_never_falls(case in any_case(), score in 0.0..=1.0_f64, more in 0..100_u64) {
        let better = Case {
            score: case.score.max(Score::clamped(score)),
            contracts: case.contracts + more,
            successful: case.successful + more,
            passed: all_passed(),
            ..case
        };
        prop_assert!(tier(&better) >= tier(&case));
    }
}
