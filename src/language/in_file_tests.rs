//! `[[test]]`: requests and the answers that the table must give, and what of the table they reach.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

use super::{Compiler, shape};
use crate::table::answer::{Answer, Asked, answer};
use crate::table::diagnostic::{Code, Diagnostic, Severity};
use crate::table::guard::{LOOP_GUARD, LoopGuard};
use crate::table::intercept::{BLOCK, Intercept, PASS};
use crate::table::problems::{Value, entries};
use crate::table::schedule::parse_moment;
use crate::table::twiml;
use crate::table::when::{Mismatch, When};
use crate::table::{DEFAULT, Miss, Table};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook, sample};
use crate::twilio::spelling::nearest;

/// The moment of a test that names none.
const NOON: &str = "2026-01-01T12:00:00Z";

/// Where a test's request comes to.
const URL: &str = "https://self.invalid/out-of-session";

/// What running the tests has shown.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub failed: Vec<Diagnostic>,
    pub tests: Vec<Ran>,
}

/// A test that was run: its request, when it came, and which route answered it, or which intercept decided.
#[derive(Debug)]
pub(super) struct Ran {
    pub body: Form,
    pub query: Form,
    pub webhook: Webhook,
    pub now: Timestamp,
    pub answer: String,
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

impl Test<'_> {
    fn ran(self, now: Timestamp, answer: String) -> Ran {
        Ran {
            body: self.body,
            query: self.query,
            webhook: self.webhook,
            now,
            answer,
        }
    }
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
        self.problems
            .unknown_keys(test, "a test", &shape::TEST.keys());
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
        let webhook = self.test_webhook(test)?;
        let Some(expect) = test.get("expect") else {
            let help = match webhook {
                Webhook::Intercept => "write expect = \"block\" or \"pass\"",
                _ => "write expect = \"ROUTE\", \"default\" or \"loop-guard\"",
            };
            self.problems
                .error(Code::MissingKey, place, "a test has no `expect`", help);
            return None;
        };
        let expect_place = expect.span();
        let expect = self.expected(expect, webhook)?;
        if webhook == Webhook::Intercept {
            self.check_no_document(test);
        }
        let given = self.test_request(test, webhook)?;
        let channel = match test.get("channel") {
            Some(channel) => self.test_channel(channel)?,
            None => sample::channel(&given, webhook, false),
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
            body: sample::filled(&given, channel, webhook),
            query: step.iter().map(|step| ("step", *step)).collect(),
            webhook,
            at,
            expect,
            expect_place,
            contains,
            place,
        })
    }

    /// What a test expects, when something of that name can be the outcome.
    fn expected<'v>(&mut self, value: &'v Value<'_>, webhook: Webhook) -> Option<&'v str> {
        let (message, help) = if webhook == Webhook::Intercept {
            let expect = self.problems.text(value, "\"block\" or \"pass\"")?;
            if [BLOCK, PASS].contains(&expect) {
                return Some(expect);
            }
            let message = format!("no intercept does \"{expect}\"");
            (message, "write \"block\" or \"pass\"".to_owned())
        } else {
            let expect = self.problems.text(value, "the name of a route")?;
            if self.route_names.contains_key(expect) || [DEFAULT, LOOP_GUARD].contains(&expect) {
                return Some(expect);
            }
            let mut routes: Vec<(&String, &usize)> = self.route_names.iter().collect();
            routes.sort_unstable_by_key(|(_, place)| **place);
            let help = match nearest(expect, routes.iter().map(|(name, _)| name.as_str())) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if [BLOCK, PASS].contains(&expect) => {
                    "add webhook = \"intercept\" to test an intercept".to_owned()
                }
                None => "name a route, or write \"default\" or \"loop-guard\"".to_owned(),
            };
            (format!("there is no route \"{expect}\""), help)
        };
        self.problems
            .error(Code::BadTest, value.span(), message, help);
        None
    }

    /// Reports what only a document can have.
    fn check_no_document(&mut self, test: &DeTable<'_>) {
        for (key, value) in entries(test) {
            let name = key.get_ref().as_ref();
            if ["contains", "step"].contains(&name) {
                let message = format!("an intercept has no `{name}`: it only blocks or lets pass");
                self.problems
                    .error(Code::BadTest, value.span(), message, "take it out");
            }
        }
    }

    fn test_request(&mut self, test: &DeTable<'_>, webhook: Webhook) -> Option<Form> {
        let Some(value) = test.get("request") else {
            return Some(Form::default());
        };
        let fields = self.problems.table(value, "a table of parameters")?;
        let mut pairs = Vec::new();
        for (key, value) in entries(fields) {
            let name = key.get_ref().as_ref();
            self.check_parameter(name, &key.span());
            if webhook == Webhook::Intercept {
                self.check_intercept_parameter(name, &key.span());
            }
            pairs.push((
                name.to_owned(),
                self.problems.text(value, "a text")?.to_owned(),
            ));
        }
        Some(pairs.into_iter().collect())
    }

    fn test_channel(&mut self, value: &Value<'_>) -> Option<Channel> {
        let text = self.problems.text(value, "\"voice\" or \"message\"")?;
        let channel = Channel::from_name(text);
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
        let webhook = Webhook::from_name(text)
            .filter(|webhook| webhook.wants_document() || *webhook == Webhook::Intercept);
        if webhook.is_none() {
            let message = format!("a test cannot ask a webhook \"{text}\"");
            let help = "write \"out-of-session\", \"webhook\" or \"intercept\"";
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
        if test.webhook == Webhook::Intercept {
            return self.run_interception(test, table, now, outcome);
        }
        let asked = Asked {
            request,
            url: URL,
            token: "",
            now,
        };
        let answer = answer(table, &LoopGuard::new(), &asked);
        if let Some((message, help, place)) = verdict(&test, &answer) {
            outcome.failed.push(self.failed(place, message, help));
        }
        let answer = answer.route.to_owned();
        outcome.tests.push(test.ran(now, answer));
    }

    /// Runs a test of the intercepts.
    fn run_interception(
        &mut self,
        test: Test<'_>,
        table: &Table,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let request = Request::new(test.webhook, &test.body, &test.query);
        let intercept = table.intercept(&request, now);
        let what = intercept.map_or(PASS, Intercept::outcome);
        if what != test.expect {
            let by = match intercept {
                Some(intercept) => format!("\"{}\" says \"{what}\"", intercept.name),
                None => format!("no intercept fits, so it is \"{what}\""),
            };
            let help = "`explain --webhook intercept` with this request shows why";
            let message = format!("{by}, not \"{}\"", test.expect);
            let failed = self.failed(test.expect_place.clone(), message, help.to_owned());
            outcome.failed.push(failed);
        }
        let decided = intercept
            .map_or(PASS, |intercept| &intercept.name)
            .to_owned();
        outcome.tests.push(test.ran(now, decided));
    }

    fn failed(&self, span: Range<usize>, message: String, help: String) -> Diagnostic {
        Diagnostic {
            code: Code::FailedTest,
            severity: Severity::Error,
            file: std::sync::Arc::clone(self.problems.file()),
            span,
            message,
            help,
            error_number: None,
        }
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

/// Whether at another hour another route or intercept could be the first: a schedule stands between it and the request.
fn depends_on_the_hour(table: &Table, request: &Request<'_>, now: Timestamp) -> bool {
    let depends = |when: &When, miss: Option<Miss<'_>>| match miss {
        Some(Miss::When(Mismatch::Closed(_) | Mismatch::Open(_))) => Some(true),
        Some(_) => None,
        None => Some(when.has_hours()),
    };
    let found = if request.webhook() == Webhook::Intercept {
        let mut verdicts = table.intercept_verdicts(request, now);
        verdicts.find_map(|(intercept, miss)| depends(&intercept.when, miss.map(Miss::When)))
    } else {
        let mut verdicts = table.close_verdicts(request, now);
        verdicts.find_map(|(route, miss)| depends(&route.when, miss))
    };
    found.unwrap_or(false)
}
