//! Diagnostics as people and programs read them: drawn by `annotate-snippets`, or as lines of JSON.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use hashbrown::HashMap;
use serde::Serialize;

use crate::table::diagnostic::{Diagnostic, File, Severity};

/// Lines of more bytes than this are not drawn whole.
const MOST_DRAWN: usize = 100_000;

/// So many bytes of them are drawn before the place that a diagnostic is about, and as many from there on: more than fits
/// into the width of a terminal.
const MOST_BESIDE: usize = 2_000;

/// What marks the place where a line is cut.
const CUT: &str = "...";

/// A part of a file's text as it is drawn.
struct Excerpt<'f> {
    /// Where it stands in the file.
    bytes: Range<usize>,
    /// How many bytes are drawn before it.
    before: usize,
    text: Cow<'f, str>,
}

impl Diagnostic {
    /// The help, with the number of the Twilio error that the mistake would have caused.
    #[must_use]
    pub fn help_line(&self) -> String {
        match self.error_number {
            Some(number) => format!("{} (Twilio error {number})", self.help),
            None => self.help.clone(),
        }
    }

    /// Draws the line, a caret, the code and the help, without a final line feed.
    #[must_use]
    pub fn draw(&self, renderer: &Renderer) -> String {
        self.draw_with(renderer, None)
    }

    /// The same with a note below the help.
    fn draw_with(&self, renderer: &Renderer, note: Option<&str>) -> String {
        let source = &*self.file;
        let span =
            source.boundary(self.span.start)..source.boundary(self.span.end.max(self.span.start));
        let excerpt = source.excerpt(&span);
        let (first_line, _) = source.position(excerpt.bytes.start);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let help = self.help_line();
        let place = |at: usize| at.min(excerpt.bytes.end) - excerpt.bytes.start + excerpt.before;
        let snippet = Snippet::source(excerpt.text.as_ref())
            .line_start(first_line)
            .annotation(AnnotationKind::Primary.span(place(span.start)..place(span.end)));
        let group = level
            .primary_title(self.message.as_str())
            .id(self.check.code);
        let group = if excerpt.before == 0 {
            group.element(snippet.path(source.name.as_str()))
        } else {
            // The column in the excerpt may differ from the column in the line.
            let (line, column) = source.position(span.start);
            let origin = Origin::path(source.name.as_str());
            group
                .element(origin.line(line).char_column(column))
                .element(snippet)
        };
        let group = group.element(Level::HELP.message(help.as_str()));
        let note = note.map(|note| Level::NOTE.message(note));
        renderer.render(&[group.elements(note)])
    }

    /// The line that `check --format json` prints for it: one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        /// Its members, in the order in which they are documented.
        #[derive(Serialize)]
        struct Shown<'d> {
            severity: &'static str,
            code: &'static str,
            message: &'d str,
            file: &'d str,
            line: usize,
            column: usize,
            end_line: usize,
            end_column: usize,
            help: String,
            fix: Option<ShownFix<'d>>,
        }
        #[derive(Serialize)]
        struct ShownFix<'d> {
            line: usize,
            column: usize,
            end_line: usize,
            end_column: usize,
            text: &'d str,
        }
        let (line, column) = self.file.position(self.span.start);
        let (end_line, end_column) = self.file.position(self.span.end);
        let fix = self.fix.as_ref().map(|fix| {
            let (line, column) = self.file.position(fix.span.start);
            let (end_line, end_column) = self.file.position(fix.span.end);
            ShownFix {
                line,
                column,
                end_line,
                end_column,
                text: &fix.text,
            }
        });
        let shown = Shown {
            severity: self.severity.as_str(),
            code: self.check.code,
            message: &self.message,
            file: &self.file.name,
            line,
            column,
            end_line,
            end_column,
            help: self.help_line(),
            fix,
        };
        serde_json::to_string(&shown).expect("texts and numbers can be written as JSON")
    }
}

/// Of mistakes that are alike so many are shown, and the rest is counted.
const MOST_SHOWN: usize = 5;

/// The most lines that are named of those that are only counted.
const MOST_LINES: usize = 10;

/// A diagnostic that is shown, perhaps on behalf of others that are not.
#[derive(Debug)]
pub struct Shown<'d> {
    /// The diagnostic.
    pub diagnostic: &'d Diagnostic,
    /// The number of similar diagnostics that are not shown.
    pub more: usize,
    /// The lines of some of them.
    lines: Vec<usize>,
}

impl Shown<'_> {
    /// Draws it like [`Diagnostic::draw`], with a note that counts the similar ones.
    #[must_use]
    pub fn draw(&self, renderer: &Renderer) -> String {
        self.diagnostic.draw_with(renderer, self.note().as_deref())
    }

    /// The number of similar diagnostics in words: `and 47 more rows like it, in lines …`; `None` without any.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if self.more == 0 {
            return None;
        }
        let is_csv = Path::new(&self.diagnostic.file.name).extension();
        let is_csv = is_csv.is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let rows = match (is_csv, self.more) {
            (false, _) => "",
            (true, 1) => " row",
            (true, _) => " rows",
        };
        let mut note = format!("and {} more{rows} like it", self.more);
        let mut lines = self.lines.clone();
        lines.dedup();
        let named: Vec<String> = lines
            .iter()
            .take(MOST_LINES)
            .map(usize::to_string)
            .collect();
        if !named.is_empty() {
            let line = if lines.len() == 1 { "line" } else { "lines" };
            let rest = if self.more > named.len() {
                " and later"
            } else {
                ""
            };
            note = format!("{note}, in {line} {}{rest}", named.join(", "));
        }
        Some(note)
    }
}

/// The diagnostics to show: of similar ones in the same file only a few, the last of which counts the others.
#[must_use]
pub fn folded<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>) -> Vec<Shown<'d>> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    // For each kind, their number and the index of the last one shown.
    let mut kinds: HashMap<(&str, &str, Severity, String), (usize, usize)> = HashMap::new();
    for diagnostic in diagnostics {
        let file = &*diagnostic.file.name;
        let kind = (
            file,
            diagnostic.check.code,
            diagnostic.severity,
            pattern(&diagnostic.message),
        );
        let (count, last) = kinds.entry(kind).or_default();
        *count += 1;
        if *count > MOST_SHOWN {
            let last = &mut shown[*last];
            last.more += 1 + diagnostic.more;
            if last.lines.len() <= MOST_LINES {
                last.lines
                    .push(diagnostic.file.position(diagnostic.span.start).0);
            }
        } else {
            *last = shown.len();
            shown.push(Shown {
                diagnostic,
                more: diagnostic.more,
                lines: Vec::new(),
            });
        }
    }
    shown
}

/// A message without what differs from one mistake to another of its kind: figures, and quoted parts.
fn pattern(message: &str) -> String {
    let mut pattern = String::with_capacity(message.len());
    let mut quote = None;
    for character in message.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '`') => quote = Some(character),
            None if character.is_ascii_digit() => {}
            None => pattern.push(character),
        }
    }
    pattern
}

impl File {
    /// The text to draw for a span: the lines that it touches, or only the text near it when they are very long. The
    /// renderer reads all of its source, and a generated table may have a million numbers in one line.
    fn excerpt(&self, span: &Range<usize>) -> Excerpt<'_> {
        let start = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[span.end..];
        let end = rest.find('\n').map_or(self.text.len(), |at| span.end + at);
        // A carriage return is part of the line ending, unless the diagnostic is about that very character.
        let is_cut = end > span.end && self.text[..end].ends_with('\r');
        let lines = start..end - usize::from(is_cut);
        if lines.len() <= MOST_DRAWN {
            return Excerpt {
                text: self.text[lines.clone()].into(),
                bytes: lines,
                before: 0,
            };
        }
        let start = self.boundary(span.start.saturating_sub(MOST_BESIDE).max(lines.start));
        let end = self.boundary((span.start + MOST_BESIDE).min(lines.end));
        let before = if start > lines.start { CUT } else { "" };
        let behind = if end < lines.end { CUT } else { "" };
        Excerpt {
            text: [before, &self.text[start..end], behind].concat().into(),
            bytes: start..end,
            before: before.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::language::values::BAD_NUMBER;

    #[test]
    fn a_diagnostic_is_drawn_with_its_line_and_help() {
        let file = File::new("responses.toml", "a = 1\nb = \"é\" # x\nc = 2\n");
        let diagnostic = Diagnostic {
            check: &BAD_NUMBER,
            severity: Severity::Error,
            file,
            span: 10..14,
            message: "not a digit at byte 0".into(),
            help: "write the number as +15005550006".into(),
            error_number: Some(13223),
            fix: None,
            more: 0,
        };
        assert_eq!(
            diagnostic.draw(&Renderer::plain()),
            "error[bad-number]: not a digit at byte 0\n \
             --> responses.toml:2:5\n  \
             |\n\
             2 | b = \"é\" # x\n  \
             |     ^^^\n  \
             |\n  \
             = help: write the number as +15005550006 (Twilio error 13223)"
        );
    }

    #[test]
    fn of_many_that_are_alike_a_few_are_shown() {
        let file = File::new("sellers.csv", "\n".repeat(60));
        let diagnostic = |line: usize, message: String| Diagnostic {
            check: &BAD_NUMBER,
            severity: Severity::Error,
            file: Arc::clone(&file),
            span: line..line,
            message,
            help: String::new(),
            error_number: None,
            fix: None,
            more: usize::from(line == 59) * 1_000,
        };
        let wrong =
            (0..60).map(|line| diagnostic(line, format!("`{line}` is wrong in 1 of {line}")));
        let mut all: Vec<Diagnostic> = wrong.collect();
        all.insert(30, diagnostic(30, "another".to_owned()));
        let shown = folded(&all);
        let more: Vec<usize> = shown.iter().map(|shown| shown.more).collect();
        assert_eq!(more, [0, 0, 0, 0, 1_055, 0]);
        assert_eq!(
            shown[4].note().as_deref(),
            Some(
                "and 1055 more rows like it, in lines 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 and later"
            )
        );
        let note = folded(&all[..6])[4].note();
        assert_eq!(note.as_deref(), Some("and 1 more row like it, in line 6"));
        assert!(folded(&all[..5]).iter().all(|shown| shown.note().is_none()));
        let drawn = shown[4].draw(&Renderer::plain());
        assert!(drawn.ends_with("and later"), "{drawn}");
    }

    #[test]
    fn of_a_very_long_line_only_what_is_near_is_drawn() {
        let many = |count: usize| "\"1415555\u{e9}\", ".repeat(count);
        let text = format!("a = 1\nb = [{}X{}]\nc = 2\n", many(50_000), many(50_000));
        let at = text.find('X').expect("the place");
        let diagnostic = Diagnostic {
            check: &BAD_NUMBER,
            severity: Severity::Error,
            span: at..at + 1,
            file: File::new("responses.toml", text),
            message: "not a number".into(),
            help: "write a number".into(),
            error_number: None,
            fix: None,
            more: 0,
        };
        let drawn = diagnostic.draw(&Renderer::plain().term_width(10_000));
        assert!(drawn.contains(" --> responses.toml:2:600006\n"), "{drawn}");
        assert!(drawn.len() < 8 * MOST_BESIDE, "{} bytes", drawn.len());
        let mut lines = drawn.lines().skip(4);
        let (line, caret) = (
            lines.next().expect("a line"),
            lines.next().expect("a caret"),
        );
        let column = caret.chars().position(|character| character == '^');
        assert_eq!(line.chars().position(|character| character == 'X'), column);
        assert!(
            line.starts_with("2 | ...") && line.ends_with("..."),
            "{line}"
        );
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = File::new("x", "é1\n2");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(1), (1, 1));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!(source.position(4), (2, 1));
        assert_eq!(source.position(99), (2, 2));
    }

    #[test]
    fn a_file_is_the_same_by_its_name_and_its_text() {
        let one = File::new("a.toml", "a\nb\n");
        // Having asked for a position makes no difference.
        assert_eq!(one.position(2), (2, 1));
        assert_eq!(*one, *File::new("a.toml", "a\nb\n"));
        assert_ne!(*one, *File::new("b.toml", "a\nb\n"));
        assert_ne!(*one, *File::new("a.toml", "a\nc\n"));
    }

    #[test]
    fn a_line_is_shown_without_its_end() {
        let file = File::new("x", "a = 1\r\nb\r\n\nc\r");
        for (span, shown) in [
            (0..1, "a = 1"),
            // Drawing the line feed would add a line.
            (2..5, "a = 1"),
            // The diagnostic is about the carriage return itself.
            (5..6, "a = 1\r"),
            (7..8, "b"),
            (4..8, "a = 1\r\nb"),
            (10..10, ""),
            (11..12, "c"),
        ] {
            assert_eq!(file.excerpt(&span).text, shown, "{span:?}");
        }
    }

    #[test]
    fn a_very_long_line_is_cut_where_it_is_not_shown_whole() {
        let text = format!("a\n{}\nb", "x".repeat(MOST_DRAWN + 1));
        let (first, last) = (2, 2 + MOST_DRAWN + 1);
        for (start, before, behind) in [
            (first, false, true),
            (first + MOST_BESIDE, false, true),
            (first + MOST_BESIDE + 1, true, true),
            (last - MOST_BESIDE - 1, true, true),
            (last - MOST_BESIDE, true, false),
            (last, true, false),
        ] {
            let file = File::new("x", &*text);
            let excerpt = file.excerpt(&(start..start));
            let cut = |is_cut| if is_cut { CUT } else { "" };
            let length = excerpt.bytes.len();
            assert_eq!(
                excerpt.text,
                [cut(before), &*"x".repeat(length), cut(behind)].concat(),
                "{start}"
            );
            assert!(
                (MOST_BESIDE..=2 * MOST_BESIDE).contains(&length),
                "{start} {length}"
            );
            assert_eq!(excerpt.before, cut(before).len());
        }
    }
}
