//! The fields of an event for people: `name=value`, texts in quotes, as `tracing-subscriber` itself writes them.
//!
//! Only faster for what nearly every field is, a number or a text without anything to escape: to look up every character
//! whether it can be printed took the larger part of a line's time.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = FieldVisitor {
            writer,
            bare: String::with_capacity(USUAL_LENGTH),
            is_first: true,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.hand_over();
        visitor.result
    }
}

/// Room for the fields of an answered request.
const USUAL_LENGTH: usize = 256;

struct FieldVisitor<'w> {
    writer: Writer<'w>,
    /// Fields that are still to be handed over to the writer.
    bare: String,
    is_first: bool,
    result: fmt::Result,
}

impl FieldVisitor<'_> {
    /// Whether a field is written as it is: it has a name that is shown, and nothing is coloured.
    fn is_bare(&self, field: &Field) -> bool {
        field.name() != "message" && !self.writer.has_ansi_escapes()
    }

    /// Writes a field's name.
    fn begin_bare(&mut self, field: &Field) {
        if !self.is_first {
            self.bare.push(' ');
        }
        self.is_first = false;
        self.bare.push_str(field.name());
        self.bare.push('=');
    }

    fn hand_over(&mut self) {
        if self.result.is_ok() && !self.bare.is_empty() {
            self.result = self.writer.write_str(&self.bare);
        }
        self.bare.clear();
    }

    /// Leaves a field to the library.
    fn write_by_library(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        self.hand_over();
        if self.result.is_ok() {
            let mut visitor = DefaultVisitor::new(self.writer.by_ref(), self.is_first);
            record(&mut visitor);
            self.result = visitor.finish();
            self.is_first = false;
        }
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write_by_library(|visitor| visitor.record_debug(field, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.write_by_library(|visitor| visitor.record_error(field, value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.is_bare(field) && is_plain(value) {
            self.begin_bare(field);
            self.bare.push('"');
            self.bare.push_str(value);
            self.bare.push('"');
        } else {
            self.write_by_library(|visitor| visitor.record_str(field, value));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if self.is_bare(field) {
            self.begin_bare(field);
            // Into a String nothing fails.
            let _ = write!(self.bare, "{value}");
        } else {
            self.write_by_library(|visitor| visitor.record_u64(field, value));
        }
    }
}

/// Whether a text is shown as it is between quotes. Of what is beyond ASCII only a masked number's dots are taken for it.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    // Without a branch for each byte, so that the compiler looks at many at once.
    text.bytes().fold(true, |all, byte| all & is_plain(byte))
        || text
            .chars()
            .all(|character| character == '•' || u8::try_from(character).is_ok_and(is_plain))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;

    /// What a formatter makes of fields with texts of every kind.
    macro_rules! formatted {
        ($formatter:expr, $is_coloured:expr, $($fields:tt)*) => {{
            // An event's fields can be had only within a subscriber, so each formatter gets one.
            let lines = Lines::default();
            let subscriber = tracing_subscriber::fmt()
                .fmt_fields($formatter)
                .with_ansi($is_coloured)
                .without_time()
                .with_writer(lines.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || tracing::info!($($fields)*));
            lines.text()
        }};
    }

    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
        }
    }

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl tracing_subscriber::fmt::MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_is_what_the_library_makes_of_it() {
        for text in [
            "",
            "plain",
            "+141•••••00",
            "two words",
            "\"quoted\"",
            "a\\b",
            "line\nend",
            "\x1b[31m",
            "\u{202e}",
            "\u{e9}",
            "\x7f",
            "~",
        ] {
            for is_coloured in [false, true] {
                let error = std::io::Error::other(text.to_owned());
                let ours = formatted!(Fields, is_coloured, text, number = 7, flag = true, none = None::<u8>, %error, display = %text, "a {text}");
                let theirs = formatted!(DefaultFields::new(), is_coloured, text, number = 7, flag = true, none = None::<u8>, %error, display = %text, "a {text}");
                assert_eq!(ours, theirs);
                assert!(ours.contains("number"), "{ours}");
            }
        }
    }
}
