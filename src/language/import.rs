//! Turns existing TwiML into a `[[route]]` for `responses.toml`.
//!
//! Text in, TOML and notes out; it reads no files. The compiler has the last word: anything that it refuses is left out
//! and noted, so the route can be pasted into a table unchanged.

mod draft;
mod fields;
mod xml;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use roxmltree::Node;

use self::draft::{Draft, Place};
use self::xml::{DocumentText, Importer, tag};
use crate::language::{self, NoFiles};
use crate::table::diagnostic::{Diagnostic, File, Severity};
use crate::table::reply::Reply;
use crate::table::{DEFAULT, Table};
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary;

/// The most bytes in a document, including comments and layout: four times what Twilio accepts.
pub const MAX_BYTES: usize = 256 * 1024;

/// A route made from a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The `[[route]]` below comments on what was left out, with a line feed at its end. It compiles together with a
    /// `[default]`. When everything was left out, there are only the comments.
    pub toml: String,
    /// What the operator should know, in the order of the document.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Whether the route has everything from the document.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.notes.iter().all(|note| !note.left_out)
    }
}

/// Something the operator should know about a document, or why no route can be made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line in the document, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// Whether something could not be carried over.
    pub left_out: bool,
    /// The message, one line.
    pub message: String,
}

impl Note {
    /// Creates the note that says why no route can be made, about a byte of the document.
    fn refusal(document: &DocumentText, at: usize, message: impl Into<String>) -> Self {
        let (line, column) = document.position(at);
        Self {
            line,
            column,
            left_out: true,
            message: message.into(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Note {}

/// The notes about a document: for each, its byte, whether something was left out, and the message.
#[derive(Default)]
struct Notes(Vec<(usize, bool, String)>);

impl Notes {
    fn say(&mut self, at: usize, message: impl Into<String>) {
        self.0.push((at, false, message.into()));
    }

    fn leave_out(&mut self, at: usize, message: impl Into<String>) {
        self.0.push((at, true, message.into()));
    }

    fn has_losses(&self) -> bool {
        self.0.iter().any(|(_, left_out, _)| *left_out)
    }

    fn into_sorted(mut self, document: &DocumentText) -> Vec<Note> {
        self.0.sort_by_key(|(at, ..)| *at);
        let placed = |(at, left_out, message)| Note {
            left_out,
            ..Note::refusal(document, at, message)
        };
        self.0.into_iter().map(placed).collect()
    }
}

/// Added after the route to compile it, because a table needs a default.
const REST: &str = "\n[default]\nvoice = [ { Hangup = \"\" } ]\n";

/// Makes a route from a document. The route is called `name`, with characters that are not allowed in names replaced.
///
/// A document that fits both calls and texts (an empty `Response`, only Redirects) becomes a route for calls, with a
/// note.
///
/// # Errors
///
/// The text is larger than [`MAX_BYTES`] or is not XML, its root is not `Response`, it answers a fax, or its route
/// would be larger than a document may be.
pub fn import(name: &str, text: &str) -> Result<Imported, Note> {
    let file = DocumentText::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    if text.len() > MAX_BYTES {
        let message = format!("the document is larger than {MAX_BYTES} bytes");
        return Err(Note::refusal(&file, 0, message));
    }
    let document = xml::parse(&file)?;
    let root = document.root_element();
    let start = root.range().start;
    if tag(root) != "Response" {
        let name = tag(root);
        let message = format!("a TwiML document begins with <Response>, not with <{name}>");
        return Err(Note::refusal(&file, start, message));
    }
    if let Some(receive) = root.children().find(|verb| verb.has_tag_name("Receive")) {
        let message = "<Receive> answers faxes, which Twilio no longer supports";
        return Err(Note::refusal(&file, receive.range().start, message));
    }
    let mut notes = Notes::default();
    file.note_ampersands(&mut notes);
    let channel = channel(root, &mut notes);
    let mut importer = Importer {
        channel,
        notes: &mut notes,
    };
    let verbs = importer.verbs(root);
    let comments = document.root().children().filter(Node::is_comment);
    let mut draft = Draft {
        name: route_name(name),
        channel,
        comments: comments.filter_map(|comment| comment.text()).collect(),
        verbs,
    };
    let route =
        compile(&mut draft, &mut notes).map_err(|message| Note::refusal(&file, start, message))?;
    // A reply without elements would mean intended silence.
    let is_lost = draft::elements(&draft.verbs).next().is_none() && notes.has_losses();
    let notes = notes.into_sorted(&file);
    let mut toml = String::new();
    for note in notes.iter().filter(|note| note.left_out) {
        if toml.is_empty() {
            toml += "# Left out or changed, by line and column of the document:\n";
        }
        toml += &draft::comment_lines(&note.to_string(), 0);
    }
    toml += if is_lost {
        "# Nothing else is left, so there is no route.\n"
    } else {
        &route
    };
    Ok(Imported { toml, notes })
}

/// The channel that the verbs answer, decided by the first verb that belongs to only one channel.
fn channel(root: Node<'_, '_>, notes: &mut Notes) -> Channel {
    let verbs = || root.children().filter(Node::is_element).map(tag);
    for verb in verbs() {
        let [voice, message] = [Channel::Voice, Channel::Message].map(|channel| {
            vocabulary::child_of(channel, vocabulary::response(channel), verb).is_some()
        });
        match (voice, message) {
            (true, false) => return Channel::Voice,
            (false, true) => return Channel::Message,
            _ => {}
        }
    }
    let message = if verbs().any(|verb| verb == "Sms") {
        "treated as an answer to a call; for a text, write { Message = … } in `message`"
    } else {
        "treated as an answer to a call; for a text, write `message` instead of `voice`"
    };
    notes.say(root.range().start, message);
    Channel::Voice
}

/// The TOML of a draft, after removing and noting everything that the compiler refuses.
fn compile(draft: &mut Draft<'_>, notes: &mut Notes) -> Result<String, String> {
    loop {
        let (route, places) = draft.write();
        let file = File::new("", format!("{route}{REST}"));
        let diagnostics = match language::compile(&file, &NoFiles) {
            Ok(compiled) => {
                for warning in &compiled.warnings {
                    if let Some(place) = innermost(&places, &warning.span) {
                        notes.say(place.at, format!("{}; {}", warning.message, warning.help));
                    }
                }
                note_caller_ids(draft, &compiled.table, notes);
                return Ok(route);
            }
            Err(diagnostics) => diagnostics,
        };
        let mut refused = BTreeMap::new();
        for error in &diagnostics {
            // Removing a part cannot cure an error outside all parts.
            if error.severity == Severity::Error {
                let place = innermost(&places, &error.span).ok_or_else(|| error.message.clone())?;
                let (at, left_out) = match place.recipient_of {
                    None => (place.at, place.what.clone()),
                    Some((at, tag)) => (at, format!("<{tag}>, which would go to somebody else")),
                };
                let Diagnostic { message, help, .. } = error;
                let message = format!("left out {left_out}: {message}; {help}");
                refused.entry(at).or_insert(message);
            }
        }
        draft::remove(&mut draft.verbs, &|at| refused.contains_key(&at));
        for (at, message) in refused {
            notes.leave_out(at, message);
        }
    }
}

/// The smallest part that contains a span: the first one that does, because inner parts come first.
fn innermost<'p>(places: &'p [Place], span: &Range<usize>) -> Option<&'p Place> {
    let first = places.partition_point(|place| place.range.end < span.end);
    places[first..]
        .iter()
        .find(|place| place.range.start <= span.start)
}

/// Notes each verb to which the table adds a caller id: plain TwiML would show the caller's real number.
fn note_caller_ids(draft: &Draft<'_>, table: &Table, notes: &mut Notes) {
    let Some(Reply::Template(compiled)) = table.routes()[0].voice.as_ref() else {
        return;
    };
    for (verb, compiled) in draft::elements(&draft.verbs).zip(compiled.iter()) {
        if verb.attributes.len() < compiled.attributes.len() {
            let message = format!(
                "this <{}> now shows our own number, not the caller's; to show the caller's, \
                 write callerId = \"{{{{ Caller }}}}\"",
                verb.tag
            );
            notes.say(verb.at, message);
        }
    }
}

/// A valid route name as close to `name` as possible.
fn route_name(name: &str) -> String {
    let mut fitting = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || "._-".contains(character) {
            fitting.push(character);
        } else if !fitting.ends_with('-') {
            fitting.push('-');
        }
    }
    // All characters are ASCII by now.
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
            let file = DocumentText::new(text);
            let document = xml::parse(&file).expect("a document");
            let mut notes = Notes::default();
            assert_eq!(
                channel(document.root_element(), &mut notes),
                wanted,
                "{text}"
            );
            assert_eq!(!notes.into_sorted(&file).is_empty(), is_noted, "{text}");
        }
    }
}
