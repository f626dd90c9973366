//! What somebody was told, in a file that people can read: each line names a thing, and where it stood when that was
//! acknowledged. A change that was acknowledged is not lost: the thing stands there still, or further on in its life.

use std::{collections::BTreeSet, path::Path};

use crate::{
    problem::Problem,
    rules::{Fact, Facts, Finding},
};

/// One line: `kind id`, or `kind id STATUS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    kind: String,
    id: String,
    /// Absent means that the thing exists, wherever it stands.
    status: Option<String>,
}

/// The states of one kind of thing, each with those that may follow it at once.
struct Life {
    kind: &'static str,
    steps: &'static [(&'static str, &'static [&'static str])],
}

const LIVES: &[Life] = &[
    Life {
        kind: "work",
        steps: &[
            ("OPEN", &["EVALUATING", "AWARDING", "FAILED", "CANCELLED"]),
            ("EVALUATING", &["AWARDING", "FAILED", "CANCELLED"]),
            // An award that comes to nothing gives the work back.
            (
                "AWARDING",
                &[
                    "OPEN",
                    "EVALUATING",
                    "AWARDED",
                    "EXECUTING",
                    "COMPLETED",
                    "FAILED",
                ],
            ),
            ("AWARDED", &["EXECUTING", "COMPLETED", "FAILED"]),
            ("EXECUTING", &["COMPLETED", "FAILED"]),
            ("COMPLETED", &[]),
            ("FAILED", &[]),
            ("CANCELLED", &[]),
        ],
    },
    Life {
        kind: "bid",
        steps: &[
            (
                "RECEIVED",
                &[
                    "SUPERSEDED",
                    "WITHDRAWN",
                    "RANKED",
                    "DISQUALIFIED",
                    "AWARDED",
                    "LOST",
                ],
            ),
            ("RANKED", &["AWARDED", "LOST"]),
            ("SUPERSEDED", &[]),
            ("WITHDRAWN", &[]),
            ("DISQUALIFIED", &[]),
            ("AWARDED", &[]),
            ("LOST", &[]),
        ],
    },
    Life {
        kind: "contract",
        steps: &[
            ("PROPOSED", &["AWARDED", "VOID"]),
            (
                "AWARDED",
                &[
                    "EXECUTING",
                    "VERIFICATION_PENDING",
                    "COMPLETED",
                    "FAILED",
                    "EXPIRED",
                ],
            ),
            (
                "EXECUTING",
                &["VERIFICATION_PENDING", "COMPLETED", "FAILED", "EXPIRED"],
            ),
            ("VERIFICATION_PENDING", &["COMPLETED", "FAILED"]),
            ("COMPLETED", &["SETTLED"]),
            ("SETTLED", &[]),
            ("VOID", &[]),
            ("FAILED", &[]),
            ("EXPIRED", &[]),
        ],
    },
    Life {
        kind: "hold",
        steps: &[
            ("HELD", &["CAPTURED", "RELEASED"]),
            ("CAPTURED", &[]),
            ("RELEASED", &[]),
        ],
    },
    Life {
        kind: "deposit",
        steps: &[
            ("PENDING", &["CONFIRMED", "REJECTED"]),
            ("CONFIRMED", &[]),
            ("REJECTED", &[]),
        ],
    },
    Life {
        kind: "provider",
        steps: &[
            ("ACTIVE", &["INACTIVE", "SUSPENDED"]),
            ("INACTIVE", &["ACTIVE", "SUSPENDED"]),
            ("SUSPENDED", &["ACTIVE"]),
        ],
    },
    Life {
        kind: "agent",
        steps: &[("ACTIVE", &["RETIRED"]), ("RETIRED", &[])],
    },
    Life {
        kind: "subscription",
        steps: &[("ACTIVE", &["CANCELLED"]), ("CANCELLED", &[])],
    },
    Life {
        kind: "tenant",
        steps: &[
            ("ACTIVE", &["SUSPENDED", "TERMINATED"]),
            ("SUSPENDED", &["ACTIVE", "TERMINATED"]),
            ("TERMINATED", &[]),
        ],
    },
    Life {
        kind: "key",
        steps: &[
            ("ACTIVE", &["REVOKED", "EXPIRED"]),
            ("REVOKED", &[]),
            ("EXPIRED", &[]),
        ],
    },
];

impl Life {
    fn of(kind: &str) -> Option<&'static Self> {
        LIVES.iter().find(|life| life.kind == kind)
    }

    fn has(&self, status: &str) -> bool {
        self.steps.iter().any(|(step, _)| *step == status)
    }

    fn after(&self, status: &str) -> &'static [&'static str] {
        let step = self.steps.iter().find(|(step, _)| *step == status);
        step.map_or(&[], |(_, next)| next)
    }

    /// Does a thing that stood at `from` come to stand at `to`, or stand there already?
    fn leads(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut ahead = vec![from];
        while let Some(status) = ahead.pop() {
            if status == to {
                return true;
            }
            ahead.extend(
                self.after(status)
                    .iter()
                    .copied()
                    .filter(|next| seen.insert(next)),
            );
        }
        false
    }
}

/// Reads a file of acknowledgements.
pub(crate) fn read(file: &Path) -> Result<Vec<Ack>, Problem> {
    let trouble = |what: String| Problem::usage(format!("--acks {}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| trouble(error.to_string()))?;
    parse(&text).map_err(trouble)
}

fn parse(text: &str) -> Result<Vec<Ack>, String> {
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            Ack::parse(line).map_err(|what| format!("line {number}: `{}` {what}", line.trim()))
        })
        .collect()
}

impl Ack {
    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<_> = text.split_whitespace().collect();
        let (kind, id, status) = match words[..] {
            [kind, id] => (kind, id, None),
            [kind, id, status] => (kind, id, Some(status)),
            _ => return Err("is not `kind id` or `kind id STATUS`".to_owned()),
        };
        if let Some(status) = status {
            let life = Life::of(kind).ok_or_else(|| {
                let kinds: Vec<_> = LIVES.iter().map(|life| life.kind).collect();
                format!("has a status, which only these have: {}", kinds.join(", "))
            })?;
            if !life.has(status) {
                let known: Vec<_> = life.steps.iter().map(|(step, _)| *step).collect();
                return Err(format!("has no status of a {kind}: {}", known.join(", ")));
            }
        }
        Ok(Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            status: status.map(str::to_owned),
        })
    }

    /// What is wrong with it, by what the services state.
    fn broken(&self, facts: &Facts) -> Option<Finding> {
        let (invariant, detail) = match &self.status {
            None if facts.know(&self.kind, &self.id) => return None,
            None => self.unknown(),
            Some(told) => match facts.find(&format!("{}.status", self.kind), &self.id) {
                None => self.unknown(),
                Some(fact) if self.is_held(told, fact) => return None,
                Some(fact) => (
                    "what was acknowledged still holds",
                    format!("{told} was acknowledged, it is {}", fact.status()),
                ),
            },
        };
        Some(Finding {
            invariant: invariant.to_owned(),
            subject: self.id.clone(),
            detail,
            // Whoever was told was told after the commit: this is never on its way.
            since: None,
        })
    }

    fn unknown(&self) -> (&'static str, String) {
        (
            "what was acknowledged exists",
            format!("no service knows this {}", self.kind),
        )
    }

    fn is_held(&self, told: &str, fact: &Fact) -> bool {
        Life::of(&self.kind).is_some_and(|life| life.leads(told, fact.status()))
    }
}

/// Acknowledged things that nobody knows, and those that stand before what was acknowledged, or elsewhere.
pub(crate) fn broken(facts: &Facts, acked: &[Ack]) -> Vec<Finding> {
    acked.iter().filter_map(|ack| ack.broken(facts)).collect()
}

#[cfg(test)]
mod tests {
    use aex_proto::POOL;

    use super::*;

    fn facts(stated: &[(&str, &str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (kind, subject, value) in stated {
            facts.state(kind, (*subject).to_owned(), (*value).to_owned(), None);
        }
        facts
    }

    /// The details of what is broken.
    fn judged(stated: &[(&str, &str, &str)], lines: &str) -> Vec<String> {
        let found = broken(&facts(stated), &parse(lines).unwrap());
        found
            .into_iter()
            .map(|found| format!("{} {}", found.subject, found.detail))
            .collect()
    }

    #[test]
    fn a_line_without_a_status_asks_only_whether_the_thing_exists() {
        let stated = [
            ("work.status", "w1", "FAILED"),
            ("contract.status", "c1", "AWARDED w1 1 USD b1"),
            ("hold.status", "c1", "HELD"),
            ("journal.posted", "j1", "hold:c1"),
        ];
        let lines = "work w1\ncontract c1\nhold c1\njournal j1\n\n  wor w1 \nbid b1\nhold c2";
        assert_eq!(
            judged(&stated, lines),
            [
                "w1 no service knows this wor",
                "b1 no service knows this bid",
                "c2 no service knows this hold"
            ]
        );
    }

    #[test]
    fn a_state_that_is_behind_what_was_acknowledged_is_named() {
        let stated = [
            ("work.status", "w1", "EVALUATING"),
            ("bid.status", "b1", "RECEIVED"),
            ("contract.status", "c1", "VERIFICATION_PENDING w1 1 USD b1"),
            ("hold.status", "c1", "HELD"),
            ("deposit.status", "d1", "PENDING"),
            ("agent.status", "a1", "ACTIVE"),
        ];
        let lines = "work w1 CANCELLED\nbid b1 WITHDRAWN\ncontract c1 COMPLETED\nhold c1 CAPTURED\n\
                     deposit d1 CONFIRMED\nagent a1 RETIRED\nwork w2 OPEN\n";
        assert_eq!(
            judged(&stated, lines),
            [
                "w1 CANCELLED was acknowledged, it is EVALUATING",
                "b1 WITHDRAWN was acknowledged, it is RECEIVED",
                "c1 COMPLETED was acknowledged, it is VERIFICATION_PENDING",
                "c1 CAPTURED was acknowledged, it is HELD",
                "d1 CONFIRMED was acknowledged, it is PENDING",
                "a1 RETIRED was acknowledged, it is ACTIVE",
                "w2 no service knows this work"
            ]
        );
    }

    #[test]
    fn an_end_that_is_not_the_acknowledged_one_is_named() {
        for (told, is) in [
            ("FAILED", "COMPLETED"),
            ("FAILED", "SETTLED"),
            ("COMPLETED", "FAILED"),
            ("VERIFICATION_PENDING", "EXPIRED"),
            ("AWARDED", "VOID"),
        ] {
            let value = format!("{is} w1 1 USD b1");
            let found = judged(
                &[("contract.status", "c1", &value)],
                &format!("contract c1 {told}"),
            );
            assert_eq!(found, [format!("c1 {told} was acknowledged, it is {is}")]);
        }
    }

    #[test]
    fn a_later_state_passes_however_many_were_acknowledged_before() {
        let stated = [
            ("work.status", "w1", "OPEN"),
            ("bid.status", "b1", "LOST"),
            ("contract.status", "c1", "SETTLED w1 1 USD b1"),
            ("provider.status", "p1", "ACTIVE"),
            ("key.status", "k1", "REVOKED"),
        ];
        let lines = "work w1 AWARDING\nbid b1 RECEIVED\nprovider p1 SUSPENDED\nkey k1 ACTIVE\n\
                     contract c1\ncontract c1 AWARDED\ncontract c1 EXECUTING\ncontract c1 VERIFICATION_PENDING\n\
                     contract c1 COMPLETED\ncontract c1 SETTLED";
        assert_eq!(judged(&stated, lines), [""; 0]);
    }

    #[test]
    fn a_malformed_line_is_refused_with_its_number() {
        for (lines, words) in [
            ("work w1\nwork", ["line 2: `work`", "`kind id STATUS`"]),
            (
                "work w1 OPEN now",
                ["line 1: `work w1 OPEN now`", "`kind id STATUS`"],
            ),
            (
                "\n\nhold c1 SETTLED",
                ["line 3: `hold c1 SETTLED`", "HELD, CAPTURED"],
            ),
            ("contract c1 completed", ["line 1:", "COMPLETED, SETTLED"]),
            ("journal j1 POSTED", ["line 1:", "work, bid, contract"]),
        ] {
            let refused = parse(lines).unwrap_err();
            for word in words {
                assert!(refused.contains(word), "{word} in {refused}");
            }
        }
    }

    #[test]
    fn every_status_of_the_contracts_has_its_place_in_a_life() {
        for (kind, status) in [
            ("work", "aex.work_publisher.v1.WorkStatus"),
            ("bid", "aex.bid_gateway.v1.BidStatus"),
            ("contract", "aex.contract_engine.v1.ContractStatus"),
            ("hold", "aex.settlement.v1.HoldStatus"),
            ("deposit", "aex.settlement.v1.DepositStatus"),
            ("provider", "aex.provider_registry.v1.ProviderStatus"),
            ("agent", "aex.provider_registry.v1.AgentStatus"),
            ("subscription", "aex.provider_registry.v1.SubscriptionStatus"),
            ("tenant", "aex.identity.v1.TenantStatus"),
            ("key", "aex.identity.v1.ApiKeyStatus"),
        ] {
            let life = Life::of(kind).unwrap();
            let named = POOL.get_enum_by_name(status).unwrap();
            let named: BTreeSet<_> = named
                .values()
                .filter_map(|value| Some(value.name().split_once("_STATUS_")?.1.to_owned()))
                .filter(|name| name != "UNSPECIFIED")
                .collect();
            let placed: BTreeSet<_> = life.steps.iter().map(|(step, _)| (*step).to_owned()).collect();
            assert_eq!(named, placed, "{kind}");
            let next = life.steps.iter().flat_map(|(_, next)| next.iter());
            assert!(next.clone().all(|next| life.has(next)), "{kind}");
        }
        assert_eq!(LIVES.len(), 10);
    }
}
