//! What a service tells about its calls: metrics under OpenTelemetry's names, and JSON lines without secrets.

use std::{
    io,
    sync::{Arc, Mutex},
};

use aex_kit::{config::Telemetry, telemetry};
use aex_proto::aex::identity::v1::{self as pb, identity_service_client::IdentityServiceClient};
use aex_testkit::{Refused, Shape, Who, World, raw};
use bytes::Bytes;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ScopeMetrics},
};
use tonic::{Code, Request};
use tracing::instrument::WithSubscriber as _;

mod double;

/// Lines, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one writer").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn calls_are_measured_by_method_and_code_and_logged_without_their_secrets() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    opentelemetry::global::set_meter_provider(provider.clone());

    let lines = Lines::default();
    let config = Telemetry {
        log_level: "debug".to_owned(),
        log_json: Some(true),
    };
    let writer = lines.clone();
    let subscriber = telemetry::subscriber(&config, move || writer.clone(), false).unwrap();
    let secret = "aex_test_PLANTEDPLANTEDPLANTEDPLANTEDPLAN";
    async {
        let mut world = World::new(Shape::InProcess);
        world.host(&double::identity()).await;
        let mut gateway = IdentityServiceClient::new(world.client(&Who::Service("gateway"), "identity"));
        let request = pb::VerifyApiKeyRequest {
            secret: secret.to_owned(),
        };
        assert!(gateway.verify_api_key(request.clone()).await.is_ok());
        let mut stranger = IdentityServiceClient::new(world.client(&Who::Service("settlement"), "identity"));
        let refused = Refused::from(stranger.verify_api_key(request).await);
        assert_eq!(refused.code, Code::PermissionDenied);
        let wire = world.client(&Who::Service("gateway"), "identity");
        let unknown = raw::unary(wire, "/whatever.the/CallerLikes", Request::new(Bytes::new())).await;
        assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
    }
    .with_subscriber(subscriber)
    .await;

    provider.force_flush().expect("the metrics are exported");
    let found = calls(&exporter);
    let method = "aex.identity.v1.IdentityService/VerifyApiKey";
    for expected in [
        (method, "OK"),
        (method, "PERMISSION_DENIED"),
        ("_OTHER", "UNIMPLEMENTED"),
    ] {
        assert!(
            found
                .iter()
                .any(|(name, code)| (name.as_str(), code.as_str()) == expected),
            "{expected:?} in {found:?}"
        );
    }
    assert!(
        !found.iter().any(|(name, _)| name.contains("CallerLikes")),
        "{found:?}"
    );

    let text = String::from_utf8(lines.0.lock().expect("no writer left").clone()).expect("lines are text");
    assert!(!text.contains("PLANTED"), "{text}");
    let parsed: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect();
    let refusal = parsed
        .iter()
        .find(|line| line["message"] == "refused")
        .expect("the refusal is logged");
    assert_eq!(
        (refusal["reason"].as_str(), refusal["level"].as_str()),
        (Some("AUDIENCE_DENIED"), Some("INFO"))
    );
    assert!(
        refusal["span"]["request_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("req_")),
        "{refusal}"
    );
    assert!(
        refusal["span"]["trace_id"]
            .as_str()
            .is_some_and(|id| id.len() == 32),
        "{refusal}"
    );
}

/// Method and code of every measured call.
fn calls(exporter: &InMemoryMetricExporter) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for resource in exporter.get_finished_metrics().expect("metrics were exported") {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                continue;
            };
            if metric.name() != "rpc.server.call.duration" {
                continue;
            }
            assert_eq!(metric.unit(), "s");
            for point in histogram.data_points() {
                let attribute = |key: &str| {
                    point
                        .attributes()
                        .find(|pair| pair.key.as_str() == key)
                        .map(|pair| pair.value.to_string())
                };
                let code = attribute("rpc.response.status_code");
                found.extend(attribute("rpc.method").zip(code));
            }
        }
    }
    found
}
