//! `[schedule.NAME]`, and `during` and `outside` of a route.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::{TimeZone, db};
use toml::de::{DeTable, DeValue};

use super::{Compiler, shape};
use crate::table::diagnostic::Code;
use crate::table::problems::{Value, entries, section};
use crate::table::schedule::{Schedule, Span};
use crate::twilio::spelling::nearest;

impl Compiler<'_> {
    pub(super) fn lower_schedules(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of schedules") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let before = self.problems.count();
            let schedule = self.schedule(name, key.span(), value);
            let is_right = self.problems.errors_since(before) == 0;
            self.schedules
                .insert(name.to_owned(), schedule.filter(|_| is_right).map(Arc::new));
        }
    }

    fn schedule(
        &mut self,
        name: &str,
        place: std::ops::Range<usize>,
        value: &Value<'_>,
    ) -> Option<Schedule> {
        let before = self.problems.count();
        let table = self.problems.table(value, "a schedule")?;
        let section = format!("[schedule.{name}]");
        self.problems
            .unknown_keys(table, &section, &shape::SCHEDULE.keys());
        let zone = self.zone(table, &section, &place);
        let open = if let Some(open) = table.get("open") {
            self.spans(open)
        } else {
            let help = "write open = [\"Mon-Fri 09:00-17:30\"]";
            self.problems.error(
                Code::MissingKey,
                place,
                format!("{section} has no `open`"),
                help,
            );
            return None;
        };
        let closed = table
            .get("closed")
            .map(|closed| self.spans(closed))
            .unwrap_or_default();
        let schedule = Schedule {
            name: name.to_owned(),
            zone: zone?,
            open,
            closed,
        };
        if self.problems.errors_since(before) == 0 && schedule.is_never_open() {
            let message = format!("{section} is never open: `closed` covers all of `open`");
            let help = "write the spans in which somebody is there";
            self.problems.error(Code::NeverOpen, place, message, help);
        }
        Some(schedule)
    }

    fn zone(
        &mut self,
        table: &DeTable<'_>,
        section: &str,
        place: &std::ops::Range<usize>,
    ) -> Option<TimeZone> {
        let Some(value) = table.get("timezone") else {
            let help = "write timezone = \"America/New_York\"";
            self.problems.error(
                Code::MissingKey,
                place.clone(),
                format!("{section} has no `timezone`"),
                help,
            );
            return None;
        };
        let name = self.problems.text(value, "the name of a time zone")?;
        if let Ok(zone) = TimeZone::get(name) {
            return Some(zone);
        }
        let names: Vec<String> = db()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write an IANA name, such as \"America/New_York\"".to_owned(),
        };
        self.problems.error(
            Code::BadSchedule,
            value.span(),
            format!("there is no time zone \"{name}\""),
            help,
        );
        None
    }

    fn spans(&mut self, value: &Value<'_>) -> Vec<Span> {
        let help = "write an array: [\"Mon-Fri 09:00-17:30\"]";
        let Some(array) = self.problems.array(value, "an array of spans", help) else {
            return Vec::new();
        };
        array.iter().filter_map(|item| self.span(item)).collect()
    }

    fn span(&mut self, item: &Value<'_>) -> Option<Span> {
        let help = "write \"Mon-Fri 09:00-17:30\", \"22:00-06:00\", \"12-25\", \"2026-12-31 12:00-24:00\" or \
                    \"2027-01-02..2027-01-05\"";
        if let DeValue::Datetime(date) = item.get_ref() {
            let date = date.date.filter(|_| date.time.is_none());
            let span = date.and_then(|date| {
                let (year, month, day) = (
                    date.year.try_into(),
                    date.month.try_into(),
                    date.day.try_into(),
                );
                Some(Span::on(
                    Date::new(year.ok()?, month.ok()?, day.ok()?).ok()?,
                ))
            });
            if span.is_none() {
                let message = "this is no day of the calendar without hours";
                self.problems
                    .error(Code::BadSchedule, item.span(), message, help);
            }
            return span;
        }
        let text = self.problems.text(item, "a span")?;
        match text.parse() {
            Ok(span) => Some(span),
            Err(error) => {
                let message = format!("\"{text}\" is no span: {error}");
                self.problems
                    .error(Code::BadSchedule, item.span(), message, help);
                None
            }
        }
    }

    /// The schedules that a `during` or `outside` names.
    pub(super) fn named_schedules(&mut self, value: Option<&Value<'_>>) -> Vec<Arc<Schedule>> {
        let Some(value) = value else {
            return Vec::new();
        };
        let items: &[Value<'_>] = match value.get_ref() {
            DeValue::Array(array) if !array.is_empty() => array,
            _ => std::slice::from_ref(value),
        };
        items
            .iter()
            .filter_map(|item| self.named_schedule(item))
            .collect()
    }

    fn named_schedule(&mut self, value: &Value<'_>) -> Option<Arc<Schedule>> {
        let name = self.problems.text(value, "the name of a schedule")?;
        if let Some(schedule) = self.schedules.get(name) {
            self.used_schedules.insert(name.to_owned());
            return schedule.clone();
        }
        let help = match nearest(name, self.schedules.keys().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add a section {}", section("schedule", name)),
        };
        let message = format!("there is no schedule \"{name}\"");
        self.problems
            .error(Code::UnknownSchedule, value.span(), message, help);
        None
    }
}
