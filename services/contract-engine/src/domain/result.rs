//! Whether what a provider delivers is complete.

use sha2::{Digest as _, Sha256};

use super::contract::{Content, Delivery};

/// What a provider hands over.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// In words; empty when nothing is said.
    pub summary: String,
    /// The bytes; empty when there are none or they are kept elsewhere.
    pub bytes: bytes::Bytes,
    /// Their media type.
    pub media_type: String,
    /// Where they are kept, when not here.
    pub location: Option<String>,
    /// Their SHA-256, when it is told.
    pub sha256: Option<[u8; 32]>,
    /// Their size, when they are kept elsewhere.
    pub size: u64,
}

/// What a result lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// Both the bytes and a location.
    #[error("a result is sent or kept elsewhere, not both")]
    Both,
    /// Bytes without their type.
    #[error("a result that is sent needs its media type")]
    MediaType,
    /// A location without hash and size.
    #[error("a result that is kept elsewhere needs its hash and size")]
    HashAndSize,
    /// A hash that is not that of the bytes.
    #[error("the hash is not that of the result")]
    Hash,
    /// A field that the work asks for.
    #[error("the result lacks the field {0}")]
    Field(String),
}

impl Incomplete {
    /// The word by which a program finds out what is missing.
    pub fn missing(&self) -> &str {
        match self {
            Self::Both => "result_location",
            Self::MediaType => "result_content_type",
            Self::HashAndSize | Self::Hash => "result_sha256",
            Self::Field(field) => field,
        }
    }
}

/// What is kept of a result, if it is complete. A JSON result must be an object with the fields that the work asks
/// for; where fields are asked for, nothing at all is not complete. Other types, and what is kept elsewhere, cannot be
/// looked into.
pub fn accept(offer: &Offer, required_fields: &[String]) -> Result<Delivery, Incomplete> {
    let summary = offer.summary.clone();
    let content = match (&offer.location, offer.bytes.is_empty()) {
        (Some(_), false) => return Err(Incomplete::Both),
        (Some(location), true) => Some(elsewhere(offer, location)?),
        (None, false) => Some(here(offer, required_fields)?),
        (None, true) => {
            if let Some(field) = required_fields.first() {
                return Err(Incomplete::Field(field.clone()));
            }
            None
        }
    };
    Ok(Delivery { summary, content })
}

fn elsewhere(offer: &Offer, location: &str) -> Result<Content, Incomplete> {
    match offer.sha256 {
        Some(sha256) if offer.size > 0 => Ok(Content {
            media_type: offer.media_type.clone(),
            size: offer.size,
            sha256,
            location: Some(location.to_owned()),
        }),
        _ => Err(Incomplete::HashAndSize),
    }
}

fn here(offer: &Offer, required_fields: &[String]) -> Result<Content, Incomplete> {
    if offer.media_type.is_empty() {
        return Err(Incomplete::MediaType);
    }
    let sha256: [u8; 32] = Sha256::digest(&offer.bytes).into();
    if offer.sha256.is_some_and(|told| told != sha256) {
        return Err(Incomplete::Hash);
    }
    if is_json(&offer.media_type)
        && let Some(first) = required_fields.first()
    {
        let read: Option<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_slice(&offer.bytes).ok();
        let fields = read.ok_or_else(|| Incomplete::Field(first.clone()))?;
        if let Some(missing) = required_fields
            .iter()
            .find(|field| !fields.contains_key(field.as_str()))
        {
            return Err(Incomplete::Field(missing.clone()));
        }
    }
    Ok(Content {
        media_type: offer.media_type.clone(),
        size: u64::try_from(offer.bytes.len()).unwrap_or(u64::MAX),
        sha256,
        location: None,
    })
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &'static str) -> Offer {
        Offer {
            bytes: bytes::Bytes::from_static(text.as_bytes()),
            media_type: "application/json".to_owned(),
            ..Offer::default()
        }
    }

    #[test]
    fn a_json_result_must_have_the_fields_that_the_work_asks_for() {
        let asked = ["label".to_owned(), "confidence".to_owned()];
        let complete = json(r#"{"label": 7, "confidence": null}"#);
        let kept = accept(&complete, &asked).unwrap().content.unwrap();
        assert_eq!((kept.size, kept.location), (32, None));
        for (text, missing) in [
            (r#"{"label": 7}"#, "confidence"),
            ("[1]", "label"),
            ("{", "label"),
        ] {
            let refused = accept(&json(text), &asked).unwrap_err();
            assert_eq!(refused.missing(), missing, "{text}");
        }
        assert!(accept(&json("[1]"), &[]).is_ok());
        assert!(accept(&Offer::default(), &[]).unwrap().content.is_none());
        assert_eq!(accept(&Offer::default(), &asked).unwrap_err().missing(), "label");
    }

    #[test]
    fn a_result_is_here_or_elsewhere_and_says_what_it_is() {
        let here = json("{}");
        let untyped = Offer {
            media_type: String::new(),
            ..here.clone()
        };
        assert_eq!(accept(&untyped, &[]), Err(Incomplete::MediaType));
        let wrong = Offer {
            sha256: Some([0; 32]),
            ..here.clone()
        };
        assert_eq!(accept(&wrong, &[]), Err(Incomplete::Hash));
        let both = Offer {
            location: Some("https://example.com/r".to_owned()),
            ..here
        };
        assert_eq!(accept(&both, &[]), Err(Incomplete::Both));
        let elsewhere = Offer {
            bytes: bytes::Bytes::new(),
            ..both
        };
        assert_eq!(accept(&elsewhere, &[]), Err(Incomplete::HashAndSize));
        let whole = Offer {
            sha256: Some([1; 32]),
            size: 9,
            ..elsewhere
        };
        assert_eq!(
            accept(&whole, &["x".to_owned()]).unwrap().content.unwrap().size,
            9
        );
    }
}
