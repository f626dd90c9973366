//! A follower moves on past what is not for it.

use std::{sync::Arc, time::Duration};

use aex_proto::aex::common::v1::Event;
use aex_store::{Failure, Follower, Store, Tx, feed};
use aex_testkit::{Database, Ledger, Shape, World};
use sqlx::Row as _;

use crate::SCHEMA;

struct Rare;

impl Follower for Rare {
    const NAME: &'static str = "rare";
    const TYPES: &'static [&'static str] = &["work.cancelled"];
    type Error = Failure;

    async fn handle(&self, _: &mut Tx<'_>, _: &[Event]) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test]
async fn a_sign_of_life_moves_the_follower_of_rare_events_on() {
    let mut world = World::new(Shape::InProcess);
    let ledger = Ledger::new();
    world.host(&ledger).await;
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    let link = world.mesh().link("settlement", "event-ledger");
    feed::follow(&store, "settlement", link, Arc::new(Rare));
    ledger.append((0..7).map(|_| Event {
        r#type: "work.submitted".to_owned(),
        ..Event::default()
    }));
    let stands_at = async || {
        let mut call = aex_kit::Call::own(world.runtime(), "settlement", "test", Duration::from_secs(10));
        let read = store.read(&mut call, async |tx| {
            let row = sqlx::query("SELECT sequence FROM feed WHERE consumer = 'rare'")
                .fetch_optional(tx.sql())
                .await?;
            Ok::<_, Failure>(row.map_or(0, |row| row.get::<i64, _>(0)))
        });
        read.await.expect("the position is readable")
    };
    let moved = async {
        while stands_at().await < 7 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), moved)
        .await
        .expect("the follower moves on");
}
