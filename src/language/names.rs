//! The context for reading the parts of a table: the names that they may refer to, and what they use of each other.

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
    "An unknown parameter. If it is your own query field in the URL that you gave Twilio, or if Twilio has added it since
this version, list it.",
    r#"parameters = ["campaign"]"#,
);

pub(super) static UNKNOWN_DIRECTORY: Check = Check::absence(
    "unknown-directory",
    "A directory that the table does not have. Correct its name, or write a section for it.",
    r#"when = { Called = { in = "ride" } }     # [directory.rides]"#,
);

pub(super) static UNBOUND_DIRECTORY: Check = Check::absence(
    "unbound-directory",
    r#"A column of a directory without a condition that selects the row, or with more than one. Every table of `when` needs
exactly one condition such as `Called = { in = "sellers" }`, neither negated with `not` nor inside an array."#,
    r#"when = { Digits = "1" }
voice = [ { Say = "Hello {{ sellers.name }}" } ]"#,
);

pub(super) static SESSION_IN_STEP: Check = Check::new(
    "session-in-step",
    "A condition or a template that uses the Proxy session in a route with a `step`. Requests that come back from a `Gather`
or a `Redirect` do not carry the session's fields, so they are always absent there. Test them in the route that leads to
the step, and give each outcome its own step.",
    r#"step = "menu"
when = { sessionStatus = "closed" }"#,
);

pub(super) static ABSENT_PARAMETER: Check = Check::new(
    "absent-parameter",
    "A condition on a parameter that the route's requests never have: the text of a message in a route that answers only
calls, or the keys of a `Gather` in a step to which only a `Dial` leads. The condition never holds. Remove it, or test it
in a route whose requests have the parameter.",
    r#"when = { Body = "help" }
voice = [ { Say = "Hello." } ]     # only a text has a Body"#,
);

/// The context for reading one part of the table: a route, a named reply or the defaults.
pub(super) struct Reader<'r> {
    pub names: &'r Names,
    pub problems: &'r mut Problems,
    /// What the part has used so far.
    pub uses: Uses,
    pub owner: Owner,
    /// The channel of the elements being read.
    pub channel: Channel,
    /// The only channel that the route answers, while its conditions are read; `None` when it answers both or neither.
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

/// The owner of the elements or conditions being read, which decides what they may be.
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
    /// The directories; `None` for a directory that could not be read at all.
    pub directories: BTreeMap<String, Option<DirectoryFile>>,
    /// The schedules; `None` for a schedule with an error in it.
    pub schedules: BTreeMap<String, Option<Arc<Schedule>>>,
    /// The schedules' spans that have a last day.
    pub passing: Vec<Passing>,
    /// The attributes of `[defaults.X]` by element, each with the place of its value.
    pub defaults: BTreeMap<String, Vec<(Attribute, Range<usize>)>>,
    /// The replies; `None` for a reply that could not be read at all.
    pub replies: BTreeMap<String, Option<NamedReply>>,
    /// By route name, the place of the name in the first such route.
    pub routes: HashMap<String, usize>,
    /// The same for intercepts.
    pub intercepts: HashMap<String, usize>,
    /// The names of parameters. All conditions on a parameter share one string.
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
    /// What it shows to a party that a directory names.
    pub shown: Vec<Shown>,
    /// The telephones that it dials.
    pub telephones: Vec<(Fixed, Range<usize>)>,
}

impl Names {
    /// The number of rows in each directory file, by its path as written in the table.
    pub(super) fn rows(&self) -> BTreeMap<String, usize> {
        let directories = self.directories.values().flatten();
        directories.filter_map(DirectoryFile::rows).collect()
    }

    /// A shared string with a parameter's name.
    pub(super) fn parameter(&self, name: &str) -> Arc<str> {
        let shared = self.parameters.get(name).map(Arc::clone);
        shared.unwrap_or_else(|| name.into())
    }

    /// Whether an element has an attribute, from TwiML or from `[extra]`.
    pub(super) fn takes(&self, element: ElementKind<'_>, attribute: &str) -> bool {
        element.spec.attribute(attribute).is_some()
            || self.extra.has_attribute(element.tag, attribute)
    }

    /// Reports a parameter that is unknown, or that is in the wrong case and so does what `never_is` says.
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
                    "" => format!("if it is your own query field, add {list}"),
                    near => format!("{near} If it is your own query field, add {list}"),
                };
                // The more the names differ, the more likely it is the operator's own query field.
                let is_one_letter = |near: &str| nearest_all(name, [near]).0 == 1;
                remedy.text = remedy
                    .text
                    .filter(|text| matches!(text, NewText::Word(near) if is_one_letter(near)));
                let message = format!("`{name}` is not a known parameter");
                Some(problems.warn(&UNKNOWN_PARAMETER, place, message, remedy))
            }
        }
    }

    /// [`check_parameter`](Self::check_parameter) for a key of a table whose value is compared. For an intercept, also
    /// reports a parameter that Twilio does not send with interactions. `is_there` knows the keys of the table.
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
        let otherwise = "Proxy sends interactionType, interactionData and the other parameters on its webhooks page";
        let remedy = did_you_mean('`', name, sent, otherwise);
        let message = format!("Proxy does not send `{name}` with an interaction");
        let warning = problems.warn(&UNKNOWN_PARAMETER, span, message, remedy);
        warning.unless_taken(is_there);
    }

    /// An example of a condition that looks into a directory.
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

    /// Reports a directory that the table does not have.
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

/// Reports the use of a directory's column where the row is not chosen by exactly one condition.
pub(super) fn unbound(
    names: &Names,
    problems: &mut Problems,
    directory: &str,
    span: &Range<usize>,
) {
    let example = names.example_condition(directory);
    let message = format!("it is unclear which row of \"{directory}\" is meant");
    let help = format!("write one condition such as {example} in every table of `when`");
    problems.error(&UNBOUND_DIRECTORY, span, message, help);
}

/// Warns about a session parameter in a route with a step.
pub(super) fn check_session(reader: &mut Reader<'_>, name: &str, span: &Range<usize>, help: &str) {
    let in_step = matches!(reader.owner, Owner::Route { in_step: true, .. });
    if in_step && parameters::get(name).session {
        let message = format!("`{name}` is absent from every request that comes back with a step");
        reader.problems.warn(&SESSION_IN_STEP, span, message, help);
    }
}

/// The names in an array of routes or intercepts, each with its first place.
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

/// What a part of the table uses and answers, for the checks of the table as a whole.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// The directories that conditions look into, each with the parameters that they look up.
    pub directories: BTreeMap<String, BTreeSet<Vec<String>>>,
    /// The schedules of `during` and `outside`.
    pub schedules: BTreeSet<String>,
    /// The replies that routes name.
    pub replies: BTreeSet<String>,
    /// The directories whose columns a reply uses, with the first place of each: the route that gives the reply must
    /// choose one row of each.
    pub rows: BTreeMap<String, Range<usize>>,
    /// Whether the other party's real number is dialled, which only a route with `private = true` may do.
    pub needs_private: bool,
    /// The columns that are dialled or sent to.
    pub dialled: BTreeSet<(String, usize)>,
    /// The same with the numbers by which their rows are looked up.
    pub dialled_rows: BTreeSet<DialledRow>,
    /// What is shown to a party that a directory names.
    pub shown: Vec<Shown>,
    /// The columns that callers hear or read, with their places.
    pub told: Vec<(String, usize, Range<usize>)>,
    /// The places that every cell of a column must be able to fill.
    pub cells: Vec<CellCheck>,
    /// The steps that routes answer, with their places.
    pub answered: Vec<(String, Range<usize>)>,
    /// Conditions in routes with a step on parameters that come only after certain elements.
    pub follow_ups: Vec<FollowUp>,
    /// The URLs that have a step in their query.
    pub steps: Vec<StepReference>,
    /// Whether a URL leads to a step that depends on the request.
    pub leads_anywhere: bool,
    /// The telephones that are dialled, with their places.
    pub telephones: Vec<(Fixed, Range<usize>)>,
    /// The voices and languages that a directory's rows combine.
    pub voices: Vec<VoiceCells>,
    /// The Gathers that send keys to a step.
    pub menus: Vec<Menu>,
    /// The verbs of routes with a step.
    pub verbs: Vec<StepVerb>,
}

impl Uses {
    /// Adds what another part uses.
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

/// A text of a reply that is known without a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Fixed {
    /// The same for every request.
    Literal(String),
    /// Only a column: its directory and position.
    Column(String, usize),
}

impl Fixed {
    /// Classifies a text; `None` when it depends on the request in another way.
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

/// A voice and a language of one element. At least one of them is a column.
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
    /// Whether an empty cell is an error, because the place cannot be left out.
    pub is_required: bool,
    /// The name of the place, for use in a message.
    pub place: String,
    pub span: Range<usize>,
}

/// What a place requires of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Attribute(&'static AttributeSpec),
    Destination(Destination),
    /// A whole key: neither a prefix such as `+1*` nor the `*` for everything else.
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

/// A condition, in a route with a step, that requires a parameter which the first request of a call or text never has.
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
    /// The step of the route that contains it, empty without one; `None` outside of routes.
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
    /// The element that contains it.
    pub element: String,
    /// The kinds of requests that come there; none when that is not known.
    pub kinds: Vec<&'static str>,
}
