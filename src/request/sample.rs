//! Requests as Twilio makes them, for whoever has no telephone at hand: `explain`, tests of a table, `send`.
//!
//! Source of the fields: Proxy's webhooks page and the Voice and Messaging webhook pages of
//! <https://www.twilio.com/docs>. Numbers are of ranges that belong to nobody.

use crate::request::{Form, Request, Webhook};
use crate::types::Channel;

const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
const CALL_SID: &str = "CA00000000000000000000000000000001";
const MESSAGE_SID: &str = "SM00000000000000000000000000000001";

/// The channel of fields that somebody gave: that of a text when he said so or gave a text's fields, else a call's.
#[must_use]
pub fn channel(given: &Form, says_message: bool) -> Channel {
    if says_message {
        return Channel::Message;
    }
    Request::new(Webhook::OutOfSession, given, &Form::default()).channel()
}

/// The given fields and what no request of the channel is without: its SID, `AccountSid`, `ApiVersion` and
/// `CallStatus` or `SmsStatus`. A field that is given stays as it is, also an empty one.
#[must_use]
pub fn filled(given: &Form, channel: Channel) -> Form {
    merged(given, essentials(channel).iter().copied())
}

/// The given fields and all others that Twilio would send: those of a caller in San Francisco, and on Proxy's
/// webhook those of a session that has been closed. A field that is given stays as it is, also an empty one.
#[must_use]
pub fn complete(given: &Form, channel: Channel, webhook: Webhook) -> Form {
    let session: &[_] = if webhook == Webhook::OutOfSession {
        &SESSION
    } else {
        &[]
    };
    let channels: &[_] = match channel {
        Channel::Voice => &CALL,
        Channel::Message => &MESSAGE,
    };
    let all = essentials(channel)
        .iter()
        .chain(channels)
        .chain(&PARTIES)
        .chain(session);
    let mut form = merged(given, all.copied());
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

fn essentials(channel: Channel) -> &'static [(&'static str, &'static str)] {
    match channel {
        Channel::Voice => &[
            ("CallSid", CALL_SID),
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("CallStatus", "ringing"),
        ],
        Channel::Message => &[
            ("MessageSid", MESSAGE_SID),
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("SmsStatus", "received"),
        ],
    }
}

const PARTIES: [(&str, &str); 10] = [
    ("To", "+15005550006"),
    ("ToCity", "NEW YORK"),
    ("ToState", "NY"),
    ("ToZip", "10001"),
    ("ToCountry", "US"),
    ("From", "+14155550100"),
    ("FromCity", "SAN FRANCISCO"),
    ("FromState", "CA"),
    ("FromZip", "94103"),
    ("FromCountry", "US"),
];

const CALL: [(&str, &str); 12] = [
    ("Direction", "inbound"),
    ("Called", "+15005550006"),
    ("CalledCity", "NEW YORK"),
    ("CalledState", "NY"),
    ("CalledZip", "10001"),
    ("CalledCountry", "US"),
    ("Caller", "+14155550100"),
    ("CallerCity", "SAN FRANCISCO"),
    ("CallerState", "CA"),
    ("CallerZip", "94103"),
    ("CallerCountry", "US"),
    ("StirVerstat", "TN-Validation-Passed-A"),
];

const MESSAGE: [(&str, &str); 5] = [
    ("SmsSid", MESSAGE_SID),
    ("SmsMessageSid", MESSAGE_SID),
    ("Body", "Hello"),
    ("NumMedia", "0"),
    ("NumSegments", "1"),
];

const SESSION: [(&str, &str); 33] = [
    ("sessionSid", "KC00000000000000000000000000000001"),
    ("sessionAccountSid", ACCOUNT_SID),
    ("sessionServiceSid", "KS00000000000000000000000000000001"),
    ("sessionUniqueName", "ride-1"),
    ("sessionStatus", "closed"),
    ("sessionMode", "voice-and-message"),
    ("sessionClosedReason", "api"),
    ("sessionDateCreated", "2026-01-02T03:04:05Z"),
    ("sessionDateStarted", "2026-01-02T03:05:05Z"),
    ("sessionDateLastInteraction", "2026-01-02T03:20:05Z"),
    ("sessionDateUpdated", "2026-01-02T04:04:05Z"),
    ("sessionDateEnded", "2026-01-02T04:04:05Z"),
    ("ttl", "3600"),
    (
        "inboundParticipantSid",
        "KP00000000000000000000000000000001",
    ),
    ("inboundParticipantAccountSid", ACCOUNT_SID),
    (
        "inboundParticipantServiceSid",
        "KS00000000000000000000000000000001",
    ),
    (
        "inboundParticipantSessionSid",
        "KC00000000000000000000000000000001",
    ),
    ("inboundParticipantIdentifier", "+14155550100"),
    ("inboundParticipantProxyIdentifier", "+15005550006"),
    (
        "inboundParticipantProxyIdentifierSid",
        "PN00000000000000000000000000000001",
    ),
    ("inboundParticipantFriendlyName", "Rider"),
    ("inboundParticipantDateCreated", "2026-01-02T03:04:05Z"),
    ("inboundParticipantDateUpdated", "2026-01-02T03:04:05Z"),
    (
        "outboundParticipantSid",
        "KP00000000000000000000000000000002",
    ),
    ("outboundParticipantAccountSid", ACCOUNT_SID),
    (
        "outboundParticipantServiceSid",
        "KS00000000000000000000000000000001",
    ),
    (
        "outboundParticipantSessionSid",
        "KC00000000000000000000000000000001",
    ),
    ("outboundParticipantIdentifier", "+14155550123"),
    ("outboundParticipantProxyIdentifier", "+15005550009"),
    (
        "outboundParticipantProxyIdentifierSid",
        "PN00000000000000000000000000000002",
    ),
    ("outboundParticipantFriendlyName", "Driver"),
    ("outboundParticipantDateCreated", "2026-01-02T03:04:05Z"),
    ("outboundParticipantDateUpdated", "2026-01-02T03:04:05Z"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_filled_in_and_what_is_given_stays() {
        let given: Form = [("Called", "+1"), ("CallStatus", "")].into_iter().collect();
        let form = filled(&given, Channel::Voice);
        assert_eq!(form.first("Called"), Some("+1"));
        assert_eq!(form.first("CallStatus"), Some(""));
        assert_eq!(form.first("CallSid"), Some(CALL_SID));
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
        assert_eq!(channel(&text, false), Channel::Message);
        assert_eq!(channel(&Form::default(), false), Channel::Voice);
        assert_eq!(channel(&Form::default(), true), Channel::Message);
    }
}
