use aex_proto::aex::settlement::v1 as pb;

use crate::fixture::{Settlement, release};

/// A deposit, a settled trade, a hold and a release.
async fn busy() -> Settlement {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    for step in 0..3 {
        let award = settlement.award(&ada, &bob, "2");
        settlement.place(&award).await;
        match step {
            0 => drop(settlement.settle(&award.contract_id, "2").await),
            1 => drop(
                settlement
                    .engine
                    .release_hold(release(&award.contract_id))
                    .await
                    .unwrap(),
            ),
            _ => {}
        }
    }
    settlement.assert_clean().await;
    settlement
}

/// Damages rows, and answers which invariants the audit then finds broken.
async fn broken_by(statements: &[&str]) -> Vec<String> {
    let mut settlement = busy().await;
    for statement in statements {
        assert!(
            settlement.database.execute(statement).await > 0 || statement.starts_with("DROP"),
            "{statement}"
        );
    }
    let mut broken = settlement.broken().await;
    broken.sort();
    broken.dedup();
    broken
}

#[tokio::test]
async fn l1_a_journal_that_does_not_balance_is_found() {
    let broken = broken_by(&["UPDATE journal_line SET amount = amount + 1 WHERE code = 4000"]).await;
    assert!(broken.contains(&"L1".to_owned()), "{broken:?}");
    assert!(!broken.contains(&"L4".to_owned()), "{broken:?}");
    let broken = broken_by(&["DELETE FROM journal_line WHERE code = 1000 OR reason = 'none'"]).await;
    assert!(broken.contains(&"L1".to_owned()), "{broken:?}");
}

#[tokio::test]
async fn l2_and_l3_a_total_out_of_nothing_is_found() {
    let broken = broken_by(&["UPDATE account SET credit_total = credit_total + 1 WHERE code = 2000"]).await;
    assert_eq!(broken, ["L2", "L3", "L7"]);
}

#[tokio::test]
async fn l4_a_liability_on_the_wrong_side_is_found() {
    let broken = broken_by(&["UPDATE account SET debit_total = credit_total + 1 WHERE code = 2000"]).await;
    assert!(broken.contains(&"L4".to_owned()), "{broken:?}");
    let broken = broken_by(&["UPDATE journal_line SET side = 'C' WHERE code = 1000"]).await;
    assert!(broken.contains(&"L4".to_owned()), "{broken:?}");
}

#[tokio::test]
async fn l5_an_escrow_without_its_hold_is_found() {
    let broken = broken_by(&["UPDATE hold SET status = 'RELEASED' WHERE status = 'HELD'"]).await;
    assert!(broken.contains(&"L5".to_owned()), "{broken:?}");
    let broken = broken_by(&["DELETE FROM hold WHERE status = 'HELD'"]).await;
    assert!(broken.contains(&"L5".to_owned()), "{broken:?}");
}

#[tokio::test]
async fn l6_a_wrong_split_is_found() {
    let shift = ["UPDATE hold SET fee = fee - 0.1, payout = payout + 0.1 WHERE status = 'CAPTURED'"];
    let broken = broken_by(&shift).await;
    assert!(broken.contains(&"L6".to_owned()), "{broken:?}");
}

#[tokio::test]
async fn l7_a_line_that_did_not_see_the_one_before_is_found() {
    let broken =
        broken_by(&["UPDATE journal_line SET balance_after = 0 WHERE code = 2000 AND seq = 1"]).await;
    assert_eq!(broken, ["L7"]);
    let broken = broken_by(&["UPDATE journal_line SET seq = 100 WHERE code = 2000 AND seq = 1"]).await;
    assert_eq!(broken, ["L7"]);
    let broken = broken_by(&["UPDATE account SET lines = lines + 1 WHERE code = 2000"]).await;
    assert_eq!(broken, ["L7"]);
}

#[tokio::test]
async fn l8_a_key_that_is_posted_twice_is_found() {
    let twice = [
        "DROP INDEX journal_by_key",
        "INSERT INTO journal SELECT '00000000-0000-0000-0000-000000000001', kind, business_key, currency, contract_id,
             deposit_id, post_time, effective_time FROM journal WHERE kind = 'SETTLE'",
        "INSERT INTO journal_line SELECT '00000000-0000-0000-0000-000000000001', line, code, owner, rail, currency, side,
             amount, reason, NULL, NULL FROM journal_line JOIN journal USING (journal_id, currency)
             WHERE kind = 'SETTLE'",
    ];
    let broken = broken_by(&twice).await;
    assert!(broken.contains(&"L8".to_owned()), "{broken:?}");
    let broken = broken_by(&["UPDATE hold SET settle_journal = consumer_id WHERE status = 'CAPTURED'"]).await;
    assert_eq!(broken, ["L8"]);
}

#[tokio::test]
async fn l10_a_fee_that_nobody_owed_is_found() {
    let moved = ["UPDATE hold SET fee = fee + 0.1, payout = payout - 0.1 WHERE status = 'CAPTURED'"];
    let broken = broken_by(&moved).await;
    assert!(broken.contains(&"L10".to_owned()), "{broken:?}");
}

#[tokio::test]
async fn i7_money_that_nothing_would_ever_move_again_is_found() {
    assert_eq!(
        broken_by(&["DELETE FROM timer WHERE kind = 'hold.overdue'"]).await,
        ["I7"]
    );
    assert_eq!(
        broken_by(&["DELETE FROM timer WHERE kind = 'hold.close_payout'"]).await,
        ["I7"]
    );
}

#[tokio::test]
async fn the_facts_are_complete_over_pages() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("1000").await;
    for number in 0..150 {
        let award = settlement.award(&ada, &bob, "1");
        settlement.place(&award).await;
        if number % 2 == 0 {
            settlement.settle(&award.contract_id, "0.5").await;
        }
    }
    let mut request = pb::AuditRequest::default();
    let (mut facts, mut pages) = (Vec::new(), 0);
    loop {
        let page = settlement
            .operator
            .audit(request.clone())
            .await
            .unwrap()
            .into_inner();
        facts.extend(page.facts);
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages, 3);
    let count = |kind: &str, value: &str| {
        facts
            .iter()
            .filter(|fact| fact.kind == kind && fact.value == value)
            .count()
    };
    assert_eq!(count("deposit.status", "CONFIRMED"), 1);
    assert_eq!(count("hold.status", "HELD"), 75);
    assert_eq!(count("hold.status", "CAPTURED"), 75);
    assert_eq!(count("contract.settled", "0.5"), 75);
    let journals = facts.iter().filter(|fact| fact.kind == "journal.posted");
    assert_eq!(journals.count(), 226);
    assert_eq!(facts.len(), 452);
    assert!(facts.iter().all(|fact| fact.since.is_some()));
}
