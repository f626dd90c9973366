//! What is known of a payload without reading it, and how it is shown before the award.

use sha2::{Digest as _, Sha256};

/// Characters of a payload that providers see before the award.
const PREVIEW: usize = 500;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What is known of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its media type; empty when it is kept elsewhere and none was given.
    pub content_type: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Hash,
    /// Where it is kept, when not here.
    pub location: Option<String>,
}

impl Payload {
    /// A payload that is kept here.
    pub fn of(bytes: &[u8], content_type: &str) -> Self {
        Self {
            content_type: content_type.to_owned(),
            size: bytes.len().try_into().unwrap_or(u64::MAX),
            sha256: Sha256::digest(bytes).into(),
            location: None,
        }
    }
}

/// The first characters of a payload, when it is text; empty otherwise.
pub fn preview(bytes: &[u8], content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    let is_text = essence.eq_ignore_ascii_case("application/json")
        || essence
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    match std::str::from_utf8(bytes) {
        // The database keeps no zero character; a preview shows the sign for what cannot be shown.
        Ok(text) if is_text => text.chars().take(PREVIEW).map(visible).collect(),
        _ => String::new(),
    }
}

const fn visible(character: char) -> char {
    match character {
        '\0' => char::REPLACEMENT_CHARACTER,
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_shown_and_no_more_than_its_beginning() {
        assert_eq!(preview("grün".as_bytes(), "text/plain; charset=utf-8"), "grün");
        assert_eq!(preview(b"{}", "Application/JSON"), "{}");
        assert_eq!(preview(b"{}", "image/png"), "");
        assert_eq!(preview(b"\xff\xfe", "text/plain"), "");
        assert_eq!(preview(b"a\0b", "text/plain"), "a\u{fffd}b");
        let long = "ü".repeat(501);
        assert_eq!(preview(long.as_bytes(), "text/plain"), "ü".repeat(500));
    }
}
