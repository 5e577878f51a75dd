//! The content that the terminal and the page share: a heading, key figures, and tables with titles and rows of bars.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::commands::output::{counted, figure, share, shown};
use crate::journal::figures::{
    Count, Counted, Figures, MostDefaults, OTHERS, Quiet, Section, Times,
};

/// A table: rows that belong together.
pub(super) struct SheetTable {
    pub title: &'static str,
    /// Notes on it, one sentence each.
    pub notes: Vec<String>,
    /// What the rows are named after.
    pub of: &'static str,
    /// The names of the figures in a row. The first one or two are drawn as a bar.
    pub columns: Vec<&'static str>,
    pub rows: Vec<SheetRow>,
}

/// A row: its name and one figure per column.
pub(super) struct SheetRow {
    pub label: String,
    /// Anything special about it.
    pub mark: Option<&'static str>,
    pub figures: Vec<u64>,
    /// Whether it combines several rows, so that its bar would not be comparable.
    pub is_rest: bool,
}

impl SheetTable {
    /// The figures that are drawn as a row's bar: one part, or two that add up.
    pub(super) fn bar<'r>(&self, row: &'r SheetRow) -> &'r [u64] {
        &row.figures[..self.columns.len().min(2)]
    }

    /// The length of the longest bar, at least 1.
    pub(super) fn longest(&self) -> u64 {
        let rows = self.rows.iter().filter(|row| !row.is_rest);
        let lengths = rows.map(|row| self.bar(row).iter().sum::<u64>());
        lengths.max().unwrap_or_default().max(1)
    }

    /// Combines all rows after the first `most` into one.
    pub(super) fn cut(&mut self, most: usize) {
        // A single remaining row takes no more room than the combined one.
        if self.rows.len() <= most + 1 {
            return;
        }
        let rest = self.rows.split_off(most);
        let sum = |at: usize| rest.iter().map(|row| row.figures[at]).sum();
        self.rows.push(SheetRow {
            label: format!("{} others", figure(rest.len() as u64)),
            mark: None,
            figures: (0..self.columns.len()).map(sum).collect(),
            is_rest: true,
        });
    }
}

/// A key figure: its name, the figure, and notes on it.
pub(super) struct Key {
    pub name: &'static str,
    pub figure: u64,
    pub notes: Vec<String>,
}

/// The figures that come first.
pub(super) fn keys(figures: &Figures) -> Vec<Key> {
    let key = |name, figure, notes| Key {
        name,
        figure,
        notes,
    };
    let notes = |counts: &[(u64, &str)]| {
        let some = counts.iter().filter(|(count, _)| *count > 0);
        some.map(|(count, what)| format!("{} {what}", figure(*count)))
            .collect()
    };
    let (came, back, withheld) = (figures.came, figures.came_back, figures.withheld);
    let calls = [(withheld.calls, "withheld"), (back.calls, "returned")];
    let texts = [
        (withheld.texts, "withheld"),
        (figures.machines, "from machines"),
        (back.texts, "returned"),
    ];
    let (default, answers) = (figures.default_answers(), figures.answers());
    let share = share(default, answers);
    let share = (answers > 0).then(|| format!("{share} of {}", counted(answers, "answer")));
    let mut keys = vec![
        key("Calls", came.calls, notes(&calls)),
        key("Texts", came.texts, notes(&texts)),
        key("Default answers", default, share.into_iter().collect()),
    ];
    let decided = figures.intercepts.named.values();
    let (blocked, passed) = decided.fold((0, 0), |(blocked, passed), decided| {
        (blocked + decided.blocked, passed + decided.passed)
    });
    if blocked + passed > 0 {
        let passed = vec![format!("{} let through", figure(passed))];
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

/// The days from the first line to the last: `2026-11-22 to 2026-11-25`; empty without lines.
pub(super) fn period(figures: &Figures, zone: &TimeZone) -> String {
    let day = |moment: Timestamp| zone.to_datetime(moment).date().to_string();
    match (figures.from.map(day), figures.to.map(day)) {
        (Some(from), Some(to)) if from == to => from,
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => String::new(),
    }
}

/// The period, the time zone, and how much was read.
pub(super) fn heading(figures: &Figures, zone: &TimeZone) -> String {
    let clock = |moment: Timestamp| zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M");
    let (Some(from), Some(to)) = (figures.from.map(clock), figures.to.map(clock)) else {
        return "The journal has no lines.".to_owned();
    };
    let (timezone, lines) = (&figures.timezone, counted(figures.lines, "line"));
    format!("{from} to {to}, {timezone}: {lines}")
}

/// A section of the figures.
pub(super) fn table<T: Counted>(section: &Section<T>) -> SheetTable {
    let rows = section.rows().into_iter().map(|(name, counted)| SheetRow {
        is_rest: name == Some(OTHERS),
        ..match name {
            None => row("not certain which", &counted),
            Some(OTHERS) => row("other", &counted),
            Some(name) => row(&shown(name), &counted),
        }
    });
    table_of::<T>(section.title, section.of, rows)
}

/// A table with one column per figure.
fn table_of<T: Counted>(
    title: &'static str,
    of: &'static str,
    rows: impl Iterator<Item = SheetRow>,
) -> SheetTable {
    let figures = T::default().figures().into_iter();
    SheetTable {
        title,
        notes: Vec::new(),
        of,
        columns: figures.map(|(name, _)| name).collect(),
        rows: rows.collect(),
    }
}

fn row(label: &str, counted: &impl Counted) -> SheetRow {
    let figures = counted.figures().into_iter();
    SheetRow {
        label: label.to_owned(),
        mark: None,
        figures: figures.map(|(_, figure)| figure).collect(),
        is_rest: false,
    }
}

/// The numbers with their names, and the number that got most of the default's answers.
pub(super) fn numbers(figures: &Figures) -> SheetTable {
    let mut table = table(&figures.numbers);
    let names = figures.numbers.rows().into_iter().map(|(name, _)| name);
    for (row, number) in table.rows.iter_mut().zip(names) {
        if let Some(name) = number.and_then(|number| figures.names.get(number)) {
            row.label = format!("{} {}", row.label, shown(name));
        }
        let most = figures.most_defaults.as_ref();
        if number.is_some() && number == most.map(|most| most.number.as_str()) {
            row.mark = Some("most defaults");
        }
    }
    table.notes = figures.most_defaults.iter().map(explained).collect();
    table
}

/// Why so many answers to one number came from the default, and how to find out more.
fn explained(most: &MostDefaults) -> String {
    let number = shown(&most.number);
    let why = match &most.routes {
        Some(routes) if routes.is_empty() => ": no route applies to it".to_owned(),
        Some(routes) => {
            let routes = first(routes, 3).join(", ");
            format!(": none of its routes matched ({routes})")
        }
        None => String::new(),
    };
    let default = counted(most.default, "default answer");
    format!(
        "{number} had {default}{why}. `explain Called={number}` shows the verdict of each route."
    )
}

/// The last days, with all earlier days in one row.
pub(super) fn days(figures: &Figures, most: usize) -> SheetTable {
    let days = figures.days(most);
    let earlier = days.first().map(|first| figures.before(first.day));
    let earlier = earlier.filter(|count| count.all() > 0);
    let earlier = earlier.map(|count| SheetRow {
        is_rest: true,
        ..row("earlier", &count)
    });
    let days = days.iter().map(|of| row(&day_name(of.day), &of.came));
    table_of::<Count>("Days", "day", earlier.into_iter().chain(days))
}

/// `Wed 2026-11-25`
pub(super) fn day_name(day: Date) -> String {
    day.strftime("%a %Y-%m-%d").to_string()
}

/// What the journal does not keep, and which options would keep it.
fn left_out(figures: &Figures) -> SheetTable {
    let mut table = table(&figures.left_out);
    let names = figures.left_out.rows().into_iter();
    let names: Vec<String> = names.filter_map(|(name, _)| name.map(shown)).collect();
    table.notes = vec![format!(
        "The table uses these values, so without them `replay` cannot always tell what an edit would change. \
         `serve --journal-values {}` keeps them from now on.",
        names.join(",")
    )];
    table
}

pub(super) fn routes(figures: &Figures) -> SheetTable {
    let mut table = table(&figures.routes);
    if figures.came_back.all() > 0 {
        let note = "Calls and texts that returned count once for each answer.";
        table.notes.push(note.to_owned());
    }
    table
}

pub(super) fn hours(figures: &Figures) -> SheetTable {
    let hours = figures.hours.iter();
    let rows = hours.map(|of| row(&hour_name(of.hour), &of.came));
    table_of::<Count>("Hours", "hour", rows)
}

pub(super) fn weekdays(figures: &Figures) -> SheetTable {
    let weekdays = figures.weekdays.iter();
    let rows = weekdays.map(|of| row(of.weekday, &of.came));
    table_of::<Count>("Weekdays", "weekday", rows)
}

/// `09:00`
pub(super) fn hour_name(hour: u8) -> String {
    format!("{hour:02}:00")
}

/// All other tables, if they have rows.
pub(super) fn others(figures: &Figures) -> Vec<SheetTable> {
    let statuses = figures.statuses.iter();
    let unusual = statuses.filter(|((webhook, status), _)| !is_usual(webhook, *status));
    let statuses = SheetTable {
        title: "Other statuses",
        notes: vec!["Answers with a status other than the webhook's usual one.".to_owned()],
        of: "webhook and status",
        columns: vec!["answers"],
        rows: unusual
            .map(|((webhook, status), &count)| {
                row(&format!("{webhook} {status}"), &Times { count })
            })
            .collect(),
    };
    let mut tables = vec![
        table(&figures.intercepts),
        table(&figures.callbacks),
        table(&figures.events),
        table(&figures.voice_webhooks),
        table(&figures.loop_guard),
        table(&figures.failed),
        statuses,
        left_out(figures),
    ];
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// Whether this is the normal status of the webhook.
fn is_usual(webhook: &str, status: u16) -> bool {
    match webhook {
        "out-of-session" | "webhook" => status == 200,
        "intercept" => matches!(status, 204 | 403),
        _ => status == 204,
    }
}

/// How many of a table's numbers never came: `2 of 7`.
pub(super) fn never(quiet: &Quiet) -> String {
    let [never, pinned] = [quiet.never.len(), quiet.pinned].map(|count| figure(count as u64));
    format!("{never} of {pinned}")
}

/// The first of some numbers, each cut to fit a terminal line, and how many more there are.
pub(super) fn first(numbers: &[String], most: usize) -> Vec<String> {
    let some = numbers.iter().take(most);
    let mut first: Vec<String> = some
        .map(|text| shown(text).chars().take(78).collect())
        .collect();
    if numbers.len() > most {
        let more = figure((numbers.len() - most) as u64);
        first.push(format!("and {more} more"));
    }
    first
}

/// What else the journal says about numbers that never came, one sentence each.
pub(super) fn quiet_notes(quiet: &Quiet) -> Vec<String> {
    let (uncertain, unkept) = (&quiet.uncertain, &quiet.unkept);
    let counted = |numbers: &[String]| counted(numbers.len() as u64, "number");
    let mut notes = Vec::new();
    if quiet.never.is_empty() {
        notes.push("No number is certain to be quiet.".to_owned());
    }
    if !uncertain.is_empty() {
        notes.push(format!(
            "{} may have been used, because a masked number in the journal begins and ends like this: {}. \
             `serve --journal-numbers full` would show which.",
            counted(uncertain),
            first(uncertain, 5).join(", ")
        ));
    }
    if !unkept.is_empty() {
        notes.push(format!(
            "Nothing is known about {} of a form that the journal never stores in full: {}.",
            counted(unkept),
            first(unkept, 5).join(", ")
        ));
    }
    notes
}
