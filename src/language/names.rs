//! What the parts of a table are read with: the names that they may refer to, and what they use of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::directory_file::DirectoryFile;
use super::extra::{ElementKind, Extra};
use super::menus::Menu;
use super::pairs::{DialledRow, Shown};
use super::schedules::Passing;
use super::values::WRONG_CASE;
use crate::table::diagnostic::{Check, Diagnostic};
use crate::table::problems::{Place, Problems, Value};
use crate::table::remedy::{NewText, Remedy, did_you_mean};
use crate::table::reply::template::Text;
use crate::table::reply::{Attribute, Reply};
use crate::table::schedule::Schedule;
use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, NameProblem};
use crate::twilio::spelling::nearest_all;
use crate::twilio::vocabulary::{AttributeSpec, Destination, DocumentSpec, ValueError};

pub(super) static UNKNOWN_PARAMETER: Check = Check::absence(
    "unknown-parameter",
    "A parameter that we do not know. If it is a field of your own in the URL that you gave Twilio, or one that Twilio has
added since, list it.",
    r#"parameters = ["campaign"]"#,
);

pub(super) static UNKNOWN_DIRECTORY: Check = Check::absence(
    "unknown-directory",
    "A directory that the table does not have. Correct its name, or write a section for it.",
    r#"when = { Called = { in = "ride" } }     # [directory.rides]"#,
);

pub(super) static UNBOUND_DIRECTORY: Check = Check::absence(
    "unbound-directory",
    r#"A column of a directory where no condition, or more than one, chooses the row. Every table of `when` needs exactly one
condition such as `Called = { in = "sellers" }`, not negated with `not` and not inside an array."#,
    r#"when = { Digits = "1" }
voice = [ { Say = "Hello {{ sellers.name }}" } ]"#,
);

pub(super) static SESSION_IN_STEP: Check = Check::new(
    "session-in-step",
    "A condition or a template on the Proxy session in a route with a `step`. Requests that come back from a `Gather` or a
`Redirect` carry no fields of the session, so it is always absent there. Test it in the route that leads to the step,
and give each outcome a step of its own.",
    r#"step = "menu"
when = { sessionStatus = "closed" }"#,
);

pub(super) static ABSENT_PARAMETER: Check = Check::new(
    "absent-parameter",
    "A condition on a parameter that is not in the requests that come to its route: the text of a message in a route that
answers only calls, or the keys of a `Gather` in a step to which only a `Dial` leads. The condition never holds. Take it out,
or test it in the route whose requests have it.",
    r#"when = { Body = "help" }
voice = [ { Say = "Hello." } ]     # only a text has a Body"#,
);

/// What one part of the table is read with: a route, a named reply or the defaults.
pub(super) struct Reader<'r> {
    pub names: &'r Names,
    pub problems: &'r mut Problems,
    /// What the part uses so far.
    pub uses: Uses,
    pub owner: Owner,
    /// The channel that the elements now being read answer.
    pub channel: Channel,
    /// The only channel that the route answers whose conditions are being read; `None` when there are more, or none.
    pub only_channel: Option<Channel>,
    /// Whether the route sends a text that the loop guard holds back from machines.
    pub leaves_machines: bool,
}

impl<'r> Reader<'r> {
    pub(super) fn new(names: &'r Names, problems: &'r mut Problems, owner: Owner) -> Self {
        Self {
            names,
            problems,
            uses: Uses::default(),
            owner,
            channel: Channel::Voice,
            only_channel: None,
            leaves_machines: false,
        }
    }
}

/// Whose elements or conditions are being read, and so what they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Route {
        /// Whether it may dial the other party's real number.
        private: bool,
        /// Whether it answers a step.
        in_step: bool,
    },
    /// A `[reply.NAME]`, which any route may name.
    Reply,
    /// `[default]`
    Default,
    /// `[defaults.X]`
    Defaults,
    /// An intercept, which has conditions but no elements.
    Intercept,
}

/// The names of a table, complete before the first route is read and never changed after that.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The operator's own query fields, from `parameters`.
    pub own_parameters: BTreeSet<String>,
    /// What `[extra]` adds to TwiML.
    pub extra: Extra,
    /// The directories; `None` for one that could not be read at all.
    pub directories: BTreeMap<String, Option<DirectoryFile>>,
    /// The schedules; `None` for one with an error in it.
    pub schedules: BTreeMap<String, Option<Arc<Schedule>>>,
    /// The spans of schedules that pass.
    pub passing: Vec<Passing>,
    /// The attributes of `[defaults.X]` by element, each with the place of its value.
    pub defaults: BTreeMap<String, Vec<(Attribute, Range<usize>)>>,
    /// The replies; `None` for one that could not be read at all.
    pub replies: BTreeMap<String, Option<NamedReply>>,
    /// Where the first route of each name has it.
    pub routes: HashMap<String, usize>,
    /// The same for intercepts.
    pub intercepts: HashMap<String, usize>,
    /// The names of parameters, each one text that all conditions on it share.
    pub parameters: HashSet<Arc<str>>,
}

/// A `[reply.NAME]`.
#[derive(Debug)]
pub(super) struct NamedReply {
    pub voice: Option<Reply>,
    pub message: Option<Reply>,
    /// Whether only a route with `private = true` may name it.
    pub needs_private: bool,
    /// The directories whose columns it uses: a route that names it must choose their rows.
    pub directories: Vec<String>,
    /// The columns that it dials or sends to.
    pub dialled: BTreeSet<(String, usize)>,
    /// What it shows to the party that a directory names.
    pub shown: Vec<Shown>,
    /// The telephones that it dials.
    pub telephones: Vec<(Fixed, Range<usize>)>,
}

impl Names {
    /// How many rows each directory file has, by the path that the table has for it.
    pub(super) fn rows(&self) -> BTreeMap<String, usize> {
        let directories = self.directories.values().flatten();
        directories.filter_map(DirectoryFile::rows).collect()
    }

    /// A parameter's name, to be shared.
    pub(super) fn parameter(&self, name: &str) -> Arc<str> {
        let shared = self.parameters.get(name).map(Arc::clone);
        shared.unwrap_or_else(|| name.into())
    }

    /// Whether an element has an attribute: TwiML's own, or one of `[extra]`.
    pub(super) fn takes(&self, element: ElementKind<'_>, attribute: &str) -> bool {
        element.spec.attribute(attribute).is_some()
            || self.extra.has_attribute(element.tag, attribute)
    }

    /// Reports a parameter that we do not know, or whose letter case is wrong, so that it `never_is` there.
    pub(super) fn check_parameter<'p>(
        &self,
        problems: &'p mut Problems,
        name: &str,
        place: impl Into<Place>,
        never_is: &str,
    ) -> Option<&'p mut Diagnostic> {
        if self.own_parameters.contains(name) {
            return None;
        }
        match parameters::check_name(name)? {
            NameProblem::Case(known) => {
                let message = format!(
                    "Twilio spells `{name}` as `{known}`; in another letter case it {never_is}"
                );
                let remedy = Remedy::word(format!("write `{known}`"), known);
                Some(problems.error(&WRONG_CASE, place, message, remedy))
            }
            NameProblem::Unknown(near) => {
                let own = self.own_parameters.iter().map(String::as_str);
                let twilio = near.into_iter().flat_map(|_| parameters::all());
                let list = format!("parameters = [\"{name}\"]");
                let mut remedy = did_you_mean('`', name, twilio, did_you_mean('`', name, own, ""));
                remedy.help = match &*remedy.help {
                    "" => format!("if it is a query field of your own, add {list}"),
                    near => format!("{near} If it is a query field of your own: {list}"),
                };
                // The less it is like the other, the likelier it is one of the operator's own.
                let is_one_letter = |near: &str| nearest_all(name, [near]).0 == 1;
                remedy.text = remedy
                    .text
                    .filter(|text| matches!(text, NewText::Word(near) if is_one_letter(near)));
                let message = format!("`{name}` is not a parameter that we know");
                Some(problems.warn(&UNKNOWN_PARAMETER, place, message, remedy))
            }
        }
    }

    /// [`check_parameter`](Self::check_parameter) for a key of a table, whose value is compared; for an intercept also one
    /// that Twilio sends elsewhere, but not with an interaction. `is_there` knows the keys of the table.
    pub(super) fn check_matched_parameter(
        &self,
        problems: &mut Problems,
        (name, span): (&str, &Range<usize>),
        is_there: impl Fn(&str) -> bool,
        is_intercept: bool,
    ) {
        if let Some(wrong) = self.check_parameter(problems, name, span, "never matches") {
            return wrong.unless_taken(is_there);
        }
        if !is_intercept || self.own_parameters.contains(name) || parameters::is_of_intercept(name)
        {
            return;
        }
        let sent = parameters::all().filter(|name| parameters::is_of_intercept(name));
        let otherwise =
            "Proxy sends interactionType, interactionData and what its webhooks page lists";
        let remedy = did_you_mean('`', name, sent, otherwise);
        let message = format!("Proxy does not send `{name}` with an interaction");
        let warning = problems.warn(&UNKNOWN_PARAMETER, span, message, remedy);
        warning.unless_taken(is_there);
    }

    /// A condition that looks into a directory, as an example.
    pub(super) fn example_condition(&self, directory: &str) -> String {
        let key = match self.directories.get(directory) {
            Some(Some(file)) => file.directory.key_columns().len(),
            _ => 1,
        };
        match ["Called", "Caller", "Digits", "CallerCountry"].get(..key) {
            Some(names @ [_, _, ..]) => {
                format!("\"{}\" = {{ in = \"{directory}\" }}", names.join(", "))
            }
            _ => format!("Called = {{ in = \"{directory}\" }}"),
        }
    }

    /// The error for a directory that the table does not have.
    pub(super) fn unknown_directory(
        &self,
        problems: &mut Problems,
        name: &str,
        place: impl Into<Place>,
    ) {
        let known = self.directories.keys();
        problems.unknown_section(&UNKNOWN_DIRECTORY, "directory", name, known, place);
    }
}

/// The error for a directory's column where not exactly one condition chooses the row.
pub(super) fn unbound(
    names: &Names,
    problems: &mut Problems,
    directory: &str,
    span: &Range<usize>,
) {
    let example = names.example_condition(directory);
    let message = format!("nothing says which row of \"{directory}\" is meant");
    let help = format!("write one condition such as {example} in every table of `when`");
    problems.error(&UNBOUND_DIRECTORY, span, message, help);
}

/// Warns about a parameter of the session where a step is answered.
pub(super) fn check_session(reader: &mut Reader<'_>, name: &str, span: &Range<usize>, help: &str) {
    let in_step = matches!(reader.owner, Owner::Route { in_step: true, .. });
    if in_step && parameters::get(name).session {
        let message = format!("`{name}` is absent from every request that comes back with a step");
        reader.problems.warn(&SESSION_IN_STEP, span, message, help);
    }
}

/// The names in an array of routes or intercepts, each with the place where it stands first.
pub(super) fn first_places(section: Option<&Value<'_>>) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    let tables = section.and_then(|section| section.get_ref().as_array());
    for table in tables.into_iter().flatten() {
        if let Some(name) = table.get_ref().get("name")
            && let Some(text) = name.get_ref().as_str()
        {
            places.entry(text.to_owned()).or_insert(name.span().start);
        }
    }
    places
}

/// What a part of the table uses and answers, for the checks over the whole table.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// The directories that conditions look into, each with the parameters by which they do.
    pub directories: BTreeMap<String, BTreeSet<Vec<String>>>,
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
    /// The same with the numbers that choose their rows.
    pub dialled_rows: BTreeSet<DialledRow>,
    /// What the party that a directory names is shown.
    pub shown: Vec<Shown>,
    /// The columns that callers hear or read, with their places.
    pub told: Vec<(String, usize, Range<usize>)>,
    /// The places that every cell of a column must be able to fill.
    pub cells: Vec<CellCheck>,
    /// The steps that routes answer, with their places.
    pub answered: Vec<(String, Range<usize>)>,
    /// What routes with a step ask of parameters that only come after certain elements.
    pub follow_ups: Vec<FollowUp>,
    /// The URLs that have a step in their query.
    pub steps: Vec<StepReference>,
    /// Whether a URL leads to a step that only a request knows.
    pub leads_anywhere: bool,
    /// The telephones that are dialled, with their places.
    pub telephones: Vec<(Fixed, Range<usize>)>,
    /// The voices and languages that the rows of a directory bring together.
    pub voices: Vec<VoiceCells>,
    /// The Gathers that send keys to a step.
    pub menus: Vec<Menu>,
    /// The verbs of routes with a step.
    pub verbs: Vec<StepVerb>,
}

impl Uses {
    /// Adds what a later part uses.
    pub(super) fn add(&mut self, other: Self) {
        for (directory, parameters) in other.directories {
            let all = self.directories.entry(directory).or_default();
            all.extend(parameters);
        }
        self.schedules.extend(other.schedules);
        self.replies.extend(other.replies);
        for (directory, place) in other.rows {
            self.rows.entry(directory).or_insert(place);
        }
        self.needs_private |= other.needs_private;
        self.dialled.extend(other.dialled);
        self.dialled_rows.extend(other.dialled_rows);
        self.told.extend(other.told);
        self.cells.extend(other.cells);
        self.answered.extend(other.answered);
        self.follow_ups.extend(other.follow_ups);
        self.steps.extend(other.steps);
        self.leads_anywhere |= other.leads_anywhere;
        self.telephones.extend(other.telephones);
        self.voices.extend(other.voices);
        self.menus.extend(other.menus);
        self.verbs.extend(other.verbs);
    }
}

/// What a text of a reply is before there is a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Fixed {
    /// The same for every request.
    Literal(String),
    /// The column of this directory and position, and nothing else.
    Column(String, usize),
}

impl Fixed {
    /// What a text is; `None` when it depends on the request.
    pub(super) fn of(text: &Text) -> Option<Self> {
        if let Some(literal) = text.literal() {
            return Some(Self::Literal(literal.to_owned()));
        }
        let (directory, column) = text.plain_column()?;
        Some(Self::Column(directory.name().to_owned(), column))
    }
}

/// A verb of a route with a step.
#[derive(Debug)]
pub(super) struct StepVerb {
    pub step: String,
    pub tag: &'static str,
    pub span: Range<usize>,
}

/// A voice and a language of one element, of which at least one is a column.
#[derive(Debug)]
pub(super) struct VoiceCells {
    pub voice: Fixed,
    pub language: Fixed,
    pub span: Range<usize>,
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
    /// A key that is not the beginning of values, nor `*` for all others.
    WholeKey,
}

impl Rule {
    /// Whether there is nothing to check.
    pub(super) fn takes_anything(self) -> bool {
        matches!(self, Self::Attribute(spec) if spec.takes_anything)
    }

    pub(super) fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::Attribute(spec) => spec.check(value),
            Self::Destination(destination) => destination.check(value),
            Self::WholeKey if value.ends_with('*') => {
                Err(ValueError::Form("one value: with a `*` it stands for many"))
            }
            Self::WholeKey => Ok(()),
        }
    }
}

/// A condition, in a route with a step, that holds only for a parameter that no call or text begins with.
#[derive(Debug)]
pub(super) struct FollowUp {
    /// The step of the route.
    pub step: String,
    pub parameter: String,
    /// The kinds of requests that carry it.
    pub kinds: Vec<&'static str>,
    pub span: Range<usize>,
}

/// A URL of a reply that has a step in its query.
#[derive(Debug)]
pub(super) struct StepReference {
    /// The step it leads to; empty for requests without one.
    pub step: String,
    /// The step of the route it stands in, empty without one; `None` outside of routes.
    pub from: Option<String>,
    pub span: Range<usize>,
    /// Whether it comes back to this service: it is completed from the URL that was asked.
    pub is_ours: bool,
    /// Whether it is followed at once: a Redirect's, with nothing before it that waits for the caller or for somebody
    /// who is dialled.
    pub is_followed_at_once: bool,
    /// What the document behind it may hold, when not everything, and the attribute's name for a sentence.
    pub document: Option<(String, &'static DocumentSpec)>,
    /// The channel of its reply.
    pub channel: Channel,
    /// The element that it stands in.
    pub element: String,
    /// The kinds of requests that come there; none when that is not known.
    pub kinds: Vec<&'static str>,
}
