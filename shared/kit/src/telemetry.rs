//! Logs and metrics. Logs are JSON lines, or readable ones on a terminal; metrics carry OpenTelemetry's names.

use std::{io::IsTerminal as _, sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, metrics::Histogram};
use tonic::Code;
use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{LevelFilter, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt as _,
    util::SubscriberInitExt,
};

use crate::config::Telemetry;

/// What is to be logged, said in a way that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read the log filter {filter:?}: {why}: write `warn`, `info`, or a filter such as `aex_kit=debug,info`"
)]
pub struct Unreadable {
    filter: String,
    why: String,
}

/// What PostgreSQL remarks on, such as each table that is there already when a service starts. Its warnings are another level.
const REMARKS: &str = "sqlx::postgres::notice";

/// Reads what is to be logged. A word alone is a level: as the name of a module it would log all of that and nothing else.
pub(crate) fn read(filter: &str) -> Result<EnvFilter, Unreadable> {
    let refused = |why| Unreadable {
        filter: filter.to_owned(),
        why,
    };
    let mut words = filter.split(',').map(str::trim);
    let unknown = words.find(|word| {
        !word.is_empty() && !word.contains(['=', '[', ':']) && word.parse::<LevelFilter>().is_err()
    });
    if let Some(word) = unknown {
        return Err(refused(format!("{word} is no level")));
    }
    EnvFilter::try_new(filter).map_err(|error| refused(error.to_string()))
}

/// Starts logging for the process, to standard error; a second start changes nothing.
pub fn start(config: &Telemetry) -> Result<(), Unreadable> {
    // The first start wins: tests of one binary share a process.
    let _ = subscriber(config, std::io::stderr, std::io::stderr().is_terminal())?.try_init();
    Ok(())
}

/// What `start` installs, writing elsewhere.
pub fn subscriber<W>(
    config: &Telemetry,
    writer: W,
    is_terminal: bool,
) -> Result<impl SubscriberInitExt + tracing::Subscriber + use<W>, Unreadable>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Who names them wants them.
    let with_remarks = config.log_level.contains("sqlx");
    let remarks =
        filter_fn(move |event| with_remarks || event.target() != REMARKS || *event.level() <= Level::WARN);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if config.log_json.unwrap_or(!is_terminal) {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        lines.compact().with_target(false).boxed()
    };
    // Filters of everything, not of one layer: sqlx asks whether something would be logged without logging it, and the filter
    // of a layer takes that for the event that comes next on the thread, which is lost.
    Ok(tracing_subscriber::registry()
        .with(read(&config.log_level)?)
        .with(remarks)
        .with(layer))
}

/// How long calls take, by method and code.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Histogram<f64>);

impl Calls {
    /// The calls that a service answers.
    pub(crate) fn server() -> Self {
        static SERVER: LazyLock<Histogram<f64>> = LazyLock::new(|| histogram("rpc.server.call.duration"));
        Self(SERVER.clone())
    }

    /// The calls that it makes.
    pub(crate) fn client() -> Self {
        static CLIENT: LazyLock<Histogram<f64>> = LazyLock::new(|| histogram("rpc.client.call.duration"));
        Self(CLIENT.clone())
    }

    /// Notes a call of a method by its path; of a method that is not there, none is given.
    pub(crate) fn record(&self, path: Option<&str>, code: Code, took: Duration) {
        let method = path.map_or("_OTHER", |path| path.strip_prefix('/').unwrap_or(path));
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.response.status_code", spelled(code)),
        ];
        self.0.record(took.as_secs_f64(), &attributes);
    }
}

/// A code as the conventions spell it.
const fn spelled(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn histogram(name: &'static str) -> Histogram<f64> {
    opentelemetry::global::meter("aex")
        .f64_histogram(name)
        .with_unit("s")
        .build()
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// Lines, kept.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn config(filter: &str) -> Telemetry {
        Telemetry {
            log_level: filter.to_owned(),
            log_json: Some(true),
        }
    }

    /// What is logged of a remark and a warning of PostgreSQL, and of a word of ours.
    fn logged(filter: &str) -> [bool; 3] {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(&config(filter), move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "sqlx::postgres::notice", "skipping");
            tracing::warn!(target: "sqlx::postgres::notice", "wraparound");
            tracing::info!("ours");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        ["skipping", "wraparound", "ours"].map(|word| text.contains(word))
    }

    #[test]
    fn remarks_of_the_database_are_logged_for_those_who_name_them() {
        assert_eq!(logged("info"), [false, true, true]);
        assert_eq!(logged("error"), [false, false, false]);
        assert_eq!(logged("warn,sqlx=info"), [true, true, false]);
    }

    #[test]
    fn what_is_only_asked_for_does_not_cost_the_next_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(&config("info"), move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let said = || tracing::warn!("said");
            said();
            // As sqlx does with each statement that is not slow.
            assert!(!tracing::enabled!(target: "sqlx::query", Level::DEBUG));
            said();
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("said").count(), 2, "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let refused = start(&config("aex_kit=loud")).unwrap_err().to_string();
        assert!(refused.contains("\"aex_kit=loud\""), "{refused}");
    }
}
