//! The statistics in a terminal: at most 80 columns, bars of block characters, colours only on a terminal.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::sheet::{self, SheetTable};
use crate::commands::output::figure;
use crate::journal::figures::{Figures, Quiet};

/// The most columns in a line.
const WIDTH: usize = 80;

/// The fewest columns of a bar; names get the rest.
const BAR_MIN: usize = 12;

/// The most rows of a section, enough for the hours of a day, and the most quiet numbers.
const ROWS_MAX: usize = 24;

/// The blocks of a bar's two parts, and their colours.
const BLOCKS: [(&str, &str); 2] = [("█", "\u{1b}[34m"), ("▒", "\u{1b}[33m")];

const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// The whole report, without a final line feed.
pub(super) fn text(figures: &Figures, zone: &TimeZone) -> String {
    let mut text = sheet::heading(figures, zone);
    if figures.lines + figures.unreadable == 0 {
        return text;
    }
    text.push_str("\n\n");
    let keys = sheet::keys(figures);
    let name_width = keys.iter().map(|key| key.name.len()).max().unwrap_or(0);
    let widths = keys.iter().map(|key| figure(key.figure).len());
    let figure_width = widths.max().unwrap_or(0);
    for key in &keys {
        let count = format!("{BOLD}{:>figure_width$}{PLAIN}", figure(key.figure));
        let notes = key.notes.join(", ");
        let line = format!("{:name_width$}  {count}  {notes}", key.name);
        text.extend([line.trim_end(), "\n"]);
    }
    if figures.answers() > 0 {
        draw(sheet::numbers(figures), &mut text);
        draw(sheet::routes(figures), &mut text);
        draw(sheet::days(figures, ROWS_MAX), &mut text);
        draw(sheet::hours(figures), &mut text);
        draw(sheet::weekdays(figures), &mut text);
    }
    if let Some(quiet) = figures.quiet.as_ref().filter(|quiet| quiet.pinned > 0) {
        draw_quiet(quiet, &mut text);
    }
    for section in sheet::others(figures) {
        draw(section, &mut text);
    }
    text.pop();
    text
}

/// A table: its title with the names of its columns, then one line per row.
fn draw(mut section: SheetTable, text: &mut String) {
    section.cut(ROWS_MAX);
    for row in &mut section.rows {
        if let Some(mark) = row.mark {
            row.label = format!("{} ({mark})", row.label);
        }
    }
    let labels = section.rows.iter().map(|row| row.label.width());
    let widest = labels.max().unwrap_or(0).max(section.title.len());
    let blocks = BLOCKS.map(Some).into_iter().chain([None]);
    let blocks = blocks.map(|block| block.filter(|_| section.columns.len() > 1));
    let mut taken = 2;
    let mut columns = Vec::new();
    for ((at, name), block) in section.columns.iter().enumerate().zip(blocks) {
        let figures = section.rows.iter().map(|row| figure(row.figures[at]).len());
        let name_width = name.len() + if block.is_some() { 2 } else { 0 };
        let width = figures.max().unwrap_or(0).max(name_width);
        taken += width + 2;
        columns.push((name, block, width));
    }
    let label_width = widest.min(WIDTH.saturating_sub(taken + BAR_MIN));
    let bar_width = WIDTH.saturating_sub(taken + label_width);
    let title = padded(section.title, label_width);
    let _ = write!(text, "\n{BOLD}{title}{PLAIN}");
    for (name, block, width) in &columns {
        let _ = match block {
            Some((block, colour)) => {
                let blanks = " ".repeat(width - name.len());
                write!(text, "{blanks}{colour}{block}{PLAIN} {name}")
            }
            None => write!(text, "  {name:>width$}"),
        };
    }
    text.push('\n');
    let longest = section.longest();
    for row in &section.rows {
        text.push_str(&padded(&row.label, label_width));
        for (number, (_, _, width)) in row.figures.iter().zip(&columns) {
            let _ = write!(text, "  {:>width$}", figure(*number));
        }
        let bar = bar(section.bar(row), longest, bar_width);
        if !row.is_rest && !bar.is_empty() {
            text.extend(["  ", &bar]);
        }
        text.push('\n');
    }
    for note in &section.notes {
        wrap(note.split(' '), " ", text);
    }
}

/// A bar whose parts are proportional to their figures; the longest bar fills the width. A nonzero part is always
/// visible.
fn bar(parts: &[u64], longest: u64, width: usize) -> String {
    let scale = |figure: u64| {
        let cells = u128::from(figure) * width as u128;
        let cells = (cells + u128::from(longest) / 2) / u128::from(longest);
        usize::try_from(cells).unwrap_or(width)
    };
    let mut bar = String::new();
    let mut sum: u64 = 0;
    let mut drawn = 0;
    for (at, (part, (block, colour))) in parts.iter().zip(BLOCKS).enumerate() {
        sum = sum.saturating_add(*part);
        let later = parts[at + 1..].iter().filter(|part| **part > 0).count();
        if *part > 0 && drawn < width {
            let most = width.saturating_sub(later).max(drawn + 1);
            let end = scale(sum).clamp(drawn + 1, most);
            let _ = write!(bar, "{colour}{}{PLAIN}", block.repeat(end - drawn));
            drawn = end;
        }
    }
    bar
}

/// A text padded to this width, or cut with an ellipsis.
fn padded(text: &str, width: usize) -> String {
    let mut padded = text.to_owned();
    if text.width() > width {
        while padded.width() + 1 > width && padded.pop().is_some() {}
        padded.push('…');
    }
    let taken = padded.width();
    padded + &" ".repeat(width.saturating_sub(taken))
}

/// The numbers of the table that never came, several per line.
fn draw_quiet(quiet: &Quiet, text: &mut String) {
    let never = sheet::never(quiet);
    let _ = writeln!(
        text,
        "\n{BOLD}Quiet numbers{PLAIN}  {never} in the table received nothing"
    );
    let numbers = sheet::first(&quiet.never, ROWS_MAX);
    wrap(numbers.iter().map(String::as_str), "  ", text);
    for note in sheet::quiet_notes(quiet) {
        wrap(note.split(' '), " ", text);
    }
}

/// Wraps words into lines of at most [`WIDTH`] columns.
fn wrap<'a>(words: impl Iterator<Item = &'a str>, between: &str, text: &mut String) {
    let mut taken = 0;
    for word in words {
        if taken > 0 && taken + between.len() + word.width() > WIDTH {
            text.push('\n');
            taken = 0;
        }
        if taken > 0 {
            text.push_str(between);
            taken += between.len();
        }
        text.push_str(word);
        taken += word.width();
    }
    if taken > 0 {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bar: &str) -> String {
        let mut plain = String::new();
        let mut rest = bar;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, after)| after);
        }
        plain + rest
    }

    #[test]
    fn bars_are_as_long_as_their_figures() {
        for (parts, longest, width, drawn) in [
            (&[10, 0][..], 10, 10, "██████████"),
            (&[5, 5], 10, 10, "█████▒▒▒▒▒"),
            (&[0, 3], 10, 10, "▒▒▒"),
            (&[0, 0], 10, 10, ""),
            (&[1], 1_000_000, 10, "█"),
            (&[1, 1], 1_000_000, 10, "█▒"),
            (&[1_000_000, 1], 1_000_001, 10, "█████████▒"),
            (&[u64::MAX, 0], u64::MAX, 3, "███"),
            (&[4], 4, 0, ""),
        ] {
            assert_eq!(plain(&bar(parts, longest, width)), drawn, "{parts:?}");
        }
    }

    #[test]
    fn names_take_the_columns_they_have() {
        for (text, width, shown) in [
            ("abc", 5, "abc  "),
            ("abcdef", 5, "abcd…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日… "),
        ] {
            assert_eq!(padded(text, width), shown);
            assert_eq!(shown.width(), width);
        }
    }
}
