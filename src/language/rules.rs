//! The rules of TwiML and Twilio for a whole element or a whole reply: counts, lengths, order.

use std::ops::Range;

use super::dialling::check_caller_id;
use super::elements::Written;
use super::extra::ElementKind;
use super::menus::note_menu;
use super::names::{Fixed, Reader, VoiceCells};
use super::texts::FRAGILE_DEFAULT;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value};
use crate::table::remedy::choice;
use crate::table::reply::template::Piece;
use crate::table::reply::{Element, Node};
use crate::table::twiml;
use crate::twilio::vocabulary::{self, ElementSpec, Ending, RESPONSE, Status};

pub(super) static EMPTY_ELEMENT: Check = Check::new(
    "empty-element",
    "An element without the text or the children that it needs. Twilio would refuse the document or say nothing. Write the
content, or remove the element.",
    r#"voice = [ { Say = "" } ]"#,
);

pub(super) static TOO_LONG: Check = Check::new(
    "too-long",
    "A text over Twilio's limit: 1600 characters in a message, a few thousand in a `Say`, depending on its voice, 64 kB in
a document. Split it, or play a recording.",
    r#"message = [ { Message = "… two thousand characters …" } ]"#,
);

pub(super) static TOO_MANY: Check = Check::new(
    "too-many",
    "More elements than Twilio allows: 10 messages in a reply, 10 media in a message, 10 nouns in a `Dial`, or two where
only one is allowed. Remove some.",
    r#"voice = [ { Dial = [ { Conference = "a" }, { Number = "+15005550006" } ] } ]"#,
);

pub(super) static UNREACHABLE_ELEMENT: Check = Check::new(
    "unreachable-element",
    "An element that Twilio never reaches, because an earlier one ends the document or continues at its `action`. Move it
before that one, or remove it.",
    r#"voice = [ { Hangup = "" }, { Say = "Goodbye." } ]"#,
);

pub(super) static MISSING_ACTION: Check = Check::new(
    "missing-action",
    "A `Gather` or `Record` without `action`: the digits or the recording come back to the same URL without a step, where
the same route may answer again. Give it its own step.",
    r#"voice = [ { Gather = [ { Say = "Press 1." } ] } ]     # action = "?step=menu""#,
);

pub(super) static LATE_REJECT: Check = Check::new(
    "late-reject",
    "`Reject` after another verb. The verb before it has already answered the call, which is billed, so there is nothing left
to reject. Write `Reject` alone, or `Hangup` after what you say.",
    r#"voice = [ { Say = "Goodbye." }, { Reject = "" } ]"#,
);

pub(super) static MISSING_ATTRIBUTE: Check = Check::new(
    "missing-attribute",
    "An element without an attribute that it needs, such as `interpret-as` of `say-as`. Twilio refuses or ignores it. Add
the attribute.",
    r#"voice = [ { Say = [ { say-as = "1234" } ] } ]     # interpret-as = "digits""#,
);

pub(super) static VOICE_LANGUAGE: Check = Check::new(
    "voice-language",
    "A voice that does not speak the language that is set with it. Twilio may say nothing, or use a different voice. Write
the voice's own language, or choose a voice that speaks this one.",
    r#"voice = [ { Say = "Hallo.", voice = "Polly.Joanna-Neural", language = "de-DE" } ]"#,
);

pub(super) static CONFLICTING_VALUES: Check = Check::new(
    "conflicting-values",
    "Attributes, or an attribute and a child element, that are valid alone but do not work together: a `transcribeCallback`
without `transcribe = true`, a `speechModel` with `speechTimeout = \"auto\"`, SSML for a voice that does not support it.
The help line says which to change.",
    r#"voice = [ { Record = "", action = "?step=done", transcribeCallback = "https://example.com/text" } ]     # transcribe = true"#,
);

pub(super) static DEPRECATED: Check = Check::new(
    "deprecated",
    "An element or an attribute that still works, but that Twilio has deprecated or does not document. Write what the help
line says, or, for an attribute, name it in `[extra]` to keep it without the warning.",
    r#"voice = [ { Gather = [ { Say = "Yes or no?" } ], input = "speech", enhanced = true, action = "?step=said" } ]"#,
);

/// Checks the rules for a whole element.
pub(super) fn check_element(
    reader: &mut Reader<'_>,
    written: &Written<'_>,
    parent: ElementKind<'_>,
) {
    let problems = &mut *reader.problems;
    let element = &written.element;
    let (spec, tag, span) = (element.spec, &element.tag, &written.name);
    let is_blank = element.content.iter().all(|node| match node {
        Node::Text(text) => text
            .literal()
            .is_some_and(|literal| literal.trim().is_empty()),
        Node::Element(_) => false,
    });
    let may_be_empty = spec.empty_with.is_some_and(|name| element.sets(name));
    if is_blank && spec.needs_content && !may_be_empty {
        let children: Vec<&str> = spec.child_names().collect();
        let help = match spec.empty_with {
            Some(name) => format!("write {{ {tag} = \"…\" }}, or set `{name}`"),
            None if spec.text => format!("write {{ {tag} = \"…\" }}"),
            None => format!("it needs {}", choice(&children)),
        };
        let message = format!("`{tag}` is empty");
        let (number, place) = (spec.errors.first().copied(), written.content.span());
        problems.twilio_error(number, &EMPTY_ELEMENT, place, message, help);
        return;
    }
    let in_reply = spec.status_in_reply.filter(|_| parent.tag == RESPONSE);
    if let Some(status) = spec.status.or(in_reply) {
        advise_against(problems, &format!("`{tag}`"), status, span.clone());
    }
    check_reached(problems, element, span);
    check_needed(problems, element, span, parent);
    check_combinations(problems, written);
    check_counts(problems, element, span);
    check_length(problems, element, written.content);
    if spec.asks_again && !element.sets(ACTION) {
        let message = format!(
            "`{tag}` without `action` requests this same URL again, which may give the same answer"
        );
        let help = "write action = \"?step=NAME\" and a route with step = \"NAME\"";
        problems.warn(&MISSING_ACTION, span, message, help);
    }
    check_voice(reader, written);
    check_caller_id(reader, written);
    note_menu(reader, written);
}

/// The attribute that leads to another document.
pub(super) const ACTION: &str = "action";

/// The value of an attribute, if it is the same for every request.
pub(super) fn literal<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    let mut attributes = element.attributes.iter();
    let attribute = attributes.find(|attribute| attribute.name == name)?;
    attribute.value.literal()
}

fn children(element: &Element) -> impl Iterator<Item = &Element> {
    element.content.iter().filter_map(|node| match node {
        Node::Element(child) => Some(child),
        Node::Text(_) => None,
    })
}

/// Reports combinations of attributes and children that the vocabulary advises against.
fn check_combinations(problems: &mut Problems, written: &Written<'_>) {
    let element = &written.element;
    for combination in &element.spec.combinations {
        let has_child = |wanted: &&str| children(element).any(|child| child.tag == *wanted);
        let has_children = match combination.children.as_slice() {
            [] => true,
            some => some.iter().any(has_child),
        };
        let is_meant = combination.is_found(|name| {
            let (attribute, _) = written.attribute(name)?;
            // What goes with a name in `[extra]` is unknown.
            (!attribute.spec.takes_anything).then(|| attribute.value.literal())
        });
        if !has_children || !is_meant {
            continue;
        }
        let place = combination
            .attributes()
            .find_map(|name| written.attribute(name));
        let place = place.map_or(&written.name, |(_, place)| place);
        let (check, message) = (&CONFLICTING_VALUES, combination.why);
        let diagnostic = if combination.is_error {
            problems.error(check, place, message, combination.help)
        } else {
            problems.warn(check, place, message, combination.help)
        };
        diagnostic.error_number = combination.error;
    }
}

/// Warns about an element or an attribute that works but that Twilio advises against.
pub(super) fn advise_against(
    problems: &mut Problems,
    what: &str,
    status: Status,
    span: Range<usize>,
) {
    let message = format!("{what} is {}: {}", status.is, status.why);
    let help = match status.instead {
        Some(instead) => format!("use {instead}"),
        None => "leave it out".to_owned(),
    };
    problems.warn(&DEPRECATED, span, message, help);
}

/// Reports a noun of Dial that has only children, none of which names whom to reach.
fn check_reached(problems: &mut Problems, element: &Element, span: &Range<usize>) {
    let spec = element.spec;
    let Some(main) = spec.main_child.filter(|_| spec.destination.is_some()) else {
        return;
    };
    let mut nodes = element.content.iter();
    let has_text = nodes.any(|node| matches!(node, Node::Text(_)));
    if !has_text && children(element).all(|child| child.tag != main) {
        let message = format!("`{}` does not reach anyone", element.tag);
        let help = format!("write {{ {main} = \"…\" }} among its children");
        let number = spec.errors.first().copied();
        problems.twilio_error(number, &EMPTY_ELEMENT, span, message, help);
    }
}

/// Reports missing attributes without which an element is meaningless.
fn check_needed(
    problems: &mut Problems,
    element: &Element,
    span: &Range<usize>,
    parent: ElementKind<'_>,
) {
    let attributes = element.spec.attributes.iter();
    for (name, spec) in attributes.filter(|(_, spec)| spec.required) {
        let can_do_without = spec.optional_in == Some(parent.tag)
            || spec.required_unless.is_some_and(|name| element.sets(name));
        if !can_do_without && !element.sets(name) {
            let message = format!("`{}` has no `{name}`", element.tag);
            let help = format!("write {name} = \"…\" in it");
            problems.twilio_error(12200, &MISSING_ATTRIBUTE, span, message, help);
        }
    }
}

/// Reports a voice with a language that it does not speak: the verb may fail.
fn check_voice(reader: &mut Reader<'_>, written: &Written<'_>) {
    let (voice, language) = (written.attribute("voice"), written.attribute("language"));
    let (Some((voice, _)), Some((language, place))) = (voice, language) else {
        return;
    };
    if written.element.spec.spoken_max.is_none()
        || voice.spec.takes_anything
        || language.spec.takes_anything
    {
        return;
    }
    if let (Some(voice), Some(language)) = (voice.value.literal(), language.value.literal()) {
        if let Some((message, help)) = voice_mismatch(voice, language) {
            reader.problems.warn(&VOICE_LANGUAGE, place, message, help);
        }
        return;
    }
    let [voice, language] = [voice, language].map(|one| Fixed::of(&one.value));
    if let (Some(voice), Some(language)) = (voice, language) {
        let span = place.clone();
        reader.uses.voices.push(VoiceCells {
            voice,
            language,
            span,
        });
    }
}

/// What is wrong with combining a voice and a language, and what to do; `None` when no problem is known.
pub(super) fn voice_mismatch(voice: &str, language: &str) -> Option<(String, String)> {
    let languages = vocabulary::voice_languages(voice);
    let without_region = language.split('-').next().unwrap_or_default();
    let speaks = |known: &&str| {
        known.eq_ignore_ascii_case(language) || known.eq_ignore_ascii_case(without_region)
    };
    let spoken = languages.first()?;
    (!languages.iter().any(speaks)).then(|| {
        let message = format!("the voice \"{voice}\" does not speak \"{language}\"");
        let help = format!("write language = \"{spoken}\", or choose another voice");
        (message, help)
    })
}

fn check_counts(problems: &mut Problems, element: &Element, span: &Range<usize>) {
    let tag = &element.tag;
    let mut too_many = |what: String, help: String, number: Option<u32>| {
        let message = format!("{what} in one `{tag}`");
        problems.twilio_error(number, &TOO_MANY, span, message, help);
    };
    let children: Vec<&Element> = children(element).collect();
    if let Some(child) = children.iter().find(|child| child.spec.alone)
        && children.len() > 1
    {
        let what = format!("`{}` and another noun", child.tag);
        let help = format!("with such a noun, a {tag} can have no other");
        return too_many(what, help, child.spec.alone_error);
    }
    let most = element.spec.most_children;
    if most.is_some_and(|most| children.len() > most) {
        let what = format!("{} elements", children.len());
        return too_many(what, at_most(most), None);
    }
    for (child, count, _) in over_limit(&children) {
        let what = format!("{count} `{}`", child.tag);
        too_many(what, at_most(child.spec.most), child.spec.most_error);
    }
}

/// The kinds of elements that exceed their limit in one place: an element of each kind, their number, and the position
/// of the first one over the limit.
fn over_limit<'e>(elements: &[&'e Element]) -> Vec<(&'e Element, usize, usize)> {
    let mut over = Vec::new();
    for (position, one) in elements.iter().enumerate() {
        let same = |some: &[&Element]| some.iter().filter(|other| other.tag == one.tag).count();
        let before = &elements[..position];
        if one.spec.most.is_some_and(|most| same(before) == most) {
            over.push((*one, same(elements), position));
        }
    }
    over
}

fn at_most(most: Option<usize>) -> String {
    match most {
        Some(most) if most > 1 => format!("write at most {most}"),
        _ => "write only one".to_owned(),
    }
}

/// Reports a text that is too long for any request.
fn check_length(problems: &mut Problems, element: &Element, content: &Value<'_>) {
    let spec = element.spec;
    let tag = &element.tag;
    let length: usize = element.content.iter().map(literal_length).sum();
    let Some(max) = spec.text_max(None) else {
        return;
    };
    let (message, help) = if spec.cut && twiml::is_too_long(element) {
        let help = match spec.spoken_max {
            Some(_) => format!(
                "split it over several {tag} elements; a character that is not ASCII counts three times or more"
            ),
            None => format!("split it over several messages: one has at most {max} characters"),
        };
        let message =
            format!("this text of {length} characters is longer than Twilio allows in one `{tag}`");
        (message, help)
    } else if !spec.cut && length > max {
        let message = format!("the text of `{tag}` has {length} characters, more than {max}");
        (message, "shorten it".to_owned())
    } else {
        return;
    };
    let (number, place) = (spec.errors.last().copied(), content.span());
    problems.twilio_error(number, &TOO_LONG, place, message, help);
}

/// The number of characters that a text has in every request.
fn literal_length(node: &Node) -> usize {
    let Node::Text(text) = node else { return 0 };
    let literals = text.pieces().iter().map(|piece| match piece {
        Piece::Literal(text) => text.chars().count(),
        _ => 0,
    });
    literals.sum()
}

/// Checks the order and the number of verbs.
pub(super) fn check_flow(problems: &mut Problems, verbs: &[Written<'_>]) {
    for (verb, next) in verbs.iter().zip(verbs.iter().skip(1)) {
        check_order(problems, &verb.element, next);
    }
    // A Pause before Reject only delays; any other verb before it answers the call.
    let is_pause = |verb: &&Written<'_>| verb.element.tag == "Pause";
    let mut answering = verbs.iter().skip_while(is_pause).skip(1);
    if let Some(reject) = answering.find(|verb| verb.element.tag == "Reject") {
        let help = "write Reject alone, or Hangup after what you say";
        let message = "the verb before `Reject` has already answered the call";
        problems.warn(&LATE_REJECT, &reject.name, message, help);
    }
    let elements: Vec<&Element> = verbs.iter().map(|verb| &verb.element).collect();
    for (element, count, position) in over_limit(&elements) {
        let message = format!("{count} `{}` in one reply", element.tag);
        let (place, help) = (&verbs[position].name, at_most(element.spec.most));
        problems.twilio_error(element.spec.most_error, &TOO_MANY, place, message, help);
    }
}

/// Reports a verb after one that ends the document.
fn check_order(problems: &mut Problems, verb: &Element, next: &Written<'_>) {
    let (tag, span, next) = (&verb.tag, &next.name, &next.element.tag);
    let has_action = verb.sets(ACTION);
    let why = match verb.spec.ends {
        Some(Ending::Always) => format!("`{tag}` ends the document"),
        Some(Ending::Action) if has_action => format!("`{tag}` continues at its `action`"),
        Some(Ending::ActionOnEmptyResult)
            if literal(verb, "actionOnEmptyResult") == Some("true") =>
        {
            format!("this `{tag}` always continues at its `action`")
        }
        Some(Ending::Perhaps) if has_action => {
            let message = format!("`{next}` may not be reached: this `{tag}` has an `action`");
            let help = "write it before that message, or set statusCallback instead of action";
            problems.warn(&UNREACHABLE_ELEMENT, span, message, help);
            return;
        }
        _ => return,
    };
    let message = format!("`{next}` is never reached: {why}");
    let help = format!("move it before `{tag}`, or remove it");
    problems.error(&UNREACHABLE_ELEMENT, span, message, help);
}

/// `[default]` must never fail: it may have no template, and nothing that leads back to the service.
pub(super) fn check_default_verb(
    problems: &mut Problems,
    spec: &ElementSpec,
    entries: &[(&Key<'_>, &Value<'_>)],
    span: &Range<usize>,
) {
    let help = "write it in a route without `when`";
    if spec.leads_on {
        let tag = spec.tag;
        let message =
            format!("`{tag}` leads on to another request, but nothing may follow [default]");
        problems.error(&FRAGILE_DEFAULT, span, message, help);
        return;
    }
    for (key, _) in entries.iter().filter(|(key, _)| key.get_ref() == ACTION) {
        let message = "`action` leads on to another request, but nothing may follow [default]";
        problems.error(&FRAGILE_DEFAULT, key.span(), message, help);
    }
}
