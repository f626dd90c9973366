//! The chain: each event's hash covers its bytes and, through the hash before, everything that came earlier.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Sets these hashes apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"aex-event-v1\0";

/// The hash of an event and of all before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first event.
    pub const START: Self = Self([0; 32]);

    /// The hash of the event that follows, from its stored bytes.
    pub fn then(&self, event: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(self.0)
            .chain_update(event)
            .finalize();
        Self(digest.into())
    }

    /// A stored hash; `None` when it is not 32 bytes long.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_links_have_the_hashes_that_other_tools_compute() {
        // printf 'aex-event-v1\0' | cat - <(head -c 32 /dev/zero) <(printf 'first') | sha256sum, and so on.
        let first = Hash::START.then(b"first");
        let second = first.then(b"second");
        assert_eq!(
            [first.to_string(), second.to_string()],
            [
                "fa32be23af931c1007d8e344f0d89955232e110d59354c9a997b648beb777391",
                "41ca39f08559bf0fce4daf66d33d8b59aa64f14c073ec5765976fa1897263262"
            ]
        );
    }
}
