//! Streams what happens to a work.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::work_publisher::v1::{WatchWorkRequest, WatchWorkResponse};
use aex_store::{Store, Watched};
use aex_types::WorkId;

use crate::{App, Error, store::works};

/// One open watch of one work.
#[derive(Debug)]
pub(super) struct WorkWatcher {
    store: Store,
    work_id: WorkId,
    watched: Watched,
    is_over: bool,
}

pub(super) async fn watch_work(
    app: &App,
    mut call: Call,
    request: WatchWorkRequest,
) -> Result<(Call, WorkWatcher), Error> {
    let mut check = Check::of(&request);
    let id: Option<WorkId> = check.parse("work_id", &request.work_id);
    let id = check.finish(|| id)?;
    let consumer = call.principal()?.tenant;
    app.store
        .read(&mut call, async |tx| works::find(tx, id).await)
        .await?
        .filter(|work| work.consumer_id == consumer)
        .ok_or(Error::WorkNotFound(id))?;
    let watcher = WorkWatcher {
        store: app.store.clone(),
        work_id: id,
        watched: app.store.watched(id.uuid(), request.resume_token),
        is_over: false,
    };
    Ok((call, watcher))
}

impl Watcher for WorkWatcher {
    type Reply = WatchWorkResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<WatchWorkResponse>, Error> {
        let (id, watched) = (self.work_id, &mut self.watched);
        let (news, is_over) = self
            .store
            .read(call, async |tx| {
                let news: Vec<(u64, WatchWorkResponse)> = watched.news(tx).await?;
                let work = works::find(tx, id).await?;
                Ok::<_, Error>((news, work.is_none_or(|work| work.status.is_over())))
            })
            .await?;
        // Both were read in one state: when that tells nothing new of work that is over, nothing new will come.
        self.is_over = is_over && news.is_empty();
        let resumable = |(resume_token, update)| WatchWorkResponse {
            resume_token,
            ..update
        };
        Ok(news.into_iter().map(resumable).collect())
    }

    fn heartbeat(&self) -> WatchWorkResponse {
        WatchWorkResponse {
            resume_token: self.watched.version(),
            ..Default::default()
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}
