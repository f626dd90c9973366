//! What every service is hosted in. A service brings routes and workers; the kit brings the server, the layers that
//! each call passes, peers, clock, tasks, certificates, configuration and telemetry. It knows no database and no
//! business.

pub mod access;
mod answer;
mod call;
mod clock;
pub mod config;
mod guard;
mod host;
mod mesh;
mod places;
pub mod principal;
pub mod probe;
pub mod reload;
mod rpc;
mod runtime;
mod server;
pub mod telemetry;
pub mod tls;
mod trace;

pub use call::{Call, Caller, Peer, Principal, TenantType};
pub use clock::{Clock, ManualClock};
pub use guard::{Guard, time_allowed};
pub use host::{Hosted, Ready, host};
pub use mesh::{Link, Mesh, OnCall, Wire, in_process, remote};
pub use rpc::{Reply, Stream, Watcher, stream, unary};
pub use runtime::{Runtime, Signal};
pub use server::{Front, Listening, ServeError, serve};
pub use trace::{REQUEST_ID, TRACEPARENT, Trace};

/// What a generated server is told to take: a little more than the largest limit of any method, because each method's
/// own limit is the guard's to hold.
pub const LARGEST_MESSAGE: usize = (17 << 18) + 1024;
