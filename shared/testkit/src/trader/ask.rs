//! One call, asked until it is answered; one watch, listened to until it has told enough.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tonic::{
    Code, Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_types::StatusExt as _;

use crate::Refused;

/// The longest that one attempt may take.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(15);
/// How long a call is repeated, and how long is listened for what is to come.
const PATIENCE: Duration = Duration::from_secs(90);
/// The pause after a connection that broke, which says nothing of when to come back.
const BROKEN: Duration = Duration::from_millis(50);
/// The longest pause, whatever a refusal says.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A channel to the edge that shows a tenant's key with every call.
pub type Wire = InterceptedService<Channel, Envelope>;

/// What every call carries.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub(super) bearer: MetadataValue<Ascii>,
    /// None for watches.
    pub(super) limit: Option<Duration>,
}

impl Interceptor for Envelope {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        if let Some(limit) = self.limit {
            request.set_timeout(limit);
        }
        Ok(request)
    }
}

/// How long to wait before asking again; `None` when the answer would be the same.
fn pause(status: &Status) -> Option<Duration> {
    let details = status.get_error_details();
    if let Some(after) = details.retry_info().and_then(|info| info.retry_delay) {
        return Some(after.min(LONGEST_PAUSE));
    }
    // The exchange says why it refuses; what says nothing was made on the way. The outcome of a call that ran out of
    // time is unknown: it is asked for with the same key.
    let is_unknown = details.error_info().is_none() || status.code() == Code::DeadlineExceeded;
    is_unknown.then_some(BROKEN)
}

/// Asks until there is an answer or a definite no. Fails the test when the connection stays broken.
pub(super) async fn patiently<T, F, A>(ask: F) -> Result<T, Refused>
where
    F: Fn() -> A,
    A: Future<Output = Result<Response<T>, Status>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        // The deadline that the call carries should end it; this ends it when the network has swallowed that too.
        let answer = timeout(CALL_LIMIT + LONGEST_PAUSE, ask()).await;
        let status = match answer {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("no answer in time"),
        };
        match pause(&status) {
            Some(pause) if Instant::now() + pause < end => sleep(pause).await,
            _ => return Err(status.into()),
        }
    }
}

/// Listens, from the beginning of what a watch tells, until something in it is what is waited for. Opens the watch anew
/// where it broke. Fails the test when it is refused or does not come.
#[expect(clippy::panic, reason = "what does not come fails the test")]
pub(super) async fn listen<M, T, F, A>(what: &str, open: F, mut hear: impl FnMut(M) -> (u64, Option<T>)) -> T
where
    F: Fn(u64) -> A,
    A: Future<Output = Result<Response<Streaming<M>>, Status>>,
{
    let mut token = 0;
    let listening = async {
        loop {
            let mut stream = match open(token).await {
                Ok(stream) => stream.into_inner(),
                Err(status) => {
                    let Some(pause) = pause(&status) else {
                        panic!("{what}: {status:?}")
                    };
                    sleep(pause).await;
                    continue;
                }
            };
            loop {
                match stream.message().await {
                    Ok(Some(message)) => {
                        let (next, heard) = hear(message);
                        if let Some(heard) = heard {
                            return heard;
                        }
                        token = next.max(token);
                    }
                    Ok(None) => panic!("{what}: the watch ended before"),
                    Err(status) if pause(&status).is_none() => panic!("{what}: {status:?}"),
                    Err(_) => break,
                }
            }
            sleep(BROKEN).await;
        }
    };
    match timeout(PATIENCE, listening).await {
        Ok(heard) => heard,
        Err(late) => panic!("{what}: it has not come in {PATIENCE:?} ({late})"),
    }
}

/// `ask!(trader, works.get_work, request)`: one call, repeated with the same request until there is an answer.
macro_rules! ask {
    ($trader:expr, $service:ident.$method:ident, $request:expr) => {{
        let (trader, request) = (&$trader, $request);
        $crate::trader::ask::patiently(|| {
            let (mut client, request) = (trader.$service(), request.clone());
            async move { client.$method(request).await }
        })
        .await
    }};
}
pub(super) use ask;
