//! `[[test]]`: requests and the answers that the table must give, and what of the table they reach.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

use super::Compiler;
use super::problems::{Value, entries};
use crate::answer::{Answer, Asked, answer};
use crate::diagnostic::{Code, Diagnostic, Severity, nearest};
use crate::guard::{Guard, LOOP_GUARD};
use crate::request::{Form, Request, Webhook, sample};
use crate::table::schedule::parse_moment;
use crate::table::{DEFAULT, Miss, Table};
use crate::twiml;
use crate::types::Channel;

const TEST_KEYS: [&str; 8] = [
    "at", "channel", "contains", "expect", "name", "request", "step", "webhook",
];

/// The moment of a test that names none.
const NOON: &str = "2026-01-01T12:00:00Z";

/// Where a test's request comes to.
const URL: &str = "https://self.invalid/out-of-session";

/// What the tests of a table reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many tests there are.
    pub tests: usize,
    /// How many routes and conditions there are.
    pub total: usize,
    /// The routes that no test's request is answered by.
    pub routes: Vec<String>,
    /// The conditions that no test's request comes to: the route's name and the condition.
    pub conditions: Vec<(String, String)>,
}

impl Coverage {
    /// How much is reached, in percent, rounded down; 100 when there is nothing to reach.
    #[must_use]
    pub fn percent(&self) -> usize {
        let missed = self.routes.len() + self.conditions.len();
        ((self.total - missed) * 100)
            .checked_div(self.total)
            .unwrap_or(100)
    }
}

/// What running the tests has shown.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub failed: Vec<Diagnostic>,
    pub tests: Vec<Ran>,
}

/// A test that was run: its request, when it came, and what answered it.
#[derive(Debug)]
pub(super) struct Ran {
    body: Form,
    query: Form,
    webhook: Webhook,
    now: Timestamp,
    answer: String,
}

/// One `[[test]]`, read.
struct Test<'t> {
    body: Form,
    query: Form,
    webhook: Webhook,
    at: Option<Timestamp>,
    expect: &'t str,
    expect_place: Range<usize>,
    contains: Option<(&'t str, Range<usize>)>,
    place: Range<usize>,
}

/// What of a table has been reached: routes by position, conditions by route, table of `when` and position.
#[derive(Default)]
struct Reached {
    routes: BTreeSet<usize>,
    conditions: BTreeSet<(usize, usize, usize)>,
}

impl Compiler<'_> {
    /// Reads all tests, and runs them against the table that they stand in, when there is one.
    pub(super) fn run_tests(&mut self, file: &DeTable<'_>, table: Option<&Table>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut names: BTreeSet<String> = BTreeSet::new();
        if let Some(section) = file.get("test") {
            let help = "write [[test]], with two brackets, above each test";
            let tests = self
                .problems
                .array(section, "an array of tests", help)
                .unwrap_or_default();
            for value in tests {
                if let (Some(test), Some(table)) = (self.test_case(value, &mut names), table) {
                    self.run_test(test, table, &mut outcome);
                }
            }
        }
        outcome
    }

    fn test_case<'v>(
        &mut self,
        value: &'v Value<'_>,
        names: &mut BTreeSet<String>,
    ) -> Option<Test<'v>> {
        let test = self.problems.table(value, "a test")?;
        self.problems.unknown_keys(test, "a test", &TEST_KEYS);
        let place = if let Some(name) = test.get("name") {
            let text = self.problems.text(name, "a name")?;
            if !names.insert(text.to_owned()) {
                let message = format!("there is a test \"{text}\" already");
                self.problems.error(
                    Code::DuplicateName,
                    name.span(),
                    message,
                    "choose another name",
                );
            }
            name.span()
        } else {
            let help = "write name = \"…\": it says which test has failed";
            self.problems
                .error(Code::MissingKey, value.span(), "a test has no `name`", help);
            return None;
        };
        let Some(expect) = test.get("expect") else {
            let help = "write expect = \"ROUTE\", \"default\" or \"loop-guard\"";
            self.problems
                .error(Code::MissingKey, place, "a test has no `expect`", help);
            return None;
        };
        let expect_place = expect.span();
        let expect = self.problems.text(expect, "the name of a route")?;
        if !self.route_names.contains_key(expect) && ![DEFAULT, LOOP_GUARD].contains(&expect) {
            let mut routes: Vec<(&String, &usize)> = self.route_names.iter().collect();
            routes.sort_unstable_by_key(|(_, place)| **place);
            let help = match nearest(expect, routes.iter().map(|(name, _)| name.as_str())) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "name a route, or write \"default\" or \"loop-guard\"".to_owned(),
            };
            let message = format!("there is no route \"{expect}\"");
            self.problems
                .error(Code::BadTest, expect_place, message, help);
            return None;
        }
        let given = self.test_request(test)?;
        let channel = match test.get("channel") {
            Some(channel) => self.test_channel(channel)?,
            None => sample::channel(&given, false),
        };
        let step = match test.get("step") {
            Some(step) => Some(self.problems.text(step, "the name of a step")?),
            None => None,
        };
        let contains = match test.get("contains") {
            Some(contains) => Some((self.problems.text(contains, "a text")?, contains.span())),
            None => None,
        };
        let at = match test.get("at") {
            Some(at) => Some(self.test_moment(at)?),
            None => None,
        };
        Some(Test {
            body: sample::filled(&given, channel),
            query: step.iter().map(|step| ("step", *step)).collect(),
            webhook: self.test_webhook(test)?,
            at,
            expect,
            expect_place,
            contains,
            place,
        })
    }

    fn test_request(&mut self, test: &DeTable<'_>) -> Option<Form> {
        let Some(value) = test.get("request") else {
            return Some(Form::default());
        };
        let fields = self.problems.table(value, "a table of parameters")?;
        let mut pairs = Vec::new();
        for (key, value) in entries(fields) {
            let name = key.get_ref().as_ref();
            self.check_parameter(name, &key.span());
            pairs.push((
                name.to_owned(),
                self.problems.text(value, "a text")?.to_owned(),
            ));
        }
        Some(pairs.into_iter().collect())
    }

    fn test_channel(&mut self, value: &Value<'_>) -> Option<Channel> {
        let text = self.problems.text(value, "\"voice\" or \"message\"")?;
        let channel = Channel::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text);
        if channel.is_none() {
            let message = format!("there is no channel \"{text}\"");
            let help = "write \"voice\" or \"message\"";
            self.problems
                .error(Code::BadTest, value.span(), message, help);
        }
        channel
    }

    fn test_webhook(&mut self, test: &DeTable<'_>) -> Option<Webhook> {
        let Some(value) = test.get("webhook") else {
            return Some(Webhook::OutOfSession);
        };
        let text = self.problems.text(value, "the name of a webhook")?;
        let webhook = [Webhook::OutOfSession, Webhook::Webhook]
            .into_iter()
            .find(|webhook| webhook.as_str() == text);
        if webhook.is_none() {
            let message = format!("there is no webhook \"{text}\"");
            let help = "write \"out-of-session\" or \"webhook\"";
            self.problems
                .error(Code::BadTest, value.span(), message, help);
        }
        webhook
    }

    fn test_moment(&mut self, value: &Value<'_>) -> Option<Timestamp> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => {
                self.problems.wrong_type(
                    value,
                    "a moment",
                    "write at = \"2026-12-24T12:00[America/New_York]\"",
                );
                return None;
            }
        };
        let moment = parse_moment(&text);
        if moment.is_none() {
            let help = "write it with its zone or offset: \"2026-12-24T12:00[America/New_York]\"";
            let message = format!("\"{text}\" is no moment in time");
            self.problems
                .error(Code::BadTest, value.span(), message, help);
        }
        moment
    }

    fn run_test(&mut self, test: Test<'_>, table: &Table, outcome: &mut Outcome) {
        let request = &Request::new(test.webhook, &test.body, &test.query);
        let noon = || NOON.parse().expect("it is a moment");
        let now = test.at.unwrap_or_else(noon);
        if test.at.is_none() && depends_on_the_hour(table, request, now) {
            let help = "write at = \"2026-12-24T12:00[America/New_York]\"";
            let message = "this test's answer depends on the hour";
            self.problems
                .warn(Code::TestNeedsTime, test.place.clone(), message, help);
        }
        let asked = Asked {
            request,
            url: URL,
            token: "",
            now,
        };
        let answer = answer(table, &Guard::new(), &asked);
        if let Some((message, help, place)) = verdict(&test, &answer) {
            outcome.failed.push(Diagnostic {
                code: Code::FailedTest,
                severity: Severity::Error,
                file: std::sync::Arc::clone(self.problems.file()),
                span: place,
                message,
                help,
                error_number: None,
            });
        }
        let answer = answer.route.to_owned();
        outcome.tests.push(Ran {
            body: test.body,
            query: test.query,
            webhook: test.webhook,
            now,
            answer,
        });
    }
}

/// What is wrong with an answer; `None` when it is what the test expects.
fn verdict(test: &Test<'_>, answer: &Answer<'_>) -> Option<(String, String, Range<usize>)> {
    if answer.route != test.expect {
        let message = match &answer.failure {
            Some((route, error)) => {
                format!("\"{route}\" cannot be written ({error}), so \"default\" answers")
            }
            None => format!("\"{}\" answers, not \"{}\"", answer.route, test.expect),
        };
        let is_withheld = test
            .body
            .first("Caller")
            .or(test.body.first("From"))
            .is_none();
        let help = if is_withheld {
            "`explain` with this request shows why; without a Caller the caller counts as withheld"
        } else {
            "`explain` with this request shows why"
        };
        let help = help.to_owned();
        return Some((message, help, test.expect_place.clone()));
    }
    let (wanted, place) = test.contains.as_ref()?;
    let document = String::from_utf8_lossy(&answer.body);
    if document.contains(wanted) || twiml::unescaped(&document).contains(wanted) {
        return None;
    }
    let message = format!(
        "the answer of \"{}\" does not contain this text",
        answer.route
    );
    let help = format!("it is: {document}");
    Some((message, help, place.clone()))
}

/// Whether at another hour another route could answer: a schedule stands between the request and its answer.
fn depends_on_the_hour(table: &Table, request: &Request<'_>, now: Timestamp) -> bool {
    for (route, miss) in table.close_verdicts(request, now) {
        match miss {
            Some(Miss::Closed(_) | Miss::Open(_)) => return true,
            Some(_) => {}
            None => return !route.during.is_empty() || !route.outside.is_empty(),
        }
    }
    false
}

/// What these tests of a table reach.
pub(super) fn coverage(table: &Table, tests: &[Ran]) -> Coverage {
    let mut reached = Reached::default();
    for test in tests {
        let request = Request::new(test.webhook, &test.body, &test.query);
        reached.follow(table, &request, test.now, &test.answer);
    }
    let mut coverage = Coverage {
        tests: tests.len(),
        ..Coverage::default()
    };
    reached.count(table, &mut coverage);
    coverage
}

impl Reached {
    /// Notes what a request comes to: the conditions up to the first that fails, and the route that answers.
    fn follow(&mut self, table: &Table, request: &Request<'_>, now: Timestamp, answers: &str) {
        for (position, (route, miss)) in table.verdicts(request, now).enumerate() {
            if matches!(
                miss,
                Some(Miss::Step(_) | Miss::Silent(_) | Miss::ProxyOnly)
            ) {
                continue;
            }
            for (table, alternative) in route.alternatives.iter().enumerate() {
                let mut all_hold = true;
                for (index, condition) in alternative.conditions.iter().enumerate() {
                    self.conditions.insert((position, table, index));
                    all_hold = condition.holds(request);
                    if !all_hold {
                        break;
                    }
                }
                if all_hold {
                    break;
                }
            }
            if miss.is_none() {
                if *route.name == *answers {
                    self.routes.insert(position);
                }
                return;
            }
        }
    }

    fn count(&self, table: &Table, coverage: &mut Coverage) {
        for (position, route) in table.routes().iter().enumerate() {
            coverage.total += 1;
            if !self.routes.contains(&position) {
                coverage.routes.push(route.name.to_string());
            }
            for (table, alternative) in route.alternatives.iter().enumerate() {
                for (index, condition) in alternative.conditions.iter().enumerate() {
                    coverage.total += 1;
                    if !self.conditions.contains(&(position, table, index)) {
                        let condition = format!("{} = {}", condition.subject, condition.test);
                        coverage
                            .conditions
                            .push((route.name.to_string(), condition));
                    }
                }
            }
        }
    }
}
