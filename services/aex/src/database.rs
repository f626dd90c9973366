//! Where services keep their state: schemas of the private cluster, or databases that the configuration names.

use std::{path::PathBuf, str::FromStr as _, time::Duration};

use aex_kit::config::{Database, Secret};
use aex_store::{Connect, private::PrivateServer};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::PgConnectOptions,
};

use crate::{
    problem::Problem,
    services::{SERVICES, Service},
};

/// The database of a private cluster.
const NAME: &str = "aex";
/// What a private cluster takes, and of that what stays free for its superuser and for migrations.
const MAX_CONNECTIONS: u32 = 200;
const KEPT_FREE: u32 = 15;

/// Where the schemas are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the cluster of a data directory.
    Private { sockets: PathBuf, port: u16 },
    /// Where each service's configuration says.
    Configured,
}

impl Place {
    pub(crate) fn of(server: &PrivateServer) -> Self {
        Self::Private {
            sockets: server.socket_dir().to_owned(),
            port: server.port(),
        }
    }

    /// How one service connects. A database that is configured wins over the private cluster.
    pub(crate) fn connect(&self, schema: &str, config: &Database) -> Result<Connect, Problem> {
        let (owner, app) = match (&config.url, self) {
            (Some(url), _) => {
                let app = read(url)?;
                let owner = config.owner_url.as_ref().map(read).transpose()?;
                (owner.unwrap_or_else(|| app.clone()), app)
            }
            (None, Self::Private { sockets, port }) => {
                let options = |role: &str| {
                    PgConnectOptions::new_without_pgpass()
                        .socket(sockets)
                        .port(*port)
                        .username(role)
                        .database(NAME)
                };
                (options(&format!("{schema}_owner")), options(schema))
            }
            (None, Self::Configured) => {
                let name = schema.to_uppercase();
                return Err(Problem::new(format!(
                    "no database is configured for {}: set AEX_{name}__DATABASE__URL",
                    schema.replace('_', "-")
                )));
            }
        };
        Ok(Connect {
            owner,
            app,
            max_connections: config.max_connections,
            acquire: Duration::from_millis(config.acquire_ms),
            resumable: config.resumable(),
        })
    }
}

fn read(url: &Secret) -> Result<PgConnectOptions, Problem> {
    // What is wrong with it is not repeated: it may hold a password.
    PgConnectOptions::from_str(url.reveal()).map_err(|_| {
        Problem::new("a database URL cannot be read: it must look like postgres://user@host/name")
    })
}

/// Refuses services that together would open more connections than the cluster takes.
pub(crate) fn check_sum(services: &[(&str, u32)]) -> Result<(), Problem> {
    let sum: u32 = services.iter().map(|(_, connections)| connections).sum();
    let most = MAX_CONNECTIONS - KEPT_FREE;
    if sum <= most {
        return Ok(());
    }
    let largest = services.iter().max_by_key(|(_, connections)| connections);
    let key = largest.map_or_else(String::new, |(name, _)| name.replace('-', "_").to_uppercase());
    Err(Problem::new(format!(
        "the services may open {sum} database connections together and the private cluster takes {most}: lower \
         AEX_{key}__DATABASE__MAX_CONNECTIONS"
    )))
}

/// Makes the database and each service's two roles, where they are missing.
pub(crate) async fn furnish(server: &PrivateServer) -> Result<(), Problem> {
    let options = |database: &str| {
        PgConnectOptions::new_without_pgpass()
            .socket(server.socket_dir())
            .port(server.port())
            .username(server.superuser())
            .database(database)
    };
    let mut admin = options("postgres").connect().await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(NAME)
        .fetch_one(&mut admin)
        .await?;
    if !exists {
        admin
            .execute(AssertSqlSafe(format!("CREATE DATABASE {NAME}")))
            .await?;
        let closed = format!("REVOKE ALL ON DATABASE {NAME} FROM PUBLIC");
        admin.execute(AssertSqlSafe(closed)).await?;
    }
    let roles: Vec<String> = sqlx::query_scalar("SELECT rolname::text FROM pg_roles")
        .fetch_all(&mut admin)
        .await?;
    for service in SERVICES {
        admit(&mut admin, service, &roles).await?;
    }
    admin.close().await?;
    Ok(())
}

async fn admit(admin: &mut PgConnection, service: &Service, roles: &[String]) -> Result<(), Problem> {
    let name = service.schema.name;
    for (role, may) in [
        (name.to_owned(), "CONNECT"),
        (format!("{name}_owner"), "CONNECT, CREATE"),
    ] {
        if roles.contains(&role) {
            continue;
        }
        let make = format!(
            "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS; \
             GRANT {may} ON DATABASE {NAME} TO {role}"
        );
        admin.execute(AssertSqlSafe(make)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_sum;

    #[test]
    fn more_connections_than_the_cluster_takes_are_refused_in_one_line() {
        check_sum(&[("identity", 4), ("settlement", 181)]).unwrap();
        let refused = check_sum(&[("identity", 4), ("event-ledger", 182)])
            .unwrap_err()
            .to_string();
        assert!(refused.contains("186") && refused.contains("AEX_EVENT_LEDGER__DATABASE__MAX_CONNECTIONS"));
        assert!(!refused.contains('\n'));
    }
}
