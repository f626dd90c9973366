//! A process that dies between any two steps leaves all of a command or nothing.

use std::{sync::Arc, time::Duration};

use aex_settlement::{App, SCHEMA};
use aex_store::Store;
use aex_testkit::{Shape, Who, World};

use crate::fixture::{Client, Settlement, config, settle};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_under_load_leaves_whole_commands_only() {
    const CONTRACTS: u64 = 120;
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("1000").await;
    let awards: Vec<_> = (0..CONTRACTS)
        .map(|_| settlement.award(&ada, &bob, "1"))
        .collect();
    for millis in [5, 20, 40, 80, 160] {
        let (connect, awards) = (settlement.database.connect().clone(), awards.clone());
        // Its own process, as far as a test can have one: all its tasks are dropped where they are.
        std::thread::spawn(move || {
            let process = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            process.block_on(async {
                let mut world = World::new(Shape::InProcess);
                let store = Store::attach(&SCHEMA, &connect, world.runtime());
                world
                    .host(&Arc::new(App::on(store, &config(), world.mesh())))
                    .await;
                let engine = Client::new(
                    world.client(&Who::Service("contract-engine"), <App as aex_kit::Hosted>::NAME),
                );
                for award in awards {
                    let mut engine = engine.clone();
                    tokio::spawn(async move {
                        let _ = engine.place_hold(award.clone()).await;
                        let _ = engine.settle_contract(settle(&award.contract_id, "1")).await;
                    });
                }
                world.runtime().pause(Duration::from_millis(millis)).await;
            });
            process.shutdown_background();
        })
        .join()
        .unwrap();
        settlement.assert_clean().await;
    }
    // What was cut off is done when it is asked for again, and nothing is done twice.
    for award in &awards {
        settlement.place(award).await;
        settlement.settle(&award.contract_id, "1").await;
    }
    assert_eq!(settlement.balance(&ada).await[0], (1000 - CONTRACTS).to_string());
    let settled = settlement
        .database
        .execute("SELECT 1 FROM journal WHERE kind = 'SETTLE'")
        .await;
    assert_eq!(settled, CONTRACTS);
    settlement.assert_clean().await;
}
