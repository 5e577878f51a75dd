//! Texts in a reply: their templates, and which values may be a destination. A stranger must not choose whom we pay to
//! reach, and neither party may learn the other's real number.

use std::ops::Range;

use super::directory_file::unknown_column;
use super::names::{CellCheck, Owner, Reader, Rule, Uses, check_session};
use super::{stray_markup, urls};
use crate::table::diagnostic::Check;
use crate::table::problems::{Place, Problems};
use crate::table::remedy::{Remedy, did_you_mean, listed};
use crate::table::reply::template::{
    FILTERS, Field, FieldValue, Piece, TemplateError, TemplateErrorKind, Text,
};
use crate::twilio::parameters;
use crate::twilio::twiml_value::check_url;
use crate::twilio::vocabulary::{Destination, ValueType};

pub(super) static FRAGILE_DEFAULT: Check = Check::new(
    "fragile-default",
    "`[default]` contains something that can fail or leads to another request: a template, `Redirect`, `Gather`, `Record`,
`Enqueue`, `action`. It is the answer when everything else fails, so it must not depend on anything. Write this in a last
route without `when` instead.",
    r#"[default]
voice = [ { Say = "Hello {{ Caller }}" } ]"#,
);

pub(super) static BAD_TEMPLATE: Check = Check::new(
    "bad-template",
    r#"A `{{ … }}` that cannot be read: no closing `}}`, nothing between the braces, a filter that does not exist. The
filters are `default`, `lower`, `spell` and `upper`; two braces as text are `{{ "{{" }}`."#,
    r#"voice = [ { Say = "Hello {{ CallerCity | title }}" } ]"#,
);

pub(super) static BAD_URL: Check = Check::new(
    "bad-url",
    "A URL that Twilio could not use. Write an absolute URL with `https` or `http` (`wss` where TwiML opens a socket), or
one that begins with `?` or `/`, which is completed from the URL that Twilio requested.",
    r#"voice = [ { Play = "music.mp3" } ]     # "https://example.com/music.mp3""#,
);

pub(super) static OPEN_DESTINATION: Check = Check::new(
    "open-destination",
    "A stranger would choose what is dialled, messaged or fetched, at your expense or against your servers. Write it out, or
take it from a directory. After the `?` of a URL, any parameter is allowed. A whole `Media` or `Play` can be
`{{ MediaUrl0 }}` to `{{ MediaUrl9 }}` or `{{ RecordingUrl }}`: only URLs at Twilio are passed on.",
    r#"voice = [ { Dial = "{{ Digits }}" } ]"#,
);

pub(super) static CALLER_DESTINATION: Check = Check::new(
    "caller-destination",
    "The caller's own number decides whom this reaches, at your expense, and premium-rate numbers can call too. If that is
what you want, for example to call back, make sure that only callers you know reach this route.",
    r#"voice = [ { Dial = "{{ Caller }}" } ]"#,
);

pub(super) static PRIVATE_NUMBER: Check = Check::new(
    "private-number",
    "The other party's real number or name is used where somebody could hear or read it. It may only be dialled or put into
a new session, and only by a route with `private = true`.",
    r#"voice = [ { Say = "Call {{ outboundParticipantIdentifier }}." } ]"#,
);

pub(super) static SHOWN_CALLER: Check = Check::new(
    "shown-caller",
    "The other party sees the caller's real number, as the number that a call or a text comes from or in a text that is
passed on. Leave out `callerId` and `from` to show your own number instead, as masked numbers are meant to.",
    r#"voice = [ { Dial = "+15005550006", callerId = "{{ Caller }}" } ]"#,
);

/// The field with the real number of the second party, which Proxy calls. Without it there is no session.
pub(super) const PARTICIPANT: &str = "participantIdentifier";

/// What a text is for.
pub(super) struct Slot<'s> {
    /// The element that contains it.
    pub element: &'s str,
    /// Its attribute; `None` for the element's text.
    pub attribute: Option<&'s str>,
    /// Where it leads, if anywhere.
    pub destination: Option<Destination>,
    /// What its value must be, if anything.
    pub rule: Option<Rule>,
    /// Whether it is what a Dial reaches.
    pub dials: bool,
    /// Whether SSML tags are allowed next to it.
    pub takes_ssml: bool,
    /// Whether it may be the URL of a recording or a picture that the request brings.
    pub relays: bool,
    pub span: Range<usize>,
}

impl Slot<'_> {
    /// Its name, for use in a message.
    pub(super) fn name(&self) -> String {
        match self.attribute {
            Some(attribute) => format!("`{attribute}` of `{}`", self.element),
            None => format!("`{}`", self.element),
        }
    }
}

/// Reads a text and checks everything that does not depend on the request; `None` when it cannot be read.
pub(super) fn template(reader: &mut Reader<'_>, text: &str, slot: &Slot<'_>) -> Option<Text> {
    let mut parsed = match Text::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            bad_template(reader.problems, text, &error, slot);
            return None;
        }
    };
    if reader.owner == Owner::Default && parsed.fields().next().is_some() {
        let help = "write it in a route without `when`: [default] must not depend on the request";
        let message = "a template in [default], which must never fail";
        let problems = &mut *reader.problems;
        problems.error(&FRAGILE_DEFAULT, &slot.span, message, help);
    }
    let is_right = resolve_columns(reader, &mut parsed, &slot.span);
    use_columns(&mut reader.uses, &parsed, slot);
    if !is_right {
        return None;
    }
    for name in parsed.fields().flat_map(Field::parameters) {
        check_parameter(reader, name, &slot.span);
        check_private(reader, name, slot);
    }
    stray_markup::check(reader.names, reader.problems, text, slot);
    match slot.destination {
        Some(Destination::Url) => url(reader, &mut parsed, text, slot),
        Some(destination) => check_destination(reader.problems, &parsed, destination, slot),
        None => {}
    }
    let rule = slot.rule.filter(|rule| !rule.takes_anything());
    if let Some(rule) = rule
        && let Some((directory, column)) = parsed.plain_column()
    {
        reader.uses.cells.push(CellCheck {
            directory: directory.name().to_owned(),
            column,
            rule,
            is_required: slot.attribute == Some(PARTICIPANT),
            place: slot.name(),
            span: slot.span.clone(),
        });
    }
    Some(parsed)
}

fn bad_template(problems: &mut Problems, text: &str, error: &TemplateError, slot: &Slot<'_>) {
    let remedy: Remedy = match &error.kind {
        TemplateErrorKind::UnknownFilter(name) => did_you_mean(
            '`',
            name,
            FILTERS,
            format!("the filters are {}", listed(&FILTERS)),
        ),
        TemplateErrorKind::Unclosed => "close it with }}; for two braces write {{ \"{{\" }}".into(),
        TemplateErrorKind::DefaultWithout => {
            "write default(\"a text\") or default(Parameter)".into()
        }
        _ => "write {{ Name }} or {{ Name | filter }}".into(),
    };
    let place = place_in(problems, slot, text, &error.span);
    let number = (slot.destination == Some(Destination::Url)).then_some(11300);
    problems.twilio_error(number, &BAD_TEMPLATE, place, error.kind.to_string(), remedy);
}

/// The place of a part of a text in the file, when the text is there letter for letter; else that of the whole text.
pub(super) fn place_in(
    problems: &Problems,
    slot: &Slot<'_>,
    text: &str,
    part: &Range<usize>,
) -> Place {
    match problems.source(slot.span.clone()).find(text) {
        Some(offset) => {
            let start = slot.span.start + offset;
            (start + part.start..start + part.end).into()
        }
        None => Place::wide(&slot.span),
    }
}

/// Replaces the dotted names in a text with the columns that they name; `false` when one does not name a column, which is
/// reported.
fn resolve_columns(reader: &mut Reader<'_>, text: &mut Text, span: &Range<usize>) -> bool {
    let names = reader.names;
    let mut is_right = true;
    for value in text.values_mut() {
        let FieldValue::Parameter(name) = value else {
            continue;
        };
        let Some((first, column)) = name.split_once('.') else {
            continue;
        };
        match names.directories.get(first) {
            Some(Some(file)) => {
                let directory = file.directory.clone();
                if let Some(column) = directory.column(column) {
                    *value = FieldValue::Column { directory, column };
                    continue;
                }
                let place = reader.problems.within(span, name).last(column.len());
                unknown_column(reader.problems, &directory, column, place);
            }
            // The directory's errors have already been reported.
            Some(None) => {}
            None if parameters::is_json(first) || names.own_parameters.contains(&**name) => {
                continue;
            }
            None => {
                let place = reader.problems.within(span, name).first(first.len());
                names.unknown_directory(reader.problems, first, place);
            }
        }
        is_right = false;
    }
    is_right
}

/// Notes the columns in a text, and whether they are dialled or revealed.
fn use_columns(uses: &mut Uses, text: &Text, slot: &Slot<'_>) {
    let is_told = match slot.destination {
        None => slot.attribute.is_none(),
        // The other party sees it.
        Some(destination) => matches!(destination, Destination::Caller | Destination::Sender),
    };
    let is_dialled = matches!(
        slot.destination,
        Some(Destination::Number | Destination::Sip | Destination::Name | Destination::Address)
    );
    for value in text.fields().flat_map(Field::values) {
        let FieldValue::Column { directory, column } = value else {
            continue;
        };
        let name = directory.name().to_owned();
        let place = uses.rows.entry(name.clone());
        place.or_insert_with(|| slot.span.clone());
        if directory.key_columns() == [*column] {
            uses.cells.push(CellCheck {
                directory: name.clone(),
                column: *column,
                rule: Rule::WholeKey,
                is_required: false,
                place: slot.name(),
                span: slot.span.clone(),
            });
        }
        if is_told {
            uses.told.push((name, *column, slot.span.clone()));
        } else if is_dialled {
            uses.dialled.insert((name, *column));
        }
    }
}

/// Reports a parameter in a template that is always empty or that no webhook sends.
fn check_parameter(reader: &mut Reader<'_>, name: &str, span: &Range<usize>) {
    let names = reader.names;
    let place = reader.problems.within(span, name);
    names.check_parameter(reader.problems, name, place, "is always empty");
    check_session(reader, name, span, "use it in the reply that leads here");
}

/// The other party's real number may be used only where it is dialled, in a route that says `private = true` or in a
/// `[reply.NAME]`, which then only such a route may name.
fn check_private(reader: &mut Reader<'_>, name: &str, slot: &Slot<'_>) {
    if !parameters::get(name).private {
        return;
    }
    let is_dialled = name == "outboundParticipantIdentifier"
        && matches!(slot.attribute, None | Some(PARTICIPANT))
        && slot.destination == Some(Destination::Number);
    let (message, help) = match reader.owner {
        Owner::Reply if is_dialled => {
            reader.uses.needs_private = true;
            return;
        }
        Owner::Route { private: true, .. } if is_dialled => return,
        Owner::Route { private: false, .. } if is_dialled => (
            format!("`{name}` is the other party's real number"),
            "to allow that, add private = true to the route",
        ),
        _ => (
            format!("`{name}` would reveal to one party who the other one is"),
            "remove it: only Dial and participantIdentifier, in a route with private = true, may use \
             outboundParticipantIdentifier",
        ),
    };
    let problems = &mut *reader.problems;
    problems.error(&PRIVATE_NUMBER, &slot.span, message, help);
}

/// The parameters that decide where a text leads, except those that [`check_private`] checks. After the `?` of a URL,
/// parameters no longer decide.
fn deciding(text: &Text, destination: Destination) -> impl Iterator<Item = &str> {
    let has_query = matches!(destination, Destination::Url | Destination::Sip);
    let mut in_query = false;
    let fields = text.pieces().iter().filter_map(move |piece| match piece {
        Piece::Literal(literal) => {
            in_query |= has_query && literal.contains('?');
            in_query &= !literal.contains('#');
            None
        }
        Piece::Field(field) if !in_query => Some(field),
        _ => None,
    });
    let names = fields.flat_map(Field::parameters);
    names.filter(|name| !parameters::get(name).private)
}

/// Checks what a destination other than a URL is made of: a stranger must not choose whom we pay to reach.
fn check_destination(
    problems: &mut Problems,
    text: &Text,
    destination: Destination,
    slot: &Slot<'_>,
) {
    for name in deciding(text, destination) {
        let is_caller = matches!(name, "Caller" | "From");
        match destination {
            Destination::Sender | Destination::Caller | Destination::Room
                if is_own_number(name) => {}
            Destination::Room if name == "CallSid" => {}
            Destination::Caller if is_caller => {
                let message = "the party that is dialled sees the caller's real number";
                let help = "leave out callerId to show your own number";
                problems.warn(&SHOWN_CALLER, &slot.span, message, help);
            }
            _ if is_caller && (slot.dials || destination == Destination::Address) => {
                let message = format!("`{name}` decides whom this reaches, at your expense");
                let help = "make sure that only callers you know reach this route";
                problems.warn(&CALLER_DESTINATION, &slot.span, message, help);
            }
            _ => open_destination(problems, name, slot),
        }
    }
}

fn is_own_number(parameter: &str) -> bool {
    matches!(parameter, "Called" | "To")
}

fn open_destination(problems: &mut Problems, name: &str, slot: &Slot<'_>) {
    let place = slot.name();
    let message = if !is_own_number(name) {
        format!("`{name}` would let a stranger choose where {place} leads")
    } else if slot.dials && slot.destination == Some(Destination::Number) {
        format!("`{name}` is the number that was called: {place} would dial it again")
    } else {
        format!("`{name}` comes with the request, but no request may decide where {place} leads")
    };
    let help = match slot.destination {
        Some(Destination::Url) if slot.relays && parameters::get(name).relayed => {
            "write {{ NAME }} alone, without a filter or other text"
        }
        Some(Destination::Url) => "write the URL out; parameters are allowed after its `?`",
        Some(Destination::Sender | Destination::Caller) => {
            "write the number out, or use {{ Called }}"
        }
        Some(Destination::Room) => "write the name out, or use {{ Called }} or {{ CallSid }}",
        _ => "write it out, or take it from a directory",
    }
    .replace("NAME", name);
    problems.error(&OPEN_DESTINATION, &slot.span, message, help);
}

/// Checks a URL, records the step that it leads to, and completes it if it begins with `?` or `/`.
fn url(reader: &mut Reader<'_>, text: &mut Text, raw: &str, slot: &Slot<'_>) {
    let is_relayed = |name: &&str| slot.relays && parameters::get(name).relayed;
    if let Some(name) = text.plain_parameter().filter(is_relayed) {
        *text = Text::new(vec![Piece::Relayed(name.to_owned())]);
        return;
    }
    let deciding: Vec<String> = deciding(text, Destination::Url)
        .map(str::to_owned)
        .collect();
    for name in &deciding {
        open_destination(reader.problems, name, slot);
    }
    if !deciding.is_empty() {
        return;
    }
    let pieces = text.pieces().iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.as_str(),
        _ => FILLED,
    });
    let url: String = pieces.collect();
    urls::check(reader, raw, &url, slot);
    let base = if raw.starts_with('?') {
        text.prepend(Piece::PageUrl);
        "https://self.invalid"
    } else if raw.starts_with('/') && !raw.starts_with("//") {
        text.prepend(Piece::Origin);
        "https://self.invalid"
    } else {
        ""
    };
    if text.literal().is_some() || text.plain_column().is_some() {
        // A literal is checked with the other values of its element, and a column row by row.
        return;
    }
    let sample = base.to_owned() + &url.replace(FILLED, "x");
    let (is_socket, takes_anything) = match slot.rule {
        Some(Rule::Attribute(spec)) => (spec.kind == ValueType::Websocket, spec.takes_anything),
        _ => (false, false),
    };
    if let Err(error) = check_url(&sample, is_socket)
        && !takes_anything
    {
        let help = "write an absolute URL, or one that begins with ? or /";
        let message = format!("Twilio cannot use this URL: {error}");
        let problems = &mut *reader.problems;
        problems.twilio_error(11100, &BAD_URL, &slot.span, message, help);
    }
}

/// Stands for a field that the request fills in. No URL contains this character.
pub(super) const FILLED: &str = "\u{0}";
