//! Attributes of elements: the written ones, those from `[defaults.X]`, and the caller id that we add to a Dial.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::elements::Written;
use super::extra::ElementKind;
use super::names::{Names, Owner, Reader, Rule, Uses};
use super::rules::advise_against;
use super::settings::UNKNOWN_ELEMENT;
use super::texts::{BAD_URL, FRAGILE_DEFAULT, Slot, template};
use super::values::BAD_NUMBER;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value, entries};
use crate::table::remedy::{Remedy, did_you_mean, either, listed, one_of};
use crate::table::reply::template::{Field, FieldValue, Piece, Text};
use crate::table::reply::{Attribute, Node};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary::{
    self, AttributeSpec, Destination, ElementSpec, UrlError, ValueError,
};

pub(super) static UNKNOWN_ATTRIBUTE: Check = Check::new(
    "unknown-attribute",
    "An attribute that the element does not have. Letter case matters. If Twilio has added the attribute since this version,
name it in `[extra]`, below the element.",
    r#"voice = [ { Dial = "+15005550006", timeOut = 20 } ]     # timeout"#,
);

pub(super) static BAD_VALUE: Check = Check::new(
    "bad-value",
    "A value that the attribute does not accept: out of range, not one of its words, or of the wrong type. The help line
names the nearest value, or the allowed ones.",
    r#"voice = [ { Dial = "+15005550006", timeout = 1 } ]     # from 5 to 600"#,
);

pub(super) static UNUSUAL_VALUE: Check = Check::new(
    "unusual-value",
    "A value that is not in our list, although the list may have grown: voices, languages, speech models, card types, SSML.
Make sure that it is spelt as Twilio spells it. Also a value that works only with a special setting of the account, or
that Twilio has replaced with another.",
    r#"voice = [ { Say = "Hello.", voice = "Polly.Joana" } ]     # "Polly.Joanna""#,
);

/// Reads one attribute of the element in `table`; `None` after reporting an error.
pub(super) fn attribute(
    reader: &mut Reader<'_>,
    element: ElementKind<'_>,
    table: &DeTable<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
) -> Option<Attribute> {
    let written = key.get_ref().as_ref();
    let known = element.spec.attribute(written);
    if reader.names.extra.has_attribute(element.tag, written) {
        let spec = AttributeSpec::any(known.map(|(_, known)| known));
        // The operator still chooses the destination: a stranger must not.
        let destination = known.and_then(|(_, known)| known.destination());
        let value = attribute_value(reader, element, written, (spec, destination), value)?;
        let name = Cow::Owned(written.to_owned());
        return Some(Attribute { name, spec, value });
    }
    let Some((name, spec)) = known else {
        unknown_attribute(reader, element, table, key);
        return None;
    };
    if let Some(status) = spec.status {
        let what = format!("`{name}` of `{}`", element.tag);
        advise_against(reader.problems, &what, status, key.span());
    }
    let value = attribute_value(reader, element, name, (spec, spec.destination()), value)?;
    let name = Cow::Borrowed(name);
    Some(Attribute { name, spec, value })
}

fn unknown_attribute(
    reader: &mut Reader<'_>,
    element: ElementKind<'_>,
    table: &DeTable<'_>,
    key: &Key<'_>,
) {
    let (name, tag) = (key.get_ref().as_ref(), element.tag);
    let extra = &reader.names.extra;
    let mut known: Vec<&str> = element.spec.attribute_names().collect();
    known.extend(extra.attribute_names(tag));
    // An attribute of a child is often written one level too high.
    let children = element.spec.children.iter();
    let mut children = children.filter_map(|key| vocabulary::elements(reader.channel).get(key));
    let has_it = |child: &&ElementSpec| child.attribute(name).is_some();
    let otherwise = match children.find(has_it) {
        Some(child) => {
            let child = child.tag;
            format!(
                "it is an attribute of `{child}`: {tag} = [ {{ {child} = \"…\", {name} = … }} ]"
            )
        }
        None if known.is_empty() => format!("`{tag}` has no attributes; remove it"),
        None if known.len() == 1 => format!("the only attribute of `{tag}` is `{}`", known[0]),
        None => format!("the attributes of `{tag}` are {}", listed(&known)),
    };
    let remedy = twiml_name_remedy(name, &known, otherwise);
    let message = format!("`{name}` is not an attribute of `{tag}`");
    let problems = &mut *reader.problems;
    problems
        .twilio_error(12200, &UNKNOWN_ATTRIBUTE, key.span(), message, remedy)
        .unless_taken(|name| table.contains_key(name));
}

/// [`did_you_mean`] for names in TwiML, where a difference in case is easily overlooked.
pub(super) fn twiml_name_remedy(name: &str, known: &[&str], otherwise: String) -> Remedy {
    match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Remedy::word(format!("write `{known}`: letter case matters"), *known),
        None => did_you_mean('`', name, known.iter().copied(), otherwise),
    }
}

/// Reads an attribute's value, and checks it as far as it does not depend on the request.
fn attribute_value(
    reader: &mut Reader<'_>,
    element: ElementKind<'_>,
    name: &str,
    (spec, destination): (&'static AttributeSpec, Option<Destination>),
    value: &Value<'_>,
) -> Option<Text> {
    let text = match value.get_ref() {
        DeValue::String(text) => {
            let slot = Slot {
                element: element.tag,
                attribute: Some(name),
                destination,
                rule: Some(Rule::Attribute(spec)),
                dials: false,
                takes_ssml: false,
                relays: false,
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
        let of = format!("`{name}` of `{}`", element.tag);
        bad_value(
            reader.problems,
            &of,
            (name, spec),
            literal,
            &error,
            value.span(),
        );
    }
    Some(text)
}

/// Reports a bad value of an attribute, which the message names as `of`.
fn bad_value(
    problems: &mut Problems,
    of: &str,
    (name, spec): (&str, &AttributeSpec),
    literal: &str,
    error: &ValueError,
    span: Range<usize>,
) {
    let remedy = match spec.respelt(literal) {
        Some(respelt) => {
            let why = if spec.list && literal.contains(',') {
                "separate several values with spaces"
            } else {
                "letter case matters"
            };
            Remedy::word(format!("write \"{respelt}\": {why}"), respelt)
        }
        None => value_remedy(name, spec, literal, error),
    };
    let of_url = matches!(error, ValueError::Url(_)).then_some(11100);
    let number = spec.errors.first().copied().or(of_url);
    let diagnostic = if error.is_suspicion() {
        let message = match error {
            ValueError::NotAmong { .. } => {
                format!("\"{literal}\" is not a known value of {of}")
            }
            _ => format!("{of} should not be \"{literal}\": {error}"),
        };
        problems.warn(&UNUSUAL_VALUE, span, message, remedy)
    } else {
        let message = format!("{of} cannot be \"{literal}\": {error}");
        problems.error(check_of(error), span, message, remedy)
    };
    diagnostic.error_number = number;
}

/// What to write instead of a value.
fn value_remedy(name: &str, spec: &AttributeSpec, literal: &str, error: &ValueError) -> Remedy {
    let help = match error {
        ValueError::NotAmong { open } => {
            let values = &spec.values;
            let otherwise = match spec.likely(literal).as_slice() {
                [] if values.len() <= 15 => return one_of(literal, values),
                [] if *open => OPEN_LIST_HELP.to_owned(),
                [] => format!(
                    "write one of {} values, such as \"{}\"",
                    values.len(),
                    values[0]
                ),
                likely => format!("did you mean {}?", either('"', likely)),
            };
            return did_you_mean('"', literal, values.iter().copied(), otherwise);
        }
        ValueError::NotBoolean => "write true or false".to_owned(),
        ValueError::NotInteger => format!("write {name} = {}", spec.min.unwrap_or(1)),
        ValueError::OutOfRange {
            min: Some(min),
            max: Some(max),
        } => {
            format!("write a number from {min} to {max}, or leave `{name}` out")
        }
        ValueError::OutOfRange { .. } => {
            format!("write such a number, or leave `{name}` out")
        }
        ValueError::Number(_) => "write the number as +15005550006".to_owned(),
        ValueError::Url(error) => url_help(error, literal),
        ValueError::BadCharacter { .. } => "remove that character".to_owned(),
        ValueError::TooLong { .. } => "shorten it".to_owned(),
        ValueError::Unusual { usual } => format!(
            "write at most {usual}, or turn on \"24-Hour Maximum Call Duration\" in the Voice settings of Twilio's console"
        ),
        ValueError::Outdated { instead } => format!("write {instead}"),
        ValueError::Form(form) => format!("write {form}, or leave `{name}` out"),
        ValueError::Empty | ValueError::NotSip => format!("write a value, or leave `{name}` out"),
    };
    help.into()
}

const OPEN_LIST_HELP: &str =
    "check its spelling; if Twilio has added it, name the attribute in [extra]";

/// The check to which an error about a value belongs.
pub(super) fn check_of(error: &ValueError) -> &'static Check {
    match error {
        ValueError::Url(_) => &BAD_URL,
        ValueError::Number(_) => &BAD_NUMBER,
        _ => &BAD_VALUE,
    }
}

/// The help for a URL that Twilio cannot use.
pub(super) fn url_help(error: &UrlError, url: &str) -> String {
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let has_host =
        url.split('/').next().is_some_and(|host| host.contains('.')) && url.contains('/');
    let help = match error {
        UrlError::Scheme { wanted: "wss://" } => {
            "write the complete URL of a socket: wss://example.com/stream"
        }
        UrlError::Scheme { .. } if url.bytes().all(is_in_name) => {
            return format!(
                "write \"?step={url}\" for a step of this table, or a complete URL such as https://example.com/{url}"
            );
        }
        UrlError::Scheme { .. } if has_host && !url.contains(':') => {
            return format!("write \"https://{url}\"");
        }
        UrlError::Scheme { .. } if !url.contains([':', '/']) => {
            return format!("write the complete URL, such as https://example.com/{url}");
        }
        UrlError::Empty | UrlError::Scheme { .. } => {
            "write an absolute URL, or one that begins with ? or /"
        }
        UrlError::NoHost => "write the host after the two slashes: https://example.com/path",
        UrlError::BadCharacter(_) => "percent-encode it: write %20 for a space",
        UrlError::Underscore => "use a host name without an underscore",
        UrlError::Port => "write a port from 1 to 65535, or leave it out",
    };
    help.to_owned()
}

/// The attributes of each `[defaults.X]`, by element, with the places of their values.
pub(super) fn defaults(
    names: &Names,
    problems: &mut Problems,
    uses: &mut Uses,
    section: Option<&Value<'_>>,
) -> BTreeMap<String, Vec<(Attribute, Range<usize>)>> {
    let mut reader = Reader::new(names, problems, Owner::Defaults);
    let mut defaults: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let sections = reader.problems.entries(section, "a table of elements");
    let is_there = |name: &str| sections.iter().any(|(key, _)| key.get_ref() == name);
    for (key, value) in &sections {
        let name = key.get_ref().as_ref();
        // Some elements differ between channels.
        let kinds: Vec<(Channel, ElementKind<'_>)> = Channel::ALL
            .into_iter()
            .flat_map(|channel| {
                let kinds = names.extra.kinds(channel, name);
                kinds.map(move |kind| (channel, kind))
            })
            .collect();
        let Some(first) = kinds.first() else {
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
        let found = defaults.entry(name.to_owned()).or_default();
        for (key, value) in entries(table) {
            let mut all = kinds.iter();
            let taken = all.find(|(_, kind)| names.takes(*kind, key.get_ref()));
            let (channel, kind) = *taken.unwrap_or(first);
            reader.channel = channel;
            let attribute = attribute(&mut reader, kind, table, key, value);
            found.extend(attribute.map(|attribute| (attribute, value.span())));
        }
    }
    uses.add(reader.uses);
    defaults
}

/// Gives an element the attributes from `[defaults.X]` that it does not set itself, and a Dial its caller id.
pub(super) fn add_defaults(
    reader: &mut Reader<'_>,
    kind: ElementKind<'_>,
    written: &mut Written<'_>,
) {
    let names = reader.names;
    let (tag, spec) = (kind.tag, kind.spec);
    let element = &mut written.element;
    // Each voice speaks only certain languages, so an element that sets either of the two gets neither from here.
    let sets_voice =
        spec.spoken_max.is_some() && (element.sets("voice") || element.sets("language"));
    for (default, place) in names.defaults.get(tag).into_iter().flatten() {
        let name = &*default.name;
        let is_pair = sets_voice && matches!(name, "voice" | "language");
        if is_pair || element.sets(name) || !names.takes(kind, name) {
            continue;
        }
        let span = &written.name;
        if reader.owner == Owner::Default && name == "action" {
            let message = format!("[defaults.{tag}] adds an `action` to [default]");
            let help = "set it on the elements that need it: nothing may follow [default]";
            reader.problems.error(&FRAGILE_DEFAULT, span, message, help);
        }
        if reader.owner == Owner::Default && default.value.fields().next().is_some() {
            let message = format!("[defaults.{tag}] adds a template to [default]");
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
        written.values.push(place.clone());
    }
    // Without a caller id, the person that a Dial reaches would see the caller's real number.
    let reaches_a_person = element.content.iter().any(|node| match node {
        Node::Text(_) => true,
        Node::Element(noun) => noun.spec.dials,
    });
    if reaches_a_person
        && !element.sets("callerId")
        && let Some((name, spec)) = spec.attribute("callerId")
    {
        element.attributes.push(Attribute {
            name: Cow::Borrowed(name),
            spec,
            value: Text::new(vec![Piece::OwnNumber]),
        });
        written.values.push(written.name.clone());
    }
}
