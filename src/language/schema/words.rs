//! What an editor says about an element or an attribute, in a sentence.

/// What an element does; nothing for one that is not known.
pub(super) fn element(tag: &str) -> &'static str {
    found(ELEMENTS, tag).unwrap_or_default()
}

/// What an attribute means wherever it stands; `None` where its name says it.
pub(super) fn attribute(name: &str) -> Option<&'static str> {
    found(ATTRIBUTES, name)
}

fn found(words: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    words
        .iter()
        .find(|(word, _)| *word == name)
        .map(|(_, sentence)| *sentence)
}

/// Sources: the pages of the elements below <https://www.twilio.com/docs/voice/twiml> and
/// <https://www.twilio.com/docs/messaging/twiml>.
pub(super) const ELEMENTS: &[(&str, &str)] = &[
    (
        "AiSession",
        "Connects the call to an AI session of a connector.",
    ),
    ("Application", "Dials a TwiML application."),
    (
        "ApplicationSid",
        "The SID of the application that is dialled.",
    ),
    (
        "Autopilot",
        "Connects the call to an Autopilot assistant; Twilio has ended that product.",
    ),
    ("Body", "The text of a message; several are put together."),
    ("Client", "Dials a browser or an app by its identity."),
    (
        "Conference",
        "Puts the caller into a conference of this name; nothing else may be dialled beside it.",
    ),
    ("Config", "A setting of a virtual agent or a transcription."),
    (
        "Connect",
        "Hands the call over to a stream, a room, a relay or an agent.",
    ),
    ("Conversation", "Connects the call to a conversation."),
    (
        "ConversationRelay",
        "Connects the call to a WebSocket that gets and gives words in place of sound.",
    ),
    (
        "ConversationRelaySession",
        "Connects the call to a relay session of a connector.",
    ),
    (
        "Dial",
        "Calls somebody: a number as its text, or up to 10 nouns at once. Our own number is shown unless callerId says otherwise.",
    ),
    ("Echo", "Sends the caller's sound back."),
    (
        "Enqueue",
        "Puts the caller into a queue of this name, or gives a Task to TaskRouter.",
    ),
    (
        "Gather",
        "Waits for digits or speech while it speaks; what came goes to `action`. Without input the next element follows.",
    ),
    ("Hangup", "Ends the call."),
    ("Header", "A SIP header that goes with the call."),
    ("Headers", "The SIP headers that go with the call."),
    ("Identity", "The identity of the client that is dialled."),
    (
        "Language",
        "A language of a ConversationRelay with its voices.",
    ),
    (
        "Leave",
        "Takes the caller out of the queue; the document goes on behind Enqueue.",
    ),
    (
        "Media",
        "The URL of a picture or a file that goes with the message; at most 10.",
    ),
    (
        "Message",
        "Sends a text to the sender, or to `to`; at most 10 in one answer.",
    ),
    ("Number", "Dials a phone number in E.164 form."),
    ("Parameter", "A name and a value that the other side gets."),
    (
        "Pause",
        "Waits `length` seconds in silence. As the first element it does so before the call is answered.",
    ),
    ("Pay", "Takes a payment through a Pay connector."),
    (
        "Play",
        "Plays the audio at this URL, or the keys in `digits`.",
    ),
    ("Prompt", "What the caller hears at one step of a payment."),
    (
        "Queue",
        "Connects to the first caller who waits in this queue.",
    ),
    (
        "Record",
        "Records the caller; what was recorded goes to `action`.",
    ),
    ("Recording", "Records the call while the document goes on."),
    ("Redirect", "Goes on with the document at this URL."),
    ("Refer", "Hands the call over to another SIP address."),
    (
        "Reject",
        "Refuses the call; as the first element it does so without answering and without cost.",
    ),
    ("Room", "Connects the call to a video room."),
    (
        "Say",
        "Speaks a text to the caller; tags of SSML may stand in it.",
    ),
    ("Sim", "Dials a wireless SIM by its SID."),
    ("Sip", "Dials or names a SIP address."),
    (
        "Siprec",
        "Sends the sound of the call to a SIPREC connector.",
    ),
    (
        "Sms",
        "Sends a text during a call; Twilio advises its API instead.",
    ),
    ("Start", "Begins something that runs beside the document."),
    ("Stop", "Ends what Start began, by its name."),
    ("Stream", "Sends the sound of the call to a WebSocket."),
    ("Task", "The JSON attributes of a task for TaskRouter."),
    (
        "Transcription",
        "Writes down what is said while the document goes on.",
    ),
    ("Uri", "One SIP address of several."),
    (
        "VirtualAgent",
        "Connects the call to a virtual agent of a connector.",
    ),
    ("WhatsApp", "Dials a number over WhatsApp."),
    ("break", "A pause in what is spoken."),
    ("emphasis", "Words that are stressed."),
    ("lang", "Words in another language."),
    ("p", "A paragraph."),
    ("phoneme", "Words with their sounds written out in `ph`."),
    ("prosody", "Words at another volume, rate or pitch."),
    ("s", "A sentence."),
    (
        "say-as",
        "Words read in a certain way, such as digits one by one.",
    ),
    ("sub", "Words for which `alias` is spoken."),
    ("w", "A word with its role in the sentence."),
];

const ATTRIBUTES: &[(&str, &str)] = &[
    (
        "action",
        "The URL that is asked next. \"?step=NAME\" leads to the routes with that step.",
    ),
    (
        "actionOnEmptyResult",
        "Ask `action` also when no input came.",
    ),
    (
        "answerOnBridge",
        "The caller hears ringing until somebody answers.",
    ),
    ("bargeIn", "Input interrupts what is spoken."),
    (
        "callerId",
        "The number that the dialled party sees; our own number unless it is set.",
    ),
    ("finishOnKey", "The key that ends the input."),
    ("from", "The number or name that the text comes from."),
    (
        "hints",
        "Words that are likely to be said, parted by commas.",
    ),
    ("input", "What is waited for: digits, speech or both."),
    ("language", "The language of the voice or of what is said."),
    ("loop", "How often; 0 is until the caller hangs up."),
    ("maxLength", "The longest recording, in seconds."),
    ("method", "How the URL is asked."),
    ("numDigits", "How many digits end the input."),
    ("record", "What is recorded."),
    (
        "sendDigits",
        "Keys that are pressed once somebody answers; w waits half a second.",
    ),
    ("statusCallback", "The URL that is told what became of it."),
    ("timeLimit", "The longest call, in seconds."),
    ("timeout", "How long it waits, in seconds."),
    ("to", "Whom the text goes to; the sender unless it is set."),
    ("url", "The URL that is asked or connected to."),
    (
        "voice",
        "The voice that speaks, such as Polly.Joanna-Neural.",
    ),
    ("xml:lang", "The language of these words."),
];
