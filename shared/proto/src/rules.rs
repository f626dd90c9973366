//! The rules of request fields, as the contracts state them in `(aex.common.v1.limits)`.

/// One broken rule: where, and what is wrong, in words for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, with its path: `budget.max_price.amount`, `scopes[2]`.
    pub field: String,
    /// What is wrong and what would be right. Never repeats the value.
    pub description: String,
}

/// A message that knows the rules of its fields. Written by build.rs for every message.
pub trait Rules {
    /// Notes every broken rule.
    fn check(&self, check: &mut Checker<'_>);
}

/// A request that carries an idempotency key. Written by build.rs.
pub trait Keyed {
    /// The key that its caller chose.
    fn idempotency_key(&self) -> &str;
}

/// A message that may hold secrets. Written by build.rs for every message.
pub trait Secrets {
    /// Blanks every field marked `(aex.common.v1.secret)`.
    fn blank(&mut self);
}

/// Why a call is refused: one value of a service's `ErrorReason`. Written by build.rs.
pub trait Reason {
    /// The name on the wire, without the enum's prefix: `TENANT_NOT_FOUND`.
    fn name(&self) -> &'static str;
    /// The service that gives it: `identity.aex`; `common.aex` for the reasons that all share.
    fn domain(&self) -> &'static str;
}

/// The limits of one field, as its option states them. Zero and empty mean no limit.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "each is documented at its field in aex/common/v1/field.proto"
)]
pub struct Limits {
    pub required: bool,
    pub min_len: u32,
    pub max_len: u32,
    pub max_items: u32,
    pub id_prefix: &'static str,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub format: i32,
}

impl Limits {
    /// No limits at all.
    pub const NONE: Self = Self {
        required: false,
        min_len: 0,
        max_len: 0,
        max_items: 0,
        id_prefix: "",
        min: None,
        max: None,
        format: 0,
    };
}

/// Collects the violations of a message and of those inside it.
#[derive(Debug)]
pub struct Checker<'a> {
    violations: &'a mut Vec<Violation>,
    path: String,
}

/// The characters of a typed id behind its prefix and the underscore.
const ID_BODY: usize = 26;

impl<'a> Checker<'a> {
    /// Collects into a list.
    pub fn new(violations: &'a mut Vec<Violation>) -> Self {
        Self {
            violations,
            path: String::new(),
        }
    }

    fn note(&mut self, field: &str, description: impl Into<String>) {
        let field = format!("{}{field}", self.path);
        self.violations.push(Violation {
            field,
            description: description.into(),
        });
    }

    fn inside(&mut self, step: &str, message: &impl Rules) {
        let path = format!("{}{step}.", self.path);
        message.check(&mut Checker {
            violations: self.violations,
            path,
        });
    }

    /// A text without presence: empty means absent, and blanks alone are no text.
    pub fn text(&mut self, field: &str, value: &str, limits: &Limits) {
        if limits.required && value.trim().is_empty() {
            self.note(field, "must be given");
        } else if !value.is_empty()
            && let Err(description) = limits.text(value)
        {
            self.note(field, description);
        }
    }

    /// A text with presence: given as empty is not absent.
    pub fn optional_text(&mut self, field: &str, value: Option<&str>, limits: &Limits) {
        match value {
            None if limits.required => self.note(field, "must be given"),
            None => {}
            Some("") => self.note(field, "must not be empty when given"),
            Some(value) => self.text(field, value, limits),
        }
    }

    /// A list of texts, each under the same limits.
    pub fn texts(&mut self, field: &str, values: &[String], limits: &Limits) {
        if !self.count(field, values.len(), limits) {
            return;
        }
        for (index, value) in values.iter().enumerate() {
            if value.is_empty() {
                self.note(&format!("{field}[{index}]"), "must not be empty");
            } else if let Err(description) = limits.text(value) {
                self.note(&format!("{field}[{index}]"), description);
            }
        }
    }

    /// Bytes without presence: empty means absent.
    pub fn bytes(&mut self, field: &str, value: &[u8], limits: &Limits) {
        if value.is_empty() {
            if limits.required {
                self.note(field, "must be given");
            }
        } else if let Err(description) = limits.length(value.len()) {
            self.note(field, description);
        }
    }

    /// A list of bytes, each under the same limits.
    pub fn blobs(&mut self, field: &str, values: &[impl AsRef<[u8]>], limits: &Limits) {
        if !self.count(field, values.len(), limits) {
            return;
        }
        for (index, value) in values.iter().enumerate() {
            self.bytes(&format!("{field}[{index}]"), value.as_ref(), limits);
        }
    }

    /// An enum: zero means absent.
    pub fn choice<E: TryFrom<i32>>(&mut self, field: &str, value: i32, limits: &Limits) {
        if value == 0 && limits.required {
            self.note(field, "must be given");
        } else if E::try_from(value).is_err() {
            self.note(field, "is not one of the contract's values");
        }
    }

    /// A list of enums; none of them zero.
    pub fn choices<E: TryFrom<i32>>(&mut self, field: &str, values: &[i32], limits: &Limits) {
        if !self.count(field, values.len(), limits) {
            return;
        }
        for (index, value) in values.iter().enumerate() {
            if *value == 0 || E::try_from(*value).is_err() {
                self.note(
                    &format!("{field}[{index}]"),
                    "is not one of the contract's values",
                );
            }
        }
    }

    /// A whole number with presence.
    pub fn optional_number(&mut self, field: &str, value: Option<i128>, limits: &Limits) {
        match value {
            None if limits.required => self.note(field, "must be given"),
            None => {}
            Some(value) => self.number(field, value, limits),
        }
    }

    /// A whole number.
    pub fn number(&mut self, field: &str, value: i128, limits: &Limits) {
        if let Err(description) = limits.range(value) {
            self.note(field, description);
        }
    }

    /// A real number; infinities and NaN are never right.
    pub fn real(&mut self, field: &str, value: Option<f64>, limits: &Limits) {
        let Some(value) = value else {
            if limits.required {
                self.note(field, "must be given");
            }
            return;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "bounds of reals are small whole numbers"
        )]
        let outside = limits.min.is_some_and(|min| value < min as f64)
            || limits.max.is_some_and(|max| value > max as f64);
        if !value.is_finite() {
            self.note(field, "must be a finite number");
        } else if outside {
            self.note(field, limits.bounds());
        }
    }

    /// A duration; its bounds are milliseconds.
    pub fn duration(&mut self, field: &str, value: Option<&prost_types::Duration>, limits: &Limits) {
        match value {
            None if limits.required => self.note(field, "must be given"),
            None => {}
            Some(span) if !is_normal(span) => self.note(field, "is not a valid duration"),
            Some(span) => {
                let nanos = i128::from(span.seconds) * 1_000_000_000 + i128::from(span.nanos);
                let low = limits.min.is_some_and(|min| nanos < i128::from(min) * 1_000_000);
                let high = limits.max.is_some_and(|max| nanos > i128::from(max) * 1_000_000);
                if low || high {
                    self.note(field, format!("{} milliseconds", limits.bounds()));
                }
            }
        }
    }

    /// A moment; it has no bounds but the years that can be kept.
    pub fn moment(&mut self, field: &str, value: Option<&prost_types::Timestamp>, limits: &Limits) {
        self.presence(field, value.is_some(), limits);
        if value.is_some_and(|time| !is_moment(time)) {
            self.note(field, "is not a moment of the years 1 to 9999");
        }
    }

    /// A message of ours.
    pub fn message<M: Rules>(&mut self, field: &str, value: Option<&M>, limits: &Limits) {
        self.presence(field, value.is_some(), limits);
        if let Some(message) = value {
            self.inside(field, message);
        }
    }

    /// A list of messages of ours.
    pub fn messages<M: Rules>(&mut self, field: &str, values: &[M], limits: &Limits) {
        if !self.count(field, values.len(), limits) {
            return;
        }
        for (index, message) in values.iter().enumerate() {
            self.inside(&format!("{field}[{index}]"), message);
        }
    }

    /// A message of somebody else: only whether it is there.
    pub fn presence(&mut self, field: &str, given: bool, limits: &Limits) {
        if limits.required && !given {
            self.note(field, "must be given");
        }
    }

    /// Is the list of a length whose elements are worth looking at? Of one that is too long, that is all there is to say:
    /// its elements would crowd out what is wrong with other fields.
    fn count(&mut self, field: &str, count: usize, limits: &Limits) -> bool {
        if count == 0 && limits.required {
            self.note(field, "must have at least one element");
        }
        if limits.max_items > 0 && count > limits.max_items as usize {
            self.note(field, format!("must have at most {} elements", limits.max_items));
            return false;
        }
        true
    }
}

fn is_normal(span: &prost_types::Duration) -> bool {
    let same_sign = span.seconds == 0 || span.nanos == 0 || (span.seconds < 0) == (span.nanos < 0);
    span.seconds.unsigned_abs() <= 315_576_000_000 && span.nanos.unsigned_abs() < 1_000_000_000 && same_sign
}

/// Is it a moment of the years 1 to 9999, which are those that a Timestamp may hold?
pub fn is_moment(time: &prost_types::Timestamp) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos)
}

impl Limits {
    fn text(&self, value: &str) -> Result<(), String> {
        if !self.id_prefix.is_empty() {
            return self.id(value);
        }
        self.length(value.len())?;
        if value
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            return Err("must not hold control characters".to_owned());
        }
        let (fits, spelling) = match self.format {
            1 => (
                value.bytes().all(|b| b.is_ascii_graphic()),
                "visible ASCII characters without spaces",
            ),
            2 => (
                is_amount(value),
                "a decimal of at most 12 digits before and 6 after the point, without a sign",
            ),
            3 => (is_currency(value), "3 to 8 capitals or digits"),
            4 => (
                is_category(value, false),
                "lower-case words joined by dots, like `vision.classification`",
            ),
            5 => (
                is_category(value, true),
                "a category whose segments may be `*`, like `vision.*`",
            ),
            6 => (is_url(value), "an absolute https or http URL"),
            7 => (is_email(value), "an e-mail address"),
            _ => (true, ""),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("must be {spelling}"))
        }
    }

    fn id(&self, value: &str) -> Result<(), String> {
        let body = value
            .strip_prefix(self.id_prefix)
            .and_then(|rest| rest.strip_prefix('_'));
        let fits = body.is_some_and(|body| {
            body.len() == ID_BODY
                && body.starts_with(|first: char| ('0'..='7').contains(&first))
                && body
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b.is_ascii_lowercase() && !b"ilou".contains(&b)))
        });
        if fits {
            Ok(())
        } else {
            Err(format!(
                "must be an id like `{}_01h455vb4pex5vsknk084sn02q`",
                self.id_prefix
            ))
        }
    }

    fn length(&self, bytes: usize) -> Result<(), String> {
        if bytes < self.min_len as usize {
            return Err(format!("must have at least {} bytes", self.min_len));
        }
        if self.max_len > 0 && bytes > self.max_len as usize {
            return Err(format!("must have at most {} bytes", self.max_len));
        }
        Ok(())
    }

    fn range(&self, value: i128) -> Result<(), String> {
        let low = self.min.is_some_and(|min| value < i128::from(min));
        let high = self.max.is_some_and(|max| value > i128::from(max));
        if low || high { Err(self.bounds()) } else { Ok(()) }
    }

    fn bounds(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("must be from {min} to {max}"),
            (Some(min), None) => format!("must be at least {min}"),
            (None, Some(max)) => format!("must be at most {max}"),
            (None, None) => "must be a number".to_owned(),
        }
    }
}

fn is_amount(value: &str) -> bool {
    let (whole, fraction) = match value.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (value, None),
    };
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    digits(whole, 12)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|fraction| digits(fraction, 6))
}

fn is_currency(value: &str) -> bool {
    (3..=8).contains(&value.len())
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_category(value: &str, pattern: bool) -> bool {
    value.split('.').all(|segment| {
        (pattern && segment == "*")
            || (!segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b)))
    })
}

fn is_url(value: &str) -> bool {
    let host = value
        .strip_prefix("https://")
        .or_else(|| value.strip_prefix("http://"));
    host.is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
            && rest.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn is_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && !host.contains('@')
            && host.split('.').count() >= 2
            && host.split('.').all(|label| !label.is_empty())
            && value.bytes().all(|b| b.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_spelled_one_way_only() {
        for right in ["0", "1", "0.5", "12.50", "999999999999.999999", "0.000001"] {
            assert!(is_amount(right), "{right}");
        }
        for wrong in [
            "",
            ".5",
            "5.",
            "01",
            "1e3",
            "1_000",
            "-1",
            "+1",
            "1.0000001",
            "1000000000000",
            "1,5",
            "NaN",
            "٣",
        ] {
            assert!(!is_amount(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_category_is_words_joined_by_dots() {
        for right in ["vision", "vision.classification", "a-b.c_d.e1"] {
            assert!(is_category(right, false), "{right}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "A", "a b", "a/b", "*", "a.*"] {
            assert!(!is_category(wrong, false), "{wrong}");
        }
        assert!(is_category("*", true) && is_category("a.*", true) && is_category("*.b", true));
        assert!(!is_category("a*", true) && !is_category("a.**", true) && !is_category("[", true));
    }

    #[test]
    fn all_violations_are_noted_at_once_with_their_paths() {
        use crate::aex::identity::v1::CreateApiKeyRequest;
        let request = CreateApiKeyRequest {
            idempotency_key: "short".to_owned(),
            tenant_id: "tenant_nonsense".to_owned(),
            display_name: "  \n".to_owned(),
            scopes: vec!["work:read".to_owned(), "has space".to_owned()],
            ..Default::default()
        };
        let mut violations = Vec::new();
        request.check(&mut Checker::new(&mut violations));
        let fields: Vec<_> = violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(
            fields,
            ["idempotency_key", "tenant_id", "display_name", "scopes[1]"]
        );
    }
}
