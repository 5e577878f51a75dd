//! The figures in sections, each a title and rows with bars: what the terminal and the page draw alike.

use crate::commands::format::{counted, figure, share, shown};
use crate::journal::report::{Count, Figures, OTHERS, OfType, Quiet};

/// What the two parts of a bar stand for.
const CHANNELS: [&str; 2] = ["calls", "texts"];

/// Rows that belong together.
pub(super) struct Section {
    pub title: &'static str,
    /// What else is to be known, a sentence; may be empty.
    pub note: String,
    /// What the rows are named after.
    pub of: &'static str,
    /// What the figures of a row are. The first, or the first two, are drawn as a bar.
    pub columns: &'static [&'static str],
    pub rows: Vec<Row>,
}

/// A row: its name and its figures, as many as its section has columns.
pub(super) struct Row {
    pub label: String,
    pub figures: Vec<u64>,
    /// Whether it stands for several, and so has no bar that could be compared.
    pub is_rest: bool,
}

impl Section {
    /// What is drawn of a row: one part, or two that add up.
    pub(super) fn bar<'r>(&self, row: &'r Row) -> &'r [u64] {
        &row.figures[..self.columns.len().min(2)]
    }

    /// The length of the longest bar, at least 1.
    pub(super) fn longest(&self) -> u64 {
        let rows = self.rows.iter().filter(|row| !row.is_rest);
        let lengths = rows.map(|row| self.bar(row).iter().sum::<u64>());
        lengths.max().unwrap_or_default().max(1)
    }

    /// Puts all rows but the first so many into one.
    pub(super) fn cut(&mut self, most: usize) {
        // One row more is as short as a row that stands for it.
        if self.rows.len() <= most + 1 {
            return;
        }
        let rest = self.rows.split_off(most);
        let mut figures = vec![0; self.columns.len()];
        for row in &rest {
            for (sum, figure) in figures.iter_mut().zip(&row.figures) {
                *sum += figure;
            }
        }
        let more = figure(rest.len() as u64);
        self.rows.push(Row {
            label: format!("{more} others"),
            figures,
            is_rest: true,
        });
    }
}

/// What was counted, in a few figures: what, how much, and what else is to be known of it.
pub(super) struct Key {
    pub name: &'static str,
    pub figure: u64,
    pub notes: Vec<String>,
}

/// The figures that come first.
pub(super) fn keys(figures: &Figures) -> Vec<Key> {
    // What there is none of is not worth a word.
    let notes = |counts: &[(u64, &str)]| {
        let some = counts.iter().filter(|(count, _)| *count > 0);
        some.map(|(count, what)| format!("{} {what}", figure(*count)))
            .collect()
    };
    let key = |name, figure, notes| Key {
        name,
        figure,
        notes,
    };
    let Figures {
        came,
        came_back,
        withheld,
        ..
    } = figures;
    let mut keys = vec![
        key(
            "Calls",
            came.calls,
            notes(&[(withheld.calls, "withheld"), (came_back.calls, "came back")]),
        ),
        key(
            "Texts",
            came.texts,
            notes(&[
                (withheld.texts, "withheld"),
                (figures.machines, "from machines"),
                (came_back.texts, "came back"),
            ]),
        ),
    ];
    let (default, answers) = (figures.default().all(), figures.answers());
    let share = match answers {
        0 => Vec::new(),
        _ => vec![format!(
            "{} of {}",
            share(default, answers),
            counted(answers, "answer")
        )],
    };
    keys.push(key("Default answers", default, share));
    let (blocked, passed) = figures.decided();
    if blocked + passed > 0 {
        let passed = vec![format!("{} let go on", figure(passed))];
        keys.push(key("Interactions blocked", blocked, passed));
    }
    if let Some(quiet) = figures.quiet.as_ref().filter(|quiet| quiet.pinned > 0) {
        let all = vec![format!("of {} in the table", figure(quiet.pinned as u64))];
        keys.push(key("Quiet numbers", quiet.never.len() as u64, all));
    }
    if figures.unreadable > 0 {
        let note = vec!["in no other figure".to_owned()];
        keys.push(key("Unreadable lines", figures.unreadable, note));
    }
    keys
}

/// Over which time, whose clock, and how much was read.
pub(super) fn heading(figures: &Figures, zone: &jiff::tz::TimeZone) -> String {
    let lines = counted(figures.lines, "line");
    let clock = |moment: jiff::Timestamp| zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M");
    match (figures.from, figures.to) {
        (Some(from), Some(to)) => format!(
            "{} to {}, {}: {lines}",
            clock(from),
            clock(to),
            figures.timezone
        ),
        _ => "The journal has no lines.".to_owned(),
    }
}

/// By number of our own.
pub(super) fn numbers(figures: &Figures) -> Section {
    Section {
        title: "Numbers",
        note: String::new(),
        of: "number",
        columns: &["calls", "texts", "default"],
        rows: figures
            .numbers
            .iter()
            .map(|of| Row {
                label: match &of.number {
                    Some(number) => shown(number),
                    None => "not certain which".to_owned(),
                },
                figures: vec![of.came.calls, of.came.texts, of.default.all()],
                is_rest: of.number.as_deref() == Some(OTHERS),
            })
            .collect(),
    }
}

/// By route.
pub(super) fn routes(figures: &Figures) -> Section {
    Section {
        title: "Routes",
        note: match figures.came_back.all() {
            0 => String::new(),
            _ => "Every answer counts, also to what came back.".to_owned(),
        },
        of: "route",
        columns: &CHANNELS,
        rows: figures
            .routes
            .iter()
            .map(|of| row(&of.route, of.answers))
            .collect(),
    }
}

/// By hour of the day.
pub(super) fn hours(figures: &Figures) -> Section {
    let hours = figures.hours.iter();
    Section {
        title: "Hours",
        note: String::new(),
        of: "hour",
        columns: &CHANNELS,
        rows: hours
            .map(|of| row(&format!("{:02}:00", of.hour), of.came))
            .collect(),
    }
}

/// By weekday.
pub(super) fn weekdays(figures: &Figures) -> Section {
    let weekdays = figures.weekdays.iter();
    Section {
        title: "Weekdays",
        note: String::new(),
        of: "weekday",
        columns: &CHANNELS,
        rows: weekdays.map(|of| row(of.weekday, of.came)).collect(),
    }
}

/// What else there is, section by section; those without rows are left out.
pub(super) fn others(figures: &Figures) -> Vec<Section> {
    let intercepts = Section {
        title: "Intercepts",
        note: String::new(),
        of: "intercept",
        columns: &["blocked", "let go on"],
        rows: figures
            .intercepts
            .iter()
            .map(|of| Row {
                label: shown(&of.intercept),
                figures: vec![of.blocked, of.passed],
                is_rest: false,
            })
            .collect(),
    };
    let unusual = figures.statuses.iter().filter(|of| !of.is_usual());
    let statuses = Section {
        title: "Other statuses",
        note: "Answers with another status than the webhook's own.".to_owned(),
        of: "webhook and status",
        columns: &["answers"],
        rows: unusual
            .map(|of| Row {
                label: format!("{} {}", of.webhook, of.status),
                figures: vec![of.count],
                is_rest: false,
            })
            .collect(),
    };
    let guard = figures.loop_guard.iter();
    let guard = guard.map(|of| (of.reason.as_str(), of.count));
    let failed = figures.failed.iter();
    let failed = failed.map(|of| (of.route.as_str(), of.count));
    let mut sections = vec![
        intercepts,
        types("Callbacks", "type", &figures.callbacks),
        types("Events", "type", &figures.events),
        types("Voice webhooks", "event", &figures.voice_webhooks),
        counts("Loop guard", "reason", guard),
        counts("Unwritten replies", "route", failed),
        statuses,
    ];
    sections.retain(|section| !section.rows.is_empty());
    sections
}

/// What is to be said of numbers that never came, a sentence each.
pub(super) fn quiet_notes(quiet: &Quiet) -> Vec<String> {
    let mut notes = Vec::new();
    if quiet.never.is_empty() {
        notes.push("No number is known to be quiet.".to_owned());
    }
    if !quiet.uncertain.is_empty() {
        notes.push(format!(
            "{} may have come, because a masked number in the journal begins and ends so: {}",
            counted(quiet.uncertain.len() as u64, "number"),
            some(&quiet.uncertain)
        ));
    }
    if !quiet.unkept.is_empty() {
        notes.push(format!(
            "Nothing is known of {} of a form that a journal never holds whole: {}",
            counted(quiet.unkept.len() as u64, "number"),
            some(&quiet.unkept)
        ));
    }
    notes
}

/// The first of some numbers.
fn some(numbers: &[String]) -> String {
    const MOST: usize = 5;
    let short = |text: &String| shown(text).chars().take(60).collect();
    let first: Vec<String> = numbers.iter().take(MOST).map(short).collect();
    let more = numbers.len().saturating_sub(MOST);
    let tail = match more {
        0 => String::new(),
        more => format!(" and {} more", figure(more as u64)),
    };
    format!("{}{tail}.", first.join(", "))
}

fn row(label: &str, count: Count) -> Row {
    Row {
        label: shown(label),
        figures: vec![count.calls, count.texts],
        is_rest: label == OTHERS,
    }
}

fn types(title: &'static str, of: &'static str, types: &[OfType]) -> Section {
    let counts_of = types.iter().map(|of| (of.kind.as_str(), of.count));
    counts(title, of, counts_of)
}

fn counts<'a>(
    title: &'static str,
    of: &'static str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> Section {
    Section {
        title,
        note: String::new(),
        of,
        columns: &["count"],
        rows: counts
            .map(|(label, count)| Row {
                label: match label {
                    OTHERS => "other".to_owned(),
                    label => shown(label),
                },
                figures: vec![count],
                is_rest: label == OTHERS,
            })
            .collect(),
    }
}
