use aex_proto::aex::{identity::v1 as id, settlement::v1 as pb};
use aex_testkit::{Refused, Shape};
use tonic::Code;

use crate::fixture::{Settlement, config, confirm, deposit, key, reject};

#[tokio::test]
async fn the_test_rail_confirms_at_request_by_a_journal_of_its_own() {
    for shape in Shape::ALL {
        let mut settlement = Settlement::in_shape(shape).await;
        let ada = settlement.tenant("Ada").await;
        let request = deposit("test", "12.5");
        let mut client = settlement.client(&ada);
        let first = client
            .request_deposit(request.clone())
            .await
            .unwrap()
            .into_inner();
        let again = client.request_deposit(request).await.unwrap().into_inner();
        assert_eq!(first, again);
        let made = first.deposit.unwrap();
        assert_eq!(made.status(), pb::DepositStatus::Confirmed);
        assert_eq!(made.rail_reference, made.deposit_id);
        assert_eq!(settlement.balance(&ada).await, ["12.5", "0", "0", "0"]);
        assert_eq!(
            settlement.database.event_types().await,
            ["deposit.requested", "deposit.confirmed"]
        );
        let events = settlement.database.events().await;
        assert!(
            events
                .iter()
                .all(|event| event.visible_to == [ada.tenant.to_string()])
        );
        let keys = settlement
            .database
            .execute(&format!(
                "SELECT 1 FROM journal WHERE business_key = 'deposit:test:{}:1'",
                made.deposit_id
            ))
            .await;
        assert_eq!(keys, 1);
        settlement.assert_clean().await;
    }
}

#[tokio::test]
async fn a_live_deployment_has_no_test_rail() {
    let mut config = config();
    config.rails.test = false;
    let mut settlement = Settlement::with(Shape::InProcess, &config).await;
    let ada = settlement.tenant("Ada").await;
    for rail in ["test", "gold"] {
        let refused = Refused::from(settlement.client(&ada).request_deposit(deposit(rail, "1")).await);
        assert_eq!(refused.why(), (Code::InvalidArgument, "RAIL_UNKNOWN"));
    }
    assert!(settlement.database.events().await.is_empty());
}

#[tokio::test]
async fn a_deposit_is_from_a_cent_to_a_hundred_thousand() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let mut client = settlement.client(&ada);
    for wrong in ["0", "0.009999", "100000.000001"] {
        let refused = Refused::from(client.request_deposit(deposit("bank", wrong)).await);
        assert_eq!(
            refused.why(),
            (Code::InvalidArgument, "REQUEST_INVALID"),
            "{wrong}"
        );
        assert_eq!(refused.fields, ["amount"]);
    }
    for right in ["0.01", "100000"] {
        client.request_deposit(deposit("bank", right)).await.unwrap();
    }
    let mut foreign = deposit("bank", "1");
    foreign.amount.as_mut().unwrap().currency_code = "XYZ".to_owned();
    let refused = Refused::from(client.request_deposit(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "CURRENCY_UNSUPPORTED"));
}

#[tokio::test]
async fn only_an_active_tenant_asks_for_a_deposit() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let request = deposit("bank", "1");
    let first = settlement
        .client(&ada)
        .request_deposit(request.clone())
        .await
        .unwrap();
    let suspend = id::SuspendTenantRequest {
        idempotency_key: key(),
        tenant_id: ada.tenant.to_string(),
        reason: "billing overdue".to_owned(),
    };
    settlement.identity.suspend_tenant(suspend).await.unwrap();
    let refused = Refused::from(
        settlement
            .client(&ada)
            .request_deposit(deposit("bank", "1"))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
    // What took effect before is still answered.
    let again = settlement.client(&ada).request_deposit(request).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
    let stranger = aex_testkit::principal(&settlement.world);
    let refused = Refused::from(
        settlement
            .client(&stranger)
            .request_deposit(deposit("bank", "1"))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
}

#[tokio::test]
async fn a_rail_confirms_a_deposit_once_however_often_it_says_so() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let asked = settlement.pending(&ada, "7").await;
    assert_eq!(asked.status(), pb::DepositStatus::Pending);
    assert_eq!(settlement.balance(&ada).await, ["0", "0", "0", "0"]);
    for _ in 0..3 {
        let said = settlement
            .operator
            .confirm_deposit(confirm(&asked.deposit_id, "wire-1", 1))
            .await
            .unwrap();
        let deposit = said.into_inner().deposit.unwrap();
        assert_eq!(deposit.status(), pb::DepositStatus::Confirmed);
        assert_eq!(deposit.rail_reference, "wire-1");
    }
    assert_eq!(settlement.balance(&ada).await, ["7", "0", "0", "0"]);
    assert_eq!(settlement.database.event_types().await.len(), 2);
    // Another message about it, and a rejection, come too late.
    for refused in [
        Refused::from(
            settlement
                .operator
                .confirm_deposit(confirm(&asked.deposit_id, "wire-1", 2))
                .await,
        ),
        Refused::from(
            settlement
                .operator
                .reject_deposit(reject(&asked.deposit_id, "wire-1"))
                .await,
        ),
    ] {
        assert_eq!(refused.why(), (Code::FailedPrecondition, "DEPOSIT_NOT_PENDING"));
    }
    settlement.assert_clean().await;
}

#[tokio::test]
async fn one_payment_pays_one_deposit() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let (one, two) = (
        settlement.pending(&ada, "1").await,
        settlement.pending(&ada, "2").await,
    );
    settlement
        .operator
        .confirm_deposit(confirm(&one.deposit_id, "wire-1", 1))
        .await
        .unwrap();
    let refused = Refused::from(
        settlement
            .operator
            .confirm_deposit(confirm(&two.deposit_id, "wire-1", 1))
            .await,
    );
    assert_eq!(refused.why(), (Code::AlreadyExists, "RAIL_EVENT_REUSED"));
    let refused = Refused::from(
        settlement
            .operator
            .reject_deposit(reject(&two.deposit_id, "wire-1"))
            .await,
    );
    assert_eq!(refused.why(), (Code::AlreadyExists, "RAIL_EVENT_REUSED"));
    assert_eq!(settlement.balance(&ada).await, ["1", "0", "0", "0"]);
}

#[tokio::test]
async fn two_deposits_race_for_one_payment_and_one_wins() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let mut racers = Vec::new();
    for _ in 0..8 {
        let asked = settlement.pending(&ada, "1").await;
        let mut operator = settlement.operator.clone();
        racers.push(async move {
            operator
                .confirm_deposit(confirm(&asked.deposit_id, "wire-1", 1))
                .await
        });
    }
    let racers: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            Err(status) => assert_eq!(Refused::from(status).reason, "RAIL_EVENT_REUSED"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(settlement.balance(&ada).await, ["1", "0", "0", "0"]);
}

#[tokio::test]
async fn a_rejected_deposit_moves_nothing_and_says_why() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let asked = settlement.pending(&ada, "7").await;
    let request = reject(&asked.deposit_id, "wire-1");
    let first = settlement
        .operator
        .reject_deposit(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = settlement
        .operator
        .reject_deposit(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let rejected = first.deposit.unwrap();
    assert_eq!(
        (rejected.status(), rejected.reason.as_str()),
        (pb::DepositStatus::Rejected, "the account is closed")
    );
    assert_eq!(settlement.balance(&ada).await, ["0", "0", "0", "0"]);
    let refused = Refused::from(
        settlement
            .operator
            .confirm_deposit(confirm(&asked.deposit_id, "wire-1", 1))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "DEPOSIT_NOT_PENDING"));
    let changed = pb::RejectDepositRequest {
        reason: "other words".to_owned(),
        ..reject(&asked.deposit_id, "wire-1")
    };
    let refused = Refused::from(settlement.operator.reject_deposit(changed).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "DEPOSIT_NOT_PENDING"));
}

#[tokio::test]
async fn a_deposit_shows_to_its_tenant_and_operators_only() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = (settlement.tenant("Ada").await, settlement.tenant("Bob").await);
    let asked = settlement.pending(&ada, "7").await;
    let request = pb::GetDepositRequest {
        deposit_id: asked.deposit_id.clone(),
    };
    for mut client in [settlement.client(&ada), settlement.operator.clone()] {
        let found = client.get_deposit(request.clone()).await.unwrap().into_inner();
        assert_eq!(found.deposit, Some(asked.clone()));
    }
    let refused = Refused::from(settlement.client(&bob).get_deposit(request).await);
    assert_eq!(refused.why(), (Code::NotFound, "DEPOSIT_NOT_FOUND"));
    let absent = confirm("deposit_01h455vb4pex5vsknk084sn02q", "wire-1", 1);
    let refused = Refused::from(settlement.operator.confirm_deposit(absent).await);
    assert_eq!(refused.why(), (Code::NotFound, "DEPOSIT_NOT_FOUND"));
}

#[tokio::test]
async fn deposits_are_listed_newest_first_page_by_page() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = (settlement.tenant("Ada").await, settlement.tenant("Bob").await);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(settlement.pending(&ada, "1").await.deposit_id);
        settlement.world.advance(std::time::Duration::from_millis(2));
    }
    settlement.pending(&bob, "1").await;
    made.reverse();
    let (mut found, mut request) = (
        Vec::new(),
        pb::ListDepositsRequest {
            page_size: 2,
            ..Default::default()
        },
    );
    let mut client = settlement.client(&ada);
    loop {
        let page = client.list_deposits(request.clone()).await.unwrap().into_inner();
        found.extend(page.deposits.into_iter().map(|deposit| deposit.deposit_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, made);
    // A token is bound to its list.
    let refused = Refused::from(settlement.client(&bob).list_deposits(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
