//! Which webhook receives a request, and whether the request is about a call or a text.

use std::fmt;

/// What a request is about, which decides the half of a route that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A call; answered by `voice`.
    Voice,
    /// A text; answered by `message`.
    Message,
}

impl Channel {
    /// Both channels.
    pub const ALL: [Self; 2] = [Self::Voice, Self::Message];

    /// The table's word for this channel: `voice` or `message`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Message => "message",
        }
    }

    /// The channel of this word; `None` when no channel has it.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == name)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The service's webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// Proxy's `OutOfSessionCallbackUrl`.
    OutOfSession,
    /// The Voice or Messaging webhook of a number, without Proxy.
    Plain,
    /// Proxy's `InterceptCallbackUrl`.
    Intercept,
    /// Proxy's `CallbackUrl`, and any other status callback from Twilio.
    Callback,
    /// The webhook of an Event Streams sink.
    Events,
    /// The Voice Webhooks of Fone Dynamics.
    VoiceWebhooks,
}

impl Webhook {
    /// All webhooks.
    pub const ALL: [Self; 6] = [
        Self::OutOfSession,
        Self::Plain,
        Self::Intercept,
        Self::Callback,
        Self::Events,
        Self::VoiceWebhooks,
    ];

    /// The word for logs, the journal and `--webhook`. It is also the path, except that Proxy's first webhook may have
    /// another path.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutOfSession => "out-of-session",
            Self::Plain => "webhook",
            Self::Intercept => "intercept",
            Self::Callback => "callback",
            Self::Events => "events",
            Self::VoiceWebhooks => "voice-webhooks",
        }
    }

    /// The webhook of this word; `None` when no webhook has it.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|webhook| webhook.as_str() == name)
    }

    /// Whether the table decides the answer: a route, `[default]`, the loop guard or an intercept.
    pub(crate) fn is_decided(self) -> bool {
        self.wants_document() || self == Self::Intercept
    }

    /// Whether the answer is a document, from a route, `[default]` or the loop guard.
    pub(crate) fn wants_document(self) -> bool {
        matches!(self, Self::OutOfSession | Self::Plain)
    }
}
