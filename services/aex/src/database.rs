//! Where services keep their state: schemas of the private cluster, or databases that the configuration names.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use aex_kit::config::{Database, Secret};
use aex_store::{Connect, image::Image, private::PrivateServer};
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
/// The one beside it that tables are rebuilt in; it is there while they are.
const SCRATCH: &str = "aex_rebuild";
/// What a private cluster takes, and of that what stays free for its superuser and for migrations.
const MAX_CONNECTIONS: u32 = 200;
const KEPT_FREE: u32 = 15;

/// Where the schemas are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the cluster of a data directory.
    Private { sockets: PathBuf, port: u16 },
    /// Beside it, in the database for rebuilding, whatever the configuration says.
    Scratch { sockets: PathBuf, port: u16 },
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
            (_, Self::Scratch { sockets, port }) => roles(sockets, *port, schema, SCRATCH),
            (Some(url), _) => {
                let app = read(url)?;
                let owner = config.owner_url.as_ref().map(read).transpose()?;
                (owner.unwrap_or_else(|| app.clone()), app)
            }
            (None, Self::Private { sockets, port }) => roles(sockets, *port, schema, NAME),
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
        })
    }
}

/// The two roles of a schema in a database of the private cluster.
fn roles(sockets: &Path, port: u16, schema: &str, database: &str) -> (PgConnectOptions, PgConnectOptions) {
    let options = |role: &str| {
        PgConnectOptions::new_without_pgpass()
            .socket(sockets)
            .port(port)
            .username(role)
            .database(database)
    };
    (options(&format!("{schema}_owner")), options(schema))
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
    let mut admin = admin(server).await?;
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

/// The superuser of a private cluster.
async fn admin(server: &PrivateServer) -> Result<PgConnection, Problem> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username(server.superuser())
        .database("postgres");
    Ok(options.connect().await?)
}

/// The place of rebuilt tables.
pub(crate) fn scratch(server: &PrivateServer) -> Place {
    Place::Scratch {
        sockets: server.socket_dir().to_owned(),
        port: server.port(),
    }
}

/// Makes an empty database for rebuilding, in the place of one that an earlier rebuild may have left.
pub(crate) async fn make_scratch(server: &PrivateServer) -> Result<(), Problem> {
    drop_scratch(server).await?;
    let mut admin = admin(server).await?;
    let make = format!("CREATE DATABASE {SCRATCH}");
    admin.execute(AssertSqlSafe(make)).await?;
    let mut grants = format!("REVOKE ALL ON DATABASE {SCRATCH} FROM PUBLIC");
    for service in SERVICES {
        let name = service.schema.name;
        let _ = write!(
            grants,
            "; GRANT CONNECT ON DATABASE {SCRATCH} TO {name}; GRANT CONNECT, CREATE ON DATABASE {SCRATCH} TO {name}_owner"
        );
    }
    admin.execute(AssertSqlSafe(grants)).await?;
    admin.close().await?;
    Ok(())
}

pub(crate) async fn drop_scratch(server: &PrivateServer) -> Result<(), Problem> {
    let mut admin = admin(server).await?;
    let gone = format!("DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)");
    admin.execute(AssertSqlSafe(gone)).await?;
    admin.close().await?;
    Ok(())
}

/// Lets a rebuilt schema pass through states that the live one never had: the log promises an order within one aggregate
/// only, so of two that exclude each other the later one may come first. What comes out is compared with the live rows.
pub(crate) async fn loosen(connect: &Connect, schema: &str) -> Result<(), Problem> {
    let options = connect.owner.clone().options([("search_path", schema)]);
    let mut owner = options.connect().await?;
    let unique: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
         JOIN pg_class ON pg_class.oid = indrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = $1 AND indisunique
             AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
    )
    .bind(schema)
    .fetch_all(&mut owner)
    .await?;
    for (name, definition) in unique {
        let plain = definition.replacen("CREATE UNIQUE INDEX", "CREATE INDEX", 1);
        owner
            .execute(AssertSqlSafe(format!("DROP INDEX {name}; {plain}")))
            .await?;
    }
    owner.close().await?;
    Ok(())
}

/// A service's schema, to be looked at.
pub(crate) async fn image(place: &Place, service: &Service) -> Result<Image, Problem> {
    let settings = (service.settings)(None)?;
    let connect = place.connect(service.schema.name, &settings.database)?;
    Ok(Image::open(service.schema, &connect.app).await?)
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
