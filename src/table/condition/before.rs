//! `{ before = "now" }`: the value is a date and time before this one.

use std::fmt;

use super::moment::{self, Moment};
use super::{Keyed, Kind, Reading, Seen};
use crate::table::problems::{Key, Value};

pub(super) static KEYED: Keyed = Keyed {
    key: "before",
    suits: moment::suits,
    read,
    schema: || moment::schema("before"),
    check_cell: Some(moment::check_cell),
    manual: "`before = \"TIME\"` holds if the value is a date and time before TIME. TIME is `now`, `now-2h` or `now+30m` (units `s`, \
             `m`, `h`, `d`), counted from the time of the request; a date such as `2026-12-31` (its first moment in UTC); or a \
             date and time with its zone, such as `2026-12-31T23:00:00Z`. The value can come from Twilio (`sessionDateEnded`) \
             or from a directory (`\"sessions.until\"`). The condition does not hold for a value that is absent or not a date \
             and time, for TIME itself, or for an empty cell, which means \"no end\".",
};

/// The value is before a moment.
#[derive(Debug)]
struct Before(Moment);

fn read(reading: &mut Reading<'_>, key: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    Some(Box::new(Before(Moment::read(reading, key, value)?)))
}

impl Kind for Before {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        self.0.compared(seen, false, |value, moment| value < moment)
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before {}", self.0)
    }
}
