//! Every service that this binary hosts: one line each.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use aex_kit::{
    Guard, Hosted, Mesh, Ready, Runtime,
    config::{Auth, ConfigError, Database, Peers, Secret, Server, Telemetry, nearest},
    host,
    principal::Verifier,
};
use aex_proto::aex::common::v1::Event;
use aex_store::Schema;
use futures::future::LocalBoxFuture;

use crate::{database::Place, problem::Problem};

/// A service as the table knows it.
pub(crate) struct Service {
    /// Folder, SPIFFE id, section of the configuration.
    pub(crate) name: &'static str,
    /// Where it listens when nothing else is configured.
    pub(crate) port: u16,
    pub(crate) schema: &'static Schema,
    pub(crate) settings: fn(Option<&Path>) -> Result<Settings, ConfigError>,
    pub(crate) open: fn(Seat) -> LocalBoxFuture<'static, Result<Opened, Problem>>,
}

/// The sections that every service has, and the whole as it would be printed.
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) auth: Auth,
    pub(crate) peers: Peers,
    pub(crate) telemetry: Telemetry,
    pub(crate) printed: serde_json::Value,
}

/// What a service is opened with.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) file: Option<PathBuf>,
    /// The secrets of a development exchange; absent in production, where the configuration names them.
    pub(crate) dev: Option<Dev>,
    pub(crate) place: Place,
    pub(crate) mesh: Mesh,
    pub(crate) runtime: Runtime,
    pub(crate) verifier: Verifier,
}

/// What a development exchange sets without being asked.
#[derive(Clone)]
pub(crate) struct Dev {
    /// The key of the hash that API keys are stored as.
    pub(crate) pepper: Secret,
    pub(crate) token_key: Secret,
}

/// A service that is open and hosted; its workers rest until they are started.
pub(crate) struct Opened {
    pub(crate) name: &'static str,
    pub(crate) contracts: &'static [&'static str],
    pub(crate) guard: Guard,
    pub(crate) ready: Ready,
    pub(crate) start: Box<dyn FnOnce() + Send>,
    /// Folds stored events into its tables; the ledger has none, it is the log.
    pub(crate) replay: Option<Replay>,
}

/// Folds events of a service into its tables, in their order.
pub(crate) type Replay =
    Arc<dyn Fn(Vec<Event>) -> LocalBoxFuture<'static, Result<(), Problem>> + Send + Sync>;

/// Names a crate by the template: `App`, `Config`, `SCHEMA`. The second part sets what development needs and what has no
/// default; the third refuses a configuration that cannot work; the
/// fourth folds events, where it is not `App::replay`.
macro_rules! service {
    ($krate:ident) => {
        service!($krate, |_, _| {}, |_| Ok(()))
    };
    ($krate:ident, $tune:expr, $check:expr) => {
        service!($krate, $tune, $check, |app: &Arc<$krate::App>| {
            let app = Arc::clone(app);
            let replay: Replay = Arc::new(move |events| {
                let app = Arc::clone(&app);
                Box::pin(async move { Ok(app.replay(&events).await?) })
            });
            Some(replay)
        })
    };
    ($krate:ident, $tune:expr, $check:expr, $replay:expr) => {
        Service {
            name: <$krate::App as Hosted>::NAME,
            port: <$krate::App as Hosted>::PORT,
            schema: &$krate::SCHEMA,
            settings: |file| {
                let config: $krate::Config = aex_kit::config::load(<$krate::App as Hosted>::NAME, file)?;
                Ok(Settings {
                    printed: serde_json::to_value(&config).unwrap_or_default(),
                    server: config.server,
                    database: config.database,
                    auth: config.auth,
                    peers: config.peers,
                    telemetry: config.telemetry,
                })
            },
            open: |seat| {
                Box::pin(async move {
                    let name = <$krate::App as Hosted>::NAME;
                    let mut config: $krate::Config = aex_kit::config::load(name, seat.file.as_deref())?;
                    let tune: fn(&mut $krate::Config, &Dev) = $tune;
                    let check: fn(&$krate::Config) -> Result<(), &'static str> = $check;
                    if let Some(dev) = &seat.dev {
                        tune(&mut config, dev);
                    }
                    check(&config)
                        .map_err(|what| Problem::new(format!("configuration of {name}: {what}")))?;
                    let connect = seat.place.connect($krate::SCHEMA.name, &config.database)?;
                    let app = $krate::App::open(&config, &connect, &seat.mesh, &seat.runtime).await?;
                    let app = Arc::new(app);
                    let replay: fn(&Arc<$krate::App>) -> Option<Replay> = $replay;
                    let replay = replay(&app);
                    let (guard, ready) = host(&app, &seat.runtime, &config.server, seat.verifier).await?;
                    Ok(Opened {
                        name,
                        contracts: <$krate::App as Hosted>::SERVICES,
                        guard,
                        ready,
                        start: Box::new(move || app.start_workers()),
                        replay,
                    })
                })
            },
        }
    };
}

/// All of them, in the order in which they are opened.
pub(crate) static SERVICES: &[Service] = &[
    service!(aex_event_ledger, |_, _| {}, |_| Ok(()), |_| None),
    service!(
        aex_identity,
        |config, dev| config.keys.pepper = Some(dev.pepper.clone()),
        |config| config.keys.check()
    ),
    service!(aex_provider_registry),
    service!(
        aex_settlement,
        |config, _| {
            config.books.windows_zero = true;
            config.rails.test = true;
        },
        |_| Ok(())
    ),
    service!(aex_trust_broker),
    service!(
        aex_work_publisher,
        |config, _| config.work.dispute_window_ms = 0,
        |_| Ok(())
    ),
    service!(aex_bid_gateway),
    service!(aex_bid_evaluator),
    service!(
        aex_contract_engine,
        |config, dev| {
            config.tokens.key = Some(dev.token_key.clone());
            config.contracts.dispute_window_seconds = 0;
        },
        |config| config.tokens.check()
    ),
];

/// The services of these names; one that does not exist is named in the refusal.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Service>, Problem> {
    let find = |name: &String| {
        SERVICES
            .iter()
            .find(|service| service.name == name)
            .ok_or_else(|| {
                let known: Vec<_> = SERVICES.iter().map(|service| service.name).collect();
                Problem::usage(match nearest(name, known.iter().copied()) {
                    Some(near) => format!("there is no service {name}: did you mean {near}?"),
                    None => format!(
                        "there is no service {name}: choose from {}, gateway",
                        known.join(", ")
                    ),
                })
            })
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn services_listen_where_a_fleet_finds_them() {
        let ours: BTreeSet<_> = SERVICES
            .iter()
            .map(|service| (service.name, service.port))
            .collect();
        let services = aex_testkit::fleet::SERVICES.into_iter();
        let theirs = services.filter(|(name, _)| *name != aex_gateway::NAME).collect();
        assert_eq!(ours, theirs);
    }
}
