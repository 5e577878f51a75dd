//! Requests as Twilio makes them, for whoever has no telephone at hand: `explain`, tests of a table, `send`.

mod fields;

use serde_json::{Map, Value, json};

use self::fields::{ACCOUNT_SID, Field};
use crate::twilio::channel::Channel;
use crate::twilio::request::{Form, Request, Webhook};

/// The channel of fields that somebody gave: that of a text when he said so or gave a text's fields, else a call's.
#[must_use]
pub fn channel(given: &Form, webhook: Webhook, says_message: bool) -> Channel {
    let query = Form::default();
    let request = Request::new(webhook, given, &query);
    let tells_of_a_text = request.sent("interactionType").is_empty()
        && !request.value("interactionData.body").is_empty();
    if says_message || tells_of_a_text {
        return Channel::Message;
    }
    request.channel()
}

/// The given fields and what no request to the webhook on the channel is without, such as its SID, `AccountSid`,
/// `ApiVersion` and `CallStatus` or `SmsStatus`. A field that is given stays as it is, also an empty one.
#[must_use]
pub fn filled(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    merged(given, essentials(channel, webhook).iter().copied())
}

/// The given fields and all others that would be sent: those of a caller in San Francisco, and on Proxy's webhook those
/// of a session that has been closed. A field that is given stays as it is, also an empty one. Of an Event Streams
/// sink's [`event`] it is the data.
#[must_use]
pub fn complete(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    let others: &[&[Field]] = match (webhook, channel) {
        (Webhook::OutOfSession, Channel::Voice) => {
            &[&fields::CALL, &fields::PARTIES, &fields::SESSION]
        }
        (Webhook::OutOfSession, Channel::Message) => {
            &[&fields::MESSAGE, &fields::PARTIES, &fields::SESSION]
        }
        (Webhook::Plain, Channel::Voice) => &[&fields::CALL, &fields::PARTIES],
        (Webhook::Plain, Channel::Message) => &[&fields::MESSAGE, &fields::PARTIES],
        (Webhook::Intercept, Channel::Voice) => &[&fields::INBOUND_CALL, &fields::INTERACTION],
        (Webhook::Intercept, Channel::Message) => &[&fields::INBOUND_TEXT, &fields::INTERACTION],
        (Webhook::Callback, Channel::Voice) => &[
            &fields::ENDED_CALL,
            &fields::INBOUND_CALL,
            &fields::OUTBOUND_CALL,
            &fields::INTERACTION,
        ],
        (Webhook::Callback, Channel::Message) => &[
            &fields::INBOUND_TEXT,
            &fields::OUTBOUND_TEXT,
            &fields::INTERACTION,
        ],
        (Webhook::Events, _) => match given.first("type") {
            None | Some(fields::CALL_SUMMARY) => &[&fields::SUMMARY],
            Some(_) => &[],
        },
        (Webhook::VoiceWebhooks, _) => match given.first("Event") {
            Some("Call.Initiate") => &[&fields::VOICE_WEBHOOK],
            _ => &[&fields::VOICE_WEBHOOK, &fields::COMPLETE],
        },
    };
    let all = essentials(channel, webhook)
        .iter()
        .chain(others.iter().copied().flatten());
    let mut form = Form::default();
    for field in all {
        // The first of a name counts, here as everywhere.
        form = merged(&form, std::iter::once(*field));
    }
    let mut form = merged(given, form.pairs());
    follow(&mut form, given, "To", "Called");
    follow(&mut form, given, "From", "Caller");
    form
}

/// Called and To are one number: whoever gives one of them means both.
fn follow(form: &mut Form, given: &Form, text: &str, call: &str) {
    for (one, other) in [(text, call), (call, text)] {
        if let (Some(value), None) = (given.first(one), given.first(other)) {
            *form = form
                .pairs()
                .map(|(name, old)| (name, if name == other { value } else { old }))
                .collect();
        }
    }
}

fn merged<'a>(given: &'a Form, others: impl Iterator<Item = (&'a str, &'a str)>) -> Form {
    let missing = others.filter(|(name, _)| given.first(name).is_none());
    given.pairs().chain(missing).collect()
}

/// What no request is without.
fn essentials(channel: Channel, webhook: Webhook) -> &'static [Field] {
    match (webhook, channel) {
        (Webhook::OutOfSession | Webhook::Plain, Channel::Voice) => &fields::ANY_CALL,
        (Webhook::OutOfSession | Webhook::Plain, Channel::Message) => &fields::ANY_MESSAGE,
        (Webhook::Intercept | Webhook::Callback, Channel::Voice) => &fields::VOICE_INTERACTION,
        (Webhook::Intercept | Webhook::Callback, Channel::Message) => &fields::TEXT_INTERACTION,
        (Webhook::Events, _) => &[],
        (Webhook::VoiceWebhooks, _) => &fields::ANY_VOICE_WEBHOOK,
    }
}

/// The body that an Event Streams sink posts for one event: `type`, `id`, `source` and `time` of these fields stand
/// in its envelope, all others in its data, those with a dot in their name one level down.
#[must_use]
pub fn event(form: &Form) -> Vec<u8> {
    let kind = form.first("type").unwrap_or(fields::CALL_SUMMARY);
    let mut data = Map::new();
    for (name, value) in form.pairs() {
        if ["type", "id", "source", "time"].contains(&name) {
            continue;
        }
        let (group, name) = name.split_once('.').unwrap_or(("", name));
        let fields = if group.is_empty() {
            &mut data
        } else {
            let group = data.entry(group).or_insert_with(|| json!({}));
            match group {
                Value::Object(fields) => fields,
                _ => continue,
            }
        };
        fields.insert(name.to_owned(), value.into());
    }
    let member = |name, other| form.first(name).unwrap_or(other).to_owned();
    let event = json!([{
        "specversion": "1.0",
        "type": kind,
        "source": member("source", ACCOUNT_SID),
        "id": member("id", "EZ00000000000000000000000000000001"),
        "datacontenttype": "application/json",
        "time": member("time", "2026-01-02T03:34:05.000Z"),
        "data": data,
    }]);
    event.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::request::event::Event;

    #[test]
    fn what_is_missing_is_filled_in_and_what_is_given_stays() {
        let given: Form = [("Called", "+1"), ("CallStatus", "")].into_iter().collect();
        let form = filled(&given, Channel::Voice, Webhook::Plain);
        assert_eq!(form.first("Called"), Some("+1"));
        assert_eq!(form.first("CallStatus"), Some(""));
        assert_eq!(form.first("CallSid"), Some(fields::CALL_SID));
        assert_eq!(form.first("Caller"), None);
        assert_eq!(form.pairs().len(), 5);
    }

    #[test]
    fn a_complete_form_has_no_name_twice_and_one_number_on_each_side() {
        for channel in Channel::ALL {
            let given: Form = [("To", "+1"), ("Caller", "")].into_iter().collect();
            let form = complete(&given, channel, Webhook::OutOfSession);
            let mut names: Vec<&str> = form.pairs().map(|(name, _)| name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
            assert_eq!(form.first("From"), Some(""));
            let called = if channel == Channel::Voice {
                Some("+1")
            } else {
                None
            };
            assert_eq!(form.first("Called"), called);
            assert_eq!(
                Request::new(Webhook::OutOfSession, &form, &Form::default()).channel(),
                channel
            );
        }
    }

    #[test]
    fn a_text_is_told_by_its_fields_or_by_word() {
        let text: Form = [("Body", "hi")].into_iter().collect();
        assert_eq!(channel(&text, Webhook::Plain, false), Channel::Message);
        assert_eq!(
            channel(&Form::default(), Webhook::Plain, false),
            Channel::Voice
        );
        assert_eq!(
            channel(&Form::default(), Webhook::Plain, true),
            Channel::Message
        );
    }

    #[test]
    fn every_webhook_has_a_complete_request() {
        for webhook in Webhook::ALL {
            for channel in Channel::ALL {
                let form = complete(&Form::default(), channel, webhook);
                let mut names: Vec<&str> = form.pairs().map(|(name, _)| name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{webhook:?}");
                assert!(count >= 13, "{webhook:?} {count}");
                for (name, _) in essentials(channel, webhook) {
                    assert!(form.first(name).is_some(), "{webhook:?} {name}");
                }
                let is_told = !matches!(webhook, Webhook::Events | Webhook::VoiceWebhooks);
                let request = Request::new(webhook, &form, &form);
                assert!(!is_told || request.channel() == channel, "{webhook:?}");
            }
        }
    }

    #[test]
    fn an_interaction_is_a_text_when_its_data_has_one() {
        let text: Form = [("interactionData", "{\"body\":\"hi\"}")]
            .into_iter()
            .collect();
        assert_eq!(channel(&text, Webhook::Intercept, false), Channel::Message);
        let call: Form = [
            ("interactionType", "Voice"),
            ("interactionData", "{\"body\":\"hi\"}"),
        ]
        .into_iter()
        .collect();
        assert_eq!(channel(&call, Webhook::Intercept, false), Channel::Voice);
        let callback = complete(&Form::default(), Channel::Voice, Webhook::Callback);
        assert_eq!(
            callback.first("interactionData"),
            Some("{\"duration\":\"42\"}")
        );
        assert_eq!(callback.first("inboundResourceStatus"), Some("completed"));
    }

    #[test]
    fn an_event_is_read_back_as_it_was_given() {
        let form: Form = [
            ("id", "EZ7"),
            ("type", "t"),
            ("a", "1"),
            ("from.caller", "+14155550100"),
            ("a.b", "lost"),
        ]
        .into_iter()
        .collect();
        let events = Event::read_all(&event(&form)).expect("one event");
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].id.as_str(), events[0].kind.as_str()),
            ("EZ7", "t")
        );
        assert_eq!(
            events[0].data,
            json!({ "a": "1", "from": { "caller": "+14155550100" } })
        );
    }

    #[test]
    fn a_call_of_fone_dynamics_has_an_end_only_when_it_has_ended() {
        for (event, has_ended) in [("Call.Initiate", false), ("Call.Complete", true)] {
            let given: Form = [("Event", event)].into_iter().collect();
            let form = complete(&given, Channel::Voice, Webhook::VoiceWebhooks);
            assert_eq!(form.first("Call.Duration").is_some(), has_ended, "{event}");
            assert!(form.first("Call.From").is_some(), "{event}");
        }
    }
}
