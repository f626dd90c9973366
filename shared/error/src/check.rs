//! Reads a request and collects everything that is wrong with it.

use std::{fmt::Display, str::FromStr, time::Duration};

use aex_proto::{Checker, Rules, Violation, aex::common::v1 as pb};
use aex_types::{Money, Timestamp};
use tonic::Code;

use crate::{Explain, Fault, fault, wire};

/// A request with faults: all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct Invalid(Vec<Violation>);

impl Invalid {
    /// One fault of one field.
    pub fn field(field: &str, description: impl Into<String>) -> Self {
        Self(vec![Violation {
            field: field.to_owned(),
            description: description.into(),
        }])
    }

    /// What is wrong, field by field.
    pub fn violations(&self) -> &[Violation] {
        &self.0
    }

    fn words(&self) -> String {
        let faults: Vec<_> = self
            .0
            .iter()
            .map(|fault| format!("{} {}", fault.field, fault.description))
            .collect();
        faults.join("; ")
    }
}

impl Explain for Invalid {
    fn explain(&self) -> Fault {
        fault(Code::InvalidArgument, pb::ErrorReason::RequestInvalid).violations(&self.0)
    }
}

/// Reads the fields of one request. Each reader answers `None` when its field is unusable and notes why; the rules of
/// the contract are checked first, so a reader adds only what they cannot say.
#[derive(Debug)]
pub struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// Begins with the rules that the contract states.
    pub fn of(request: &impl Rules) -> Self {
        let mut violations = Vec::new();
        request.check(&mut Checker::new(&mut violations));
        Self { violations }
    }

    /// Notes that a field is wrong, unless that is known already.
    pub fn note(&mut self, field: &str, description: impl Display) {
        if !self.is_noted(field) {
            self.violations.push(Violation {
                field: field.to_owned(),
                description: description.to_string(),
            });
        }
    }

    fn is_noted(&self, field: &str) -> bool {
        self.violations.iter().any(|known| known.field == field)
    }

    fn keep<T, E: Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|problem| self.note(field, problem)).ok()
    }

    /// A value spelled as text, which must be given.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            self.note(field, "must be given");
            return None;
        }
        self.keep(field, text.parse())
    }

    /// A value spelled as text; empty means absent. The outer `None` says that it is unusable.
    pub fn maybe<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<Option<T>> {
        if text.is_empty() {
            Some(None)
        } else {
            self.keep(field, text.parse()).map(Some)
        }
    }

    /// Values spelled as texts.
    pub fn parse_all<T: FromStr<Err: Display>>(&mut self, field: &str, texts: &[String]) -> Option<Vec<T>> {
        let values: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| self.parse(&format!("{field}[{index}]"), text))
            .collect();
        values.into_iter().collect()
    }

    /// One value of a contract's enum.
    pub fn choice<E: TryFrom<i32>>(&mut self, field: &str, value: i32) -> Option<E> {
        self.keep(
            field,
            E::try_from(value).map_err(|_| "is not one of the contract's values"),
        )
    }

    /// Money, which must be given.
    pub fn money(&mut self, field: &str, money: Option<&pb::Money>) -> Option<Money> {
        let Some(given) = money else {
            self.note(field, "must be given");
            return None;
        };
        let read = wire::read_money(given);
        // Its parts were checked one by one; a note on the whole would say it twice.
        let parts = [format!("{field}.currency_code"), format!("{field}.amount")];
        if read.is_none() && !parts.iter().any(|part| self.is_noted(part)) {
            self.note(field, "is not money");
        }
        read
    }

    /// A moment, which must be given.
    pub fn time(&mut self, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
        match time {
            None => {
                self.note(field, "must be given");
                None
            }
            Some(time) => self.keep(
                field,
                wire::read_time(time).ok_or("is not a moment of the years 1 to 9999"),
            ),
        }
    }

    /// A moment; the outer `None` says that it is unusable.
    pub fn maybe_time(
        &mut self,
        field: &str,
        time: Option<&prost_types::Timestamp>,
    ) -> Option<Option<Timestamp>> {
        match time {
            None => Some(None),
            given => self.time(field, given).map(Some),
        }
    }

    /// A span; the outer `None` says that it is unusable.
    pub fn maybe_span(
        &mut self,
        field: &str,
        span: Option<&prost_types::Duration>,
    ) -> Option<Option<Duration>> {
        match span {
            None => Some(None),
            Some(span) => self
                .keep(field, wire::read_span(span).ok_or("must not be negative"))
                .map(Some),
        }
    }

    /// What was read, if nothing was wrong.
    pub fn finish<T>(self, read: impl FnOnce() -> Option<T>) -> Result<T, Invalid> {
        if !self.violations.is_empty() {
            return Err(Invalid(self.violations));
        }
        read().ok_or_else(|| Invalid::field("request", "is not complete"))
    }
}

#[cfg(test)]
mod tests {
    use aex_proto::aex::identity::v1::SuspendTenantRequest;
    use aex_types::TenantId;

    use super::*;

    #[test]
    fn every_fault_is_told_once() {
        let request = SuspendTenantRequest {
            tenant_id: "nobody".to_owned(),
            ..Default::default()
        };
        let mut check = Check::of(&request);
        let tenant: Option<TenantId> = check.parse("tenant_id", &request.tenant_id);
        let refused = check.finish(|| tenant).unwrap_err();
        let fields: Vec<_> = refused
            .violations()
            .iter()
            .map(|fault| fault.field.as_str())
            .collect();
        assert_eq!(fields, ["idempotency_key", "tenant_id", "reason"]);
    }

    #[test]
    fn a_moment_survives_the_wire() {
        for micros in [-1, 0, 1, 1_700_000_000_123_456] {
            let moment = Timestamp::from_unix_micros(micros).unwrap();
            assert_eq!(wire::read_time(&wire::time(moment)), Some(moment));
        }
        assert_eq!(
            wire::read_time(&prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0
            }),
            None
        );
        assert_eq!(
            wire::read_time(&prost_types::Timestamp {
                seconds: 0,
                nanos: -1
            }),
            None
        );
    }
}
