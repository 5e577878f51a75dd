//! The Mustache fields of TwiML Bins as templates of ours.
//!
//! A TwiML Bin fills in `{{From}}`, has sections (`{{#Name}}…{{/Name}}`, `{{^Name}}…{{/Name}}`) and one function,
//! `e164`. Source: "How to use templates with TwiML Bins", Twilio help centre, article 230878368; the rest of the
//! notation: <https://mustache.github.io/mustache.5.html>. Our templates have fields only.

use super::notes::Notes;

/// The sections that are open while the content of one element is read.
#[derive(Default)]
pub(super) struct Fields {
    open: Vec<Section>,
}

struct Section {
    name: String,
    /// Whether it is `{{^Name}}`: there when the parameter is absent.
    is_inverted: bool,
}

/// A tag of Mustache at the beginning of a text.
struct Tag<'t> {
    /// The tag with its braces.
    raw: &'t str,
    /// The character that says what kind of tag it is; `None` for a field.
    sign: Option<char>,
    name: &'t str,
    /// Whether it has three braces.
    is_triple: bool,
}

impl Fields {
    /// Whether the place after the last text is in a section for an absent parameter, which is left out.
    pub(super) fn is_hidden(&self) -> bool {
        self.open.iter().any(|section| section.is_inverted)
    }

    /// A text of the document as a template of ours. Everything else that Mustache has is noted and removed.
    pub(super) fn convert(&mut self, text: &str, at: usize, notes: &mut Notes) -> String {
        let (mut template, mut literal) = (String::new(), String::new());
        let mut rest = text;
        while let Some(start) = rest.find("{{")
            && let Some(tag) = Tag::parse(&rest[start..])
        {
            if !self.is_hidden() {
                literal += &rest[..start];
            }
            if let Some(name) = self.field(&tag, at, notes)
                && !self.is_hidden()
            {
                push_literal(&mut template, &literal);
                literal.clear();
                template += &["{{ ", name, " }}"].concat();
            }
            rest = &rest[start + tag.raw.len()..];
        }
        if !self.is_hidden() {
            literal += rest;
        }
        push_literal(&mut template, &literal);
        template
    }

    /// The field that a tag becomes; `None` if it becomes none, which is noted.
    fn field<'t>(&mut self, tag: &Tag<'t>, at: usize, notes: &mut Notes) -> Option<&'t str> {
        let &Tag { raw, name, .. } = tag;
        let left_out = match tag.sign {
            Some('!') => {
                notes.say(at, format!("the comment {raw} is gone"));
                return None;
            }
            Some(sign @ ('#' | '^')) => {
                self.open.push(Section {
                    name: name.to_owned(),
                    is_inverted: sign == '^',
                });
                section_note(tag)
            }
            Some('/') => {
                if let Some(opened) = self.open.iter().rposition(|section| section.name == name) {
                    self.open.truncate(opened);
                }
                return None;
            }
            Some('>') => format!("left out {raw}: write out here what it brings in"),
            Some('=') => format!("left out {raw}: a field is always written {{{{ Name }}}}"),
            _ if name == "." => {
                format!("left out {raw}: a parameter has one value, write each value out")
            }
            _ if !is_name(name) => format!("left out {raw}: there is no parameter's name in it"),
            _ => {
                if tag.is_triple || tag.sign.is_some() {
                    let message = format!(
                        "{raw} is now {{{{ {name} }}}}: elements in its value are read as text, write them out"
                    );
                    notes.leave_out(at, message);
                }
                return Some(name);
            }
        };
        notes.leave_out(at, left_out);
        None
    }
}

fn section_note(tag: &Tag<'_>) -> String {
    let &Tag { raw, name, .. } = tag;
    if name == "e164" {
        format!(
            "{raw} is gone: phones' numbers come in this form; for a SIP caller take the number from a directory"
        )
    } else if tag.sign == Some('^') {
        format!(
            "left out what stands in {raw}: write it in a route of its own, below one with \
             when = {{ {name} = {{ present = true }} }}"
        )
    } else {
        format!(
            "{raw} is gone, what stands in it is always there: write \
             when = {{ {name} = {{ present = true }} }} here, and a route without it below"
        )
    }
}

impl<'t> Tag<'t> {
    /// The tag that a text begins with; `None` when it is never closed.
    fn parse(text: &'t str) -> Option<Self> {
        let end = text.find("}}")?;
        let is_triple = text.starts_with("{{{") && text[end..].starts_with("}}}");
        let width = if is_triple { 3 } else { 2 };
        let inner = text[width..end].trim();
        let sign = inner
            .chars()
            .next()
            .filter(|sign| "!#^/>=&".contains(*sign));
        Some(Self {
            raw: &text[..end + width],
            sign,
            name: sign.map_or(inner, |_| inner[1..].trim()),
            is_triple,
        })
    }
}

/// Whether a template of ours can name it.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .contains(|character: char| character.is_whitespace() || "{}|()\"".contains(character))
}

/// Adds text without fields. Two or more braces in a row are quoted, because they would begin a field; a single brace
/// never stands right before one, because a tag begins with the first of its braces.
fn push_literal(template: &mut String, literal: &str) {
    let mut rest = literal;
    while let Some(start) = rest.find("{{") {
        let after = rest[start..].trim_start_matches('{');
        let end = rest.len() - after.len();
        *template += &[&rest[..start], "{{ \"", &rest[start..end], "\" }}"].concat();
        rest = after;
    }
    *template += rest;
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
                .into_sorted("")
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
