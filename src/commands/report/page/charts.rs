//! Charts as SVG: lengths in percent of the room that there is, heights and letters in pixels, so that a chart fits a
//! phone and its letters stay as large as they are.

use std::io;

use super::html::Html;
use crate::commands::format::figure;
use crate::journal::report::{Count, OfHour, OfWeekday};

/// Pixels for the names on the left of a chart.
const GUTTER: &str = "44";

/// The height of the columns, and of a row of cells.
const COLUMNS: f64 = 220.0;
const CELL: f64 = 20.0;

/// The classes of a bar's two parts.
pub(super) const PARTS: [&str; 2] = ["first", "second"];

/// A part of a whole in percent, for an attribute.
#[expect(clippy::cast_precision_loss, reason = "it is for the eye")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn in_percent(part: u64, whole: u64) -> String {
    format!("{:.3}%", percent(part, whole))
}

/// A bar of one part, or of two that add up. For the eye: the figures stand beside it.
pub(super) fn bar(html: &mut Html, parts: &[u64], longest: u64) -> io::Result<()> {
    let svg = [
        ("class", "bar"),
        ("width", "100%"),
        ("height", "8"),
        ("aria-hidden", "true"),
    ];
    html.element("svg", &svg, |html| {
        html.empty(
            "rect",
            &[
                ("class", "track"),
                ("width", "100%"),
                ("height", "8"),
                ("rx", "1"),
            ],
        )?;
        let mut before = 0;
        for (part, class) in parts.iter().zip(PARTS) {
            if *part > 0 {
                html.empty(
                    "rect",
                    &[
                        ("class", class),
                        ("x", &in_percent(before, longest)),
                        ("width", &in_percent(*part, longest)),
                        ("height", "8"),
                    ],
                )?;
            }
            before += part;
        }
        Ok(())
    })
}

/// The hours of the day as columns of calls and texts.
pub(super) fn columns(html: &mut Html, hours: &[OfHour]) -> io::Result<()> {
    let most = hours.iter().max_by_key(|of| of.came.all());
    let top = round_up(most.map_or(0, |of| of.came.all()));
    let label = format!("Calls and texts by hour of the day. {}", busiest(most));
    let height = format!("{}", COLUMNS + 28.0);
    let y = |count: u64| 8.0 + COLUMNS * (1.0 - percent(count, top) / 100.0);
    let steps: Vec<u64> = match top {
        1 => vec![0, 1],
        top => vec![0, top / 2, top],
    };
    html.element("div", &[("class", "plot")], |html| {
        let names = steps.iter().map(|step| {
            let at = format!("{:.1}", y(*step) + 4.0);
            (at, figure(*step))
        });
        axis(html, &height, names)?;
        html.element("svg", &chart(&height, &label), |html| {
            for step in &steps {
                let at = format!("{:.1}", y(*step));
                html.empty(
                    "line",
                    &[("class", "grid"), ("x2", "100%"), ("y1", &at), ("y2", &at)],
                )?;
            }
            for of in hours {
                column(html, of, &y)?;
            }
            hour_names(html, COLUMNS + 24.0)
        })
    })
}

/// The names to the left of a chart, each at its height.
fn axis<N: AsRef<str>>(
    html: &mut Html,
    height: &str,
    names: impl Iterator<Item = (String, N)>,
) -> io::Result<()> {
    let svg = [
        ("width", GUTTER),
        ("height", height),
        ("aria-hidden", "true"),
    ];
    html.element("svg", &svg, |html| {
        for (at, name) in names {
            let place = [("x", "36"), ("y", &*at), ("text-anchor", "end")];
            html.text_in("text", &place, name.as_ref())?;
        }
        Ok(())
    })
}

/// What the picture of a chart is, which says in words what there is to see.
fn chart<'a>(height: &'a str, label: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("width", "100%"),
        ("height", height),
        ("role", "img"),
        ("aria-label", label),
    ]
}

/// The column of an hour.
fn column(html: &mut Html, of: &OfHour, y: &impl Fn(u64) -> f64) -> io::Result<()> {
    let place = f64::from(of.hour) * 100.0 / 24.0;
    let left = format!("{:.3}%", place + 0.5);
    html.element("g", &[], |html| {
        html.text_in("title", &[], &told(&hour(of.hour), of.came))?;
        let mut before = 0;
        for (count, class) in [of.came.calls, of.came.texts].into_iter().zip(PARTS) {
            if count > 0 {
                let (from, to) = (y(before), y(before + count));
                html.empty(
                    "rect",
                    &[
                        ("class", class),
                        ("x", &left),
                        ("y", &format!("{to:.1}")),
                        ("width", "3.167%"),
                        ("height", &format!("{:.1}", from - to)),
                    ],
                )?;
            }
            before += count;
        }
        Ok(())
    })
}

/// The names of every third hour, below a chart that has all hours side by side.
fn hour_names(html: &mut Html, y: f64) -> io::Result<()> {
    let y = format!("{y}");
    for hour in (0..24_u8).step_by(3) {
        let middle = format!("{:.3}%", (f64::from(hour) + 0.5) * 100.0 / 24.0);
        let place = [("x", &*middle), ("y", &*y), ("text-anchor", "middle")];
        html.text_in("text", &place, &format!("{hour:02}"))?;
    }
    Ok(())
}

/// Weekdays and hours as cells, the darker the more.
pub(super) fn cells(html: &mut Html, weekdays: &[OfWeekday]) -> io::Result<()> {
    let all = weekdays
        .iter()
        .flat_map(|day| day.hours.iter().map(|count| count.all()));
    let most = all.max().unwrap_or(0);
    let rows = weekdays.len();
    #[expect(clippy::cast_precision_loss, reason = "there are seven")]
    let top = |row: usize| row as f64 * CELL;
    let height = format!("{}", top(rows) + 20.0);
    let middle = |row: usize| format!("{}", top(row) + CELL * 0.7);
    let scale = format!(
        "The stronger the colour, the more, up to {} in one hour of the week.",
        figure(most)
    );
    let label = format!("Calls and texts by weekday and hour. {scale}");
    html.element("div", &[("class", "plot")], |html| {
        let names = weekdays.iter().enumerate();
        axis(
            html,
            &height,
            names.map(|(row, day)| (middle(row), day.weekday)),
        )?;
        html.element("svg", &chart(&height, &label), |html| {
            for (row, day) in weekdays.iter().enumerate() {
                for (at, count) in (0_u8..).zip(&day.hours) {
                    let title = told(&format!("{} {}", day.weekday, hour(at)), *count);
                    let place = format!("{:.3}%", f64::from(at) * 100.0 / 24.0);
                    cell(html, &place, &format!("{}", top(row)), *count, most, &title)?;
                }
            }
            hour_names(html, top(rows) + 14.0)
        })
    })?;
    html.text_in("p", &[("class", "note")], &scale)
}

fn cell(html: &mut Html, x: &str, y: &str, count: Count, most: u64, title: &str) -> io::Result<()> {
    // One of a thousand is still to be seen.
    let opacity = format!("{:.3}", 0.12 + 0.88 * percent(count.all(), most) / 100.0);
    let (class, opacity) = match count.all() {
        0 => ("cell none", "0.55"),
        _ => ("cell first", &*opacity),
    };
    let rect = [
        ("class", class),
        ("x", x),
        ("y", y),
        ("width", "4.167%"),
        ("height", "20"),
        ("rx", "4"),
        ("fill-opacity", opacity),
    ];
    html.element("rect", &rect, |html| html.text_in("title", &[], title))
}

/// `09:00`
pub(super) fn hour(hour: u8) -> String {
    format!("{hour:02}:00")
}

fn told(when: &str, count: Count) -> String {
    format!(
        "{when}: {} calls, {} texts",
        figure(count.calls),
        figure(count.texts)
    )
}

fn busiest(most: Option<&OfHour>) -> String {
    match most {
        Some(of) if of.came.all() > 0 => format!("Most came at {}.", told(&hour(of.hour), of.came)),
        _ => "None came.".to_owned(),
    }
}

/// The next round figure: 1, 2, 4, 6, 8 or 10 times a power of ten, so that its half is a whole one, too.
fn round_up(figure: u64) -> u64 {
    if figure <= 1 {
        return 1;
    }
    let mut power: u64 = 1;
    loop {
        for factor in [2, 4, 6, 8, 10] {
            let round = power.saturating_mul(factor);
            if round >= figure {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
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
