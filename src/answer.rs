//! The whole core in one call: decide, write the document, and when that cannot be done, say the default.

use bytes::Bytes;

use crate::reply::template::Scope;
use crate::table::{DEFAULT, Table};
use crate::twiml::{self, Document, RenderError};
use crate::types::Channel;

/// What a caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'t> {
    /// The name of the route that answers, or `default`.
    pub route: &'t str,
    /// The TwiML.
    pub document: Bytes,
    /// How many texts were cut at a limit of Twilio's.
    pub cut_texts: usize,
    /// The route that matched and why its reply could not be written, when that is why `default` answers.
    pub failure: Option<(&'t str, RenderError)>,
}

/// Answers a request. There is always an answer: the table has a default.
#[must_use]
pub fn answer<'t>(table: &'t Table, scope: &Scope<'_>) -> Answer<'t> {
    let decision = table.decide(scope.request);
    match twiml::render(decision.reply, scope) {
        Ok(Document { bytes, cut_texts }) => Answer {
            route: decision.name,
            document: bytes,
            cut_texts,
            failure: None,
        },
        Err(error) => Answer {
            failure: Some((decision.name, error)),
            ..default_answer(table, scope)
        },
    }
}

/// What `[default]` answers on the request's channel, whatever the routes say.
#[must_use]
pub fn default_answer<'t>(table: &'t Table, scope: &Scope<'_>) -> Answer<'t> {
    let document = twiml::render(table.default_reply(scope.request.channel()), scope);
    let Document { bytes, cut_texts } = document.unwrap_or_else(|_| Document {
        bytes: Bytes::from_static(twiml::EMPTY.as_bytes()),
        cut_texts: 0,
    });
    Answer {
        route: DEFAULT,
        document: bytes,
        cut_texts,
        failure: None,
    }
}

/// The documents for a request that breaks the core itself: written beforehand, so that nothing is left to go wrong.
#[must_use]
pub fn last_resort(table: &Table, channel: Channel) -> Bytes {
    match table.default_reply(channel) {
        crate::reply::Reply::Ready(bytes) => bytes.clone(),
        crate::reply::Reply::Template(_) => Bytes::from_static(twiml::EMPTY.as_bytes()),
    }
}
