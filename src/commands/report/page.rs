//! The page: one file that fetches nothing and runs nothing.
//!
//! Every text from outside goes through [`shown`](crate::commands::output::shown) and is escaped. The content security
//! policy is the second line of defence: nothing is fetched, no script runs, and only our style applies, by its hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};

use super::charts;
use super::sheet::{self, Key, Row, Table, hour_name};
use crate::commands::output::figure;
use crate::journal::figures::{Figures, Quiet};

const STYLE: &str = include_str!("page.css");

/// The most rows of a section, and the most quiet numbers.
const ROWS_MAX: usize = 50;

const NOTE: (&str, &str) = ("class", "note");
const COLUMN: (&str, &str) = ("scope", "col");
const ROW: (&str, &str) = ("scope", "row");

/// The page of these figures.
pub(super) fn page(figures: &Figures, zone: &TimeZone) -> String {
    let heading = sheet::heading(figures, zone);
    let html = [head(&heading), body(figures, &heading)];
    let Html(html) = element("html", &[("lang", "en")], html);
    ["<!DOCTYPE html>\n", &html, "\n"].concat()
}

fn head(heading: &str) -> Html {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", &*policy),
    ];
    let named = [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
    ];
    let mut head = vec![meta(&[("charset", "utf-8")]), meta(&policy)];
    head.extend(named.map(|(name, content)| meta(&[("name", name), ("content", content)])));
    let title = format!("Calls and texts: {heading}");
    head.push(text_in("title", &[], &title));
    head.push(element("style", &[], [Html(STYLE.to_owned())]));
    element("head", &[], head)
}

fn body(figures: &Figures, heading: &str) -> Html {
    let header = [
        text_in("h1", &[], "Calls and texts"),
        text_in("p", &[], heading),
    ];
    let mut body = vec![element("header", &[], header)];
    if figures.lines + figures.unreadable > 0 {
        body.push(element("main", &[], main(figures)));
    }
    let footer = concat!(
        "Made by twiml-responder ",
        env!("CARGO_PKG_VERSION"),
        " from its journal. No caller’s number is on this page."
    );
    body.push(text_in("footer", &[], footer));
    element("body", &[], body)
}

fn main(figures: &Figures) -> Vec<Html> {
    let keys = sheet::keys(figures);
    let mut main = vec![element("dl", &[("class", "keys")], keys.iter().map(key))];
    let mut sections = Vec::new();
    if figures.answers() > 0 {
        main.push(when(figures));
        sections.push(section(sheet::table(&figures.numbers)));
        sections.push(section(sheet::routes(figures)));
    }
    let pinned = figures.quiet.as_ref().filter(|quiet| quiet.pinned > 0);
    sections.extend(pinned.map(quiet));
    sections.extend(sheet::others(figures).into_iter().map(section));
    main.push(element("div", &[("class", "sections")], sections));
    main
}

fn key(key: &Key) -> Html {
    let mut parts = vec![
        text_in("dt", &[], key.name),
        text_in("dd", &[("class", "figure")], &figure(key.figure)),
    ];
    let notes = key.notes.iter();
    parts.extend(notes.map(|note| text_in("dd", &[("class", "more")], note)));
    element("div", &[], parts)
}

/// When they came: the week in cells, the hours in columns, the weekdays in bars, and all of it in figures.
fn when(figures: &Figures) -> Html {
    let clock = format!("On the clock of {}.", figures.timezone);
    let mut parts = vec![
        text_in("h2", &[], "When"),
        text_in("p", &[NOTE], &clock),
        text_in("h3", &[], "By weekday and hour"),
    ];
    let (cells, scale) = charts::cells(&figures.weekdays);
    parts.extend([Html(cells), text_in("p", &[NOTE], &scale)]);
    let hours = [
        text_in("h3", &[], "By hour of the day"),
        legend(&["calls", "texts"]),
        Html(charts::columns(&figures.hours)),
    ];
    let weekdays = [
        text_in("h3", &[], "By weekday"),
        table(&sheet::weekdays(figures)),
    ];
    let pair = [element("div", &[], hours), element("div", &[], weekdays)];
    parts.push(element("div", &[("class", "pair")], pair));
    let region = [
        ("class", "scroll"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-label", "Calls and texts by hour and weekday"),
    ];
    let details = [
        text_in("summary", &[], "Calls and texts together, in figures"),
        element("div", &region, [week(figures)]),
    ];
    parts.push(element("details", &[], details));
    element("section", &[], parts)
}

/// A table with a row an hour and a column a weekday.
fn week(figures: &Figures) -> Html {
    let days = figures.weekdays.iter().map(|day| day.weekday);
    let names = ["hour"].into_iter().chain(days).chain(["all"]);
    let head = names.map(|name| text_in("th", &[COLUMN], name));
    let rows = figures.hours.iter().map(|of| {
        let days = figures.weekdays.iter();
        let counts = days.map(|day| day.hours[usize::from(of.hour)]);
        let cells = counts
            .chain([of.came])
            .map(|count| text_in("td", &[], &figure(count.all())));
        let name = text_in("th", &[ROW], &hour_name(of.hour));
        element("tr", &[], [name].into_iter().chain(cells))
    });
    table_of(&[("class", "dense")], head, rows)
}

fn legend(names: &[&str]) -> Html {
    let names = names.iter().zip(charts::PARTS);
    let names = names.map(|(name, class)| element("span", &[], [swatch(class), text(name)]));
    element("div", &[("class", "legend")], names)
}

fn swatch(class: &str) -> Html {
    text_in("span", &[("class", &format!("swatch {class}"))], "")
}

fn section(mut of: Table) -> Html {
    of.cut(ROWS_MAX);
    let mut parts = vec![text_in("h2", &[], of.title)];
    if !of.note.is_empty() {
        parts.push(text_in("p", &[NOTE], of.note));
    }
    parts.push(table(&of));
    element("section", &[], parts)
}

/// A section's rows, each with its bar below its name.
fn table(of: &Table) -> Html {
    let mut head = vec![text_in("th", &[COLUMN], of.of)];
    for (at, name) in of.columns.iter().enumerate() {
        let class = charts::PARTS.get(at).filter(|_| of.columns.len() > 1);
        let swatch = class.map(|class| swatch(class));
        let content = swatch.into_iter().chain([text(name)]);
        head.push(element("th", &[COLUMN], content));
    }
    let longest = of.longest();
    let rows = of.rows.iter().map(|each| row(of, each, longest));
    table_of(&[], head, rows)
}

fn table_of(
    attributes: Attributes<'_>,
    head: impl IntoIterator<Item = Html>,
    rows: impl IntoIterator<Item = Html>,
) -> Html {
    let parts = [
        element("thead", &[], [element("tr", &[], head)]),
        element("tbody", &[], rows),
    ];
    element("table", attributes, parts)
}

fn row(of: &Table, row: &Row, longest: u64) -> Html {
    let mut name = vec![text(&row.label)];
    if !row.is_rest {
        name.push(Html(charts::bar(of.bar(row), longest)));
    }
    let figures = row.figures.iter();
    let cells = figures.map(|of| text_in("td", &[], &figure(*of)));
    let name = element("th", &[ROW], name);
    let attributes = [("class", "rest")];
    let attributes = &attributes[..usize::from(row.is_rest)];
    element("tr", attributes, [name].into_iter().chain(cells))
}

fn quiet(quiet: &Quiet) -> Html {
    let never = format!("{} in the table never came.", sheet::never(quiet));
    let mut parts = vec![
        text_in("h2", &[], "Quiet numbers"),
        text_in("p", &[NOTE], &never),
    ];
    if !quiet.never.is_empty() {
        let numbers = sheet::first(&quiet.never, ROWS_MAX).into_iter();
        let numbers = numbers.map(|number| text_in("li", &[], &number));
        parts.push(element("ul", &[("class", "numbers")], numbers));
    }
    let notes = sheet::quiet_notes(quiet).into_iter();
    parts.extend(notes.map(|note| text_in("p", &[NOTE], &note)));
    element("section", &[], parts)
}

/// Elements and texts as they stand in the page. Only what cannot have text from outside in it is made without escaping.
struct Html(String);

/// Attributes: names with their values.
type Attributes<'a> = &'a [(&'a str, &'a str)];

/// An element with what is in it.
fn element(
    name: &str,
    attributes: Attributes<'_>,
    content: impl IntoIterator<Item = Html>,
) -> Html {
    let mut html = start(name, attributes) + ">";
    html.extend(content.into_iter().map(|Html(part)| part));
    Html(html + "</" + name + ">")
}

fn meta(attributes: Attributes<'_>) -> Html {
    Html(start("meta", attributes) + "/>")
}

/// An element with a text.
fn text_in(name: &str, attributes: Attributes<'_>, content: &str) -> Html {
    element(name, attributes, [text(content)])
}

fn text(text: &str) -> Html {
    Html(escape(text).into_owned())
}

fn start(name: &str, attributes: Attributes<'_>) -> String {
    let mut start = format!("<{name}");
    for (name, value) in attributes {
        start.extend([" ", name, "=\"", &escape(*value), "\""]);
    }
    start
}
