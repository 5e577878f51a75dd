//! Braces, tags and entities of other languages in texts for people: they would be spoken or sent literally.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::Names;
use super::texts::{Slot, place_in};
use crate::table::diagnostic::Check;
use crate::table::problems::Problems;
use crate::table::remedy::Remedy;
use crate::table::reply::template::Text;
use crate::table::twiml::unescaped;
use crate::twilio::channel::Channel;
use crate::twilio::{parameters, vocabulary};

pub(super) static STRAY_MARKUP: Check = Check::new(
    "stray-markup",
    "Single braces, a tag or an entity inside a text, or the ellipsis of an example. They have no meaning there: callers would
hear them, and readers would see them, literally. A template has two braces, an SSML tag is an element, and `&` is written
as it is.",
    r#"voice = [ { Say = "Hello { CallerCity }, this is <b>Acme &amp; Sons</b>." } ]"#,
);

/// The element that may contain SSML.
const SAY: &str = "Say";

/// Matches `{ Name }` or `${Name}`, perhaps with a filter.
static BRACES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$?\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(\|[^{}]*)?\}").expect("it is tested")
});

/// Matches `<b>`, `</b>` or `<br/>`.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"</?([A-Za-z][A-Za-z0-9:-]*)(\s[^<>]*)?/?>").expect("it is tested")
});

/// Matches `&amp;` or `&#39;`.
static ENTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"&(amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});").expect("it is tested")
});

/// Reports parts of a text that were meant as markup but would come out literally.
pub(super) fn check(names: &Names, problems: &mut Problems, text: &str, slot: &Slot<'_>) {
    let is_told = slot.attribute.is_none() && slot.destination.is_none();
    if matches!(text.trim(), "…" | "...") && is_told
        || slot.destination.is_some() && text.contains('…')
    {
        let message = format!("\"{text}\" still has the ellipsis of an example");
        let help = "replace it with your own text";
        problems.warn(&STRAY_MARKUP, &slot.span, message, help);
    }
    // A fast path: most texts have none of these.
    if !text.contains(['{', '<', '&']) {
        return;
    }
    let outside = Text::outside_of_fields(text).unwrap_or_default();
    let found = |pattern: &Regex| {
        outside.iter().find_map(|range| {
            let captures = pattern.captures(&text[range.clone()])?;
            let whole = captures.get(0)?;
            let place = range.start + whole.start()..range.start + whole.end();
            Some(Found {
                text: whole.as_str().to_owned(),
                name: captures
                    .get(1)
                    .map_or_else(String::new, |name| name.as_str().to_owned()),
                filter: filter(&captures),
                place,
            })
        })
    };
    if slot.destination.is_none()
        && let Some(found) = found(&BRACES)
    {
        braces(names, problems, text, slot, &found);
    }
    if is_told && let Some(found) = found(&TAG) {
        let message = format!(
            "`{}` is not a tag here: it is spoken or sent as it is",
            found.text
        );
        let say = vocabulary::elements_named(Channel::Voice, SAY).next();
        let tag = say.and_then(|say| vocabulary::child_of(Channel::Voice, say, &found.name));
        let help = match tag.filter(|_| slot.takes_ssml) {
            Some(tag) => {
                let (name, text) = (tag.tag, if tag.text { "…" } else { "" });
                format!("write it as an element: [ \"…\", {{ {name} = \"{text}\" }}, \"…\" ]")
            }
            None => "remove it: texts cannot contain markup".to_owned(),
        };
        let span = place_in(problems, slot, text, &found.place);
        problems.warn(&STRAY_MARKUP, span, message, help);
    }
    if let Some(found) = found(&ENTITY) {
        let meant = unescaped(&found.text);
        let message = format!("`{}` is escaped again and comes out literally", found.text);
        let help = format!("write `{meant}`");
        let place = place_in(problems, slot, text, &found.place);
        // A quote or a control character would need a TOML escape.
        let is_plain = matches!(&*meant, "&" | "<" | ">");
        let remedy = if is_plain {
            Remedy::source(help, meant)
        } else {
            help.into()
        };
        problems.warn(&STRAY_MARKUP, place, message, remedy);
    }
}

/// Markup in a text.
struct Found {
    text: String,
    /// The name in it.
    name: String,
    /// The filter after the name.
    filter: String,
    place: Range<usize>,
}

fn filter(captures: &Captures<'_>) -> String {
    let filter = captures.get(2).map_or("", |filter| filter.as_str().trim());
    if filter.is_empty() {
        String::new()
    } else {
        format!(" {filter}")
    }
}

fn braces(names: &Names, problems: &mut Problems, text: &str, slot: &Slot<'_>, found: &Found) {
    let name = &found.name;
    let is_column = name.split_once('.').is_some_and(|(directory, column)| {
        let directory = names.directories.get(directory).and_then(Option::as_ref);
        directory.is_some_and(|file| file.directory.column(column).is_some())
    });
    let is_name =
        is_column || names.own_parameters.contains(name) || parameters::check_name(name).is_none();
    let template = format!("{{{{ {name}{} }}}}", found.filter);
    let message = format!(
        "`{}` is not a template: it is spoken or sent as it is",
        found.text
    );
    let remedy = if is_name {
        Remedy::write("", template)
    } else {
        "a template has two braces and the name of a parameter: {{ CallerCity }}".into()
    };
    let place = place_in(problems, slot, text, &found.place);
    problems.warn(&STRAY_MARKUP, place, message, remedy);
}
