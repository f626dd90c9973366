//! Opens a service's schema: migrations as the owner, then a pool as the role that may only read and write rows.

use std::{sync::Arc, time::Duration};

use aex_kit::Runtime;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    migrate::{Migrate as _, MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use crate::{Store, session::Sessions, transact::Inner};

/// A service's schema, as its crate states it.
#[derive(Debug)]
pub struct Schema {
    /// The name of the schema and of its role: the service's, with underscores.
    pub name: &'static str,
    /// The service's migrations, forward only.
    pub migrations: Migrator,
    /// Keeps idempotency keys for ever: where money moves.
    pub keeps_keys: bool,
    /// Tables that replay does not rebuild, because they hold what no event may carry, or nothing at all.
    pub not_replayed: &'static [&'static str],
    /// Kinds of jobs that a replay sets although they may be done, or may have moved on: no event says that they are.
    /// Doing them again changes nothing.
    pub set_again: &'static [&'static str],
    /// Kinds of jobs that are set by what a follower hears and by no state of this schema. They come back when the
    /// follower hears it again, or from a backup with its position.
    pub set_by_feed: &'static [&'static str],
}

static SHARED: Migrator = sqlx::migrate!("./migrations");

/// How to connect to one service's schema.
#[derive(Debug, Clone)]
pub struct Connect {
    /// As the role that migrates.
    pub owner: PgConnectOptions,
    /// As the role that reads and writes rows.
    pub app: PgConnectOptions,
    /// The most connections.
    pub max_connections: u32,
    /// The longest that a transaction waits for a connection.
    pub acquire: Duration,
    /// How long what watchers were told is kept, so that they can resume.
    pub resumable: Duration,
}

/// A schema that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be reached, or refuses the role.
    #[error("schema {schema}: {source}")]
    Database {
        /// Which one.
        schema: &'static str,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// A migration does not apply.
    #[error("schema {schema}: {source}")]
    Migration {
        /// Which one.
        schema: &'static str,
        /// Why not.
        #[source]
        source: MigrateError,
    },
}

impl Store {
    /// Migrates the schema and opens the pool.
    pub async fn open(
        schema: &'static Schema,
        connect: &Connect,
        runtime: &Runtime,
    ) -> Result<Self, OpenError> {
        migrate(schema, connect).await?;
        Ok(Self::attach(schema, connect, runtime))
    }

    /// Opens the pool on a schema that is migrated already. Connects at the first transaction.
    pub fn attach(schema: &'static Schema, connect: &Connect, runtime: &Runtime) -> Self {
        let options = in_schema(connect.app.clone(), schema.name).options([LONGEST_STATEMENT]);
        let sessions = Sessions::of(options, connect, runtime);
        Self(Arc::new(Inner::new(sessions, schema, connect, runtime.clone())))
    }
}

/// Statements name rows by their keys, so one plan fits all values; planning anew for each of them is a sixth of what the
/// database does. Reads that filter and page ask for plans of their own. A plan is made while a table is young and small,
/// and must not be one that reads all of it: with storage as it is today, a page by its key costs hardly more than the
/// next one.
const PLANNING: [(&str, &str); 2] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("random_page_cost", "1.1"),
];

/// No statement works on for a caller who has left long ago. Transactions narrow it down to the time of their call.
const LONGEST_STATEMENT: (&str, &str) = ("statement_timeout", "30s");

/// SQL never names a schema: the connection does.
pub(crate) fn in_schema(options: PgConnectOptions, schema: &str) -> PgConnectOptions {
    options
        .options(PLANNING)
        .options([("search_path", schema)])
        .log_statements(tracing::log::LevelFilter::Trace)
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
}

/// Brings the schema up to date. An older replica ignores the migrations of a newer one, so both can run.
async fn migrate(schema: &'static Schema, connect: &Connect) -> Result<(), OpenError> {
    let name = schema.name;
    let failed = |source| OpenError::Database { schema: name, source };
    let unapplied = |source| OpenError::Migration { schema: name, source };
    let mut connection = in_schema(connect.owner.clone(), name)
        // Waiting while another migrates is not slowness.
        .log_slow_statements(tracing::log::LevelFilter::Trace, Duration::from_mins(1))
        .connect()
        .await
        .map_err(failed)?;
    // Replicas that start together make schema and grants one after the other, too, not only what the migrator locks.
    connection.lock().await.map_err(unapplied)?;
    // Asked first, because the role of a managed database may not create what already exists.
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if !exists {
        connection
            .execute(AssertSqlSafe(format!("CREATE SCHEMA {name}")))
            .await
            .map_err(failed)?;
    }
    for (migrations, table) in [(&SHARED, "shared_migration"), (&schema.migrations, "migration")] {
        let mut migrations = Migrator {
            migrations: migrations.migrations.clone(),
            ..Migrator::DEFAULT
        };
        migrations.dangerous_set_table_name(table);
        migrations.set_ignore_missing(true);
        migrations.run(&mut connection).await.map_err(unapplied)?;
    }
    let app = connect.app.get_username();
    if app != connect.owner.get_username() {
        let grants = format!(
            "GRANT USAGE ON SCHEMA {name} TO {app}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {app}; \
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO {app}"
        );
        connection.execute(AssertSqlSafe(grants)).await.map_err(failed)?;
    }
    // The lock goes with its connection.
    connection.close().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgSslMode;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// What a client sends that wants TLS.
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

    #[tokio::test]
    async fn a_database_that_is_to_be_reached_over_tls_is_asked_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 8];
            socket.read_exact(&mut request).await.unwrap();
            socket.write_all(b"N").await.unwrap();
            request
        };
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .ssl_mode(PgSslMode::Require);
        let (request, connected) = tokio::join!(server, options.connect());
        assert_eq!(request, SSL_REQUEST);
        let refused = connected.unwrap_err().to_string();
        assert!(refused.contains("does not support TLS"), "{refused}");
    }
}
