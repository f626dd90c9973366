use std::sync::Arc;

use aex_kit::Hosted as _;
use aex_proto::aex::{
    bid_evaluator::v1::BidsEvaluated,
    bid_gateway::v1::{BidSubmitted, BidWithdrawn},
    common::v1::Event,
    contract_engine::v1::{ContractCompleted, ContractExecuting, ContractFailed},
    provider_registry::v1::OpportunityOpened,
    work_publisher::v1 as pb,
};
use aex_store::Store;
use aex_testkit::Database;
use aex_work_publisher::{App, Config, SCHEMA};

use crate::{
    fixture::{Publisher, usd, work},
    replay::rand_like::Dice,
};

/// A publisher that begins with what the first one has published.
async fn beginning(market: &Publisher, events: &[Event]) -> (Database, Arc<App>) {
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), market.world.runtime());
    let app = Arc::new(App::on(store, &Config::default(), market.world.mesh()));
    app.replay(events).await.unwrap();
    (database, app)
}

/// What the rest of the market could say of a work, sensible or not.
fn say(market: &Publisher, work: &pb::Work, contract: &str, dice: &mut Dice) {
    let (ledger, work_id, contract_id) = (&market.ledger, work.work_id.clone(), contract.to_owned());
    match dice.roll(12) {
        0 | 1 => {
            let providers_notified = u32::try_from(dice.roll(3)).unwrap();
            ledger.tell(
                "opportunity.opened",
                &OpportunityOpened {
                    work_id,
                    providers_notified,
                    ..Default::default()
                },
            )
        }
        2..6 => {
            let (bid_id, price) = (market.bid(), Some(usd("2.5")));
            ledger.tell(
                "bid.submitted",
                &BidSubmitted {
                    bid_id,
                    work_id,
                    price,
                    ..Default::default()
                },
            )
        }
        6 => ledger.tell(
            "bid.withdrawn",
            &BidWithdrawn {
                bid_id: market.bid(),
                work_id,
                ..Default::default()
            },
        ),
        7 => {
            let (evaluation_id, valid_bids) = (market.evaluation(), u32::from(dice.roll(4) > 0));
            ledger.tell(
                "bids.evaluated",
                &BidsEvaluated {
                    evaluation_id,
                    work_id,
                    valid_bids,
                    ..Default::default()
                },
            )
        }
        8 | 9 => ledger.tell(
            "contract.executing",
            &ContractExecuting {
                contract_id,
                work_id,
                ..Default::default()
            },
        ),
        10 => ledger.tell(
            "contract.completed",
            &ContractCompleted {
                contract_id,
                work_id,
                ..Default::default()
            },
        ),
        _ => ledger.tell(
            "contract.failed",
            &ContractFailed {
                contract_id,
                work_id,
                ..Default::default()
            },
        ),
    };
}

#[tokio::test]
async fn a_batch_that_names_works_many_times_leaves_what_its_events_leave_one_by_one() {
    let mut market = Publisher::new().await;
    let contract = market.contract();
    let mut works = Vec::new();
    for number in 0..5 {
        let published = market.publish(work()).await;
        if number % 2 == 0 {
            market.reserve(&published, &contract).await.unwrap();
        }
        works.push(published);
    }
    let begun = market.database.events().await;
    let ((slow, slow_app), (quick, quick_app)) =
        (beginning(&market, &begun).await, beginning(&market, &begun).await);

    let mut dice = Dice(11);
    Arc::clone(&slow_app).start_workers();
    for _ in 0..60 {
        let work = &works[usize::try_from(dice.roll(5)).unwrap()];
        say(&market, work, &contract, &mut dice);
        let heard = market.ledger.events().len();
        slow.has_heard("work-publisher", heard).await;
    }
    let heard = market.ledger.events().len();
    let one_by_one = market.ledger.told_since(0, App::NAME);
    assert!(one_by_one.len() > 20, "{}", one_by_one.len());

    Arc::clone(&quick_app).start_workers();
    quick.has_heard("work-publisher", heard).await;
    assert_eq!(market.ledger.told_since(heard, App::NAME), one_by_one);
    assert_eq!(quick.state().await, slow.state().await);
    assert_eq!(slow.differences(&quick).await, [""; 0]);
    assert_eq!(quick.told().await, slow.told().await);
    // One transaction has written all of it.
    assert_eq!(quick.execute("SELECT xmin FROM work GROUP BY xmin").await, 1);
    assert!(slow.execute("SELECT xmin FROM work GROUP BY xmin").await > 1);
}
