//! Sample requests as Twilio makes them, for `explain`, `send` and the tests in a table.

use serde_json::{Map, Value, json};

use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, PARAMETERS, Parameters, SampleValue};
use crate::twilio::request::{Form, Request, Webhook};

/// The channel of the given fields: a text when `says_message` is set or they are fields of a text, else a call.
#[must_use]
pub fn channel(given: &Form, webhook: Webhook, says_message: bool) -> Channel {
    let no_query = Form::default();
    let request = Request::new(webhook, given, &no_query);
    let tells_of_a_text = request.sent("interactionType").is_empty()
        && !request.value("interactionData.body").is_empty();
    if says_message || tells_of_a_text {
        return Channel::Message;
    }
    request.channel()
}

/// The given fields and those of every request to the webhook on the channel, such as its SID, `AccountSid`,
/// `ApiVersion` and `CallStatus` or `SmsStatus`. A given field stays unchanged, even when empty.
#[must_use]
pub fn filled(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    with_missing(given, fields(&PARAMETERS, given, channel, webhook, true))
}

/// The given fields and all others that Twilio would send: those of a caller in San Francisco, and on Proxy's webhook
/// those of a closed session. A given field stays unchanged, even when empty. For [`event`] these are the event's data.
#[must_use]
pub fn complete(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    match (webhook, given.first("type")) {
        (Webhook::Events, None | Some(CALL_SUMMARY)) => {
            let summary = PARAMETERS.call_summary.iter();
            with_missing(given, summary.map(|(name, sample)| (*name, *sample)))
        }
        _ => with_missing(given, fields(&PARAMETERS, given, channel, webhook, false)),
    }
}

/// Adds the fields that are not given. Called and To are the same number, so giving one gives both.
fn with_missing<'a>(given: &'a Form, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Form {
    let missing = fields
        .into_iter()
        .filter(|(name, _)| given.first(name).is_none())
        .map(|(name, sample)| {
            let other = parameters::get(name)
                .alias
                .and_then(|alias| given.first(alias));
            (name, other.unwrap_or(sample))
        });
    given.pairs().chain(missing).collect()
}

/// The parameters that the webhook sends on the channel, with their sample values; those without one are left out.
fn fields<'p>(
    list: &'p Parameters,
    given: &Form,
    channel: Channel,
    webhook: Webhook,
    only_always: bool,
) -> impl Iterator<Item = (&'p str, &'p str)> + use<'p> {
    let sender = match (webhook, channel) {
        (Webhook::OutOfSession, Channel::Voice) => "proxy-out-of-session-call",
        (Webhook::OutOfSession, Channel::Message) => "proxy-out-of-session-text",
        (Webhook::Plain, Channel::Voice) => "voice",
        (Webhook::Plain, Channel::Message) => "message",
        (Webhook::Intercept, _) => "proxy-intercept",
        (Webhook::Callback, _) => "proxy-callback",
        // An event has no parameters.
        (Webhook::Events, _) => "",
        (Webhook::VoiceWebhooks, _) => match given.first("Event") {
            Some("Call.Initiate") => "Call.Initiate",
            _ => "Call.Complete",
        },
    };
    list.with_names()
        .filter(move |(_, parameter)| parameter.webhooks.contains(&sender))
        .filter(move |(_, parameter)| parameter.always || !only_always)
        .filter_map(move |(name, parameter)| {
            let value = match parameter.sample.as_ref()? {
                SampleValue::Same(value) => value,
                SampleValue::Differs { message, .. } if channel == Channel::Message => message,
                SampleValue::Differs {
                    ended: Some(ended), ..
                } if webhook == Webhook::Callback => ended,
                SampleValue::Differs { voice, .. } => voice,
            };
            Some((name, value.as_str()))
        })
}

/// The body that an Event Streams sink posts for one event. The fields `type`, `id`, `source` and `time` go into its
/// envelope, all others into its data; a dot in a name leads one level down.
#[must_use]
pub fn event(form: &Form) -> Vec<u8> {
    let kind = form.first("type").unwrap_or(CALL_SUMMARY);
    let mut data = Map::new();
    for (name, value) in form.pairs() {
        if ["type", "id", "source", "time"].contains(&name) {
            continue;
        }
        if let Some((group, name)) = name.split_once('.') {
            let group = data.entry(group).or_insert_with(|| json!({}));
            if let Value::Object(fields) = group {
                fields.insert(name.to_owned(), value.into());
            }
        } else {
            data.insert(name.to_owned(), value.into());
        }
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

const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";

/// The event that is sent when no type is given.
const CALL_SUMMARY: &str = "com.twilio.voice.insights.call-summary.complete";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::parameters::tests::INVENTED;
    use crate::twilio::request::event::Event;

    #[test]
    fn what_is_missing_is_filled_in_and_what_is_given_stays() {
        let given: Form = [("Called", "+1"), ("CallStatus", "")].into_iter().collect();
        let form = filled(&given, Channel::Voice, Webhook::Plain);
        assert_eq!(form.first("Called"), Some("+1"));
        assert_eq!(form.first("CallStatus"), Some(""));
        assert_eq!(
            form.first("CallSid"),
            Some("CA00000000000000000000000000000001")
        );
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
                for (name, _) in filled(&Form::default(), channel, webhook).pairs() {
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

    #[test]
    fn a_new_parameter_is_in_the_samples_of_its_webhooks() {
        let list = Parameters::read(INVENTED);
        for (webhook, wanted) in [
            (Webhook::Plain, vec![("Invented", "a")]),
            (Webhook::Intercept, vec![]),
        ] {
            let found = fields(&list, &Form::default(), Channel::Voice, webhook, false);
            assert_eq!(found.collect::<Vec<_>>(), wanted, "{webhook:?}");
        }
    }
}
