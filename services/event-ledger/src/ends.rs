//! Reads on from a position: from memory at the end of the log, from the database before that. What other replicas
//! append is found by looking now and then, once for all readers of the process.

use std::{sync::Arc, time::Duration};

use aex_kit::{Call, Signal};
use aex_store::{Failure, Store};
use aex_types::TenantId;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    convert,
    domain::filter::Filter,
    log::{Batch, Measure},
    recent::Recent,
    store,
};

/// How often the process looks at the end of the log, at most.
const LOOK: Duration = Duration::from_millis(50);
/// What one look takes in; when more was appended elsewhere, its readers fetch that from the database.
const LOOKED: Measure = Measure {
    events: 1_000,
    bytes: 4 << 20,
};

/// Reads on from a position. Clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    store: Store,
    recent: Arc<Recent>,
    appended: Signal,
    looked: Arc<Mutex<Option<Instant>>>,
}

impl Ends {
    pub(crate) fn new(store: &Store, recent: &Arc<Recent>, appended: &Signal) -> Self {
        Self {
            store: store.clone(),
            recent: Arc::clone(recent),
            appended: appended.clone(),
            looked: Arc::default(),
        }
    }

    /// Wakes whoever waits for new events.
    pub(crate) fn appended(&self) -> Signal {
        self.appended.clone()
    }

    /// What follows a position.
    pub(crate) async fn after(
        &self,
        call: &mut Call,
        position: u64,
        filter: &Filter,
        viewer: Option<TenantId>,
        measure: Measure,
    ) -> Result<Batch, Failure> {
        let at_hand = || self.recent.after(position, filter, viewer, measure);
        match at_hand() {
            Some(batch) if !batch.events.is_empty() || batch.upto > position => return Ok(batch),
            Some(_) => self.look(call).await?,
            None if self.recent.last().is_none() => self.look(call).await?,
            None => {}
        }
        if let Some(batch) = at_hand() {
            return Ok(batch);
        }
        self.store
            .read(call, async |tx| {
                store::read::after(tx, position, filter, viewer, measure).await
            })
            .await
    }

    /// Looks whether another replica has appended. One reader looks for all; the others go on with what is known.
    async fn look(&self, call: &mut Call) -> Result<(), Failure> {
        let Ok(mut looked) = self.looked.try_lock() else {
            return Ok(());
        };
        if looked.is_some_and(|last| last.elapsed() < LOOK) {
            return Ok(());
        }
        let known = self.recent.last();
        let (end, batch) = self
            .store
            .read(call, async |tx| {
                let end = store::head(tx).await?.sequence;
                let batch = match known {
                    Some(known) if known < end => {
                        store::read::after(tx, known, &Filter::default(), None, LOOKED).await?
                    }
                    _ => Batch::default(),
                };
                Ok::<_, Failure>((end, batch))
            })
            .await?;
        let entries = batch.events.into_iter().map(convert::entry);
        let is_news = known.is_some_and(|known| known < end);
        self.recent.extend(entries.collect::<Result<_, _>>()?);
        self.recent.begin_after(end);
        *looked = Some(Instant::now());
        if is_news {
            self.appended.wake();
        }
        Ok(())
    }
}
