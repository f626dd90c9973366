//! Connections, and what is open on them. A connection goes back to the pool only when nothing is under way on it.

use std::{fmt, io, sync::Arc, time::Duration};

use aex_kit::Runtime;
use bb8::{ErrorSink, ManageConnection, Pool, PooledConnection, QueueStrategy};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions, raw_sql,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Connect, Failure};

/// How long a connection without work is kept: whoever comes after a quiet minute is not to wait for a new one, and for
/// all that it has to learn.
const IDLE: Duration = Duration::from_mins(10);
/// How long what was given up may take to end before its connection is closed.
const REST: Duration = Duration::from_secs(5);

/// How long a new connection may take to be made: longer than anybody waits for it, because a slow one serves those who come
/// later, and not for ever, because who does not answer must not keep its place from those who would.
const CONNECT: Duration = Duration::from_secs(10);

/// The connections of a store.
pub(crate) struct Sessions {
    pool: Pool<Connections>,
    /// One for each connection, given in the order in which they are asked for: the pool itself lets whoever comes first
    /// pass those that wait.
    places: Arc<Semaphore>,
    acquire: Duration,
    runtime: Runtime,
}

impl Sessions {
    /// Of one role; the first connection is made when it is needed.
    pub(crate) fn of(options: PgConnectOptions, connect: &Connect, runtime: &Runtime) -> Self {
        let pool = Pool::builder()
            .max_size(connect.max_connections)
            .connection_timeout(connect.acquire)
            .idle_timeout(IDLE)
            // The one that was used last knows all tables and statements; those that are not needed stay idle and are closed.
            .queue_strategy(QueueStrategy::Lifo)
            // It was well when it was given back. Asking again at each use would be a second way to the database; after a
            // restart of that, each costs its next user a refusal instead.
            .test_on_check_out(false)
            .error_sink(Box::new(Told))
            .build_unchecked(Connections(options));
        Self {
            pool,
            places: Arc::new(Semaphore::new(connect.max_connections as usize)),
            acquire: connect.acquire,
            runtime: runtime.clone(),
        }
    }

    /// Takes a connection, for statements that commit by themselves.
    pub(crate) async fn take(&self) -> Result<Session, Failure> {
        let none = || Failure::Unavailable(sqlx::Error::PoolTimedOut);
        let place = tokio::time::timeout(self.acquire, Arc::clone(&self.places).acquire_owned());
        let place = place.await.map_err(|_| none())?.map_err(|_| none())?;
        let mut held = self.pool.get_owned().await.map_err(|error| match error {
            bb8::RunError::User(error) => Failure::from(error),
            bb8::RunError::TimedOut => none(),
        })?;
        held.state = State::Busy;
        Ok(Session {
            held: Some((held, place)),
            runtime: self.runtime.clone(),
        })
    }

    /// Takes a connection and begins a transaction on it.
    pub(crate) async fn begin(&self, begin: String) -> Result<Session, Failure> {
        let mut session = self.take().await?;
        let connected = session.connected();
        connected.state = State::Open;
        raw_sql(AssertSqlSafe(begin)).execute(&mut connected.sql).await?;
        Ok(session)
    }
}

/// Makes connections.
struct Connections(PgConnectOptions);

/// A connection, and what is under way on it.
struct Connected {
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
        let connected = tokio::time::timeout(CONNECT, self.0.connect());
        let sql = connected
            .await
            .map_err(|_| sqlx::Error::Io(io::ErrorKind::TimedOut.into()))??;
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
    /// With its place, which is given back after it.
    held: Option<(PooledConnection<'static, Connections>, OwnedSemaphorePermit)>,
    runtime: Runtime,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
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
        &mut self.held.as_mut().expect("a session has its connection").0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some((mut held, place)) = self.held.take() else {
            return;
        };
        if held.state == State::Idle {
            return;
        }
        // What does not end in time is closed with its connection, and the database takes it back.
        self.runtime.spawn(async move {
            if let Ok(Ok(())) = tokio::time::timeout(REST, held.end()).await {
                held.state = State::Idle;
            }
            drop((held, place));
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
