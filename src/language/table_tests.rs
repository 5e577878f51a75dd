//! `[[test]]`: requests, and the answers that the table must give to them.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use toml::de::DeTable;

use super::names::Names;
use super::shape;
use super::values::check_request;
use crate::table::answer::Answer;
use crate::table::diagnostic::{Check, Diagnostic};
use crate::table::dialogue::{Conversation, Sent, Stuck};
use crate::table::guard::LOOP_GUARD;
use crate::table::intercept::{BLOCK, PASS};
use crate::table::problems::{DUPLICATE_NAME, Key, Problems, Value, entries};
use crate::table::reason::reason;
use crate::table::remedy::{did_you_mean, one_of};
use crate::table::schedule::parse_moment;
use crate::table::when::{Mismatch, When};
use crate::table::{DEFAULT, Miss, Table, twiml};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook, sample};

pub(super) static BAD_TEST: Check = Check::new(
    "bad-test",
    "A `[[test]]` that cannot be run: it expects a route that does not exist, or names a channel, webhook or moment that
does not exist. Write a moment with its time zone or offset.",
    r#"at = "2026-12-24T12:00"     # "2026-12-24T12:00[America/New_York]""#,
);

pub(super) static FAILED_TEST: Check = Check::new(
    "failed-test",
    "A `[[test]]` whose request does not get the expected answer, or that has a step to which the previous answer does not
lead. It keeps an edit from going live, but not the service from starting. The message says why the expected route does
not answer, `explain --test NAME` shows every verdict, and `call` lets you walk through the steps. Then correct the table
or the test.",
    r#"request = { Called = "+15005550006" }
expect = "ride-ended""#,
);

pub(super) static TEST_NEEDS_TIME: Check = Check::new(
    "test-needs-time",
    "The answer to a test depends on a schedule, and the test does not say when its request comes. It runs at noon UTC on 1
January, which is probably not what you want. Write `at`.",
    r#"at = "2026-12-24T12:00[America/New_York]""#,
);

/// The moment of a test without `at`: 2026-01-01T12:00:00Z.
const NOON: Timestamp = Timestamp::constant(1_767_268_800, 0);

const WRITE_AT: &str = "write at = \"2026-12-24T12:00[America/New_York]\"";

/// A `[[test]]` that was run.
#[derive(Debug)]
pub struct RanTest {
    /// Its name.
    pub name: String,
    /// The moment of its requests.
    pub now: Timestamp,
    /// Its requests, up to the first that did not get the expected answer. Never empty.
    pub requests: Vec<RanRequest>,
    /// Whether all requests were sent and got the expected answers.
    pub has_passed: bool,
}

/// A request in a test, and the route that answered it or the intercept that decided.
#[derive(Debug)]
pub struct RanRequest {
    /// The request, including the fields that the test leaves out.
    pub sent: Sent,
    /// What must answer: the name of a route, `default` or `loop-guard`; for an intercept, `block` or `pass`.
    pub expect: String,
    /// The route that answered, or the intercept that decided.
    pub decided_by: String,
}

/// A `[[test]]`, as read from the table.
struct TableTest<'t> {
    name: &'t str,
    first: Sent,
    at: Option<Timestamp>,
    expected: Expected<'t>,
    steps: Vec<TestStep<'t>>,
    place: Range<usize>,
}

/// The answer that a request in a test must get.
struct Expected<'t> {
    outcome: &'t str,
    place: Range<usize>,
    contains: Option<(&'t str, Range<usize>)>,
}

/// One of the `steps`: what somebody does, and the answer that they must get.
struct TestStep<'t> {
    fields: Form,
    expected: Expected<'t>,
    place: Range<usize>,
}

/// Reads all tests, and runs them against their table, when there is one: what failed, and what was run.
pub(super) fn run_tests(
    names: &Names,
    problems: &mut Problems,
    file: &DeTable<'_>,
    table: Option<&Table>,
) -> (Vec<Diagnostic>, Vec<RanTest>) {
    let help = "write [[test]], with two brackets, above each test";
    let tests = problems.tables(file.get("test"), ("an array of tests", help), "a test");
    let mut failures = Problems::new(problems.file());
    let mut taken = BTreeSet::new();
    let mut ran = Vec::new();
    for (test, whole) in tests {
        let test = test_case(names, problems, test, whole, &mut taken);
        if let (Some(test), Some(table)) = (test, table) {
            ran.push(run_test(problems, &mut failures, test, table));
        }
    }
    (failures.into_sorted(), ran)
}

fn test_case<'v>(
    names: &Names,
    problems: &mut Problems,
    test: &'v DeTable<'_>,
    whole: &Value<'_>,
    taken: &mut BTreeSet<&'v str>,
) -> Option<TableTest<'v>> {
    let help = "write name = \"…\": it says which test has failed";
    let name = problems.required(test, "name", "a test", whole.span(), help)?;
    let place = name.span();
    let text = problems.text(name, "a name")?;
    if !taken.insert(text) {
        let message = format!("there is already a test \"{text}\"");
        problems.error(&DUPLICATE_NAME, name.span(), message, "choose another name");
    }
    let webhook = test_webhook(problems, test)?;
    let expected = expected(names, problems, test, ("a test", place.clone()), webhook)?;
    for key in ["contains", "step", "steps"] {
        if webhook == Webhook::Intercept
            && let Some(value) = test.get(key)
        {
            let message = format!("an intercept has no `{key}`: it only blocks or passes");
            problems.error(&BAD_TEST, value.span(), message, "remove it");
        }
    }
    let given = test_request(names, problems, test, webhook)?;
    let count = problems.count();
    let channel = test
        .get("channel")
        .and_then(|channel| test_channel(problems, channel))
        .unwrap_or_else(|| sample::channel(&given, webhook, false));
    let step = test.get("step");
    let step = step.and_then(|step| problems.text(step, "the name of a step"));
    let steps = test_steps(names, problems, test.get("steps"));
    let at = test.get("at").and_then(|at| test_moment(problems, at));
    if problems.errors_since(count) > 0 {
        return None;
    }
    Some(TableTest {
        name: text,
        first: Sent {
            body: sample::filled(&given, channel, webhook),
            query: step.iter().map(|step| ("step", *step)).collect(),
            webhook,
        },
        at,
        expected,
        steps,
        place,
    })
}

/// Reads the steps of a test.
fn test_steps<'v>(
    names: &Names,
    problems: &mut Problems,
    value: Option<&'v Value<'_>>,
) -> Vec<TestStep<'v>> {
    let help = "write steps = [ { Digits = \"1\", expect = \"ROUTE\" } ]";
    let steps = problems.tables(value, ("an array of steps", help), "a step");
    let mut read = Vec::new();
    for (step, whole) in steps {
        let own = shape::STEP.keys();
        let fields = entries(step)
            .into_iter()
            .filter(|(key, _)| !own.contains(&key.get_ref().as_ref()));
        let fields = test_fields(names, problems, fields, false);
        let expected = expected(
            names,
            problems,
            step,
            ("a step", whole.span()),
            Webhook::Plain,
        );
        if let (Some(fields), Some(expected)) = (fields, expected) {
            let place = whole.span();
            read.push(TestStep {
                fields,
                expected,
                place,
            });
        }
    }
    read
}

/// Reads what a test or a step expects. Messages call the test or step `what`, at `place`.
fn expected<'v>(
    names: &Names,
    problems: &mut Problems,
    table: &'v DeTable<'_>,
    (what, place): (&str, Range<usize>),
    webhook: Webhook,
) -> Option<Expected<'v>> {
    let help = match webhook {
        Webhook::Intercept => "write expect = \"block\" or \"pass\"",
        _ => "write expect = \"ROUTE\", \"default\" or \"loop-guard\"",
    };
    let expect = problems.required(table, "expect", what, place, help)?;
    let outcome = outcome(names, problems, expect, webhook)?;
    let contains = table.get("contains");
    let contains =
        contains.and_then(|value| Some((problems.text(value, "a string")?, value.span())));
    Some(Expected {
        outcome,
        place: expect.span(),
        contains,
    })
}

/// Reads the expected outcome, and reports a name that no outcome can have.
fn outcome<'v>(
    names: &Names,
    problems: &mut Problems,
    value: &'v Value<'_>,
    webhook: Webhook,
) -> Option<&'v str> {
    let (message, remedy) = if webhook == Webhook::Intercept {
        let expect = problems.name(value, "\"block\" or \"pass\"")?;
        if [BLOCK, PASS].contains(&expect) {
            return Some(expect);
        }
        let message = format!("an intercept can only block or pass, not \"{expect}\"");
        (message, one_of(expect, &[BLOCK, PASS]))
    } else {
        let expect = problems.name(value, "the name of a route")?;
        if names.routes.contains_key(expect) || [DEFAULT, LOOP_GUARD].contains(&expect) {
            return Some(expect);
        }
        let mut routes: Vec<_> = names.routes.iter().collect();
        routes.sort_unstable_by_key(|(_, place)| **place);
        let otherwise = match expect {
            BLOCK | PASS => "add webhook = \"intercept\" to test an intercept",
            _ => "name a route, or write \"default\" or \"loop-guard\"",
        };
        let known = routes.iter().map(|(name, _)| name.as_str());
        let known = known.chain([DEFAULT, LOOP_GUARD]);
        let remedy = did_you_mean('"', expect, known, otherwise);
        (format!("there is no route \"{expect}\""), remedy)
    };
    problems.refuse(&BAD_TEST, value.span(), message, remedy)
}

fn test_request(
    names: &Names,
    problems: &mut Problems,
    test: &DeTable<'_>,
    webhook: Webhook,
) -> Option<Form> {
    let Some(value) = test.get("request") else {
        return Some(Form::default());
    };
    let fields = problems.table(value, "a table of parameters")?;
    test_fields(
        names,
        problems,
        entries(fields),
        webhook == Webhook::Intercept,
    )
}

/// Reads the parameters of a test's request.
fn test_fields<'v>(
    names: &Names,
    problems: &mut Problems,
    fields: impl IntoIterator<Item = (&'v Key<'v>, &'v Value<'v>)>,
    is_intercept: bool,
) -> Option<Form> {
    let fields: Vec<_> = fields.into_iter().collect();
    let is_there = |name: &str| fields.iter().any(|(key, _)| key.get_ref() == name);
    let mut pairs = Vec::new();
    for (key, value) in &fields {
        let name = key.get_ref().as_ref();
        names.check_matched_parameter(problems, (name, &key.span()), is_there, is_intercept);
        let text = problems.text(value, "a string")?;
        check_request(names, problems, name, text, value.span());
        pairs.push((name.to_owned(), text.to_owned()));
    }
    Some(pairs.into_iter().collect())
}

fn test_channel(problems: &mut Problems, value: &Value<'_>) -> Option<Channel> {
    let text = problems.name(value, "\"voice\" or \"message\"")?;
    Channel::from_name(text).or_else(|| {
        let message = format!("there is no channel \"{text}\"");
        let channels = Channel::ALL.map(Channel::as_str);
        problems.refuse(&BAD_TEST, value.span(), message, one_of(text, &channels))
    })
}

fn test_webhook(problems: &mut Problems, test: &DeTable<'_>) -> Option<Webhook> {
    let Some(value) = test.get("webhook") else {
        return Some(Webhook::OutOfSession);
    };
    let text = problems.name(value, "the name of a webhook")?;
    let webhook = Webhook::from_name(text)
        .filter(|webhook| webhook.wants_document() || *webhook == Webhook::Intercept);
    webhook.or_else(|| {
        let message = format!("there is no webhook \"{text}\" for tests");
        let webhooks = ["out-of-session", "webhook", "intercept"];
        problems.refuse(&BAD_TEST, value.span(), message, one_of(text, &webhooks))
    })
}

fn test_moment(problems: &mut Problems, value: &Value<'_>) -> Option<Timestamp> {
    let text = problems.moment(value, "a date and time", WRITE_AT)?;
    parse_moment(&text).or_else(|| {
        let help = "write it with its zone or offset: \"2026-12-24T12:00[America/New_York]\"";
        let message = if text.parse::<DateTime>().is_ok() {
            format!("\"{text}\" has no time zone")
        } else {
            format!("\"{text}\" is not a date and time")
        };
        problems.refuse(&BAD_TEST, value.span(), message, help)
    })
}

/// Runs a test. If it fails, adds the reason to the failures.
fn run_test(
    problems: &mut Problems,
    failures: &mut Problems,
    test: TableTest<'_>,
    table: &Table,
) -> RanTest {
    let now = test.at.unwrap_or(NOON);
    let count = failures.count();
    let requests = if test.first.webhook == Webhook::Intercept {
        vec![run_interception(failures, &test, table, now)]
    } else {
        run_dialogue(failures, &test, table, now)
    };
    let depends = |ran: &RanRequest| {
        let Sent {
            webhook,
            body,
            query,
        } = &ran.sent;
        depends_on_the_hour(table, &Request::new(*webhook, body, query), now)
    };
    if test.at.is_none() && requests.iter().any(depends) {
        let message = "the answer to this test depends on the time";
        problems.warn(&TEST_NEEDS_TIME, test.place, message, WRITE_AT);
    }
    RanTest {
        name: test.name.to_owned(),
        now,
        requests,
        has_passed: failures.count() == count,
    }
}

/// Runs a test of the intercepts. Returns its request with the intercept that decided.
fn run_interception(
    failures: &mut Problems,
    test: &TableTest<'_>,
    table: &Table,
    now: Timestamp,
) -> RanRequest {
    let sent = test.first.clone();
    let request = Request::new(sent.webhook, &sent.body, &sent.query);
    let (decided_by, what, by) = match table.intercept(&request, now) {
        Some(intercept) => {
            let (name, what) = (&*intercept.name, intercept.outcome());
            (name, what, format!("\"{name}\" says \"{what}\""))
        }
        None => (
            PASS,
            PASS,
            format!("no intercept matches, so it is \"{PASS}\""),
        ),
    };
    let Expected { outcome, place, .. } = &test.expected;
    if what != *outcome {
        let mut verdicts = table.intercept_verdicts(&request, now);
        let why = verdicts.find_map(|(intercept, miss)| {
            let miss = miss.filter(|_| intercept.outcome() == *outcome)?;
            let reason = reason(&Miss::When(miss), &intercept.when, &request, now);
            let name = &intercept.name;
            Some(format!("; \"{name}\" does not match, because {reason}"))
        });
        let message = format!("{by}, not \"{outcome}\"{}", why.unwrap_or_default());
        failures.error(&FAILED_TEST, place, message, all_verdicts(test));
    }
    RanRequest {
        expect: (*outcome).to_owned(),
        decided_by: decided_by.to_owned(),
        sent,
    }
}

/// Runs a test of the routes: its request, then each step as the previous answer leads to it, up to the first that does
/// not get the expected answer.
fn run_dialogue(
    failures: &mut Problems,
    test: &TableTest<'_>,
    table: &Table,
    now: Timestamp,
) -> Vec<RanRequest> {
    let mut conversation = Conversation::new(table, test.first.clone(), now);
    let mut requests = Vec::new();
    let mut next = Some((test.first.clone(), &test.expected));
    let mut steps = (1..).zip(&test.steps);
    // The beginning of messages about the current step.
    let mut which = String::new();
    while let Some((sent, expected)) = next.take() {
        let answer = conversation.ask(sent.clone());
        let is_right = if answer.route == expected.outcome {
            check_document(failures, &answer, expected, &which)
        } else {
            let request = Request::new(sent.webhook, &sent.body, &sent.query);
            let why = why_not(expected.outcome, &answer, table, &request, now);
            let mut help = all_verdicts(test);
            if !["Caller", "From"]
                .iter()
                .any(|name| sent.body.first(name).is_some())
            {
                help += "; without a Caller the caller counts as withheld";
            }
            failures.error(&FAILED_TEST, &expected.place, which.clone() + &why, help);
            false
        };
        requests.push(RanRequest {
            expect: expected.outcome.to_owned(),
            decided_by: answer.route.to_owned(),
            sent,
        });
        let Some((number, step)) = steps.next().filter(|_| is_right) else {
            break;
        };
        which = format!("step {number}: ");
        match conversation.follow(&step.fields) {
            Ok(sent) => next = Some((sent, &step.expected)),
            Err(stuck) => {
                let (message, help) = explained(&stuck, answer.route);
                let message = which + &message;
                failures.error(&FAILED_TEST, &step.place, message, help);
                break;
            }
        }
    }
    requests
}

/// Why a step cannot follow this route's answer, and what to do.
fn explained(stuck: &Stuck, route: &str) -> (String, String) {
    let call = "`call` with this test's request shows where each answer leads";
    match stuck {
        Stuck::NothingWaits(Some(name)) => (
            format!("nothing in the answer of \"{route}\" waits for `{name}`"),
            call.to_owned(),
        ),
        Stuck::NothingWaits(None) => (
            format!("nothing follows the answer of \"{route}\""),
            "remove the step, or add what the caller does next, such as Digits or Body".to_owned(),
        ),
        Stuck::Before("Redirect") => (
            format!("the answer of \"{route}\" redirects before that"),
            "add a step { expect = \"ROUTE\" } for the request of the Redirect".to_owned(),
        ),
        Stuck::Before(tag) => (
            format!("the answer of \"{route}\" comes to a `{tag}` before that"),
            format!("add a step for the request that comes after the `{tag}`"),
        ),
        Stuck::Elsewhere(url) => (
            format!("the answer of \"{route}\" leads to {url}, which this table does not answer"),
            "end the steps here".to_owned(),
        ),
    }
}

/// The help for a failed test: how to see more.
fn all_verdicts(test: &TableTest<'_>) -> String {
    format!("`explain --test {:?}` shows every verdict", test.name)
}

/// Why a request gets this answer and not the answer of the expected route.
fn why_not(
    expected: &str,
    answer: &Answer<'_>,
    table: &Table,
    request: &Request<'_>,
    now: Timestamp,
) -> String {
    let route = answer.route;
    if let Some((route, error)) = &answer.failure {
        return format!("\"{route}\" cannot be written ({error}), so \"default\" answers");
    }
    let mut verdicts = table.verdicts(request, now);
    let wanted = verdicts.find(|(route, _)| *route.name == *expected);
    let why = match (answer.guarded, wanted) {
        (Some(verdict), _) => verdict.to_string(),
        (None, Some((wanted, Some(miss)))) => reason(&miss, &wanted.when, request, now),
        (None, Some((_, None))) => format!("both match, and \"{route}\" comes first"),
        (None, None) if expected == DEFAULT => format!("\"{route}\" matches"),
        (None, None) => return format!("\"{route}\" answers, not \"{expected}\""),
    };
    format!("\"{route}\" answers, not \"{expected}\", because {why}")
}

/// Whether the answer contains the text that a test expects. If not, adds a failure.
fn check_document(
    failures: &mut Problems,
    answer: &Answer<'_>,
    expected: &Expected<'_>,
    which: &str,
) -> bool {
    let Some((wanted, place)) = &expected.contains else {
        return true;
    };
    let document = String::from_utf8_lossy(&answer.body);
    let is_there = document.contains(wanted) || twiml::unescaped(&document).contains(wanted);
    if !is_there {
        let route = answer.route;
        let message = format!("{which}the answer of \"{route}\" does not contain this text");
        let help = format!("it is: {document}");
        failures.error(&FAILED_TEST, place, message, help);
    }
    is_there
}

/// Whether another route or intercept could be the first to match at another hour, because of a schedule or a condition
/// on the time.
fn depends_on_the_hour(table: &Table, request: &Request<'_>, now: Timestamp) -> bool {
    let depends = |when: &When, miss: Option<Miss<'_>>| match miss {
        Some(Miss::When(Mismatch::Closed(_) | Mismatch::Open(_))) => Some(true),
        Some(_) => {
            let mut failing = when.failing(request, now);
            let needs_time = failing.any(|condition| condition.needs_time(request));
            needs_time.then_some(true)
        }
        None => Some(when.needs_time(request)),
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
