//! Writing to the terminal, and figures and texts as people read them. Colours appear only on a terminal unless `--color`
//! says otherwise, and a reader that has gone away is not an error.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

pub(super) use crate::service::html::figure;
use crate::table::visible::is_plain;
pub(super) use crate::table::visible::shown;
use crate::table::visible::tamed;

/// Decides whether all later output has colours.
pub(super) fn color(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// Whether standard error has colours.
pub(super) fn complains_in_color() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Whether a stream goes to systemd's journal, which announces the device and inode of its end in `JOURNAL_STREAM`.
///
/// Source: `systemd.exec(5)`, <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM>.
pub(super) fn is_journal(stream: &impl AsFd) -> bool {
    let Ok(announced) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    let same = stream.as_fd().try_clone_to_owned();
    same.and_then(|same| File::from(same).metadata())
        .is_ok_and(|file| announced == format!("{}:{}", file.dev(), file.ino()))
}

/// Writes a line of a result: byte for byte, but to a terminal without what would affect it. A closed pipe ends the output,
/// not the program.
pub(super) fn print(text: &str) {
    let output = io::stdout().lock();
    if output.is_terminal() {
        write(output, &tamed(text));
    } else {
        write(output, text);
    }
}

/// Writes a line of a result, with colours if standard output takes them.
pub(super) fn print_coloured(text: &str) {
    write(anstream::stdout().lock(), text);
}

/// Writes a line to standard error, with colours if it takes them.
pub(super) fn complain(text: &str) {
    write(anstream::stderr().lock(), text);
}

/// Writes a prompt without a line end.
pub(super) fn prompt(text: &str) {
    let mut to = io::stdout().lock();
    let _: io::Result<()> = write!(to, "{text}").and_then(|()| to.flush());
}

fn write(mut to: impl Write, text: &str) {
    // If even this fails, there is nowhere left to report it.
    let _: io::Result<()> = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A number with its noun: `1 call`, `2 calls`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", figure(count))
}

/// A share of a total: `17 %`, `less than 1 %`. Empty when the total is 0.
pub(super) fn share(part: u64, whole: u64) -> String {
    match (part.saturating_mul(100)).checked_div(whole) {
        None => String::new(),
        Some(0) if part > 0 => "less than 1 %".to_owned(),
        Some(100) if part < whole => "over 99 %".to_owned(),
        Some(percent) => format!("{percent} %"),
    }
}

/// A value as JSON, with every character escaped that could affect a terminal.
pub(super) fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("it is texts, numbers and words");
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if is_plain(character) {
            safe.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_parted_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(figure(number), text);
        }
        assert_eq!(counted(1, "call"), "1 call");
        assert_eq!(counted(0, "call"), "0 calls");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        for (part, whole, text) in [
            (0, 0, ""),
            (0, 5, "0 %"),
            (1, 1000, "less than 1 %"),
            (999, 1000, "99 %"),
            (5, 5, "100 %"),
            (1, 3, "33 %"),
        ] {
            assert_eq!(share(part, whole), text, "{part} of {whole}");
        }
    }

    #[test]
    fn json_affects_no_terminal() {
        let text = "\u{202e}\u{9b}\u{e0001}\u{e9}\"\\\n";
        let json = json(&text);
        assert!(json.is_ascii() || json.chars().all(is_plain), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
    }
}
