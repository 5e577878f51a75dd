//! Compares a plain implementation of the rules of matching with what people rely on: the running service, over a
//! socket, and the program's `explain`. `tests/table.rs` compares it with the library.

// Other tests use more of this module.
#[allow(dead_code)]
#[path = "table/plain.rs"]
mod plain;
#[path = "support/mod.rs"]
mod support;
#[path = "support/wire/mod.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use tokio::runtime::Runtime;
use twiml_responder::service::live::Verification;
use twiml_responder::service::responder::Responder;
use twiml_responder::twilio::request::Webhook;
use twiml_responder::twilio::signature::secrets::Secrets;

use self::plain::{
    Asked, Drawn, Plain, Route, Why, asked, intercept_name, route_name, some_routes,
};
use self::support::{Folder, program, run};
use self::wire::TOKEN;
use self::wire::ask::Ask;
use self::wire::client::Got;
use self::wire::server::TestServer;

/// The time on the service's clock, in milliseconds; only one test here has a service.
static CLOCK: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    Timestamp::from_millisecond(CLOCK.load(Ordering::SeqCst)).expect("a moment")
}

/// A request as Twilio would send it.
fn signed(asked: &Asked) -> Ask {
    let written = |pairs| serde_urlencoded::to_string(pairs).expect("pairs of texts");
    let mut target = format!("/{}", asked.webhook.as_str());
    if !asked.query.is_empty() {
        target = target + "?" + &written(&asked.query);
    }
    let request = if asked.is_get {
        Ask::get(&target)
    } else {
        Ask::post(&target, &written(&asked.body))
    };
    request.signed_as_asked()
}

/// The content between `<Response>` and `</Response>`.
fn said(document: &str) -> &str {
    let (_, rest) = document.split_once("<Response").expect("a document");
    let inside = rest
        .strip_prefix('>')
        .and_then(|rest| rest.strip_suffix("</Response>"));
    inside.unwrap_or_default()
}

/// Compares an answer with the plain reading.
fn expect_answer(got: &Got, routes: &[Route], plain: &Plain<'_>) -> Result<(), TestCaseError> {
    let answers = plain.answers(routes);
    prop_assert_eq!(got.header("twiml-route"), Some(&*answers));
    let first = plain.first(routes).map(|place| &routes[place]);
    if plain.asked.webhook == Webhook::Intercept {
        let blocks = first.is_some_and(|route| route.blocks);
        prop_assert_eq!(got.status, if blocks { 403 } else { 204 });
        prop_assert_eq!(&got.body, "");
        return Ok(());
    }
    prop_assert_eq!(got.status, 200);
    let opens_session = answers != "loop-guard" && first.is_some_and(|route| !plain.has_key(route));
    if opens_session {
        prop_assert_eq!(got.header("content-type"), Some("application/json"));
        let session: Value = serde_json::from_str(&got.body).expect("JSON");
        prop_assert_eq!(&session["participantIdentifier"], "+14155550123");
        return Ok(());
    }
    let document = got.expect_document(&answers);
    let verbs = if answers == "loop-guard" {
        String::new()
    } else {
        plain.says(first)
    };
    prop_assert_eq!(said(document), verbs);
    Ok(())
}

/// Sends everything to a service with the table of these routes, over one connection.
async fn ask_all(routes: &[Route], requests: &[Asked]) -> Result<(), TestCaseError> {
    let Drawn { table, text, .. } = Drawn::new(routes);
    let has_intercepts = !table.intercepts.is_empty();
    let secrets = Secrets::parse(TOKEN).expect("a token");
    let server = TestServer::start(Responder {
        clock,
        ..Responder::new(Arc::new(table), Verification::Signed(secrets))
    })
    .await;
    let mut client = server.connect().await;
    for asked in requests {
        let plain = Plain::new(asked);
        CLOCK.store(plain.now.as_millisecond(), Ordering::SeqCst);
        client.send(&signed(asked).bytes()).await;
        let got = client.answer().await;
        if asked.webhook == Webhook::Intercept && !has_intercepts {
            prop_assert_eq!(got.status, 404, "{}", text);
            client.expect_close().await;
            client = server.connect().await;
            continue;
        }
        expect_answer(&got, routes, &plain)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{asked:?}\n{got:?}\n{text}")))?;
    }
    drop(client);
    server.stop().await;
    Ok(())
}

/// The output of `explain` for a request. It takes all fields in one list, and the step separately.
fn explained(folder: &Folder, text: &str, asked: &Asked) -> Value {
    let table = folder.write("responses.toml", text);
    let mut command = program();
    command.args(["explain", "--format", "json", "--table"]);
    command.arg(table);
    command.args(["--webhook", asked.webhook.as_str(), "--at", asked.moment]);
    let mut steps = asked.query.iter().filter(|(name, _)| *name == "step");
    if let Some((_, step)) = steps.next() {
        command.arg(format!("--step={step}"));
    }
    let in_query = asked.query.iter().filter(|(name, _)| *name != "step");
    let fields = asked.body.iter().chain(in_query);
    command.args(fields.map(|(name, value)| format!("{name}={value}")));
    let ran = run(&mut command);
    // Standard error has warnings, because not every table uses all of its directories.
    assert_eq!(ran.code, Some(0), "{command:?} {}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// Whether a reason agrees with the plain reading; for conditions it names all that fail, each with the value found.
fn tells(reason: &str, why: &Why, plain: &Plain<'_>) -> bool {
    match why {
        Why::Step => reason.contains("step"),
        Why::Channel if plain.is_voice() => reason == "it has no `voice`",
        Why::Channel => reason == "it has no `message`",
        Why::Session => reason.starts_with("it opens a session"),
        Why::Conditions(failing) => {
            let told: Vec<&str> = reason.split("; and ").collect();
            let is_told = |(told, (subject, values)): (&&str, &(String, Vec<String>))| {
                let rest = told.strip_prefix(&format!("{subject} is "));
                let mut rest = rest.unwrap_or_default();
                let are_told = values.iter().all(|value| {
                    let is = match value.as_str() {
                        "" => "absent".to_owned(),
                        value => format!("{value:?}"),
                    };
                    let Some(after) = rest.strip_prefix(&*is) else {
                        return false;
                    };
                    let alias = after.strip_prefix(" (read from ");
                    let after = alias
                        .and_then(|alias| alias.split_once(')'))
                        .map_or(after, |of| of.1);
                    rest = after.strip_prefix(", ").unwrap_or_default();
                    true
                });
                are_told && rest.starts_with("expected ")
            };
            told.len() == failing.len() && told.iter().zip(failing).all(is_told)
        }
        Why::Closed => reason.contains(" is closed at "),
        Why::Open(schedule) => reason.starts_with(&format!("{schedule:?} is open at ")),
    }
}

/// Compares the output of `explain` with the plain reading.
fn expect_explanation(
    explanation: &Value,
    routes: &[Route],
    drawn: &Drawn,
    plain: &Plain<'_>,
) -> Result<(), TestCaseError> {
    let first = plain.first(routes);
    let is_intercept = plain.asked.webhook == Webhook::Intercept;
    let (kind, name): (_, fn(usize) -> String) = if is_intercept {
        let name = first.map(intercept_name);
        prop_assert_eq!(explanation["intercept"].as_str(), name.as_deref());
        let blocks = first.is_some_and(|place| routes[place].blocks);
        prop_assert_eq!(
            &explanation["outcome"],
            if blocks { "block" } else { "pass" }
        );
        ("intercept", intercept_name)
    } else {
        let channel = if plain.is_voice() { "voice" } else { "message" };
        prop_assert_eq!(&explanation["channel"], channel);
        prop_assert_eq!(&explanation["route"], &plain.answers(routes));
        let document = explanation["document"].as_str().expect("a text");
        if explanation["route"] != "loop-guard" && !document.starts_with('{') {
            let says = plain.says(first.map(|place| &routes[place]));
            prop_assert_eq!(said(document), says);
        }
        ("route", route_name)
    };
    // All routes up to the one that decides, except those that can never answer.
    let up_to = first.map_or(routes.len(), |place| place + 1);
    let expected: Vec<(String, Option<Why>)> = (0..up_to)
        .map(|place| (name(place), plain.why_on_webhook(&routes[place])))
        .filter(|(name, _)| !drawn.taken_out.contains(name))
        .collect();
    let considered = explanation["considered"].as_array().expect("a list");
    prop_assert_eq!(considered.len(), expected.len());
    for (considered, (name, why)) in considered.iter().zip(&expected) {
        prop_assert_eq!(&considered[kind], name);
        prop_assert_eq!(&considered["matched"], why.is_none());
        match (considered["reason"].as_str(), why) {
            (None, None) => {}
            (Some(reason), Some(why)) if tells(reason, why, plain) => {}
            (reason, why) => {
                return Err(TestCaseError::fail(format!(
                    "{name}: {reason:?} for {why:?}"
                )));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// More tables with `PROPTEST_CASES`.
    #[test]
    fn any_service_answers_as_the_rules_read(
        routes in some_routes(0..8),
        requests in prop::collection::vec(asked(), 40..120),
    ) {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(ask_all(&routes, &requests))?;
    }

    /// More tables with `PROPTEST_CASES`; each request runs the program.
    #[test]
    fn any_explanation_is_as_the_rules_read(
        routes in some_routes(0..8),
        requests in prop::collection::vec(asked(), 1..4),
    ) {
        let folder = Folder::new("plain-reference");
        let drawn = Drawn::new(&routes);
        for asked in &requests {
            let explanation = explained(&folder, &drawn.text, asked);
            expect_explanation(&explanation, &routes, &drawn, &Plain::new(asked))
                .map_err(|error| TestCaseError::fail(format!("{error}\n{asked:?}\n{explanation}\n{}", drawn.text)))?;
        }
    }
}
