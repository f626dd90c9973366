//! Contract tokens: by them the two parties know each other on their direct leg. A token is made of the contract alone,
//! so that asking again gives the same one and none is stored.

use aex_types::{ContractId, TenantId, Timestamp};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The type of the token, which tells it from every other.
const TYPE: &str = "aex-contract+jwt";
/// Who signs it.
const ISSUER: &str = "contract-engine";
/// Whom it is for: agents on their direct leg. The exchange itself takes no such token.
const AUDIENCE: &str = "aex-contract";
/// Characters of a key's id.
const ID: usize = 16;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key of contract tokens cannot be used: {0}")]
pub struct KeyError(String);

/// What a token says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Claims {
    iss: &'static str,
    aud: &'static str,
    sub: String,
    iat: i64,
    exp: i64,
    contract: String,
    role: &'static str,
    party: String,
    counterparty: String,
}

impl Claims {
    /// The claims of one party, good from the award until a moment.
    pub(crate) fn new(
        contract: ContractId,
        role: &'static str,
        (party, counterparty): (TenantId, TenantId),
        (from, until): (Timestamp, Timestamp),
    ) -> Self {
        let seconds = |time: Timestamp| time.unix_micros().div_euclid(1_000_000);
        Self {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: party.to_string(),
            iat: seconds(from),
            exp: seconds(until),
            contract: contract.to_string(),
            role,
            party: party.to_string(),
            counterparty: counterparty.to_string(),
        }
    }
}

/// The engine's own key.
pub(crate) struct TokenKey {
    id: String,
    key: EncodingKey,
    public: String,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl TokenKey {
    /// A key from its PEM (PKCS#8).
    pub(crate) fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| KeyError(error.to_string()))?;
        let pem = key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|error| KeyError(error.to_string()))?;
        let public = key.verifying_key().to_bytes();
        let mut id = BASE64.encode(Sha256::digest(public));
        id.truncate(ID);
        Ok(Self {
            id,
            key: EncodingKey::from_ed_pem(pem.as_bytes()).map_err(|error| KeyError(error.to_string()))?,
            public: BASE64.encode(public),
        })
    }

    /// Signs claims; the same claims give the same token.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|error| KeyError(error.to_string()))
    }

    /// The public half, as a JSON Web Key Set.
    pub(crate) fn jwks(&self) -> String {
        serde_json::json!({
            "keys": [{
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": self.public,
            }]
        })
        .to_string()
    }
}
