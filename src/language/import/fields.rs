//! Turns the Mustache fields of TwiML Bins into our templates.
//!
//! A TwiML Bin fills in `{{From}}`, has sections (`{{#Name}}…{{/Name}}`, `{{^Name}}…{{/Name}}`) and one function,
//! `e164`. Source: "How to use templates with TwiML Bins", Twilio help centre, article 230878368; the rest of the
//! notation: <https://mustache.github.io/mustache.5.html>. Our templates have fields only.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::Notes;

/// A tag: three braces around a name, or two around a sign and a name.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)\{\{\{([^{}!#^/>=&]*)\}\}\}|\{\{\s*([!#^/>=&]?)(.*?)\}\}")
        .expect("the pattern is well formed")
});

/// The braces that would begin a field in one of our templates.
static BRACES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{+").expect("the pattern is well formed"));

/// The sections that are open while an element's content is read: each one's name, and whether it is `{{^Name}}`, which
/// applies when the parameter is absent.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, bool)>);

impl Fields {
    /// Whether the place after the last text is in a section for an absent parameter. Such sections are left out.
    pub(super) fn is_hidden(&self) -> bool {
        self.0.iter().any(|(_, is_inverted)| *is_inverted)
    }

    /// Turns a text of the document into one of our templates. Notes and removes all other Mustache syntax.
    pub(super) fn convert(&mut self, text: &str, at: usize, notes: &mut Notes) -> String {
        // Removing a tag joins the braces on both sides of it, so a literal ends only where a field begins.
        let (mut template, mut literal, mut read) = (String::new(), String::new(), 0);
        for tag in TAG.captures_iter(text) {
            let raw = &tag[0];
            let start = tag.get_match().start();
            if !self.is_hidden() {
                literal += &text[read..start];
            }
            read = start + raw.len();
            let (sign, name) = match tag.get(1) {
                Some(name) => ("&", name.as_str()),
                None => (&tag[2], &tag[3]),
            };
            if let Some(name) = self.field(raw, sign, name.trim(), at, notes)
                && !self.is_hidden()
            {
                template += &quoted_braces(&std::mem::take(&mut literal));
                template += &["{{ ", name, " }}"].concat();
            }
        }
        if !self.is_hidden() {
            literal += &text[read..];
        }
        template + &quoted_braces(&literal)
    }

    /// The field for a tag; `None`, with a note, if there is no such field.
    fn field<'t>(
        &mut self,
        raw: &str,
        sign: &str,
        name: &'t str,
        at: usize,
        notes: &mut Notes,
    ) -> Option<&'t str> {
        let cannot_be_named = |part: char| part.is_whitespace() || "{}|()\"".contains(part);
        let left_out = match sign {
            "!" => {
                notes.say(at, format!("left out the comment {raw}"));
                return None;
            }
            "/" => {
                if let Some(opened) = self.0.iter().rposition(|(opened, _)| opened == name) {
                    self.0.truncate(opened);
                }
                return None;
            }
            "#" | "^" => {
                self.0.push((name.to_owned(), sign == "^"));
                section_note(raw, sign, name)
            }
            ">" => format!("left out {raw}: write the included text here"),
            "=" => format!("left out {raw}: fields are always written as {{{{ Name }}}}"),
            _ if name == "." => {
                format!("left out {raw}: a parameter has only one value, so write each value out")
            }
            _ if name.is_empty() || name.contains(cannot_be_named) => {
                format!("left out {raw}: it does not contain the name of a parameter")
            }
            "&" => {
                let message = format!(
                    "{raw} is now {{{{ {name} }}}}: elements in its value are read as text, so write them out"
                );
                notes.leave_out(at, message);
                return Some(name);
            }
            _ => return Some(name),
        };
        notes.leave_out(at, left_out);
        None
    }
}

fn section_note(raw: &str, sign: &str, name: &str) -> String {
    if name == "e164" {
        format!(
            "left out {raw}: telephone numbers already have this form; for a SIP caller, take the number from a directory"
        )
    } else if sign == "^" {
        format!(
            "left out the content of {raw}: write it in a separate route, below one with \
             when = {{ {name} = {{ present = true }} }}"
        )
    } else {
        format!(
            "left out {raw}, so its content is always used; to change that, write \
             when = {{ {name} = {{ present = true }} }} here, and a route without it below"
        )
    }
}

/// Quotes each run of two or more braces in a text without fields.
fn quoted_braces(literal: &str) -> Cow<'_, str> {
    BRACES.replace_all(literal, "{{ \"$0\" }}")
}

#[cfg(test)]
mod tests {
    use super::super::xml::DocumentText;
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
            ("{{! why }}x", "x", vec!["left out the comment {{! why }}"]),
            (
                "{{#Name}}Hi {{Name}}{{/Name}}{{^Name}}Hi{{/Name}}!",
                "Hi {{ Name }}!",
                vec![
                    "left out {{#Name}}, so its content is always used; to change that, write when = { Name = { present = true } } here, and a route without it below",
                    "left out the content of {{^Name}}: write it in a separate route, below one with when = { Name = { present = true } }",
                ],
            ),
            (
                "{{#e164}}{{To}}{{/e164}}",
                "{{ To }}",
                vec![
                    "left out {{#e164}}: telephone numbers already have this form; for a SIP caller, take the number from a directory",
                ],
            ),
            (
                "{{{From}}}{{& From }}",
                "{{ From }}{{ From }}",
                vec![
                    "{{{From}}} is now {{ From }}: elements in its value are read as text, so write them out",
                    "{{& From }} is now {{ From }}: elements in its value are read as text, so write them out",
                ],
            ),
            (
                "{{>part}}{{=<% %>=}}{{.}}{{a b}}{{}}",
                "",
                vec![
                    "left out {{>part}}: write the included text here",
                    "left out {{=<% %>=}}: fields are always written as {{ Name }}",
                    "left out {{.}}: a parameter has only one value, so write each value out",
                    "left out {{a b}}: it does not contain the name of a parameter",
                    "left out {{}}: it does not contain the name of a parameter",
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
                .into_sorted(&DocumentText::new(""))
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
