//! Turns a request or an event into its line.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;

use super::allowed::{self, JournalRule};
use super::{Beyond, Line, LineText, Told};
use crate::table::guard;
use crate::twilio::channel::Channel;
use crate::twilio::facts::is_caller_geography;
use crate::twilio::number::{E164, is_withheld, masked, spells_withheld};
use crate::twilio::parameters::{OwnWhen, PARAMETERS, Parameter, ParameterKind, Privacy};
use crate::twilio::request::event::Event;
use crate::twilio::request::{Request, Webhook};

/// The most names in a line: three times as many as Proxy's longest request has.
const NAMES_MAX: usize = 256;

/// The most bytes of a value that the operator asks to keep, and of a dotted name in an event.
const VALUE_MAX: usize = 4096;

/// The most bytes of a number that is kept in full.
const NUMBER_MAX: usize = 256;

/// The most levels of an event's data that are read.
const DEPTH_MAX: usize = 6;

/// The line of a request.
#[must_use]
pub fn request<'a>(told: &'a Told, beyond: &Beyond) -> Line<'a> {
    let request = Request::new(told.webhook, &told.body, &told.query);
    let own = Own::of(&request);
    let mut line = Line {
        time: clock(told.time),
        webhook: told.webhook.as_str().into(),
        channel: Some(request.channel().as_str().into()),
        route: told.route.as_deref().map(Cow::from),
        status: told.status,
        microseconds: told.microseconds,
        guard: told.guard.map(Cow::from),
        failed: told.failed.as_deref().map(Cow::from),
        machine: told.webhook.wants_document() && guard::machine(&request).is_some(),
        sid: [request.sid(), request.sent("Call.Sid")]
            .into_iter()
            .find(|sid| allowed::is_sid(sid))
            .map(Cow::from),
        number: own.number.map(Cow::from),
        withheld: withheld(&request),
        step: Some(request.step())
            .filter(|step| allowed::is_word(step))
            .map(Cow::from),
        ..Line::default()
    };
    let mut seen = HashSet::new();
    for (name, value) in told.body.pairs().chain(told.query.pairs()) {
        // Conditions match the first value of a repeated name, so only that value counts.
        if !seen.insert(name) || value.is_empty() {
            continue;
        }
        let rule = match allowed::rule(&PARAMETERS, name) {
            // The spellings of a withheld number look like numbers in Lesotho, Uganda or China.
            JournalRule::Keep(_) if line.withheld == Some(true) && is_caller_geography(name) => {
                JournalRule::Omit
            }
            rule => rule,
        };
        let may_be_whole =
            rule == JournalRule::Mask && (own.has(name, value) || spells_withheld(value));
        line.add(name.into(), value.into(), rule, may_be_whole, beyond);
    }
    for name in beyond.values.iter().filter(|name| name.contains('.')) {
        let value = request.value(name);
        if !seen.contains(name.as_str()) && (1..=VALUE_MAX).contains(&value.len()) {
            line.add(name.clone().into(), value, JournalRule::Omit, false, beyond);
        }
    }
    if line.step.is_none() && !request.step().is_empty() && request.sent("step").is_empty() {
        // An empty field in the body hides the query's step. Without this, the line would read as one without a step.
        line.unnamed += 1;
    }
    line
}

/// The line for an event that came at this moment.
#[must_use]
pub fn event<'a>(event: &'a Event, time: Timestamp, beyond: &Beyond) -> Line<'a> {
    let is_id = |id: &&str| {
        let mut bytes = id.bytes();
        let is_uuid = id.len() == 36 && bytes.all(|of| of.is_ascii_hexdigit() || of == b'-');
        allowed::is_sid(id) || is_uuid || allowed::is_word(id)
    };
    let is_type = |kind: &&str| {
        kind.len() <= 128
            && kind.split('.').all(allowed::is_word)
            // Each part is too short for a number, but the whole may not be.
            && !allowed::may_hide_a_number(kind)
    };
    let mut line = Line {
        time: clock(time),
        webhook: Webhook::Events.as_str().into(),
        status: 204,
        sid: Some(event.id.as_str()).filter(is_id).map(Cow::from),
        event: Some(event.kind.as_str()).filter(is_type).map(Cow::from),
        ..Line::default()
    };
    line.add_inside(&event.data, "", 0, beyond);
    line
}

fn clock(time: Timestamp) -> Cow<'static, str> {
    Cow::Owned(format!("{time:.3}"))
}

/// Whether the caller is withheld; `None` for a callback that names no caller.
fn withheld(request: &Request<'_>) -> Option<bool> {
    let caller = request.value("Caller");
    let fone = match request.webhook() {
        Webhook::VoiceWebhooks => request.sent("Call.From"),
        _ => "",
    };
    if !caller.is_empty() || request.webhook().wants_document() {
        Some(is_withheld(&caller, request.channel()))
    } else if !fone.is_empty() {
        Some(is_withheld(fone, Channel::Voice))
    } else {
        None
    }
}

impl<'a> Line<'a> {
    /// Adds a value as far as the rule, and what the operator requests in addition, allow it here.
    fn add(
        &mut self,
        name: Cow<'a, str>,
        value: Cow<'a, str>,
        rule: JournalRule,
        may_be_whole: bool,
        beyond: &Beyond,
    ) {
        let is_asked_for = beyond.values.contains(&*name);
        let is_whole = is_asked_for && value.len() <= VALUE_MAX
            || match rule {
                JournalRule::Keep(kind) => allowed::fits(kind, &value),
                JournalRule::Mask => (may_be_whole || beyond.numbers) && value.len() <= NUMBER_MAX,
                JournalRule::Omit => false,
            };
        let names = self.parameters.0.len() + self.masked.0.len() + self.left_out.0.len();
        if names >= NAMES_MAX || !is_asked_for && !allowed::is_name(&name) {
            self.unnamed += 1;
        } else if is_whole {
            self.parameters.0.push((name, value));
        } else if rule == JournalRule::Mask {
            self.masked.0.push((name, masked(&value).into()));
        } else {
            self.left_out.0.push(LineText(name));
        }
    }

    /// Adds the values inside a value of an event, each under its dotted name.
    fn add_inside(&mut self, value: &Value, name: &str, depth: usize, beyond: &Beyond) {
        let inside = |key: &str| match name {
            "" => key.to_owned(),
            _ => format!("{name}.{key}"),
        };
        let leaf = match value {
            Value::Null => return,
            Value::Object(_) | Value::Array(_) if depth == DEPTH_MAX || name.len() > VALUE_MAX => {
                self.unnamed += 1;
                return;
            }
            Value::Object(members) => {
                for (key, value) in members {
                    self.add_inside(value, &inside(key), depth + 1, beyond);
                }
                return;
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate().take(NAMES_MAX) {
                    self.add_inside(item, &inside(&at.to_string()), depth + 1, beyond);
                }
                self.unnamed += items.len().saturating_sub(NAMES_MAX);
                return;
            }
            Value::String(text) if text.is_empty() => return,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
        };
        let rule = match allowed::rule_of_event(&PARAMETERS, name) {
            JournalRule::Keep(kind) if allowed::fits(kind, &leaf) => JournalRule::Keep(kind),
            _ if leaf.parse::<E164>().is_ok() => JournalRule::Mask,
            _ => JournalRule::Omit,
        };
        self.add(name.to_owned().into(), leaf.into(), rule, false, beyond);
    }
}

/// The numbers of a request that are ours.
struct Own<'a> {
    /// The parameters that have our number; `None` when that is not certain.
    when: Option<OwnWhen>,
    /// Our number.
    number: Option<&'a str>,
    /// Other people's numbers, under any name.
    others: Vec<&'a str>,
}

impl<'a> Own<'a> {
    fn of(request: &Request<'a>) -> Self {
        let when = own_when(request);
        let numbers = |is_wanted: &dyn Fn(&Parameter) -> bool| -> Vec<&'a str> {
            PARAMETERS
                .with_names()
                .filter(|(_, parameter)| parameter.kind == ParameterKind::Number)
                .filter(|(_, parameter)| is_wanted(parameter))
                .map(|(name, _)| request.sent(name))
                .filter(|value| !value.is_empty())
                .collect()
        };
        let is_masked = |parameter: &Parameter| parameter.privacy == Privacy::Mask;
        let is_ours = |parameter: &Parameter| parameter.own.is_some() && parameter.own == when;
        let participants = numbers(&|parameter| parameter.session && is_masked(parameter));
        let number = numbers(&is_ours).first().copied();
        Self {
            when,
            number: number.filter(|ours| allowed::is_own(ours) && !participants.contains(ours)),
            others: numbers(&|parameter| is_masked(parameter) && !is_ours(parameter)),
        }
    }

    /// Whether a parameter's value is one of our own numbers.
    fn has(&self, name: &str, value: &str) -> bool {
        match PARAMETERS.of_request(name) {
            // Meant for Proxy's number, but Proxy has also sent the real number here.
            Some(parameter) if parameter.privacy == Privacy::Keep => {
                allowed::is_own(value) && !self.others.contains(&value)
            }
            Some(Parameter { own: Some(own), .. }) => {
                self.when == Some(*own) && self.number == Some(value)
            }
            _ => false,
        }
    }
}

/// Which numbers are certainly ours; `None` when any of them may be somebody else's.
///
/// The status callback for a text that we sent has no `Direction`, and the other person's number in `To`. A call from a
/// browser or a SIP phone has in `To` whatever its user dialled. The leg of a Dial has in `From` the caller's number or
/// ours.
fn own_when(request: &Request<'_>) -> Option<OwnWhen> {
    if request.webhook() == Webhook::VoiceWebhooks {
        return Some(OwnWhen::FoneDynamics);
    }
    let is_text = request.channel() == Channel::Message;
    let caller = request.value("Caller").to_ascii_lowercase();
    let is_phone = !caller.starts_with("client:") && !caller.starts_with("sip");
    let statuses = ["MessageStatus", "SmsStatus"].map(|name| request.sent(name));
    let status = statuses.into_iter().find(|status| !status.is_empty());
    match (request.sent("Direction"), status) {
        ("inbound", _) => is_phone.then_some(OwnWhen::Inbound),
        ("outbound-api" | "outbound-call" | "outbound-reply", _) => Some(OwnWhen::Outbound),
        ("", Some("received" | "receiving")) => Some(OwnWhen::Inbound),
        ("", Some(_)) if is_text => Some(OwnWhen::Outbound),
        ("", None) if request.webhook().wants_document() => {
            (is_text || is_phone).then_some(OwnWhen::Inbound)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twilio::facts::Facts;
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
        // The invalid name, and the object and the array that are nested too deeply.
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
            let has = |name: &str| line.parameters.get(name).is_some();
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
