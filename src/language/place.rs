//! Where what is lowered stands: on which channel, in whose reply, as what.

use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::Destination;

/// Where elements stand, and so what they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The channel they answer.
    pub channel: Channel,
    /// Whose they are.
    pub owner: Owner,
}

/// Whose elements are lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A route's own.
    Route {
        /// Whether it may dial the other party's real number.
        private: bool,
    },
    /// A `[reply.NAME]`'s, which routes of both kinds may name.
    Reply,
    /// `[default]`'s.
    Default,
    /// `[defaults.X]`'s attributes.
    Defaults,
}

/// What a text is for.
pub(super) struct Use<'u> {
    /// The element it stands in.
    pub element: &'u str,
    /// Its attribute; `None` for the element's text.
    pub attribute: Option<&'u str>,
    /// Where it leads, if anywhere.
    pub destination: Option<Destination>,
    /// Whether it is what a Dial reaches.
    pub dials: bool,
    /// Whether it is the URL of a socket.
    pub is_socket: bool,
    /// Where the element stands.
    pub place: Place,
}
