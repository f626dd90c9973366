//! Keyset pages: a page begins behind the last row of the one before, so rows that come and go between two pages
//! neither repeat nor hide others.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest as _, Sha256};

use crate::Failure;

const DEFAULT: i32 = 50;
const MOST: i32 = 200;
/// The bytes of a token that bind it to its filter.
const BINDING: usize = 8;

/// Which page was asked for.
#[derive(Debug, Clone)]
pub struct Page {
    size: usize,
    binding: [u8; BINDING],
    after: Option<String>,
}

impl Page {
    /// Reads a page request. `filter` is whatever the list depends on: a token of another filter is refused.
    pub fn read(size: i32, token: &str, filter: &str) -> Result<Self, Failure> {
        let size = match size {
            ..=0 => DEFAULT,
            size => size.min(MOST),
        };
        let digest = Sha256::digest(filter.as_bytes());
        let mut binding = [0; BINDING];
        binding
            .iter_mut()
            .zip(digest.iter())
            .for_each(|(byte, hash)| *byte = *hash);
        let size = usize::try_from(size).unwrap_or_default();
        if token.is_empty() {
            return Ok(Self {
                size,
                binding,
                after: None,
            });
        }
        let bytes = BASE64.decode(token).map_err(|_| Failure::PageToken)?;
        let after = bytes
            .strip_prefix(&binding)
            .and_then(|rest| String::from_utf8(rest.to_vec()).ok());
        let after = after
            .filter(|after| !after.is_empty())
            .ok_or(Failure::PageToken)?;
        Ok(Self {
            size,
            binding,
            after: Some(after),
        })
    }

    /// The key of the last row of the page before.
    pub fn after<K: std::str::FromStr>(&self) -> Result<Option<K>, Failure> {
        self.after
            .as_deref()
            .map(|after| after.parse().map_err(|_| Failure::PageToken))
            .transpose()
    }

    /// How many rows to fetch: one more than are shown, to know whether there is a next page.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// Cuts the rows to the page and answers the token of the next one, empty at the end.
    pub fn cut<T, K: ToString>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> K) -> String {
        if rows.len() <= self.size {
            return String::new();
        }
        rows.truncate(self.size);
        let Some(last) = rows.last() else {
            return String::new();
        };
        self.token(&key(last))
    }

    /// The most rows that are shown.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The token of a page that begins behind a key, for lists that end a page elsewhere than at its size.
    pub fn token(&self, key: &impl ToString) -> String {
        let token = [self.binding.as_slice(), key.to_string().as_bytes()].concat();
        BASE64.encode(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_and_is_bound_to_its_filter() {
        let first = Page::read(2, "", "open").unwrap();
        let mut rows = vec![1, 2, 3];
        let token = first.cut(&mut rows, |row| *row);
        assert_eq!(rows, [1, 2]);
        let second = Page::read(2, &token, "open").unwrap();
        assert_eq!(second.after::<i32>().unwrap(), Some(2));
        assert_eq!(second.cut(&mut vec![3], |row| *row), "");
        for (token, filter) in [(token.as_str(), "closed"), ("!", "open"), ("AAAA", "open")] {
            assert!(
                matches!(Page::read(2, token, filter), Err(Failure::PageToken)),
                "{token} {filter}"
            );
        }
    }

    #[test]
    fn a_page_has_a_size_within_limits() {
        assert_eq!(Page::read(0, "", "").unwrap().limit(), 51);
        assert_eq!(Page::read(i32::MAX, "", "").unwrap().limit(), 201);
    }
}
