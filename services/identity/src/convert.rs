//! The wall between the wire and the domain: requests in, all faults at once; resources and events out, and events in
//! again for replay.

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{common::v1::Event as Stored, identity::v1 as pb};
use aex_store::{Fact, Failure, stored};
use aex_types::Timestamp;

use crate::domain::{
    api_key::{self, ApiKey},
    tenant::{self, Tenant, TenantType},
};

impl TryFrom<&pb::CreateTenantRequest> for tenant::Create {
    type Error = Invalid;

    fn try_from(request: &pb::CreateTenantRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let display_name = check.parse("display_name", &request.display_name);
        let tenant_type = check.choice("type", request.r#type).and_then(tenant_type);
        let contact_email = check.maybe("contact_email", &request.contact_email);
        check.finish(|| {
            Some(Self {
                display_name: display_name?,
                tenant_type: tenant_type?,
                contact_email: contact_email?,
                internal: request.internal,
            })
        })
    }
}

impl TryFrom<&pb::UpdateTenantRequest> for tenant::Update {
    type Error = Invalid;

    fn try_from(request: &pb::UpdateTenantRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let tenant_id = check.parse("tenant_id", &request.tenant_id);
        let mut display_name = Some(None);
        let mut contact_email = Some(None);
        for path in request.update_mask.iter().flat_map(|mask| &mask.paths) {
            match path.as_str() {
                "display_name" => display_name = check.parse("display_name", &request.display_name).map(Some),
                "contact_email" => {
                    contact_email = check.maybe("contact_email", &request.contact_email).map(Some);
                }
                _ => check.note("update_mask", "may name `display_name` and `contact_email`"),
            }
        }
        check.finish(|| {
            Some(Self {
                tenant_id: tenant_id?,
                display_name: display_name?,
                contact_email: contact_email?,
            })
        })
    }
}

impl TryFrom<&pb::SuspendTenantRequest> for tenant::Suspend {
    type Error = Invalid;

    fn try_from(request: &pb::SuspendTenantRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let tenant_id = check.parse("tenant_id", &request.tenant_id);
        let reason = check.parse("reason", &request.reason);
        check.finish(|| {
            Some(Self {
                tenant_id: tenant_id?,
                reason: reason?,
            })
        })
    }
}

impl TryFrom<&pb::ActivateTenantRequest> for tenant::Activate {
    type Error = Invalid;

    fn try_from(request: &pb::ActivateTenantRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let tenant_id = check.parse("tenant_id", &request.tenant_id);
        check.finish(|| {
            Some(Self {
                tenant_id: tenant_id?,
            })
        })
    }
}

impl TryFrom<&pb::TerminateTenantRequest> for tenant::Terminate {
    type Error = Invalid;

    fn try_from(request: &pb::TerminateTenantRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let tenant_id = check.parse("tenant_id", &request.tenant_id);
        let reason = check.parse("reason", &request.reason);
        check.finish(|| {
            Some(Self {
                tenant_id: tenant_id?,
                reason: reason?,
            })
        })
    }
}

impl TryFrom<&pb::CreateApiKeyRequest> for api_key::Create {
    type Error = Invalid;

    fn try_from(request: &pb::CreateApiKeyRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let display_name = check.parse("display_name", &request.display_name);
        let scopes = check.parse_all("scopes", &request.scopes);
        let provider_id = check.maybe("provider_id", &request.provider_id);
        let expire_time = check.maybe_time("expire_time", request.expire_time.as_ref());
        check.finish(|| {
            Some(Self {
                display_name: display_name?,
                scopes: scopes?,
                provider_id: provider_id?,
                expire_time: expire_time?,
            })
        })
    }
}

const fn tenant_type(wire: pb::TenantType) -> Option<TenantType> {
    match wire {
        pb::TenantType::Unspecified => None,
        pb::TenantType::Requestor => Some(TenantType::Requestor),
        pb::TenantType::Provider => Some(TenantType::Provider),
        pb::TenantType::Both => Some(TenantType::Both),
    }
}

pub(crate) const fn tenant_type_out(tenant_type: TenantType) -> pb::TenantType {
    match tenant_type {
        TenantType::Requestor => pb::TenantType::Requestor,
        TenantType::Provider => pb::TenantType::Provider,
        TenantType::Both => pb::TenantType::Both,
    }
}

impl From<Tenant> for pb::Tenant {
    fn from(tenant: Tenant) -> Self {
        let (status, suspension_reason) = match tenant.status {
            tenant::Status::Active => (pb::TenantStatus::Active, String::new()),
            tenant::Status::Suspended { reason } => (pb::TenantStatus::Suspended, reason.into()),
            tenant::Status::Terminated { .. } => (pb::TenantStatus::Terminated, String::new()),
        };
        Self {
            tenant_id: tenant.id.to_string(),
            display_name: tenant.display_name.into(),
            r#type: tenant_type_out(tenant.tenant_type).into(),
            status: status.into(),
            contact_email: tenant.contact_email.map(String::from).unwrap_or_default(),
            suspension_reason,
            internal: tenant.internal,
            create_time: Some(wire::time(tenant.create_time)),
            update_time: Some(wire::time(tenant.update_time)),
        }
    }
}

impl From<api_key::Status> for pb::ApiKeyStatus {
    fn from(status: api_key::Status) -> Self {
        match status {
            api_key::Status::Active => Self::Active,
            api_key::Status::Revoked => Self::Revoked,
            api_key::Status::Expired => Self::Expired,
        }
    }
}

/// A key as it stands at a moment, without its secret.
pub(crate) fn api_key(key: ApiKey, now: Timestamp) -> pb::ApiKey {
    pb::ApiKey {
        status: pb::ApiKeyStatus::from(key.status(now)).into(),
        key_id: key.id.to_string(),
        tenant_id: key.tenant_id.to_string(),
        display_name: key.display_name.into(),
        prefix: key.prefix,
        scopes: wire::texts(&key.scopes),
        provider_id: wire::text(key.provider_id),
        create_time: Some(wire::time(key.create_time)),
        expire_time: key.expire_time.map(wire::time),
        revoke_time: key.revoke_time.map(wire::time),
    }
}

impl From<&tenant::Event> for Fact {
    fn from(event: &tenant::Event) -> Self {
        use tenant::Change;
        let tenant_id = event.tenant_id.to_string();
        let at = (event.tenant_id, event.version, event.time);
        let fact = match event.change.clone() {
            Change::Created {
                display_name,
                tenant_type,
                contact_email,
                internal,
            } => Fact::new(
                "tenant.created",
                at,
                &pb::TenantCreated {
                    tenant_id,
                    display_name: display_name.into(),
                    r#type: tenant_type_out(tenant_type).into(),
                    contact_email: contact_email.map(String::from).unwrap_or_default(),
                    internal,
                },
            ),
            Change::Updated {
                display_name,
                contact_email,
            } => Fact::new(
                "tenant.updated",
                at,
                &pb::TenantUpdated {
                    tenant_id,
                    display_name: display_name.into(),
                    contact_email: contact_email.map(String::from).unwrap_or_default(),
                },
            ),
            Change::Suspended { reason } => Fact::new(
                "tenant.suspended",
                at,
                &pb::TenantSuspended {
                    tenant_id,
                    reason: reason.into(),
                },
            ),
            Change::Activated => Fact::new("tenant.activated", at, &pb::TenantActivated { tenant_id }),
            Change::Terminated { reason } => Fact::new(
                "tenant.terminated",
                at,
                &pb::TenantTerminated {
                    tenant_id,
                    reason: reason.into(),
                },
            ),
        };
        fact.visible_to([event.tenant_id])
    }
}

impl From<&api_key::Event> for Fact {
    fn from(event: &api_key::Event) -> Self {
        use api_key::Change;
        let (key_id, tenant_id) = (event.key_id.to_string(), event.tenant_id.to_string());
        let at = (event.key_id, event.version, event.time);
        let fact = match event.change.clone() {
            Change::Created {
                display_name,
                prefix,
                scopes,
                provider_id,
                expire_time,
            } => Fact::new(
                "apikey.created",
                at,
                &pb::ApiKeyCreated {
                    key_id,
                    tenant_id,
                    display_name: display_name.into(),
                    prefix,
                    scopes: wire::texts(&scopes),
                    provider_id: wire::text(provider_id),
                    expire_time: expire_time.map(wire::time),
                },
            ),
            Change::Revoked { prefix } => Fact::new(
                "apikey.revoked",
                at,
                &pb::ApiKeyRevoked {
                    key_id,
                    tenant_id,
                    prefix,
                },
            ),
        };
        fact.visible_to([event.tenant_id])
    }
}

/// An event of identity, as the ledger kept it.
#[derive(Debug)]
pub(crate) enum Replayed {
    Tenant(tenant::Event),
    ApiKey(api_key::Event),
}

impl TryFrom<&Stored> for Replayed {
    type Error = Failure;

    fn try_from(stored: &Stored) -> Result<Self, Failure> {
        let time = stored::occurred(stored).ok_or_else(|| stored::unreadable(stored))?;
        let version = stored.aggregate_version;
        let tenant = |tenant_id: &str, change: Option<tenant::Change>| {
            let event = tenant::Event {
                tenant_id: tenant_id.parse().ok()?,
                version,
                time,
                change: change?,
            };
            Some(Self::Tenant(event))
        };
        let key = |key_id: &str, tenant_id: &str, change: Option<api_key::Change>| {
            let (key_id, tenant_id) = (key_id.parse().ok()?, tenant_id.parse().ok()?);
            Some(Self::ApiKey(api_key::Event {
                key_id,
                tenant_id,
                version,
                time,
                change: change?,
            }))
        };
        let read =
            match stored.r#type.as_str() {
                "tenant.created" => stored::payload::<pb::TenantCreated>(stored)
                    .and_then(|p| tenant(&p.tenant_id, created(&p))),
                "tenant.updated" => stored::payload::<pb::TenantUpdated>(stored)
                    .and_then(|p| tenant(&p.tenant_id, updated(&p))),
                "tenant.suspended" => stored::payload::<pb::TenantSuspended>(stored).and_then(|p| {
                    tenant(
                        &p.tenant_id,
                        p.reason
                            .parse()
                            .ok()
                            .map(|reason| tenant::Change::Suspended { reason }),
                    )
                }),
                "tenant.activated" => stored::payload::<pb::TenantActivated>(stored)
                    .and_then(|p| tenant(&p.tenant_id, Some(tenant::Change::Activated))),
                "tenant.terminated" => stored::payload::<pb::TenantTerminated>(stored).and_then(|p| {
                    tenant(
                        &p.tenant_id,
                        p.reason
                            .parse()
                            .ok()
                            .map(|reason| tenant::Change::Terminated { reason }),
                    )
                }),
                "apikey.created" => stored::payload::<pb::ApiKeyCreated>(stored)
                    .and_then(|p| key(&p.key_id, &p.tenant_id, key_created(&p))),
                "apikey.revoked" => stored::payload::<pb::ApiKeyRevoked>(stored).and_then(|p| {
                    key(
                        &p.key_id,
                        &p.tenant_id,
                        Some(api_key::Change::Revoked {
                            prefix: p.prefix.clone(),
                        }),
                    )
                }),
                _ => None,
            };
        read.ok_or_else(|| stored::unreadable(stored))
    }
}

fn created(payload: &pb::TenantCreated) -> Option<tenant::Change> {
    Some(tenant::Change::Created {
        display_name: payload.display_name.parse().ok()?,
        tenant_type: tenant_type(payload.r#type())?,
        contact_email: wire::maybe(&payload.contact_email)?,
        internal: payload.internal,
    })
}

fn updated(payload: &pb::TenantUpdated) -> Option<tenant::Change> {
    Some(tenant::Change::Updated {
        display_name: payload.display_name.parse().ok()?,
        contact_email: wire::maybe(&payload.contact_email)?,
    })
}

fn key_created(payload: &pb::ApiKeyCreated) -> Option<api_key::Change> {
    Some(api_key::Change::Created {
        display_name: payload.display_name.parse().ok()?,
        prefix: payload.prefix.clone(),
        scopes: wire::read_texts(&payload.scopes)?,
        provider_id: wire::maybe(&payload.provider_id)?,
        expire_time: wire::maybe_of(payload.expire_time.as_ref(), wire::read_time)?,
    })
}
