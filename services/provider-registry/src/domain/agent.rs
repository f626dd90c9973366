//! An agent of a provider: a key, and the proof that the provider has its private half.

use aex_types::{AgentId, ProviderId, TenantId, Text, Timestamp};
use ed25519_dalek::{Signature, VerifyingKey};

use super::provider::{NAME_LIMIT, Provider};

/// Working agents of one provider.
pub const MOST: usize = 100;
/// What a proof is a signature over, before the provider's id as text.
const CONTEXT: &[u8] = b"aex-agent-v1\0";

/// An Ed25519 public key as it is stored.
pub type PublicKey = [u8; 32];

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The provider that it belongs to.
    pub provider_id: ProviderId,
    /// The tenant that owns both.
    pub tenant_id: TenantId,
    /// Name shown to people.
    pub display_name: Text<NAME_LIMIT>,
    /// Its public key.
    pub public_key: PublicKey,
    /// The version of its last event.
    pub version: u64,
    /// When it was registered.
    pub create_time: Timestamp,
    /// When it was retired.
    pub retire_time: Option<Timestamp>,
}

/// One thing that happened to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which agent.
    pub agent_id: AgentId,
    /// The provider that it belongs to.
    pub provider_id: ProviderId,
    /// The tenant that owns both.
    pub tenant_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/provider_registry/v1/event.proto"
)]
pub enum Change {
    Registered {
        display_name: Text<NAME_LIMIT>,
        public_key: PublicKey,
    },
    Retired,
}

/// Registers an agent.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Register {
    pub provider_id: ProviderId,
    pub display_name: Text<NAME_LIMIT>,
    pub public_key: PublicKey,
    pub proof: [u8; 64],
}

/// Why something may not happen to an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("the proof is not a signature of the key over provider {provider_id}")]
    ProofInvalid { provider_id: ProviderId },
    #[error("provider {provider_id} has {MOST} agents, and may have no more")]
    LimitReached { provider_id: ProviderId },
    #[error("agent {agent_id} is retired")]
    Retired { agent_id: AgentId },
}

/// What an agent signs to prove that it has the private key.
pub fn challenge(provider_id: ProviderId) -> Vec<u8> {
    [CONTEXT, provider_id.to_string().as_bytes()].concat()
}

/// An agent begins working, when its provider may have one more and the proof holds.
pub fn register(
    id: AgentId,
    provider: &Provider,
    working: usize,
    command: &Register,
    now: Timestamp,
) -> Result<Event, Refusal> {
    if !proves(&command.public_key, &command.proof, provider.id) {
        return Err(Refusal::ProofInvalid {
            provider_id: provider.id,
        });
    }
    if working >= MOST {
        return Err(Refusal::LimitReached {
            provider_id: provider.id,
        });
    }
    Ok(Event {
        agent_id: id,
        provider_id: provider.id,
        tenant_id: provider.tenant_id,
        version: 1,
        time: now,
        change: Change::Registered {
            display_name: command.display_name.clone(),
            public_key: command.public_key,
        },
    })
}

/// A key of small order verifies signatures that nobody made, and a point that is spelled in two ways would be two
/// keys: neither is taken.
fn proves(public_key: &PublicKey, proof: &[u8; 64], provider_id: ProviderId) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public_key) else {
        return false;
    };
    let is_canonical = key.to_edwards().compress().to_bytes() == *public_key;
    is_canonical
        && !key.is_weak()
        && key
            .verify_strict(&challenge(provider_id), &Signature::from_bytes(proof))
            .is_ok()
}

/// An agent is retired once.
pub fn retire(agent: &Agent, now: Timestamp) -> Result<Event, Refusal> {
    if agent.retire_time.is_some() {
        return Err(Refusal::Retired { agent_id: agent.id });
    }
    Ok(Event {
        agent_id: agent.id,
        provider_id: agent.provider_id,
        tenant_id: agent.tenant_id,
        version: agent.version + 1,
        time: now.max(agent.create_time),
        change: Change::Retired,
    })
}

impl Agent {
    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event.change.clone()) {
            (
                None,
                Change::Registered {
                    display_name,
                    public_key,
                },
            ) => Some(Self {
                id: event.agent_id,
                provider_id: event.provider_id,
                tenant_id: event.tenant_id,
                display_name,
                public_key,
                version: event.version,
                create_time: event.time,
                retire_time: None,
            }),
            (Some(before), Change::Retired)
                if before.retire_time.is_none()
                    && event.version == before.version + 1
                    && event.agent_id == before.id =>
            {
                Some(Self {
                    version: event.version,
                    retire_time: Some(event.time),
                    ..before
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn provider_id(number: u128) -> ProviderId {
        ProviderId::from(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn only_a_signature_of_the_key_over_this_provider_proves_it() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        let proof = key.sign(&challenge(provider_id(1))).to_bytes();
        assert!(proves(&public, &proof, provider_id(1)));
        assert!(!proves(&public, &proof, provider_id(2)), "another provider's");
        let other = SigningKey::from_bytes(&[8; 32]);
        assert!(
            !proves(&other.verifying_key().to_bytes(), &proof, provider_id(1)),
            "another key's"
        );
        let bare = key.sign(provider_id(1).to_string().as_bytes()).to_bytes();
        assert!(!proves(&public, &bare, provider_id(1)), "without the context");
        for bit in 0..512 {
            let mut forged = proof;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!proves(&public, &forged, provider_id(1)), "bit {bit}");
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        // The neutral element: with R = A = 1 and s = 0 the equation of the signature holds for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut proof = [0; 64];
        proof[0] = 1;
        assert!(!proves(&neutral, &proof, provider_id(1)));
        // The same point, spelled beyond the field's prime.
        let mut second = [0xff; 32];
        second[0] = 0xee;
        second[31] = 0x7f;
        assert!(!proves(&second, &proof, provider_id(1)));
    }
}
