//! Bad requests, made from the field options: one thing wrong with one field, however deep it lies.

use aex_proto::{
    POOL,
    aex::common::v1::{Format, Limits},
    prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value},
};
use prost::Message as _;

/// One thing wrong with one field of a request.
pub(super) struct Case {
    /// The field as a violation names it: `price.amount`, `regions[0]`.
    pub(super) path: String,
    /// What is wrong.
    pub(super) wrong: &'static str,
    steps: Vec<Step>,
    value: Option<Value>,
}

/// A field, and which element of it where it is a list that is gone into.
#[derive(Clone)]
struct Step(FieldDescriptor, Option<usize>);

impl Case {
    /// Makes a request wrong in this way.
    pub(super) fn spoil(&self, request: &mut DynamicMessage) {
        put(request, &self.steps, self.value.clone());
    }

    /// The field itself, whatever is wrong with it or with its elements; `None` when others lie inside it.
    pub(super) fn leaf(&self) -> Option<&str> {
        let field = &self.steps.last()?.0;
        let path = self.path.strip_suffix("[0]").unwrap_or(&self.path);
        ours(field).is_none().then_some(path)
    }
}

fn put(message: &mut DynamicMessage, steps: &[Step], value: Option<Value>) {
    let Some((Step(field, element), rest)) = steps.split_first() else {
        return;
    };
    if rest.is_empty() {
        return match value {
            Some(value) => message.set_field(field, value),
            None => message.clear_field(field),
        };
    }
    let inner = match (message.get_field_mut(field), element) {
        (Value::List(elements), Some(index)) => elements.get_mut(*index),
        (inner, _) => Some(inner),
    };
    if let Some(Value::Message(inner)) = inner {
        put(inner, rest, value);
    }
}

/// What a valid request gives.
#[derive(Default)]
pub(super) struct Cases {
    /// Everything that can be wrong with it.
    pub(super) cases: Vec<Case>,
    /// The messages in it that it leaves out, so that nothing inside them can be tried.
    pub(super) left_out: Vec<String>,
}

impl Cases {
    /// The cases of a request.
    pub(super) fn of(request: &DynamicMessage) -> Self {
        let mut all = Self::default();
        all.collect(request, &[], "");
        all
    }

    fn collect(&mut self, message: &DynamicMessage, steps: &[Step], prefix: &str) {
        for field in message.descriptor().fields() {
            let path = format!("{prefix}{}", field.name());
            let to = |element| [steps, &[Step(field.clone(), element)]].concat();
            for (wrong, element, value) in bad_values(&field) {
                self.cases.push(Case {
                    path: format!("{path}{element}"),
                    wrong,
                    steps: to(None),
                    value,
                });
            }
            if ours(&field).is_none() {
                continue;
            }
            let value = message.get_field(&field);
            match (value.as_list().and_then(|elements| elements.first()), &*value) {
                (Some(Value::Message(first)), _) => {
                    self.collect(first, &to(Some(0)), &format!("{path}[0]."));
                }
                (_, Value::Message(inner)) if message.has_field(&field) => {
                    self.collect(inner, &to(None), &format!("{path}."));
                }
                _ => self.left_out.push(path),
            }
        }
    }
}

/// The message of ours that a field holds.
fn ours(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(inner) if inner.package_name().starts_with("aex.") => Some(inner),
        _ => None,
    }
}

/// What is wrong, the element that it is wrong with, and the value of the field; none leaves the field out.
type Bad = (&'static str, &'static str, Option<Value>);

fn bad_values(field: &FieldDescriptor) -> Vec<Bad> {
    let rules = limits(field).unwrap_or_default();
    let mut bad: Vec<Bad> = Vec::new();
    if rules.required {
        bad.push(("missing", "", None));
    }
    let single = bad_singles(&field.kind(), &rules);
    if !field.is_list() {
        bad.extend(single.into_iter().map(|(wrong, value)| (wrong, "", Some(value))));
        return bad;
    }
    if rules.max_items > 0
        && let Some(item) = some_item(&field.kind())
    {
        let many = vec![item; rules.max_items as usize + 1];
        bad.push(("too many", "", Some(Value::List(many))));
    }
    let element = |(wrong, value)| (wrong, "[0]", Some(Value::List(vec![value])));
    bad.extend(bad_items(&field.kind(), &rules).into_iter().map(element));
    bad.extend(single.into_iter().map(element));
    bad
}

/// An element of a list whose elements nobody reads, because there are too many.
fn some_item(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::String => Some(Value::String("a:b".to_owned())),
        Kind::Bytes => Some(Value::Bytes(vec![0].into())),
        Kind::Enum(_) => Some(Value::EnumNumber(1)),
        Kind::Message(of) => Some(Value::Message(DynamicMessage::new(of.clone()))),
        _ => None,
    }
}

/// What an element of a list may not be, though a field of its own may: nothing.
fn bad_items(kind: &Kind, rules: &Limits) -> Vec<(&'static str, Value)> {
    match kind {
        Kind::String => vec![("an empty element", Value::String(String::new()))],
        Kind::Bytes if rules.required => vec![("an empty element", Value::Bytes(Vec::new().into()))],
        Kind::Enum(_) => vec![("an unspecified element", Value::EnumNumber(0))],
        _ => Vec::new(),
    }
}

fn bad_singles(kind: &Kind, rules: &Limits) -> Vec<(&'static str, Value)> {
    match kind {
        Kind::String => bad_texts(rules)
            .into_iter()
            .map(|(wrong, text)| (wrong, Value::String(text)))
            .collect(),
        Kind::Bytes => {
            let of = |length: u32| Value::Bytes(vec![0; length as usize].into());
            let long = (rules.max_len > 0).then(|| ("too long", of(rules.max_len + 1)));
            let short = (rules.min_len > 1).then(|| ("too short", of(rules.min_len - 1)));
            long.into_iter().chain(short).collect()
        }
        Kind::Enum(_) => vec![("unknown value", Value::EnumNumber(9999))],
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
            let low = rules
                .min
                .and_then(|min| Some(("too small", number(kind, i128::from(min) - 1)?)));
            let high = rules
                .max
                .and_then(|max| Some(("too large", number(kind, i128::from(max) + 1)?)));
            low.into_iter().chain(high).collect()
        }
        Kind::Double => bad_reals(rules),
        Kind::Message(of) => match of.full_name() {
            "google.protobuf.Duration" => bad_spans(of, rules),
            "google.protobuf.Timestamp" => bad_moments(of),
            "google.protobuf.FieldMask" => bad_masks(of),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A number of a kind; none where the kind cannot hold it.
fn number(kind: &Kind, value: i128) -> Option<Value> {
    match kind {
        Kind::Int32 => value.try_into().ok().map(Value::I32),
        Kind::Int64 => value.try_into().ok().map(Value::I64),
        Kind::Uint32 => value.try_into().ok().map(Value::U32),
        Kind::Uint64 => value.try_into().ok().map(Value::U64),
        _ => None,
    }
}

fn bad_reals(rules: &Limits) -> Vec<(&'static str, Value)> {
    let bound = |bound: Option<i64>| bound.and_then(|bound| i32::try_from(bound).ok()).map(f64::from);
    let mut bad = vec![
        ("not a number", f64::NAN),
        ("infinite", f64::INFINITY),
        ("infinite below", f64::NEG_INFINITY),
    ];
    bad.extend(bound(rules.min).map(|min| ("too small", min.next_down())));
    bad.extend(bound(rules.max).map(|max| ("too large", max.next_up())));
    bad.into_iter()
        .map(|(wrong, value)| (wrong, Value::F64(value)))
        .collect()
}

/// Seconds and nanos of no duration at all, and of those just outside the limits.
fn bad_spans(of: &MessageDescriptor, rules: &Limits) -> Vec<(&'static str, Value)> {
    let mut bad = vec![
        ("nanos of a second", 1, 1_000_000_000),
        ("nanos of another sign", 1, -1),
        ("as long as can be said", i64::MAX, 0),
        ("as short as can be said", i64::MIN, 0),
    ];
    let mut outside = |wrong, millis: i64, nanos: i128| {
        let nanos = i128::from(millis) * 1_000_000 + nanos;
        let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or_default();
        let nanos = i32::try_from(nanos % 1_000_000_000).unwrap_or_default();
        bad.push((wrong, seconds, nanos));
    };
    if let Some(min) = rules.min {
        outside("too short", min, -1);
        outside("negative", -60_000, 0);
    }
    if let Some(max) = rules.max {
        outside("too long", max, 1);
    }
    bad.into_iter()
        .map(|(wrong, seconds, nanos)| (wrong, of_seconds(of, seconds, nanos)))
        .collect()
}

/// Moments that are none, or of no year from 1 to 9999.
fn bad_moments(of: &MessageDescriptor) -> Vec<(&'static str, Value)> {
    let bad = [
        ("nanos of a second", 4_000_000_000, 1_000_000_000),
        ("negative nanos", 4_000_000_000, -1),
        ("before the year 1", -62_135_596_801, 0),
        ("after the year 9999", 253_402_300_800, 0),
        ("as late as can be said", i64::MAX, 0),
        ("as early as can be said", i64::MIN, 0),
    ];
    bad.into_iter()
        .map(|(wrong, seconds, nanos)| (wrong, of_seconds(of, seconds, nanos)))
        .collect()
}

fn of_seconds(of: &MessageDescriptor, seconds: i64, nanos: i32) -> Value {
    let mut value = DynamicMessage::new(of.clone());
    value.set_field_by_name("seconds", Value::I64(seconds));
    value.set_field_by_name("nanos", Value::I32(nanos));
    Value::Message(value)
}

fn bad_masks(of: &MessageDescriptor) -> Vec<(&'static str, Value)> {
    let mut value = DynamicMessage::new(of.clone());
    let paths = vec![Value::String("no_such_field".to_owned())];
    value.set_field_by_name("paths", Value::List(paths));
    vec![("an unknown path", Value::Message(value))]
}

fn bad_texts(limits: &Limits) -> Vec<(&'static str, String)> {
    let mut bad = vec![("control character", "a\0b".to_owned())];
    if limits.required {
        bad.push(("blank", "  \n".to_owned()));
    }
    if limits.max_len > 0 {
        bad.push(("too long", "a".repeat(limits.max_len as usize + 1)));
    }
    if limits.min_len > 1 {
        bad.push(("too short", "a".repeat(limits.min_len as usize - 1)));
    }
    if !limits.id_prefix.is_empty() {
        bad.push(("malformed id", format!("{}_short", limits.id_prefix)));
        bad.push(("foreign id", "other_01h455vb4pex5vsknk084sn02q".to_owned()));
        bad.push(("huge id", "x".repeat(10_000)));
    }
    let malformed = match limits.format() {
        Format::Unspecified => None,
        Format::Token => Some("with space in it, long enough"),
        Format::Amount => Some("1e3"),
        Format::Currency => Some("usd"),
        Format::Category | Format::CategoryPattern => Some("Not.A..Category"),
        Format::Url => Some("javascript:alert(1)"),
        Format::Email => Some("nobody"),
    };
    bad.extend(malformed.map(|text| ("malformed", text.to_owned())));
    bad
}

/// The limits that a field states.
pub(super) fn limits(field: &FieldDescriptor) -> Option<Limits> {
    let extension = POOL.get_extension_by_name("aex.common.v1.limits")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    Limits::decode(value.as_message()?.encode_to_vec().as_slice()).ok()
}

/// Is a field blank in stored replies?
pub(super) fn is_secret(field: &FieldDescriptor) -> bool {
    let extension = POOL
        .get_extension_by_name("aex.common.v1.secret")
        .expect("the option exists");
    field
        .options()
        .get_extension(&extension)
        .as_bool()
        .unwrap_or_default()
}

/// Makes another valid request of one; `false` when no field can simply be changed.
pub(super) fn change(request: &mut DynamicMessage) -> bool {
    let descriptor = request.descriptor();
    for field in descriptor.fields() {
        let is_plain = limits(&field).is_some_and(|limits| {
            limits.id_prefix.is_empty() && limits.format() == Format::Unspecified && limits.max_len > 0
        });
        if let (Kind::String, false, true) = (field.kind(), field.is_list(), is_plain) {
            request.set_field(&field, Value::String("other".to_owned()));
            return true;
        }
    }
    let Some(field) = descriptor.fields().find(|field| {
        limits(field).is_some_and(|limits| !limits.id_prefix.is_empty())
            && matches!(field.kind(), Kind::String)
    }) else {
        return false;
    };
    let prefix = limits(&field).map(|limits| limits.id_prefix).unwrap_or_default();
    request.set_field(
        &field,
        Value::String(format!("{prefix}_01h455vb4pex5vsknk084sn02q")),
    );
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aex_proto::aex::{
        bid_gateway::v1::{Sample, SubmitBidRequest},
        common::v1::Money,
    };

    use super::*;

    #[test]
    fn fields_inside_messages_are_tried_and_messages_left_out_are_told() {
        let request = SubmitBidRequest {
            price: Some(Money::default()),
            sample: Some(Sample::default()),
            ..SubmitBidRequest::default()
        };
        let message = POOL.get_message_by_name("aex.bid_gateway.v1.SubmitBidRequest");
        let message = message.expect("the contract has the request");
        let valid = DynamicMessage::decode(message, request.encode_to_vec().as_slice());
        let Cases { cases, left_out } = Cases::of(&valid.expect("the request decodes"));
        assert_eq!(left_out, ["sla"]);
        let tried: BTreeSet<_> = cases
            .iter()
            .map(|case| (case.path.as_str(), case.wrong))
            .collect();
        for case in [
            ("price", "missing"),
            ("price.amount", "malformed"),
            ("sample.latency", "negative"),
            ("sample.latency", "too long"),
            ("confidence", "not a number"),
            ("confidence", "too large"),
            ("regions", "too many"),
            ("regions[0]", "malformed"),
            ("expire_time", "negative nanos"),
        ] {
            assert!(tried.contains(&case), "{case:?} is not among {tried:?}");
        }
    }
}
