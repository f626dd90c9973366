use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use aex_proto::aex::identity::v1::{self as pb, identity_service_client::IdentityServiceClient};
use tonic::{Request, transport::Endpoint};

use crate::machine::{Machine, Running};

/// The tenant of a key, asked over the edge.
async fn tenant(running: &Running, made: &serde_json::Value) -> Result<pb::Tenant, tonic::Status> {
    let channel = Endpoint::from_shared(running.edge.clone())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut request = Request::new(pb::GetTenantRequest {
        tenant_id: made["tenant_id"].as_str().unwrap().to_owned(),
    });
    let bearer = format!("Bearer {}", made["api_key"].as_str().unwrap());
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let reply = IdentityServiceClient::new(channel).get_tenant(request).await?;
    Ok(reply.into_inner().tenant.unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// How long the start took by the line that says so, and PostgreSQL's part of it. A promise is kept by a release on a quiet
/// machine; here the figures only have to be those of this start.
fn said_after(running: &Running) -> (f64, f64) {
    let first = running.said.lines().next().unwrap();
    let figures = first.split_once(" is up after ").unwrap().1;
    let figures = figures.strip_suffix(" s)").unwrap();
    let (all, database) = figures.split_once(" s (PostgreSQL ").unwrap();
    let (all, database) = (all.parse::<f64>().unwrap(), database.parse::<f64>().unwrap());
    // Both are rounded to a tenth.
    assert!(0.0 <= database && database <= all && 0.0 < all, "{first}");
    assert!(
        all <= running.took.as_secs_f64() + 0.05,
        "{first}: {:?}",
        running.took
    );
    (all, database)
}

#[tokio::test]
async fn the_first_call_works_with_the_first_key_and_a_restart_keeps_everything() {
    let machine = Machine::new();
    let mut first = machine.start();
    let made = machine.json(&["init", "--name", "Ada", "--json"]);
    assert_eq!(tenant(&first, &made).await.unwrap().display_name, "Ada");
    let data = machine.data();
    for word in [
        env!("CARGO_PKG_VERSION"),
        &first.edge,
        "aex init",
        &data.display().to_string(),
    ] {
        assert!(first.said.contains(word), "{word} in {}", first.said);
    }
    assert_eq!(mode(&data.join("secrets")), 0o700);
    for secret in [
        "ca.key",
        "operator.key",
        "operator.pem",
        "pepper",
        "principal.key",
    ] {
        assert_eq!(mode(&data.join("secrets").join(secret)), 0o600, "{secret}");
    }
    println!(
        "first start {:?}, by its own word {:?} s, {} MiB",
        first.took,
        said_after(&first),
        first.memory()
    );
    // Without PostgreSQL, which is a process of its own; a release holds less than this debug build.
    assert!(first.memory() <= 120, "{} MiB", first.memory());
    assert!(first.signal("TERM").success());
    assert_eq!(machine.postgres(), None);
    assert!(!data.join("operator.json").exists());

    let mut second = machine.start();
    assert_eq!(tenant(&second, &made).await.unwrap().display_name, "Ada");
    println!(
        "second start {:?}, by its own word {:?} s, {} MiB",
        second.took,
        said_after(&second),
        second.memory()
    );
    assert!(second.signal("INT").success());
    assert_eq!(machine.postgres(), None);
}

#[tokio::test]
async fn a_kill_leaves_nothing_running_and_the_next_start_has_everything() {
    let machine = Machine::new();
    let mut first = machine.start();
    let made = machine.json(&["init", "--name", "Ada", "--json"]);
    assert!(machine.postgres().is_some());
    first.signal("KILL");
    let killed = Instant::now();
    while machine.postgres().is_some() {
        assert!(
            killed.elapsed() < Duration::from_secs(10),
            "PostgreSQL outlived the kill"
        );
        std::thread::yield_now();
    }
    let second = machine.start();
    assert_eq!(tenant(&second, &made).await.unwrap().display_name, "Ada");
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_second() {
    let machine = Machine::new();
    let running = machine.start();
    let made = machine.json(&["init", "--json"]);
    tenant(&running, &made).await.unwrap();
    let channel = Endpoint::from_shared(running.edge.clone())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut request = Request::new(pb::RevokeApiKeyRequest {
        idempotency_key: "revoke-0123456789".to_owned(),
        key_id: made["key_id"].as_str().unwrap().to_owned(),
    });
    let bearer = format!("Bearer {}", made["api_key"].as_str().unwrap());
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    IdentityServiceClient::new(channel)
        .revoke_api_key(request)
        .await
        .unwrap();
    let revoked = Instant::now();
    while tenant(&running, &made).await.is_ok() {
        assert!(revoked.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn fsck_finds_nothing_while_it_runs_and_at_rest() {
    let machine = Machine::new();
    let mut running = machine.start();
    let made = machine.json(&["init", "--json"]);
    let acks = machine.folder.path().join("acks");
    let (tenant, key) = (
        made["tenant_id"].as_str().unwrap(),
        made["key_id"].as_str().unwrap(),
    );
    let told = format!("tenant {tenant}\ntenant {tenant} ACTIVE\nkey {key} ACTIVE\n");
    std::fs::write(&acks, told).unwrap();
    let acks = acks.display().to_string();
    let arguments = ["fsck", "--json", "--acks", &acks];
    // What the ledger has heard of it grows in the ledger's own time.
    let said = || {
        let mut said = machine.json(&arguments);
        let facts = said["facts"].as_object_mut().unwrap();
        facts.retain(|fact, _| !fact.starts_with("ledger."));
        said
    };
    let live = said();
    assert_eq!(live["violations"].as_array().unwrap().len(), 0, "{live}");
    assert_eq!(live["facts"]["tenant.status"], 1, "{live}");
    running.signal("TERM");
    assert_eq!(said(), live);
    assert_eq!(machine.postgres(), None);

    // What was acknowledged and is not there, or not so far, is a violation.
    let lost = format!("tenant tenant_01h455vb4pex5vsknk084sn02q\nkey {key} REVOKED\n");
    std::fs::write(&acks, lost).unwrap();
    let output = machine.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    for word in [
        "tenant_01h455vb4pex5vsknk084sn02q",
        key,
        "REVOKED was acknowledged, it is ACTIVE",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn fsck_after_a_kill_goes_to_rest_by_itself() {
    let machine = Machine::new();
    let mut running = machine.start();
    machine.json(&["init", "--json"]);
    running.signal("KILL");
    assert!(machine.data().join("operator.json").exists());
    let found = machine.json(&["fsck", "--json"]);
    assert_eq!(found["facts"]["tenant.status"], 1, "{found}");
}
