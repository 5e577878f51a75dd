//! What a part of the table uses: what its reader returns beside its value, for the checks over the whole table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::table::reply::template::Text;
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{AttributeSpec, Destination, ValueError};

/// A value that was read, and what it uses.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub value: T,
    pub uses: Uses,
}

impl<T> Read<T> {
    /// The value; what it uses is added to what the whole uses.
    pub(super) fn unpack(self, whole: &mut Uses) -> T {
        whole.add(self.uses);
        self.value
    }
}

/// What a part of the table uses.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// The directories that conditions look into.
    pub directories: BTreeSet<String>,
    /// The schedules of `during` and `outside`.
    pub schedules: BTreeSet<String>,
    /// The replies that routes name.
    pub replies: BTreeSet<String>,
    /// The directories whose columns stand in a reply, with the first place of each: the route that gives the reply must
    /// choose one row of each.
    pub rows: BTreeMap<String, Range<usize>>,
    /// Whether the other party's real number is dialled, which only a route with `private = true` may do.
    pub needs_private: bool,
    /// The columns that are dialled or sent to.
    pub dialled: BTreeSet<(String, usize)>,
    /// The columns that callers hear or read, with their places.
    pub told: Vec<(String, usize, Range<usize>)>,
    /// The places that every cell of a column must be able to fill.
    pub cells: Vec<CellCheck>,
    /// The URLs that have a step in their query.
    pub steps: Vec<StepReference>,
    /// Whether a URL leads to a step that only a request knows.
    pub leads_anywhere: bool,
}

impl Uses {
    /// A value that uses this.
    pub(super) fn with<T>(self, value: T) -> Read<T> {
        Read { value, uses: self }
    }

    /// Adds what another part uses, which stands behind this one.
    pub(super) fn add(&mut self, other: Self) {
        self.directories.extend(other.directories);
        self.schedules.extend(other.schedules);
        self.replies.extend(other.replies);
        for (directory, place) in other.rows {
            self.rows.entry(directory).or_insert(place);
        }
        self.needs_private |= other.needs_private;
        self.dialled.extend(other.dialled);
        self.told.extend(other.told);
        self.cells.extend(other.cells);
        self.steps.extend(other.steps);
        self.leads_anywhere |= other.leads_anywhere;
    }

    /// Adds a check of every cell, when the text is a column and nothing else.
    pub(super) fn check_cells(
        &mut self,
        text: &Text,
        rule: Rule,
        span: Range<usize>,
        place: String,
    ) {
        if let Some((directory, column)) = text.plain_column() {
            self.cells.push(CellCheck {
                directory: directory.name().to_owned(),
                column,
                rule,
                is_required: false,
                place,
                span,
            });
        }
    }
}

/// A place that every cell of a column must be able to fill.
#[derive(Debug)]
pub(super) struct CellCheck {
    pub directory: String,
    pub column: usize,
    pub rule: Rule,
    /// Whether the place cannot be left out when a cell is empty.
    pub is_required: bool,
    /// The place, for a sentence.
    pub place: String,
    pub span: Range<usize>,
}

/// What a place asks of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Attribute(&'static AttributeSpec),
    Destination(Destination),
}

impl Rule {
    pub(super) fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::Attribute(spec) => spec.check(value),
            Self::Destination(destination) => destination.check(value),
        }
    }
}

/// A URL of a reply that has a step in its query.
#[derive(Debug)]
pub(super) struct StepReference {
    /// The step it leads to; empty for requests without one.
    pub step: String,
    /// The step of the route it stands in, empty without one; `None` outside of routes.
    pub from: Option<String>,
    /// Where the URL stands.
    pub span: Range<usize>,
    /// Whether it comes back to this service: it is completed from the URL that was asked.
    pub is_ours: bool,
    /// Whether it is a Redirect's, which is followed at once.
    pub is_redirect: bool,
}

/// Where elements stand, and so what they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The channel they answer.
    pub channel: Channel,
    /// Whose they are.
    pub owner: Owner,
}

/// Whose elements they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A route's own.
    Route {
        /// Whether it may dial the other party's real number.
        private: bool,
        /// Whether the route answers a step.
        in_step: bool,
    },
    /// A `[reply.NAME]`'s, which any route may name.
    Reply,
    /// `[default]`'s.
    Default,
    /// `[defaults.X]`'s attributes.
    Defaults,
}

/// What a text is for.
pub(super) struct Slot<'s> {
    /// The element it stands in.
    pub element: &'s str,
    /// Its attribute; `None` for the element's text.
    pub attribute: Option<&'s str>,
    /// Where it leads, if anywhere.
    pub destination: Option<Destination>,
    /// Whether it is what a Dial reaches.
    pub dials: bool,
    /// Whether it is the URL of a socket.
    pub is_socket: bool,
    /// Where the element stands.
    pub place: Place,
}
