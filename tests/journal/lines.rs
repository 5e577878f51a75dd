//! What a line holds, and what it never holds.

use serde_json::{Value, json};

use crate::{Kept, call, lines, text};

/// The digits of people's numbers, without separators.
const PEOPLE: [&str; 3] = ["4155550100", "4155550177", "4155550188"];

/// A text with the separators between digits removed and escapes decoded, followed by the original text.
fn digits_joined(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect(line);
        collect(&value, &mut plain);
        plain.push('\n');
    }
    let plain: String = plain
        .split('\n')
        .map(|line| line.replace([' ', '-', '.', '(', ')', '/', '_', '\u{a0}'], "") + "\n")
        .collect();
    plain + text
}

/// All names and values, one per line.
fn collect(value: &Value, to: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                to.push_str(name);
                to.push('\n');
                collect(value, to);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, to)),
        Value::String(text) => {
            to.push_str(text);
            to.push('\n');
        }
        other => {
            to.push_str(&other.to_string());
            to.push('\n');
        }
    }
}

#[track_caller]
fn expect_nobody(text: &str) {
    let joined = digits_joined(text);
    for number in PEOPLE {
        assert!(!joined.contains(number), "{number} in\n{text}");
        let reversed: String = number.chars().rev().collect();
        assert!(!joined.contains(&reversed), "{number} backwards in\n{text}");
    }
}

#[test]
fn a_line_has_all_that_is_promised_and_nothing_else() {
    let kept = Kept::start("journal-line", &[]);
    let form = call(7) + "&campaign=spring&Body=hello+there";
    assert!(kept.post("/webhook", &form).contains("Hello."));
    let mut all = kept.lines();
    let mut line = all.pop().expect("a line");
    assert_eq!(all, Vec::<Value>::new());
    let time = line["time"].take();
    let time = time.as_str().expect("a time");
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    assert!(line["microseconds"].take().is_u64());
    let expected = json!({
        "time": null,
        "webhook": "webhook",
        "channel": "voice",
        "route": "hello",
        "status": 200,
        "microseconds": null,
        "guard": null,
        "failed": null,
        "machine": false,
        "sid": "CA00000000000000000000000000000007",
        "number": "+15005550001",
        "withheld": false,
        "step": null,
        "event": null,
        "parameters": {
            "CallSid": "CA00000000000000000000000000000007",
            "Called": "+15005550001",
            "To": "+15005550001",
            "Direction": "inbound",
            "CallStatus": "ringing",
            "CallerCountry": "US",
        },
        "masked": { "Caller": "+141•••••00", "From": "+141•••••00" },
        "left_out": ["CallerCity", "campaign", "Body"],
        "unnamed": 0,
    });
    assert_eq!(line, expected);
}

#[test]
fn no_line_has_anybodys_number_whatever_is_sent() {
    let kept = Kept::start("journal-hostile", &[]);
    let own = "CallSid=CA00000000000000000000000000000001&Called=%2B15005550001&Direction=inbound";
    let proxy = "sessionSid=KC00000000000000000000000000000001&sessionStatus=closed";
    for (target, form) in [
        ("/webhook", format!("{own}&Caller=%2B14155550100&ForwardedFrom=%2B14155550177")),
        // SIP: the caller chooses names and values.
        ("/webhook", format!("{own}&Caller=sip:%2B14155550100@example.com&SipHeader_X-14155550177=1")),
        ("/webhook", format!("{own}&Caller=sip:1&SipHeader_X-CallSid=14155550177&SipCallId=4155550188")),
        ("/webhook", format!("{own}&Caller=sip:1&SipHeader_X-4-1-5-5-5-5-0-1-0-0=1")),
        ("/webhook", "CallSid=CA1&Called=sip:14155550177@x&To=%2B14155550177&Caller=sip:ann@x".into()),
        // A browser: To is what its user has dialled.
        ("/webhook", "CallSid=CA1&To=%2B14155550100&Called=%2B14155550100&Caller=client:14155550177&From=client:14155550177&Direction=inbound".into()),
        ("/webhook", "MessageSid=SM1&To=whatsapp:%2B15005550001&From=whatsapp:%2B14155550100&WaId=14155550100&ProfileName=%2B14155550177".to_owned()),
        ("/webhook", "MessageSid=SM1&To=%2B15005550001&From=%2B14155550100&Body=call+415-555-0177+or+(415)+555+0188".to_owned()),
        ("/webhook", "MessageSid=SM1&To=%2B15005550001&From=%2B14155550100&OriginalRepliedMessageSender=%2B14155550177".to_owned()),
        // Numbers where none should be.
        ("/webhook", "CallSid=%2B14155550100&Called=%2B15005550001&CallStatus=14155550177&AccountSid=4155550188".to_owned()),
        ("/webhook", format!("{own}&Caller=%2B14155550100&CallStatus=4-1-5-5-5-5-0-1-7-7&CallDuration=14155550188")),
        ("/webhook", format!("{own}&Caller=%2B14155550100&%2B14155550177=x&4155550188=y&campaign=%2B14155550100")),
        ("/webhook", format!("{own}&Caller=%2B14155550100&Caller=%2B14155550177&Called=%2B14155550188")),
        ("/webhook?step=14155550100&ForwardedFrom=%2B14155550177", "CallSid=CA1&Caller=0014155550188".into()),
        ("/webhook?step=4.155550100", format!("{own}&ApiVersion=4155-55-01")),
        ("/webhook", format!("{own}&Caller=+1%20(415)%20555-0100&CallerName=Ann+4155550177&From=%EF%BC%94155550188")),
        // The leg of a Dial, and what we have sent: the other party is in To.
        ("/callback", "CallSid=CA1&To=%2B14155550100&From=%2B14155550177&Direction=outbound-dial&CallStatus=completed".into()),
        ("/callback", "MessageSid=SM1&To=%2B14155550100&From=%2B15005550001&MessageStatus=delivered".into()),
        ("/callback", "CallSid=CA1&Called=%2B14155550100&Caller=%2B14155550177&CallStatus=completed".into()),
        // Proxy.
        ("/out-of-session", format!("{own}&{proxy}&Caller=%2B14155550100&sessionUniqueName=%2B14155550177")),
        ("/out-of-session", format!("{own}&{proxy}&inboundParticipantIdentifier=%2B14155550100&outboundParticipantIdentifier=%2B14155550177&inboundParticipantProxyIdentifier=%2B14155550100&outboundParticipantProxyIdentifier=%2B14155550177")),
        ("/out-of-session", "CallSid=CA1&Called=%2B14155550100&inboundParticipantIdentifier=%2B14155550100".into()),
        ("/intercept", "interactionSid=KI1&interactionType=Message&interactionData=%7B%22body%22%3A%22my+number+is+4155550100%22%7D&inboundParticipantIdentifier=%2B14155550177".into()),
        // Escapes of JSON and of forms.
        ("/webhook", format!("{own}&Caller=%2B1415%005550100&sessionUniqueName=%22%5Cu0034155550177%0A&x%22y%0A4155550188=1")),
    ] {
        let answer = kept.post(target, &form);
        assert!(answer.starts_with("HTTP/1.1 20") || answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let (folder, _) = kept.end();
    assert_eq!(lines(&folder).len(), 24);
    let text = text(&folder);
    expect_nobody(&text);
    assert!(
        text.contains("+15005550001"),
        "our own number is whole:\n{text}"
    );
    assert!(!text.contains("spring") && !text.contains("Ann"), "{text}");
}

#[test]
fn our_own_number_is_whole_and_others_are_masked() {
    let kept = Kept::start("journal-own", &[]);
    let others = ["+141•••••00", "+500•••••01"];
    for (target, form) in [
        (
            "/webhook",
            "CallSid=CA1&Called=%2B15005550001&Caller=%2B14155550100&Direction=inbound",
        ),
        (
            "/callback",
            "CallSid=CA1&Called=%2B14155550100&Caller=%2B15005550001&Direction=outbound-api&CallStatus=completed",
        ),
        (
            "/callback",
            "MessageSid=SM1&To=%2B14155550100&From=%2B15005550001&MessageStatus=sent",
        ),
        (
            "/webhook",
            "MessageSid=SM1&To=%2B15005550001&From=%2B14155550100&SmsStatus=received",
        ),
        // It is unknown which of the two is ours.
        (
            "/callback",
            "CallSid=CA1&Called=%2B14155550100&Caller=%2B15005550001&CallStatus=completed",
        ),
    ] {
        kept.post(target, form);
    }
    let lines = kept.lines();
    let numbers: Vec<&Value> = lines.iter().map(|line| &line["number"]).collect();
    let ours = json!("+15005550001");
    assert_eq!(numbers, [&ours, &ours, &ours, &ours, &Value::Null]);
    for (line, count) in lines.iter().zip([1, 1, 1, 1, 2]) {
        let masked = line["masked"].as_object().expect("an object");
        assert_eq!(masked.len(), count, "{line}");
        assert!(masked.values().any(|mask| mask == others[0]), "{line}");
    }
}

#[test]
fn a_withheld_caller_has_a_flag_and_no_country() {
    let kept = Kept::start("journal-withheld", &[]);
    for caller in ["anonymous", "%2B266696687", "", "%2B14155550100"] {
        let form = format!(
            "CallSid=CA00000000000000000000000000000001&Called=%2B15005550001&Caller={caller}&CallerCountry=LS"
        );
        kept.post("/webhook", &form);
    }
    kept.post(
        "/callback",
        "RecordingSid=RE00000000000000000000000000000001",
    );
    let lines = kept.lines();
    let flags: Vec<&Value> = lines.iter().map(|line| &line["withheld"]).collect();
    assert_eq!(
        flags,
        [
            &json!(true),
            &json!(true),
            &json!(true),
            &json!(false),
            &Value::Null
        ]
    );
    for line in &lines[..3] {
        assert_eq!(line["masked"], json!({}), "{line}");
        assert_eq!(line["parameters"]["CallerCountry"], Value::Null, "{line}");
        assert_eq!(line["left_out"], json!(["CallerCountry"]), "{line}");
    }
    assert_eq!(lines[0]["parameters"]["Caller"], "anonymous");
    assert_eq!(lines[3]["parameters"]["CallerCountry"], "LS");
}

#[test]
fn the_operator_may_ask_for_more() {
    let kept = Kept::start(
        "journal-more",
        &[
            "--journal-numbers",
            "full",
            "--journal-values",
            "campaign,interactionData.body",
            "--journal-values",
            "Body",
        ],
    );
    kept.post(
        "/webhook",
        &(call(1) + "&campaign=spring&Body=hi&ForwardedFrom=%2B14155550177"),
    );
    kept.post(
        "/intercept",
        "interactionSid=KI1&interactionData=%7B%22body%22%3A%22my+7%22%7D",
    );
    let (folder, log) = kept.end();
    assert!(
        log.contains("stores other people's numbers unmasked"),
        "{log}"
    );
    let lines = lines(&folder);
    let held = &lines[0]["parameters"];
    for (name, value) in [
        ("Caller", "+14155550100"),
        ("ForwardedFrom", "+14155550177"),
        ("campaign", "spring"),
        ("Body", "hi"),
    ] {
        assert_eq!(held[name], value, "{}", lines[0]);
    }
    assert_eq!(lines[0]["left_out"], json!(["CallerCity"]));
    assert_eq!(lines[1]["parameters"]["interactionData.body"], "my 7");
    assert_eq!(
        lines[1]["left_out"],
        json!(["interactionSid", "interactionData"])
    );
}

#[test]
fn a_line_says_who_answered_and_why() {
    let kept = Kept::start("journal-route", &[]);
    for (target, form) in [
        (
            "/webhook",
            "CallSid=CA1&Called=%2B15005550009&Caller=%2B14155550100",
        ),
        // The reply dials a caller who withholds the number.
        (
            "/webhook",
            "CallSid=CA1&Called=%2B15005550003&Caller=anonymous",
        ),
        (
            "/webhook",
            "MessageSid=SM1&To=%2B15005550001&From=%2B14155550100&Body=STOP",
        ),
        (
            "/webhook?step=lost",
            "CallSid=CA1&Called=%2B15005550009&Caller=%2B14155550100",
        ),
        (
            "/intercept",
            "interactionSid=KI1&interactionData=%7B%22body%22%3A%225550100%22%7D",
        ),
        ("/callback", "CallSid=CA1&CallStatus=completed"),
    ] {
        kept.post(target, form);
    }
    let found: Vec<Value> = kept
        .lines()
        .iter()
        .map(|line| {
            json!([
                line["webhook"],
                line["route"],
                line["status"],
                line["guard"],
                line["failed"],
                line["machine"],
                line["step"]
            ])
        })
        .collect();
    assert_eq!(
        found,
        [
            json!(["webhook", "default", 200, null, null, false, null]),
            json!(["webhook", "default", 200, null, "breaks", false, null]),
            json!([
                "webhook",
                "loop-guard",
                200,
                "opt-out-word",
                null,
                true,
                null
            ]),
            json!(["webhook", "lost", 200, null, null, false, "lost"]),
            json!(["intercept", "no-numbers", 403, null, null, false, null]),
            json!(["callback", null, 204, null, null, false, null]),
        ]
    );
}
