//! Attributes of elements: their values, and those that `[defaults.X]` and a missing caller id add.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use super::destinations::BAD_URL;
use super::names::Names;
use super::rules::advise_against;
use super::settings::UNKNOWN_ELEMENT;
use super::texts::{FRAGILE_DEFAULT, template};
use super::uses::{Owner, Place, Read, Rule, Slot, Uses};
use super::values::BAD_NUMBER;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value, choice, entries, listed};
use crate::table::reply::template::{Field, Piece, Text, Value as FieldValue};
use crate::table::reply::{Attribute, Element, Node};
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::twiml_url::UrlError;
use crate::twilio::vocabulary::{self, AttributeSpec, ElementSpec, ValueError, ValueType};

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

/// One attribute; `None` after an error about it.
pub(super) fn attribute(
    names: &Names,
    problems: &mut Problems,
    element: &'static ElementSpec,
    key: &Key<'_>,
    value: &Value<'_>,
    place: Place,
) -> Read<Option<Attribute>> {
    let name = key.get_ref().as_ref();
    let is_extra = names.is_extra(element.tag, name);
    let known = match element.attribute(name) {
        // What leads somewhere is checked all the same.
        Some((_, spec)) if is_extra && spec.destination().is_none() => {
            Some((Cow::Owned(name.to_owned()), AttributeSpec::any()))
        }
        Some((name, spec)) => Some((Cow::Borrowed(name), spec)),
        None if is_extra => Some((Cow::Owned(name.to_owned()), AttributeSpec::any())),
        None => None,
    };
    let Some((name, spec)) = known else {
        unknown_attribute(problems, element, key);
        return Uses::default().with(None);
    };
    if let Some(status) = spec.status {
        let what = format!("`{name}` of `{}`", element.tag);
        advise_against(problems, &what, status, key.span());
    }
    let mut uses = Uses::default();
    let text = attribute_value(names, problems, element, &name, spec, value, place);
    let attribute = text
        .unpack(&mut uses)
        .map(|value| Attribute { name, spec, value });
    uses.with(attribute)
}

fn unknown_attribute(problems: &mut Problems, element: &ElementSpec, key: &Key<'_>) {
    let name = key.get_ref().as_ref();
    let known: Vec<&str> = element.attribute_names().collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) if near.eq_ignore_ascii_case(name) => {
            format!("write `{near}`: the letter case counts")
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{} has {}", element.tag, listed(&known)),
    };
    let message = format!("`{}` has no attribute `{name}`", element.tag);
    problems
        .error(&UNKNOWN_ATTRIBUTE, key.span(), message, help)
        .twilio(12200);
}

/// The value of an attribute, checked as far as it does not depend on the request.
fn attribute_value(
    names: &Names,
    problems: &mut Problems,
    element: &'static ElementSpec,
    name: &str,
    spec: &'static AttributeSpec,
    value: &Value<'_>,
    place: Place,
) -> Read<Option<Text>> {
    let mut uses = Uses::default();
    let text = match value.get_ref() {
        DeValue::String(text) => {
            let slot = Slot {
                element: element.tag,
                attribute: Some(name),
                destination: spec.destination(),
                dials: false,
                is_socket: spec.kind == ValueType::Websocket,
                place,
            };
            let read = template(names, problems, text, &value.span(), &slot);
            let Some(text) = read.unpack(&mut uses) else {
                return uses.with(None);
            };
            text
        }
        DeValue::Integer(number) if spec.takes_integers() => {
            let number = i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string());
            Text::new(vec![Piece::Literal(number)])
        }
        DeValue::Boolean(boolean) if spec.takes_booleans() => {
            Text::new(vec![Piece::Literal(boolean.to_string())])
        }
        found => {
            let wanted = spec.wanted();
            let help = match found {
                DeValue::Integer(number) if spec.takes_texts() => {
                    format!("write {name} = \"{}\"", number.as_str())
                }
                _ => format!("`{name}` takes {wanted}"),
            };
            problems.wrong_type(value, wanted, help);
            return uses.with(None);
        }
    };
    let place_of_text = format!("`{name}` of `{}`", element.tag);
    uses.check_cells(&text, Rule::Attribute(spec), value.span(), place_of_text);
    if let Some(literal) = text.literal()
        && let Err(error) = spec.check(literal)
    {
        bad_value(problems, element, name, spec, literal, &error, value.span());
    }
    uses.with(Some(text))
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
    let message = format!(
        "`{name}` of `{}` cannot be \"{literal}\": {error}",
        element.tag
    );
    let (check, help) = match error {
        ValueError::NotAmong { .. } => {
            let known = &spec.values;
            let help = match nearest(literal, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if known.len() <= 15 => format!("it is one of {}", choice(known)),
                None => format!(
                    "TwiML knows {} values, such as \"{}\"",
                    known.len(),
                    known[0]
                ),
            };
            (&BAD_VALUE, help)
        }
        ValueError::Number(_) => (&BAD_NUMBER, "write the number as +15005550006".to_owned()),
        ValueError::Url(error) => (&BAD_URL, url_help(error).to_owned()),
        ValueError::BadCharacter { .. } => (&BAD_VALUE, "take that character out".to_owned()),
        ValueError::TooLong { .. } => (&BAD_VALUE, "shorten it".to_owned()),
        ValueError::Unusual { usual } => (
            &BAD_VALUE,
            format!("write at most {usual}, or ask Twilio for more"),
        ),
        ValueError::Outdated { instead } => (&BAD_VALUE, format!("write {instead}")),
        _ => (
            &BAD_VALUE,
            format!("write such a value, or leave `{name}` out"),
        ),
    };
    if error.is_suspicion() {
        let message = match error {
            ValueError::NotAmong { .. } => format!(
                "`{name}` of `{}` is not known to be \"{literal}\"",
                element.tag
            ),
            _ => format!(
                "`{name}` of `{}` should not be \"{literal}\": {error}",
                element.tag
            ),
        };
        problems
            .warn(&UNUSUAL_VALUE, span, message, help)
            .twilio(spec.error_number());
    } else {
        let number = spec
            .error_number()
            .or(matches!(error, ValueError::Url(_)).then_some(11100));
        problems.error(check, span, message, help).twilio(number);
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
    section: &Value<'_>,
) -> Read<BTreeMap<&'static str, Vec<Attribute>>> {
    let mut uses = Uses::default();
    let mut defaults: BTreeMap<&str, Vec<Attribute>> = BTreeMap::new();
    let Some(tables) = problems.table(section, "a table of elements") else {
        return uses.with(defaults);
    };
    for (key, value) in entries(tables) {
        let name = key.get_ref().as_ref();
        let specs: Vec<(Channel, &'static ElementSpec)> = Channel::ALL
            .into_iter()
            .flat_map(|channel| {
                vocabulary::elements_named(channel, name).map(move |spec| (channel, spec))
            })
            .collect();
        let Some(first) = specs.first().copied() else {
            let elements = Channel::ALL.into_iter().flat_map(vocabulary::element_names);
            let help = match nearest(name, elements) {
                Some(near) => format!("write [defaults.{near}]"),
                None => "name an element, such as [defaults.Say]".to_owned(),
            };
            let message = format!("TwiML has no element `{name}`");
            problems.error(&UNKNOWN_ELEMENT, key.span(), message, help);
            continue;
        };
        let Some(table) = problems.table(value, "a table of attributes") else {
            continue;
        };
        let found = defaults.entry(first.1.tag).or_default();
        for (key, value) in entries(table) {
            // Some elements differ from channel to channel.
            let mut all = specs.iter().copied();
            let (channel, spec) = all
                .find(|(_, spec)| names.takes(spec, key.get_ref()))
                .unwrap_or(first);
            let place = Place {
                channel,
                owner: Owner::Defaults,
            };
            let read = attribute(names, problems, spec, key, value, place);
            found.extend(read.unpack(&mut uses));
        }
    }
    uses.with(defaults)
}

/// Gives an element the attributes of `[defaults.X]` that it does not set itself, and a Dial its caller id.
pub(super) fn add_defaults(
    names: &Names,
    problems: &mut Problems,
    element: &mut Element,
    span: &Range<usize>,
    owner: Owner,
) -> Uses {
    let mut uses = Uses::default();
    let tag = element.spec.tag;
    // A voice speaks its own languages: an element that sets one of the two does not get the other from elsewhere.
    let sets_voice =
        element.spec.is_spoken() && (element.sets("voice") || element.sets("language"));
    for default in names.defaults.get(tag).into_iter().flatten() {
        let name = &*default.name;
        let is_pair = sets_voice && matches!(name, "voice" | "language");
        if is_pair || element.sets(name) || !names.takes(element.spec, name) {
            continue;
        }
        if owner == Owner::Default && name == "action" {
            let message = format!("[defaults.{tag}] brings an `action` into [default]");
            let help = "set it where it is wanted instead: [default] must be the end";
            problems.error(&FRAGILE_DEFAULT, span.clone(), message, help);
        }
        if owner == Owner::Default && default.value.fields().next().is_some() {
            let message = format!("[defaults.{tag}] brings a template into [default]");
            let help = format!("set `{name}` here to a text without a template");
            problems.error(&FRAGILE_DEFAULT, span.clone(), message, help);
        }
        for value in default.value.fields().flat_map(Field::values) {
            if let FieldValue::Column { directory, .. } = value {
                let rows = uses.rows.entry(directory.name().to_owned());
                rows.or_insert_with(|| span.clone());
            }
        }
        element.attributes.push(default.clone());
    }
    if reaches_a_person(element)
        && !element.sets("callerId")
        && let Some((name, spec)) = element.spec.attribute("callerId")
    {
        element.attributes.push(Attribute {
            name: Cow::Borrowed(name),
            spec,
            value: Text::new(vec![Piece::OwnNumber]),
        });
    }
    uses
}

/// Whether a Dial reaches a person, who would see the caller's real number without a caller id.
fn reaches_a_person(dial: &Element) -> bool {
    dial.content.iter().any(|node| match node {
        Node::Text(_) => true,
        Node::Element(noun) => noun.spec.dials,
    })
}
