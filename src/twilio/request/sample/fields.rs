//! The fields of sample requests.
//!
//! Sources: Proxy's webhooks page, the Voice and Messaging webhook pages and the pages of Event Streams and Voice
//! Insights of <https://www.twilio.com/docs>; the page "Voice Webhooks" of Fone Dynamics. Numbers are of ranges that
//! belong to nobody.

/// A name and its value.
pub(super) type Field = (&'static str, &'static str);

pub(super) const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub(super) const CALL_SID: &str = "CA00000000000000000000000000000001";
pub(super) const MESSAGE_SID: &str = "SM00000000000000000000000000000001";

/// The event that is sent unless another type is given.
pub(super) const CALL_SUMMARY: &str = "com.twilio.voice.insights.call-summary.complete";

pub(super) const ANY_CALL: [Field; 4] = [
    ("CallSid", CALL_SID),
    ("AccountSid", ACCOUNT_SID),
    ("ApiVersion", "2010-04-01"),
    ("CallStatus", "ringing"),
];

pub(super) const ANY_MESSAGE: [Field; 4] = [
    ("MessageSid", MESSAGE_SID),
    ("AccountSid", ACCOUNT_SID),
    ("ApiVersion", "2010-04-01"),
    ("SmsStatus", "received"),
];

pub(super) const VOICE_INTERACTION: [Field; 5] = [
    ("interactionSid", "KI00000000000000000000000000000001"),
    ("interactionAccountSid", ACCOUNT_SID),
    (
        "interactionServiceSid",
        "KS00000000000000000000000000000001",
    ),
    (
        "interactionSessionSid",
        "KC00000000000000000000000000000001",
    ),
    ("interactionType", "Voice"),
];

pub(super) const TEXT_INTERACTION: [Field; 5] = [
    ("interactionSid", "KI00000000000000000000000000000001"),
    ("interactionAccountSid", ACCOUNT_SID),
    (
        "interactionServiceSid",
        "KS00000000000000000000000000000001",
    ),
    (
        "interactionSessionSid",
        "KC00000000000000000000000000000001",
    ),
    ("interactionType", "Message"),
];

pub(super) const INTERACTION: [Field; 3] = [
    (
        "inboundParticipantSid",
        "KP00000000000000000000000000000001",
    ),
    ("interactionDateCreated", "2026-01-02T03:20:05Z"),
    ("interactionDateUpdated", "2026-01-02T03:20:06Z"),
];

pub(super) const INBOUND_CALL: [Field; 5] = [
    ("interactionData", ""),
    ("inboundResourceSid", CALL_SID),
    ("inboundResourceStatus", "in-progress"),
    ("inboundResourceType", "call"),
    (
        "inboundResourceUrl",
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls/CA00000000000000000000000000000001.json",
    ),
];

pub(super) const INBOUND_TEXT: [Field; 5] = [
    ("interactionData", "{\"body\":\"Hello\"}"),
    ("inboundResourceSid", MESSAGE_SID),
    ("inboundResourceStatus", "received"),
    ("inboundResourceType", "message"),
    (
        "inboundResourceUrl",
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/SM00000000000000000000000000000001.json",
    ),
];

/// What the callback of a call says otherwise than its intercept did.
pub(super) const ENDED_CALL: [Field; 2] = [
    ("interactionData", "{\"duration\":\"42\"}"),
    ("inboundResourceStatus", "completed"),
];

pub(super) const OUTBOUND_CALL: [Field; 5] = [
    (
        "outboundParticipantSid",
        "KP00000000000000000000000000000002",
    ),
    ("outboundResourceSid", "CA00000000000000000000000000000002"),
    ("outboundResourceStatus", "completed"),
    ("outboundResourceType", "call"),
    (
        "outboundResourceUrl",
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls/CA00000000000000000000000000000002.json",
    ),
];

pub(super) const OUTBOUND_TEXT: [Field; 5] = [
    (
        "outboundParticipantSid",
        "KP00000000000000000000000000000002",
    ),
    ("outboundResourceSid", "SM00000000000000000000000000000002"),
    ("outboundResourceStatus", "sent"),
    ("outboundResourceType", "message"),
    (
        "outboundResourceUrl",
        "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/SM00000000000000000000000000000002.json",
    ),
];

/// The data of [`CALL_SUMMARY`], a choice of it.
pub(super) const SUMMARY: [Field; 13] = [
    ("account_sid", ACCOUNT_SID),
    ("call_sid", CALL_SID),
    ("call_type", "carrier"),
    ("call_state", "completed"),
    ("processing_state", "complete"),
    ("direction", "inbound"),
    ("start_time", "2026-01-02T03:20:05Z"),
    ("end_time", "2026-01-02T03:20:47Z"),
    ("duration", "42"),
    ("from.caller", "+14155550100"),
    ("from.country_code", "US"),
    ("to.callee", "+15005550006"),
    ("to.country_code", "US"),
];

pub(super) const ANY_VOICE_WEBHOOK: [Field; 4] = [
    ("Action", "Webhook"),
    ("Event", "Call.Complete"),
    ("Account.Sid", "A0000000000000000000000000000001"),
    ("Call.Sid", "C0000000000000000000000000000001"),
];

pub(super) const VOICE_WEBHOOK: [Field; 18] = [
    ("Property.Sid", "P0000000000000000000000000000001"),
    ("Property.Name", "Example"),
    ("Property.Type", "Site"),
    ("Call.StartDate", "2026-01-02 03:20:05"),
    ("Call.From", "+61491570156"),
    ("Call.From.Country", "AU"),
    ("Call.From.Region", "NSW"),
    ("Call.From.City", "Sydney"),
    ("Call.To", "+61491570006"),
    ("Call.To.Name", "Sales"),
    ("Call.Endpoint", "+61491570157"),
    ("Attribution.Source", "example"),
    ("Attribution.Medium", "cpc"),
    ("Attribution.Campaign", "autumn"),
    ("Attribution.Content", "banner"),
    ("Session.Traffic.Type", "Campaign"),
    ("Session.Keywords", "lost bag"),
    ("Session.LandingUri", "https://example.com/"),
];

/// What only the end of a call tells.
pub(super) const COMPLETE: [Field; 8] = [
    ("Call.To.Type", "Dynamic"),
    ("Call.Duration", "42"),
    ("Call.Disposition", "ANSWERED"),
    ("Call.Recording.Uri", "https://example.com/recording.mp3"),
    ("Call.Survey.Type", "Rating"),
    ("Call.Survey.Value", "5"),
    ("Call.Prompts.Postcode", "2000"),
    ("Call.Prompts.Keys", "1"),
];

pub(super) const PARTIES: [Field; 10] = [
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

pub(super) const CALL: [Field; 12] = [
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

pub(super) const MESSAGE: [Field; 5] = [
    ("SmsSid", MESSAGE_SID),
    ("SmsMessageSid", MESSAGE_SID),
    ("Body", "Hello"),
    ("NumMedia", "0"),
    ("NumSegments", "1"),
];

pub(super) const SESSION: [Field; 33] = [
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
