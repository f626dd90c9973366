//! Databases for tests: one server per test binary, one migrated template per schema, one copy per test.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aex_proto::aex::common::v1::Event;
use aex_store::{
    Connect, Schema, Statement, Store,
    image::Image,
    private::{Options, PrivateServer, Search},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqlSafeStr as _,
    postgres::PgConnectOptions,
};
use tokio::sync::OnceCell;

use crate::Scratch;

/// Connections of one service of one test.
const CONNECTIONS: u32 = 4;
/// How long a test waits for a follower.
const PATIENCE: Duration = Duration::from_secs(20);

/// One service's schema in a database of its own, dropped when the test succeeded.
#[derive(Debug)]
pub struct Database {
    name: String,
    schema: &'static Schema,
    connect: Connect,
}

struct Server {
    private: PrivateServer,
    // It lives as long as the process, like the server in it.
    _folder: Scratch,
    templates: Mutex<HashMap<&'static str, Arc<OnceCell<()>>>>,
    next: std::sync::atomic::AtomicU32,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let folder = Scratch::new();
        let mut options = Options::new(folder.path().join("postgres"), Search::from_env());
        options.durable = false;
        options.template_cache = Some(std::env::temp_dir().join("aex-tests-template"));
        let private = PrivateServer::start(&options).expect("a private PostgreSQL for the tests");
        Server {
            private,
            _folder: folder,
            templates: Mutex::default(),
            next: 0.into(),
        }
    })
}

impl Server {
    fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.private.socket_dir())
            .port(self.private.port())
            .username(role)
            .database(database)
            .disable_statement_logging()
    }

    async fn admin(&self, database: &str) -> PgConnection {
        self.options(self.private.superuser(), database)
            .connect()
            .await
            .expect("the test server answers")
    }
}

impl Database {
    /// A fresh copy of a schema, migrated.
    pub async fn of(schema: &'static Schema) -> Self {
        static TEMPLATES: LazyLock<&'static Server> = LazyLock::new(server);
        let server = tokio::task::spawn_blocking(|| *TEMPLATES)
            .await
            .expect("the server starts");
        let template = {
            let mut templates = server.templates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.entry(schema.name).or_default())
        };
        template.get_or_init(|| migrate(server, schema)).await;
        let number = server.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("{}_{number}", schema.name);
        copy(server, &format!("template_{}", schema.name), &name).await;
        let connect = connect(server, schema, &name);
        Self {
            name,
            schema,
            connect,
        }
    }

    /// How to connect to it.
    pub const fn connect(&self) -> &Connect {
        &self.connect
    }

    /// A connection of the test itself, with the rights of the schema's owner: to hold locks that a service meets.
    pub async fn sql(&self) -> PgConnection {
        let options = self
            .connect
            .owner
            .clone()
            .options([("search_path", self.schema.name)]);
        options.connect().await.expect("the database answers")
    }

    /// The events that the service published and that no relay has taken, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        self.image()
            .await
            .waiting()
            .await
            .expect("the outbox is readable")
    }

    /// Their types.
    pub async fn event_types(&self) -> Vec<String> {
        self.events()
            .await
            .into_iter()
            .map(|event| event.r#type)
            .collect()
    }

    /// Waits until a follower has come so far in the log, and what it published is taken.
    pub async fn has_heard(&self, follower: &str, sequence: usize) {
        let heard = format!(
            "SELECT 1 FROM feed WHERE consumer = '{follower}' AND sequence >= {sequence}
             AND NOT EXISTS (SELECT 1 FROM outbox)"
        );
        let hearing = async {
            while self.execute(&heard).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        let heard = tokio::time::timeout(PATIENCE, hearing).await;
        heard.unwrap_or_else(|_| panic!("{} does not hear of event {sequence}", self.name));
    }

    /// What watchers were told: of which resource, in which version, and the message.
    pub async fn told(&self) -> Vec<(String, i64, Vec<u8>)> {
        let told = "SELECT resource_id::text, version, message FROM watch_log ORDER BY 1, 2";
        let told = sqlx::query_as(told).fetch_all(&mut self.sql().await).await;
        told.expect("the messages are readable")
    }

    /// A statement of the test itself: to damage rows, or to look at them.
    pub async fn execute(&self, sql: &str) -> u64 {
        let result = self.sql().await.execute(AssertSqlSafe(sql.to_owned())).await;
        result.expect("the test's statement is right").rows_affected()
    }

    async fn image(&self) -> Image {
        let image = Image::open(self.schema, &self.connect.owner).await;
        image.expect("the database answers")
    }

    /// Every row of every table that replay rebuilds, as text in a fixed order: equal texts are equal states.
    pub async fn state(&self) -> String {
        self.image().await.text().await.expect("the tables are readable")
    }

    /// Where a rebuilt copy differs from this one, tables and jobs: nowhere, when the replay is right.
    pub async fn differences(&self, rebuilt: &Self) -> Vec<String> {
        let compared = self.image().await.compare(&mut rebuilt.image().await).await;
        let compared = compared.expect("the tables are readable");
        let differences = compared.into_iter().filter_map(|table| {
            let difference = table.difference?;
            Some(format!(
                "{} {}: {}",
                table.table, difference.key, difference.detail
            ))
        });
        differences.collect()
    }

    /// Checks every SQL statement of a crate, and those that all services share, against the migrated schema.
    pub async fn check_statements(&self, package: &str) {
        let mut sql = self.sql().await;
        let mut checked = 0;
        for statement in Statement::of(package).chain(Statement::of("aex-store")) {
            let prepared = sql.prepare(statement.text.into_sql_str()).await;
            assert!(
                prepared.is_ok(),
                "{}: {}\n{:?}",
                statement.module,
                statement.text,
                prepared.err()
            );
            checked += 1;
        }
        assert!(checked > 10, "the statements of {package} are not registered");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (server, name) = (server(), std::mem::take(&mut self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let mut sql = server.admin("postgres").await;
                let _ = sql
                    .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                    .await;
                let _ = sql.close().await;
            });
        });
        let _ = dropped.join();
    }
}

fn connect(server: &Server, schema: &Schema, database: &str) -> Connect {
    Connect {
        owner: server.options(&format!("{}_owner", schema.name), database),
        app: server.options(schema.name, database),
        max_connections: CONNECTIONS,
        acquire: Duration::from_secs(10),
        resumable: aex_kit::config::Database::default().resumable(),
    }
}

async fn migrate(server: &Server, schema: &'static Schema) {
    let name = schema.name;
    let template = format!("template_{name}");
    let mut sql = server.admin("postgres").await;
    for role in [name.to_owned(), format!("{name}_owner")] {
        sql.execute(AssertSqlSafe(format!(
            "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS"
        )))
        .await
        .expect("roles are made once per server");
    }
    sql.execute(AssertSqlSafe(format!(
        "CREATE DATABASE {template} OWNER {name}_owner"
    )))
    .await
    .expect("the template is made once");
    let runtime = aex_kit::Runtime::system();
    Store::open(schema, &connect(server, schema, &template), &runtime)
        .await
        .expect("the migrations apply");
}

async fn copy(server: &Server, template: &str, name: &str) {
    let mut sql = server.admin("postgres").await;
    let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
    // A template cannot be copied while somebody is connected, and a closing connection takes a moment.
    let mut left = 200;
    while let Err(error) = sql.execute(AssertSqlSafe(create.clone())).await {
        left -= 1;
        assert!(left > 0, "{error}");
        tokio::task::yield_now().await;
    }
    let _ = sql.close().await;
}
