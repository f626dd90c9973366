//! What must hold between services. Each rule looks at what one service states and at what another states of the same
//! thing; a rule is quiet while a service that it needs was not asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aex_types::Timestamp;
use serde_json::{Value, json};

/// How many facts of each kind.
pub(crate) type Counts = BTreeMap<String, usize>;

/// One statement of one service.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) value: String,
    pub(crate) since: Option<Timestamp>,
}

impl Fact {
    /// A state may be followed by more words, which say more of the same thing.
    pub(crate) fn status(&self) -> &str {
        part(&self.value, 0)
    }
}

/// Everything that was stated, by kind and subject, and everything that services found broken themselves.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    asked: BTreeSet<&'static str>,
    stated: HashMap<String, HashMap<String, Fact>>,
    broken: Vec<Finding>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) invariant: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
    /// Since when; a young one may be on its way.
    pub(crate) since: Option<Timestamp>,
}

impl Finding {
    pub(crate) fn json(&self) -> Value {
        json!({"invariant": self.invariant, "subject": self.subject, "detail": self.detail})
    }
}

impl Facts {
    /// Takes one page of a service's audit.
    pub(crate) fn take(&mut self, service: &'static str, page: &Value) {
        self.asked.insert(service);
        let word = |value: &Value, name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |name: &str| page.get(name).and_then(Value::as_array).into_iter().flatten();
        for fact in list("facts") {
            let since = fact
                .get("since")
                .and_then(Value::as_str)
                .and_then(|text| text.parse::<prost_types::Timestamp>().ok())
                .and_then(|time| aex_error::wire::read_time(&time));
            self.state(
                &word(fact, "kind"),
                word(fact, "subject"),
                word(fact, "value"),
                since,
            );
        }
        self.broken.extend(list("violations").map(|violation| Finding {
            invariant: word(violation, "invariant"),
            subject: word(violation, "subject"),
            detail: word(violation, "detail"),
            since: None,
        }));
    }

    /// One statement about a thing.
    pub(crate) fn state(&mut self, kind: &str, subject: String, value: String, since: Option<Timestamp>) {
        let stated = self.stated.entry(kind.to_owned()).or_default();
        stated.insert(subject, Fact { value, since });
    }

    /// Something that was found broken.
    pub(crate) fn found(&mut self, finding: Finding) {
        self.broken.push(finding);
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &'static str> {
        self.asked.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.stated.values().map(HashMap::len).sum()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.stated
            .iter()
            .map(|(kind, facts)| (kind.clone(), facts.len()))
            .collect()
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = (&String, &Fact)> {
        self.stated.get(kind).into_iter().flatten()
    }

    pub(crate) fn find(&self, kind: &str, subject: &str) -> Option<&Fact> {
        self.stated.get(kind)?.get(subject)
    }

    /// Is anything stated of it: `work` is the beginning of `work.status` and of `work.contract`?
    pub(crate) fn know(&self, kind: &str, subject: &str) -> bool {
        let is_of = |stated: &str| {
            stated
                .strip_prefix(kind)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.stated
            .iter()
            .any(|(stated, subjects)| is_of(stated) && subjects.contains_key(subject))
    }

    fn were_asked(&self, services: &[&str]) -> bool {
        services.iter().all(|service| self.asked.contains(service))
    }
}

/// What one service's state of a thing demands of another service's.
struct Rule {
    name: &'static str,
    /// Who states the first, and who the second.
    between: [&'static str; 2],
    /// The kind that is looked at, and its values for which the rule speaks; none means all.
    when: (&'static str, &'static [&'static str]),
    /// The kind that must be stated of the same thing, and the values that are right; none means any.
    then: (&'static str, &'static [&'static str]),
}

const RULES: &[Rule] = &[
    Rule {
        name: "a running contract has its money on hold",
        between: ["contract-engine", "settlement"],
        when: (
            "contract.status",
            &["AWARDED", "EXECUTING", "VERIFICATION_PENDING", "COMPLETED"],
        ),
        then: ("hold.status", &["HELD", "CAPTURED"]),
    },
    Rule {
        name: "a settled contract's hold is captured",
        between: ["contract-engine", "settlement"],
        when: ("contract.status", &["SETTLED"]),
        then: ("hold.status", &["CAPTURED"]),
    },
    Rule {
        name: "a captured hold's contract was completed",
        between: ["settlement", "contract-engine"],
        when: ("hold.status", &["CAPTURED"]),
        then: ("contract.status", &["COMPLETED", "SETTLED"]),
    },
    Rule {
        name: "a hold belongs to a contract",
        between: ["settlement", "contract-engine"],
        when: ("hold.status", &["HELD"]),
        then: (
            "contract.status",
            &[
                "PROPOSED",
                "AWARDED",
                "EXECUTING",
                "VERIFICATION_PENDING",
                "COMPLETED",
                "FAILED",
            ],
        ),
    },
    Rule {
        name: "L9: a journal has its event in the log",
        between: ["settlement", "event-ledger"],
        when: ("journal.posted", &[]),
        then: ("ledger.journal", &[]),
    },
    Rule {
        name: "L9: the journal of an event is posted",
        between: ["event-ledger", "settlement"],
        when: ("ledger.journal", &[]),
        then: ("journal.posted", &[]),
    },
    Rule {
        name: "a contract that ended has an outcome",
        between: ["contract-engine", "trust-broker"],
        when: ("contract.status", &["SETTLED", "FAILED", "EXPIRED"]),
        then: ("trust.outcome", &[]),
    },
    Rule {
        name: "an outcome belongs to a contract that ended",
        between: ["trust-broker", "contract-engine"],
        when: ("trust.outcome", &[]),
        then: ("contract.status", &["COMPLETED", "SETTLED", "FAILED", "EXPIRED"]),
    },
];

/// Everything that does not hold.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = facts.broken.clone();
    for rule in RULES.iter().filter(|rule| facts.were_asked(&rule.between)) {
        findings.extend(rule.broken(facts));
    }
    if facts.were_asked(&["work-publisher", "contract-engine"]) {
        findings.extend(awards(facts));
    }
    if facts.were_asked(&["settlement", "contract-engine"]) {
        findings.extend(prices(facts));
    }
    if facts.were_asked(&["bid-gateway", "contract-engine"]) {
        findings.extend(bids(facts));
    }
    findings.sort_by(|a, b| (&a.invariant, &a.subject).cmp(&(&b.invariant, &b.subject)));
    findings.dedup();
    findings
}

impl Rule {
    fn broken(&self, facts: &Facts) -> Vec<Finding> {
        let speaks = |value: &str| self.when.1.is_empty() || is_one_of(value, self.when.1);
        facts
            .of(self.when.0)
            .filter(|(_, fact)| speaks(&fact.value))
            .filter_map(|(subject, fact)| {
                let other = facts.find(self.then.0, subject);
                let found = match other {
                    None => "nothing".to_owned(),
                    Some(other) if self.then.1.is_empty() || is_one_of(&other.value, self.then.1) => {
                        return None;
                    }
                    Some(other) => other.value.clone(),
                };
                Some(Finding {
                    invariant: self.name.to_owned(),
                    subject: subject.clone(),
                    detail: format!("{} is {}, {} is {found}", self.when.0, fact.value, self.then.0),
                    since: latest(fact.since, other.and_then(|other| other.since)),
                })
            })
            .collect()
    }
}

/// A work that is taken names a contract that exists, that names this work, and that has not come to nothing. A contract states its status, its
/// work, its price, the price's currency and its bid.
fn awards(facts: &Facts) -> Vec<Finding> {
    let judged = |(work, fact): (&String, &Fact)| {
        let contract = facts.find("contract.status", &fact.value);
        let named = contract.map(|contract| part(&contract.value, 1));
        let is_void = contract.is_some_and(|contract| is_one_of(&contract.value, &["VOID"]));
        let detail = match named {
            None => "nothing: it does not exist".to_owned(),
            Some(named) if named != work => named.to_owned(),
            Some(_) if is_void => "nothing any more: it is void".to_owned(),
            Some(_) => return None,
        };
        Some(Finding {
            invariant: "a work's contract is for this work".to_owned(),
            subject: work.clone(),
            detail: format!("{} is for {detail}", fact.value),
            since: latest(fact.since, contract.and_then(|contract| contract.since)),
        })
    };
    facts.of("work.contract").filter_map(judged).collect()
}

/// A contract that was awarded is for a bid that a book has; the book itself took it before its end.
fn bids(facts: &Facts) -> Vec<Finding> {
    let judged = |(contract, fact): (&String, &Fact)| {
        let was_awarded = !is_one_of(&fact.value, &["PROPOSED", "VOID"]);
        let bid = part(&fact.value, 4);
        (was_awarded && facts.find("bid.status", bid).is_none()).then(|| Finding {
            invariant: "I5: an award is of a bid that was received".to_owned(),
            subject: contract.clone(),
            detail: format!("it is for {bid}, which no book has"),
            since: fact.since,
        })
    };
    facts.of("contract.status").filter_map(judged).collect()
}

/// What a contract cost is what was agreed.
fn prices(facts: &Facts) -> Vec<Finding> {
    let judged = |(contract, settled): (&String, &Fact)| {
        let agreed = facts.find("contract.status", contract)?;
        let price = part(&agreed.value, 2);
        (price != settled.value).then(|| Finding {
            invariant: "a contract costs what was agreed".to_owned(),
            subject: contract.clone(),
            detail: format!("{price} was agreed, {} was settled", settled.value),
            since: settled.since,
        })
    };
    facts.of("contract.settled").filter_map(judged).collect()
}

fn is_one_of(value: &str, right: &[&str]) -> bool {
    right.contains(&part(value, 0))
}

fn part(value: &str, at: usize) -> &str {
    value.split(' ').nth(at).unwrap_or_default()
}

fn latest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.max(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(facts: &[(&str, &str, &str)]) -> Value {
        let facts: Vec<_> = facts
            .iter()
            .map(|(kind, subject, value)| {
                json!({"kind": kind, "subject": subject, "value": value, "since": "2026-01-01T00:00:00Z"})
            })
            .collect();
        json!({"facts": facts})
    }

    fn of(contracts: &[(&str, &str, &str)], holds: &[(&str, &str, &str)]) -> Facts {
        let mut facts = Facts::default();
        facts.take("contract-engine", &page(contracts));
        facts.take("settlement", &page(holds));
        facts
    }

    #[test]
    fn a_trade_that_agrees_breaks_nothing() {
        let mut facts = of(
            &[
                ("contract.status", "c1", "SETTLED w1 5.25 USD"),
                ("contract.status", "c2", "EXECUTING w2 1 USD"),
            ],
            &[
                ("hold.status", "c1", "CAPTURED"),
                ("contract.settled", "c1", "5.25"),
                ("hold.status", "c2", "HELD"),
            ],
        );
        facts.take("trust-broker", &page(&[("trust.outcome", "c1", "SUCCESS")]));
        facts.take("work-publisher", &page(&[("work.contract", "w1", "c1")]));
        assert_eq!(judge(&facts), []);
    }

    #[test]
    fn money_that_does_not_follow_its_contract_is_found() {
        for (contract, hold) in [
            ("EXECUTING", None),
            ("EXECUTING", Some("RELEASED")),
            ("SETTLED", Some("HELD")),
            ("VOID", Some("HELD")),
            ("VOID", Some("CAPTURED")),
        ] {
            let contract = format!("{contract} w1 5.25 USD");
            let holds: Vec<_> = hold.iter().map(|hold| ("hold.status", "c1", *hold)).collect();
            let found = judge(&of(&[("contract.status", "c1", &contract)], &holds));
            assert!(!found.is_empty(), "{contract} {hold:?}");
            assert!(
                found
                    .iter()
                    .all(|finding| finding.subject == "c1" && finding.since.is_some())
            );
        }
        let found = judge(&of(
            &[("contract.status", "c1", "SETTLED w1 5.25 USD")],
            &[
                ("hold.status", "c1", "CAPTURED"),
                ("contract.settled", "c1", "5.26"),
            ],
        ));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].detail, "5.25 was agreed, 5.26 was settled");
    }

    #[test]
    fn a_lost_outcome_and_a_lost_contract_are_found() {
        let mut facts = of(&[("contract.status", "c1", "FAILED w1 1 USD")], &[]);
        facts.take("trust-broker", &page(&[("trust.outcome", "c9", "EXPIRED")]));
        facts.take(
            "work-publisher",
            &page(&[
                ("work.contract", "w1", "c1"),
                ("work.contract", "w2", "c7"),
                ("work.contract", "w3", "c1"),
            ]),
        );
        let subjects: Vec<_> = judge(&facts).into_iter().map(|finding| finding.subject).collect();
        assert_eq!(subjects, ["c1", "w2", "w3", "c9"]);
    }

    #[test]
    fn a_work_that_waits_for_a_void_contract_is_found() {
        let mut facts = of(&[("contract.status", "c1", "VOID w1 1 USD b1")], &[]);
        facts.take("work-publisher", &page(&[("work.contract", "w1", "c1")]));
        let found = judge(&facts);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].detail, "c1 is for nothing any more: it is void");
    }

    #[test]
    fn an_award_of_a_bid_that_nobody_made_is_found() {
        let mut facts = of(
            &[
                ("contract.status", "c1", "FAILED w1 1 USD b1"),
                ("contract.status", "c2", "FAILED w2 1 USD b2"),
                ("contract.status", "c3", "VOID w3 1 USD b3"),
            ],
            &[],
        );
        facts.take("bid-gateway", &page(&[("bid.status", "b1", "AWARDED")]));
        let found = judge(&facts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, "c2");
    }

    #[test]
    fn l9_a_journal_and_its_event_miss_each_other() {
        let mut facts = Facts::default();
        let posted = page(&[("journal.posted", "j1", "k"), ("journal.posted", "j2", "k")]);
        facts.take("settlement", &posted);
        facts.take("event-ledger", &json!({}));
        for journal in ["j2", "j3"] {
            facts.state(
                "ledger.journal",
                journal.to_owned(),
                "hold.placed".to_owned(),
                None,
            );
        }
        let found: Vec<_> = judge(&facts)
            .into_iter()
            .map(|finding| (finding.invariant[..3].to_owned(), finding.subject))
            .collect();
        assert_eq!(
            found,
            [
                ("L9:".to_owned(), "j1".to_owned()),
                ("L9:".to_owned(), "j3".to_owned())
            ]
        );
    }

    #[test]
    fn what_a_service_finds_in_itself_is_told_and_absent_services_are_not_missed() {
        let mut facts = Facts::default();
        let own = json!({"violations": [{"invariant": "L2", "subject": "x", "detail": "y"}]});
        facts.take("settlement", &own);
        facts.take("settlement", &page(&[("hold.status", "c1", "HELD")]));
        let found = judge(&facts);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].invariant.as_str(), found[0].since), ("L2", None));
    }
}
