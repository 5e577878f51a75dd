//! What may be written at each place of a table, by the shape of its sections, the kinds of conditions and the
//! vocabulary.

use std::ops::Range;

use super::tree::{Entry, Key, Section as Part, Table, Value, ValueKind};
use crate::language::shape::{self, KeyKind, KeyShape, Named, Section};
use crate::table::condition::{KINDS, Keyed, inside};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{self, AttributeSpec, Destination, ElementSpec};

/// What a value may be, or which keys a table may have.
#[derive(Clone, Copy)]
pub(super) enum Meaning<'t> {
    /// A table with fixed keys. The text is the name that the operator gave it, where sections of its kind have names.
    Section(&'static Section, &'t str),
    /// The value of a key in such a section.
    Kind(&'static KeyKind, &'t str),
    /// Parameters, each with what it must be.
    Conditions,
    /// What a parameter or a column must be.
    Condition(&'t str),
    /// What follows the key of a kind of condition.
    Keyed(&'static Keyed),
    /// The parameters of a request, and perhaps the keys of a section.
    Request(Option<&'static Section>),
    /// The value of a parameter in such a request.
    Parameter(&'t str),
    /// The content of an element: elements in an array, or a text.
    Content(Channel, &'static ElementSpec),
    /// One element below this one, with its attributes.
    Element(Channel, &'static ElementSpec),
    Attribute(&'static AttributeSpec),
    /// Attributes by element.
    Defaults,
    /// The attributes of an element.
    DefaultsOf(&'t str),
    /// A row of a directory.
    Row(&'t str),
    Unknown,
}

/// `in = "NAME"`
static DIRECTORY_NAME: KeyKind = KeyKind::NameOf(Named::Directory, &[]);

/// `?step=NAME`
static STEP_NAME: KeyKind = KeyKind::NameOf(Named::Step, &[]);

impl<'t> Meaning<'t> {
    /// The name of a step, as in a URL.
    pub(super) const STEP: Self = Self::Kind(&STEP_NAME, "");

    /// What a value of this kind is.
    fn of(kind: &'static KeyKind, owner: &'t str) -> Self {
        match kind {
            KeyKind::Section(section) => Self::Section(section, owner),
            KeyKind::When => Self::Conditions,
            KeyKind::Reply(channel) | KeyKind::LastReply(channel) => {
                Self::Content(*channel, vocabulary::response(*channel))
            }
            KeyKind::Request => Self::Request(None),
            KeyKind::RequestWith(section) => Self::Request(Some(section)),
            KeyKind::Defaults => Self::Defaults,
            kind => Self::Kind(kind, owner),
        }
    }

    /// What the value of a key is, in a table of this meaning.
    pub(super) fn key(self, name: &'t str, table: &Table) -> Self {
        match self {
            Self::Section(section, owner) => section
                .key(name)
                .map_or(Self::Unknown, |key| Self::of(&key.kind, owner)),
            Self::Kind(KeyKind::Sections(_, section), _) => Self::Section(section, name),
            Self::Kind(KeyKind::Extra, _) => Self::Section(&shape::EXTRA_ELEMENT, name),
            Self::Conditions => Self::Condition(name),
            Self::Condition(_) if name == "not" => self,
            Self::Condition(_) if name == inside::KEYED.key => Self::Kind(&DIRECTORY_NAME, ""),
            Self::Condition(_) => {
                let kind = KINDS.iter().find(|kind| kind.key == name);
                kind.map_or(Self::Unknown, |kind| Self::Keyed(kind))
            }
            Self::Request(section) => match section.and_then(|section| section.key(name)) {
                Some(key) => Self::of(&key.kind, ""),
                None => Self::Parameter(name),
            },
            Self::Element(channel, parent) => {
                match (
                    vocabulary::child_of(channel, parent, name),
                    self.element(table),
                ) {
                    (Some(spec), _) => Self::Content(channel, spec),
                    (None, Some(spec)) => Self::attribute(spec, name),
                    (None, None) => Self::Unknown,
                }
            }
            Self::Defaults => Self::DefaultsOf(name),
            Self::DefaultsOf(tag) => {
                let mut specs = named(tag);
                let spec = specs.find(|spec| spec.attribute(name).is_some());
                spec.map_or(Self::Unknown, |spec| Self::attribute(spec, name))
            }
            _ => Self::Unknown,
        }
    }

    fn attribute(spec: &'static ElementSpec, name: &str) -> Self {
        let attribute = spec.attribute(name);
        attribute.map_or(Self::Unknown, |(_, spec)| Self::Attribute(spec))
    }

    /// What each item is, in an array of this meaning.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Kind(KeyKind::Array(item), owner) => Self::of(item, owner),
            Self::Kind(KeyKind::Rows, owner) => Self::Row(owner),
            Self::Content(channel, spec) => Self::Element(channel, spec),
            other => other,
        }
    }

    /// The element with this name that a table of this meaning can be.
    pub(super) fn child(self, tag: &str) -> Option<&'static ElementSpec> {
        match self {
            Self::Element(channel, parent) => vocabulary::child_of(channel, parent, tag),
            _ => None,
        }
    }

    /// The element in a table of this meaning.
    pub(super) fn element(self, table: &Table) -> Option<&'static ElementSpec> {
        table.names().find_map(|name| self.child(name))
    }

    /// The section's key with this name.
    pub(super) fn shape(self, name: &str) -> Option<&'static KeyShape> {
        match self {
            Self::Section(section, _) | Self::Request(Some(section)) => section.key(name),
            _ => None,
        }
    }

    /// What a text here refers to by its name, and the words that it may be instead.
    pub(super) fn named(self) -> Option<(Named, &'static [&'static str])> {
        match self {
            Self::Kind(KeyKind::NameOf(named, words), _) => Some((*named, words)),
            Self::Kind(KeyKind::NamesOf(named), _) => Some((*named, &[])),
            Self::Kind(KeyKind::Columns, _) => Some((Named::Column, &[])),
            _ => None,
        }
    }

    /// Whether `{{ … }}` may be used in a text here.
    pub(super) fn takes_fields(self) -> bool {
        matches!(
            self,
            Self::Content(..)
                | Self::Attribute(..)
                | Self::Element(..)
                | Self::Kind(KeyKind::Template, _)
        )
    }

    /// Whether a text here is a URL, which may lead to a step.
    pub(super) fn is_url(self) -> bool {
        let destination = match self {
            Self::Content(_, spec) => spec.destination,
            Self::Attribute(spec) => spec.destination(),
            _ => None,
        };
        destination == Some(Destination::Url)
    }
}

/// TwiML's elements with this name, on either channel.
pub(super) fn named(tag: &str) -> impl Iterator<Item = &'static ElementSpec> {
    let channels = Channel::ALL.into_iter();
    channels.flat_map(move |channel| vocabulary::elements_named(channel, tag))
}

/// A part of a table, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    pub kind: NodeKind<'t>,
    pub meaning: Meaning<'t>,
    /// The table that contains it, or the table itself.
    pub table: &'t Table,
}

#[derive(Clone, Copy)]
pub(super) enum NodeKind<'t> {
    /// A table; the meaning says which keys it may have.
    Table,
    /// One of the names in a header; the meaning is that of the table in which it is a key.
    Header(&'t Key),
    /// A key; the meaning is that of its table.
    Key(&'t Key, &'t Entry),
    /// What follows `=`, or an item of an array; the meaning is its own.
    Value(Option<&'t Value>),
}

/// The innermost part of a file at a byte.
pub(super) fn innermost<'t>(text: &str, tree: &'t [Part], at: usize) -> Option<Node<'t>> {
    let mut innermost = None;
    walk(text, tree, Some(at), &mut |node| innermost = Some(node));
    innermost
}

/// Walks a file, outer parts before inner ones; only the parts at one byte, if it is given.
pub(super) fn walk<'t>(
    text: &str,
    tree: &'t [Part],
    at: Option<usize>,
    visit: &mut dyn FnMut(Node<'t>),
) {
    let mut walk = Walk { text, at, visit };
    for section in tree {
        if !walk.is_at(&section.table.span) {
            continue;
        }
        let table = &section.table;
        let mut meaning = Meaning::Section(&shape::FILE, "");
        let mut names = Vec::new();
        for key in &section.header {
            if walk.is_at(&key.span) {
                let kind = NodeKind::Header(key);
                names.push(Node {
                    kind,
                    meaning,
                    table,
                });
            }
            meaning = match meaning.key(&key.name, table) {
                array @ (Meaning::Kind(..) | Meaning::Content(..)) => array.item(),
                other => other,
            };
        }
        walk.table(table, meaning, names);
    }
}

struct Walk<'w, 't> {
    text: &'w str,
    at: Option<usize>,
    visit: &'w mut dyn FnMut(Node<'t>),
}

impl<'t> Walk<'_, 't> {
    fn is_at(&self, span: &Range<usize>) -> bool {
        self.at.is_none_or(|at| span.start <= at && at <= span.end)
    }

    /// The same for what is between brackets, if they are closed.
    fn is_within(&self, span: &Range<usize>) -> bool {
        let is_closed = self.text[..span.end].ends_with([']', '}']);
        let is_behind = |at| at == span.start || (is_closed && at >= span.end);
        self.is_at(span) && !self.at.is_some_and(is_behind)
    }

    fn table(&mut self, table: &'t Table, meaning: Meaning<'t>, header: Vec<Node<'t>>) {
        let kind = NodeKind::Table;
        (self.visit)(Node {
            kind,
            meaning,
            table,
        });
        header.into_iter().for_each(&mut *self.visit);
        for entry in &table.entries {
            if !self.is_at(&entry.span) {
                continue;
            }
            let mut inner = meaning;
            for key in &entry.keys {
                if self.is_at(&key.span) {
                    let (kind, meaning) = (NodeKind::Key(key, entry), inner);
                    (self.visit)(Node {
                        kind,
                        meaning,
                        table,
                    });
                }
                inner = inner.key(&key.name, table);
            }
            let is_behind = |equals| self.at.is_none_or(|at| at > equals);
            if entry.equals.is_some_and(is_behind) {
                self.value(entry.value.as_ref(), inner, table);
            }
        }
    }

    fn value(&mut self, value: Option<&'t Value>, meaning: Meaning<'t>, table: &'t Table) {
        let kind = NodeKind::Value(value);
        (self.visit)(Node {
            kind,
            meaning,
            table,
        });
        match value.map(|value| (&value.kind, &value.span)) {
            Some((ValueKind::Array(items), span)) if self.is_within(span) => {
                for item in items {
                    if self.is_at(&item.span) {
                        self.value(Some(item), meaning.item(), table);
                    }
                }
            }
            Some((ValueKind::Table(inner), span)) if self.is_within(span) => {
                self.table(inner, meaning, Vec::new());
            }
            _ => {}
        }
    }
}
