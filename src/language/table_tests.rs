//! `[[test]]`: requests and the answers that the table must give, and what of the table they reach.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;
use toml::de::DeTable;

use super::names::Names;
use crate::table::answer::{Asked, answer};
use crate::table::diagnostic::{Check, Diagnostic};
use crate::table::guard::{LOOP_GUARD, LoopGuard};
use crate::table::intercept::{BLOCK, PASS};
use crate::table::problems::{DUPLICATE_NAME, Problems, Value, entries};
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
    "A `[[test]]` whose request does not get the answer that it expects. It keeps an edit from going live, but not the
service from starting. `explain` with the same request shows why; then correct the table or the test.",
    r#"request = { Called = "+15005550006" }
expect = "ride-ended""#,
);

pub(super) static TEST_NEEDS_TIME: Check = Check::new(
    "test-needs-time",
    "The answer to a test depends on a schedule, and the test does not say when its request comes. It runs at noon UTC on 1
January, which is probably not what you want. Write `at`.",
    r#"at = "2026-12-24T12:00[America/New_York]""#,
);

/// The moment of a test that names none: 2026-01-01T12:00:00Z.
const NOON: Timestamp = Timestamp::constant(1_767_268_800, 0);

const WRITE_AT: &str = "write at = \"2026-12-24T12:00[America/New_York]\"";

/// Where a test's request comes to.
const URL: &str = "https://self.invalid/out-of-session";

/// A test that was run: its request, when it came, and which route answered it, or which intercept decided.
#[derive(Debug)]
pub(super) struct RanTest {
    pub body: Form,
    pub query: Form,
    pub webhook: Webhook,
    pub now: Timestamp,
    pub decided_by: String,
}

/// One `[[test]]`, read.
struct TableTest<'t> {
    body: Form,
    query: Form,
    webhook: Webhook,
    at: Option<Timestamp>,
    expect: &'t str,
    expect_place: Range<usize>,
    contains: Option<(&'t str, Range<usize>)>,
    place: Range<usize>,
}

/// Reads all tests, and runs them against the table that they stand in, when there is one: what failed, and what was run.
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
        let message = format!("there is a test \"{text}\" already");
        problems.error(&DUPLICATE_NAME, name.span(), message, "choose another name");
    }
    let webhook = test_webhook(problems, test)?;
    let help = match webhook {
        Webhook::Intercept => "write expect = \"block\" or \"pass\"",
        _ => "write expect = \"ROUTE\", \"default\" or \"loop-guard\"",
    };
    let expect = problems.required(test, "expect", "a test", place.clone(), help)?;
    let expect_place = expect.span();
    let expect = expected(names, problems, expect, webhook)?;
    for key in ["contains", "step"] {
        if webhook == Webhook::Intercept
            && let Some(value) = test.get(key)
        {
            let message = format!("an intercept has no `{key}`: it only blocks or lets pass");
            problems.error(&BAD_TEST, value.span(), message, "take it out");
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
    let contains = test.get("contains");
    let contains =
        contains.and_then(|value| Some((problems.text(value, "a string")?, value.span())));
    let at = test.get("at").and_then(|at| test_moment(problems, at));
    if problems.errors_since(count) > 0 {
        return None;
    }
    Some(TableTest {
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
fn expected<'v>(
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
        let message = format!("no intercept does \"{expect}\"");
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
    let is_intercept = webhook == Webhook::Intercept;
    let mut pairs = Vec::new();
    for (key, value) in entries(fields) {
        let name = key.get_ref().as_ref();
        names.check_matched_parameter(problems, fields, key, is_intercept);
        pairs.push((
            name.to_owned(),
            problems.text(value, "a string")?.to_owned(),
        ));
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
        let message = format!("a test cannot ask a webhook \"{text}\"");
        let webhooks = ["out-of-session", "webhook", "intercept"];
        problems.refuse(&BAD_TEST, value.span(), message, one_of(text, &webhooks))
    })
}

fn test_moment(problems: &mut Problems, value: &Value<'_>) -> Option<Timestamp> {
    let text = problems.moment(value, "a date and time", WRITE_AT)?;
    parse_moment(&text).or_else(|| {
        let help = "write it with its zone or offset: \"2026-12-24T12:00[America/New_York]\"";
        let message = format!("\"{text}\" is not a date and time");
        problems.refuse(&BAD_TEST, value.span(), message, help)
    })
}

/// Runs a test; when it fails, why is added to the failures.
fn run_test(
    problems: &mut Problems,
    failures: &mut Problems,
    test: TableTest<'_>,
    table: &Table,
) -> RanTest {
    let request = Request::new(test.webhook, &test.body, &test.query);
    let now = test.at.unwrap_or(NOON);
    if test.at.is_none() && depends_on_the_hour(table, &request, now) {
        let message = "this test's answer depends on the hour";
        problems.warn(&TEST_NEEDS_TIME, test.place.clone(), message, WRITE_AT);
    }
    let decided_by = match test.webhook {
        Webhook::Intercept => run_interception(failures, &test, &request, table, now),
        _ => run_answer(failures, &test, &request, table, now),
    };
    RanTest {
        body: test.body,
        query: test.query,
        webhook: test.webhook,
        now,
        decided_by,
    }
}

/// Runs a test of the intercepts, and tells which of them decides.
fn run_interception(
    failures: &mut Problems,
    test: &TableTest<'_>,
    request: &Request<'_>,
    table: &Table,
    now: Timestamp,
) -> String {
    let (decided_by, what, by) = match table.intercept(request, now) {
        Some(intercept) => {
            let (name, what) = (&*intercept.name, intercept.outcome());
            (name, what, format!("\"{name}\" says \"{what}\""))
        }
        None => (
            PASS,
            PASS,
            format!("no intercept fits, so it is \"{PASS}\""),
        ),
    };
    if what != test.expect {
        let message = format!("{by}, not \"{}\"", test.expect);
        let help = "`explain --webhook intercept` with this request shows why";
        failures.error(&FAILED_TEST, test.expect_place.clone(), message, help);
    }
    decided_by.to_owned()
}

/// Runs a test of the routes, and tells which of them answers.
fn run_answer(
    failures: &mut Problems,
    test: &TableTest<'_>,
    request: &Request<'_>,
    table: &Table,
    now: Timestamp,
) -> String {
    let asked = Asked {
        request,
        url: URL,
        token: "",
        now,
    };
    let answer = answer(table, &LoopGuard::new(), &asked);
    let route = answer.route.to_owned();
    if route != test.expect {
        let message = match &answer.failure {
            Some((route, error)) => {
                format!("\"{route}\" cannot be written ({error}), so \"default\" answers")
            }
            None => format!("\"{route}\" answers, not \"{}\"", test.expect),
        };
        let is_there = |name: &&str| test.body.first(name).is_some();
        let help = if ["Caller", "From"].iter().any(is_there) {
            "`explain` with this request shows why"
        } else {
            "`explain` with this request shows why; without a Caller the caller counts as withheld"
        };
        failures.error(&FAILED_TEST, test.expect_place.clone(), message, help);
    } else if let Some((wanted, place)) = &test.contains {
        let document = String::from_utf8_lossy(&answer.body);
        if !document.contains(wanted) && !twiml::unescaped(&document).contains(wanted) {
            let message = format!("the answer of \"{route}\" does not contain this text");
            let help = format!("it is: {document}");
            failures.error(&FAILED_TEST, place.clone(), message, help);
        }
    }
    route
}

/// Whether at another hour another route or intercept could be the first: a schedule stands between it and the request.
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
