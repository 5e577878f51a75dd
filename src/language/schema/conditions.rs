//! `when`: parameters, and the conditions on their values.

use serde_json::{Map, Value, json};

use super::{offered, reference};
use crate::table::condition::KINDS;
use crate::twilio::parameters;

/// What a literal value of a number may look like: an E.164 number, the beginning of one, or an address of another kind.
const NUMBER: &str = r"^$|^\+[1-9][0-9]{0,14}\*?$|^\+\*$|^\+.*\*.*[^*]$|^[^+]";

/// Two capital letters, or a pattern.
const COUNTRY: &str = r"^$|^[A-Z]{2}$|\*";

/// Defines `when` and the conditions in it.
pub(super) fn define(definitions: &mut Map<String, Value>) {
    let table = json!({
        "type": "object",
        "properties": parameters(),
        "additionalProperties": reference("condition"),
    });
    definitions.insert("conditions".to_owned(), table);
    // One table or several, without an alternative between schemas, whose message would say nothing.
    let when = json!({
        "if": { "type": "array" },
        "then": { "minItems": 1, "items": reference("conditions") },
        "else": reference("conditions"),
        "anyOf": offered([reference("conditions")]),
    });
    definitions.insert("when".to_owned(), when);
    for (name, example, pattern) in [
        ("condition", "", None),
        ("condition.number", "Called", Some(NUMBER)),
        ("condition.country", "CalledCountry", Some(COUNTRY)),
    ] {
        definitions.insert(name.to_owned(), condition(name, example, pattern));
    }
}

/// A condition on parameters like this one, whose literal texts have this form.
fn condition(name: &str, example: &str, pattern: Option<&str>) -> Value {
    let kinds = KINDS.iter().filter(|kind| (kind.suits)(example));
    let mut properties: Map<String, Value> = kinds
        .map(|kind| (kind.key.to_owned(), (kind.schema)()))
        .collect();
    properties.insert("not".to_owned(), reference(name));
    let mut condition = json!({
        "description": "A text (`*` is any run of characters), an array of which any holds, or a table of which all hold.",
        "type": ["string", "array", "object"],
        "items": reference(name),
        "minItems": 1,
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": false,
    });
    if let Some(pattern) = pattern {
        condition["pattern"] = pattern.into();
    }
    condition
}

/// The parameters that Twilio sends, with what may be asked of each.
fn parameters() -> Value {
    let parameter = |name: &'static str| {
        if parameters::is_number(name) {
            return (name.to_owned(), reference("condition.number"));
        }
        if parameters::is_country(name) {
            return (name.to_owned(), reference("condition.country"));
        }
        let condition = match parameters::words(name) {
            // The words are offered, not asked for: Twilio may add to them.
            Some(words) => json!({ "anyOf": [reference("condition"), { "enum": words }] }),
            None => reference("condition"),
        };
        (name.to_owned(), condition)
    };
    Value::Object(parameters::all().map(parameter).collect())
}

/// The parameters that Twilio sends, as texts, with the words that some of them take.
pub(super) fn parameters_of_a_request() -> Value {
    let parameter = |name: &'static str| {
        let value = match parameters::words(name) {
            Some(words) => json!({ "anyOf": [{ "type": "string" }, { "enum": words }] }),
            None => json!({ "type": "string" }),
        };
        (name.to_owned(), value)
    };
    Value::Object(parameters::all().map(parameter).collect())
}
