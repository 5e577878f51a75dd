//! The page: one file that asks nobody for anything and runs nothing.
//!
//! Whatever comes from outside is a text that [`shown`] has been over and that quick-xml escapes. A content security
//! policy keeps out all the rest: nothing is fetched, no script runs, and the only style is ours, by its hash.

mod charts;
mod html;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use self::html::Html;
use super::section::{self, Key, Row, Section};
use crate::commands::format::{figure, shown};
use crate::journal::report::{Figures, Quiet};

const STYLE: &str = include_str!("page.css");

/// The most rows of a section, and the most quiet numbers.
const ROWS_MAX: usize = 50;

/// The page of these figures.
pub(super) fn page(figures: &Figures, zone: &TimeZone) -> io::Result<Vec<u8>> {
    let mut html = Html::new();
    let heading = section::heading(figures, zone);
    html.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |html| head(html, &heading))?;
        html.element("body", &[], |html| body(html, figures, &heading))
    })?;
    Ok(html.into_bytes())
}

fn head(html: &mut Html, heading: &str) -> io::Result<()> {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    html.empty("meta", &[("charset", "utf-8")])?;
    html.empty(
        "meta",
        &[
            ("http-equiv", "Content-Security-Policy"),
            ("content", &policy),
        ],
    )?;
    for (name, content) in [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
    ] {
        html.empty("meta", &[("name", name), ("content", content)])?;
    }
    html.text_in("title", &[], &format!("Calls and texts: {heading}"))?;
    html.style(STYLE)
}

fn body(html: &mut Html, figures: &Figures, heading: &str) -> io::Result<()> {
    html.element("header", &[], |html| {
        html.text_in("h1", &[], "Calls and texts")?;
        html.text_in("p", &[], heading)
    })?;
    if figures.lines + figures.unreadable > 0 {
        html.element("main", &[], |html| main(html, figures))?;
    }
    html.text_in(
        "footer",
        &[],
        concat!(
            "Made by twiml-responder ",
            env!("CARGO_PKG_VERSION"),
            " from its journal. No caller’s number is on this page."
        ),
    )
}

fn main(html: &mut Html, figures: &Figures) -> io::Result<()> {
    html.element("dl", &[("class", "keys")], |html| {
        section::keys(figures)
            .iter()
            .try_for_each(|each| key(html, each))
    })?;
    if figures.answers() > 0 {
        when(html, figures)?;
    }
    html.element("div", &[("class", "sections")], |html| {
        if figures.answers() > 0 {
            draw(html, section::numbers(figures))?;
            draw(html, section::routes(figures))?;
        }
        if let Some(of_table) = figures.quiet.as_ref().filter(|quiet| quiet.pinned > 0) {
            quiet(html, of_table)?;
        }
        section::others(figures)
            .into_iter()
            .try_for_each(|section| draw(html, section))
    })
}

fn key(html: &mut Html, key: &Key) -> io::Result<()> {
    html.element("div", &[], |html| {
        html.text_in("dt", &[], key.name)?;
        html.text_in("dd", &[("class", "figure")], &figure(key.figure))?;
        key.notes
            .iter()
            .try_for_each(|note| html.text_in("dd", &[("class", "more")], note))
    })
}

/// When they came: the week in cells, the hours in columns, the weekdays in bars, and all of it in figures.
fn when(html: &mut Html, figures: &Figures) -> io::Result<()> {
    html.element("section", &[], |html| {
        html.text_in("h2", &[], "When")?;
        let clock = format!("On the clock of {}.", figures.timezone);
        html.text_in("p", &[("class", "note")], &clock)?;
        html.text_in("h3", &[], "By weekday and hour")?;
        charts::cells(html, &figures.weekdays)?;
        html.element("div", &[("class", "pair")], |html| {
            html.element("div", &[], |html| {
                html.text_in("h3", &[], "By hour of the day")?;
                legend(html, &["calls", "texts"])?;
                charts::columns(html, &figures.hours)
            })?;
            html.element("div", &[], |html| {
                html.text_in("h3", &[], "By weekday")?;
                table(html, &section::weekdays(figures))
            })
        })?;
        html.element("details", &[], |html| {
            html.text_in("summary", &[], "Calls and texts together, in figures")?;
            let region = [
                ("class", "scroll"),
                ("role", "region"),
                ("tabindex", "0"),
                ("aria-label", "Calls and texts by hour and weekday"),
            ];
            html.element("div", &region, |html| week(html, figures))
        })
    })
}

/// A table with a row an hour and a column a weekday.
fn week(html: &mut Html, figures: &Figures) -> io::Result<()> {
    html.element("table", &[("class", "dense")], |html| {
        html.element("thead", &[], |html| {
            html.element("tr", &[], |html| {
                html.text_in("th", &[("scope", "col")], "hour")?;
                let days = figures.weekdays.iter().map(|day| day.weekday);
                for name in days.chain(["all"]) {
                    html.text_in("th", &[("scope", "col")], name)?;
                }
                Ok(())
            })
        })?;
        html.element("tbody", &[], |html| {
            for of in &figures.hours {
                html.element("tr", &[], |html| {
                    html.text_in("th", &[("scope", "row")], &charts::hour(of.hour))?;
                    let days = figures.weekdays.iter();
                    let counts = days.map(|day| day.hours[usize::from(of.hour)]);
                    for count in counts.chain([of.came]) {
                        html.text_in("td", &[], &figure(count.all()))?;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
    })
}

fn legend(html: &mut Html, names: &[&str]) -> io::Result<()> {
    html.element("div", &[("class", "legend")], |html| {
        for (name, class) in names.iter().zip(charts::PARTS) {
            html.element("span", &[], |html| {
                swatch(html, class)?;
                html.text(name)
            })?;
        }
        Ok(())
    })
}

fn swatch(html: &mut Html, class: &str) -> io::Result<()> {
    html.text_in("span", &[("class", &format!("swatch {class}"))], "")
}

fn draw(html: &mut Html, mut section: Section) -> io::Result<()> {
    section.cut(ROWS_MAX);
    html.element("section", &[], |html| {
        html.text_in("h2", &[], section.title)?;
        if !section.note.is_empty() {
            html.text_in("p", &[("class", "note")], &section.note)?;
        }
        table(html, &section)
    })
}

/// A section's rows, each with its bar below its name.
fn table(html: &mut Html, section: &Section) -> io::Result<()> {
    html.element("table", &[], |html| {
        html.element("thead", &[], |html| {
            html.element("tr", &[], |html| {
                html.text_in("th", &[("scope", "col")], section.of)?;
                for (at, name) in section.columns.iter().enumerate() {
                    html.element("th", &[("scope", "col")], |html| {
                        let has_swatch = section.columns.len() > 1;
                        if let Some(class) = charts::PARTS.get(at).filter(|_| has_swatch) {
                            swatch(html, class)?;
                        }
                        html.text(name)
                    })?;
                }
                Ok(())
            })
        })?;
        let longest = section.longest();
        html.element("tbody", &[], |html| {
            section
                .rows
                .iter()
                .try_for_each(|each| row(html, section, each, longest))
        })
    })
}

fn row(html: &mut Html, section: &Section, row: &Row, longest: u64) -> io::Result<()> {
    let class = [("class", "rest")];
    let attributes = if row.is_rest { &class[..] } else { &[] };
    html.element("tr", attributes, |html| {
        html.element("th", &[("scope", "row")], |html| {
            html.text(&row.label)?;
            if row.is_rest {
                return Ok(());
            }
            charts::bar(html, section.bar(row), longest)
        })?;
        for of in &row.figures {
            html.text_in("td", &[], &figure(*of))?;
        }
        Ok(())
    })
}

fn quiet(html: &mut Html, quiet: &Quiet) -> io::Result<()> {
    html.element("section", &[], |html| {
        html.text_in("h2", &[], "Quiet numbers")?;
        let never = format!(
            "{} of {} in the table never came.",
            figure(quiet.never.len() as u64),
            figure(quiet.pinned as u64)
        );
        html.text_in("p", &[("class", "note")], &never)?;
        if !quiet.never.is_empty() {
            html.element("ul", &[("class", "numbers")], |html| {
                for number in quiet.never.iter().take(ROWS_MAX) {
                    html.text_in("li", &[], &shown(number))?;
                }
                let more = quiet.never.len().saturating_sub(ROWS_MAX);
                if more > 0 {
                    html.text_in("li", &[], &format!("and {} more", figure(more as u64)))?;
                }
                Ok(())
            })?;
        }
        for note in section::quiet_notes(quiet) {
            html.text_in("p", &[("class", "note")], &note)?;
        }
        Ok(())
    })
}
