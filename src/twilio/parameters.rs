//! The parameters that Twilio's webhooks send, and the words that some of them take.
//!
//! Sources: Proxy's webhooks page, the Voice and Messaging webhook pages of <https://www.twilio.com/docs>. Twilio
//! adds parameters without notice, so an unknown one is only a suspicion; one in another letter case is a mistake.

use crate::twilio::spelling::nearest;

/// What is wrong with a parameter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameProblem {
    /// Twilio spells it like this.
    Case(&'static str),
    /// No webhook sends it; the nearest that one does send.
    Unknown(Option<&'static str>),
}

/// Checks the name of a parameter; `None` when a webhook of Twilio's sends it.
pub(crate) fn check_name(name: &str) -> Option<NameProblem> {
    let whole = name;
    let name = match name.split_once('.') {
        Some((parameter, _)) if JSON.contains(&parameter) => parameter,
        _ => name,
    };
    if all().any(|known| known == name) || is_numbered(name) || name.starts_with("SipHeader_") {
        return None;
    }
    match all().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Some(NameProblem::Case(known)),
        None => Some(NameProblem::Unknown(nearest(whole, all()))),
    }
}

/// How Twilio spells a parameter that is written in another letter case.
pub(crate) fn other_case(name: &str) -> Option<&'static str> {
    match check_name(name) {
        Some(NameProblem::Case(known)) => Some(known),
        _ => None,
    }
}

/// Whether a webhook of Twilio's sends a parameter of this name.
pub(crate) fn is_known(name: &str) -> bool {
    check_name(name).is_none()
}

/// The words that a parameter takes; `None` when it takes any text.
pub(crate) fn words(name: &str) -> Option<&'static [&'static str]> {
    WORDS
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, words)| *words)
}

/// Whether a parameter holds a phone number or another address.
pub(crate) fn is_number(name: &str) -> bool {
    matches!(
        name,
        "Called"
            | "Caller"
            | "To"
            | "From"
            | "ForwardedFrom"
            | "inboundParticipantIdentifier"
            | "inboundParticipantProxyIdentifier"
            | "outboundParticipantIdentifier"
            | "outboundParticipantProxyIdentifier"
    )
}

/// Whether a parameter is a country, two capital letters.
pub(crate) fn is_country(name: &str) -> bool {
    matches!(
        name,
        "CalledCountry" | "CallerCountry" | "ToCountry" | "FromCountry"
    )
}

/// Whether a parameter tells of a Proxy session, which Twilio's follow-up requests do not carry.
pub(crate) fn is_of_session(name: &str) -> bool {
    ["session", "inboundParticipant", "outboundParticipant"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || name == "ttl"
}

/// Whether Proxy's intercept sends a parameter of this name.
///
/// Proxy's page lists these; of a picture's it has said only that they are sent, so those of a text are taken.
pub(crate) fn is_of_intercept(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default();
    INTERCEPT.contains(&name) || is_numbered(name)
}

/// The parameter of Proxy's intercept with the nearest name.
pub(crate) fn nearest_of_intercept(name: &str) -> Option<&'static str> {
    nearest(name, INTERCEPT.iter().copied())
}

/// Whether a parameter is the other party's real number or name, which nobody may hear or read by accident.
pub(crate) fn is_private(name: &str) -> bool {
    matches!(
        name,
        "outboundParticipantIdentifier" | "outboundParticipantFriendlyName"
    )
}

/// `MediaUrl0`, `MediaContentType0` and so on: one for each medium of a text.
fn is_numbered(name: &str) -> bool {
    ["MediaUrl", "MediaContentType"]
        .iter()
        .filter_map(|stem| name.strip_prefix(stem))
        .any(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    PROXY.iter().chain(VOICE).chain(MESSAGE).copied()
}

/// Parameters whose value is JSON, which a dotted name reaches into.
pub(crate) const JSON: &[&str] = &[
    "AddOns",
    "ChannelMetadata",
    "FlowData",
    "InteractiveData",
    "interactionData",
];

const INTERCEPT: &[&str] = &[
    "AccountSid",
    "inboundParticipantSid",
    "inboundResourceSid",
    "inboundResourceStatus",
    "inboundResourceType",
    "inboundResourceUrl",
    "interactionAccountSid",
    "interactionData",
    "interactionDateCreated",
    "interactionDateUpdated",
    "interactionServiceSid",
    "interactionSessionSid",
    "interactionSid",
    "interactionType",
];

const PROXY: &[&str] = &[
    "inboundParticipantAccountSid",
    "inboundParticipantDateCreated",
    "inboundParticipantDateUpdated",
    "inboundParticipantFriendlyName",
    "inboundParticipantIdentifier",
    "inboundParticipantProxyIdentifier",
    "inboundParticipantProxyIdentifierSid",
    "inboundParticipantServiceSid",
    "inboundParticipantSessionSid",
    "inboundParticipantSid",
    "inboundResourceSid",
    "inboundResourceStatus",
    "inboundResourceType",
    "inboundResourceUrl",
    "interactionAccountSid",
    "interactionData",
    "interactionDateCreated",
    "interactionDateUpdated",
    "interactionServiceSid",
    "interactionSessionSid",
    "interactionSid",
    "interactionType",
    "outboundParticipantAccountSid",
    "outboundParticipantDateCreated",
    "outboundParticipantDateUpdated",
    "outboundParticipantFriendlyName",
    "outboundParticipantIdentifier",
    "outboundParticipantProxyIdentifier",
    "outboundParticipantProxyIdentifierSid",
    "outboundParticipantServiceSid",
    "outboundParticipantSessionSid",
    "outboundParticipantSid",
    "outboundResourceSid",
    "outboundResourceStatus",
    "outboundResourceType",
    "outboundResourceUrl",
    "sessionAccountSid",
    "sessionClosedReason",
    "sessionDateCreated",
    "sessionDateEnded",
    "sessionDateLastInteraction",
    "sessionDateStarted",
    "sessionDateUpdated",
    "sessionMode",
    "sessionServiceSid",
    "sessionSid",
    "sessionStatus",
    "sessionUniqueName",
    "ttl",
];

const VOICE: &[&str] = &[
    "AccountSid",
    "AddOns",
    "AnsweredBy",
    "ApiVersion",
    "CallSid",
    "CallStatus",
    "CallToken",
    "Called",
    "CalledCity",
    "CalledCountry",
    "CalledState",
    "CalledZip",
    "Caller",
    "CallerCity",
    "CallerCountry",
    "CallerName",
    "CallerState",
    "CallerZip",
    "Confidence",
    "DequeueResult",
    "DialBridged",
    "DialCallDuration",
    "DialCallSid",
    "DialCallStatus",
    "Digits",
    "Direction",
    "ErrorCode",
    "ErrorUrl",
    "FinishedOnKey",
    "ForwardedFrom",
    "From",
    "FromCity",
    "FromCountry",
    "FromState",
    "FromZip",
    "ParentCallSid",
    "QueueResult",
    "QueueSid",
    "QueueTime",
    "RecordingDuration",
    "RecordingSid",
    "RecordingUrl",
    "SipCallId",
    "SipDomain",
    "SipDomainSid",
    "SipSourceIp",
    "SpeechResult",
    "StirPassportToken",
    "StirVerstat",
    "To",
    "ToCity",
    "ToCountry",
    "ToState",
    "ToZip",
];

const MESSAGE: &[&str] = &[
    "Address",
    "Body",
    "ButtonPayload",
    "ButtonText",
    "ButtonType",
    "ChannelMetadata",
    "FlowData",
    "Forwarded",
    "FrequentlyForwarded",
    "InteractiveData",
    "Label",
    "Latitude",
    "Longitude",
    "MessageSid",
    "MessageType",
    "MessagingServiceSid",
    "NumMedia",
    "NumSegments",
    "OptOutType",
    "OriginalRepliedMessageSender",
    "OriginalRepliedMessageSid",
    "ProfileName",
    "ReferralBody",
    "ReferralCtwaClid",
    "ReferralHeadline",
    "ReferralMediaContentType",
    "ReferralMediaId",
    "ReferralMediaUrl",
    "ReferralNumMedia",
    "ReferralSourceId",
    "ReferralSourceType",
    "ReferralSourceUrl",
    "SmsMessageSid",
    "SmsSid",
    "SmsStatus",
    "WaId",
];

const CALL_STATUS: &[&str] = &[
    "queued",
    "ringing",
    "in-progress",
    "completed",
    "busy",
    "failed",
    "no-answer",
    "canceled",
    "initiated",
];

const WORDS: &[(&[&str], &[&str])] = &[
    (
        &["sessionStatus"],
        &["open", "in-progress", "closed", "failed", "unknown"],
    ),
    (
        &["sessionMode"],
        &["message-only", "voice-only", "voice-and-message"],
    ),
    (
        &["Direction"],
        &[
            "inbound",
            "outbound-api",
            "outbound-dial",
            "trunking-originating",
            "trunking-terminating",
        ],
    ),
    (&["CallStatus"], CALL_STATUS),
    (
        &["DialCallStatus"],
        &[
            "completed",
            "answered",
            "busy",
            "no-answer",
            "failed",
            "canceled",
        ],
    ),
    (
        &["SmsStatus"],
        &[
            "accepted",
            "delivered",
            "failed",
            "queued",
            "read",
            "received",
            "receiving",
            "scheduled",
            "sending",
            "sent",
            "undelivered",
        ],
    ),
    // The API's own words are in small letters, those of its webhooks are not.
    (&["interactionType"], &["Message", "Voice", "Unknown"]),
    (
        &["inboundResourceType", "outboundResourceType"],
        &["call", "message"],
    ),
    (
        &["inboundResourceStatus", "outboundResourceStatus"],
        &[
            "accepted",
            "answered",
            "busy",
            "canceled",
            "completed",
            "deleted",
            "delivered",
            "delivery-unknown",
            "failed",
            "in-progress",
            "initiated",
            "no-answer",
            "queued",
            "received",
            "receiving",
            "ringing",
            "scheduled",
            "sending",
            "sent",
            "undelivered",
            "unknown",
        ],
    ),
    (&["OptOutType"], &["STOP", "HELP", "START"]),
    (&["ButtonType"], &["REPLY", "ACTION"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_their_own_letter_case_only() {
        for name in [
            "Called",
            "sessionStatus",
            "MediaUrl0",
            "MediaContentType12",
            "SipHeader_X-Foo",
            "AddOns.status",
        ] {
            assert_eq!(check_name(name), None, "{name}");
        }
        assert_eq!(check_name("called"), Some(NameProblem::Case("Called")));
        assert_eq!(
            check_name("SessionStatus"),
            Some(NameProblem::Case("sessionStatus"))
        );
        assert_eq!(
            check_name("Cal1ed"),
            Some(NameProblem::Unknown(Some("Called")))
        );
        assert_eq!(check_name("MediaUrl"), Some(NameProblem::Unknown(None)));
        assert_eq!(check_name("campaign"), Some(NameProblem::Unknown(None)));
        // Only what is JSON is reached into.
        assert_eq!(
            check_name("Called.x"),
            Some(NameProblem::Unknown(Some("Called")))
        );
    }

    #[test]
    fn what_an_intercept_sends_is_known() {
        for name in INTERCEPT {
            assert!(is_known(name) && is_of_intercept(name), "{name}");
        }
        assert!(is_of_intercept("interactionData.body"));
        assert!(is_of_intercept("MediaUrl0"));
        for name in ["Called", "Body", "sessionSid", "outboundResourceSid"] {
            assert!(!is_of_intercept(name), "{name}");
        }
    }
}
