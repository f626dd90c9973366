//! Idempotency keys that follow from what they are for: whoever asks again, even after a crash, asks with the same key.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Bytes of the hash that a key shows; with the step's name it stays within 64 characters.
const SHOWN: usize = 16;

/// The key of one step about these things.
pub(crate) fn key(step: &str, about: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [step].iter().chain(about) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    format!("{step}-{}", hex(hash.finalize().get(..SHOWN).unwrap_or_default()))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// 32 bytes from hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    (text.len() == 64).then_some(())?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_its_step_and_its_things_and_from_nothing_else() {
        assert_eq!(
            key("award", &["work_1", "bid_1"]),
            key("award", &["work_1", "bid_1"])
        );
        let keys = [
            key("award", &["work_1", "bid_1"]),
            key("award", &["work_1", "bid_2"]),
            key("award", &["work_1bid_1"]),
            key("award", &["work_1", "bid_1", ""]),
            key("cancel", &["work_1", "bid_1"]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(
                (16..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()),
                "{key}"
            );
            assert!(!keys[index + 1..].contains(key), "{key}");
        }
    }

    #[test]
    fn bytes_come_back_from_hexadecimal() {
        let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for wrong in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66), &"ä".repeat(32)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
