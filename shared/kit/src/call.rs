//! One admitted call, and who makes it.

use std::{sync::Arc, time::Duration};

use aex_error::Denied;
use aex_types::{Id, KeyId, ProviderId, TenantId, Timestamp, id::Named};
use tokio::time::Instant;

use crate::{Runtime, access::Method, places::Place, trace};

/// Who is at the other end of the connection: the certificate says so, or the in-process link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A service of the exchange.
    Service(String),
    /// An operator.
    Operator(String),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(name) => write!(f, "svc/{name}"),
            Self::Operator(name) => write!(f, "operator/{name}"),
        }
    }
}

/// What a tenant does on the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantType {
    /// Buys.
    Requestor,
    /// Sells.
    Provider,
    /// Both.
    Both,
}

/// On whose behalf a call is made: signed by the gateway, verified by the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The tenant.
    pub tenant: TenantId,
    /// What it does here.
    pub tenant_type: TenantType,
    /// Belongs to the exchange's own house.
    pub internal: bool,
    /// The key that opened the door.
    pub key: KeyId,
    /// What the key may do.
    pub scopes: Vec<String>,
    /// The provider that the key is bound to.
    pub provider: Option<ProviderId>,
}

impl Principal {
    /// Does one of its scopes cover one of these? `work:*` covers `work:read`, `*` covers all.
    pub fn has_scope(&self, needed: &[String]) -> bool {
        needed.is_empty() || needed.iter().any(|need| covers(&self.scopes, need))
    }
}

/// Does one of the scopes held cover the one needed?
pub(crate) fn covers(held: &[String], needed: &str) -> bool {
    held.iter().any(|held| {
        held == "*"
            || held == needed
            || held.strip_suffix(":*").is_some_and(|area| {
                needed
                    .strip_prefix(area)
                    .is_some_and(|rest| rest.starts_with(':'))
            })
    })
}

/// The caller of one call: exactly one of these, made by the guard from peer, principal and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Anyone.
    Public,
    /// A tenant.
    Tenant(Principal),
    /// An operator of the exchange.
    Operator(String),
    /// A service of the exchange, or this service's own worker.
    Service(String),
}

/// What the guard knows of a call when it lets it in.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) runtime: Runtime,
    pub(crate) service: &'static str,
    pub(crate) method: Arc<Method>,
    pub(crate) caller: Caller,
    pub(crate) request_id: Arc<str>,
    pub(crate) traceparent: Arc<str>,
    pub(crate) deadline: Instant,
    #[expect(dead_code, reason = "held, not read: it is given back when the call ends")]
    pub(crate) place: Option<Arc<Place>>,
}

/// One admitted call. It is not `Clone`: a transaction borrows it mutably and a peer's client borrows it, so a call to
/// a peer while a transaction is open does not compile.
#[derive(Debug)]
pub struct Call(Admitted);

impl Call {
    pub(crate) const fn new(admitted: Admitted) -> Self {
        Self(admitted)
    }

    /// A call that a service makes by itself, from a worker. `method` names the work: it is a scope of idempotency
    /// keys and a word in logs.
    pub fn own(runtime: &Runtime, service: &'static str, method: &str, time: Duration) -> Self {
        let request_id: Id<aex_types::id::kind::Event> = runtime.id();
        let method = Method {
            path: String::new(),
            name: format!("{service}/{method}"),
            audience: Vec::new(),
            scopes: Vec::new(),
            callers: Vec::new(),
            max_message_bytes: 0,
            deadline: time,
            is_repeatable: true,
            is_query: false,
            is_watch: false,
        };
        Self(Admitted {
            runtime: runtime.clone(),
            service,
            method: Arc::new(method),
            caller: Caller::Service(service.to_owned()),
            request_id: request_id.to_string().into(),
            traceparent: trace::traceparent(None, runtime),
            deadline: instant() + time,
            place: None,
        })
    }

    /// The same call with a new share of time: for a watch's next round, or a worker's next attempt.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let mut admitted = self.0.clone();
        admitted.deadline = instant() + admitted.method.deadline;
        Self(admitted)
    }

    /// Who calls.
    pub const fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The tenant that calls; anyone else is not of the audience.
    pub const fn principal(&self) -> Result<&Principal, Denied> {
        match &self.0.caller {
            Caller::Tenant(principal) => Ok(principal),
            _ => Err(Denied::Audience),
        }
    }

    /// May this caller see what belongs to a tenant? Services and operators may; a tenant sees itself.
    pub fn may_see(&self, tenant: TenantId) -> bool {
        match &self.0.caller {
            Caller::Public => false,
            Caller::Tenant(principal) => principal.tenant == tenant,
            Caller::Operator(_) | Caller::Service(_) => true,
        }
    }

    /// Who calls, as a scope of idempotency keys: the tenant, else the service, else the operator.
    pub fn scope(&self) -> String {
        match &self.0.caller {
            Caller::Public => "public".to_owned(),
            Caller::Tenant(principal) => principal.tenant.to_string(),
            Caller::Operator(name) => format!("operator/{name}"),
            Caller::Service(name) => name.clone(),
        }
    }

    /// The service that is called.
    pub const fn service(&self) -> &'static str {
        self.0.service
    }

    /// The method's full name.
    pub fn method(&self) -> &str {
        &self.0.method.name
    }

    /// The id that the call is known by in logs and answers.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The W3C trace context of the call: its own place in its caller's trace.
    pub fn traceparent(&self) -> &str {
        &self.0.traceparent
    }

    /// How long the call may still take.
    pub fn time_left(&self) -> Duration {
        self.0.deadline.saturating_duration_since(instant())
    }

    /// The runtime's time.
    pub fn now(&self) -> Timestamp {
        self.0.runtime.now()
    }

    /// A new id.
    pub fn id<T: Named>(&self) -> Id<T> {
        self.0.runtime.id()
    }

    /// The runtime.
    pub const fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }
}

/// Deadlines are spans of real time, whatever the runtime's clock says.
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_wildcard_covers_its_own_area_only() {
        let held = ["work:*".to_owned(), "bids:read".to_owned()];
        assert!(covers(&held, "work:read") && covers(&held, "work:write") && covers(&held, "bids:read"));
        assert!(!covers(&held, "bids:write") && !covers(&held, "worker:read") && !covers(&held, "work"));
        assert!(covers(&["*".to_owned()], "keys:write"));
        assert!(!covers(&[], "work:read"));
    }
}
