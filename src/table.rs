//! The table: routes in file order, and which of them answers a request.
//!
//! Built only by `language::compile` and never changed afterwards. The code that decides is the code that shows why.

pub mod answer;
pub mod condition;
pub mod diagnostic;
pub mod dialogue;
pub mod directory;
pub mod guard;
mod index;
pub mod intercept;
pub mod preview;
pub(crate) mod problems;
pub mod reason;
pub(crate) mod remedy;
pub mod reply;
pub mod schedule;
pub mod twiml;
pub(crate) mod visible;
pub mod when;

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;

use smallvec::smallvec;

use self::directory::BoundRow;
use self::guard::Limits;
use self::index::Index;
use self::intercept::Intercept;
use self::reply::{EMPTY_DOCUMENT, Reply, Sends};
use self::when::{Mismatch, When};
use crate::twilio::channel::Channel;
use crate::twilio::facts::Facts;
use crate::twilio::request::{Request, Webhook};

/// The name under which `[default]` answers.
pub const DEFAULT: &str = "default";

/// All of `responses.toml`, compiled.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    index: Index,
    default: DefaultReplies,
    /// The interactions of Proxy sessions that are blocked, in file order; when empty, that webhook does not exist.
    pub intercepts: Vec<Intercept>,
    /// What the guards allow.
    pub limits: Limits,
    /// The steps that one call may request repeatedly without counting as a circle, because the call waits there.
    pub waiting_steps: BTreeSet<Box<str>>,
}

/// What `[default]` answers. Both channels always have a reply.
#[derive(Debug)]
pub struct DefaultReplies {
    /// To a call.
    pub voice: DefaultReply,
    /// To a text.
    pub message: DefaultReply,
}

/// What `[default]` answers on one channel.
#[derive(Debug)]
pub struct DefaultReply {
    /// The reply.
    pub reply: Reply,
    /// The part of it that depends on nothing, for a request that makes the program panic.
    pub plain: Bytes,
}

impl DefaultReply {
    /// The reply that says nothing.
    #[must_use]
    pub fn silent() -> Self {
        let document = Bytes::from_static(EMPTY_DOCUMENT.as_bytes());
        Self {
            reply: Reply::Ready {
                document: document.clone(),
                sends: Sends::Nothing,
            },
            plain: document,
        }
    }
}

/// One `[[route]]`: when it answers, and what.
#[derive(Debug)]
pub struct Route {
    /// Its name, in logs, tests and the answer's header.
    pub name: Box<str>,
    /// The step it answers; `None` for requests without one.
    pub step: Option<Box<str>>,
    /// The requests it is for.
    pub when: When,
    /// The reply to a call; `None` when it does not answer calls.
    pub voice: Option<Reply>,
    /// The reply to a text; `None` when it does not answer texts.
    pub message: Option<Reply>,
    /// Whether it answers texts from machines, which otherwise get no answer.
    pub answers_machines: bool,
}

/// Which route answers, and with what.
#[derive(Debug)]
pub struct Decision<'t> {
    /// The route; `None` when `[default]` answers.
    pub route: Option<&'t Route>,
    /// The route's position in the table; `None` when `[default]` answers.
    pub position: Option<usize>,
    /// The reply for the request's channel.
    pub reply: &'t Reply,
    /// The directory rows that the request's values choose.
    pub rows: Vec<BoundRow<'t>>,
}

/// Why a route does not answer a request: the first thing that does not hold.
#[derive(Debug)]
pub enum Miss<'t> {
    /// The request is at a different step from this one, which the route answers.
    Step(Option<&'t str>),
    /// The route has no reply on this channel.
    Silent(Channel),
    /// The route opens a session, which is possible only on Proxy's own webhook.
    ProxyOnly,
    /// Its conditions or its hours do not match.
    When(Mismatch<'t>),
}

impl Table {
    /// A table with these routes and intercepts, in file order.
    #[must_use]
    pub fn new(
        routes: Vec<Route>,
        intercepts: Vec<Intercept>,
        default: DefaultReplies,
        limits: Limits,
    ) -> Self {
        Self {
            index: Index::new(&routes),
            routes,
            default,
            intercepts,
            limits,
            waiting_steps: BTreeSet::new(),
        }
    }

    /// Its routes, in file order.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The reply of `[default]` on a channel.
    #[must_use]
    pub fn default_reply(&self, channel: Channel) -> &DefaultReply {
        match channel {
            Channel::Voice => &self.default.voice,
            Channel::Message => &self.default.message,
        }
    }

    /// The parameters that conditions of routes and intercepts ask for, by the names that they have there.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<&str> {
        let routes = self.routes.iter().map(|route| &route.when);
        let whens = routes.chain(self.intercepts.iter().map(|intercept| &intercept.when));
        let alternatives = whens.flat_map(|when| &when.alternatives);
        let conditions = alternatives.flat_map(|alternative| &alternative.conditions);
        let names = conditions.flat_map(|condition| condition.subject.parameters());
        names.map(|name| &**name).collect()
    }

    /// Every route in file order with the reason why it does not answer; `None` means that it would.
    pub fn verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Route, Option<Miss<'t>>)> {
        self.routes
            .iter()
            .map(move |route| (route, route.miss(request, now)))
    }

    /// [`Table::verdicts`] without the routes that the index rules out.
    pub(crate) fn close_verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Route, Option<Miss<'t>>)> {
        self.candidates(request)
            .map(move |(_, route)| (route, route.miss(request, now)))
    }

    /// The routes that may answer a request, with their positions, in file order.
    pub(crate) fn candidates<'t, 'f>(
        &'t self,
        facts: &impl Facts<'f>,
    ) -> impl Iterator<Item = (usize, &'t Route)> {
        let positions = self.index.candidates(facts);
        positions.map(|position| (position, &self.routes[position]))
    }

    /// The routes that may answer every request that another route answers, with their positions, in file order; some
    /// may be missing.
    pub(crate) fn routes_like<'t>(
        &'t self,
        route: &'t Route,
    ) -> impl Iterator<Item = (usize, &'t Route)> {
        let conditions = route.when.alternatives.first();
        let conditions = conditions.map_or(&[][..], |first| &first.conditions);
        let positions = self.index.candidates_for(|subject| match subject {
            None => Some(smallvec![route.step()]),
            Some(subject) => conditions.iter().find_map(|condition| {
                let places = condition.subject.places_of(subject)?;
                let start = condition.demand.start()?;
                places
                    .iter()
                    .map(|place| start.get(*place).copied())
                    .collect()
            }),
        });
        positions.map(|position| (position, &self.routes[position]))
    }

    /// The first route in [`Table::verdicts`] that answers, found through the index, else `[default]`.
    #[must_use]
    pub fn decide<'t>(&'t self, request: &Request<'_>, now: Timestamp) -> Decision<'t> {
        let channel = request.channel();
        let found = self
            .candidates(request)
            .find(|(_, route)| route.answers(request, now) == Some(true));
        let Some((position, route)) = found else {
            return Decision {
                route: None,
                position: None,
                reply: &self.default_reply(channel).reply,
                rows: Vec::new(),
            };
        };
        Decision {
            route: Some(route),
            position: Some(position),
            reply: route
                .reply(channel)
                .expect("a route that answers has a reply"),
            rows: route.when.rows(request, now),
        }
    }
}

impl<'t> Decision<'t> {
    /// The route's name, or [`DEFAULT`].
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.route.map_or(DEFAULT, |route| &*route.name)
    }
}

impl Route {
    /// Its reply on a channel; `None` when it has none there.
    #[must_use]
    pub fn reply(&self, channel: Channel) -> Option<&Reply> {
        match channel {
            Channel::Voice => self.voice.as_ref(),
            Channel::Message => self.message.as_ref(),
        }
    }

    /// Whether it answers a request at this moment; `None` when too little is known of the request.
    pub fn answers<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<bool> {
        let is_at_step = facts.step().map(|step| step == self.step());
        if is_at_step == Some(false) || self.unanswerable(facts).is_some() {
            return Some(false);
        }
        match self.when.holds(facts, now) {
            Some(true) => is_at_step,
            holds => holds,
        }
    }

    /// Why it does not answer a complete request; `None` when it does.
    fn miss(&self, request: &Request<'_>, now: Timestamp) -> Option<Miss<'_>> {
        if self.step() != request.step() {
            return Some(Miss::Step(self.step.as_deref()));
        }
        let mismatch = || self.when.mismatch(request, now).map(Miss::When);
        self.unanswerable(request).or_else(mismatch)
    }

    /// Why it cannot answer a request, whatever its conditions.
    fn unanswerable<'f>(&self, facts: &impl Facts<'f>) -> Option<Miss<'_>> {
        match self.reply(facts.channel()) {
            None => Some(Miss::Silent(facts.channel())),
            Some(Reply::Session(_)) if facts.webhook() != Webhook::OutOfSession => {
                Some(Miss::ProxyOnly)
            }
            Some(_) => None,
        }
    }

    /// The step that it answers; empty for requests without one.
    pub(crate) fn step(&self) -> &str {
        self.step.as_deref().unwrap_or_default()
    }
}
