//! The secret of a key: `aex_live_`, 32 random characters, and a 6-character checksum by which scanners and this
//! service know a real one at a glance. Only its keyed hash is stored.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u32 = 62;
/// Random characters: 190 bits.
const RANDOM: usize = 32;
/// Characters of the checksum: enough for 32 bits.
const CHECKSUM: usize = 6;
/// Random characters that are shown to recognise a key by.
const SHOWN: usize = 4;

/// Real money, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deployment {
    /// Real money.
    Live,
    /// For trying out.
    Test,
}

impl Deployment {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "aex_live_",
            Self::Test => "aex_test_",
        }
    }
}

/// A key's secret, in the clear: shown once, never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one reply that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The first characters, by which people recognise the key.
    pub fn shown(&self) -> &str {
        self.0
            .get(..Deployment::Live.prefix().len() + SHOWN)
            .unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The keyed hash of a secret: what is stored.
pub type SecretHash = [u8; 32];

/// Makes secrets and knows them again.
#[derive(Clone)]
pub struct Mint {
    deployment: Deployment,
    pepper: Hmac<Sha256>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint")
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}

impl Mint {
    /// A mint for one deployment, with the key of the keyed hash.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "HMAC takes keys of any length"
    )]
    pub fn new(deployment: Deployment, pepper: &[u8]) -> Self {
        Self {
            deployment,
            pepper: Hmac::new_from_slice(pepper).expect("HMAC takes keys of any length"),
        }
    }

    /// A new secret.
    pub fn strike(&self, rng: &mut impl Rng) -> Secret {
        let random: String = (0..RANDOM).map(|_| digit(rng.random_range(0..BASE))).collect();
        let checksum = checksum(&random);
        Secret(format!("{}{random}{checksum}", self.deployment.prefix()))
    }

    /// The stored form of what a caller sent; `None` for what cannot be a key of this deployment.
    pub fn hash(&self, sent: &str) -> Option<SecretHash> {
        let body = sent.strip_prefix(self.deployment.prefix())?;
        if body.len() != RANDOM + CHECKSUM || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (random, tail) = body.split_at_checked(RANDOM)?;
        // The checksum is no secret: it spares a look-up for what is mistyped.
        (tail == checksum(random)).then(|| {
            let mut hash = self.pepper.clone();
            hash.update(sent.as_bytes());
            hash.finalize().into_bytes().into()
        })
    }
}

fn checksum(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = ['0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = self::digit(rest % BASE);
        rest /= BASE;
    }
    digits.iter().collect()
}

/// One character of base 62.
fn digit(value: u32) -> char {
    ALPHABET.get(value as usize).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn mint(deployment: Deployment) -> Mint {
        Mint::new(deployment, b"pepper")
    }

    #[test]
    fn a_secret_of_the_other_deployment_is_no_key_here() {
        let mut rng = StdRng::seed_from_u64(1);
        let secret = mint(Deployment::Live).strike(&mut rng);
        assert!(mint(Deployment::Live).hash(secret.reveal()).is_some());
        assert!(mint(Deployment::Test).hash(secret.reveal()).is_none());
        assert!(secret.reveal().starts_with(secret.shown()) && secret.shown().len() == 13);
        assert!(!format!("{secret:?}").contains("aex"));
    }

    proptest! {
        #[test]
        fn a_secret_with_one_wrong_character_is_refused_before_any_look_up(seed: u64, at in 0..47_usize, to in 0..62_usize) {
            let secret = mint(Deployment::Test).strike(&mut StdRng::seed_from_u64(seed));
            let mut changed = secret.reveal().as_bytes().to_vec();
            prop_assume!(changed[at] != ALPHABET[to]);
            changed[at] = ALPHABET[to];
            prop_assert!(mint(Deployment::Test).hash(std::str::from_utf8(&changed).unwrap()).is_none());
        }

        #[test]
        fn nothing_that_is_sent_makes_the_mint_panic(sent: String) {
            let _ = mint(Deployment::Test).hash(&sent);
        }
    }
}
