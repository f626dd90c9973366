//! All services of one machine on the private cluster of a data directory.

use std::{sync::Arc, time::Duration};

use aex_kit::{Mesh, Runtime, principal::Verifier};
use aex_store::private::{Options, PrivateServer, Search};
use futures::future::try_join_all;

use crate::{
    database::{self, Place},
    home::{Home, Secrets},
    problem::Problem,
    services::{Dev, Opened, SERVICES, Seat},
};

/// Services that are open, and what they stand on.
pub(crate) struct Exchange {
    pub(crate) runtime: Runtime,
    pub(crate) mesh: Mesh,
    pub(crate) services: Vec<Opened>,
    pub(crate) secrets: Secrets,
    pub(crate) server: Arc<PrivateServer>,
}

impl Exchange {
    /// Starts PostgreSQL and opens every service. Their workers rest.
    pub(crate) async fn open(home: &Home) -> Result<Self, Problem> {
        let limits = SERVICES
            .iter()
            .map(|service| {
                let database = (service.settings)(None)?.database;
                let private = if database.url.is_some() {
                    0
                } else {
                    database.max_connections
                };
                Ok((service.name, private))
            })
            .collect::<Result<Vec<_>, Problem>>()?;
        database::check_sum(&limits)?;
        home.make()?;

        let runtime = Runtime::system();
        let options = Options::new(home.cluster(), Search::from_env());
        let server = tokio::task::spawn_blocking(move || PrivateServer::start(&options)).await??;
        let secrets = home.secrets(&runtime)?;
        database::furnish(&server).await?;

        let mesh = Mesh::new(&runtime);
        let seat = seat(&secrets, Place::of(&server), &mesh, &runtime)?;
        let services = try_join_all(SERVICES.iter().map(|service| (service.open)(seat.clone()))).await?;
        for service in &services {
            mesh.here(service.name, service.guard.clone());
        }
        Ok(Self {
            runtime,
            mesh,
            services,
            secrets,
            server: Arc::new(server),
        })
    }

    /// Opens every service once more, on empty tables to be rebuilt. Nobody reaches these, and they reach nobody.
    pub(crate) async fn open_scratch(&self) -> Result<Vec<Opened>, Problem> {
        let nowhere = Mesh::new(&self.runtime);
        let place = database::scratch(&self.server);
        let seat = seat(&self.secrets, place.clone(), &nowhere, &self.runtime)?;
        let services = try_join_all(SERVICES.iter().map(|service| (service.open)(seat.clone()))).await?;
        for service in SERVICES {
            let connect = place.connect(service.schema.name, &(service.settings)(None)?.database)?;
            database::loosen(&connect, service.schema.name).await?;
        }
        Ok(services)
    }

    /// Lets calls under way end, then stops PostgreSQL.
    pub(crate) async fn close(self, drain: Duration) -> Result<(), Problem> {
        if !self.runtime.shutdown(drain).await {
            tracing::warn!(?drain, "some calls did not end in time");
        }
        let server = self.server;
        Ok(tokio::task::spawn_blocking(move || drop(server)).await?)
    }
}

/// What every service of a development exchange is opened with.
fn seat(secrets: &Secrets, place: Place, mesh: &Mesh, runtime: &Runtime) -> Result<Seat, Problem> {
    Ok(Seat {
        file: None,
        dev: Some(Dev {
            pepper: secrets.pepper.clone(),
            token_key: secrets.token_key.clone(),
        }),
        place,
        mesh: mesh.clone(),
        runtime: runtime.clone(),
        verifier: Verifier::new([secrets.principal.public_pem()])?,
    })
}
