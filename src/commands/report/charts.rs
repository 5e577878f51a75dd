//! Charts as SVG: widths in percent, heights and letters in pixels, so that a chart fits a phone and its letters keep
//! their size.
//!
//! They have numbers and words of ours in them and no text from outside, so nothing is escaped.

use std::fmt::Write as _;

use super::sheet::hour_name;
use crate::commands::output::figure;
use crate::journal::figures::{Count, HourCount, WeekdayCount};

/// The height of the columns, and of a row of cells.
const COLUMNS: f64 = 220.0;
const CELL: f64 = 20.0;

/// The classes of a bar's two parts.
pub(super) const PARTS: [&str; 2] = ["first", "second"];

/// A part of a whole in percent.
#[expect(clippy::cast_precision_loss, reason = "it is for the eye")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// Where an hour begins in a chart that has all hours side by side, moved by a part of an hour.
fn hour_place(hour: u8, moved: f64) -> String {
    format!("{:.3}%", (f64::from(hour) + moved) * 100.0 / 24.0)
}

/// A bar of one part, or of two that add up. For the eye: the figures stand beside it.
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

/// The hours of the day as columns of calls and texts.
pub(super) fn columns(hours: &[HourCount]) -> String {
    let busiest = hours.iter().max_by_key(|of| of.came.all());
    let most = busiest.map_or(0, |of| of.came.all());
    let top = round_up(most);
    let busiest = match busiest {
        Some(of) if most > 0 => format!("Most came at {}.", title(&hour_name(of.hour), of.came)),
        _ => "None came.".to_owned(),
    };
    let label = format!("Calls and texts by hour of the day. {busiest}");
    let y = |count: u64| 8.0 + COLUMNS * (1.0 - percent(count, top) / 100.0);
    let steps = match top {
        1 => vec![0, 1],
        top => vec![0, top / 2, top],
    };
    let (mut names, mut marks) = (String::new(), String::new());
    for step in steps {
        let at = y(step);
        names += &side_name(&format!("{:.1}", at + 4.0), &figure(step));
        let _ = write!(
            marks,
            r#"<line class="grid" x2="100%" y1="{at:.1}" y2="{at:.1}"/>"#
        );
    }
    marks.extend(hours.iter().map(|of| column(of, y)));
    marks += &hour_names(COLUMNS + 24.0);
    plot(COLUMNS + 28.0, &label, &names, &marks)
}

/// A chart of these marks, with names on its left. The label says in words what there is to see.
fn plot(height: f64, label: &str, names: &str, marks: &str) -> String {
    [
        r#"<div class="plot">"#,
        &format!(r#"<svg width="44" height="{height}" aria-hidden="true">{names}</svg>"#),
        &format!(r#"<svg width="100%" height="{height}" role="img" aria-label="{label}">"#),
        marks,
        "</svg></div>",
    ]
    .concat()
}

fn side_name(y: &str, name: &str) -> String {
    format!(r#"<text x="36" y="{y}" text-anchor="end">{name}</text>"#)
}

/// The column of an hour.
fn column(of: &HourCount, y: impl Fn(u64) -> f64) -> String {
    let title = title(&hour_name(of.hour), of.came);
    let x = hour_place(of.hour, 0.12);
    let mut svg = format!("<g><title>{title}</title>");
    let mut before = 0;
    for (count, class) in [of.came.calls, of.came.texts].into_iter().zip(PARTS) {
        let (from, to) = (y(before), y(before + count));
        if count > 0 {
            let height = from - to;
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{x}" y="{to:.1}" width="3.167%" height="{height:.1}"/>"#
            );
        }
        before += count;
    }
    svg + "</g>"
}

/// The names of every third hour, below a chart that has all hours side by side.
fn hour_names(y: f64) -> String {
    let hours = (0..24).step_by(3).map(|hour| {
        let x = hour_place(hour, 0.5);
        format!(r#"<text x="{x}" y="{y}" text-anchor="middle">{hour:02}</text>"#)
    });
    hours.collect()
}

/// Weekdays and hours as cells, the darker the more, and what the darkest stands for.
pub(super) fn cells(weekdays: &[WeekdayCount]) -> (String, String) {
    let all = weekdays.iter().flat_map(|day| &day.hours);
    let most = all.map(|count| count.all()).max().unwrap_or(0);
    let scale = format!(
        "The stronger the colour, the more, up to {} in one hour of the week.",
        figure(most)
    );
    let label = format!("Calls and texts by weekday and hour. {scale}");
    let (mut names, mut marks) = (String::new(), String::new());
    let mut top = 0.0;
    for day in weekdays {
        names += &side_name(&(top + CELL * 0.7).to_string(), day.weekday);
        for (hour, count) in (0..).zip(day.hours) {
            let when = format!("{} {}", day.weekday, hour_name(hour));
            marks += &cell(&hour_place(hour, 0.0), top, count, most, &when);
        }
        top += CELL;
    }
    marks += &hour_names(top + 14.0);
    (plot(top + 20.0, &label, &names, &marks), scale)
}

fn cell(x: &str, top: f64, count: Count, most: u64, when: &str) -> String {
    // One call among thousands is still visible.
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

/// The next round figure: 1, 2, 4, 6, 8 or 10 times a power of ten, so that its half is a whole one, too.
fn round_up(figure: u64) -> u64 {
    let power = 10_u64.pow(figure.max(1).ilog10());
    [1, 2, 4, 6, 8, 10]
        .map(|factor| power.saturating_mul(factor))
        .into_iter()
        .find(|round| *round >= figure)
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_figure() {
        for (figure, round) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (9, 10),
            (10, 10),
            (11, 20),
            (61, 80),
            (81, 100),
            (101, 200),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(round_up(figure), round);
        }
    }
}
