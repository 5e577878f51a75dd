//! The figures of a journal, each section described once for the terminal, the page and `--format json`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::iter;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde::ser::Serializer;

use crate::table::DEFAULT;
use crate::twilio::channel::Channel;

/// The most distinct values of a kind with their own counts. Later values share one count.
pub(crate) const DISTINCT_MAX: usize = 100_000;

/// The name of the shared count. No route, number or type can have this name.
pub(crate) const OTHERS: &str = "(others)";

/// The most bytes of a name. The service writes shorter ones.
const NAME_MAX: usize = 256;

/// Everything that was counted. All hours and weekdays are there, in order.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub timezone: String,
    pub lines: u64,
    pub unreadable: u64,
    /// Calls and texts, each once.
    pub came: Count,
    /// Further requests of these calls and texts: steps and repetitions.
    pub came_back: Count,
    pub withheld: Count,
    /// Texts that seem to come from machines.
    pub machines: u64,
    /// By our own number. The count without a name has the requests where it is not certain which number is ours.
    pub numbers: Section<NumberCount>,
    /// The names of these numbers in the table's directories.
    pub names: BTreeMap<String, String>,
    /// The number with the most answers by the default; `None` without any.
    pub most_defaults: Option<MostDefaults>,
    /// All answers, including those of `default` and `loop-guard`.
    pub routes: Section<Count>,
    pub loop_guard: Section<Times>,
    /// By route, the replies that could not be written: the default answered instead.
    pub failed: Section<Times>,
    /// The days on which anything came.
    #[serde(serialize_with = "as_days")]
    days: BTreeMap<Date, Count>,
    pub hours: Vec<HourCount>,
    /// Starting with Monday.
    pub weekdays: Vec<WeekdayCount>,
    /// `None` without a table.
    pub quiet: Option<Quiet>,
    /// By the intercept that decided; `pass` when none matched.
    pub intercepts: Section<Decided>,
    pub callbacks: Section<Times>,
    pub events: Section<Times>,
    pub voice_webhooks: Section<Times>,
    /// By parameter in the table's conditions, the decisions whose line lacks its value.
    pub left_out: Section<Times>,
    /// By webhook and status.
    #[serde(serialize_with = "as_rows")]
    pub statuses: BTreeMap<(&'static str, u16), u64>,
}

impl Figures {
    /// Figures with nothing counted yet.
    pub(super) fn new(timezone: &str) -> Self {
        let hours = (0..24).map(|hour| HourCount {
            hour,
            came: Count::default(),
        });
        let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let weekdays = weekdays.map(|weekday| WeekdayCount {
            weekday,
            came: Count::default(),
            hours: [Count::default(); 24],
        });
        Self {
            timezone: timezone.to_owned(),
            numbers: Section::new("Numbers", "number"),
            routes: Section::new("Routes", "route"),
            loop_guard: Section::new("Loop guard", "reason"),
            failed: Section::new("Unwritten replies", "route"),
            hours: hours.collect(),
            weekdays: weekdays.into(),
            intercepts: Section::new("Intercepts", "intercept"),
            callbacks: Section::new("Callbacks", "type"),
            events: Section::new("Events", "type"),
            voice_webhooks: Section::new("Voice webhooks", "type"),
            left_out: Section::new("Values not in the journal", "parameter"),
            ..Self::default()
        }
    }

    /// Counts a call or text on this day.
    pub(super) fn add_day(&mut self, day: Date, channel: Channel) {
        if self.days.len() < DISTINCT_MAX || self.days.contains_key(&day) {
            self.days.entry(day).or_default().add(channel);
        }
    }

    /// The days from the first to the last on which anything came, including empty days in between, but at most the
    /// last `most` of them.
    pub(crate) fn days(&self, most: usize) -> Vec<DayCount> {
        let Some((&last, _)) = self.days.last_key_value() else {
            return Vec::new();
        };
        let first = self.days.first_key_value().map_or(last, |(&day, _)| day);
        let days = iter::successors(Some(last), |day| day.yesterday().ok());
        let mut days: Vec<DayCount> = days
            .take_while(|day| *day >= first)
            .take(most)
            .map(|day| DayCount {
                day,
                came: self.days.get(&day).copied().unwrap_or_default(),
            })
            .collect();
        days.reverse();
        days
    }

    /// The count of all days before this one.
    pub(crate) fn before(&self, day: Date) -> Count {
        let earlier = self.days.range(..day).map(|(_, count)| count);
        earlier.fold(Count::default(), |sum, count| Count {
            calls: sum.calls + count.calls,
            texts: sum.texts + count.texts,
        })
    }

    /// The number of answers by the default.
    pub(crate) fn default_answers(&self) -> u64 {
        let default = self.routes.named.get(DEFAULT);
        default.map_or(0, |count| count.all())
    }

    /// The number of answers with a document.
    pub(crate) fn answers(&self) -> u64 {
        self.came.all() + self.came_back.all()
    }
}

/// Counts by name. In JSON, an array of objects, each with its name under the key [`Section::of`].
#[derive(Debug, Default)]
pub(crate) struct Section<T> {
    /// The heading.
    pub title: &'static str,
    /// What the names of the rows are.
    pub of: &'static str,
    pub named: HashMap<Box<str>, T>,
    pub unnamed: T,
}

/// The counts in each row of a section.
pub(crate) trait Counted: Copy + Default + PartialEq + Serialize {
    /// The figures with their headings. The length of the bar is the first figure, or the sum of the first two.
    fn figures(&self) -> Vec<(&'static str, u64)>;
}

impl<T: Counted> Section<T> {
    fn new(title: &'static str, of: &'static str) -> Self {
        Self {
            title,
            of,
            ..Self::default()
        }
    }

    /// The count for a name. When there are too many names, later ones share the count of [`OTHERS`].
    pub(super) fn count(&mut self, name: &str) -> &mut T {
        let name = cut(name);
        let has_room = self.named.len() < DISTINCT_MAX || self.named.contains_key(name);
        let name = if has_room { name } else { OTHERS };
        if !self.named.contains_key(name) {
            self.named.insert(name.into(), T::default());
        }
        self.named.get_mut(name).expect("it is there now")
    }

    /// The rows by length of bar, longest first, then by name; [`OTHERS`] and the count without a name come last.
    pub(crate) fn rows(&self) -> Vec<(Option<&str>, T)> {
        let named = self.named.iter();
        let mut rows: Vec<_> = named
            .map(|(name, counted)| (Some(&**name), *counted))
            .collect();
        rows.sort_by_cached_key(|(name, counted)| {
            let bar = counted.figures().into_iter().take(2);
            let length: u64 = bar.map(|(_, figure)| figure).sum();
            (*name == Some(OTHERS), Reverse(length), *name)
        });
        if self.unnamed != T::default() {
            rows.push((None, self.unnamed));
        }
        rows
    }
}

/// Truncates a name to [`NAME_MAX`] bytes.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl<T: Counted> Serialize for Section<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'s, T> {
            #[serde(flatten)]
            name: BTreeMap<&'static str, Option<&'s str>>,
            #[serde(flatten)]
            counted: T,
        }
        serializer.collect_seq(self.rows().into_iter().map(|(name, counted)| Row {
            name: BTreeMap::from([(self.of, name)]),
            counted,
        }))
    }
}

fn as_rows<S: Serializer>(
    statuses: &BTreeMap<(&'static str, u16), u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Row {
        webhook: &'static str,
        status: u16,
        count: u64,
    }
    serializer.collect_seq(statuses.iter().map(|(&(webhook, status), &count)| Row {
        webhook,
        status,
        count,
    }))
}

fn as_days<S: Serializer>(days: &BTreeMap<Date, Count>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(days.iter().map(|(&day, &came)| DayCount { day, came }))
}

/// The calls and texts of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct DayCount {
    pub day: Date,
    #[serde(flatten)]
    pub came: Count,
}

/// The number with the most answers by the default.
#[derive(Debug, Serialize)]
pub(crate) struct MostDefaults {
    pub number: String,
    /// How many answers.
    pub default: u64,
    /// The table's routes for this number, which did not match; `None` without a table.
    pub routes: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub calls: u64,
    pub texts: u64,
}

impl Count {
    pub(crate) fn all(self) -> u64 {
        self.calls + self.texts
    }

    /// Counts one more call or text.
    pub(super) fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Voice => self.calls += 1,
            Channel::Message => self.texts += 1,
        }
    }
}

impl Counted for Count {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![("calls", self.calls), ("texts", self.texts)]
    }
}

/// The calls and texts to one of our own numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct NumberCount {
    #[serde(flatten)]
    pub came: Count,
    /// The number of answers by the default.
    pub default: Count,
}

impl Counted for NumberCount {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        let default = ("default", self.default.all());
        [self.came.figures(), vec![default]].concat()
    }
}

/// An intercept's decisions about interactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Decided {
    pub blocked: u64,
    pub passed: u64,
}

impl Counted for Decided {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![("blocked", self.blocked), ("let through", self.passed)]
    }
}

/// How often something came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    pub count: u64,
}

impl Counted for Times {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![("count", self.count)]
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct HourCount {
    pub hour: u8,
    #[serde(flatten)]
    pub came: Count,
}

#[derive(Debug, Serialize)]
pub(crate) struct WeekdayCount {
    pub weekday: &'static str,
    #[serde(flatten)]
    pub came: Count,
    pub hours: [Count; 24],
}

/// The numbers in a table that never came.
#[derive(Debug, Serialize)]
pub(crate) struct Quiet {
    /// How many numbers the table is pinned to.
    pub pinned: usize,
    /// Those that are in no line, sorted.
    pub never: Vec<String>,
    /// Those that are in no line in full but may be one of the masked numbers.
    pub uncertain: Vec<String>,
    /// Those of a kind that a line never holds in full, such as SIP addresses: nothing is known about them.
    pub unkept: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_share_a_count() {
        let mut section = Section::<Times>::new("", "");
        for number in 0..DISTINCT_MAX + 7 {
            section.count(&number.to_string()).count += 1;
        }
        section.count("0").count += 1;
        let rows = section.rows();
        assert_eq!(rows.len(), DISTINCT_MAX + 1);
        assert_eq!(rows[0], (Some("0"), Times { count: 2 }));
        assert_eq!(rows[DISTINCT_MAX], (Some(OTHERS), Times { count: 7 }));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut section = Section::<Times>::new("", "");
        section.count(&"\u{e9}".repeat(1000)).count += 1;
        section.count(&format!("x{}", "\u{e9}".repeat(1000))).count += 1;
        let rows = section.rows();
        let lengths: Vec<usize> = rows
            .iter()
            .filter_map(|(name, _)| name.map(str::len))
            .collect();
        assert_eq!(lengths, [255, 256]);
    }
}
