//! The Mustache fields of TwiML Bins, and what becomes of them in our templates.
//!
//! A TwiML Bin fills in `{{From}}`, has sections (`{{#Name}}…{{/Name}}`, `{{^Name}}…{{/Name}}`) and one function,
//! `e164`. Source: "How to use templates with TwiML Bins", Twilio help centre, article 230878368; the rest of the
//! notation: <https://mustache.github.io/mustache.5.html>. Our templates have fields only.

use super::notes::Notes;

/// The sections that are open while the content of one element is read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    open: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    name: String,
    /// Whether it is `{{^Name}}`: there when the parameter is absent.
    is_inverted: bool,
}

/// One piece of a text: literal, or the name of a field.
enum Piece {
    Literal(String),
    Field(String),
}

/// A tag with what stands in it, and the text behind it.
struct Tag<'t> {
    /// As it stands, braces included.
    raw: &'t str,
    inner: &'t str,
    /// Whether it has three braces.
    is_triple: bool,
    rest: &'t str,
}

impl Fields {
    /// Whether the place after the last text is in a section for an absent parameter, which is left out.
    pub(super) fn is_hidden(&self) -> bool {
        self.open.iter().any(|section| section.is_inverted)
    }

    /// A text with its fields as templates of ours and everything else that Mustache has noted and taken out.
    pub(super) fn convert(&mut self, text: &str, at: usize, notes: &mut Notes) -> String {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let Some(tag) = Tag::parse(&rest[start..]) else {
                break;
            };
            self.push(&mut pieces, Piece::Literal(rest[..start].to_owned()));
            if let Some(name) = self.tag(&tag, at, notes) {
                self.push(&mut pieces, Piece::Field(name));
            }
            rest = tag.rest;
        }
        self.push(&mut pieces, Piece::Literal(rest.to_owned()));
        written(&pieces)
    }

    fn push(&self, pieces: &mut Vec<Piece>, piece: Piece) {
        if self.is_hidden() {
            return;
        }
        // Literal pieces that only a tag parted grow together, so that their braces are looked at as one.
        match (pieces.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
            (_, piece) => pieces.push(piece),
        }
    }

    /// The name of the field that a tag is; `None` when it is none and nothing stands in its place.
    fn tag(&mut self, tag: &Tag<'_>, at: usize, notes: &mut Notes) -> Option<String> {
        let raw = tag.raw;
        let sign = tag
            .inner
            .chars()
            .next()
            .filter(|sign| "!#^/>=&".contains(*sign));
        let name = sign.map_or(tag.inner, |sign| tag.inner[sign.len_utf8()..].trim());
        match sign {
            Some('!') => notes.say(at, format!("the comment {raw} is gone")),
            Some('#' | '^') => self.section(name, raw, at, notes),
            Some('/') => {
                if let Some(opened) = self.open.iter().rposition(|section| section.name == name) {
                    self.open.truncate(opened);
                }
            }
            Some('>') => notes.leave_out(
                at,
                format!("left out {raw}: write out here what it brings in"),
            ),
            Some('=') => notes.leave_out(
                at,
                format!("left out {raw}: a field is always written {{{{ Name }}}}"),
            ),
            _ if name == "." => notes.leave_out(
                at,
                format!("left out {raw}: a parameter has one value, write each value out"),
            ),
            _ if !is_name(name) => notes.leave_out(
                at,
                format!("left out {raw}: there is no parameter's name in it"),
            ),
            _ => {
                if tag.is_triple || sign == Some('&') {
                    notes.leave_out(
                        at,
                        format!("{raw} is now {{{{ {name} }}}}: elements in its value are read as text, write them out"),
                    );
                }
                return Some(name.to_owned());
            }
        }
        None
    }

    fn section(&mut self, name: &str, raw: &str, at: usize, notes: &mut Notes) {
        let is_inverted = raw.starts_with("{{^");
        let message = if name == "e164" {
            format!(
                "{raw} is gone: phones' numbers come in this form; for a SIP caller take the number from a directory"
            )
        } else if is_inverted {
            format!(
                "left out what stands in {raw}: write it in a route of its own, below one with \
                 when = {{ {name} = {{ present = true }} }}"
            )
        } else {
            format!(
                "{raw} is gone, what stands in it is always there: write \
                 when = {{ {name} = {{ present = true }} }} here, and a route without it below"
            )
        };
        notes.leave_out(at, message);
        self.open.push(Section {
            name: name.to_owned(),
            is_inverted,
        });
    }
}

impl<'t> Tag<'t> {
    /// The tag that a text begins with; `None` when it is never closed.
    fn parse(text: &'t str) -> Option<Self> {
        let end = text.find("}}")?;
        let triple = text
            .starts_with("{{{")
            .then(|| text.find("}}}"))
            .flatten()
            .filter(|triple| *triple == end);
        let (width, length) = match triple {
            Some(end) => (3, end + 3),
            None => (2, end + 2),
        };
        Some(Self {
            raw: &text[..length],
            inner: text[width..length - width].trim(),
            is_triple: triple.is_some(),
            rest: &text[length..],
        })
    }
}

/// Whether a template of ours can name it.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .contains(|character: char| character.is_whitespace() || "{}|()\"".contains(character))
}

/// The pieces as a template. Braces that would be read as the beginning of a field are quoted.
fn written(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Field(name) => {
                text.push_str("{{ ");
                text.push_str(name);
                text.push_str(" }}");
            }
            Piece::Literal(literal) => push_literal(&mut text, literal),
        }
    }
    text
}

/// A single brace stays as it is: before a field there is none, for a tag begins with the first of its braces.
fn push_literal(text: &mut String, literal: &str) {
    let mut rest = literal;
    while let Some(start) = rest.find('{') {
        let run = rest[start..].len() - rest[start..].trim_start_matches('{').len();
        let end = start + run;
        text.push_str(&rest[..start]);
        if run > 1 {
            text.push_str("{{ \"");
            text.push_str(&rest[start..end]);
            text.push_str("\" }}");
        } else {
            text.push('{');
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::reply::template::Text;

    #[test]
    fn fields_become_templates_and_the_rest_is_noted() {
        for (text, converted, notes) in [
            ("", "", vec![]),
            ("a } {b} }}", "a } {b} }}", vec![]),
            ("{{From}}: {{ Body }}", "{{ From }}: {{ Body }}", vec![]),
            ("{{", "{{ \"{{\" }}", vec![]),
            ("a {{{ b", "a {{ \"{{{\" }} b", vec![]),
            ("{ {{From}}", "{ {{ From }}", vec![]),
            ("{{! why }}x", "x", vec!["the comment {{! why }} is gone"]),
            (
                "{{#Name}}Hi {{Name}}{{/Name}}{{^Name}}Hi{{/Name}}!",
                "Hi {{ Name }}!",
                vec![
                    "{{#Name}} is gone, what stands in it is always there: write when = { Name = { present = true } } here, and a route without it below",
                    "left out what stands in {{^Name}}: write it in a route of its own, below one with when = { Name = { present = true } }",
                ],
            ),
            (
                "{{#e164}}{{To}}{{/e164}}",
                "{{ To }}",
                vec![
                    "{{#e164}} is gone: phones' numbers come in this form; for a SIP caller take the number from a directory",
                ],
            ),
            (
                "{{{From}}}{{& From }}",
                "{{ From }}{{ From }}",
                vec![
                    "{{{From}}} is now {{ From }}: elements in its value are read as text, write them out",
                    "{{& From }} is now {{ From }}: elements in its value are read as text, write them out",
                ],
            ),
            (
                "{{>part}}{{=<% %>=}}{{.}}{{a b}}{{}}",
                "",
                vec![
                    "left out {{>part}}: write out here what it brings in",
                    "left out {{=<% %>=}}: a field is always written {{ Name }}",
                    "left out {{.}}: a parameter has one value, write each value out",
                    "left out {{a b}}: there is no parameter's name in it",
                    "left out {{}}: there is no parameter's name in it",
                ],
            ),
        ] {
            let mut found = Notes::default();
            assert_eq!(
                Fields::default().convert(text, 0, &mut found),
                converted,
                "{text}"
            );
            let found: Vec<String> = found
                .into_sorted()
                .into_iter()
                .map(|note| note.message)
                .collect();
            assert_eq!(found, notes, "{text}");
            assert!(Text::parse(converted).is_ok(), "{converted}");
        }
    }

    #[test]
    fn a_section_goes_on_in_the_next_text() {
        let mut fields = Fields::default();
        let mut notes = Notes::default();
        assert_eq!(fields.convert("a{{^X}}b", 0, &mut notes), "a");
        assert!(fields.is_hidden());
        assert_eq!(fields.convert("c{{/X}}d", 0, &mut notes), "d");
        assert!(!fields.is_hidden());
    }

    proptest::proptest! {
        #[test]
        fn what_is_converted_is_always_a_template(text in "[{}#^/!&>=. a\"|()é]{0,24}") {
            let converted = Fields::default().convert(&text, 0, &mut Notes::default());
            proptest::prop_assert!(Text::parse(&converted).is_ok(), "{}", converted);
        }
    }
}
