//! The signed principal: what the gateway says about a tenant's call, for services to verify.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use aex_types::Timestamp;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{Principal, TenantType};

/// The header that carries it between services. Nothing from outside reaches a service under this name.
pub const HEADER: &str = "x-aex-principal";

/// How long a principal lives; a call that takes longer has passed the guard already.
const LIFETIME: Duration = Duration::from_secs(30);

const TYPE: &str = "aex-principal+jwt";
const ISSUER: &str = "gateway";
const AUDIENCE: &str = "aex-internal";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    tenant_type: TenantType,
    #[serde(default)]
    internal: bool,
    key: String,
    scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the principal key cannot be read: {0}")]
pub struct KeyError(String);

impl KeyError {
    #[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
    fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// The gateway's key.
pub struct PrincipalKey {
    id: String,
    key: EncodingKey,
    public_pem: String,
    private_pem: String,
}

impl std::fmt::Debug for PrincipalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrincipalKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl PrincipalKey {
    /// A key from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::from_signing_key(&SigningKey::from_bytes(seed))
    }

    /// A key from its PEM (PKCS#8).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        use ed25519_dalek::pkcs8::DecodePrivateKey as _;
        Self::from_signing_key(&SigningKey::from_pkcs8_pem(pem).map_err(KeyError::of)?)
    }

    fn from_signing_key(key: &SigningKey) -> Result<Self, KeyError> {
        let private_pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(KeyError::of)?
            .to_string();
        let public_pem = key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(KeyError::of)?;
        Ok(Self {
            id: key_id(&public_pem),
            key: EncodingKey::from_ed_pem(private_pem.as_bytes()).map_err(KeyError::of)?,
            public_pem,
            private_pem,
        })
    }

    /// The public half, as PEM, for the verifiers.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The private half, as PEM, to be kept in a file of mode 0600.
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// Says on whose behalf a call is made, for half a minute.
    pub fn sign(&self, principal: &Principal, now: Timestamp) -> Result<String, KeyError> {
        let seconds = now.unix_micros() / 1_000_000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: principal.tenant.to_string(),
            iat: seconds,
            exp: seconds + i64::try_from(LIFETIME.as_secs()).unwrap_or(0),
            tenant_type: principal.tenant_type,
            internal: principal.internal,
            key: principal.key.to_string(),
            scope: principal.scopes.join(" "),
            provider: principal.provider.map(|provider| provider.to_string()),
        };
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(KeyError::of)
    }
}

/// Tokens whose signatures are remembered.
const MOST_SEEN: usize = 1024;
/// How far the clocks of two machines may be apart, in seconds.
const SKEW: i64 = 5;

/// The keys whose principals a service believes. The gateway shows one token with many calls, so a signature that was
/// found good is not computed again; the time is judged at every call. Clones remember together.
#[derive(Clone, Default)]
pub struct Verifier {
    keys: Arc<RwLock<HashMap<String, DecodingKey>>>,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

/// What a token with a good signature states.
#[derive(Debug, Clone)]
struct Seen {
    principal: Principal,
    issued: i64,
    expires: i64,
}

impl Seen {
    fn is_good_at(&self, seconds: i64) -> bool {
        seconds <= self.expires && self.issued <= seconds + SKEW
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.known().len())
            .finish()
    }
}

impl Verifier {
    /// Believes the keys of these PEMs.
    pub fn new<'a>(public_pems: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyError> {
        Ok(Self {
            keys: Arc::new(RwLock::new(decoded(public_pems)?)),
            seen: Arc::default(),
        })
    }

    /// Believes these keys from now on and no others, in every clone. What the others signed is forgotten.
    pub fn replace<'a>(&self, public_pems: impl IntoIterator<Item = &'a str>) -> Result<(), KeyError> {
        let keys = decoded(public_pems)?;
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *known = keys;
        self.seen().clear();
        Ok(())
    }

    fn known(&self) -> RwLockReadGuard<'_, HashMap<String, DecodingKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The principal that a token states; `None` for every token that is not exactly right.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let seconds = now.unix_micros() / 1_000_000;
        let remembered = self.seen().get(token).cloned();
        if let Some(seen) = remembered {
            return seen.is_good_at(seconds).then_some(seen.principal);
        }
        // Held until the token is remembered: nothing is remembered of a key that was replaced meanwhile.
        let keys = self.known();
        let seen = signed_by(&keys, token)?;
        let principal = seen.is_good_at(seconds).then(|| seen.principal.clone())?;
        let mut all = self.seen();
        if all.len() >= MOST_SEEN {
            all.retain(|_, seen| seen.is_good_at(seconds));
        }
        if all.len() >= MOST_SEEN {
            all.clear();
        }
        all.insert(token.to_owned(), seen);
        Some(principal)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a token states, if one of the keys has signed it, at whatever time.
fn signed_by(keys: &HashMap<String, DecodingKey>, token: &str) -> Option<Seen> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    if header.typ.as_deref() != Some(TYPE) {
        return None;
    }
    let key = keys.get(header.kid.as_deref()?)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    // The runtime's clock decides, at every call.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &rules).ok()?.claims;
    let provider = match claims.provider {
        Some(provider) => Some(provider.parse().ok()?),
        None => None,
    };
    Some(Seen {
        issued: claims.iat,
        expires: claims.exp,
        principal: Principal {
            tenant: claims.sub.parse().ok()?,
            tenant_type: claims.tenant_type,
            internal: claims.internal,
            key: claims.key.parse().ok()?,
            scopes: claims.scope.split_whitespace().map(str::to_owned).collect(),
            provider,
        },
    })
}

fn decoded<'a>(
    public_pems: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, DecodingKey>, KeyError> {
    public_pems
        .into_iter()
        .map(|pem| {
            let key = DecodingKey::from_ed_pem(pem.as_bytes()).map_err(KeyError::of)?;
            Ok((key_id(pem), key))
        })
        .collect()
}

/// The id of a key: the end of its public PEM's base 64, which tells keys apart and says nothing else.
fn key_id(public_pem: &str) -> String {
    let body: String = public_pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let tail = body.len().saturating_sub(16);
    body.get(tail..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal() -> Principal {
        Principal {
            tenant: aex_types::TenantId::from(uuid()),
            tenant_type: TenantType::Both,
            internal: false,
            key: aex_types::KeyId::from(uuid()),
            scopes: vec!["work:*".to_owned(), "bids:read".to_owned()],
            provider: Some(aex_types::ProviderId::from(uuid())),
        }
    }

    fn uuid() -> uuid::Uuid {
        uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)
    }

    #[test]
    fn a_token_that_is_remembered_ends_in_its_time_and_the_memory_is_bounded() {
        let now = Timestamp::from_unix_micros(1_700_000_000_000_000).unwrap();
        let later = |seconds: usize| now.saturating_add(Duration::from_secs(seconds as u64));
        let key = PrincipalKey::from_seed(&[7; 32]).unwrap();
        let verifier = Verifier::new([key.public_pem()]).unwrap();
        let token = key.sign(&principal(), now).unwrap();
        assert_eq!(verifier.verify(&token, now), Some(principal()));
        assert_eq!(verifier.verify(&token, later(30)), Some(principal()));
        assert_eq!(verifier.verify(&token, later(31)), None);
        assert_eq!(
            verifier.verify(&token, now.saturating_sub(Duration::from_secs(6))),
            None
        );
        for second in 0..2 * MOST_SEEN {
            let token = key.sign(&principal(), later(second)).unwrap();
            assert_eq!(verifier.verify(&token, later(second)), Some(principal()));
            assert!(verifier.seen().len() <= MOST_SEEN);
        }
    }

    #[test]
    fn what_a_replaced_key_has_signed_is_forgotten() {
        let now = Timestamp::from_unix_micros(1_700_000_000_000_000).unwrap();
        let (old, new) = (
            PrincipalKey::from_seed(&[7; 32]).unwrap(),
            PrincipalKey::from_seed(&[8; 32]).unwrap(),
        );
        let verifier = Verifier::new([old.public_pem()]).unwrap();
        let token = old.sign(&principal(), now).unwrap();
        assert_eq!(verifier.verify(&token, now), Some(principal()));
        verifier.replace([new.public_pem()]).unwrap();
        assert_eq!(verifier.clone().verify(&token, now), None);
        let token = new.sign(&principal(), now).unwrap();
        assert_eq!(verifier.verify(&token, now), Some(principal()));
    }

    #[test]
    fn a_principal_is_believed_from_its_own_key_and_in_its_time_only() {
        let now = Timestamp::from_unix_micros(1_700_000_000_000_000).unwrap();
        let key = PrincipalKey::from_seed(&[7; 32]).unwrap();
        let stranger = PrincipalKey::from_seed(&[8; 32]).unwrap();
        let verifier = Verifier::new([key.public_pem()]).unwrap();
        let token = key.sign(&principal(), now).unwrap();
        assert_eq!(verifier.verify(&token, now), Some(principal()));
        assert_eq!(
            verifier.verify(&token, now.saturating_add(LIFETIME + Duration::from_secs(1))),
            None
        );
        assert_eq!(
            verifier.verify(&token, now.saturating_sub(Duration::from_mins(1))),
            None
        );
        assert_eq!(
            verifier.verify(&stranger.sign(&principal(), now).unwrap(), now),
            None
        );
        assert_eq!(verifier.verify("", now), None);
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(
                verifier.verify(&changed, now).map(|_| changed != token),
                Some(true),
                "at {position}"
            );
        }
    }
}
