//! Describes every section of the file once: its keys, what each key takes, and a sentence of help.
//!
//! Unknown keys are reported and the JSON Schema is written from this description. The kinds of conditions and the
//! vocabulary describe what a condition or an element takes.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::table::DEFAULT;
use crate::table::guard::{LOOP_GUARD, MOST_RELAYS, MOST_REPLIES};
use crate::table::intercept::{BLOCK, PASS};
use crate::table::problems::{Problems, UNKNOWN_KEY};
use crate::table::remedy::{NewText, did_you_mean, listed};
use crate::table::reply::MODES;
use crate::twilio::channel::Channel;

/// A table with a fixed set of keys.
pub(super) struct Section {
    pub keys: &'static [KeyShape],
    /// At least one of these keys must be there.
    pub any_of: &'static [&'static str],
    /// Pairs of keys that exclude each other.
    pub apart: &'static [(&'static str, &'static str)],
}

/// One key of a section.
pub(super) struct KeyShape {
    pub name: &'static str,
    pub kind: KeyKind,
    pub is_required: bool,
    /// What the key means, in a sentence or two.
    pub help: &'static str,
}

/// What a key takes.
pub(super) enum KeyKind {
    Text,
    /// A text in which `{{ … }}` may stand.
    Template,
    /// A text that this pattern describes.
    Pattern(&'static str),
    /// The name, of 1 to 64 characters, by which the table knows such a thing; none of these.
    Name(Named, &'static [&'static str]),
    /// The name of such a thing, or one of these words.
    NameOf(Named, &'static [&'static str]),
    /// The name of such a thing, or an array of several.
    NamesOf(Named),
    /// The name of a column, or an array of several.
    Columns,
    Boolean,
    /// A whole number from 0 to this.
    Count(u32),
    /// Seconds, or a text such as `10m`.
    Duration,
    /// A text or a TOML date.
    Moment,
    /// One of these words.
    Word(&'static [&'static str]),
    Array(&'static KeyKind),
    Section(&'static Section),
    /// Things of this kind, each a section below its name.
    Sections(Named, &'static Section),
    /// The rows of a directory, each a table with a key for a column.
    Rows,
    /// The elements of a reply.
    Reply(Channel),
    /// The same in `[default]`, where nothing may lead on.
    LastReply(Channel),
    /// The conditions of a route or an intercept.
    When,
    /// The parameters of a request.
    Request,
    /// The keys of this section, and the parameters of a request.
    RequestWith(&'static Section),
    /// Attributes by element.
    Defaults,
    /// New attributes and elements by element.
    Extra,
}

/// What parts of a table refer to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// `[[route]]`
    Route,
    /// `[[intercept]]`
    Intercept,
    /// What the `step` of routes is called.
    Step,
    /// `[schedule.NAME]`
    Schedule,
    /// `[directory.NAME]`
    Directory,
    /// A directory's column, as `DIRECTORY.COLUMN`.
    Column,
    /// `[reply.NAME]`
    Reply,
}

impl Section {
    const fn of(keys: &'static [KeyShape]) -> Self {
        Self {
            keys,
            any_of: &[],
            apart: &[],
        }
    }

    /// The names of the keys, sorted.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names
    }

    /// Its key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static KeyShape> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.key(name).is_some()
    }

    /// Reports every unknown key in a table and in the sections inside it. Renames a misspelt key to the name that was
    /// meant, so it is read like any other and causes no further messages.
    pub(super) fn correct(&self, problems: &mut Problems, table: &mut DeTable<'_>, what: &str) {
        let unknown = table.keys().filter(|key| !self.has(key.get_ref()));
        for key in unknown.cloned().collect::<Vec<_>>() {
            let name = key.get_ref().as_ref();
            let free = |known: &&str| {
                let there = table.get(*known);
                // Several headers of the same name, such as [[route]], are merged.
                let adds_up = |there: &DeValue<'_>| {
                    what == THE_FILE && is_section(there) && is_section(table[name].get_ref())
                };
                there.is_none_or(|there| adds_up(there.get_ref()))
            };
            let known = self.keys();
            let otherwise = format!("{what} has {}", listed(&known));
            let remedy = did_you_mean('`', name, known.into_iter().filter(free), otherwise);
            let message = format!("{what} has no key `{name}`");
            if let Some(NewText::Word(meant)) = &remedy.text
                && let Some(value) = table.remove(name)
            {
                if let Some(there) = table.get_mut(&**meant) {
                    add(there.get_mut(), value.into_inner());
                } else {
                    table.insert(Spanned::new(key.span(), meant.clone().into()), value);
                }
            }
            problems.error(&UNKNOWN_KEY, key.span(), message, remedy);
        }
        for key in self.keys {
            if let Some(value) = table.get_mut(key.name) {
                key.kind.correct(problems, value.get_mut(), key.name, what);
            }
        }
    }
}

/// Merges in the content below another header of the same name.
fn add<'i>(there: &mut DeValue<'i>, more: DeValue<'i>) {
    match (there, more) {
        (DeValue::Array(there), DeValue::Array(items)) => {
            items.into_iter().for_each(|item| there.push(item));
        }
        (DeValue::Table(there), DeValue::Table(entries)) => there.extend(entries),
        _ => {}
    }
}

/// Whether a value is written below its own header.
fn is_section(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Array(items) => items.iter().all(|item| item.get_ref().is_table()),
        value => value.is_table(),
    }
}

impl KeyKind {
    /// [`Section::correct`] for the sections in the value of the key `name`, which is in `parent`.
    fn correct(&self, problems: &mut Problems, value: &mut DeValue<'_>, name: &str, parent: &str) {
        match (self, value) {
            (Self::Section(section), DeValue::Table(table)) => {
                let is_top = parent == THE_FILE;
                let what = if is_top {
                    format!("[{name}]")
                } else {
                    format!("`{name}`")
                };
                section.correct(problems, table, &what);
            }
            (Self::Array(Self::Section(section)), DeValue::Array(items)) => {
                let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
                    "an"
                } else {
                    "a"
                };
                let what = format!("{article} {name}");
                for item in items.iter_mut() {
                    if let DeValue::Table(table) = item.get_mut() {
                        section.correct(problems, table, &what);
                    }
                }
            }
            (Self::Sections(_, section), DeValue::Table(entries)) => {
                for (key, value) in entries.iter_mut() {
                    if let DeValue::Table(table) = value.get_mut() {
                        section.correct(problems, table, &format!("[{name}.{}]", key.get_ref()));
                    }
                }
            }
            (Self::Extra, DeValue::Table(elements)) => {
                for (key, value) in elements.iter_mut() {
                    if let DeValue::Table(table) = value.get_mut() {
                        let what = format!("[extra.{}]", key.get_ref());
                        EXTRA_ELEMENT.correct(problems, table, &what);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What messages call the whole table.
pub(super) const THE_FILE: &str = "the file";

const fn key(name: &'static str, kind: KeyKind, help: &'static str) -> KeyShape {
    KeyShape {
        name,
        kind,
        is_required: false,
        help,
    }
}

const fn required(name: &'static str, kind: KeyKind, help: &'static str) -> KeyShape {
    let mut key = key(name, kind, help);
    key.is_required = true;
    key
}

#[rustfmt::skip]
pub(super) static FILE: Section = Section::of(&[
    key("parameters", KeyKind::Array(&KeyKind::Text),
        "Your own query fields in the URL that you gave Twilio, so that they are not taken for misspelt parameters."),
    key("defaults", KeyKind::Defaults,
        "Attributes for every element of a kind that does not set them, such as [defaults.Say]."),
    key("schedule", KeyKind::Sections(Named::Schedule, &SCHEDULE),
        "Opening hours by name. Used as during = \"NAME\" or outside = \"NAME\" in routes."),
    key("directory", KeyKind::Sections(Named::Directory, &DIRECTORY),
        "Numbers or rows by name. Used as { in = \"NAME\" } in conditions and {{ NAME.column }} in templates."),
    key("reply", KeyKind::Sections(Named::Reply, &REPLY),
        "Replies by name, to share between routes. Used as reply = \"NAME\" in routes."),
    key("route", KeyKind::Array(&KeyKind::Section(&ROUTE)),
        "Which requests get which answer. The first route that matches answers."),
    required("default", KeyKind::Section(&LAST),
        "What callers and senders get when no route matches. It must never fail."),
    key("test", KeyKind::Array(&KeyKind::Section(&TEST)),
        "Requests and the routes that must answer them. `check` and every reload run them."),
    key("loop_guard", KeyKind::Section(&LIMITS), "Limits that keep two machines from answering each other forever."),
    key("intercept", KeyKind::Array(&KeyKind::Section(&INTERCEPT)),
        "Which interactions of Proxy sessions are blocked. The first one that matches decides. If none matches, the interaction passes."),
    key("extra", KeyKind::Extra,
        "What Twilio has added since this version: attributes by element, Dial = [\"newAttribute\"], and whole elements, [extra.NewNoun]. `check` accepts any value there; this schema cannot know them."),
]);

/// `[extra.NAME]`
#[rustfmt::skip]
pub(super) static EXTRA_ELEMENT: Section = Section::of(&[
    required("parents", KeyKind::Array(&KeyKind::Text), "The elements that can contain it; Response for a verb."),
    key("attributes", KeyKind::Array(&KeyKind::Text), "The names of its attributes."),
    key("children", KeyKind::Array(&KeyKind::Text), "The elements that it can contain."),
    key("text", KeyKind::Boolean, "Whether it can contain text."),
]);

#[rustfmt::skip]
pub(super) static ROUTE: Section = Section {
    keys: &[
        required("name", KeyKind::Name(Named::Route, &[DEFAULT, LOOP_GUARD]),
            "A unique name for logs, metrics, tests and the answer's header."),
        key("step", KeyKind::Name(Named::Step, &[]),
            "Answers only requests with ?step=NAME in their URL. If absent, the route answers only requests without a step."),
        key("when", KeyKind::When, WHEN),
        key("during", KeyKind::NamesOf(Named::Schedule), "Answers only while any of these schedules is open."),
        key("outside", KeyKind::NamesOf(Named::Schedule), "Answers only while none of these schedules is open."),
        key("voice", KeyKind::Reply(Channel::Voice), "Answers calls. An empty array ends the call without a word."),
        key("message", KeyKind::Reply(Channel::Message), "Answers texts. An empty array sends nothing."),
        key("reply", KeyKind::NameOf(Named::Reply, &[]), "The [reply.NAME] to use instead of `voice` and `message`."),
        key("create_session", KeyKind::Section(&SESSION),
            "Tells Proxy to open a session between the caller and this party."),
        key("private", KeyKind::Boolean,
            "Allows the route to dial outboundParticipantIdentifier, the other party's real number."),
        key("answer_machines", KeyKind::Boolean,
            "Also answers texts from short codes and named senders, and opt-out words."),
    ],
    any_of: &["voice", "message", "reply", "create_session"],
    apart: &[("reply", "voice"), ("reply", "message")],
};

const WHEN: &str = "The conditions. All conditions of a table must hold; of several tables, one must hold. If absent, the route always matches.";

#[rustfmt::skip]
pub(super) static INTERCEPT: Section = Section::of(&[
    required("name", KeyKind::Name(Named::Intercept, &[DEFAULT, LOOP_GUARD, BLOCK, PASS]), "A unique name for logs, metrics and tests."),
    key("when", KeyKind::When, WHEN),
    key("during", KeyKind::NamesOf(Named::Schedule), "Decides only while any of these schedules is open."),
    key("outside", KeyKind::NamesOf(Named::Schedule), "Decides only while none of these schedules is open."),
    required("block", KeyKind::Boolean, "Whether the interaction is blocked (true) or passes (false)."),
]);

#[rustfmt::skip]
pub(super) static REPLY: Section = Section {
    keys: &[
        key("voice", KeyKind::Reply(Channel::Voice), "What a caller hears."),
        key("message", KeyKind::Reply(Channel::Message), "What a sender gets."),
    ],
    any_of: &["voice", "message"],
    apart: &[],
};

/// `[default]`
#[rustfmt::skip]
pub(super) static LAST: Section = Section::of(&[
    required("voice", KeyKind::LastReply(Channel::Voice), "What a caller hears: no templates, and nothing that leads to another request."),
    key("message", KeyKind::LastReply(Channel::Message), "What a sender gets: no templates, and nothing that leads to another request."),
]);

#[rustfmt::skip]
pub(super) static SCHEDULE: Section = Section::of(&[
    required("timezone", KeyKind::Text, "The IANA name of the time zone, such as America/New_York."),
    required("open", KeyKind::Array(&KeyKind::Moment),
        "Days and hours: \"Mon-Fri 09:00-17:30\". \"22:00-06:00\" runs past midnight, \"00:00-24:00\" is all day."),
    key("closed", KeyKind::Array(&KeyKind::Moment),
        "Wins over `open`: \"12-25\" every year, \"2026-12-31 12:00-24:00\", \"2027-01-02..2027-01-05\"."),
]);

#[rustfmt::skip]
pub(super) static DIRECTORY: Section = Section {
    keys: &[
        key("numbers", KeyKind::Array(&KeyKind::Pattern(r"^[^*]+\*?$|^\*$")),
            "Numbers, or prefixes of numbers followed by `*`."),
        key("file", KeyKind::Text, "A CSV file in the table's folder. Its first line names the columns."),
        key("rows", KeyKind::Rows,
            "Rows in the table itself. Templates can use the value of each column."),
        key("key", KeyKind::Columns,
            "The key column, or up to four columns that form the key together. Default: `number`."),
        key("public", KeyKind::Array(&KeyKind::NameOf(Named::Column, &[])),
            "Columns that may be spoken or sent as text even though they are dialled."),
    ],
    any_of: &["numbers", "file", "rows"],
    apart: &[("numbers", "file"), ("numbers", "rows"), ("file", "rows")],
};

/// `create_session`
///
/// Source: Proxy's out-of-session guide, <https://www.twilio.com/docs/proxy/out-of-session-callback-response-guide>.
#[rustfmt::skip]
pub(super) static SESSION: Section = Section::of(&[
    required("participantIdentifier", KeyKind::Template, "The real number of the other party."),
    key("participantProxyIdentifier", KeyKind::Template,
        "The masked number that the other party sees. If absent, Proxy picks one."),
    key("uniqueName", KeyKind::Template, "At most 191 characters. Proxy accepts each name only once, so put a SID into it."),
    key("mode", KeyKind::Word(&MODES), "What the session carries. Default: calls and texts."),
    key("ttl", KeyKind::Count(u32::MAX), "Seconds after the last interaction until the session ends; 0 means never."),
    key("dateExpiry", KeyKind::Moment, "When the session ends. Takes precedence over ttl."),
]);

#[rustfmt::skip]
pub(super) static TEST: Section = Section::of(&[
    required("name", KeyKind::Text, "The name of the test in messages."),
    key("request", KeyKind::Request, "The parameters of the request. Missing ones are filled in."),
    required("expect", KeyKind::NameOf(Named::Route, &[DEFAULT, LOOP_GUARD, BLOCK, PASS]),
        "The route that must answer, `default` or `loop-guard`; for an intercept `block` or `pass`."),
    key("contains", KeyKind::Text, "A text that the document must contain."),
    key("channel", KeyKind::Word(&["voice", "message"]), "Needed only if the parameters do not show it."),
    key("step", KeyKind::NameOf(Named::Step, &[]), "The request comes back with this step."),
    key("steps", KeyKind::Array(&KeyKind::RequestWith(&STEP)),
        "What follows in the same call, or the next texts. Each request goes where the previous answer leads."),
    key("at", KeyKind::Moment, "The time of the request: 2026-12-24T12:00[America/New_York]."),
    key("webhook", KeyKind::Word(&["out-of-session", "webhook", "intercept"]), "The webhook that gets the request."),
]);

/// One of a test's `steps`
#[rustfmt::skip]
pub(super) static STEP: Section = Section::of(&[
    required("expect", KeyKind::NameOf(Named::Route, &[DEFAULT, LOOP_GUARD]),
        "The route that must answer, `default` or `loop-guard`."),
    key("contains", KeyKind::Text, "A text that the document must contain."),
]);

/// `[loop_guard]`
#[rustfmt::skip]
pub(super) static LIMITS: Section = Section::of(&[
    key("replies", KeyKind::Count(MOST_REPLIES),
        "How many documents with a Message one pair of numbers gets within `per`. Default: 3. 0 switches the limit off."),
    key("relays", KeyKind::Count(MOST_RELAYS),
        "How many documents whose Messages all go to somebody else (`to`) it gets in the same time. Default: 60. 0 switches the limit off."),
    key("per", KeyKind::Duration,
        "The time in which they are counted, such as 10m, from 1s to 24h. A bare number means seconds. Default: 10m."),
    key("same_call", KeyKind::Count(u32::MAX),
        "How often one call may come back before it gets the default. Default: 20. 0 switches the limit off."),
]);
