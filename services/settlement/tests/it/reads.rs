use aex_proto::aex::settlement::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Settlement, release, usd};

/// Kind, direction, amount, account, balance afterwards.
type Read = (pb::LineKind, pb::Direction, String, String, String);

fn read(lines: &[pb::StatementLine]) -> Vec<Read> {
    let plain = lines.iter().map(|line| {
        (
            line.kind(),
            line.direction(),
            line.amount.clone().unwrap().amount,
            line.account.clone(),
            line.balance_after.clone(),
        )
    });
    plain.collect()
}

fn line(kind: pb::LineKind, direction: pb::Direction, amount: &str, account: &str, balance: &str) -> Read {
    (
        kind,
        direction,
        amount.to_owned(),
        account.to_owned(),
        balance.to_owned(),
    )
}

#[tokio::test]
async fn each_party_reads_its_own_side_newest_first() {
    use pb::{Direction as D, LineKind as K};
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let tick = std::time::Duration::from_millis(1);
    settlement.world.advance(tick);
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.world.advance(tick);
    settlement.settle(&award.contract_id, "2").await;
    settlement.world.advance(tick);
    let other = settlement.award(&ada, &bob, "3");
    settlement.place(&other).await;
    settlement.world.advance(tick);
    settlement
        .engine
        .release_hold(release(&other.contract_id))
        .await
        .unwrap();
    let lines = settlement.statement(&ada).await;
    assert_eq!(
        read(&lines),
        [
            line(K::HoldRelease, D::Credit, "3", "available", "8"),
            line(K::Hold, D::Debit, "3", "available", "5"),
            line(K::ContractBaseCharge, D::Debit, "2", "escrow", ""),
            line(K::Hold, D::Debit, "2", "available", "8"),
            line(K::Deposit, D::Credit, "10", "available", "10"),
        ]
    );
    assert_eq!(lines[0].contract_id, other.contract_id);
    assert!(!lines[4].deposit_id.is_empty() && lines[4].contract_id.is_empty());
    let lines = settlement.statement(&bob).await;
    assert_eq!(
        read(&lines),
        [
            line(K::PlatformFee, D::Information, "0.3", "none", ""),
            line(K::ContractBaseEarning, D::Credit, "1.7", "pending", ""),
        ]
    );
}

#[tokio::test]
async fn a_statement_is_complete_page_by_page_and_bound_to_its_filter() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let mut contracts = Vec::new();
    // All of it at one moment: the order is that of the account.
    for _ in 0..5 {
        let award = settlement.award(&ada, &bob, "1");
        settlement.place(&award).await;
        contracts.push(award.contract_id);
    }
    let mut client = settlement.client(&ada);
    let mut request = pb::ListStatementLinesRequest {
        page_size: 2,
        ..Default::default()
    };
    let mut balances = Vec::new();
    loop {
        let page = client
            .list_statement_lines(request.clone())
            .await
            .unwrap()
            .into_inner();
        balances.extend(page.lines.into_iter().map(|line| line.balance_after));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(balances, ["5", "6", "7", "8", "9", "10"]);
    let filtered = pb::ListStatementLinesRequest {
        contract_id: contracts[0].clone(),
        currency_code: "USD".to_owned(),
        ..Default::default()
    };
    let page = client
        .list_statement_lines(filtered.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.lines.len(), 1);
    let foreign = pb::ListStatementLinesRequest {
        page_token: request.page_token,
        ..filtered
    };
    let refused = Refused::from(client.list_statement_lines(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

#[tokio::test]
async fn a_settlement_shows_to_its_parties_operators_and_the_engine_only() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let stranger = settlement.tenant("Eve").await;
    let award = settlement.award(&ada, &bob, "2");
    let hold = settlement.place(&award).await;
    let request = pb::GetSettlementRequest {
        contract_id: award.contract_id,
    };
    for mut client in [
        settlement.client(&ada),
        settlement.client(&bob),
        settlement.operator.clone(),
        settlement.engine.clone(),
    ] {
        let found = client.get_settlement(request.clone()).await.unwrap().into_inner();
        assert_eq!(found.hold, Some(hold.clone()));
    }
    let refused = Refused::from(settlement.client(&stranger).get_settlement(request).await);
    assert_eq!(refused.why(), (Code::NotFound, "HOLD_NOT_FOUND"));
}

#[tokio::test]
async fn funds_are_enough_or_not() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.funded("Ada", "5").await;
    for (amount, sufficient) in [("5", true), ("5.000001", false), ("0", true)] {
        let request = pb::CheckFundsRequest {
            tenant_id: ada.tenant.to_string(),
            amount: Some(usd(amount)),
        };
        let answer = settlement
            .publisher
            .check_funds(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (answer.sufficient, answer.available),
            (sufficient, Some(usd("5"))),
            "{amount}"
        );
    }
    let euros = pb::CheckFundsRequest {
        tenant_id: ada.tenant.to_string(),
        amount: Some(aex_proto::aex::common::v1::Money {
            currency_code: "EUR".to_owned(),
            ..usd("1")
        }),
    };
    let refused = Refused::from(settlement.publisher.check_funds(euros).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "CURRENCY_UNSUPPORTED"));
}

#[tokio::test]
async fn the_trial_balance_balances() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.settle(&award.contract_id, "2").await;
    let request = pb::GetTrialBalanceRequest::default();
    let answer = settlement
        .operator
        .get_trial_balance(request)
        .await
        .unwrap()
        .into_inner();
    assert!(answer.balanced);
    let totals: Vec<_> = answer
        .totals
        .iter()
        .map(|total| {
            (
                total.account.as_str(),
                total.debit_total.as_str(),
                total.credit_total.as_str(),
            )
        })
        .collect();
    assert_eq!(
        totals,
        [
            ("1000 CASH", "10", "0"),
            ("2000 AVAILABLE", "2", "10"),
            ("2100 ESCROW", "2", "2"),
            ("2200 PENDING", "0", "1.7"),
            ("4000 FEE_REVENUE", "0", "0.3"),
        ]
    );
    settlement
        .database
        .execute("UPDATE account SET credit_total = credit_total + 1 WHERE code = 2000")
        .await;
    let request = pb::GetTrialBalanceRequest {
        currency_code: "USD".to_owned(),
    };
    let answer = settlement
        .operator
        .get_trial_balance(request)
        .await
        .unwrap()
        .into_inner();
    assert!(!answer.balanced);
}
