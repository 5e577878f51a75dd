//! Turns XML into elements that TwiML allows at their places. Others are left out and noted.
//!
//! It does not judge attributes and values: the compiler does.

use std::sync::Arc;

use roxmltree::{Document, Error};

use super::draft::{self, DraftAttribute, DraftElement, DraftNode};
use super::fields::Fields;
use super::{Note, Notes};
use crate::table::diagnostic::File;
use crate::twilio::channel::Channel;
use crate::twilio::number::E164;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::{self, AttributeSpec, Destination, ElementSpec};

/// The deepest nesting that is read. Our TOML parser stops at 80 brackets.
const MAX_DEPTH: usize = 32;

/// The whitespace of XML, which does not include the no-break space.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// The namespace of attributes that concern the XML document, not TwiML.
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The text of a document.
pub(super) struct DocumentText {
    /// The text as given.
    file: Arc<File>,
    /// The text as parsed, with `&amp;` for each `&` that does not begin an entity: the commonest mistake in TwiML
    /// written by hand.
    xml: String,
    /// The bytes in `xml` after each such `&`.
    escaped: Vec<usize>,
}

/// The rest of `&amp;` after its `&`.
const AMP: &str = "amp;";

impl DocumentText {
    pub(super) fn new(text: &str) -> Self {
        let (mut xml, mut escaped) = (String::with_capacity(text.len()), Vec::new());
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<']) {
            let (before, from) = rest.split_at(at);
            xml += before;
            // Inside these, a `&` is an ordinary character.
            let literal = [("<![CDATA[", "]]>"), ("<!--", "-->"), ("<?", "?>")];
            let literal = literal.iter().find(|(start, _)| from.starts_with(start));
            let end = literal.and_then(|(_, end)| Some(from.find(end)? + end.len()));
            let (taken, after) = from.split_at(end.unwrap_or(1));
            xml += taken;
            if taken == "&" && !begins_entity(after) {
                escaped.push(xml.len());
                xml += AMP;
            }
            rest = after;
        }
        xml += rest;
        Self {
            file: File::new("", text),
            xml,
            escaped,
        }
    }

    /// The line and column in the given text of a byte in the parsed XML.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let before = self.escaped.partition_point(|escaped| *escaped < at);
        self.file.position(at.saturating_sub(before * AMP.len()))
    }

    pub(super) fn note_ampersands(&self, notes: &mut Notes) {
        if let [first, ..] = self.escaped[..] {
            let count = self.escaped.len();
            let message = format!(
                "`&` is read as `&amp;` here, because it does not begin an entity ({count} in all)"
            );
            notes.say(first - 1, message);
        }
    }
}

/// Whether this text continues an entity such as `&amp;` or `&#38;` after its `&`.
fn begins_entity(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"#_.-".contains(&byte);
    let name = text.bytes().take_while(|byte| is_name(*byte)).count();
    name > 0 && text[name..].starts_with(';')
}

/// Parses the XML of a document. Refuses a document type (its entities could grow without limit), a prefix without a
/// namespace, and nesting deeper than [`MAX_DEPTH`].
pub(super) fn parse(source: &DocumentText) -> Result<Document<'_>, Note> {
    let document = Document::parse(&source.xml).map_err(|error| not_xml(source, &error))?;
    let too_deep = document
        .descendants()
        .find(|node| node.is_element() && node.ancestors().nth(MAX_DEPTH + 1).is_some());
    if let Some(element) = too_deep {
        let message = format!("elements are nested deeper than {MAX_DEPTH}");
        return Err(Note::refusal(source, element.range().start, message));
    }
    Ok(document)
}

fn not_xml(source: &DocumentText, error: &Error) -> Note {
    let place = error.pos();
    let reason = match error {
        Error::DtdDetected => "remove the <!DOCTYPE>",
        Error::MalformedEntityReference(_) => "write `&amp;` instead of `&`",
        Error::UnknownToken(_) => "only a tag or a comment is allowed here",
        other => &other.to_string().replace(&format!(" at {place}"), ""),
    };
    let message = format!("this XML cannot be read: {reason}");
    match error {
        Error::NoRootNode | Error::UnclosedRootNode | Error::UnexpectedEndOfStream => {
            Note::refusal(source, source.xml.len(), message)
        }
        Error::DtdDetected => {
            let at = source.xml.find("<!DOCTYPE").unwrap_or_default();
            Note::refusal(source, at, message)
        }
        _ => {
            let lines = source.xml.split_inclusive('\n');
            let lines: usize = lines.take(place.row as usize - 1).map(str::len).sum();
            let line = source.xml[lines..].char_indices();
            let column = line.map(|(at, _)| at).nth(place.col as usize - 1);
            let at = column.map_or(source.xml.len(), |column| lines + column);
            Note::refusal(source, at, message)
        }
    }
}

/// The name, with its prefix, of the tag or attribute that begins at a byte of a document.
fn name_at(text: &str, at: usize) -> &str {
    let name = text[at..].trim_start_matches('<');
    let ends = |character: char| character.is_whitespace() || "=/>".contains(character);
    &name[..name.find(ends).unwrap_or(name.len())]
}

/// The tag of an element, with its prefix.
pub(super) fn tag<'d>(element: roxmltree::Node<'_, 'd>) -> &'d str {
    name_at(element.document().input_text(), element.range().start)
}

/// Turns the elements of one document into those of a draft.
pub(super) struct Importer<'n> {
    pub channel: Channel,
    pub notes: &'n mut Notes,
}

impl Importer<'_> {
    /// The verbs of a `Response`.
    pub(super) fn verbs(&mut self, root: roxmltree::Node<'_, '_>) -> Vec<DraftNode> {
        for (at, name, _) in attributes(root) {
            let message = format!("left out `{name}`: <Response> has no attributes");
            self.notes.leave_out(at, message);
        }
        self.content(root, vocabulary::response(self.channel))
    }

    /// An element, below the comments that are not allowed in it.
    fn element(
        &mut self,
        found: roxmltree::Node<'_, '_>,
        spec: &'static ElementSpec,
    ) -> Vec<DraftNode> {
        let attributes = attributes(found)
            .map(|(at, name, value)| self.attribute(at, name, value, spec))
            .collect();
        let content = self.content(found, spec);
        // A comment can have its own line only between elements.
        let keeps_comments = !is_prose(spec) && draft::elements(&content).next().is_some();
        let (mut nodes, content): (Vec<DraftNode>, Vec<DraftNode>) = content
            .into_iter()
            .partition(|node| matches!(node, DraftNode::Comment(_)) && !keeps_comments);
        nodes.push(DraftNode::Element(DraftElement {
            at: found.range().start,
            tag: spec.tag,
            attributes,
            content,
        }));
        nodes
    }

    fn attribute(
        &mut self,
        at: usize,
        name: &str,
        value: &str,
        spec: &ElementSpec,
    ) -> DraftAttribute {
        let mut value = Fields::default().convert(value, at, self.notes);
        let mut is_bare = false;
        let mut in_any_case = spec.attribute_names();
        let meant = in_any_case.find(|known| known.eq_ignore_ascii_case(name));
        let meant = meant.and_then(|known| spec.attribute(known));
        let leads_to = meant.and_then(|(_, spec)| spec.destination());
        if let Some((_, spec)) = spec.attribute(name) {
            if spec.check(&value).is_err() {
                value.truncate(value.trim_end().len());
                value.drain(..value.len() - value.trim_start().len());
            }
            if let Some(known) = spec.in_known_case(&value) {
                self.notes.say(at, format!("{value:?} is now {known:?}"));
                value = known;
            }
            is_bare = takes_bare(spec, &value);
            value = self.destination(spec.destination(), value, at);
        }
        DraftAttribute {
            at,
            is_recipient: leads_to == Some(Destination::Address),
            name: name.to_owned(),
            value,
            is_bare,
        }
    }

    /// The content of an element, comments included.
    fn content(
        &mut self,
        found: roxmltree::Node<'_, '_>,
        spec: &'static ElementSpec,
    ) -> Vec<DraftNode> {
        let mut nodes = Vec::new();
        self.read(found, spec, &mut Fields::default(), &mut nodes);
        if is_prose(spec) {
            prose(nodes, spec.tag)
        } else if spec.text {
            self.plain(nodes, spec, found.range().start)
        } else {
            nodes
        }
    }

    /// Reads the content of an element into `nodes`, as the content of a `spec`.
    fn read(
        &mut self,
        found: roxmltree::Node<'_, '_>,
        spec: &'static ElementSpec,
        fields: &mut Fields,
        nodes: &mut Vec<DraftNode>,
    ) {
        for node in found.children() {
            let mut at = node.range().start;
            if node.is_comment() {
                nodes.push(DraftNode::Comment(
                    node.text().unwrap_or_default().to_owned(),
                ));
            } else if node.is_text() {
                let text = node.text().unwrap_or_default();
                let source = &node.document().input_text()[at..];
                at += source.len() - source.trim_start().len();
                let text = fields.convert(text, at, self.notes);
                if spec.text {
                    nodes.push(DraftNode::Text { at, text });
                } else if !text.trim().is_empty() {
                    self.leave_out_text(at, &text, spec, "cannot contain text");
                }
            } else if node.is_element() && !fields.is_hidden() {
                let name = tag(node);
                if let Some(child) = vocabulary::child_of(self.channel, spec, name) {
                    nodes.extend(self.element(node, child));
                    continue;
                }
                let (parent, asks) = (spec.tag, draft::asks(self.channel));
                let left_out = if is_prose(spec) {
                    format!("the tag <{name}>, not its text")
                } else {
                    format!("<{name}>")
                };
                let perhaps = nearest(name, spec.child_names())
                    .map(|near| format!("; did you mean <{near}>?"))
                    .unwrap_or_default();
                let message = format!(
                    "left out {left_out}: <{name}> is not allowed in <{parent}> of an answer to a {asks}{perhaps}"
                );
                self.notes.leave_out(at, message);
                if is_prose(spec) {
                    self.read(node, spec, fields, nodes);
                }
            }
        }
    }

    /// The content of an element that can contain either text or elements, which our table does not mix.
    ///
    /// The outer blanks of such a text are layout, its line breaks are sent. Source: "How do I add a line break in my
    /// SMS or MMS message", Twilio help centre, article 223181468.
    fn plain(
        &mut self,
        nodes: Vec<DraftNode>,
        spec: &'static ElementSpec,
        start: usize,
    ) -> Vec<DraftNode> {
        let mut others = Vec::new();
        let (mut text, mut at) = (String::new(), 0);
        for node in nodes {
            let DraftNode::Text {
                at: start,
                text: piece,
            } = node
            else {
                others.push(node);
                continue;
            };
            if text.trim().is_empty() {
                at = start;
            }
            text += &piece;
        }
        let text = text.trim_matches(BLANKS).to_owned();
        if text.is_empty() {
            if spec.destination == Some(Destination::Url) && spec.leads_on {
                // No other part of the document has the byte after this `<`.
                let (at, text) = (start + 1, "?".to_owned());
                let message = format!(
                    "an empty <{}> requests the same document again: it is now \"?\"",
                    spec.tag
                );
                self.notes.say(at, message);
                others.push(DraftNode::Text { at, text });
            }
            return others;
        }
        if draft::elements(&others).next().is_none() {
            let text = self.destination(spec.destination, text, at);
            others.push(DraftNode::Text { at, text });
            return others;
        }
        let main = spec.main_child;
        let Some(child) = main.and_then(|tag| vocabulary::child_of(self.channel, spec, tag)) else {
            self.leave_out_text(at, &text, spec, "can contain either text or elements");
            return others;
        };
        let message = format!("the text of <{}> is now its <{}>", spec.tag, child.tag);
        self.notes.say(at, message);
        let text = self.destination(child.destination, text, at);
        let child = DraftElement {
            at,
            tag: child.tag,
            attributes: Vec::new(),
            content: vec![DraftNode::Text { at, text }],
        };
        others.insert(0, DraftNode::Element(child));
        others
    }

    fn leave_out_text(&mut self, at: usize, text: &str, spec: &ElementSpec, reason: &str) {
        const MOST: usize = 40;
        let mut text = collapsed(text.trim());
        if text.chars().count() > MOST {
            text = text.chars().take(MOST - 1).chain(['…']).collect();
        }
        let message = format!("left out the text {text:?}: <{}> {reason}", spec.tag);
        self.notes.leave_out(at, message);
    }

    /// Converts a destination, and notes when it is completed or written differently.
    fn destination(&mut self, destination: Option<Destination>, text: String, at: usize) -> String {
        match destination {
            Some(Destination::Url) if text.starts_with(['?', '/']) => {
                let message = format!(
                    "{text:?} is now completed with the address of this service: write the complete URL if it is elsewhere"
                );
                self.notes.say(at, message);
            }
            Some(Destination::Sip) if lacks_scheme(&text) => {
                let address = format!("sip:{text}");
                self.notes.say(at, format!("{text:?} is now {address:?}"));
                return address;
            }
            Some(
                Destination::Number
                | Destination::Caller
                | Destination::Sender
                | Destination::Address,
            ) => {
                if let Some(number) = with_country_code(&text) {
                    self.notes.say(at, format!("{text:?} is now {number}"));
                    return number;
                }
            }
            _ => {}
        }
        text
    }
}

/// The TwiML attributes of an element: the place, name and value of each.
fn attributes<'d>(
    element: roxmltree::Node<'d, 'd>,
) -> impl Iterator<Item = (usize, &'d str, &'d str)> {
    let text = element.document().input_text();
    element
        .attributes()
        .filter(|attribute| attribute.namespace() != Some(SCHEMA_INSTANCE))
        .map(|attribute| {
            let at = attribute.range().start;
            (at, name_at(text, at), attribute.value())
        })
}

/// Whether a value is written without quotes. Where any text is allowed, a number is only a text that has digits.
fn takes_bare(spec: &AttributeSpec, value: &str) -> bool {
    let number = value.parse::<i64>().map(|number| number.to_string());
    let is_integer = spec.takes_integers() && number.as_deref() == Ok(value);
    let is_boolean = spec.takes_booleans() && value.parse::<bool>().is_ok();
    (is_integer || is_boolean) && spec.check("any text").is_err()
}

/// Whether an element contains words that a voice speaks: Say, and the tags that are allowed in it.
fn is_prose(spec: &ElementSpec) -> bool {
    spec.tag == "Say" || vocabulary::parents(Channel::Voice, spec.tag).contains(&"Say")
}

/// Words and tags as a voice reads them, after the comments among them: blanks collapse to one, and none stays at the
/// edges of a sentence or alone next to a tag that already separates words.
fn prose(nodes: Vec<DraftNode>, tag: &str) -> Vec<DraftNode> {
    let (mut prose, nodes): (Vec<DraftNode>, Vec<DraftNode>) = nodes
        .into_iter()
        .partition(|node| matches!(node, DraftNode::Comment(_)));
    let mut pieces: Vec<DraftNode> = Vec::with_capacity(nodes.len());
    for node in nodes {
        match (pieces.last_mut(), node) {
            (Some(DraftNode::Text { text: before, .. }), DraftNode::Text { text, .. }) => {
                *before += &text;
            }
            (_, node) => pieces.push(node),
        }
    }
    let is_sentence = matches!(tag, "Say" | "p" | "s");
    let mut is_after_break = false;
    let mut pieces = pieces.into_iter().enumerate().peekable();
    while let Some((position, mut piece)) = pieces.next() {
        let next = pieces.peek().map(|(_, next)| next);
        if let DraftNode::Text { text, .. } = &mut piece {
            *text = collapsed(text);
            if is_sentence && position == 0 {
                *text = text.trim_start_matches(' ').to_owned();
            }
            if is_sentence && next.is_none() {
                *text = text.trim_end_matches(' ').to_owned();
            }
            let is_layout = text == " " && (is_after_break || next.is_some_and(separates_words));
            if text.is_empty() || is_layout {
                continue;
            }
        }
        is_after_break = separates_words(&piece);
        prose.push(piece);
    }
    prose
}

/// Whether an element already separates words, so that spaces next to it mean nothing.
fn separates_words(node: &DraftNode) -> bool {
    matches!(node, DraftNode::Element(element) if matches!(element.tag, "break" | "p" | "s"))
}

/// Replaces each run of whitespace with one space.
fn collapsed(text: &str) -> String {
    let mut collapsed = text.replace(BLANKS, " ");
    while collapsed.contains("  ") {
        collapsed = collapsed.replace("  ", " ");
    }
    collapsed
}

/// Whether a SIP address is written like an email address.
fn lacks_scheme(text: &str) -> bool {
    let user = text.split_once('@').map_or("", |(user, _)| user);
    !user.is_empty() && !user.contains([':', '{']) && !text.contains(char::is_whitespace)
}

/// The E.164 form of a number written with spaces, brackets or dashes, or of a North American number without its
/// country code; `None` for everything else, including E.164.
///
/// Source: Twilio takes unformatted US numbers, <https://www.twilio.com/docs/voice/twiml/number>.
fn with_country_code(text: &str) -> Option<String> {
    if text.parse::<E164>().is_ok() {
        return None;
    }
    // The zero that is dialled only within the country.
    let without_trunk = text.replacen("(0)", "", usize::from(text.starts_with('+')));
    let digits: String = without_trunk
        .chars()
        .filter(|character| !" ()-.".contains(*character))
        .collect();
    let number = match digits.as_bytes() {
        [b'+', ..] => digits,
        [b'1', b'2'..=b'9', ..] if digits.len() == 11 => format!("+{digits}"),
        [b'2'..=b'9', ..] if digits.len() == 10 => format!("+1{digits}"),
        _ => return None,
    };
    number.parse::<E164>().ok().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_xml_has_a_place() {
        let deep = "<a>".repeat(40);
        let laughs = "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]>\n<a>&c;</a>";
        for (text, error) in [
            (
                "",
                "1:1: this XML cannot be read: the document does not have a root node",
            ),
            (
                "  ",
                "1:3: this XML cannot be read: the document does not have a root node",
            ),
            (
                "<a",
                "1:3: this XML cannot be read: the document does not have a root node",
            ),
            (
                "<a><b>\n",
                "2:1: this XML cannot be read: the root node was opened but never closed",
            ),
            (
                "hello",
                "1:1: this XML cannot be read: only a tag or a comment is allowed here",
            ),
            (
                " é <a/>",
                "1:2: this XML cannot be read: only a tag or a comment is allowed here",
            ),
            (
                "<a/><b/>",
                "1:5: this XML cannot be read: only a tag or a comment is allowed here",
            ),
            (
                "<a/>x",
                "1:5: this XML cannot be read: only a tag or a comment is allowed here",
            ),
            (
                "<a>é<b></a>",
                "1:8: this XML cannot be read: expected 'b' tag, not 'a'",
            ),
            (
                "<a>\n &nbsp;</a>",
                "2:2: this XML cannot be read: unknown entity reference 'nbsp'",
            ),
            (
                "<a>&#0;</a>",
                "1:4: this XML cannot be read: write `&amp;` instead of `&`",
            ),
            (
                "<a>\u{8}</a>",
                "1:4: this XML cannot be read: a non-XML character '\\u{8}' found",
            ),
            (
                "<a x='\u{8}'/>",
                "1:7: this XML cannot be read: a non-XML character '\\u{8}' found",
            ),
            (
                "<a x/>",
                "1:5: this XML cannot be read: expected '=' not '/'",
            ),
            (
                "<a x=1/>",
                "1:6: this XML cannot be read: expected a quote not '1'",
            ),
            (
                "<a x='1' x='2'/>",
                "1:10: this XML cannot be read: attribute 'x' is already defined",
            ),
            ("<1/>", "1:2: this XML cannot be read: invalid name token"),
            (
                "<a><!-- x -- y --></a>",
                "1:4: this XML cannot be read: comment contains '--'",
            ),
            (
                "<a><?xml version=\"1.0\"?></a>",
                "1:4: this XML cannot be read: unexpected XML declaration",
            ),
            (
                "<a><amazon:effect/></a>",
                "1:5: this XML cannot be read: an unknown namespace prefix 'amazon'",
            ),
            (
                laughs,
                "1:1: this XML cannot be read: remove the <!DOCTYPE>",
            ),
            (
                deep.as_str(),
                "1:121: this XML cannot be read: the root node was opened but never closed",
            ),
            (
                (deep.clone() + &"</a>".repeat(40)).as_str(),
                "1:97: elements are nested deeper than 32",
            ),
        ] {
            let found = parse(&DocumentText::new(text)).expect_err(text);
            assert_eq!(found.to_string(), error, "{text}");
        }
    }

    #[test]
    fn texts_and_attributes_have_their_places() {
        let text = "<Response><Say x = '1'  xml:lang=\"é\">\n <![CDATA[a]]></Say><Hangup\n>x</Hangup></Response>";
        let file = DocumentText::new(text);
        let document = parse(&file).expect("a document");
        let mut notes = Notes::default();
        let mut importer = Importer {
            channel: Channel::Voice,
            notes: &mut notes,
        };
        let verbs = importer.verbs(document.root_element());
        let [DraftNode::Element(say), DraftNode::Element(_)] = verbs.as_slice() else {
            panic!("two elements");
        };
        let attributes: Vec<(usize, &str, &str)> = say
            .attributes
            .iter()
            .map(|attribute| (attribute.at, &*attribute.name, &*attribute.value))
            .collect();
        assert_eq!(attributes, [(15, "x", "1"), (24, "xml:lang", "é")]);
        assert!(matches!(&say.content[..], [DraftNode::Text { at: 40, text }] if text == "a"));
        let notes: Vec<String> = notes
            .into_sorted(&file)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            notes,
            ["3:2: left out the text \"x\": <Hangup> cannot contain text"]
        );
    }

    #[test]
    fn what_stands_behind_a_lone_ampersand_keeps_its_place() {
        for (text, xml) in [
            ("a & b", "a &amp; b"),
            ("a&b;&#38;&#x26;&;", "a&b;&#38;&#x26;&amp;;"),
            ("&", "&amp;"),
            (
                "<!-- & --><?x & ?><![CDATA[&]]>&<a>",
                "<!-- & --><?x & ?><![CDATA[&]]>&amp;<a>",
            ),
            ("<!-- &", "<!-- &amp;"),
        ] {
            assert_eq!(DocumentText::new(text).xml, xml);
        }
        let text = "<Response>\n<Redirect>/?a=1&b=2&c=3</Redirect><Foo/>&nbsp;</Response>";
        let found = parse(&DocumentText::new(text)).expect_err(text);
        assert_eq!(
            found.to_string(),
            "2:41: this XML cannot be read: unknown entity reference 'nbsp'"
        );
        let document = DocumentText::new(text);
        for word in ["Response", "b=2", "c=3", "Foo"] {
            let place = text.find(word).expect(word);
            let at = document.xml.find(word).expect(word);
            assert_eq!(
                document.position(at),
                document.file.position(place),
                "{word}"
            );
        }
    }

    #[test]
    fn numbers_get_their_country_code_as_twilio_reads_them() {
        for (text, number) in [
            ("+14155550100", None),
            ("415-555-0100", Some("+14155550100")),
            ("(415) 555.0100", Some("+14155550100")),
            ("1 415 555 0100", Some("+14155550100")),
            ("+44 20 7183 8750", Some("+442071838750")),
            ("+44 (0)20 7183 8750", Some("+442071838750")),
            ("(0)20 7183 8750", None),
            ("020 7183 8750", None),
            ("12345", None),
            ("{{ From }}", None),
            ("client:joe", None),
            ("", None),
        ] {
            assert_eq!(with_country_code(text).as_deref(), number, "{text}");
        }
    }
}
