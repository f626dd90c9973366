//! A crash before each step of an award: another process finishes what was left, on the same tables or on tables that
//! were rebuilt from the events.

use std::{sync::Arc, time::Duration};

use aex_contract_engine::{App, SCHEMA};
use aex_kit::Hosted as _;
use aex_proto::aex::contract_engine::v1 as pb;
use aex_store::Store;
use aex_testkit::{Database, Shape};

use crate::fixture::{Engine, StopBefore, Trade, award, config};

/// What the process after the crash finds.
#[derive(Debug, Clone, Copy)]
enum Found {
    Tables,
    Events,
}

/// Awards until the crash, which comes before the step of this number.
async fn crashed(step: usize, is_poor: bool, found: Found) -> (Engine, Trade) {
    let crash = Arc::new(StopBefore::default());
    *crash.at.lock().unwrap() = Some(step);
    let mut engine = Engine::with_steps(Shape::InProcess, crash.clone()).await;
    engine.peers.stage().is_poor = is_poor;
    let trade = engine.trade(&["10"], |_| {});
    let (mut client, request) = (engine.ada_client.clone(), award(&trade, 0));
    let call = tokio::spawn(async move { client.award_contract(request).await });
    crash.reached.notified().await;
    call.abort();

    let events = engine.database.events().await;
    if matches!(found, Found::Events) {
        engine.database = Database::of(&SCHEMA).await;
    }
    let store = Store::attach(&SCHEMA, engine.database.connect(), engine.world.runtime());
    let app = App::on(store, &config(), engine.world.mesh()).unwrap();
    if matches!(found, Found::Events) {
        app.replay(&events).await.unwrap();
    }
    engine.app = Arc::new(app);
    engine.world.host(&engine.app).await;
    engine.operator = pb::contract_engine_service_client::ContractEngineServiceClient::new(
        engine.world.client(&aex_testkit::Who::Operator, App::NAME),
    );
    engine.ada_client = engine.client(&engine.ada);
    engine.start_workers();
    engine.world.advance(Duration::from_secs(3));
    (engine, trade)
}

#[tokio::test]
async fn an_award_survives_a_crash_before_each_of_its_steps() {
    the_award_stands(Found::Tables).await;
}

#[tokio::test]
async fn an_award_survives_the_loss_of_all_tables_before_each_of_its_steps() {
    the_award_stands(Found::Events).await;
}

#[tokio::test]
async fn a_void_award_survives_a_crash_before_each_of_its_steps() {
    everything_is_given_back(Found::Tables).await;
}

#[tokio::test]
async fn a_void_award_survives_the_loss_of_all_tables_before_each_of_its_steps() {
    everything_is_given_back(Found::Events).await;
}

async fn the_award_stands(found: Found) {
    // Reserve, rank, hold, award, confirm, done.
    for step in 0..6 {
        let (mut engine, trade) = crashed(step, false, found).await;
        engine
            .until("the contract stands and the work knows", async |engine| {
                let contracts = engine
                    .client(&engine.ada)
                    .list_contracts(pb::ListContractsRequest::default())
                    .await;
                let contract = contracts.unwrap().into_inner().contracts.remove(0);
                contract.status() == pb::ContractStatus::Awarded
                    && engine.peers.stage().confirmed.contains(&contract.contract_id)
            })
            .await;
        {
            let stage = engine.peers.stage();
            let counts = (stage.holds.len(), stage.released.len(), stage.held_by.len());
            assert_eq!(counts, (1, 0, 1), "before step {step}");
        }
        assert!(engine.trade(&[], |_| {}).work_id != trade.work_id);
        engine
            .until("the award's job is done", async |engine| {
                let left = "SELECT 1 FROM timer WHERE kind = 'award'";
                engine.database.execute(left).await == 0
            })
            .await;
    }
}

async fn everything_is_given_back(found: Found) {
    // Reserve, rank, hold, void, release the money, release the work, done.
    for step in 0..7 {
        let (mut engine, trade) = crashed(step, true, found).await;
        engine
            .until("everything is given back", async |engine| {
                let stage = engine.peers.stage();
                stage
                    .released_works
                    .iter()
                    .any(|release| release.work_id == trade.work_id)
            })
            .await;
        let contracts = engine
            .client(&engine.ada)
            .list_contracts(pb::ListContractsRequest::default())
            .await;
        let contract = contracts.unwrap().into_inner().contracts.remove(0);
        assert_eq!(contract.status(), pb::ContractStatus::Void, "before step {step}");
        let stage = engine.peers.stage();
        assert!(stage.holds.is_empty() && stage.held_by.is_empty());
        assert!(stage.released.contains_key(&contract.contract_id));
    }
}
