//! What every contract must have, read from the descriptors.

use aex_kit::access::{self, Method};
use aex_proto::{
    POOL,
    aex::common::v1::{Audience, Limits},
    prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor},
};
use prost::Message as _;

fn services() -> Vec<ServiceDescriptor> {
    POOL.services()
        .filter(|service| service.full_name().starts_with("aex."))
        .collect()
}

fn every_method(mut check: impl FnMut(&MethodDescriptor, &Method) -> Result<(), String>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for service in services() {
        let rules = access::methods(service.full_name()).expect("every method has a rule");
        for method in service.methods() {
            let rule = &rules[&format!("/{}/{}", service.full_name(), method.name())];
            count += 1;
            if let Err(problem) = check(&method, rule) {
                wrong.push(format!("{}: {problem}", method.full_name()));
            }
        }
    }
    assert!(count > 80, "the contracts are not there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn limits(field: &FieldDescriptor) -> Limits {
    let extension = POOL
        .get_extension_by_name("aex.common.v1.limits")
        .expect("the option exists");
    let value = field.options().get_extension(&extension).into_owned();
    let bytes = value
        .as_message()
        .map(prost::Message::encode_to_vec)
        .unwrap_or_default();
    Limits::decode(bytes.as_slice()).expect("the option decodes")
}

#[test]
fn requests_and_responses_belong_to_their_method() {
    every_method(|method, _| {
        let (request, response) = (
            format!("{}Request", method.name()),
            format!("{}Response", method.name()),
        );
        if method.input().name() != request || method.output().name() != response {
            return Err("has request or response of another method".to_owned());
        }
        if method.is_client_streaming() {
            Err("streams from the client, which browsers cannot".to_owned())
        } else {
            Ok(())
        }
    });
}

#[test]
fn what_changes_something_can_be_asked_again() {
    every_method(|method, rule| {
        let keyed = method.input().get_field_by_name("idempotency_key").is_some();
        if rule.is_query && keyed {
            return Err("changes nothing and asks for a key".to_owned());
        }
        if !rule.is_repeatable {
            return Err("changes something and has neither a key nor a business key".to_owned());
        }
        let peers_only = rule.audience.iter().all(|audience| *audience == Audience::Peers);
        if !rule.is_query && !keyed && !peers_only {
            return Err("changes something for callers from outside without a key".to_owned());
        }
        Ok(())
    });
}

#[test]
fn a_watch_resumes_where_it_ended() {
    every_method(|method, rule| {
        let has = |message: &MessageDescriptor, names: [&str; 2]| {
            names.iter().any(|name| message.get_field_by_name(name).is_some())
        };
        if !rule.is_watch {
            return Ok(());
        }
        let resumes = has(&method.input(), ["resume_token", "after_sequence"])
            && has(&method.output(), ["resume_token", "resume_sequence"]);
        if resumes {
            Ok(())
        } else {
            Err("has no resume token".to_owned())
        }
    });
}

#[test]
fn pages_are_asked_for_in_one_way() {
    every_method(|method, _| {
        if !method.name().starts_with("List") && !method.name().starts_with("Search") {
            return Ok(());
        }
        let asks = ["page_size", "page_token"]
            .iter()
            .all(|name| method.input().get_field_by_name(name).is_some());
        let tells = method.output().get_field_by_name("next_page_token").is_some();
        if asks && tells {
            Ok(())
        } else {
            Err("is a list without pages".to_owned())
        }
    });
}

#[test]
fn nothing_in_a_request_is_unbounded() {
    every_method(|method, _| unbounded(&method.input(), 0).map_or(Ok(()), Err));
}

fn unbounded(message: &MessageDescriptor, depth: usize) -> Option<String> {
    message.fields().find_map(|field| {
        let limits = limits(&field);
        let name = field.name();
        if has_no_rule(&field) {
            return Some(format!("{name} is of a shape that no rule checks"));
        }
        if field.is_list() && limits.max_items == 0 {
            return Some(format!("{name} may have any number of elements"));
        }
        let problem = match field.kind() {
            Kind::String if limits.max_len == 0 && limits.id_prefix.is_empty() && !is_spelled(&limits) => {
                "may be of any length"
            }
            Kind::Bytes if limits.max_len == 0 => "may be of any length",
            Kind::Int32 | Kind::Int64 if limits.min.is_none() => "may be of any size below",
            Kind::Uint32 if limits.min.or(limits.max).is_none() => "may be any number",
            // The databases have no such type: a number that is too large for them would be cut.
            Kind::Uint64 if limits.max.is_none() => "may be of any size",
            Kind::Double if limits.min.is_none() || limits.max.is_none() => "may be any number",
            Kind::String
            | Kind::Bytes
            | Kind::Bool
            | Kind::Enum(_)
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Double => return None,
            Kind::Message(of) => return unbounded_message(name, &of, &limits, depth),
            _ => "is of a kind that no rule checks",
        };
        Some(format!("{name} {problem}"))
    })
}

fn unbounded_message(name: &str, of: &MessageDescriptor, limits: &Limits, depth: usize) -> Option<String> {
    match of.full_name() {
        "google.protobuf.Duration" if limits.min.is_none() || limits.max.is_none() => {
            Some(format!("{name} may be of any length"))
        }
        // Every moment is checked for being one; a mask is read path by path.
        "google.protobuf.Duration" | "google.protobuf.Timestamp" | "google.protobuf.FieldMask" => None,
        _ if of.package_name().starts_with("aex.") && depth < 4 => {
            unbounded(of, depth + 1).map(|problem| format!("{name}.{problem}"))
        }
        _ => Some(format!("{name} is of a kind that no rule checks")),
    }
}

/// Fields for which `shared/proto/build.rs` has no rule.
fn has_no_rule(field: &FieldDescriptor) -> bool {
    let is_plain = matches!(
        field.kind(),
        Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_)
    );
    let is_one_of_several = field.containing_oneof().is_some_and(|of| of.fields().len() > 1);
    field.is_map() || is_one_of_several || (field.is_list() && !is_plain)
}

/// A spelling that bounds the length by itself.
fn is_spelled(limits: &Limits) -> bool {
    use aex_proto::aex::common::v1::Format;
    matches!(limits.format(), Format::Amount | Format::Currency)
}

#[test]
fn money_is_never_a_float() {
    const REALS: [&str; 18] = [
        "confidence",
        "availability",
        "price",
        "trust",
        "sample",
        "sla",
        "total_score",
        "trust_score",
        "value",
        "weight",
        "contribution",
        "behind_winner",
        "winning_score",
        "score",
        "raw_base",
        "success_rate",
        "confidence_floor",
        "previous_score",
    ];
    let mut wrong = Vec::new();
    for message in POOL
        .all_messages()
        .filter(|message| message.package_name().starts_with("aex."))
    {
        for field in message.fields() {
            let is_real = matches!(field.kind(), Kind::Double | Kind::Float);
            // `Scores.price` is the part of a score that the price makes, from 0 to 1.
            let is_score = REALS.contains(&field.name())
                && (field.name() != "price" || message.name().contains("Score"));
            if is_real && !is_score {
                wrong.push(field.full_name().to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
