//! The five walks of ARCHITECTURE.md, by their names.

use aex_proto::aex::{
    bid_gateway::v1::SubmitBidRequest,
    common::v1::Event,
    contract_engine::v1::{Contract, ContractStatus, GetContractPayloadRequest, GetContractResultRequest},
    event_ledger::v1::{
        CommitConsumerRequest, EventFilter, GetConsumerRequest, ListEventsRequest, VerifyChainRequest,
        event_ledger_service_client::EventLedgerServiceClient,
    },
    identity::v1::{
        CreateApiKeyRequest, GetTenantRequest, SuspendTenantRequest, TenantStatus, TenantType,
        identity_service_client::IdentityServiceClient,
    },
    settlement::v1::{GetBalanceRequest, HoldStatus},
    trust_broker::v1::{GetTrustRequest, Trust},
    work_publisher::v1::WorkStatus,
};
use aex_testkit::{
    Refused, raw,
    trader::{Consumer, Provider, Terms, Trader},
};
use prost::Message as _;
use sqlx::Executor as _;
use tonic::{Code, Request};

use super::{
    in_both_shapes,
    site::{Site, until},
};

/// What the work of the trade is about.
const PAYLOAD: &[u8] = b"two and two";

in_both_shapes! {
    a_call
    a_change
    an_event
    a_trade
    a_rebuild
}

fn get_tenant(tenant_id: &str) -> GetTenantRequest {
    GetTenantRequest {
        tenant_id: tenant_id.to_owned(),
    }
}

/// The edge turns a key into a principal and routes what is public; the guard refuses in its order, in typed words.
async fn a_call(site: &Site) {
    let ada = site.exchange.tenant("Ada", TenantType::Requestor).await;
    let mut request = Request::new(get_tenant(&ada.tenant_id));
    request
        .metadata_mut()
        .insert("x-request-id", "walk-0123456789".parse().unwrap());
    let mut as_ada = IdentityServiceClient::new(ada.wire(None));
    let answer = as_ada.get_tenant(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "walk-0123456789");
    assert_eq!(answer.into_inner().tenant.unwrap().display_name, "Ada");

    let nobody = IdentityServiceClient::new(site.door())
        .get_tenant(get_tenant(&ada.tenant_id))
        .await;
    assert_eq!(
        Refused::from(nobody).why(),
        (Code::Unauthenticated, "CREDENTIAL_MISSING")
    );
    let stranger = Trader::new(site.exchange.edge(), &ada.tenant_id, "aex_test_nobody");
    let guessed = IdentityServiceClient::new(stranger.wire(None))
        .get_tenant(get_tenant(&ada.tenant_id))
        .await;
    assert_eq!(
        Refused::from(guessed).why(),
        (Code::Unauthenticated, "CREDENTIAL_INVALID")
    );
    let path = "/aex.identity.v1.IdentityService/NoSuchMethod";
    let unknown = raw::unary(ada.wire(None), path, Request::new(Vec::new().into())).await;
    assert_eq!(
        Refused::from(unknown).why(),
        (Code::Unimplemented, "METHOD_UNKNOWN")
    );
    // Who buys does not bid, and a key opens no more than it was made for.
    let bid = ada.bids().submit_bid(SubmitBidRequest::default()).await;
    assert_eq!(
        Refused::from(bid).why(),
        (Code::PermissionDenied, "AUDIENCE_DENIED")
    );
    let narrow = CreateApiKeyRequest {
        idempotency_key: ada.key("narrow"),
        display_name: "narrow".to_owned(),
        scopes: vec!["work:read".to_owned()],
        ..Default::default()
    };
    let secret = as_ada.create_api_key(narrow).await.unwrap().into_inner().secret;
    let narrow = Trader::new(site.exchange.edge(), &ada.tenant_id, &secret);
    let money = narrow.money().get_balance(GetBalanceRequest::default()).await;
    assert_eq!(
        Refused::from(money).why(),
        (Code::PermissionDenied, "SCOPE_DENIED")
    );
    let path = "/aex.identity.v1.IdentityService/GetTenant";
    let large = raw::unary(ada.wire(None), path, Request::new(vec![0; 300 << 10].into())).await;
    assert_eq!(
        Refused::from(large).why(),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
    );
}

/// A caller that hangs up does not stop a change half-way; asked again it is answered, and another request is refused.
async fn a_change(site: &Site) {
    let ada = site.exchange.tenant("Ada", TenantType::Requestor).await;
    let request = SuspendTenantRequest {
        idempotency_key: ada.key("suspend"),
        tenant_id: ada.tenant_id.clone(),
        reason: "does not pay".to_owned(),
    };
    // One connection, so that what is said on it is heard in this order.
    let operator = IdentityServiceClient::new(site.exchange.operator("identity"));
    let status = async || {
        let asked = operator.clone().get_tenant(get_tenant(&ada.tenant_id)).await;
        asked.unwrap().into_inner().tenant.unwrap().status()
    };
    let mut sql = site.sql().await;
    sql.execute("BEGIN; LOCK TABLE identity.tenant IN EXCLUSIVE MODE")
        .await
        .unwrap();
    let hanging = tokio::spawn({
        let (mut operator, request) = (operator.clone(), request.clone());
        async move { operator.suspend_tenant(request).await }
    });
    until("the change waits for its row", async || {
        let waiting =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'identity.tenant'::regclass";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut sql).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert_eq!(status().await, TenantStatus::Active);
    sql.execute("COMMIT").await.unwrap();
    until("the change takes effect", async || {
        (status().await == TenantStatus::Suspended).then_some(())
    })
    .await;

    let again = async || {
        operator
            .clone()
            .suspend_tenant(request.clone())
            .await
            .unwrap()
            .into_inner()
    };
    let first = again().await;
    assert_eq!(first.tenant.as_ref().unwrap().status(), TenantStatus::Suspended);
    assert_eq!(again().await, first);
    let other = SuspendTenantRequest {
        reason: "is rude".to_owned(),
        ..request.clone()
    };
    let refused = operator.clone().suspend_tenant(other).await;
    assert_eq!(
        Refused::from(refused).why(),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED")
    );
    let suspended = until("its event is in the log", async || {
        let events = about(site, &ada.tenant_id).await;
        let of_it: Vec<_> = events
            .into_iter()
            .filter(|event| event.r#type == "tenant.suspended")
            .collect();
        (!of_it.is_empty()).then_some(of_it.len())
    })
    .await;
    assert_eq!(suspended, 1);
}

/// A change is told once, in its place in the log; whoever follows acts on it and says so.
async fn an_event(site: &Site) {
    let exchange = &site.exchange;
    let (ada, bob) = (
        exchange.consumer("Ada").await,
        exchange.provider("Bob", "trade").await,
    );
    ada.deposit("100").await.unwrap();
    let work = ada.publish(&Terms::default()).await.unwrap();
    let offered = bob.until_offered(&work.work_id).await;
    assert_eq!(offered.work_id, work.work_id);

    let submitted = until("the work's event", async || {
        let events = about(site, &work.work_id).await;
        events.into_iter().find(|event| event.r#type == "work.submitted")
    })
    .await;
    assert_eq!(submitted.producer, "work-publisher");
    let opened = until("what followed from it", async || {
        let events = everything(site).await;
        events
            .into_iter()
            .map(|(_, event)| event)
            .find(|event| event.causation_id == submitted.event_id)
    })
    .await;
    assert_eq!(
        (opened.r#type.as_str(), opened.producer.as_str()),
        ("opportunity.opened", "provider-registry")
    );

    // The tenant sees its own; a position that it states is there again.
    let mut log = EventLedgerServiceClient::new(ada.wire(None));
    let seen = log
        .list_events(ListEventsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .events;
    let of_ada: Vec<_> = seen.iter().map(|stored| read(&stored.event)).collect();
    assert!(of_ada.iter().any(|event| event.event_id == submitted.event_id));
    assert!(
        of_ada
            .iter()
            .all(|event| event.visible_to.contains(&ada.tenant_id))
    );
    let sequence = seen.last().unwrap().sequence;
    let commit = CommitConsumerRequest {
        idempotency_key: ada.key("position"),
        name: "robot".to_owned(),
        sequence,
    };
    log.commit_consumer(commit).await.unwrap();
    let asked = GetConsumerRequest {
        name: "robot".to_owned(),
    };
    let robot = log
        .get_consumer(asked)
        .await
        .unwrap()
        .into_inner()
        .consumer
        .unwrap();
    assert_eq!(robot.sequence, sequence);
}

/// From publication to settlement: the money to the last micro-dollar, trust, and both sides watching.
async fn a_trade(site: &Site) {
    let exchange = &site.exchange;
    let (ada, bob) = (
        exchange.consumer("Ada").await,
        exchange.provider("Bob", "trade").await,
    );
    let newcomer = trust(&bob, &bob.provider_id).await;
    ada.deposit("100").await.unwrap();
    let terms = Terms {
        payload: PAYLOAD.to_vec(),
        ..Terms::default()
    };
    let work = ada.publish(&terms).await.unwrap();
    let bought = tokio::spawn({
        let (ada, work_id) = (ada.clone(), work.work_id.clone());
        async move { ada.until_work(&work_id, &[WorkStatus::Completed]).await }
    });
    bob.until_offered(&work.work_id).await;
    let bid = bob.bid(&work.work_id, "9.999999").await.unwrap();
    let contract = ada.award(&work.work_id, &bid.bid_id).await.unwrap();
    assert_eq!(contract.status(), ContractStatus::Awarded);
    assert_eq!(ada.balance().await.escrow, "9.999999");

    fulfil(&contract, &ada, &bob).await;
    ada.accept(&contract.contract_id).await.unwrap();
    bob.until_contract_on(&work.work_id, &[ContractStatus::Settled])
        .await;
    ada.until_contract(&contract.contract_id, &[ContractStatus::Settled])
        .await;
    assert_eq!(bought.await.unwrap().status(), WorkStatus::Completed);

    paid(site, &contract, &ada, &bob).await;
    let moved = until("trust follows", async || {
        let trust = trust(&ada, &bob.provider_id).await;
        (trust.total_contracts > 0).then_some(trust)
    })
    .await;
    assert_eq!((moved.total_contracts, moved.successful_contracts), (1, 1));
    assert!(moved.score > newcomer.score, "{newcomer:?} {moved:?}");
}

/// The provider fetches what is to be done and delivers; the consumer sees it.
async fn fulfil(contract: &Contract, ada: &Consumer, bob: &Provider) {
    let told = bob
        .until_contract_on(&contract.work_id, &[ContractStatus::Awarded])
        .await;
    assert_eq!(told.contract_id, contract.contract_id);
    let asked = GetContractPayloadRequest {
        contract_id: contract.contract_id.clone(),
    };
    let payload = bob
        .contracts()
        .get_contract_payload(asked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(payload.payload, PAYLOAD);
    bob.start(&contract.contract_id).await.unwrap();
    bob.complete(&contract.contract_id, "four").await.unwrap();
    ada.until_contract(&contract.contract_id, &[ContractStatus::VerificationPending])
        .await;
    let asked = GetContractResultRequest {
        contract_id: contract.contract_id.clone(),
    };
    let result = ada
        .contracts()
        .get_contract_result(asked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(result.result, b"four".as_slice());
}

/// 85 and 15 % of the price, to the last micro-dollar, and nothing is left in escrow.
async fn paid(site: &Site, contract: &Contract, ada: &Consumer, bob: &Provider) {
    // 15 % of 9.999999 is 1.49999985: rounded once, on the fee.
    let hold = ada.settlement(&contract.contract_id).await.unwrap();
    assert_eq!(hold.status(), HoldStatus::Captured);
    let paid = until("the payout is free", async || {
        let balance = bob.balance().await;
        (balance.pending == "0" && balance.available != "0").then_some(balance.available)
    })
    .await;
    assert_eq!(paid, "8.499999");
    let left = ada.balance().await;
    assert_eq!(
        (left.available.as_str(), left.escrow.as_str()),
        ("90.000001", "0")
    );
    let books = site.exchange.trial_balance().await;
    assert!(books.balanced);
    let fees = books
        .totals
        .iter()
        .find(|total| total.account == "4000 FEE_REVENUE")
        .unwrap();
    assert_eq!(
        (fees.credit_total.as_str(), fees.debit_total.as_str()),
        ("1.5", "0")
    );
}

/// What a rebuild starts from: a log without a gap, whose chain verifies from its first event, and tables that agree.
async fn a_rebuild(site: &Site) {
    let exchange = &site.exchange;
    let (ada, bob) = (
        exchange.consumer("Ada").await,
        exchange.provider("Bob", "trade").await,
    );
    ada.deposit("100").await.unwrap();
    let work = ada.publish(&Terms::default()).await.unwrap();
    let bid = bob.bid(&work.work_id, "4").await.unwrap();
    let contract = ada.award(&work.work_id, &bid.bid_id).await.unwrap();
    bob.give_up(&contract.contract_id, "ill").await.unwrap();
    until("the money is back", async || {
        (ada.balance().await.available == "100").then_some(())
    })
    .await;
    until("the work has failed", async || {
        (ada.work(&work.work_id).await.unwrap().status() == WorkStatus::Failed).then_some(())
    })
    .await;

    let all = everything(site).await;
    let dense: Vec<_> = (1..).take(all.len()).collect();
    assert_eq!(
        all.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(),
        dense
    );
    let mut ledger = EventLedgerServiceClient::new(exchange.operator("event-ledger"));
    let verified = ledger
        .verify_chain(VerifyChainRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((verified.broken_sequence, verified.problem.as_str()), (0, ""));
    assert!(verified.checked >= all.len() as u64);
    site.check();
}

async fn trust(who: &Trader, provider_id: &str) -> Trust {
    let request = GetTrustRequest {
        provider_id: provider_id.to_owned(),
    };
    who.trust()
        .get_trust(request)
        .await
        .unwrap()
        .into_inner()
        .trust
        .unwrap()
}

fn read(bytes: &[u8]) -> Event {
    Event::decode(bytes).unwrap()
}

/// The events of one aggregate, as an operator sees them.
async fn about(site: &Site, aggregate_id: &str) -> Vec<Event> {
    let filter = EventFilter {
        aggregate_id: aggregate_id.to_owned(),
        ..Default::default()
    };
    list(site, filter)
        .await
        .into_iter()
        .map(|(_, event)| event)
        .collect()
}

/// The whole log, as an operator sees it.
async fn everything(site: &Site) -> Vec<(u64, Event)> {
    list(site, EventFilter::default()).await
}

async fn list(site: &Site, filter: EventFilter) -> Vec<(u64, Event)> {
    let mut ledger = EventLedgerServiceClient::new(site.exchange.operator("event-ledger"));
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListEventsRequest {
            filter: Some(filter.clone()),
            page_token,
            ..Default::default()
        };
        let page = ledger.list_events(request).await.unwrap().into_inner();
        all.extend(
            page.events
                .iter()
                .map(|stored| (stored.sequence, read(&stored.event))),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}
