//! Connections, and what is open on them. A connection goes back to the pool only when nothing is under way on it.

use std::{fmt, time::Duration};

use aex_kit::Runtime;
use bb8::{ErrorSink, ManageConnection, Pool, PooledConnection, QueueStrategy};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions, raw_sql,
};

use crate::{Connect, Failure};

/// How long a connection without work is kept: whoever comes after a quiet minute is not to wait for a new one, and for
/// all that it has to learn.
const IDLE: Duration = Duration::from_mins(10);
/// How long what was given up may take to end before its connection is closed.
const REST: Duration = Duration::from_secs(5);

/// The connections of a store. The first is made when it is needed.
pub(crate) fn pool(options: PgConnectOptions, connect: &Connect) -> Pool<Connections> {
    Pool::builder()
        .max_size(connect.max_connections)
        .connection_timeout(connect.acquire)
        .idle_timeout(IDLE)
        // The one that was used last knows all tables and statements; those that are not needed stay idle and are closed.
        .queue_strategy(QueueStrategy::Lifo)
        // A connection that is given back is known to be well; asking it again at each use would be a second way to the database.
        .test_on_check_out(false)
        .error_sink(Box::new(Told))
        .build_unchecked(Connections(options))
}

/// Makes connections.
pub(crate) struct Connections(PgConnectOptions);

/// A connection, and what is under way on it.
pub(crate) struct Connected {
    sql: PgConnection,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing: others may have it.
    Idle,
    /// Perhaps a statement that nobody waits for.
    Busy,
    /// A transaction.
    Open,
}

impl ManageConnection for Connections {
    type Connection = Connected;
    type Error = sqlx::Error;

    async fn connect(&self) -> Result<Connected, sqlx::Error> {
        let sql = self.0.connect().await?;
        Ok(Connected {
            sql,
            state: State::Idle,
        })
    }

    async fn is_valid(&self, connected: &mut Connected) -> Result<(), sqlx::Error> {
        connected.sql.ping().await
    }

    fn has_broken(&self, connected: &mut Connected) -> bool {
        connected.state != State::Idle
    }
}

/// Why there is no connection is told once, not to each who waits for one.
#[derive(Debug)]
struct Told;

impl ErrorSink<sqlx::Error> for Told {
    fn sink(&self, error: sqlx::Error) {
        tracing::warn!(%error, "cannot connect to the database");
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<sqlx::Error>> {
        Box::new(Self)
    }
}

/// A connection in use. Whoever lets go of it in the middle of something leaves that to be ended by a task.
pub(crate) struct Session {
    held: Option<PooledConnection<'static, Connections>>,
    runtime: Runtime,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Takes a connection, for statements that commit by themselves.
    pub(crate) async fn take(pool: &Pool<Connections>, runtime: &Runtime) -> Result<Self, Failure> {
        let mut held = pool.get_owned().await.map_err(|error| match error {
            bb8::RunError::User(error) => Failure::from(error),
            bb8::RunError::TimedOut => Failure::Unavailable(sqlx::Error::PoolTimedOut),
        })?;
        held.state = State::Busy;
        Ok(Self {
            held: Some(held),
            runtime: runtime.clone(),
        })
    }

    /// Takes a connection and begins a transaction on it.
    pub(crate) async fn begin(
        pool: &Pool<Connections>,
        runtime: &Runtime,
        begin: String,
    ) -> Result<Self, Failure> {
        let mut session = Self::take(pool, runtime).await?;
        let connected = session.connected();
        connected.state = State::Open;
        raw_sql(AssertSqlSafe(begin)).execute(&mut connected.sql).await?;
        Ok(session)
    }

    /// The connection.
    pub(crate) fn sql(&mut self) -> &mut PgConnection {
        &mut self.connected().sql
    }

    /// Commits the transaction and gives the connection back.
    pub(crate) async fn commit(mut self) -> Result<(), Failure> {
        raw_sql("COMMIT").execute(self.sql()).await?;
        self.release();
        Ok(())
    }

    /// Gives the connection back: every statement on it was waited for, and none of them failed.
    pub(crate) fn release(mut self) {
        self.connected().state = State::Idle;
    }

    #[expect(clippy::expect_used, reason = "only the drop takes the connection away")]
    fn connected(&mut self) -> &mut Connected {
        self.held.as_mut().expect("a session has its connection")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        if held.state == State::Idle {
            return;
        }
        // What does not end in time is closed with its connection, and the database takes it back.
        self.runtime.spawn(async move {
            if let Ok(Ok(())) = tokio::time::timeout(REST, held.end()).await {
                held.state = State::Idle;
            }
        });
    }
}

impl Connected {
    /// Waits until nothing is under way any more, and takes an open transaction back.
    async fn end(&mut self) -> Result<(), sqlx::Error> {
        match self.state {
            State::Idle => Ok(()),
            State::Busy => self.sql.ping().await,
            State::Open => raw_sql("ROLLBACK").execute(&mut self.sql).await.map(drop),
        }
    }
}
