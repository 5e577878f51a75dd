//! Charts as SVG. Widths are in percent, heights and text sizes in pixels, so that a chart fits a phone and its text
//! keeps its size.
//!
//! They contain only our own numbers and words and no text from outside, so nothing is escaped.

use std::fmt::Write as _;

use super::sheet::{day_name, hour_name};
use crate::commands::output::figure;
use crate::journal::figures::{Count, DayCount, HourCount, WeekdayCount};

/// The heights of the columns and of a row of cells.
const COLUMNS: f64 = 220.0;
const CELL: f64 = 20.0;

/// The classes of a bar's two parts.
pub(super) const PARTS: [&str; 2] = ["first", "second"];

/// A share of a total in percent.
#[expect(clippy::cast_precision_loss, reason = "it is for the eye")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// The left edge of one of many places that fill the width of a chart, moved by a fraction of a place.
#[expect(clippy::cast_precision_loss, reason = "it is for the eye")]
fn place(at: usize, moved: f64, of: usize) -> String {
    format!("{:.3}%", (at as f64 + moved) * 100.0 / of as f64)
}

/// A bar of one part, or of two that add up. It is decoration: the figures are next to it.
pub(super) fn bar(parts: &[u64], longest: u64) -> String {
    let mut svg = r#"<svg class="bar" width="100%" height="8" aria-hidden="true">"#.to_owned();
    svg += r#"<rect class="track" width="100%" height="8" rx="1"/>"#;
    let mut before = 0;
    for (part, class) in parts.iter().zip(PARTS) {
        let (x, width) = (percent(before, longest), percent(*part, longest));
        if *part > 0 {
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{x:.3}%" width="{width:.3}%" height="8"/>"#
            );
        }
        before += part;
    }
    svg + "</svg>"
}

/// One column of a chart.
struct Column {
    /// Its meaning, in words.
    title: String,
    /// The label below it, where there is room.
    name: String,
    came: Count,
}

/// The hours of the day as columns of calls and texts.
pub(super) fn hours(hours: &[HourCount]) -> String {
    let columns = hours.iter().map(|of| Column {
        title: hour_name(of.hour),
        name: format!("{:02}", of.hour),
        came: of.came,
    });
    let columns: Vec<Column> = columns.collect();
    chart("Calls and texts by hour of the day.", "at", &columns)
}

/// The days as columns of calls and texts.
pub(super) fn days(days: &[DayCount]) -> String {
    let columns = days.iter().map(|of| Column {
        title: day_name(of.day),
        name: of.day.strftime("%m-%d").to_string(),
        came: of.came,
    });
    let columns: Vec<Column> = columns.collect();
    chart("Calls and texts by day.", "on", &columns)
}

/// A chart of columns. `on` precedes the name of the highest column.
fn chart(label: &str, on: &str, columns: &[Column]) -> String {
    let highest = columns.iter().rev().max_by_key(|column| column.came.all());
    let most = highest.map_or(0, |column| column.came.all());
    let highest = match highest {
        Some(column) if most > 0 => {
            let title = title(&column.title, column.came);
            format!("Most arrived {on} {title}.")
        }
        _ => "There were none.".to_owned(),
    };
    let label = format!("{label} {highest}");
    let (step, top) = scale(most);
    let y = |count: u64| 8.0 + COLUMNS * (1.0 - percent(count, top) / 100.0);
    let (mut names, mut marks) = (Vec::new(), String::new());
    for count in (0..=top / step).map(|times| times * step) {
        let at = y(count);
        names.push((format!("{:.1}", at + 4.0), figure(count)));
        let _ = write!(
            marks,
            r#"<line class="grid" x2="100%" y1="{at:.1}" y2="{at:.1}"/>"#
        );
    }
    let of = columns.len();
    let width = place(0, 0.76, of);
    for (at, one) in columns.iter().enumerate() {
        marks += &column(one, &place(at, 0.12, of), &width, y);
    }
    let below = columns.iter().map(|column| column.name.as_str());
    marks += &names_below(below, COLUMNS + 24.0);
    plot(COLUMNS + 28.0, &label, &names, &marks)
}

/// A chart of these marks, with names on its left, each at its height. The label describes the chart in words.
fn plot(height: f64, label: &str, names: &[(String, String)], marks: &str) -> String {
    let longest = names.iter().map(|(_, name)| name.len()).max();
    // A character is at most seven pixels wide.
    let width = longest.unwrap_or(0) * 7 + 16;
    let x = width - 8;
    let names = names
        .iter()
        .map(|(y, name)| format!(r#"<text x="{x}" y="{y}" text-anchor="end">{name}</text>"#));
    [
        r#"<div class="plot">"#,
        &format!(r#"<svg width="{width}" height="{height}" aria-hidden="true">"#),
        &names.collect::<String>(),
        "</svg>",
        &format!(r#"<svg width="100%" height="{height}" role="img" aria-label="{label}">"#),
        marks,
        "</svg></div>",
    ]
    .concat()
}

fn column(of: &Column, x: &str, width: &str, y: impl Fn(u64) -> f64) -> String {
    let title = title(&of.title, of.came);
    let mut svg = format!("<g><title>{title}</title>");
    let mut before = 0;
    for (count, class) in [of.came.calls, of.came.texts].into_iter().zip(PARTS) {
        let (from, to) = (y(before), y(before + count));
        if count > 0 {
            let height = from - to;
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{x}" y="{to:.1}" width="{width}" height="{height:.1}"/>"#
            );
        }
        before += count;
    }
    svg + "</g>"
}

/// Names below a chart whose places fill its width: only as many of them as fit on a phone.
fn names_below<'n>(names: impl ExactSizeIterator<Item = &'n str>, y: f64) -> String {
    let of = names.len();
    let mut names = names.peekable();
    let is_short = names.peek().is_none_or(|name| name.len() <= 2);
    let most = if is_short { 8 } else { 5 };
    let every = of.div_ceil(most).max(1);
    let names = names.enumerate().step_by(every).map(|(at, name)| {
        let x = place(at, 0.5, of);
        format!(r#"<text x="{x}" y="{y}" text-anchor="middle">{name}</text>"#)
    });
    names.collect()
}

/// Weekdays and hours as cells, darker for higher counts, and the meaning of the darkest cell.
pub(super) fn cells(weekdays: &[WeekdayCount]) -> (String, String) {
    let all = weekdays.iter().flat_map(|day| &day.hours);
    let most = all.map(|count| count.all()).max().unwrap_or(0);
    let scale = format!(
        "The stronger the colour, the more requests, up to {} in one hour of the week.",
        figure(most)
    );
    let label = format!("Calls and texts by weekday and hour. {scale}");
    let (mut names, mut marks) = (Vec::new(), String::new());
    let mut top = 0.0;
    for day in weekdays {
        names.push(((top + CELL * 0.7).to_string(), day.weekday.to_owned()));
        for (hour, count) in (0..).zip(day.hours) {
            let when = format!("{} {}", day.weekday, hour_name(hour));
            let x = place(hour.into(), 0.0, day.hours.len());
            marks += &cell(&x, top, count, most, &when);
        }
        top += CELL;
    }
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
    marks += &names_below(hours.iter().map(String::as_str), top + 14.0);
    (plot(top + 20.0, &label, &names, &marks), scale)
}

fn cell(x: &str, top: f64, count: Count, most: u64, when: &str) -> String {
    // Even one call among thousands must be visible.
    let opacity = format!("{:.3}", 0.12 + 0.88 * percent(count.all(), most) / 100.0);
    let (class, opacity) = match count.all() {
        0 => ("cell none", "0.55"),
        _ => ("cell first", &*opacity),
    };
    let title = title(when, count);
    let place = format!(r#"x="{x}" y="{top}" width="4.167%" height="20" rx="4""#);
    format!(
        r#"<rect class="{class}" {place} fill-opacity="{opacity}"><title>{title}</title></rect>"#
    )
}

fn title(when: &str, count: Count) -> String {
    let [calls, texts] = [count.calls, count.texts].map(figure);
    format!("{when}: {calls} calls, {texts} texts")
}

/// The distance between the lines of an axis up to this figure, and the end of the axis: the first line at or above the
/// figure. The distance is 1, 2, 2.5 or 5 times a power of ten, and there are at most seven lines above zero.
fn scale(most: u64) -> (u64, u64) {
    const LINES: u64 = 7;
    let least = most.div_ceil(LINES).max(1);
    let power = u128::from(10_u64.pow(least.ilog10()));
    // In quarters, so that 2.5 is a whole number; with a power of 1, 2.5 is rounded down to 2.
    let steps = [4, 8, 10, 20, 40].map(|quarters| power * quarters / 4);
    let step = steps.into_iter().find(|step| *step >= least.into());
    let step = step.map_or(least, |step| u64::try_from(step).unwrap_or(least));
    (step, most.div_ceil(step).max(1).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_the_first_line_that_is_not_below_the_figure() {
        for (most, step, top) in [
            (0, 1, 1),
            (1, 1, 1),
            (7, 1, 7),
            (9, 2, 10),
            (11, 2, 12),
            (26, 5, 30),
            (61, 10, 70),
            (101, 20, 120),
            (160, 25, 175),
            (240, 50, 250),
            (1_234, 200, 1_400),
            (u64::MAX, 5_000_000_000_000_000_000, u64::MAX),
        ] {
            assert_eq!(scale(most), (step, top), "{most}");
        }
    }
}
