//! Charts as SVG: widths in percent, heights and letters in pixels, so that a chart fits a phone and its letters keep
//! their size.

use super::html::{Html, element, empty, text_in};
use crate::commands::format::figure;
use crate::commands::report::sheet::hour_name;
use crate::journal::figures::{Count, HourCount, WeekdayCount};

/// Pixels for the names on the left of a chart.
const GUTTER: &str = "44";

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

/// Where an hour begins in a chart that has all hours side by side, moved by a part of an hour, for an attribute.
fn hour_place(hour: u8, moved: f64) -> String {
    format!("{:.3}%", (f64::from(hour) + moved) * 100.0 / 24.0)
}

/// A bar of one part, or of two that add up. For the eye: the figures stand beside it.
pub(super) fn bar(parts: &[u64], longest: u64) -> Html {
    let size = [("width", "100%"), ("height", "8")];
    let hidden = [("class", "bar"), size[0], size[1], ("aria-hidden", "true")];
    let track = [("class", "track"), size[0], size[1], ("rx", "1")];
    let mut rects = vec![empty("rect", &track)];
    let mut before = 0;
    for (part, class) in parts.iter().zip(PARTS) {
        if *part > 0 {
            let (x, width) = (percent(before, longest), percent(*part, longest));
            let rect = [
                ("class", class),
                ("x", &*format!("{x:.3}%")),
                ("width", &*format!("{width:.3}%")),
                ("height", "8"),
            ];
            rects.push(empty("rect", &rect));
        }
        before += part;
    }
    element("svg", &hidden, rects)
}

/// The hours of the day as columns of calls and texts.
pub(super) fn columns(hours: &[HourCount]) -> Html {
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
    let names = steps.iter();
    let names = names.map(|step| (format!("{:.1}", y(*step) + 4.0), figure(*step)));
    let grid = steps.iter().map(|step| {
        let at = &*format!("{:.1}", y(*step));
        empty(
            "line",
            &[("class", "grid"), ("x2", "100%"), ("y1", at), ("y2", at)],
        )
    });
    let columns = hours.iter().map(|of| column(of, y));
    let marks = grid.chain(columns).chain(hour_names(COLUMNS + 24.0));
    plot(COLUMNS + 28.0, &label, names, marks)
}

/// A chart of these marks, with names on its left, each at its height. The label says in words what there is to see.
fn plot(
    height: f64,
    label: &str,
    names: impl Iterator<Item = (String, String)>,
    marks: impl Iterator<Item = Html>,
) -> Html {
    let height = &*height.to_string();
    let names = names.map(|(at, name)| {
        let place = [("x", "36"), ("y", &*at), ("text-anchor", "end")];
        text_in("text", &place, &name)
    });
    let axis = [
        ("width", GUTTER),
        ("height", height),
        ("aria-hidden", "true"),
    ];
    let chart = [
        ("width", "100%"),
        ("height", height),
        ("role", "img"),
        ("aria-label", label),
    ];
    let parts = [element("svg", &axis, names), element("svg", &chart, marks)];
    element("div", &[("class", "plot")], parts)
}

/// The column of an hour.
fn column(of: &HourCount, y: impl Fn(u64) -> f64) -> Html {
    let left = &*hour_place(of.hour, 0.12);
    let mut parts = vec![text_in("title", &[], &title(&hour_name(of.hour), of.came))];
    let mut before = 0;
    for (count, class) in [of.came.calls, of.came.texts].into_iter().zip(PARTS) {
        if count > 0 {
            let (from, to) = (y(before), y(before + count));
            let rect = [
                ("class", class),
                ("x", left),
                ("y", &*format!("{to:.1}")),
                ("width", "3.167%"),
                ("height", &*format!("{:.1}", from - to)),
            ];
            parts.push(empty("rect", &rect));
        }
        before += count;
    }
    element("g", &[], parts)
}

/// The names of every third hour, below a chart that has all hours side by side.
fn hour_names(y: f64) -> impl Iterator<Item = Html> {
    (0..24_u8).step_by(3).map(move |hour| {
        let place = [
            ("x", &*hour_place(hour, 0.5)),
            ("y", &*y.to_string()),
            ("text-anchor", "middle"),
        ];
        text_in("text", &place, &format!("{hour:02}"))
    })
}

/// Weekdays and hours as cells, the darker the more, and what the darkest stands for.
pub(super) fn cells(weekdays: &[WeekdayCount]) -> [Html; 2] {
    let all = weekdays.iter().flat_map(|day| &day.hours);
    let most = all.map(|count| count.all()).max().unwrap_or(0);
    let scale = format!(
        "The stronger the colour, the more, up to {} in one hour of the week.",
        figure(most)
    );
    let label = format!("Calls and texts by weekday and hour. {scale}");
    let tops = || (0_u32..).map(|row| f64::from(row) * CELL);
    let names = weekdays.iter().zip(tops());
    let names = names.map(|(day, top)| ((top + CELL * 0.7).to_string(), day.weekday.to_owned()));
    let cells = weekdays.iter().zip(tops()).flat_map(|(day, top)| {
        (0_u8..).zip(&day.hours).map(move |(hour, count)| {
            let when = format!("{} {}", day.weekday, hour_name(hour));
            cell(&hour_place(hour, 0.0), top, *count, most, &when)
        })
    });
    let below = tops().nth(weekdays.len()).unwrap_or_default();
    let marks = cells.chain(hour_names(below + 14.0));
    [
        plot(below + 20.0, &label, names, marks),
        text_in("p", &[("class", "note")], &scale),
    ]
}

fn cell(x: &str, top: f64, count: Count, most: u64, when: &str) -> Html {
    // One call among thousands is still visible.
    let opacity = format!("{:.3}", 0.12 + 0.88 * percent(count.all(), most) / 100.0);
    let (class, opacity) = match count.all() {
        0 => ("cell none", "0.55"),
        _ => ("cell first", &*opacity),
    };
    let rect = [
        ("class", class),
        ("x", x),
        ("y", &*top.to_string()),
        ("width", "4.167%"),
        ("height", "20"),
        ("rx", "4"),
        ("fill-opacity", opacity),
    ];
    element("rect", &rect, [text_in("title", &[], &title(when, count))])
}

fn title(when: &str, count: Count) -> String {
    format!(
        "{when}: {} calls, {} texts",
        figure(count.calls),
        figure(count.texts)
    )
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
