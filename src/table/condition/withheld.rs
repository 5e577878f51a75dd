//! `{ withheld = true }`: the caller withholds the number.

use std::fmt;

use serde_json::json;

use super::{Keyed, Kind, Reading, Seen};
use crate::table::condition::BAD_CONDITION;
use crate::table::problems::{Key, Value};
use crate::twilio::channel::Channel;
use crate::twilio::facts::Known;
use crate::twilio::number::is_withheld;
use crate::twilio::parameters;

pub(super) static KEYED: Keyed = Keyed {
    key: "withheld",
    suits: parameters::is_number,
    read,
    schema: || json!({ "description": "Whether the caller's number must be withheld.", "type": "boolean" }),
    check_cell: None,
    manual: "`withheld = true` holds if the caller's number is withheld: it is empty, a word such as ANONYMOUS spelt on a keypad \
             (`+266696687`), or an anonymous SIP address. On a call, it is also withheld if it has neither a digit nor a \
             scheme such as `sip:` (`anonymous`, `No Caller ID`). This condition works only for numbers.",
};

/// The number is withheld (`true`) or shown (`false`).
#[derive(Debug)]
pub struct Withheld(pub bool);

fn read(reading: &mut Reading<'_>, key: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    if !parameters::is_number(reading.subject) {
        let message = format!("`{}` is not a number that can be withheld", reading.subject);
        let help = "write Caller = { withheld = true }";
        reading
            .problems
            .error(&BAD_CONDITION, key.span(), message, help);
        return None;
    }
    let wanted = reading.problems.boolean(value, "true or false")?;
    Some(Box::new(Withheld(wanted)))
}

impl Kind for Withheld {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        let is_it = match (seen.value(), seen.withheld) {
            (Known::Whole(value), _) => {
                let channels = seen.channel.map_or(Channel::ALL, |channel| [channel; 2]);
                let [on_one, on_other] = channels.map(|channel| is_withheld(value, channel));
                if on_one != on_other {
                    return None;
                }
                on_one
            }
            (_, Some(withheld)) => withheld,
            (Known::Ends(ends), None) if !ends.may_be_withheld() => false,
            (_, None) => return None,
        };
        Some(is_it == self.0)
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "withheld" } else { "not withheld" })
    }
}
