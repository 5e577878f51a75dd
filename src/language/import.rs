//! TwiML that somebody already has, as a `[[route]]` of `responses.toml`.
//!
//! Text in, TOML and notes out: it reads no file. The last word has the compiler: what it refuses is left out and
//! noted, so the route that comes out can be pasted into a table as it is.

mod draft;
mod elements;
mod fields;
mod layout;
mod notes;
mod strings;
mod texts;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use self::draft::{Draft, Element, Node};
use self::elements::Importer;
use self::layout::Place;
use self::notes::Notes;
use crate::language::{self, NoFiles};
use crate::table::DEFAULT;
use crate::table::diagnostic::{Diagnostic, File, Severity};
use crate::twilio::types::Channel;
use crate::twilio::vocabulary;

/// A route that was made of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The `[[route]]`, with a line feed at its end. It compiles beside a `[default]`.
    pub toml: String,
    /// What the operator should know, in the order of the document.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Whether everything of the document is in the route.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.notes.iter().all(|note| !note.left_out)
    }
}

/// Something about a document that its route does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line of the document, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Whether it is about something that could not be carried over.
    pub left_out: bool,
    /// The note, one line.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Why a document cannot be made a route, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// The line of the document, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ImportError {}

/// What stands below the route while it is compiled: a table needs a default.
const REST: &str = "\n[default]\nvoice = [ { Hangup = \"\" } ]\n";

/// Makes a route of a document; `name` is the route's, after letters that no name has are replaced.
///
/// A document with an empty `Response`, or with nothing but Redirects in it, becomes a route for calls and is noted.
///
/// # Errors
///
/// The text is not XML, its root is not `Response`, it answers a fax, or its route would be larger than a document
/// may be.
pub fn import(name: &str, text: &str) -> Result<Imported, ImportError> {
    let source = File::new(name, text.strip_prefix('\u{feff}').unwrap_or(text));
    let failed = |at: usize, message: String| {
        let (line, column) = source.position(at);
        ImportError {
            line,
            column,
            message,
        }
    };
    let document = xml::parse(&source.text).map_err(|error| failed(error.at, error.message))?;
    check_root(&document.root).map_err(|(at, message)| failed(at, message))?;
    let mut notes = Notes::default();
    let channel = channel(&document.root, &mut notes);
    let verbs = Importer::new(channel, &mut notes).verbs(&document.root);
    let mut draft = Draft {
        name: route_name(name),
        channel,
        comments: document.comments,
        verbs,
    };
    let route =
        compile(&mut draft, &mut notes).map_err(|message| failed(document.root.at, message))?;
    note_caller_ids(&draft.verbs, &mut notes);
    let notes = notes.into_sorted().into_iter().map(|note| {
        let (line, column) = source.position(note.at);
        Note {
            line,
            column,
            left_out: note.left_out,
            message: note.message,
        }
    });
    Ok(Imported {
        toml: route,
        notes: notes.collect(),
    })
}

fn check_root(root: &xml::Element) -> Result<(), (usize, String)> {
    if root.name != "Response" {
        let message = format!(
            "a TwiML document begins with <Response>, not with <{}>",
            root.name
        );
        return Err((root.at, message));
    }
    let fax = elements_of(root).find(|element| element.name == "Receive");
    match fax {
        Some(receive) => Err((
            receive.at,
            "<Receive> answers a fax: Twilio takes no faxes any more, and neither do we".to_owned(),
        )),
        None => Ok(()),
    }
}

fn elements_of(parent: &xml::Element) -> impl Iterator<Item = &xml::Element> {
    parent.content.iter().filter_map(|node| match node {
        xml::Node::Element(element) => Some(element),
        xml::Node::Text(_) | xml::Node::Comment(_) => None,
    })
}

/// The channel that the verbs answer: the first that answers one channel only decides.
fn channel(root: &xml::Element, notes: &mut Notes) -> Channel {
    let answers = |channel: Channel, name: &str| {
        let response = vocabulary::response(channel);
        vocabulary::child_of(channel, response, name).is_some()
    };
    for verb in elements_of(root) {
        let name = verb.name.as_str();
        match (
            answers(Channel::Voice, name),
            answers(Channel::Message, name),
        ) {
            // Sms is a verb for calls today, and answered texts before there was Message.
            (true, false) if name != "Sms" => return Channel::Voice,
            (false, true) => return Channel::Message,
            _ => {}
        }
    }
    let message = if elements_of(root).any(|verb| verb.name == "Sms") {
        "taken for an answer to a call: for one to a text write { Message = … } below `message`"
    } else {
        "taken for an answer to a call: for one to a text write `message` in place of `voice`"
    };
    notes.say(root.at, message);
    Channel::Voice
}

/// The TOML of a draft, after everything that the compiler refuses has been taken out and noted.
fn compile(draft: &mut Draft, notes: &mut Notes) -> Result<String, String> {
    loop {
        let (route, places) = layout::write(draft);
        let text = format!("{route}{REST}");
        let file = File::new("", text.as_str());
        let diagnostics = match language::compile(&file, &NoFiles) {
            Ok(compiled) => {
                for warning in &compiled.warnings {
                    if let Some(place) = innermost(&places, &warning.span) {
                        let message = format!("{}; {}", warning.message, warning.help);
                        notes.say(place.at, message);
                    }
                }
                return Ok(route);
            }
            Err(diagnostics) => diagnostics,
        };
        let refused = refused(&places, &diagnostics)?;
        for (place, error) in refused.values() {
            let message = format!("left out {}: {}; {}", place.what, error.message, error.help);
            notes.leave_out(place.at, message);
        }
        let ids: BTreeSet<_> = refused.into_keys().collect();
        draft.remove(&ids);
    }
}

/// The parts that have errors, each with its first. An error that is in no part cannot be helped.
fn refused<'p>(
    places: &'p [Place],
    diagnostics: &'p [Diagnostic],
) -> Result<BTreeMap<draft::Id, (&'p Place, &'p Diagnostic)>, String> {
    let mut refused = BTreeMap::new();
    for error in diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
    {
        let place = innermost(places, &error.span).ok_or_else(|| error.message.clone())?;
        refused.entry(place.id).or_insert((place, error));
    }
    if refused.is_empty() {
        return Err("the route does not compile".to_owned());
    }
    Ok(refused)
}

/// The smallest part that a span lies in.
fn innermost<'p>(places: &'p [Place], span: &Range<usize>) -> Option<&'p Place> {
    places
        .iter()
        .filter(|place| place.range.start <= span.start && span.end <= place.range.end)
        .min_by_key(|place| place.range.len())
}

/// Notes each Dial to which the table gives a caller id: TwiML itself would show the caller's real number.
fn note_caller_ids(verbs: &[Node], notes: &mut Notes) {
    let dials = verbs.iter().filter_map(|node| match node {
        Node::Element(element) if element.tag == "Dial" => Some(element),
        _ => None,
    });
    for dial in dials {
        let sets = dial
            .attributes
            .iter()
            .any(|attribute| attribute.name == "callerId");
        if reaches_a_person(dial) && !sets {
            let message = "this <Dial> now shows our own number, not the caller's; to show the caller's \
                           write callerId = \"{{ Caller }}\"";
            notes.say(dial.at, message);
        }
    }
}

/// Whether a Dial gets a caller id by rule, as `language::defaults` has it.
fn reaches_a_person(dial: &Element) -> bool {
    let has_text = dial
        .content
        .iter()
        .any(|node| matches!(node, Node::Text(_)));
    let is_person = |noun: &Element| {
        vocabulary::elements_named(Channel::Voice, noun.tag).any(|spec| spec.dials)
    };
    has_text || dial.children().any(is_person)
}

/// A name that a route may have, as near to `name` as can be.
fn route_name(name: &str) -> String {
    let mut fitting = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || "._-".contains(character) {
            fitting.push(character);
        } else if !fitting.ends_with('-') {
            fitting.push('-');
        }
    }
    // Every character is ASCII by now.
    fitting.truncate(64);
    let fitting = fitting.trim_matches('-');
    match fitting {
        "" => "imported".to_owned(),
        DEFAULT | "loop-guard" => format!("imported-{fitting}"),
        _ => fitting.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_named_after_its_file() {
        for (name, route) in [
            ("greeting", "greeting"),
            ("My bin (copy 2)", "My-bin-copy-2"),
            ("grüße", "gr-e"),
            ("a.b_c-d", "a.b_c-d"),
            ("", "imported"),
            ("???", "imported"),
            ("default", "imported-default"),
            ("loop-guard", "imported-loop-guard"),
        ] {
            assert_eq!(route_name(name), route, "{name}");
        }
        assert_eq!(route_name(&"x".repeat(99)).len(), 64);
    }

    #[test]
    fn the_first_verb_of_one_channel_tells_the_channel() {
        for (text, wanted, is_noted) in [
            ("<Response><Say>x</Say></Response>", Channel::Voice, false),
            (
                "<Response><Message>x</Message></Response>",
                Channel::Message,
                false,
            ),
            (
                "<Response><Redirect>/x</Redirect><Message>x</Message></Response>",
                Channel::Message,
                false,
            ),
            (
                "<Response><Message>x</Message><Say>x</Say></Response>",
                Channel::Message,
                false,
            ),
            (
                "<Response><Redirect>/x</Redirect></Response>",
                Channel::Voice,
                true,
            ),
            ("<Response/>", Channel::Voice, true),
            ("<Response><Sms>x</Sms></Response>", Channel::Voice, true),
            ("<Response><Foo/></Response>", Channel::Voice, true),
        ] {
            let document = xml::parse(text).expect("a document");
            let mut notes = Notes::default();
            assert_eq!(channel(&document.root, &mut notes), wanted, "{text}");
            assert_eq!(!notes.into_sorted().is_empty(), is_noted, "{text}");
        }
    }
}
