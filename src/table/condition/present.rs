//! `{ present = true }`: the value is there.

use std::borrow::Cow;
use std::fmt;

use serde_json::json;

use super::{Keyed, Kind, Passing, Reading, Seen, is_one};
use crate::table::problems::{Key, Value};
use crate::twilio::facts::Known;

pub(super) static KEYED: Keyed = Keyed {
    key: "present",
    suits: is_one,
    read,
    schema: || json!({ "description": "Whether the value must be present and not empty.", "type": "boolean" }),
    check_cell: None,
    manual: "`present = true` holds if the request has the value and it is not empty. `present = false` holds if the value is absent \
             or empty, because Twilio may send either.",
};

/// The value is present (`true`) or absent (`false`).
#[derive(Debug)]
pub struct Present(pub bool);

fn read(reading: &mut Reading<'_>, _: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    let wanted = reading.problems.boolean(value, "true or false")?;
    Some(Box::new(Present(wanted)))
}

impl Kind for Present {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        let is_there = match seen.value() {
            Known::Whole(value) => !value.is_empty(),
            Known::Present => true,
            Known::Ends(ends) if ends.are_present() => true,
            Known::Ends(_) | Known::Nothing => return None,
        };
        Some(is_there == self.0)
    }

    fn passing(&self) -> Passing<'_> {
        Passing::Known(if self.0 {
            Known::Present
        } else {
            Known::Whole(Cow::Borrowed(""))
        })
    }
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "present" } else { "absent" })
    }
}
