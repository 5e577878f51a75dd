//! The texts of a document as TwiML reads them: which blanks count and which only lay the document out.

use super::draft::Node;
use crate::twilio::types::Channel;
use crate::twilio::vocabulary::{self, ElementSpec};

/// The blanks of XML; a no-break space is none.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Whether an element holds words that a voice speaks: Say, and the tags that may stand in it.
pub(super) fn is_prose(spec: &ElementSpec) -> bool {
    let says = |say: &ElementSpec| say.child_names().any(|child| child == spec.tag);
    spec.tag == "Say" || vocabulary::elements_named(Channel::Voice, "Say").any(says)
}

/// Words and tags as a voice reads them: a run of blanks is one, and none is left at the edges of what is a sentence
/// of its own. Comments stay where they are.
pub(super) fn prose(nodes: Vec<Node>, tag: &str) -> Vec<Node> {
    let mut tidy: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut comments = Vec::new();
    for node in nodes {
        match node {
            Node::Comment(_) => comments.push(node),
            Node::Text(text) => match tidy.last_mut() {
                Some(Node::Text(before)) => before.push_str(&text),
                _ => tidy.push(Node::Text(text)),
            },
            Node::Element(_) => tidy.push(node),
        }
    }
    let count = tidy.len();
    let parts: Vec<bool> = tidy.iter().map(parts_words).collect();
    let is_sentence = matches!(tag, "Say" | "p" | "s");
    for (position, node) in tidy.iter_mut().enumerate() {
        let Node::Text(text) = node else { continue };
        let collapsed = collapsed(text);
        let mut words = collapsed.as_str();
        if is_sentence && position == 0 {
            words = words.trim_start_matches(' ');
        }
        if is_sentence && position + 1 == count {
            words = words.trim_end_matches(' ');
        }
        let beside = [position.checked_sub(1), Some(position + 1)];
        let is_parted = beside
            .into_iter()
            .flatten()
            .any(|other| parts.get(other) == Some(&true));
        let is_layout = words == " " && is_parted;
        *text = if is_layout {
            String::new()
        } else {
            words.to_owned()
        };
    }
    tidy.retain(|node| !matches!(node, Node::Text(text) if text.is_empty()));
    comments.append(&mut tidy);
    comments
}

/// Whether an element parts words by itself, so that blanks beside it mean nothing.
fn parts_words(node: &Node) -> bool {
    matches!(node, Node::Element(element) if matches!(element.tag, "break" | "p" | "s"))
}

fn collapsed(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    let mut after_blank = false;
    for character in text.chars() {
        let is_blank = BLANKS.contains(&character);
        if !is_blank {
            collapsed.push(character);
        } else if !after_blank {
            collapsed.push(' ');
        }
        after_blank = is_blank;
    }
    collapsed
}

/// The text of an element that speaks no words: its outer blanks are layout, its line breaks are sent.
///
/// Source: "How do I add a line break in my SMS or MMS message", Twilio help centre, article 223181468.
pub(super) fn joined(pieces: &[Node]) -> String {
    let text: String = pieces
        .iter()
        .map(|piece| match piece {
            Node::Text(text) => text.as_str(),
            Node::Element(_) | Node::Comment(_) => "",
        })
        .collect();
    text.trim_matches(BLANKS).to_owned()
}

/// The beginning of a text, for a note.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let text = collapsed(text.trim());
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
