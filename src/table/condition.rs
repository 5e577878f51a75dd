//! Conditions: what a value of the request must be.
//!
//! Each kind of condition has one file in `condition/` and one line in `KINDS`, which say how it is written, when it
//! holds, and what is known of the values that pass. Serving, `explain`, `replay`, the index, the search for dead
//! routes, the schema and the manual know a kind only through `Keyed`, its entry in the registry, and [`Kind`], a
//! compiled condition of that kind.

mod after;
mod before;
pub mod exact;
pub mod inside;
pub mod like;
mod moment;
pub mod present;
mod regex;
pub mod withheld;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use smallvec::{SmallVec, smallvec};

use self::exact::Exact;
use self::like::Pattern;
use self::moment::NoMoment;
use super::diagnostic::Check;
use super::directory::{Directory, Key as RowKey, Row, prefix, whole};
use super::problems::{Key, Problems, Value};
use crate::twilio::channel::Channel;
use crate::twilio::facts::{Facts, Known};
use crate::twilio::parameters::Comparison;
use crate::twilio::request::{Request, Webhook};

pub(crate) static BAD_CONDITION: Check = Check::new(
    "bad-condition",
    "A condition that has no meaning as it is written: an empty array, an empty table, a template, a dotted name without
quotes, `withheld` for a parameter that is not a number. Write what the value must be, or remove the condition.",
    "when = { Digits = [] }",
);

pub(crate) static BAD_REGEX: Check = Check::new(
    "bad-regex",
    "A regular expression that cannot be read, or that would take too much memory. The syntax is that of Rust's `regex`: no
look-around and no back-references, but matching always takes linear time. Put it in single quotes, so that you need not
double backslashes.",
    "when = { Body = { regex = '(?=lost)' } }",
);

/// The kinds of condition that are a key of a table, such as `{ in = "rides" }`, in the order of the manual.
pub(crate) static KINDS: [&Keyed; 6] = [
    &inside::KEYED,
    &regex::KEYED,
    &present::KEYED,
    &withheld::KEYED,
    &before::KEYED,
    &after::KEYED,
];

/// A compiled condition of some kind. Keeps no text to interpret later.
///
/// Its `Display` is what `explain` prints after "expected". It is also its identity: the search for dead routes takes
/// two conditions on one value for the same when they print the same, so it must print everything that it compares
/// with.
pub trait Kind: fmt::Debug + fmt::Display + Send + Sync {
    /// Whether it holds; `None` when too little is known of the value or of the moment ([`Seen::now`]).
    fn holds(&self, seen: &Seen<'_>) -> Option<bool>;

    /// What is known of every value for which it holds. The index files routes by this, and the search for dead routes
    /// draws its conclusions from it.
    fn passing(&self) -> Passing<'_> {
        Passing::Known(Known::Nothing)
    }
}

/// A kind of condition in the registry: how it is written, and what the schema and the manual say about it.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// Its key in the table of a condition.
    pub key: &'static str,
    /// Whether it can be used on this parameter, or on these, separated by commas. It can be used on any column.
    pub suits: fn(&str) -> bool,
    /// Reads the value of the key; `None` after reporting an error.
    pub read: fn(&mut Reading<'_>, &Key<'_>, &Value<'_>) -> Option<Box<dyn Kind>>,
    /// The JSON Schema of that value.
    pub schema: fn() -> Json,
    /// Checks the cells of a column that the condition is on; `None` when any text will do.
    pub check_cell: Option<CheckCell>,
    /// Its paragraph of the manual.
    pub manual: &'static str,
}

/// Says what is wrong with a cell.
pub(crate) type CheckCell = fn(&str) -> Result<(), NoMoment>;

/// What a kind needs to read its value.
pub(crate) struct Reading<'r> {
    /// The parameter or column that the condition is on, as the table names it.
    pub subject: &'r str,
    /// How its values are compared.
    pub comparison: Comparison,
    /// Where mistakes are reported.
    pub problems: &'r mut Problems,
    /// Finds a directory by name for this subject; reports an unknown name.
    pub directory: &'r mut FindDirectory<'r>,
}

/// Finds a directory by name. The [`Value`] is the place of the name in the file.
pub(crate) type FindDirectory<'r> =
    dyn FnMut(&mut Problems, &str, &Value<'_>) -> Option<Arc<Directory>> + 'r;

/// What a condition sees: a value, as far as it is known, and the moment of the request.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The values in the form in which they are compared: more than one only where several values form a directory's
    /// key.
    pub values: &'a [Known<'a>],
    /// Whether the value is a cell of a directory rather than a parameter.
    pub is_cell: bool,
    /// The channel of the request. `None` asks about both.
    pub channel: Option<Channel>,
    /// Whether the caller withholds the number; may be known when the number itself is not.
    pub withheld: Option<bool>,
    /// The moment of the request. `None` asks about every moment: a condition that depends on the moment then answers
    /// `None`.
    pub now: Option<Timestamp>,
}

/// What is known of the values that a condition is on.
pub type Values<'a> = SmallVec<[Known<'a>; 2]>;

/// What is known of the values for which a condition holds.
#[derive(Debug)]
pub enum Passing<'t> {
    /// This is known of each of them.
    Known(Known<'t>),
    /// Each of them is a key of this directory, or they form a key together.
    KeyOf(&'t Arc<Directory>),
}

/// What a condition demands of its value.
#[derive(Debug)]
pub enum Demand {
    /// What one kind of condition asks.
    Is(Box<dyn Kind>),
    /// At least one of these.
    AnyOf(Box<[Demand]>),
    /// All of these.
    AllOf(Box<[Demand]>),
    /// Not this.
    Not(Box<Demand>),
}

/// One entry of `when`: a value of the request and what it must be, or several values and the directory that must have
/// a row for them.
#[derive(Debug)]
pub struct Condition {
    /// What the condition is on.
    pub subject: Subject,
    /// What its value must be.
    pub demand: Demand,
}

/// What a condition is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The parameters of these names.
    Parameters(Parameters),
    /// A cell of the row that a directory has for the request.
    Column {
        /// Which directory, and which parameters choose its row.
        binding: Box<Binding>,
        /// The position of the column.
        column: usize,
    },
}

/// The names of the parameters that a condition is on: one, or several that together are looked up in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parameters(pub SmallVec<[Arc<str>; 1]>);

/// A directory whose row is chosen by the values of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The parameters' names, one for each column of the directory's key.
    pub parameters: Parameters,
    /// The directory.
    pub directory: Arc<Directory>,
}

/// The kinds of condition that are a key of a table, in the order of the manual: the key and its paragraph.
pub fn manual() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|kind| (kind.key, kind.manual))
}

/// Whether all items hold: false as soon as one does not, unknown when one is unknown, true for no items.
pub fn all<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Option<bool>,
) -> Option<bool> {
    let mut all = Some(true);
    for item in items {
        match holds(item) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether any item holds: true as soon as one does, unknown when one is unknown, false for no items.
pub fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Option<bool>,
) -> Option<bool> {
    not(all(items, |item| not(holds(item))))
}

/// The opposite; unknown stays unknown.
#[must_use]
pub fn not(holds: Option<bool>) -> Option<bool> {
    holds.map(|holds| !holds)
}

/// Whether a condition names one parameter rather than several, separated by commas.
pub(crate) fn is_one(subject: &str) -> bool {
    !subject.contains(',')
}

impl<K: Kind + 'static> From<K> for Demand {
    fn from(kind: K) -> Self {
        Self::Is(Box::new(kind))
    }
}

impl Demand {
    /// A string in which `*` matches any run of characters.
    #[must_use]
    pub fn text(text: &str) -> Self {
        match Pattern::parse(text) {
            Some(pattern) => pattern.into(),
            None => Exact(text.into()).into(),
        }
    }

    /// Whether a value meets it; `None` when too little is known of the value.
    #[must_use]
    pub fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        match self {
            Self::Is(kind) => kind.holds(seen),
            Self::AnyOf(demands) => any(demands, |demand| demand.holds(seen)),
            Self::AllOf(demands) => all(demands, |demand| demand.holds(seen)),
            Self::Not(demand) => not(demand.holds(seen)),
        }
    }
}

impl<'a> Seen<'a> {
    /// The value. Several values at once are only ever looked up in a directory.
    pub(crate) fn value(&self) -> &'a Known<'a> {
        self.values.first().unwrap_or(&Known::Nothing)
    }
}

impl Demand {
    /// How some of the values that meet it begin, if known.
    pub(crate) fn start(&self) -> Option<RowKey<'_>> {
        match self {
            Self::Is(kind) => match kind.passing() {
                Passing::Known(Known::Whole(Cow::Borrowed(text))) => Some(smallvec![text]),
                Passing::Known(Known::Ends(ends)) => Some(smallvec![ends.start]),
                Passing::Known(_) => None,
                Passing::KeyOf(directory) => {
                    let key = directory.keys().next()?;
                    Some(prefix(&key).map_or(key, |prefix| smallvec![prefix]))
                }
            },
            Self::AnyOf(demands) => demands.first()?.start(),
            Self::AllOf(demands) => demands.iter().find_map(Self::start),
            Self::Not(_) => None,
        }
    }
}

impl Condition {
    /// Whether it holds for a request; `None` when too little is known of the request.
    #[must_use]
    pub fn holds<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<bool> {
        self.holds_at(facts, Some(now))
    }

    /// Whether it holds at every moment, or at none; `None` when it depends on the moment or on something unknown.
    pub(crate) fn holds_always<'f>(&self, facts: &impl Facts<'f>) -> Option<bool> {
        self.holds_at(facts, None)
    }

    /// Whether the result for a complete request depends on the moment.
    pub(crate) fn needs_time(&self, request: &Request<'_>) -> bool {
        self.holds_always(request).is_none()
    }

    fn holds_at<'f>(&self, facts: &impl Facts<'f>, now: Option<Timestamp>) -> Option<bool> {
        let names = self.subject.parameters();
        let is_cell = self.subject.column().is_some();
        let is_caller = !is_cell && names.iter().any(|name| &**name == "Caller");
        self.demand.holds(&Seen {
            values: &self.subject.compared(facts),
            is_cell,
            channel: Some(facts.channel()),
            withheld: if is_caller && facts.webhook() != Webhook::VoiceWebhooks {
                facts.caller_withheld()
            } else {
                None
            },
            now,
        })
    }
}

impl Subject {
    /// The values of a complete request; empty when they are absent, or when the directory has no row for the request.
    #[must_use]
    pub fn values<'a>(&'a self, request: &'a Request<'_>) -> Vec<Cow<'a, str>> {
        let known: Values<'_> = match self {
            Self::Parameters(Parameters(names)) => {
                let values = names.iter().map(|name| Facts::value(request, name));
                values.collect()
            }
            Self::Column { binding, column } => smallvec![binding.cell(*column, request)],
        };
        let values = known.into_iter().map(Known::whole);
        values.map(Option::unwrap_or_default).collect()
    }

    /// The values of a request as conditions compare them; empty when they are absent, or when the directory has no
    /// row.
    pub(crate) fn compared<'a, 'f: 'a>(&'a self, facts: &impl Facts<'f>) -> Values<'a> {
        match self {
            Self::Parameters(names) => names.compared(facts),
            Self::Column { binding, column } => smallvec![binding.cell(*column, facts)],
        }
    }

    /// The parameters whose values decide.
    #[must_use]
    pub fn parameters(&self) -> &[Arc<str>] {
        match self {
            Self::Parameters(names) => &names.0,
            Self::Column { binding, .. } => &binding.parameters.0,
        }
    }

    /// The positions among these parameters of another subject's parameters; `None` unless all of them are here.
    pub(crate) fn places_of(&self, other: &Self) -> Option<SmallVec<[usize; 2]>> {
        match (self, other) {
            (Self::Parameters(Parameters(own)), Self::Parameters(Parameters(others))) => {
                let place = |name| own.iter().position(|own| own == name);
                others.iter().map(place).collect()
            }
            _ => (self == other).then(|| smallvec![0]),
        }
    }

    /// The directory and the column of a cell; `None` for parameters.
    pub(crate) fn column(&self) -> Option<(&Arc<Directory>, usize)> {
        match self {
            Self::Parameters(_) => None,
            Self::Column { binding, column } => Some((&binding.directory, *column)),
        }
    }
}

impl Parameters {
    fn compared<'a, 'f: 'a>(&'a self, facts: &impl Facts<'f>) -> Values<'a> {
        self.0.iter().map(|name| compared(name, facts)).collect()
    }
}

impl From<&str> for Parameters {
    fn from(name: &str) -> Self {
        Self(smallvec![name.into()])
    }
}

/// The value of a parameter as conditions compare it.
fn compared<'a, 'f: 'a>(name: &str, facts: &impl Facts<'f>) -> Known<'a> {
    let comparison = Comparison::of(name);
    match facts.value(name) {
        known if !comparison.folds() => known,
        Known::Whole(value) => Known::Whole(Cow::Owned(comparison.folded(&value).into_owned())),
        // Trimming may leave a value empty.
        _ => Known::Nothing,
    }
}

impl Binding {
    /// The row that a request chooses; `None` when the directory has none for it, or when that is not known.
    pub(crate) fn row<'f>(&self, facts: &impl Facts<'f>) -> Option<Row> {
        self.directory
            .row(&whole(&self.parameters.compared(facts))?)
    }

    /// A cell of that row.
    fn cell<'a, 'f: 'a>(&'a self, column: usize, facts: &impl Facts<'f>) -> Known<'a> {
        let key = self.parameters.compared(facts);
        let row = match whole(&key) {
            Some(key) => self.directory.row(&key),
            None if self.directory.has(&key) == Some(false) => None,
            None => return Known::Nothing,
        };
        let cell = row.map_or("", |row| self.directory.cell(row, column));
        Known::Whole(Cow::Borrowed(cell))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters(names) => names.fmt(f),
            Self::Column { binding, column } => {
                let directory = &binding.directory;
                write!(f, "{}.{}", directory.name(), directory.columns()[*column])
            }
        }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(kind) => kind.fmt(f),
            Self::AnyOf(demands) => list(f, demands, " or "),
            Self::AllOf(demands) => list(f, demands, " and "),
            Self::Not(demand) => write!(f, "not {demand}"),
        }
    }
}

/// Writes the first few of a list: a route may name thousands of numbers.
fn list(f: &mut fmt::Formatter<'_>, demands: &[Demand], between: &str) -> fmt::Result {
    const SHOWN: usize = 5;
    for (position, demand) in demands.iter().take(SHOWN).enumerate() {
        if position > 0 {
            f.write_str(between)?;
        }
        write!(f, "{demand}")?;
    }
    match demands.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "{between}{more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::present::Present;
    use super::withheld::Withheld;
    use super::*;

    #[test]
    fn a_demand_reads_as_what_is_wanted() {
        let exactly = Demand::text;
        let present = |wanted| Demand::from(Present(wanted));
        let withheld = |wanted| Demand::from(Withheld(wanted));
        let many = |count: usize| {
            (0..count)
                .map(|number| exactly(&number.to_string()))
                .collect()
        };
        for (demand, text) in [
            (exactly("+1 \"x\""), r#""+1 \"x\"""#),
            (present(true), "present"),
            (present(false), "absent"),
            (withheld(true), "withheld"),
            (withheld(false), "not withheld"),
            (Demand::Not(Box::new(present(true))), "not present"),
            (Demand::AnyOf(Box::default()), ""),
            (Demand::AnyOf(many(1)), r#""0""#),
            (Demand::AllOf(many(2)), r#""0" and "1""#),
            (Demand::AnyOf(many(5)), r#""0" or "1" or "2" or "3" or "4""#),
            (
                Demand::AnyOf(many(7)),
                r#""0" or "1" or "2" or "3" or "4" or 2 more"#,
            ),
        ] {
            assert_eq!(demand.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_known_decides_nothing_that_something_else_decides() {
        let [yes, no, unknown] = [Some(true), Some(false), None];
        for (of, all_of, any_of) in [
            (vec![], yes, no),
            (vec![yes, unknown], unknown, yes),
            (vec![unknown, no], no, unknown),
            (vec![yes, unknown, no], no, yes),
            (vec![unknown], unknown, unknown),
        ] {
            assert_eq!(all(&of, |holds| *holds), all_of, "{of:?}");
            assert_eq!(any(&of, |holds| *holds), any_of, "{of:?}");
        }
    }
}
