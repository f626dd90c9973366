use std::{sync::Arc, time::Duration};

use aex_kit::Hosted as _;
use aex_proto::aex::contract_engine::v1::{ContractExpired, Party};
use aex_trust_broker::App;

use crate::fixture::{Broker, usd};

/// Puts news into the log of a broker that does not listen yet: contracts of three providers end in all ways, some in two.
fn tell(broker: &Broker) {
    let ada = broker.registered(false);
    let sellers = [ada.clone(), broker.registered(true), broker.stranger()];
    let friend = broker.new_id::<aex_types::id::kind::Tenant>();
    for (turn, seller) in sellers.iter().cycle().enumerate().take(36) {
        match turn % 5 {
            0 => drop(broker.fail(seller, "rejected_by_consumer", Party::Provider)),
            1 => drop(broker.expire(seller)),
            2 => drop(broker.settle_for(seller, &seller.owner_id)),
            _ => {
                let contradiction = ContractExpired {
                    contract_id: broker.settle_for(seller, &friend),
                    consumer_id: friend.clone(),
                    provider_id: seller.provider_id.clone(),
                    provider_tenant_id: seller.owner_id.clone(),
                    price: Some(usd("0.25")),
                    ..Default::default()
                };
                broker.tell("contract.expired", "contract-engine", &contradiction);
                // More of one consumer than count.
                drop(broker.settle_for(&ada, &friend));
            }
        }
    }
}

#[tokio::test]
async fn a_batch_that_names_providers_many_times_leaves_what_its_events_leave_one_by_one() {
    let (slow, quick) = (Broker::new().await, Broker::new().await);
    tell(&quick);
    let now = |broker: &Broker| broker.world.runtime().now().unix_micros();
    let behind = u64::try_from(now(&quick) - now(&slow)).unwrap();
    slow.world.advance(Duration::from_micros(behind));

    Arc::clone(&slow.app).start_workers();
    let news = quick.ledger.events();
    for event in &news {
        slow.ledger.append([event.clone()]);
        slow.database
            .has_heard("trust-broker.endings", slow.ledger.events().len())
            .await;
    }
    Arc::clone(&quick.app).start_workers();
    quick.database.has_heard("trust-broker.endings", news.len()).await;

    let told = quick.ledger.told_since(news.len(), App::NAME);
    assert!(told.len() > 40, "{}", told.len());
    assert_eq!(told, slow.ledger.told_since(0, App::NAME));
    assert_eq!(quick.database.state().await, slow.database.state().await);
    assert_eq!(slow.database.differences(&quick.database).await, [""; 0]);
    // One transaction has written all of it.
    let wrote = "SELECT xmin FROM trust GROUP BY xmin";
    assert_eq!(
        (
            quick.database.execute(wrote).await,
            slow.database.execute(wrote).await
        ),
        (1, 3)
    );
}
