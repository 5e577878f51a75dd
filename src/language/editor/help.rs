//! What an editor shows about a key, a parameter, an element or an attribute, in Markdown.

use std::fmt::Write as _;

use super::meaning::{Meaning, named};
use super::tree::Table;
use crate::table::condition::KINDS;
use crate::table::remedy::choice;
use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, ParameterKind};
use crate::twilio::vocabulary::{self, AttributeSpec, ElementSpec, Status, ValueType};

/// A longer list of values is only offered, not shown.
const MOST_LISTED: usize = 12;

/// What a key means in a table that means this.
pub(super) fn key(meaning: Meaning<'_>, name: &str, table: &Table) -> Option<String> {
    if let Some(key) = meaning.shape(name) {
        let required = if key.is_required { " Required." } else { "" };
        return Some(format!("{}{required}", key.help));
    }
    match meaning {
        Meaning::Conditions | Meaning::Request(_) => parameter(name),
        Meaning::Condition(_) if name == "not" => {
            Some("`not = …` negates any condition.".to_owned())
        }
        Meaning::Condition(_) => {
            let kind = KINDS.iter().find(|kind| kind.key == name)?;
            Some(kind.manual.to_owned())
        }
        Meaning::Element(channel, parent) => {
            if let Some(spec) = vocabulary::child_of(channel, parent, name) {
                return Some(element(channel, spec));
            }
            let (name, spec) = meaning.element(table)?.attribute(name)?;
            Some(attribute(name, spec))
        }
        Meaning::Defaults => {
            named(name).next()?;
            Some(format!(
                "Attributes for every `{name}` that does not set them itself."
            ))
        }
        Meaning::DefaultsOf(tag) => {
            let (name, spec) = named(tag).find_map(|spec| spec.attribute(name))?;
            Some(attribute(name, spec))
        }
        _ => None,
    }
}

/// What Twilio says about a parameter; `None` when it does not send one of this name.
pub(super) fn parameter(name: &str) -> Option<String> {
    let carriers = parameters::carriers(name);
    if carriers.is_empty() {
        return None;
    }
    let known = parameters::get(name);
    let mut help = format!("`{name}`: {}.", known.kind.words());
    if !known.values.is_empty() && known.values.len() <= MOST_LISTED {
        let _ = write!(
            help,
            " Its values are {}.",
            choice(&known.values).replace(" or ", " and ")
        );
    }
    if let Some(alias) = known.alias {
        let _ = write!(help, " Where it is absent, `{alias}` has the same value.");
    }
    if known.session {
        help += " It describes the Proxy session, so follow-up requests (`step`) do not carry it.";
    }
    if known.private {
        help += " It is private: only a route with `private = true` may dial it.";
    }
    let kinds = carriers.iter().map(|(kind, _)| format!("`{kind}`"));
    let kinds: Vec<String> = kinds.take(MOST_LISTED).collect();
    let more = carriers.len() - kinds.len();
    let more = if more > 0 {
        format!(" and {more} others")
    } else {
        String::new()
    };
    let _ = write!(
        help,
        "\n\nRequests that carry it: {}{more}.",
        kinds.join(", ")
    );
    let mut pages: Vec<&str> = carriers.iter().map(|(_, page)| &**page).collect();
    pages.dedup();
    pages.truncate(3);
    for page in pages {
        let _ = write!(help, "\n\n<{page}>");
    }
    Some(help)
}

fn element(channel: Channel, spec: &ElementSpec) -> String {
    let mut help = spec.help.to_owned();
    add_status(&mut help, spec.status);
    if let Some(page) = vocabulary::page(channel, spec) {
        let _ = write!(help, "\n\n<{page}>");
    }
    help
}

/// What an attribute means and takes.
pub(super) fn attribute(name: &str, spec: &AttributeSpec) -> String {
    let mut help = vocabulary::attribute_help(name)
        .unwrap_or_default()
        .to_owned();
    let values = &spec.values;
    let takes = match (spec.kind, spec.min, spec.max) {
        (ValueType::Integer, Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        (ValueType::Integer, Some(min), None) => format!("a whole number of at least {min}"),
        _ if (1..=MOST_LISTED).contains(&values.len()) => choice(values),
        _ => spec.expected().to_owned(),
    };
    let several = if spec.list {
        ", or several of them with blanks between them"
    } else {
        ""
    };
    let _ = write!(
        help,
        "{}`{name}` takes {takes}{several}.",
        if help.is_empty() { "" } else { " " }
    );
    if spec.required {
        help += " Required.";
    }
    add_status(&mut help, spec.status);
    help
}

fn add_status(help: &mut String, status: Option<Status>) {
    if let Some(Status { is, why, instead }) = status {
        let _ = write!(
            help,
            "\n\n**{}**: {why}",
            if is.is_empty() { "gone" } else { is }
        );
        if let Some(instead) = instead {
            let _ = write!(help, "; {instead}");
        }
    }
}

impl ParameterKind {
    /// What a value is, for a sentence.
    fn words(self) -> &'static str {
        match self {
            Self::Number => "a phone number, or an address such as `sip:` or `client:`",
            Self::Address => "an address of a person or a device",
            Self::Sid => "a SID: two letters and 32 hexadecimal digits",
            Self::Enumerated => "one of Twilio's words",
            Self::Country => "a country: two capital letters",
            Self::State => "a state or province",
            Self::Integer => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::Keys => "keys of a telephone",
            Self::Version => "the version of Twilio's API",
            Self::DateTime => "a date and time",
            Self::Url => "a URL",
            Self::Json => "JSON; a quoted dotted name reaches into it",
            Self::Text => "a text",
        }
    }
}
