//! Attributes of elements: their values, and those that `[defaults.X]` and a missing caller id add.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::names::{Names, Owner, Reader, Rule, Uses};
use super::rules::advise_against;
use super::settings::UNKNOWN_ELEMENT;
use super::texts::{BAD_URL, FRAGILE_DEFAULT, Slot, template};
use super::values::BAD_NUMBER;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value, entries};
use crate::table::remedy::{Remedy, did_you_mean, listed, one_of};
use crate::table::reply::template::{Field, FieldValue, Piece, Text};
use crate::table::reply::{Attribute, Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{self, AttributeSpec, ElementSpec, UrlError, ValueError};

pub(super) static UNKNOWN_ATTRIBUTE: Check = Check::new(
    "unknown-attribute",
    "An attribute that the element does not have. Letter case counts. For one that Twilio has added since, write `[extra]`
with the element and the attribute's name.",
    r#"voice = [ { Dial = "+15005550006", timeOut = 20 } ]     # timeout"#,
);

pub(super) static BAD_VALUE: Check = Check::new(
    "bad-value",
    "A value that the attribute does not take: out of its range, not one of its words, not of its type. The help line names
the nearest value, or those that are allowed.",
    r#"voice = [ { Dial = "+15005550006", timeout = 1 } ]     # from 5 to 600"#,
);

pub(super) static UNUSUAL_VALUE: Check = Check::new(
    "unusual-value",
    "A value that is not in our list, where the list is not ours and grows: voices, languages, speech models, card types,
SSML. Make sure that it is spelt as Twilio spells it. Also a value that works only with a special setting of the
account, or that Twilio has replaced with another.",
    r#"voice = [ { Say = "Hello.", voice = "Polly.Joana" } ]     # "Polly.Joanna""#,
);

/// One attribute of the element that `table` is; `None` after an error about it.
pub(super) fn attribute(
    reader: &mut Reader<'_>,
    element: &'static ElementSpec,
    table: &DeTable<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
) -> Option<Attribute> {
    let written = key.get_ref().as_ref();
    let is_extra = reader.names.is_extra(element.tag, written);
    let (name, spec) = match element.attribute(written) {
        // What leads somewhere is checked all the same.
        Some((name, spec)) if !is_extra || spec.destination().is_some() => {
            (Cow::Borrowed(name), spec)
        }
        _ if is_extra => (Cow::Owned(written.to_owned()), AttributeSpec::any()),
        _ => {
            let known: Vec<&str> = element.attribute_names().collect();
            let otherwise = format!("{} has {}", element.tag, listed(&known));
            let remedy = twiml_name_remedy(written, known, otherwise);
            let message = format!("`{}` has no attribute `{written}`", element.tag);
            let problems = &mut *reader.problems;
            problems
                .twilio_error(12200, &UNKNOWN_ATTRIBUTE, key.span(), message, remedy)
                .unless_taken(|name| table.contains_key(name));
            return None;
        }
    };
    if let Some(status) = spec.status {
        let what = format!("`{name}` of `{}`", element.tag);
        advise_against(reader.problems, &what, status, key.span());
    }
    let value = attribute_value(reader, element, &name, spec, value)?;
    Some(Attribute { name, spec, value })
}

/// [`did_you_mean`] for a name of TwiML's, where another letter case is easily overlooked.
pub(super) fn twiml_name_remedy(name: &str, known: Vec<&str>, otherwise: String) -> Remedy {
    match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Remedy::word(format!("write `{known}`: letter case matters"), *known),
        None => did_you_mean('`', name, known, otherwise),
    }
}

/// The value of an attribute, checked as far as it does not depend on the request.
fn attribute_value(
    reader: &mut Reader<'_>,
    element: &'static ElementSpec,
    name: &str,
    spec: &'static AttributeSpec,
    value: &Value<'_>,
) -> Option<Text> {
    let text = match value.get_ref() {
        DeValue::String(text) => {
            let slot = Slot {
                element: element.tag,
                attribute: Some(name),
                destination: spec.destination(),
                rule: Some(Rule::Attribute(spec)),
                dials: false,
                span: value.span(),
            };
            template(reader, text, &slot)?
        }
        DeValue::Integer(number) if spec.takes_integers() => {
            let number = i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string());
            Text::new(vec![Piece::Literal(number)])
        }
        DeValue::Boolean(boolean) if spec.takes_booleans() => {
            Text::new(vec![Piece::Literal(boolean.to_string())])
        }
        _ => {
            let expected = spec.expected();
            let problems = &mut *reader.problems;
            let digits = problems.digits(value);
            let remedy = match digits.filter(|digits| spec.check(digits).is_ok()) {
                Some(digits) => Remedy::write(name, format!("\"{digits}\"")),
                None => format!("`{name}` takes {expected}").into(),
            };
            return problems.wrong_type(value, expected, remedy);
        }
    };
    if let Some(literal) = text.literal()
        && let Err(error) = spec.check(literal)
    {
        let span = value.span();
        bad_value(reader.problems, element, name, spec, literal, &error, span);
    }
    Some(text)
}

fn bad_value(
    problems: &mut Problems,
    element: &ElementSpec,
    name: &str,
    spec: &AttributeSpec,
    literal: &str,
    error: &ValueError,
    span: Range<usize>,
) {
    let what = format!("`{name}` of `{}`", element.tag);
    let known = &spec.values;
    let spaced = literal.replace([',', ';', '|'], " ");
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let remedy: Remedy = match error {
        ValueError::NotAmong { .. } if spec.check(&spaced).is_ok() => {
            let help = format!("separate the values with spaces: \"{spaced}\"");
            Remedy::word(help, spaced)
        }
        ValueError::NotAmong { .. } if known.len() <= 15 => one_of(literal, known),
        ValueError::NotAmong { .. } => {
            let (count, first) = (known.len(), known[0]);
            let otherwise = format!("TwiML knows {count} values, such as \"{first}\"");
            did_you_mean('"', literal, known.iter().copied(), otherwise)
        }
        ValueError::Number(_) => "write the number as +15005550006".into(),
        ValueError::Url(error) => url_help(error).into(),
        ValueError::BadCharacter { .. } => "remove that character".into(),
        ValueError::TooLong { .. } => "shorten it".into(),
        ValueError::Unusual { usual } => {
            format!("write at most {usual}, or ask Twilio for more").into()
        }
        ValueError::Outdated { instead } => format!("write {instead}").into(),
        _ => format!("write such a value, or leave `{name}` out").into(),
    };
    if error.is_suspicion() {
        let message = match error {
            ValueError::NotAmong { .. } => format!("{what} is not known to be \"{literal}\""),
            _ => format!("{what} should not be \"{literal}\": {error}"),
        };
        let warning = problems.warn(&UNUSUAL_VALUE, span, message, remedy);
        warning.error_number = spec.errors.first().copied();
    } else {
        let of_url = matches!(error, ValueError::Url(_)).then_some(11100);
        let number = spec.errors.first().copied().or(of_url);
        let message = format!("{what} cannot be \"{literal}\": {error}");
        problems.twilio_error(number, check_of(error), span, message, remedy);
    }
}

/// The check that refuses such a value.
pub(super) fn check_of(error: &ValueError) -> &'static Check {
    match error {
        ValueError::Url(_) => &BAD_URL,
        ValueError::Number(_) => &BAD_NUMBER,
        _ => &BAD_VALUE,
    }
}

/// What to do about a URL that Twilio could not use.
pub(super) fn url_help(error: &UrlError) -> &'static str {
    match error {
        UrlError::Scheme { wanted: "wss://" } => {
            "write the whole URL of a socket: wss://example.com/stream"
        }
        UrlError::Empty | UrlError::Scheme { .. } => {
            "write an absolute URL, or one that begins with ? or /"
        }
        UrlError::NoHost => "write the host after the two slashes: https://example.com/path",
        UrlError::BadCharacter(_) => "write it percent-encoded, %20 for a blank",
        UrlError::Underscore => "give the host a name without an underscore",
        UrlError::Port => "write a port that exists, or none",
    }
}

/// The attributes of each `[defaults.X]`, by element.
pub(super) fn defaults(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    section: Option<&Value<'_>>,
) -> BTreeMap<&'static str, Vec<Attribute>> {
    let mut reader = Reader::new(names, problems, Owner::Defaults);
    let mut defaults: BTreeMap<&str, Vec<Attribute>> = BTreeMap::new();
    let elements = reader.problems.entries(section, "a table of elements");
    let is_there = |name: &str| elements.iter().any(|(key, _)| key.get_ref() == name);
    for (key, value) in &elements {
        let name = key.get_ref().as_ref();
        // Some elements differ from channel to channel.
        let specs: Vec<(Channel, &'static ElementSpec)> = Channel::ALL
            .into_iter()
            .flat_map(|channel| {
                vocabulary::elements_named(channel, name).map(move |spec| (channel, spec))
            })
            .collect();
        let Some(first) = specs.first() else {
            let elements = Channel::ALL.into_iter().flat_map(vocabulary::element_names);
            let otherwise = "name an element, such as [defaults.Say]";
            let remedy = did_you_mean('`', name, elements, otherwise);
            let message = format!("TwiML has no element `{name}`");
            let problems = &mut *reader.problems;
            problems
                .error(&UNKNOWN_ELEMENT, key.span(), message, remedy)
                .unless_taken(|name| is_there(name));
            continue;
        };
        let Some(table) = reader.problems.table(value, "a table of attributes") else {
            continue;
        };
        let found = defaults.entry(first.1.tag).or_default();
        for (key, value) in entries(table) {
            let mut all = specs.iter();
            let taken = all.find(|(_, spec)| names.takes(spec, key.get_ref()));
            let (channel, spec) = *taken.unwrap_or(first);
            reader.channel = channel;
            found.extend(attribute(&mut reader, spec, table, key, value));
        }
    }
    uses.add(reader.uses);
    defaults
}

/// Gives an element the attributes of `[defaults.X]` that it does not set itself, and a Dial its caller id.
pub(super) fn add_defaults(reader: &mut Reader<'_>, element: &mut Element, span: &Range<usize>) {
    let names = reader.names;
    let tag = element.spec.tag;
    // A voice speaks its own languages: an element that sets one of the two does not get the other from elsewhere.
    let sets_voice =
        element.spec.spoken_max.is_some() && (element.sets("voice") || element.sets("language"));
    for default in names.defaults.get(tag).into_iter().flatten() {
        let name = &*default.name;
        let is_pair = sets_voice && matches!(name, "voice" | "language");
        if is_pair || element.sets(name) || !names.takes(element.spec, name) {
            continue;
        }
        if reader.owner == Owner::Default && name == "action" {
            let message = format!("[defaults.{tag}] brings an `action` into [default]");
            let help = "set it where it is wanted instead: [default] must be the end";
            reader.problems.error(&FRAGILE_DEFAULT, span, message, help);
        }
        if reader.owner == Owner::Default && default.value.fields().next().is_some() {
            let message = format!("[defaults.{tag}] brings a template into [default]");
            let help = format!("set `{name}` here to a text without a template");
            reader.problems.error(&FRAGILE_DEFAULT, span, message, help);
        }
        for value in default.value.fields().flat_map(Field::values) {
            if let FieldValue::Column { directory, .. } = value {
                let rows = reader.uses.rows.entry(directory.name().to_owned());
                rows.or_insert_with(|| span.clone());
            }
        }
        element.attributes.push(default.clone());
    }
    // The person whom a Dial reaches would see the caller's real number without a caller id.
    let reaches_a_person = element.content.iter().any(|node| match node {
        Node::Text(_) => true,
        Node::Element(noun) => noun.spec.dials,
    });
    if reaches_a_person
        && !element.sets("callerId")
        && let Some((name, spec)) = element.spec.attribute("callerId")
    {
        element.attributes.push(Attribute {
            name: Cow::Borrowed(name),
            spec,
            value: Text::new(vec![Piece::OwnNumber]),
        });
    }
}
