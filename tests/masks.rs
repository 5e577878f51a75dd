//! People's numbers cannot be read from what is shown: neither from a mask, nor from a text with masked numbers, nor
//! from a line of the journal, wherever a number occurs.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use twiml_responder::journal::line::{self, Beyond, Told};
use twiml_responder::twilio::number::{masked, with_numbers_masked};
use twiml_responder::twilio::request::event::Event;
use twiml_responder::twilio::request::{Form, Webhook};

/// The ASCII digit for a digit of any script in these tests.
fn digit(character: char) -> Option<char> {
    match character {
        '０'..='９' => char::from_digit(u32::from(character) - u32::from('０'), 10),
        '٠'..='٩' => char::from_digit(u32::from(character) - u32::from('٠'), 10),
        _ => Some(character).filter(char::is_ascii_digit),
    }
}

/// A person's number. Nothing else in these tests has as many digits that are all so high.
fn person() -> impl Strategy<Value = String> {
    "[789]{10}"
}

/// The number in a form that people and machines use.
fn written(person: &str, style: usize) -> String {
    let (area, rest) = person.split_at(3);
    let (exchange, line) = rest.split_at(3);
    let parted = |between: &str| {
        person
            .split("")
            .filter(|digit| !digit.is_empty())
            .collect::<Vec<_>>()
            .join(between)
    };
    match style {
        0 => format!("+1{person}"),
        1 => person.to_owned(),
        2 => format!("001{person}"),
        3 => format!("+1 ({area}) {exchange}-{line}"),
        4 => format!("{area}-{exchange}-{line}"),
        5 => format!("{area}.{exchange}.{line}"),
        6 => parted(" "),
        7 => parted("-"),
        8 => format!("sip:+1{person}@example.com"),
        9 => format!("whatsapp:+1{person}"),
        10 => format!("client:{person}"),
        11 => format!("call {person} now"),
        12 => format!("{{\"body\":\"{person}\",\"a\":{{\"b\":{person}}}}}"),
        13 => person
            .chars()
            .filter_map(|digit| char::from_u32(u32::from(digit) - u32::from('0') + u32::from('０')))
            .collect(),
        _ => format!("CA{person}"),
    }
}

const STYLES: usize = 15;

/// Asserts that no five consecutive digits of a number are in a text, whatever separates them.
fn expect_hidden(text: &str, person: &str) -> Result<(), TestCaseError> {
    let is_shown = |character: char| digit(character).or((character == '•').then_some('•'));
    let digits: String = text.chars().filter_map(is_shown).collect();
    for five in person.as_bytes().windows(5) {
        let five = str::from_utf8(five).expect("digits");
        prop_assert!(!digits.contains(five), "{} of {} in {}", five, person, text);
    }
    Ok(())
}

/// Applies [`expect_hidden`] to every name and every text in a line.
fn expect_nowhere(value: &Value, person: &str) -> Result<(), TestCaseError> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            expect_hidden(name, person)?;
            expect_nowhere(value, person)
        }),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| expect_nowhere(item, person)),
        Value::String(text) => expect_hidden(text, person),
        other => expect_hidden(&other.to_string(), person),
    }
}

const OWN: &str = "+15005550006";

/// Names of all kinds of parameters except those that hold our own number.
const NAMES: [&str; 30] = [
    "ForwardedFrom",
    "WaId",
    "OriginalRepliedMessageSender",
    "inboundParticipantIdentifier",
    "outboundParticipantIdentifier",
    "Call.From",
    "Call.Endpoint",
    "Body",
    "Digits",
    "SpeechResult",
    "CallerName",
    "CallSid",
    "MessageSid",
    "AccountSid",
    "sessionUniqueName",
    "CallStatus",
    "StirVerstat",
    "Event",
    "sessionStatus",
    "CallerCountry",
    "CallerZip",
    "CallDuration",
    "NumMedia",
    "ErrorCode",
    "ApiVersion",
    "interactionData",
    "AddOns",
    "SipHeader_X-From",
    "SipCallId",
    "step",
];

/// A pair with a person's number in its value or in its name.
fn pair() -> impl Strategy<Value = (&'static str, usize, bool)> {
    (
        prop::sample::select(&NAMES[..]),
        0..STYLES,
        prop::bool::weighted(0.1),
    )
}

proptest! {
    #[test]
    fn a_mask_shows_little_and_hides_five(text in prop_oneof!["\\PC{0,24}", "\\+[0-9]{1,15}"]) {
        let mask = masked(&text);
        let characters: Vec<char> = text.chars().collect();
        if characters.is_empty() {
            prop_assert_eq!(mask, "");
            return Ok(());
        }
        let is_mask = (0..=4_usize).flat_map(|first| (0..=2_usize).map(move |last| (first, last))).any(|(first, last)| {
            let hides = characters.len().checked_sub(first + last);
            let hides_enough = hides.is_some_and(|hidden| hidden >= 5) || (first, last) == (0, 0);
            hides_enough && {
                let (shown, end) = (&characters[..first], &characters[characters.len() - last..]);
                let expected: String = shown.iter().chain(&['•'; 5]).chain(end).collect();
                mask == expected
            }
        });
        prop_assert!(is_mask, "{} as {}", text, mask);
    }

    #[test]
    fn a_text_with_masked_numbers_has_none_of_five_digits(text in "[0-9０-９٠-٩]{0,12}[+]?([ ()./_‑–-]{0,3}[+]?[0-9０-９a]{0,6}){0,8}") {
        let shown = with_numbers_masked(&text);
        // Up to two separators may come between the digits of one number; anything else ends it.
        let (mut digits, mut signs) = (0, 0);
        for character in shown.chars() {
            if digit(character).is_some() {
                (digits, signs) = (digits + 1, 0);
            } else if " ()./_‑–-".contains(character) && signs < 2 {
                signs += 1;
            } else {
                (digits, signs) = (0, 0);
            }
            prop_assert!(digits < 5, "{} as {}", text, shown);
        }
    }

    #[test]
    fn no_line_of_a_request_has_anybodys_number(
        (person, style) in (person(), 0..STYLES),
        (webhook, calls_out) in (prop::sample::select(&Webhook::ALL[..]), any::<bool>()),
        pairs in prop::collection::vec(pair(), 0..8),
        in_query in prop::collection::vec(pair(), 0..3),
    ) {
        let number = &*written(&person, style);
        // The direction shows which of the two numbers is ours; whatever is in its place counts as ours, whoever sends
        // it.
        let parties = match (webhook, calls_out) {
            (Webhook::VoiceWebhooks, _) => [("Call.To", OWN), ("Call.From", number), ("Called", number), ("Caller", number)],
            (_, false) => [("Called", OWN), ("To", OWN), ("Caller", number), ("From", number)],
            (_, true) => [("Called", number), ("To", number), ("Caller", OWN), ("From", OWN)],
        };
        let direction = ("Direction", if calls_out { "outbound-api" } else { "inbound" });
        let form = |pairs: &[(&str, usize, bool)]| -> Vec<(String, String)> {
            let pairs = pairs.iter().map(|(name, style, is_name)| match is_name {
                true => (format!("{name}{}", written(&person, *style)), "x".to_owned()),
                false => ((*name).to_owned(), written(&person, *style)),
            });
            pairs.collect()
        };
        let first = parties.into_iter().chain([direction]).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told = Told {
            time: Timestamp::UNIX_EPOCH,
            webhook,
            body: first.chain(form(&pairs)).collect(),
            query: form(&in_query).into_iter().collect::<Form>(),
            route: Some("default".into()),
            status: 200,
            microseconds: 1,
            guard: None,
            failed: None,
        };
        let mut text = Vec::new();
        line::request(&told, &Beyond::default()).write(&mut text);
        let line: Value = serde_json::from_slice(&text).expect("a line is JSON");
        expect_nowhere(&line, &person)?;
    }

    #[test]
    fn no_line_of_an_event_has_anybodys_number(
        person in person(),
        styles in prop::array::uniform4(0..STYLES),
        names in prop::array::uniform4(prop::sample::select(vec!["from", "to", "status", "duration", "error_code", "country_code", "call_sid", "body", "lastSipResponseNum", "type"])),
    ) {
        let [first, second, third, fourth] = styles.map(|style| written(&person, style));
        let whole: u64 = person.parse().expect("digits");
        let batch = json!([{
            "id": first,
            "type": second,
            "data": {
                names[0]: first,
                "properties": { names[1]: second, "more": [third, { names[2]: whole }] },
                fourth.as_str(): { names[3]: fourth },
            },
        }]);
        let events = Event::read_all(batch.to_string().as_bytes()).expect("events");
        let mut text = Vec::new();
        line::event(&events[0], Timestamp::UNIX_EPOCH, &Beyond::default()).write(&mut text);
        let line: Value = serde_json::from_slice(&text).expect("a line is JSON");
        expect_nowhere(&line, &person)?;
    }
}
