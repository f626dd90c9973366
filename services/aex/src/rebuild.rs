//! `aex fsck --rebuild`: folds the event log into empty tables, from its first event on, and compares what comes out with
//! the live tables, row by row.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use aex_proto::aex::common::v1::Event;
use aex_store::image::{Compared, Image};
use serde_json::{Value, json};

use crate::{
    calls::Caller,
    database,
    exchange::Exchange,
    log::{self, Chain, Reader},
    problem::Problem,
    rules::Finding,
    services::{Opened, Replay, SERVICES, Service},
};

/// Events that are folded in one transaction, and their bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 8 << 20;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Rebuild {
    services: Vec<Rebuilt>,
    findings: Vec<Finding>,
}

/// One service, rebuilt.
#[derive(Debug)]
struct Rebuilt {
    service: &'static str,
    /// Its events, with those that wait.
    events: u64,
    /// Of them: those that are not in the log yet.
    waiting: u64,
    tables: Vec<Compared>,
}

/// Rebuilds every service of an exchange whose workers rest.
pub(crate) async fn rebuild(exchange: &Exchange, operator: &Caller) -> Result<Rebuild, Problem> {
    if let Some(broken) = log::verify(operator).await? {
        // Nothing can be rebuilt from a log that is not whole, and what came out would say nothing.
        return Ok(Rebuild {
            services: Vec::new(),
            findings: vec![broken],
        });
    }
    database::make_scratch(&exchange.server).await?;
    let ended = fold_and_compare(exchange, operator).await;
    database::drop_scratch(&exchange.server).await?;
    ended
}

async fn fold_and_compare(exchange: &Exchange, operator: &Caller) -> Result<Rebuild, Problem> {
    let scratch = exchange.open_scratch().await?;
    let mut folds = Folds::open(exchange, &scratch).await?;
    let (mut reader, mut chain) = (Reader::new(operator, None), Chain::new());
    while let Some(page) = reader.page().await? {
        for stored in &page {
            folds.take(chain.next(stored)?).await;
        }
    }
    folds.finish().await;

    let mut rebuild = Rebuild::default();
    for mut fold in folds.services {
        let name = fold.service.name;
        let tables = if let Some(finding) = fold.failed {
            rebuild.findings.push(finding);
            Vec::new()
        } else {
            let mut copy = database::image(&database::scratch(&exchange.server), fold.service).await?;
            fold.live.compare(&mut copy).await?
        };
        rebuild.findings.extend(differences(name, &tables));
        rebuild.services.push(Rebuilt {
            service: name,
            events: fold.told,
            waiting: fold.waiting.len() as u64,
            tables,
        });
    }
    rebuild
        .findings
        .extend(folds.strangers.into_iter().map(|(producer, event)| Finding {
            invariant: "an event has a producer that is known".to_owned(),
            subject: event,
            detail: format!("{producer} is no service"),
            since: None,
        }));
    Ok(rebuild)
}

fn differences<'a>(service: &'a str, tables: &'a [Compared]) -> impl Iterator<Item = Finding> + 'a {
    tables.iter().filter_map(move |table| {
        let difference = table.difference.as_ref()?;
        Some(Finding {
            invariant: "a table is the fold of its events".to_owned(),
            subject: format!("{service} {} {}", table.table, difference.key),
            detail: difference.detail.clone(),
            since: None,
        })
    })
}

/// The folds of all services, which the log is dealt out to.
struct Folds {
    services: Vec<Fold>,
    place: HashMap<&'static str, usize>,
    /// The first event of each producer that is no service.
    strangers: HashMap<String, String>,
}

impl Folds {
    async fn open(exchange: &Exchange, scratch: &[Opened]) -> Result<Self, Problem> {
        let (mut services, mut place) = (Vec::new(), HashMap::new());
        let live = database::Place::of(&exchange.server);
        for service in SERVICES {
            let opened = scratch.iter().find(|opened| opened.name == service.name);
            let Some(replay) = opened.and_then(|opened| opened.replay.clone()) else {
                continue;
            };
            let mut live = database::image(&live, service).await?;
            let waiting = live.waiting().await?;
            place.insert(service.name, services.len());
            services.push(Fold {
                service,
                replay,
                unseen: waiting.iter().map(|event| event.event_id.clone()).collect(),
                waiting,
                live,
                batch: Vec::new(),
                bytes: 0,
                told: 0,
                failed: None,
            });
        }
        Ok(Self {
            services,
            place,
            strangers: HashMap::new(),
        })
    }

    async fn take(&mut self, event: Event) {
        let place = self.place.get(event.producer.as_str());
        match place.and_then(|place| self.services.get_mut(*place)) {
            Some(fold) => fold.take(event).await,
            None => {
                self.strangers.entry(event.producer).or_insert(event.event_id);
            }
        }
    }

    async fn finish(&mut self) {
        for fold in &mut self.services {
            fold.finish().await;
        }
    }
}

/// The fold of one service.
struct Fold {
    service: &'static Service,
    replay: Replay,
    live: Image,
    /// What the relay has not brought to the log yet, in its order.
    waiting: Vec<Event>,
    /// The ids of the waiting ones that the log has not shown: a relay may have ended before it forgot what it had brought.
    unseen: HashSet<String>,
    batch: Vec<Event>,
    bytes: usize,
    told: u64,
    failed: Option<Finding>,
}

impl Fold {
    async fn take(&mut self, event: Event) {
        self.unseen.remove(&event.event_id);
        self.add(event).await;
    }

    async fn add(&mut self, event: Event) {
        self.told += 1;
        self.bytes += event.payload.len();
        self.batch.push(event);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush().await;
        }
    }

    /// What waits comes after what the log has: that is the order in which it will be there.
    async fn finish(&mut self) {
        self.waiting.retain(|event| self.unseen.contains(&event.event_id));
        for event in self.waiting.clone() {
            self.add(event).await;
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let Some(first) = batch.first().filter(|_| self.failed.is_none()) else {
            return;
        };
        let since = first.event_id.clone();
        if let Err(problem) = (self.replay)(batch).await {
            self.failed = Some(Finding {
                invariant: "the events of a service can be folded".to_owned(),
                subject: self.service.name.to_owned(),
                detail: format!("in the batch that begins with {since}: {problem}"),
                since: None,
            });
        }
    }
}

impl Rebuild {
    /// Everything that is not equal.
    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.findings.iter().cloned()
    }

    /// One line for each service.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for service in &self.services {
            let equal = service.tables.iter().filter(|table| table.difference.is_none());
            let rows: u64 = equal.clone().map(|table| table.live.count).sum();
            let _ = write!(
                text,
                "rebuilt  {:<18} {} events, {} of {} tables equal, {} rows",
                service.service,
                grouped(service.events),
                equal.count(),
                service.tables.len(),
                grouped(rows),
            );
            if service.waiting > 0 {
                let _ = write!(
                    text,
                    "; {} events not yet in the ledger",
                    grouped(service.waiting)
                );
            }
            text.push('\n');
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let table = |table: &Compared| {
            json!({
                "table": table.table,
                "rows": table.live.count,
                "hash": table.live.hash,
                "rebuilt_rows": table.rebuilt.count,
                "rebuilt_hash": table.rebuilt.hash,
                "equal": table.difference.is_none(),
            })
        };
        let service = |service: &Rebuilt| {
            json!({
                "service": service.service,
                "events": service.events,
                "not_in_ledger": service.waiting,
                "tables": service.tables.iter().map(table).collect::<Vec<_>>(),
            })
        };
        self.services.iter().map(service).collect()
    }
}

/// A number as people read it: 1,204.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown = [0, 7, 999, 1_000, 1_204, 123_456, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "7", "999", "1,000", "1,204", "123,456", "1,234,567"]);
    }
}
