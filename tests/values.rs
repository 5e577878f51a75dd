//! A value that a parameter never has is judged the same in every place, and the suggested replacement is right.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::diagnostic::{Diagnostic, File, Severity};

/// A parameter of each kind.
const PARAMETERS: [&str; 12] = [
    "Called",
    "From",
    "CallerCountry",
    "CallerState",
    "CallSid",
    "MessageSid",
    "sessionStatus",
    "AnsweredBy",
    "DialBridged",
    "NumMedia",
    "Digits",
    "sessionDateEnded",
];

/// Values that are right for some parameter, and variants that people and programs make of them.
const VALUES: [&str; 40] = [
    "+15005550006",
    "15005550006",
    "+1 500 555 0006",
    "(500) 555-0006",
    "+1500555OOO6",
    "tel:+15005550006",
    "'+15005550006",
    "=\"+15005550006\"",
    "1.50056E+10",
    "15005550006.0",
    "#NAME?",
    "Whatsapp:+15005550006",
    "whatsapp:15005550006",
    "sip:desk@example.com",
    "anonymous",
    "No Caller ID",
    "12345",
    "TWILIO",
    "\u{202a}+15005550006\u{202c}",
    "＋１５００５５５０００６",
    "+1–500–555–0006",
    "US",
    "us",
    "UK",
    "Germany",
    "California",
    "CA",
    "ny",
    "CA00000000000000000000000000000001",
    "ca00000000000000000000000000000001",
    "SM00000000000000000000000000000001",
    "00000000-0000-0000-0000-000000000001",
    "closed",
    "Closed",
    "human",
    "True",
    "1-5",
    "1,2",
    "2026-12-31T23:00:00Z",
    "^\\+1500555\\d+$",
];

/// A text as a TOML string.
fn string(text: &str) -> String {
    let mut written = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            ' '..='~' => written.push(character),
            other => write!(written, "\\U{:08X}", u32::from(other)).expect("a string takes it"),
        }
    }
    written + "\""
}

fn file(text: &str) -> Arc<File> {
    File::new("responses.toml", text)
}

/// All diagnostics about the values of a table.
fn judged(text: &str) -> Vec<Diagnostic> {
    let mut found = match compile(&file(text), &NoFiles) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    let codes = ["bad-number", "wrong-case", "unknown-value"];
    found.retain(|diagnostic| codes.contains(&diagnostic.check.code));
    found
}

const END: &str = "\n[default]\nvoice = [ { Say = \"Goodbye.\" } ]\nmessage = []\n";

/// A table with a condition on a parameter.
fn with_condition(parameter: &str, condition: &str) -> String {
    format!(
        "[[route]]\nname = \"x\"\nwhen = {{ {parameter} = {condition} }}\nvoice = []\nmessage = []\n{END}"
    )
}

/// A table with the value as a key of a directory.
fn with_key(parameter: &str, value: &str) -> String {
    let directory = format!("[directory.d]\nkey = \"key\"\nrows = [ {{ key = {value} }} ]\n");
    directory + &with_condition(parameter, "{ in = \"d\" }")
}

/// A table with the value in the request of a test.
fn with_test(parameter: &str, value: &str) -> String {
    format!(
        "{END}[[test]]\nname = \"x\"\nrequest = {{ {parameter} = {value} }}\nexpect = \"default\"\n"
    )
}

/// The code and message of the only diagnostic; `None` without one.
fn verdict(diagnostics: &[Diagnostic]) -> Option<(&'static str, &str)> {
    assert!(diagnostics.len() < 2, "{diagnostics:#?}");
    let found = diagnostics.first()?;
    Some((found.check.code, &found.message))
}

fn check(parameter: &str, text: &str) {
    let value = string(text);
    let condition = with_condition(parameter, &value);
    let plain = judged(&condition);
    let expected = verdict(&plain);
    let severity = plain.first().map(|found| found.severity);
    for (place, table) in [
        ("string", condition),
        ("array", with_condition(parameter, &format!("[{value}]"))),
        (
            "not",
            with_condition(parameter, &format!("{{ not = {value} }}")),
        ),
        ("key", with_key(parameter, &value)),
        ("test", with_test(parameter, &value)),
    ] {
        let found = judged(&table);
        assert_eq!(verdict(&found), expected, "{parameter} {text:?} in {place}");
        let Some(found) = found.into_iter().next() else {
            continue;
        };
        if place == "test" {
            assert_eq!(found.severity, Severity::Warning, "{parameter} {text:?}");
        } else {
            assert_eq!(
                Some(found.severity),
                severity,
                "{parameter} {text:?} in {place}"
            );
        }
        // The replacement is right.
        if let Some(fix) = found.fix {
            let mut mended = table;
            mended.replace_range(fix.span, &fix.text);
            assert_eq!(judged(&mended), [], "{mended}");
            assert!(compile(&file(&mended), &NoFiles).is_ok(), "{mended}");
        }
    }
}

#[test]
fn every_value_is_judged_the_same_wherever_it_stands() {
    for parameter in PARAMETERS {
        for value in VALUES {
            check(parameter, value);
        }
    }
}

#[test]
fn what_twilio_sends_passes() {
    for (parameter, values) in [
        (
            "Called",
            &[
                "+15005550006",
                "12345",
                "sip:desk@example.com;transport=tls",
                "client:Ann Lee",
                "whatsapp:+4915112345678",
                "messenger:1234567890123456",
                "rcs:brand_agent",
                "anonymous",
                "No Caller ID",
                "anonymous@anonymous.invalid",
                "TWILIO",
                "Shop24",
                "+1415*",
                "+*",
                "*0006",
                "*@example.com",
                "whatsapp:*",
                "sip:*@example.com",
            ][..],
        ),
        ("CallerCountry", &["US", "GB", "XK", "U*"]),
        ("CallerState", &["NY", "ON", "Bavaria", "NEW SOUTH WALES"]),
        (
            "CallSid",
            &[
                "CA00000000000000000000000000000001",
                "CA0000*",
                "C*",
                "00000000-0000-0000-0000-00000000000a",
                "0000000a-*",
            ],
        ),
        ("Direction", &["inbound", "outbound-*", "*"]),
        ("AnsweredBy", &["human", "machine_*", "something_new"]),
        ("SessionStatus", &["ended", "something-new"]),
        ("Result", &["success"]),
        ("DialBridged", &["true", "false"]),
        ("NumMedia", &["0", "12", "1*"]),
        ("Digits", &["1", "42#", "#", "hangup", "1*", "*#"]),
        (
            "sessionDateEnded",
            &[
                "2026-12-31T23:00:00Z",
                "Thu, 31 Dec 2026 23:00:00 +0000",
                "2026-12-31*",
            ],
        ),
        ("RecordingUrl", &["https://api.twilio.com/*", "*.mp3", "h*"]),
        (
            "Body",
            &["STOP", "what?", "^_^", "1-5", "C:\\temp", "$5", "a|b"],
        ),
        ("CallerCity", &["NEW YORK", "Zürich"]),
        ("MediaUrl0", &["https://*"]),
        ("SipHeader_X-Account", &["^anything$ really"]),
        ("NewParameter", &["anything"]),
    ] {
        for value in values {
            let found = judged(&with_condition(parameter, &string(value)));
            assert_eq!(found, [], "{parameter} {value:?}");
        }
    }
}

#[test]
fn parameters_of_ones_own_have_any_value() {
    let table = "parameters = [\"Called\", \"Digits\"]\n".to_owned();
    let condition = with_condition("Called", "[\"15005550006\", \"office 1\"]");
    assert_eq!(judged(&(table.clone() + &condition)), []);
    assert_eq!(judged(&(table + &with_condition("Digits", "\"1-5\""))), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_judged_the_same_wherever_it_stands(
        parameter in prop::sample::select(&PARAMETERS[..]),
        value in "[+0-9A-Oa-f .:#='/()\u{a0}\u{200b}–５-]{1,14}|[+]?[0-9 ()-]{3,16}|[A-Z]{2}[0-9a-fA-F]{30,34}",
    ) {
        check(parameter, &value);
    }
}
