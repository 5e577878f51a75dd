//! The parts of the JSON Schema for each kind of element, attribute and section, as reviewed. An independent validator,
//! in `tests/schema/validate.py`, checks tables against the whole schema.

use std::path::Path;

use serde_json::{Map, Value};
use twiml_responder::language::schema::schema;

/// At least one of each kind.
const DEFINITIONS: [&str; 28] = [
    "condition.number",
    "default",
    "directory",
    "duration",
    "element",
    "intercept",
    "message.Message",
    "message.Message.children",
    "message.Response.children",
    "name",
    "names",
    "schedule",
    "session",
    "test",
    "voice.Conference",
    "voice.Dial",
    "voice.Gather",
    "voice.Hangup",
    "voice.Number",
    "voice.Pay",
    "voice.Pause",
    "voice.Prompt",
    "voice.Redirect",
    "voice.Say.children",
    "voice.Sip",
    "voice.Stream",
    "voice.lang.children",
    "when",
];

#[test]
fn its_parts_are_as_reviewed() {
    let schema = schema();
    let mut parts: Map<String, Value> = DEFINITIONS
        .into_iter()
        .map(|name| (name.to_owned(), schema["definitions"][name].clone()))
        .collect();
    for section in ["Dial", "Response", "Media"] {
        let defaults = schema["definitions"]["defaults"]["properties"].get(section);
        let keys = defaults.map(|defaults| defaults["properties"].clone());
        parts.insert(format!("defaults.{section}"), keys.unwrap_or("none".into()));
    }
    // All of Twilio's parameters look the same, except for the words that some of them take.
    parts["test"]["properties"]["request"]["properties"] =
        schema["definitions"]["test"]["properties"]["request"]["properties"]["Digits"].clone();
    parts.insert(
        "conditions.Digits".to_owned(),
        schema["definitions"]["conditions"]["properties"]["Digits"].clone(),
    );
    let written = serde_json::to_string_pretty(&parts).expect("JSON can be written") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/parts.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &written).expect("the folder can be written");
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    for (part, value) in &parts {
        let known: Value = serde_json::from_str(&reviewed).unwrap_or_default();
        assert_eq!(
            &known[part], value,
            "{part}; if this is right: UPDATE=1 cargo test --test schema"
        );
    }
    assert_eq!(reviewed, written);
}
