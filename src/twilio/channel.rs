//! Whether something is about a call or a text.

use std::fmt;

/// What a request is about, and so which half of a route answers it.
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

    /// The word of the table for this channel: `voice` or `message`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Message => "message",
        }
    }

    /// The channel of this word; `None` when it is no channel's.
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
