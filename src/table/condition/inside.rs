//! `{ in = "rides" }`: a directory has a row for the value, or for several values together.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use super::{Keyed, Kind, Passing, Reading, Seen};
use crate::table::directory::Directory;
use crate::table::problems::{Key, Value};

pub(crate) static KEYED: Keyed = Keyed {
    key: "in",
    suits: |_| true,
    read,
    schema: || json!({ "description": "A directory has a row for the value.", "type": "string", "minLength": 1 }),
    check_cell: None,
    manual: "`in = \"DIRECTORY\"` holds if the directory has a row for the value: a row with exactly this key, otherwise the one with \
             the longest prefix of the value, otherwise `*`. Templates and other conditions in the same table can then use the \
             columns of that row. If the key of a directory has several columns, name the same number of parameters, in the same \
             order, in one quoted name: `\"Called, Caller\" = { in = \"sessions\" }`. Such a directory has only exact keys.",
};

/// The directory has a row for the values.
#[derive(Debug)]
pub struct Inside(pub Arc<Directory>);

fn read(reading: &mut Reading<'_>, _: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    let name = reading.problems.name(value, "the name of a directory")?;
    let directory = (reading.directory)(reading.problems, name, value)?;
    Some(Box::new(Inside(directory)))
}

impl Kind for Inside {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        self.0.has(seen.values)
    }

    fn passing(&self) -> Passing<'_> {
        Passing::KeyOf(&self.0)
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key of directory {:?}", self.0.name())
    }
}
