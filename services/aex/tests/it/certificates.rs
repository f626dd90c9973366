//! Certificates that are exchanged while services run.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aex_kit::{
    Clock, Wire, remote,
    tls::{Credentials, DevAuthority, Pem, write_private},
};
use aex_proto::aex::identity::v1::{ListTenantsRequest, identity_service_client::IdentityServiceClient};
use aex_testkit::{Fleet, FleetOptions};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

const AEX: &str = env!("CARGO_BIN_EXE_aex");
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Identity alone, looking at its files ten times a second.
async fn identity() -> Fleet {
    let options = FleetOptions {
        environment: vec![("AEX_IDENTITY__AUTH__RELOAD_MS".to_owned(), "100".to_owned())],
        ..FleetOptions::default()
    };
    let fleet = Fleet::furnish(Path::new(AEX), options).await;
    fleet.start_one("identity").await;
    fleet
}

fn wire(fleet: &Fleet, credentials: &Credentials) -> Wire {
    let address = fleet.address("identity").to_string();
    remote("identity", &address, credentials.clone()).unwrap()
}

async fn ask(wire: Wire) -> Result<(), Status> {
    let mut client = IdentityServiceClient::new(wire);
    client.list_tenants(ListTenantsRequest::default()).await.map(drop)
}

/// An operator of one authority who trusts the services of some.
fn operator(of: &DevAuthority, trusts: &str) -> Credentials {
    Credentials::new(&operator_pem(of, trusts)).unwrap()
}

fn operator_pem(of: &DevAuthority, trusts: &str) -> Pem {
    Pem {
        ca: trusts.to_owned(),
        ..of.operator("ada", Clock::system().now()).unwrap()
    }
}

/// Asks over a new connection each time until the answer is as it should be.
async fn until(fleet: &Fleet, credentials: &Credentials, is_let_in: bool) {
    let begun = Instant::now();
    while ask(wire(fleet, credentials)).await.is_ok() != is_let_in {
        assert!(begun.elapsed() < PATIENCE, "let in: {}", !is_let_in);
    }
}

/// Calls without a pause, over one connection or over a new one each time; ends with how many there were, or with the
/// first that failed.
fn traffic(
    fleet: &Fleet,
    credentials: &Credentials,
    is_steady: bool,
    is_over: &Arc<AtomicBool>,
) -> JoinHandle<Result<u32, Status>> {
    let (credentials, is_over) = (credentials.clone(), Arc::clone(is_over));
    let address = fleet.address("identity").to_string();
    let open = move || remote("identity", &address, credentials.clone()).unwrap();
    tokio::spawn(async move {
        let steady = open();
        let mut calls = 0;
        while !is_over.load(Ordering::Relaxed) {
            ask(if is_steady { steady.clone() } else { open() }).await?;
            calls += 1;
        }
        Ok(calls)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_and_certificates_are_exchanged_under_traffic_and_no_call_fails() {
    let fleet = identity().await;
    let old = fleet.authority();
    let new = DevAuthority::new("aex", Clock::system().now()).unwrap();
    let both = format!("{}{}", old.cert_pem(), new.cert_pem());
    let put = |name: &str, text: &str| write_private(&fleet.folder().join(name), text).unwrap();

    let ours = operator(old, &both);
    let is_over = Arc::new(AtomicBool::new(false));
    let steady = traffic(&fleet, &ours, true, &is_over);
    let fresh = traffic(&fleet, &ours, false, &is_over);
    let of_old = operator(old, &both);
    let of_new = operator(&new, &both);
    until(&fleet, &of_new, false).await;

    // Both are believed for a while; services and operators get certificates of the new one; the old one goes.
    put("ca.pem", &both);
    until(&fleet, &of_new, true).await;
    ours.replace(&operator_pem(&new, &both)).unwrap();
    let certificate = new.service("identity", Clock::system().now()).unwrap();
    put("identity.key", &certificate.key);
    put("identity.pem", &certificate.cert);
    until(&fleet, &operator(&new, new.cert_pem()), true).await;
    put("ca.pem", new.cert_pem());
    until(&fleet, &of_old, false).await;

    is_over.store(true, Ordering::Relaxed);
    let (steady, fresh) = (steady.await.unwrap().unwrap(), fresh.await.unwrap().unwrap());
    println!("{steady} calls over one connection, {fresh} over a new one each");
    assert!(steady > 10 && fresh > 10, "{steady} and {fresh}");
    assert_eq!(fleet.errors(), Vec::<String>::new());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_certificate_is_told_once_and_the_old_one_serves_on() {
    let fleet = identity().await;
    let credentials = operator(fleet.authority(), fleet.authority().cert_pem());
    let warnings = || fleet.log("identity").matches("cannot be used").count();
    let begun = Instant::now();
    for (broken, count) in [("", 1), ("-----BEGIN CERTIFICATE-----\nMIIB", 2)] {
        fs::write(fleet.folder().join("identity.pem"), broken).unwrap();
        while warnings() < count {
            ask(wire(&fleet, &credentials)).await.unwrap();
            assert!(begun.elapsed() < PATIENCE, "{}", fleet.log("identity"));
        }
    }
    // Another service's certificate is none for this one.
    let other = fleet
        .authority()
        .service("settlement", Clock::system().now())
        .unwrap();
    fs::write(fleet.folder().join("identity.key"), &other.key).unwrap();
    fs::write(fleet.folder().join("identity.pem"), &other.cert).unwrap();
    while !fleet
        .log("identity")
        .contains("the certificate of svc/settlement")
    {
        ask(wire(&fleet, &credentials)).await.unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", fleet.log("identity"));
    }
    let told = warnings();
    // Five looks later it has not been told again.
    let broken_since = Instant::now();
    while broken_since.elapsed() < Duration::from_millis(500) {
        ask(wire(&fleet, &credentials)).await.unwrap();
    }
    assert_eq!(warnings(), told, "{}", fleet.log("identity"));
    let read = || fleet.log("identity").matches("certificate read").count();
    let before = read();
    fleet.certify("identity");
    while read() == before {
        ask(wire(&fleet, &credentials)).await.unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", fleet.log("identity"));
    }
    ask(wire(&fleet, &credentials)).await.unwrap();
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_refused_and_nobody_stays_longer_than_theirs() {
    let fleet = identity().await;
    let authority = fleet.authority();
    let now = Clock::system().now();
    let issued = |ago: Duration| {
        let pem = authority.operator("ada", now.saturating_sub(ago)).unwrap();
        Credentials::new(&pem).unwrap()
    };
    let day = Duration::from_hours(24);
    until(&fleet, &issued(day * 2), false).await;

    // A connection is open when its certificate ends, three seconds from now.
    let short = issued(day.checked_sub(Duration::from_secs(3)).unwrap());
    assert!(short.validity().is_ending(now) && !short.validity().is_over(now));
    let open = wire(&fleet, &short);
    ask(open.clone()).await.unwrap();
    let begun = Instant::now();
    let status = loop {
        match ask(open.clone()).await {
            Ok(()) => assert!(begun.elapsed() < PATIENCE, "it is still let in"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    // With the next certificate the same client is let in again.
    short.replace(&authority.operator("ada", now).unwrap()).unwrap();
    while ask(open.clone()).await.is_err() {
        assert!(begun.elapsed() < PATIENCE);
    }
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_warned_of_and_one_that_ended_is_no_identity() {
    let fleet = identity().await;
    let now = Clock::system().now();
    let put = |ago: Duration| {
        let pem = fleet
            .authority()
            .service("identity", now.saturating_sub(ago))
            .unwrap();
        write_private(&fleet.folder().join("identity.key"), &pem.key).unwrap();
        write_private(&fleet.folder().join("identity.pem"), &pem.cert).unwrap();
    };
    put(Duration::from_hours(23));
    let begun = Instant::now();
    while !fleet.log("identity").contains("expires soon") {
        assert!(begun.elapsed() < PATIENCE, "{}", fleet.log("identity"));
        tokio::task::yield_now().await;
    }
    fleet.stop_one("identity").await;

    put(Duration::from_hours(25));
    let refused = std::process::Command::new(AEX)
        .args(["serve", "identity", "--config"])
        .arg(fleet.config())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("identity.pem") && said.contains("has expired"),
        "{said}"
    );
    fleet.stop().await;
}
