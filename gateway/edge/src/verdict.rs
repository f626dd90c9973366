//! What a key is worth: asked of identity, and believed for half a second from the moment the question was put.

use std::{fmt, sync::Arc, time::Duration};

use aex_error::{Denied, wire};
use aex_kit::{
    Call, Link, Mesh, Principal, Runtime, TenantType,
    principal::{KeyError, PrincipalKey},
};
use aex_proto::aex::identity::v1::{self as pb, KeyVerdict, identity_service_client::IdentityServiceClient};
use aex_types::Timestamp;
use http::{HeaderMap, HeaderValue, header};
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::{NAME, error::Refusal};

/// How long a verdict is believed, from the start of the look-up.
pub(crate) const LIFETIME: Duration = Duration::from_millis(500);
/// How long identity may take to answer; with that, a key that was taken back opens nothing after one second.
const LOOK_UP: Duration = Duration::from_millis(900);
/// Keys whose verdicts are remembered.
const MOST: u64 = 10_000;
/// The longest credential that identity is asked about.
const LONGEST: usize = 256;
const KEY_PREFIX: &str = "aex_";

/// What a caller showed, in a form that may be kept.
#[derive(Clone)]
pub(crate) struct Credential {
    hash: [u8; 32],
    secret: Arc<str>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

/// One answer of identity.
#[derive(Debug)]
pub(crate) struct Verdict {
    asked: Instant,
    asked_at: Timestamp,
    worth: Worth,
}

#[derive(Debug)]
enum Worth {
    Good {
        principal: HeaderValue,
        expire_time: Option<Timestamp>,
    },
    Refused(Denied),
    Unknown,
}

impl Verdict {
    /// The signed principal, for the service.
    pub(crate) fn principal(&self, now: Timestamp) -> Result<HeaderValue, Refusal> {
        match &self.worth {
            Worth::Good {
                expire_time: Some(end),
                ..
            } if *end <= now => Err(Denied::CredentialInvalid.into()),
            Worth::Good { principal, .. } => Ok(principal.clone()),
            Worth::Refused(denied) => Err(denied.clone().into()),
            Worth::Unknown => Err(Refusal::IdentityAway),
        }
    }

    /// When it stops being believed.
    pub(crate) fn ends(&self) -> Instant {
        self.asked + LIFETIME
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        Instant::now() < self.ends()
            && now.since(self.asked_at) < LIFETIME
            && !matches!(self.worth, Worth::Unknown)
    }
}

/// Asks identity, and remembers for a little while.
pub(crate) struct Verdicts {
    runtime: Runtime,
    identity: Link,
    signer: PrincipalKey,
    // Keys are kept under hashes that mean nothing outside this process.
    salt: [u8; 32],
    known: Cache<[u8; 32], Arc<Verdict>>,
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdicts").finish_non_exhaustive()
    }
}

impl Verdicts {
    pub(crate) fn new(signer: PrincipalKey, mesh: &Mesh, runtime: &Runtime) -> Self {
        Self {
            runtime: runtime.clone(),
            identity: mesh.link(NAME, "identity"),
            signer,
            salt: runtime.with_rng(|rng| {
                let mut salt = [0; 32];
                rand::Rng::fill_bytes(rng, &mut salt);
                salt
            }),
            known: Cache::builder().max_capacity(MOST).time_to_live(LIFETIME).build(),
        }
    }

    /// The credential of a request: none, one, or something that is none.
    pub(crate) fn credential(&self, headers: &HeaderMap) -> Result<Option<Credential>, Denied> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = given.next() else {
            return Ok(None);
        };
        let secret = value
            .to_str()
            .ok()
            .filter(|_| given.next().is_none())
            .and_then(bearer)
            .ok_or(Denied::CredentialInvalid)?;
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(secret.as_bytes());
        Ok(Some(Credential {
            hash: hash.finalize().into(),
            secret: secret.into(),
        }))
    }

    /// What a credential is worth now: a remembered verdict, or a new one. Whoever asks while the same question is
    /// under way waits for its answer, which counts if the question was put after they came or is fresh still.
    pub(crate) async fn of(&self, credential: &Credential) -> Arc<Verdict> {
        let came = Instant::now();
        loop {
            let is_stale = |known: &Arc<Verdict>| !known.is_fresh(self.runtime.now()) && known.asked < came;
            let entry = self
                .known
                .entry_by_ref(&credential.hash)
                .or_insert_with_if(self.look_up(credential), is_stale)
                .await;
            let verdict = entry.into_value();
            if !is_stale(&verdict) {
                return verdict;
            }
        }
    }

    async fn look_up(&self, credential: &Credential) -> Arc<Verdict> {
        let (asked, asked_at) = (Instant::now(), self.runtime.now());
        let call = Call::own(&self.runtime, NAME, "VerifyApiKey", LOOK_UP);
        let request = pb::VerifyApiKeyRequest {
            secret: credential.secret.to_string(),
        };
        let mut identity = IdentityServiceClient::new(self.identity.on(&call));
        let worth = match identity.verify_api_key(request).await {
            Ok(reply) => self.worth(&reply.into_inner(), asked_at),
            Err(status) => {
                tracing::warn!(code = ?status.code(), "identity cannot be asked about a key");
                Worth::Unknown
            }
        };
        Arc::new(Verdict {
            asked,
            asked_at,
            worth,
        })
    }

    fn worth(&self, reply: &pb::VerifyApiKeyResponse, now: Timestamp) -> Worth {
        match reply.verdict() {
            KeyVerdict::Valid => {}
            KeyVerdict::TenantNotActive => return Worth::Refused(Denied::TenantSuspended),
            KeyVerdict::Unknown | KeyVerdict::Revoked | KeyVerdict::Expired => {
                return Worth::Refused(Denied::CredentialInvalid);
            }
            KeyVerdict::Unspecified => return Worth::Unknown,
        }
        let signed = principal(reply).map(|principal| signed(&self.signer, &principal, now));
        let Some(Ok(principal)) = signed else {
            tracing::error!("identity's verdict cannot be signed");
            return Worth::Unknown;
        };
        Worth::Good {
            principal,
            expire_time: reply.expire_time.as_ref().and_then(wire::read_time),
        }
    }
}

fn signed(signer: &PrincipalKey, principal: &Principal, now: Timestamp) -> Result<HeaderValue, KeyError> {
    let token = signer.sign(principal, now)?;
    // A token is base 64 and dots, which a header takes.
    let mut value = HeaderValue::try_from(token).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    Ok(value)
}

fn principal(reply: &pb::VerifyApiKeyResponse) -> Option<Principal> {
    let tenant_type = match reply.tenant_type() {
        pb::TenantType::Requestor => TenantType::Requestor,
        pb::TenantType::Provider => TenantType::Provider,
        pb::TenantType::Both => TenantType::Both,
        pb::TenantType::Unspecified => return None,
    };
    let provider = match reply.provider_id.as_str() {
        "" => None,
        id => Some(id.parse().ok()?),
    };
    Some(Principal {
        tenant: reply.tenant_id.parse().ok()?,
        tenant_type,
        internal: reply.internal,
        key: reply.key_id.parse().ok()?,
        scopes: reply.scopes.clone(),
        provider,
    })
}

/// The key in `Bearer aex_…`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    let is_key = scheme.eq_ignore_ascii_case("bearer")
        && secret.len() <= LONGEST
        && secret.starts_with(KEY_PREFIX)
        && secret.bytes().all(|byte| byte.is_ascii_graphic());
    is_key.then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn a_bearer_credential_is_one_word_that_looks_like_a_key() {
        assert_eq!(bearer("Bearer aex_test_1"), Some("aex_test_1"));
        assert_eq!(bearer("bearer aex_test_1"), Some("aex_test_1"));
        let long = format!("Bearer aex_{}", "a".repeat(300));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "aex_test_1",
            "Basic aex_test_1",
            "Bearer  aex_test_1",
            "Bearer aex_test_1 more",
            "Bearer sk_1",
            &long,
        ] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
    }
}
