//! Logs and metrics. Logs are JSON lines, or readable ones on a terminal; metrics carry OpenTelemetry's names.

use std::{io::IsTerminal as _, sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, metrics::Histogram};
use tonic::Code;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt,
};

use crate::config::Telemetry;

/// Starts logging for the process, to standard error; a second start changes nothing.
pub fn start(config: &Telemetry) {
    // The first start wins: tests of one binary share a process.
    let _ = subscriber(config, std::io::stderr, std::io::stderr().is_terminal()).try_init();
}

/// What `start` installs, writing elsewhere.
pub fn subscriber<W>(
    config: &Telemetry,
    writer: W,
    is_terminal: bool,
) -> impl SubscriberInitExt + tracing::Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
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
    tracing_subscriber::registry().with(layer.with_filter(filter))
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

    pub(crate) fn record(&self, path: &str, code: Code, took: Duration) {
        let method = path.strip_prefix('/').unwrap_or(path).to_owned();
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", i64::from(code as i32)),
        ];
        self.0.record(took.as_secs_f64(), &attributes);
    }
}

fn histogram(name: &'static str) -> Histogram<f64> {
    opentelemetry::global::meter("aex")
        .f64_histogram(name)
        .with_unit("s")
        .build()
}
