//! Text whose length is known.

use std::{fmt, str::FromStr};

/// A text of 1 to `MAX` bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

/// A text that is empty or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was given.
    #[error("must be given")]
    Empty,
    /// More bytes than the field takes.
    #[error("must have at most {max} bytes")]
    TooLong {
        /// What it takes.
        max: usize,
    },
}

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        match text.len() {
            0 => Err(TextError::Empty),
            bytes if bytes > MAX => Err(TextError::TooLong { max: MAX }),
            _ => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::try_from(text.to_owned())
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_neither_empty_nor_too_long() {
        assert_eq!("".parse::<Text<3>>(), Err(TextError::Empty));
        assert_eq!("four".parse::<Text<3>>(), Err(TextError::TooLong { max: 3 }));
        assert_eq!("abc".parse::<Text<3>>().map(String::from), Ok("abc".to_owned()));
    }
}
