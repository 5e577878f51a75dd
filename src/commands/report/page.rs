//! The page: the statistics as one HTML file.

use jiff::tz::TimeZone;

use super::charts;
use super::sheet::{self, Key, SheetTable, hour_name};
use crate::commands::output::figure;
use crate::journal::figures::{Count, Figures, Quiet};
use crate::service::html::{self, Html, element, text, text_in, void};

const STYLE: &str = include_str!("page.css");

/// The title of the page.
const TITLE: &str = "Calls and texts";

/// The most days in the chart: a quarter of a year.
const DAYS_MAX: usize = 92;

/// The most rows of a section, and the most quiet numbers.
const ROWS_MAX: usize = 50;

/// Tags that are used more than once.
const NOTE: &str = r#"p class="note""#;
const COLUMN: &str = r#"th scope="col""#;
const ROW: &str = r#"th scope="row""#;

/// The page of these statistics.
pub(super) fn page(figures: &Figures, zone: &TimeZone) -> String {
    let title = match sheet::period(figures, zone) {
        period if period.is_empty() => TITLE.to_owned(),
        period => format!("{TITLE}, {period}"),
    };
    let heading = sheet::heading(figures, zone);
    // The policy is in the page itself, because the page is opened as a file.
    let policy = html::policy(STYLE, "form-action 'none'");
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", &policy),
    ];
    let meta = vec![void("meta", &policy)];
    html::page(&title, STYLE, meta, body(figures, &title, &heading))
}

fn body(figures: &Figures, title: &str, heading: &str) -> Vec<Html> {
    // Keeps a date from breaking at its hyphens.
    let words = title.split(' ');
    let words = words.flat_map(|word| [text_in(r#"span class="whole""#, word), text(" ")]);
    let header = [element("h1", words), text_in("p", heading)];
    let mut body = vec![element("header", header)];
    if figures.lines + figures.unreadable > 0 {
        body.push(element("main", main(figures)));
    }
    let footer = concat!(
        "Made by twiml-responder ",
        env!("CARGO_PKG_VERSION"),
        " from its journal. No caller’s number is on this page."
    );
    body.push(text_in("footer", footer));
    body
}

fn main(figures: &Figures) -> Vec<Html> {
    let keys = sheet::keys(figures);
    let mut main = vec![element(r#"dl class="keys""#, keys.iter().map(key))];
    let mut sections = Vec::new();
    if figures.answers() > 0 {
        main.push(when(figures));
        sections.push(section(sheet::numbers(figures)));
        sections.push(section(sheet::routes(figures)));
    }
    let pinned = figures.quiet.as_ref().filter(|quiet| quiet.pinned > 0);
    sections.extend(pinned.map(quiet));
    sections.extend(sheet::others(figures).into_iter().map(section));
    main.push(element(r#"div class="sections""#, sections));
    main
}

fn key(key: &Key) -> Html {
    let name = text_in("dt", key.name);
    let figure = text_in(r#"dd class="figure""#, &figure(key.figure));
    let notes = key.notes.iter();
    let notes = notes.map(|note| text_in(r#"dd class="more""#, note));
    element("div", [name, figure].into_iter().chain(notes))
}

/// When calls and texts came: the week as cells, the hours as columns, the weekdays as bars, and all of it in figures.
fn when(figures: &Figures) -> Html {
    let (cells, scale) = charts::cells(&figures.weekdays);
    let hours = [
        text_in("h3", "By hour of day"),
        legend(&["calls", "texts"]),
        Html(charts::hours(&figures.hours)),
    ];
    let days = figures.days(DAYS_MAX);
    let earlier = days
        .first()
        .map_or(0, |first| figures.before(first.day).all());
    let earlier = (earlier > 0).then(|| {
        let earlier = format!(
            "The last {DAYS_MAX} days; {} arrived earlier.",
            figure(earlier)
        );
        text_in(NOTE, &earlier)
    });
    let by_day = [
        text_in("h3", "By day"),
        legend(&["calls", "texts"]),
        Html(charts::days(&days)),
    ];
    let weekdays = [
        text_in("h3", "By weekday"),
        table(&sheet::weekdays(figures)),
    ];
    let details = [
        text_in("summary", "Calls and texts together, in figures"),
        element(
            r#"div class="scroll" role="region" tabindex="0" aria-label="Calls and texts by hour and weekday""#,
            [week(figures)],
        ),
    ];
    let parts = [
        text_in("h2", "When"),
        text_in(NOTE, &format!("In the time zone {}.", figures.timezone)),
        element("div", by_day.into_iter().chain(earlier)),
        text_in("h3", "By weekday and hour"),
        Html(cells),
        text_in(NOTE, &scale),
        element(
            r#"div class="pair""#,
            [element("div", hours), element("div", weekdays)],
        ),
        element("details", details),
    ];
    element("section", parts)
}

/// A table with a row for each hour and a column for each weekday.
fn week(figures: &Figures) -> Html {
    let days = figures.weekdays.iter().map(|day| day.weekday);
    let names = ["hour"].into_iter().chain(days).chain(["all"]);
    let head = names.map(|name| text_in(COLUMN, name));
    let rows = figures.hours.iter().map(|of| {
        let days = figures.weekdays.iter();
        let counts = days.map(|day| day.hours[usize::from(of.hour)]);
        let cells = counts.chain([of.came]).map(Count::all);
        table_row("tr", text_in(ROW, &hour_name(of.hour)), cells)
    });
    table_of(r#"table class="dense""#, head, rows)
}

fn legend(names: &[&str]) -> Html {
    let names = names.iter().zip(charts::PARTS);
    let names = names.map(|(name, class)| element("span", [swatch(class), text(name)]));
    element(r#"div class="legend""#, names)
}

fn swatch(class: &'static str) -> Html {
    Html(format!(r#"<span class="swatch {class}"></span>"#))
}

fn section(mut of: SheetTable) -> Html {
    of.cut(ROWS_MAX);
    let mut parts = vec![text_in("h2", of.title)];
    parts.extend(of.notes.iter().map(|note| text_in(NOTE, note)));
    parts.push(table(&of));
    element("section", parts)
}

/// The rows of a section, each with a bar below its name.
fn table(of: &SheetTable) -> Html {
    let mut head = vec![text_in(COLUMN, of.of)];
    for (at, name) in of.columns.iter().enumerate() {
        let class = charts::PARTS.get(at).filter(|_| of.columns.len() > 1);
        let swatch = class.map(|class| swatch(class));
        head.push(element(COLUMN, swatch.into_iter().chain([text(name)])));
    }
    let longest = of.longest();
    let rows = of.rows.iter().map(|row| {
        let mark = row.mark.map(|mark| text_in("mark", mark));
        let mut name: Vec<Html> = [text(&row.label)].into_iter().chain(mark).collect();
        let tag = if row.is_rest {
            r#"tr class="rest""#
        } else {
            name.push(Html(charts::bar(of.bar(row), longest)));
            "tr"
        };
        table_row(tag, element(ROW, name), row.figures.iter().copied())
    });
    table_of("table", head, rows)
}

fn table_row(tag: &'static str, name: Html, figures: impl Iterator<Item = u64>) -> Html {
    let cells = figures.map(|of| text_in("td", &figure(of)));
    element(tag, [name].into_iter().chain(cells))
}

fn table_of(
    tag: &'static str,
    head: impl IntoIterator<Item = Html>,
    rows: impl IntoIterator<Item = Html>,
) -> Html {
    let head = element("thead", [element("tr", head)]);
    element(tag, [head, element("tbody", rows)])
}

fn quiet(quiet: &Quiet) -> Html {
    let never = format!("{} in the table received nothing.", sheet::never(quiet));
    let mut parts = vec![text_in("h2", "Quiet numbers"), text_in(NOTE, &never)];
    if !quiet.never.is_empty() {
        let numbers = sheet::first(&quiet.never, ROWS_MAX).into_iter();
        let numbers = numbers.map(|number| text_in("li", &number));
        parts.push(element(r#"ul class="numbers""#, numbers));
    }
    let notes = sheet::quiet_notes(quiet).into_iter();
    parts.extend(notes.map(|note| text_in(NOTE, &note)));
    element("section", parts)
}
