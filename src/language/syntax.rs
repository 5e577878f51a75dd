//! A file that is not TOML: each mistake is reported once, and the rest of the file is read all the same.
//!
//! A mistake is mended, as far as that can be done without doubt, by trying what people mean: a repair is right when the
//! file can be read beyond the line. Then everything else in the file is checked as if the mistake were not there. What
//! cannot be repaired is blanked, at most up to the next line that begins a section.

mod repairs;

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use self::repairs::{Repair, repairs, words};
use super::shape::{self, KeyKind};
use crate::table::diagnostic::{Check, Diagnostic, File, Fix, Severity};
use crate::table::visible::shown;

pub(super) static TOML_SYNTAX: Check = Check::new(
    "toml-syntax",
    "The file is not valid TOML here. The most common causes: a quote or a bracket that is not closed, a missing comma, a
value without quotes, quotes or spaces that a word processor has replaced, a section that is defined twice, single
brackets where `[[route]]` needs two.",
    r#"name = ride-ended     # name = "ride-ended""#,
);

/// Reading stops after this many mistakes: such a file is something else than a table.
const MOST: usize = 100;

/// How many bytes of a large file show whether it is a table.
const BEGINNING: usize = 64 << 10;

/// The most mistakes that are looked for in one part of a file.
const MOST_PER_PART: usize = 20;

/// Only the first mistake is looked for in a part that has more bytes, because each takes another reading of the part.
const LARGE_PART: usize = 1 << 20;

/// No repair is tried in a part that has more bytes, because there are many to try.
const LONGEST_REPAIRED: usize = 16 << 10;

/// The most repairs in one line.
const MOST_PER_LINE: usize = 8;

/// The TOML parser's message for a duplicate key.
const DUPLICATE: &str = "duplicate key";

/// A file that is not TOML, and the text that is read instead.
pub(super) struct Repaired {
    /// The file under the same name and with the same lines, every mistake repaired or blanked.
    pub file: Arc<File>,
    original: Arc<File>,
    origins: Origins,
    /// The blanked parts of the original.
    blanked: Vec<Range<usize>>,
    errors: Vec<Diagnostic>,
}

/// For each byte of a text, and for its end, the corresponding byte of the original.
struct Origins(Vec<usize>);

impl Origins {
    fn of(&self, span: &Range<usize>) -> Range<usize> {
        let last = self.0.len() - 1;
        self.0[span.start.min(last)]..self.0[span.end.min(last)]
    }

    /// What replaces these bytes now corresponds to the first of them.
    fn replace(&mut self, old: Range<usize>, new: usize) {
        let origin = self.0[old.start];
        self.0.splice(old, std::iter::repeat_n(origin, new));
    }
}

impl Repaired {
    /// Maps what was found in the repaired text to its place in the original, together with what is not TOML.
    pub(super) fn restore(&self, found: &mut Vec<Diagnostic>) {
        if !self.blanked.is_empty() {
            // A missing thing may be in a part that could not be read; a misspelt one is there.
            found.retain(|diagnostic| !diagnostic.check.is_absence || diagnostic.fix.is_some());
        }
        let is_ours = |diagnostic: &&mut Diagnostic| Arc::ptr_eq(&diagnostic.file, &self.file);
        for diagnostic in found.iter_mut().filter(is_ours) {
            diagnostic.file = Arc::clone(&self.original);
            diagnostic.span = self.origins.of(&diagnostic.span);
            if let Some(fix) = &mut diagnostic.fix {
                fix.span = self.origins.of(&fix.span);
            }
            // A fix that touches blanked text would write the blanks into the file.
            let is_whole = |fix: &Fix| {
                let mut blanked = self.blanked.iter();
                !blanked.any(|lost| lost.start < fix.span.end && fix.span.start < lost.end)
            };
            diagnostic.fix = diagnostic.fix.take().filter(is_whole);
        }
        found.splice(0..0, self.errors.iter().cloned());
    }
}

/// The text of a file; of a large one that is something else than a table only the beginning, since a parser may take a
/// hundred bytes of memory for each byte of such a text.
pub(super) fn readable(file: &File) -> &str {
    if file.text.len() > LARGE_PART {
        let beginning = &file.text[..file.boundary(BEGINNING)];
        let beginning = &beginning[..beginning.rfind('\n').unwrap_or(beginning.len())];
        // No TOML begins like JSON or XML, which may be a single line.
        let is_another = beginning.trim_start().starts_with(['{', '<']);
        if is_another || DeTable::parse_recoverable(beginning).1.len() >= MOST {
            return beginning;
        }
    }
    &file.text
}

/// Repairs a file that is not TOML, as far as it is [`readable`].
pub(super) fn repaired(file: &Arc<File>) -> Repaired {
    let readable = readable(file);
    let lost = readable.len()..file.text.len();
    let mut repairing = Repairing {
        file,
        text: readable.to_owned(),
        origins: Origins((0..=readable.len()).collect()),
        blanked: Some(lost)
            .filter(|lost| !lost.is_empty())
            .into_iter()
            .collect(),
        errors: Vec::new(),
    };
    repairing.add_brackets();
    let mut start = 0;
    while start < repairing.text.len() {
        if repairing.errors.len() >= MOST {
            let lost = start..repairing.text.len();
            repairing.blanked.push(repairing.origins.of(&lost));
            repairing.text.truncate(start);
            break;
        }
        let next = repairing.text[start..].find("\n[");
        let end = next.map_or(repairing.text.len(), |at| start + at + 1);
        start = repairing.part(start..end);
    }
    repairing.add_duplicates();
    Repaired {
        file: File::new(file.name.clone(), repairing.text),
        original: Arc::clone(file),
        origins: repairing.origins,
        blanked: repairing.blanked,
        errors: repairing.errors,
    }
}

struct Repairing<'f> {
    file: &'f Arc<File>,
    text: String,
    origins: Origins,
    blanked: Vec<Range<usize>>,
    errors: Vec<Diagnostic>,
}

/// What a TOML parser says of a text first, and where; a repeated key does not concern a part.
fn first_error(text: &str) -> Option<(String, Range<usize>)> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let errors = errors.iter().filter(|error| error.message() != DUPLICATE);
    let places = errors.map(|error| (error.message(), error.span().unwrap_or(0..0)));
    let (message, span) = places.min_by_key(|(_, span)| span.start)?;
    Some((message.to_owned(), span))
}

impl Repairing<'_> {
    /// Reports the mistakes in a part and repairs or blanks them; returns where the part then ends.
    fn part(&mut self, part: Range<usize>) -> usize {
        let (start, mut end) = (part.start, part.end);
        let is_large = part.len() > LARGE_PART;
        let most = if is_large { 1 } else { MOST_PER_PART };
        let mut last_line = None;
        for _ in 0..most.min(MOST - self.errors.len()) {
            let Some((said, span)) = first_error(&self.text[start..end]) else {
                return end;
            };
            let repairs = if part.len() <= LONGEST_REPAIRED {
                repaired_line(&self.text[start..end], span.start)
            } else {
                None
            };
            if let Some(repairs) = repairs {
                for repair in repairs {
                    end = end + repair.new.len() - repair.old.len();
                    self.apply(start, repair);
                }
                continue;
            }
            let span = start + span.start..start + span.end;
            let here = self.line(span.start);
            if last_line.is_some_and(|last| here <= last + 1) {
                // Blanking the previous line did not help: something opened there runs to the end of the part.
                break;
            }
            self.report(&span, words(&said), None);
            if here == self.line(start) && self.text[start..].starts_with('[') {
                // Without its first line, it is unknown what the rest of the part belongs to.
                self.blank(start..end);
                return end;
            }
            last_line = Some(here);
            self.blank(line_of(&self.text, span.start.min(end.saturating_sub(1))));
        }
        // The section's header stays if it can be read, so the section still exists.
        let header = line_of(&self.text, start);
        let is_good = DeTable::parse(&self.text[header.clone()]).is_ok();
        self.blank(if is_good {
            header.end.min(end)..end
        } else {
            start..end
        });
        end
    }

    /// The line of a byte in the original, counted from 1.
    fn line(&self, at: usize) -> usize {
        self.file.position(self.origins.of(&(at..at)).start).0
    }

    /// Makes a repair of the part that begins at `start`, and reports what it corrects.
    fn apply(&mut self, start: usize, repair: Repair) {
        let in_text = |range: &Range<usize>| start + range.start..start + range.end;
        let old = in_text(&repair.old);
        let span = self.origins.of(&old);
        // Text that an earlier repair wrote is not in the file, so there is nothing to fix.
        let is_old = old.start == 0 || self.origins.0[old.start - 1] < span.start;
        let fix = is_old.then(|| Fix {
            span,
            text: repair.new.clone(),
        });
        let words = (repair.message, repair.help);
        self.report(&in_text(&repair.place), words, fix);
        self.origins.replace(old.clone(), repair.new.len());
        self.text.replace_range(old, &repair.new);
    }

    /// Reports a mistake at a place in the current text.
    fn report(&mut self, place: &Range<usize>, words: (String, String), fix: Option<Fix>) {
        let span = self.origins.of(place);
        let (message, help) = words;
        self.errors.push(Diagnostic {
            check: &TOML_SYNTAX,
            severity: Severity::Error,
            file: Arc::clone(self.file),
            // The parser's place may be inside a character.
            span: self.file.boundary(span.start)..self.file.boundary(span.end),
            message: shown(&message),
            help: shown(&help),
            error_number: None,
            fix,
            more: 0,
        });
    }

    /// Replaces a range with blanks but keeps its line feeds.
    fn blank(&mut self, range: Range<usize>) {
        self.blanked.push(self.origins.of(&range));
        let bytes = self.text.as_bytes()[range.clone()].iter();
        let blanks = bytes.map(|byte| if *byte == b'\n' { '\n' } else { ' ' });
        let blanks: String = blanks.collect();
        self.text.replace_range(range, &blanks);
    }

    /// Reports errors that only show in the whole file: duplicate keys and sections.
    fn add_duplicates(&mut self) {
        let (_, errors) = DeTable::parse_recoverable(&self.text);
        let errors: Vec<_> = errors
            .iter()
            .map(|error| (error.message().to_owned(), error.span().unwrap_or(0..0)))
            .collect();
        let mut repeated = 0..0;
        for (said, span) in errors {
            if repeated.contains(&span.start) {
                // It is in a section that occurs twice.
                continue;
            }
            let line = self.text[line_of(&self.text, span.start)].trim_start();
            if said == DUPLICATE && line.starts_with('[') {
                let next = self.text[span.start..].find("\n[");
                repeated = span.end..next.map_or(self.text.len(), |at| span.start + at);
            }
            let line = self.line(span.start);
            let is_here = |known: &Diagnostic| self.file.position(known.span.start).0 == line;
            if self.errors.len() >= MOST || self.errors.iter().any(is_here) {
                continue;
            }
            if said == DUPLICATE {
                self.add_duplicate(&span);
            } else {
                self.report(&span, words(&said), None);
            }
        }
    }

    fn add_duplicate(&mut self, key: &Range<usize>) {
        let line = line_of(&self.text, key.start);
        let line = line.start + usize::from(self.text[line.clone()].starts_with('\n'))..line.end;
        let (before, name) = (&self.text[..line.start], &self.text[key.clone()]);
        let written = |line: &str| {
            let code = line.split('#').next().unwrap_or_default();
            code.trim().to_owned()
        };
        let header = written(&self.text[line.clone()]);
        let plain = header.trim_matches(['[', ']']);
        if !header.starts_with('[') {
            let is_key = |line: &str| {
                let rest = line.trim_start().strip_prefix(name);
                rest.is_some_and(|rest| rest.trim_start().starts_with('='))
            };
            let section = before.rfind("\n[").map_or(0, |at| at + 1);
            let first = before[section..].lines().position(is_key);
            let message = match first.filter(|_| is_key(&self.text[line])) {
                Some(first) => {
                    format!(
                        "`{name}` is already set in line {}",
                        self.line(section) + first
                    )
                }
                None => format!("`{name}` is set twice in this table"),
            };
            let help = "remove one of the two".to_owned();
            return self.report(key, (message, help), None);
        }
        let is_same = |line: &str| written(line).trim_matches(['[', ']']) == plain;
        let message = match before.lines().position(is_same) {
            Some(first) => format!("{header} is already defined in line {}", first + 1),
            None => format!("`{name}` is already defined"),
        };
        let help = "merge the two sections, or remove one".to_owned();
        self.report(key, (message, help), None);
    }

    /// Reports and repairs headers such as `[route]` for `[[route]]`, when there are several such sections.
    fn add_brackets(&mut self) {
        for key in shape::FILE.keys.iter().filter(|key| may_repeat(key.name)) {
            let (single, double) = (format!("[{}]", key.name), format!("[[{}]]", key.name));
            let headers = |header: &str| -> Vec<usize> {
                let found = self.text.match_indices(header).map(|(at, _)| at);
                let begins_line = |at: &usize| *at == 0 || self.text[..*at].ends_with('\n');
                found.filter(begins_line).collect()
            };
            let wrong = headers(&single);
            if wrong.len() + headers(&double).len() < 2 {
                continue;
            }
            for (before, at) in wrong.into_iter().enumerate() {
                let at = at + before * (double.len() - single.len());
                let repair = Repair {
                    old: at..at + single.len(),
                    new: double.clone(),
                    place: at..at + single.len(),
                    message: format!("{single} can occur only once"),
                    help: format!("write {double}, with two brackets, above each {}", key.name),
                    closes_line: false,
                };
                self.apply(0, repair);
            }
        }
    }
}

/// Whether the file may have several sections of this name, with headers in double brackets.
fn may_repeat(name: &str) -> bool {
    let mut keys = shape::FILE.keys.iter();
    let key = keys.find(|key| key.name == name);
    key.is_some_and(|key| matches!(key.kind, KeyKind::Array(KeyKind::Section(_))))
}

/// The repairs that let a part be read beyond the line with the mistake at `at`. Each refers to the text after the
/// repairs before it. `None` when the line cannot be fully mended.
fn repaired_line(part: &str, at: usize) -> Option<Vec<Repair>> {
    let mut text = part.to_owned();
    let mut at = at;
    let mut made: Vec<Repair> = Vec::new();
    // Measured from the end, because the repairs do not change the text there.
    let beyond = part.len() - line_of(part, at).end;
    while made.len() < MOST_PER_LINE {
        let mut best: Option<(usize, Repair)> = None;
        let at_character = (0..=at).rev().find(|at| text.is_char_boundary(*at));
        for repair in repairs(&text, at_character.unwrap_or(0)) {
            let mut new = text.clone();
            new.replace_range(repair.old.clone(), &repair.new);
            let next = first_error(&new).map(|(_, span)| span.start);
            let left = next.map_or(0, |next| new.len() - next + 1);
            let most = best.as_ref().map_or(usize::MAX, |(most, _)| *most);
            if left < most && next.is_none_or(|next| is_beyond(&new, next, at, &repair)) {
                best = Some((left, repair));
            }
        }
        let (left, repair) = best?;
        text.replace_range(repair.old.clone(), &repair.new);
        made.push(repair);
        if left <= beyond {
            return Some(made);
        }
        at = text.len() + 1 - left;
    }
    None
}

/// Whether a repair of the mistake at `at` is progress, given that the next mistake is at `next` in the new text.
fn is_beyond(new: &str, next: usize, at: usize, repair: &Repair) -> bool {
    let added = repair.old.start..repair.old.start + repair.new.len();
    let old = if repair.old.end <= at {
        // The old place, shifted by what the repair added and removed before it.
        at + added.len() - repair.old.len()
    } else if repair.old.start > at {
        at
    } else {
        added.end.saturating_sub(1)
    };
    let between = new.get(added.end..next).unwrap_or_default();
    let lines = between.matches('\n').count();
    // A quote closed at the end of its line may have been meant to close on the next line.
    next > old && !(repair.closes_line && lines == 1)
}

/// The range of the line around a byte, from the line feed before it to the line feed after it.
fn line_of(text: &str, byte: usize) -> Range<usize> {
    // Works on bytes, because the parser's place may be inside a character.
    let bytes = text.as_bytes();
    let byte = byte.min(bytes.len());
    let is_line_feed = |byte: &u8| *byte == b'\n';
    let start = bytes[..byte].iter().rposition(is_line_feed);
    let length = bytes[byte..].iter().position(is_line_feed);
    start.unwrap_or(0)..length.map_or(bytes.len(), |length| byte + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the mistakes, and the readable text, which has the same number of lines.
    fn repaired_text(text: &str) -> (Vec<usize>, String) {
        let file = File::new("x", text);
        let Repaired {
            file: new, errors, ..
        } = repaired(&file);
        let (_, left) = DeTable::parse_recoverable(&new.text);
        assert!(
            left.iter().all(|error| error.message() == DUPLICATE),
            "{text}{}",
            new.text
        );
        assert_eq!(new.text.matches('\n').count(), text.matches('\n').count());
        let places = errors.iter().map(|error| file.position(error.span.start).0);
        (places.collect(), new.text.clone())
    }

    #[test]
    fn each_mistake_is_reported_once_and_the_rest_can_be_read() {
        for (text, lines) in [
            ("a = 1\n[b]\nc = 2\n", &[] as &[usize]),
            ("a = \n[b]\nc = \"x\nd = 1\n[e]\nf = 1\n", &[1, 3]),
            (
                "[[r]]\nv = [ { S = \"x }, ]\nw = [\n 1,\n]\n[[r]]\nv = 1\n",
                &[2],
            ),
            ("[[r]]\nname \"x\"\n\n\nv = \n", &[2, 5]),
            (
                "[[r]]\na = [\n  { b = 1 }\n  { c = 2 }\n  { d = 3 }\n]\n",
                &[3, 4],
            ),
            (
                "[[r]]\na = [ \"1\" \"2\" \"3\" ]\nb = x y z\nc = 1\nc = 2\n",
                &[2, 2, 3, 5],
            ),
        ] {
            assert_eq!(repaired_text(text).0, lines, "{text}");
        }
    }

    #[test]
    fn what_is_mended_is_what_was_meant() {
        for (text, meant) in [
            ("a\u{a0}= \"x\"", "a = \"x\""),
            ("\u{a0}\u{a0}a = \"x\"\u{200b}", " a = \"x\""),
            ("a = “x”", "a = \"x\""),
            ("a = \"x”", "a = \"x\""),
            ("a = ‘x’", "a = \"x\""),
            (
                "a = [ { b = \"“c”\" }, { d = “e” } ]",
                "a = [ { b = \"“c”\" }, { d = \"e\" } ]",
            ),
            ("a = −1", "a = -1"),
            ("v = [ { Hangup } ]", "v = [ { Hangup = \"\" } ]"),
            (
                "v = [ { Pause, length = 2 } ]",
                "v = [ { Pause = \"\", length = 2 } ]",
            ),
            ("v = [ Hangup ]", "v = [ { Hangup = \"\" } ]"),
            ("v = [ Say = \"x\" ]", "v = [ { Say = \"x\" } ]"),
            ("v = { Say = \"x\" } ]", "v = [ { Say = \"x\" } ]"),
            (
                "v = [ { Say = \"a\" } { Say = \"b\" voice = \"c\" } ]",
                "v = [ { Say = \"a\" }, { Say = \"b\", voice = \"c\" } ]",
            ),
            (
                "v = [ { Say = \"a\" } # b\n { Say = \"c\" } ]",
                "v = [ { Say = \"a\" }, # b\n { Say = \"c\" } ]",
            ),
            (
                "v = [ { Say = \"a\" },, { Say = \"b\" } ]",
                "v = [ { Say = \"a\" }, { Say = \"b\" } ]",
            ),
            (
                "v = [ { Say = \"Hello. }, { Hangup = \"\" } ]",
                "v = [ { Say = \"Hello.\" }, { Hangup = \"\" } ]",
            ),
            (
                "v = [ { Say = \"Hello.\" \n\nb = 1",
                "v = [ { Say = \"Hello.\" } ] \n\nb = 1",
            ),
            (
                "v = [ { Say = \"Hello.\"  ]",
                "v = [ { Say = \"Hello.\" }  ]",
            ),
            (
                "v = [\n { Say = \"Hello.\" },\n\nb = 1",
                "v = [\n { Say = \"Hello.\" }, ]\n\nb = 1",
            ),
            ("a \"x\"", "a = \"x\""),
            ("a: \"x\"", "a = \"x\""),
            ("a => [ 1 ]", "a = [ 1 ]"),
            ("a == 1", "a = 1"),
            ("a = { \"b\": \"c\" }", "a = { \"b\" = \"c\" }"),
            ("a = ride-ended # b", "a = \"ride-ended\" # b"),
            ("a = two words", "a = \"two words\""),
            ("a = { b = +1-500-555 }", "a = { b = \"+1-500-555\" }"),
            ("a = 01", "a = \"01\""),
            ("a = { b = * }", "a = { b = \"*\" }"),
            ("a = [ x, \"y\" ]", "a = [ \"x\", \"y\" ]"),
            ("a = { b = \"\\d{7}\" }", "a = { b = '\\d{7}' }"),
            ("a = True", "a = true"),
            ("a = \"x\nb = 1", "a = \"x\"\nb = 1"),
            ("a = 'x\nb = 1", "a = 'x'\nb = 1"),
            ("a = x\"", "a = \"x\""),
            ("a = 'it's'", "a = \"it's\""),
            ("a = \"x\",\nb = 1;", "a = \"x\"\nb = 1"),
            ("// x\na = 1", "# x\na = 1"),
            ("[[a]\nb = 1", "[[a]]\nb = 1"),
            ("[a\nb = 1", "[a]\nb = 1"),
            ("a = \"x\u{1b}y\"", "a = \"xy\""),
        ] {
            assert_eq!(repaired_text(text).1, meant, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_mended() {
        for text in [
            "a =",
            "a = { b }",
            "say hello world",
            "a = [ { b = \"One\nTwo\" } ]\nc = 1",
            "{ \"a\" }",
            "a = 1\rb = 2\r",
        ] {
            let repaired = repaired(&File::new("x", text));
            assert!(!repaired.errors.is_empty(), "{text}");
            assert!(
                repaired.errors.iter().all(|error| error.fix.is_none()),
                "{text}{:?}",
                repaired.errors
            );
        }
    }
}
