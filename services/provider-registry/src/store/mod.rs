//! The only SQL of provider-registry.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod opportunities;
pub(crate) mod providers;
pub(crate) mod subscriptions;

use std::{collections::BTreeMap, fmt::Debug};

use aex_proto::aex::common::v1::Event;
use aex_store::{Failure, Store};

use crate::{Error, convert::Replayed};

/// Rebuilds the tables from events, in their order.
pub(crate) async fn replay(store: &Store, events: &[Event]) -> Result<(), Error> {
    let (mut providers, mut agents) = (Vec::new(), Vec::new());
    let (mut subscriptions, mut opportunities) = (Vec::new(), Vec::new());
    for event in events {
        match Replayed::try_from(event)? {
            Replayed::Provider(event) => providers.push(event),
            Replayed::Agent(event) => agents.push(event),
            Replayed::Subscription(event) => subscriptions.push(event),
            Replayed::Opportunity(event) => opportunities.push(event),
        }
    }
    store
        .fold(async |folding| {
            providers::apply(folding, &providers).await?;
            agents::apply(folding, &agents).await?;
            subscriptions::apply(folding, &subscriptions).await?;
            opportunities::apply(folding, opportunities).await?;
            Ok(())
        })
        .await
}

/// One aggregate's events, folded one after the other.
fn fold<S, E: Debug>(
    before: Option<S>,
    events: &[E],
    after: impl Fn(Option<S>, &E) -> Option<S>,
) -> Result<S, Failure> {
    let mut state = before;
    for event in events {
        let next = after(state, event);
        state = Some(next.ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?);
    }
    state.ok_or_else(|| Failure::corrupt("a decision without an event"))
}

/// The events of each aggregate, in their order.
fn by_aggregate<I: Ord, E: Clone>(events: &[E], id: impl Fn(&E) -> I) -> BTreeMap<I, Vec<E>> {
    let mut grouped: BTreeMap<I, Vec<E>> = BTreeMap::new();
    for event in events {
        grouped.entry(id(event)).or_default().push(event.clone());
    }
    grouped
}

/// Folds the events of many aggregates over what is known of them.
fn fold_all<I: Ord, S, E: Debug>(
    grouped: &BTreeMap<I, Vec<E>>,
    mut before: BTreeMap<I, S>,
    after: impl Fn(Option<S>, &E) -> Option<S> + Copy,
) -> Result<Vec<S>, Failure> {
    let folded = |(id, events): (&I, &Vec<E>)| fold(before.remove(id), events, after);
    grouped.iter().map(folded).collect()
}

/// A version as its column keeps it.
fn column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// Words hold no comma, so a list of them travels as one text and is split by the statement.
fn joined<T: ToString>(words: &[T]) -> String {
    words
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}
