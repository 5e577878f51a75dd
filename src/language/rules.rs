//! What TwiML and Twilio ask of a whole element and of a whole reply: counts, lengths, order.

use std::ops::Range;

use super::texts::FRAGILE_DEFAULT;
use super::uses::Place;
use super::voices;
use crate::table::diagnostic::Check;
use crate::table::problems::{Key, Problems, Value, choice};
use crate::table::reply::template::Piece;
use crate::table::reply::{Element, Node};
use crate::table::twiml;
use crate::twilio::types::Channel;
use crate::twilio::vocabulary::ElementSpec;

pub(super) static EMPTY_ELEMENT: Check = Check::new(
    "empty-element",
    r#"An element without the text or the children that it needs; Twilio would refuse the document or say nothing. Write its
content, or take it out.

```toml
voice = [ { Say = "" } ]
```
"#,
);

pub(super) static TOO_LONG: Check = Check::new(
    "too-long",
    r#"A text over Twilio's limit: 1600 characters in a message, a few thousand in a `Say`, depending on its voice, 64 kB in
a document. Split it, or play a recording.

```toml
message = [ { Message = "… two thousand characters …" } ]
```
"#,
);

pub(super) static TOO_MANY: Check = Check::new(
    "too-many",
    r#"More elements than Twilio takes: 10 messages in a reply, 10 media in a message, 10 nouns in a `Dial`, or two where
only one may be. Take some out.

```toml
voice = [ { Dial = [ { Conference = "a" }, { Number = "+15005550006" } ] } ]
```
"#,
);

pub(super) static UNREACHABLE_ELEMENT: Check = Check::new(
    "unreachable-element",
    r#"An element that Twilio never reaches, because an earlier one ends the document or continues at its `action`. Move it
before that one, or remove it.

```toml
voice = [ { Hangup = "" }, { Say = "Goodbye." } ]
```
"#,
);

pub(super) static MISSING_ACTION: Check = Check::new(
    "missing-action",
    r#"A `Gather` or `Record` without `action`: the digits or the recording come back to the same URL without a step, where
the same route may answer again. Give it a step of its own.

```toml
voice = [ { Gather = [ { Say = "Press 1." } ] } ]     # action = "?step=menu"
```
"#,
);

pub(super) static LATE_REJECT: Check = Check::new(
    "late-reject",
    r#"`Reject` after another verb. The verb before it has answered the call, which is billed, and then there is nothing to
reject. Write `Reject` alone, or `Hangup` after what you say.

```toml
voice = [ { Say = "Goodbye." }, { Reject = "" } ]
```
"#,
);

pub(super) static MISSING_ATTRIBUTE: Check = Check::new(
    "missing-attribute",
    r#"An element without an attribute that it needs, such as `interpret-as` of `say-as`. Twilio refuses or ignores it. Add
the attribute.

```toml
voice = [ { Say = [ { say-as = "1234" } ] } ]     # interpret-as = "digits"
```
"#,
);

pub(super) static VOICE_LANGUAGE: Check = Check::new(
    "voice-language",
    r#"A voice that does not speak the language that is set with it. Twilio says nothing, or uses another voice. Write the
voice's own language, or choose a voice that speaks this one.

```toml
voice = [ { Say = "Hallo.", voice = "Polly.Joanna-Neural", language = "de-DE" } ]
```
"#,
);

/// The rules that look at a whole element.
pub(super) fn check_element(
    problems: &mut Problems,
    element: &Element,
    span: &Range<usize>,
    content: &Value<'_>,
    parent: &ElementSpec,
) {
    let tag = element.spec.tag;
    let sets = |name: &str| {
        element
            .attributes
            .iter()
            .any(|attribute| attribute.name == name)
    };
    let is_blank = element.content.iter().all(|node| match node {
        Node::Text(text) => text
            .literal()
            .is_some_and(|literal| literal.trim().is_empty()),
        Node::Element(_) => false,
    });
    let needs_content = match tag {
        "Say" | "Dial" | "Client" | "Sip" | "Uri" | "Application" | "Message" | "Refer"
        | "Headers" | "Connect" | "Start" | "Stop" => true,
        "Play" => !sets("digits"),
        "Enqueue" => !sets("workflowSid"),
        _ => element.spec.text_required,
    };
    if is_blank && needs_content {
        let children: Vec<&str> = element.spec.child_names().collect();
        let help = match tag {
            "Play" => "write the URL of the audio, or set `digits`".to_owned(),
            "Say" => "write what is to be said".to_owned(),
            _ if element.spec.text => format!("write {{ {tag} = \"…\" }}"),
            _ => format!("it needs {}", choice(&children)),
        };
        let number = element.spec.error_number().or(match tag {
            "Dial" => Some(13223),
            "Play" => Some(11100),
            _ => None,
        });
        let message = format!("`{tag}` is empty");
        problems
            .error(&EMPTY_ELEMENT, content.span(), message, help)
            .twilio(number);
        return;
    }
    check_reached(problems, element, span);
    check_needed(problems, element, span, parent);
    check_voice(problems, element, span);
    check_counts(problems, element, span);
    if is_spoken_or_sent(tag) && twiml::is_too_long(element) {
        let (help, number) = match tag {
            "Say" => (
                "part it into several Say elements; what is not ASCII counts threefold and more",
                13521,
            ),
            _ => (
                "part it into several messages: one has at most 1600 characters",
                14103,
            ),
        };
        let length: usize = element.content.iter().map(literal_length).sum();
        let message =
            format!("this text of {length} characters is longer than Twilio takes in one `{tag}`");
        problems
            .error(&TOO_LONG, content.span(), message, help)
            .twilio(number);
    } else if let Some(max) = element.spec.text_max.filter(|_| !is_spoken_or_sent(tag)) {
        let length: usize = element.content.iter().map(literal_length).sum();
        if length > max {
            let message = format!("the text of `{tag}` has {length} characters, more than {max}");
            let help = "shorten it".to_owned();
            problems
                .error(&TOO_LONG, content.span(), message, help)
                .twilio(element.spec.error_number());
        }
    }
    let asks_again = matches!(tag, "Gather" | "Record") && !sets("action");
    if asks_again {
        let message =
            format!("`{tag}` without `action` asks this same URL again, which may answer the same");
        let help = "write action = \"?step=NAME\" and a route with step = \"NAME\"";
        problems.warn(&MISSING_ACTION, span.clone(), message, help);
    }
}

/// A noun of Dial with children only must name whom it reaches among them.
fn check_reached(problems: &mut Problems, element: &Element, span: &Range<usize>) {
    let tag = element.spec.tag;
    let reached = match tag {
        "Client" => "Identity",
        "Application" => "ApplicationSid",
        "Sip" => "Uri",
        _ => return,
    };
    let is_named = element.content.iter().any(|node| match node {
        Node::Text(_) => true,
        Node::Element(child) => child.spec.tag == reached,
    });
    if !is_named {
        let message = format!("`{tag}` reaches nobody");
        let help = format!("write {{ {reached} = \"…\" }} among its children");
        problems
            .error(&EMPTY_ELEMENT, span.clone(), message, help)
            .twilio(element.spec.error_number());
    }
}

/// The attributes without which an element means nothing.
fn check_needed(
    problems: &mut Problems,
    element: &Element,
    span: &Range<usize>,
    parent: &ElementSpec,
) {
    let tag = element.spec.tag;
    let needed: &[&str] = match tag {
        // To stop a stream its name will do.
        "Stream" if parent.tag != "Stop" => &["url"],
        "ConversationRelay" => &["url"],
        "Parameter" | "Config" | "Header" => &["name", "value"],
        "sub" => &["alias"],
        "say-as" => &["interpret-as"],
        "phoneme" => &["ph"],
        _ => &[],
    };
    for name in needed {
        if element
            .attributes
            .iter()
            .all(|attribute| attribute.name != *name)
        {
            let message = format!("`{tag}` has no `{name}`");
            let help = format!("write {name} = \"…\" in it");
            problems
                .error(&MISSING_ATTRIBUTE, span.clone(), message, help)
                .twilio(12200);
        }
    }
}

/// A voice speaks its own language only; with another the verb fails.
fn check_voice(problems: &mut Problems, element: &Element, span: &Range<usize>) {
    let literal = |name: &str| {
        element
            .attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .and_then(|found| found.value.literal())
    };
    let (Some(voice), Some(language)) = (literal("voice"), literal("language")) else {
        return;
    };
    let languages = voices::languages(voice);
    if element.spec.tag == "Say" && !languages.is_empty() && !languages.contains(&language) {
        let message = format!("the voice \"{voice}\" does not speak \"{language}\"");
        let help = format!(
            "write language = \"{}\", or choose another voice",
            languages[0]
        );
        problems
            .error(&VOICE_LANGUAGE, span.clone(), message, help)
            .twilio(13512);
    }
}

/// How many children of a kind TwiML takes.
fn check_counts(problems: &mut Problems, element: &Element, span: &Range<usize>) {
    let children: Vec<&str> = element
        .content
        .iter()
        .filter_map(|node| match node {
            Node::Element(child) => Some(child.spec.tag),
            Node::Text(_) => None,
        })
        .collect();
    let count = |tag: &str| children.iter().filter(|child| **child == tag).count();
    let tag = element.spec.tag;
    let mut too_many = |what: String, help: &str, number: Option<u32>| {
        let message = format!("{what} in one `{tag}`");
        problems
            .error(&TOO_MANY, span.clone(), message, help)
            .twilio(number);
    };
    match tag {
        "Dial" => {
            let alone = ["Conference", "Queue", "Application"]
                .into_iter()
                .find(|noun| count(noun) > 0);
            if let Some(noun) = alone.filter(|_| children.len() > 1) {
                let number = (noun == "Conference").then_some(13000);
                too_many(
                    format!("`{noun}` and another noun"),
                    "a Dial leads to one such place only",
                    number,
                );
            } else if children.len() > 10 {
                too_many(
                    format!("{} nouns", children.len()),
                    "at most 10 are dialled at once",
                    None,
                );
            }
        }
        "Message" if count("Media") > 10 => {
            too_many(
                format!("{} Media", count("Media")),
                "a message carries at most 10",
                None,
            );
        }
        _ => {
            for single in ["Headers", "Identity", "Task", "ApplicationSid", "Room"] {
                if count(single) > 1 {
                    too_many(
                        format!("{} `{single}`", count(single)),
                        "write it once",
                        None,
                    );
                }
            }
            if tag == "Connect" && children.len() > 1 {
                too_many(
                    format!("{} nouns", children.len()),
                    "a call is connected to one place",
                    None,
                );
            }
            if tag == "Refer" && children.len() > 1 {
                too_many(
                    format!("{} `Sip`", children.len()),
                    "a call is referred to one place",
                    None,
                );
            }
        }
    }
}

/// The rules that look at the order and the number of verbs.
pub(super) fn check_flow(problems: &mut Problems, verbs: &[(Element, Range<usize>)], place: Place) {
    for (position, (verb, _)) in verbs.iter().enumerate() {
        let Some((next, span)) = verbs.get(position + 1) else {
            break;
        };
        let sets = |name: &str| {
            verb.attributes
                .iter()
                .find(|attribute| attribute.name == name)
        };
        let is_true = |name: &str| {
            sets(name).is_some_and(|attribute| attribute.value.literal() == Some("true"))
        };
        let tag = verb.spec.tag;
        let message = match tag {
            "Redirect" | "Hangup" | "Reject" => {
                format!(
                    "`{}` is never reached: `{tag}` ends the document",
                    next.spec.tag
                )
            }
            "Dial" | "Enqueue" | "Pay" | "Refer" | "Connect" if sets("action").is_some() => {
                format!(
                    "`{}` is never reached: `{tag}` goes on at its `action`",
                    next.spec.tag
                )
            }
            "Gather" if is_true("actionOnEmptyResult") => {
                format!(
                    "`{}` is never reached: this `Gather` always goes on at its `action`",
                    next.spec.tag
                )
            }
            "Message" if sets("action").is_some() => {
                let message = format!(
                    "`{}` may not be reached: this `Message` has an `action`",
                    next.spec.tag
                );
                let help = "write it before that message, or set statusCallback instead of action";
                problems.warn(&UNREACHABLE_ELEMENT, span.clone(), message, help);
                continue;
            }
            _ => continue,
        };
        let help = format!("move it before `{tag}`, or take it out");
        problems.error(&UNREACHABLE_ELEMENT, span.clone(), message, help);
    }
    // A Pause before it only delays; whatever else comes first answers the call.
    let first = verbs
        .iter()
        .position(|(verb, _)| verb.spec.tag != "Pause")
        .unwrap_or_default();
    if let Some((_, span)) = verbs
        .iter()
        .skip(first + 1)
        .find(|(verb, _)| verb.spec.tag == "Reject")
    {
        let help = "write Reject alone, or Hangup after what you say";
        let message = "the verb before `Reject` has answered the call already";
        problems.warn(&LATE_REJECT, span.clone(), message, help);
    }
    let messages: Vec<_> = verbs
        .iter()
        .filter(|(verb, _)| verb.spec.tag == "Message")
        .collect();
    if place.channel == Channel::Message && messages.len() > 10 {
        let message = format!("{} messages in one reply", messages.len());
        let span = messages[10].1.clone();
        problems
            .error(&TOO_MANY, span, message, "Twilio sends at most 10")
            .twilio(14109);
    }
}

/// `[default]` must not be able to fail: no template, and nothing that asks the service again.
pub(super) fn check_default_verb(
    problems: &mut Problems,
    spec: &ElementSpec,
    entries: &[(&Key<'_>, &Value<'_>)],
    span: &Range<usize>,
) {
    let help = "write it in a route without `when`";
    if matches!(spec.tag, "Redirect" | "Gather" | "Record" | "Enqueue") {
        let message = format!(
            "`{}` leads on from [default], which must be the end",
            spec.tag
        );
        problems.error(&FRAGILE_DEFAULT, span.clone(), message, help);
        return;
    }
    for (key, _) in entries.iter().filter(|(key, _)| key.get_ref() == "action") {
        let message = "`action` leads on from [default], which must be the end";
        problems.error(&FRAGILE_DEFAULT, key.span(), message, help);
    }
}

/// Whether an element's text is spoken or sent, so that it is cut at a limit when a request makes it too long.
fn is_spoken_or_sent(tag: &str) -> bool {
    matches!(tag, "Say" | "Message" | "Sms")
}

/// The characters of a text that are there whatever the request.
fn literal_length(node: &Node) -> usize {
    match node {
        Node::Text(text) => text
            .pieces()
            .iter()
            .map(|piece| {
                if let Piece::Literal(text) = piece {
                    text.chars().count()
                } else {
                    0
                }
            })
            .sum(),
        Node::Element(_) => 0,
    }
}
