//! `{ after = "now" }`: the value is a date and time after this one, or an empty cell, which means "no end".

use std::fmt;

use super::moment::{self, Moment};
use super::{Keyed, Kind, Reading, Seen};
use crate::table::problems::{Key, Value};

pub(super) static KEYED: Keyed = Keyed {
    key: "after",
    suits: moment::suits,
    read,
    schema: || moment::schema("after"),
    check_cell: Some(moment::check_cell),
    manual: "`after = \"TIME\"` holds if the value is a date and time after TIME, which is written as for `before`: \
             `sessionDateEnded = { after = \"now-2h\" }` holds if the session ended less than two hours ago. An empty directory \
             cell means \"no end\" and is after everything. The condition does not hold for a parameter that is absent or not a \
             date and time.",
};

/// The value is after a moment.
#[derive(Debug)]
struct After(Moment);

fn read(reading: &mut Reading<'_>, key: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    Some(Box::new(After(Moment::read(reading, key, value)?)))
}

impl Kind for After {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        self.0.compared(seen, true, |value, moment| value > moment)
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}", self.0)
    }
}
