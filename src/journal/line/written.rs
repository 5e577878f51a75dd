//! From a request, or an event, to its line.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;

use super::allowed::{self, Holds};
use super::{Beyond, Line, Names, Pairs, Told};
use crate::table::guard;
use crate::twilio::channel::Channel;
use crate::twilio::number::{E164, is_withheld, masked};
use crate::twilio::request::event::Event;
use crate::twilio::request::{Request, Webhook, is_caller_geography};

/// The most names of a line, and the most values: three times those of Proxy's longest request.
const NAMES_MAX: usize = 256;

/// The most bytes of a value that the operator asks for.
const VALUE_MAX: usize = 4096;

/// The most bytes of a number that is kept whole.
const NUMBER_MAX: usize = 256;

/// How deep the data of an event is gone into.
const DEPTH_MAX: usize = 6;

/// The line of a request.
#[must_use]
pub fn request<'a>(told: &'a Told, beyond: &Beyond) -> Line<'a> {
    let request = Request::new(told.webhook, &told.body, &told.query);
    let own = Own::of(&request);
    let withheld = withheld(&request);
    let mut parts = Parts::default();
    let mut seen = HashSet::new();
    for (name, value) in told.body.pairs().chain(told.query.pairs()) {
        // Of a repeated name the first value is matched, so it is the one that counts.
        if !seen.insert(name) || value.is_empty() {
            continue;
        }
        let is_asked_for = beyond.values.contains(name);
        if !is_asked_for && !allowed::is_name(name) {
            parts.unnamed += 1;
            continue;
        }
        let holds = match Holds::of(name) {
            // The spellings of a withheld number look like numbers of Lesotho, Uganda or China.
            Holds::Country if withheld == Some(true) && is_caller_geography(name) => Holds::Other,
            holds => holds,
        };
        if is_asked_for && value.len() <= VALUE_MAX || holds.fits(value) {
            parts.whole(name, value);
        } else if holds == Holds::Number {
            let is_whole = beyond.numbers || own.is(name, value) || allowed::says_withheld(value);
            if is_whole && value.len() <= NUMBER_MAX {
                parts.whole(name, value);
            } else {
                parts.masked(name, value);
            }
        } else {
            parts.left_out(name);
        }
    }
    for name in beyond.values.iter().filter(|name| name.contains('.')) {
        let value = request.value(name);
        if !seen.contains(name.as_str()) && (1..=VALUE_MAX).contains(&value.len()) {
            parts.whole(name.clone(), value);
        }
    }
    let step = Some(request.step()).filter(|step| allowed::is_word(step));
    if step.is_none() && !request.step().is_empty() && request.sent("step").is_empty() {
        // An empty field of the body stands before the query's step, which else would be nowhere in the line.
        parts.unnamed += 1;
    }
    let sid = [request.sid(), request.sent("Call.Sid")]
        .into_iter()
        .find(|sid| allowed::is_sid(sid));
    Line {
        time: Cow::Owned(clock(told.time)),
        webhook: Cow::Borrowed(told.webhook.as_str()),
        channel: Some(Cow::Borrowed(request.channel().as_str())),
        route: told.route.as_deref().map(Cow::Borrowed),
        status: told.status,
        microseconds: told.microseconds,
        guard: told.guard.map(Cow::Borrowed),
        failed: told.failed.as_deref().map(Cow::Borrowed),
        machine: told.webhook.wants_document() && guard::machine(&request).is_some(),
        sid: sid.map(Cow::Borrowed),
        number: own.number.map(Cow::Borrowed),
        withheld,
        step: step.map(Cow::Borrowed),
        event: None,
        parameters: Pairs(parts.whole),
        masked: Pairs(parts.masked),
        left_out: Names(parts.left_out),
        unnamed: parts.unnamed,
    }
}

/// The line of an event that came at this moment.
#[must_use]
pub fn event<'a>(event: &'a Event, time: Timestamp, beyond: &Beyond) -> Line<'a> {
    let mut parts = Parts::default();
    let mut name = String::new();
    parts.inside(&event.data, &mut name, 0, beyond);
    let is_id = |id: &&str| {
        let is_uuid = id.len() == 36
            && id
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        allowed::is_sid(id) || is_uuid || allowed::is_word(id)
    };
    Line {
        time: Cow::Owned(clock(time)),
        webhook: Cow::Borrowed(Webhook::Events.as_str()),
        channel: None,
        route: None,
        status: 204,
        microseconds: 0,
        guard: None,
        failed: None,
        machine: false,
        sid: Some(event.id.as_str()).filter(is_id).map(Cow::Borrowed),
        number: None,
        withheld: None,
        step: None,
        event: Some(event.kind.as_str())
            .filter(|kind| kind.len() <= 128 && kind.split('.').all(allowed::is_word))
            // Its parts are too short for a number, but the whole need not be.
            .filter(|kind| !allowed::may_hide_a_number(kind))
            .map(Cow::Borrowed),
        parameters: Pairs(parts.whole),
        masked: Pairs(parts.masked),
        left_out: Names(parts.left_out),
        unnamed: parts.unnamed,
    }
}

fn clock(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Whether the caller is withheld; nobody calls in a callback that names no caller.
fn withheld(request: &Request<'_>) -> Option<bool> {
    let caller = request.value("Caller");
    let fone = match request.webhook() {
        Webhook::VoiceWebhooks => request.sent("Call.From"),
        _ => "",
    };
    if !caller.is_empty() || request.webhook().wants_document() {
        Some(is_withheld(&caller))
    } else if !fone.is_empty() {
        Some(is_withheld(fone))
    } else {
        None
    }
}

/// The parts of a line that are collected from parameters.
#[derive(Default)]
struct Parts<'a> {
    whole: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    masked: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    left_out: Vec<Cow<'a, str>>,
    unnamed: usize,
}

impl<'a> Parts<'a> {
    fn has_room(&mut self) -> bool {
        let has_room = self.whole.len() + self.masked.len() + self.left_out.len() < NAMES_MAX;
        if !has_room {
            self.unnamed += 1;
        }
        has_room
    }

    fn whole(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        if self.has_room() {
            self.whole.push((name.into(), value.into()));
        }
    }

    fn masked(&mut self, name: impl Into<Cow<'a, str>>, value: &str) {
        if self.has_room() {
            self.masked.push((name.into(), masked(value).into()));
        }
    }

    fn left_out(&mut self, name: impl Into<Cow<'a, str>>) {
        if self.has_room() {
            self.left_out.push(name.into());
        }
    }

    /// What there is inside a value of an event, each under its dotted name.
    fn inside(&mut self, value: &Value, name: &mut String, depth: usize, beyond: &Beyond) {
        let length = name.len();
        let mut go_in = |parts: &mut Self, key: &str, value: &Value| {
            if length > 0 {
                name.push('.');
            }
            name.push_str(key);
            parts.inside(value, name, depth + 1, beyond);
            name.truncate(length);
        };
        match value {
            Value::Object(members) if depth < DEPTH_MAX => {
                for (key, value) in members {
                    go_in(self, key, value);
                }
            }
            Value::Array(items) if depth < DEPTH_MAX => {
                for (at, item) in items.iter().enumerate().take(NAMES_MAX) {
                    go_in(self, &at.to_string(), item);
                }
                self.unnamed += items.len().saturating_sub(NAMES_MAX);
            }
            Value::Null => {}
            Value::String(text) => self.leaf(name, text, beyond),
            Value::Bool(_) | Value::Number(_) => self.leaf(name, &value.to_string(), beyond),
            Value::Object(_) | Value::Array(_) => self.unnamed += 1,
        }
    }

    fn leaf(&mut self, name: &str, value: &str, beyond: &Beyond) {
        let is_asked_for = beyond.values.contains(name);
        if value.is_empty() {
            return;
        }
        if !is_asked_for && !allowed::is_name(name) {
            self.unnamed += 1;
        } else if is_asked_for && value.len() <= VALUE_MAX
            || Holds::of_event(name).fits(value)
            || beyond.numbers && value.parse::<E164>().is_ok()
        {
            self.whole(name.to_owned(), value.to_owned());
        } else if value.parse::<E164>().is_ok() {
            self.masked(name.to_owned(), value);
        } else {
            self.left_out(name.to_owned());
        }
    }
}

/// Which numbers of a request are ours.
struct Own<'a> {
    /// The names of the two numbers of the request, of which one is ours.
    names: [&'static str; 2],
    /// Ours; `None` when it cannot be told which is.
    number: Option<&'a str>,
    /// Numbers of other people, whatever name they stand under.
    others: Vec<&'a str>,
}

impl<'a> Own<'a> {
    fn of(request: &Request<'a>) -> Self {
        let names = own_names(request).unwrap_or(["", ""]);
        let sent = |name: &str| Some(request.sent(name)).filter(|value| !value.is_empty());
        let mut others: Vec<&str> = [
            "inboundParticipantIdentifier",
            "outboundParticipantIdentifier",
        ]
        .into_iter()
        .filter_map(sent)
        .collect();
        let number = names
            .into_iter()
            .find_map(sent)
            .filter(|number| allowed::is_own(number) && !others.contains(number));
        others.extend(
            [
                "Called",
                "To",
                "Caller",
                "From",
                "Call.From",
                "ForwardedFrom",
            ]
            .into_iter()
            .filter(|name| !names.contains(name))
            .filter_map(sent),
        );
        Self {
            names,
            number,
            others,
        }
    }

    /// Whether the value of a parameter is a number of our own.
    fn is(&self, name: &str, value: &str) -> bool {
        match name {
            // Proxy has sent the real number here, too.
            "inboundParticipantProxyIdentifier" | "outboundParticipantProxyIdentifier" => {
                allowed::is_own(value) && !self.others.contains(&value)
            }
            _ => self.names.contains(&name) && self.number == Some(value),
        }
    }
}

/// The names of the number that is ours for certain; `None` when either may be somebody's.
///
/// A status callback of a text that we have sent has no `Direction`, and the other's number in `To`. A call from a browser or a
/// SIP phone has in `To` whatever its user dialled, and the leg of a Dial in `From` the caller's number or ours.
fn own_names(request: &Request<'_>) -> Option<[&'static str; 2]> {
    const CALLED: [&str; 2] = ["Called", "To"];
    const CALLER: [&str; 2] = ["Caller", "From"];
    if request.webhook() == Webhook::VoiceWebhooks {
        return Some(["Call.To", "Call.To"]);
    }
    match request.sent("Direction") {
        "" => {}
        "inbound" => {
            let caller = request.value("Caller").to_ascii_lowercase();
            let is_phone = !["client:", "sip:", "sips:"]
                .into_iter()
                .any(|scheme| caller.starts_with(scheme));
            return is_phone.then_some(CALLED);
        }
        "outbound-api" | "outbound-call" | "outbound-reply" => return Some(CALLER),
        _ => return None,
    }
    let status = ["MessageStatus", "SmsStatus"]
        .into_iter()
        .map(|name| request.sent(name))
        .find(|status| !status.is_empty())
        .unwrap_or_default();
    let is_text = request.channel() == Channel::Message;
    match status {
        "received" | "receiving" => Some(CALLED),
        "" if request.webhook().wants_document() => {
            let caller = request.value("Caller").to_ascii_lowercase();
            let is_phone = is_text || !caller.starts_with("client:") && !caller.starts_with("sip");
            is_phone.then_some(CALLED)
        }
        "" => None,
        _ if is_text => Some(CALLER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twilio::request::Form;

    fn told(body: Form) -> Told {
        Told {
            time: Timestamp::UNIX_EPOCH,
            webhook: Webhook::Plain,
            body,
            query: Form::default(),
            route: None,
            status: 200,
            microseconds: 0,
            guard: None,
            failed: None,
        }
    }

    fn told_of(event: &Value, beyond: &Beyond) -> Value {
        let body = json!([{ "id": "EZ1", "type": "t", "data": event }]).to_string();
        let events = Event::read_all(body.as_bytes()).expect("one event");
        let line = super::event(&events[0], Timestamp::UNIX_EPOCH, beyond);
        serde_json::to_value(&line).expect("a line is JSON")
    }

    #[test]
    fn an_event_is_told_by_its_id_and_its_type_when_they_are_words() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        for (id, kind, shown) in [
            (
                "EZ0123456789abcdef0123456789abcdef",
                "com.twilio.voice",
                true,
            ),
            (uuid, "a", true),
            ("415 555 0100", "a+b", false),
            (&uuid.replace('f', "+"), "a..b", false),
            (&format!("{uuid}0"), "+14155550100", false),
            (uuid, &"a.".repeat(64), false),
            (uuid, "com.twilio.415.555.0100", false),
        ] {
            let body = json!([{ "id": id, "type": kind }]).to_string();
            let events = Event::read_all(body.as_bytes()).expect("one event");
            let line = super::event(&events[0], Timestamp::UNIX_EPOCH, &Beyond::default());
            assert_eq!(
                line.event.as_deref(),
                Some(kind).filter(|_| shown),
                "{kind}"
            );
            assert_eq!(
                line.sid.as_deref(),
                Some(id).filter(|_| shown || id == uuid),
                "{id}"
            );
        }
        for (length, shown) in [(128, true), (129, false)] {
            let kind = "a.".repeat(64)[..127].to_owned() + &"b".repeat(length - 127);
            let body = json!([{ "id": "EZ1", "type": kind }]).to_string();
            let events = Event::read_all(body.as_bytes()).expect("one event");
            let line = super::event(&events[0], Timestamp::UNIX_EPOCH, &Beyond::default());
            assert_eq!(line.event.is_some(), shown, "{length}");
        }
    }

    #[test]
    fn what_is_inside_an_event_is_told_as_deep_as_lines_go() {
        let none = Beyond::default();
        let data = json!({
            "from": "+14155550100", "call_state": "completed", "tags": ["a b", null, true, ""], "a b": 1,
            "a": { "b": { "c": { "d": { "e": { "f": { "g": 1 }, "list": [1], "state": "ringing" }, "h": [] } } } },
        });
        let line = told_of(&data, &none);
        assert_eq!(line["masked"], json!({ "from": "+141•••••00" }), "{line}");
        assert_eq!(line["parameters"]["call_state"], "completed", "{line}");
        assert_eq!(line["parameters"]["a.b.c.d.e.state"], "ringing", "{line}");
        assert_eq!(line["left_out"], json!(["tags.0", "tags.2"]), "{line}");
        // The name that is none, and the object and the array that are too deep.
        assert_eq!(line["unnamed"], 3, "{line}");
        let all = Beyond {
            values: ["tags.0", "a b"].map(str::to_owned).into(),
            numbers: true,
        };
        let line = told_of(&data, &all);
        assert_eq!(line["parameters"]["from"], "+14155550100", "{line}");
        assert_eq!(line["parameters"]["tags.0"], "a b", "{line}");
        assert_eq!(line["parameters"]["a b"], "1", "{line}");
        let many: Vec<usize> = (0..NAMES_MAX + 3).collect();
        let line = told_of(&json!({ "n": many, "z": 1 }), &none);
        let kept = line["parameters"]
            .as_object()
            .map_or(0, serde_json::Map::len)
            + line["left_out"].as_array().map_or(0, Vec::len);
        assert_eq!((kept, &line["unnamed"]), (NAMES_MAX, &json!(4)), "{line}");
        let both = vec![json!({ "state": "ringing", "from": "+14155550100" }); 200];
        let line = told_of(&json!(both), &none);
        let of = |part: &str| line[part].as_object().map(serde_json::Map::len);
        assert_eq!(of("parameters"), Some(NAMES_MAX / 2), "{line}");
        assert_eq!(of("masked"), Some(NAMES_MAX / 2), "{line}");
        assert_eq!(line["unnamed"], 400 - NAMES_MAX, "{line}");
    }

    #[test]
    fn a_value_that_is_asked_for_is_kept_up_to_4096_bytes() {
        let asked = Beyond {
            values: ["Body".to_owned(), "AddOns.a".to_owned()].into(),
            numbers: false,
        };
        for (length, is_kept) in [(VALUE_MAX, true), (VALUE_MAX + 1, false)] {
            let value = "a ".repeat(VALUE_MAX)[..length].to_owned();
            let inside = json!({ "a": value }).to_string();
            let told = told(
                [("Body", &value), ("AddOns", &inside)]
                    .into_iter()
                    .collect(),
            );
            let line = super::request(&told, &asked);
            let has = |name: &str| line.parameters.0.iter().any(|(known, _)| known == name);
            assert_eq!(
                (has("Body"), has("AddOns.a")),
                (is_kept, is_kept),
                "{length}"
            );
            let line = told_of(&json!({ "Body": value }), &asked);
            assert_eq!(line["parameters"]["Body"].is_string(), is_kept, "{length}");
        }
    }

    #[test]
    fn which_number_is_ours_is_told_only_where_it_is_certain() {
        let (ours, other) = (Some("+15005550001"), None);
        let call = "CallSid=CA1&To=%2B15005550001";
        let text = "MessageSid=SM1&To=%2B15005550001&From=%2B14155550100";
        let sent = "MessageSid=SM1&From=%2B15005550001&To=%2B14155550100";
        for (webhook, body, number) in [
            (
                Webhook::Plain,
                format!("{call}&From=%2B14155550100&Direction=inbound"),
                ours,
            ),
            (
                Webhook::Plain,
                format!("{call}&From=client:joe&Direction=inbound"),
                other,
            ),
            (
                Webhook::Plain,
                format!("{call}&From=SIP:joe@h&Direction=inbound"),
                other,
            ),
            (
                Webhook::Plain,
                format!("{call}&From=sips:joe@h&Direction=inbound"),
                other,
            ),
            (
                Webhook::Plain,
                format!("{call}&From=%2B14155550100&Direction=outbound-dial"),
                other,
            ),
            (Webhook::Plain, format!("{call}&From=%2B14155550100"), ours),
            (Webhook::Plain, format!("{call}&From=client:joe"), other),
            (Webhook::Plain, format!("{call}&From=sip:joe@h"), other),
            (
                Webhook::Plain,
                "MessageSid=SM1&To=%2B15005550001&From=client:joe".to_owned(),
                ours,
            ),
            (
                Webhook::Callback,
                format!("{call}&From=%2B14155550100"),
                other,
            ),
            (
                Webhook::Callback,
                format!("{call}&From=%2B14155550100&SmsStatus=sent"),
                other,
            ),
            (Webhook::Callback, text.to_owned(), other),
            (
                Webhook::Callback,
                format!("{text}&SmsStatus=receiving"),
                ours,
            ),
            (
                Webhook::Callback,
                format!("{sent}&MessageStatus=delivered"),
                ours,
            ),
            (
                Webhook::Callback,
                format!("{sent}&Direction=outbound-api"),
                ours,
            ),
            (
                Webhook::VoiceWebhooks,
                "Event=Call.Initiate&Call.To=%2B15005550001&Call.From=%2B14155550100".to_owned(),
                ours,
            ),
        ] {
            let told = Told {
                webhook,
                ..told(Form::parse(body.as_bytes()))
            };
            let line = super::request(&told, &Beyond::default());
            assert_eq!(line.number.as_deref(), number, "{webhook:?} {body}");
            let whole = |wanted: &str| line.parameters.0.iter().any(|(_, value)| value == wanted);
            assert_eq!(whole("+15005550001"), number.is_some(), "{body}");
            assert!(!whole("+14155550100"), "{body}");
        }
    }

    #[test]
    fn a_proxy_identifier_is_whole_unless_it_is_somebodys_number() {
        let call = "CallSid=CA1&Called=%2B15005550001&Caller=%2B14155550100&Direction=inbound";
        for (identifier, is_whole) in [
            ("+15005550001", true),
            ("+15005550002", true),
            ("+14155550100", false),
            ("joe", false),
        ] {
            let mut body = Form::parse(call.as_bytes());
            let proxy = [("inboundParticipantProxyIdentifier", identifier)];
            body = body.pairs().chain(proxy).collect();
            let told = told(body);
            let line = super::request(&told, &Beyond::default());
            let found = line.parameters.get("inboundParticipantProxyIdentifier");
            assert_eq!(found.is_some(), is_whole, "{identifier}");
        }
    }

    #[test]
    fn a_caller_of_fone_dynamics_is_withheld_or_not() {
        for (from, withheld) in [
            ("anonymous", Some(true)),
            ("%2B14155550100", Some(false)),
            ("", None),
        ] {
            let body = format!("Event=Call.Initiate&Call.From={from}");
            let told = Told {
                webhook: Webhook::VoiceWebhooks,
                ..told(Form::parse(body.as_bytes()))
            };
            let line = super::request(&told, &Beyond::default());
            assert_eq!(line.withheld, withheld, "{from}");
        }
    }

    #[test]
    fn a_name_that_is_not_written_is_counted() {
        for (body, query, unnamed) in [
            ("Body=x", "", 0),
            ("a+b=1", "", 1),
            ("a+b=1&c+d=2&c+d=3&e+f=", "g+h=1", 3),
            ("step=", "step=a+b%2B", 1),
            ("step=x", "step=a+b%2B", 0),
            ("step=", "step=word", 0),
        ] {
            let told = Told {
                query: Form::parse(query.as_bytes()),
                ..told(Form::parse(body.as_bytes()))
            };
            let line = super::request(&told, &Beyond::default());
            assert_eq!(line.unnamed, unnamed, "{body} {query}");
        }
    }

    #[test]
    fn a_step_of_the_body_is_none() {
        use crate::journal::line::Recorded;

        for (body, query, step) in [
            ("", "step=word", Some("word")),
            ("", "", Some("")),
            ("step=word", "", None),
            ("a+b=1", "", None),
        ] {
            let told = Told {
                query: Form::parse(query.as_bytes()),
                ..told(Form::parse(body.as_bytes()))
            };
            let line = super::request(&told, &Beyond::default());
            let recorded = Recorded::of(&line).expect("a request");
            assert_eq!(recorded.step(), step, "{body} {query}");
        }
    }

    #[test]
    fn what_waits_for_the_journal_has_a_size() {
        let size = |body: &str, query: &str| {
            Told {
                query: Form::parse(query.as_bytes()),
                ..told(Form::parse(body.as_bytes()))
            }
            .size()
        };
        let form = |text: &str| Form::parse(text.as_bytes()).size();
        assert_eq!(size("", ""), size_of::<Told>());
        assert_eq!(
            size("a=1&b=2", "step=x"),
            size_of::<Told>() + form("a=1&b=2") + form("step=x")
        );
    }
}
