//! The JSON Schema of `responses.toml`, for editors and for validation by other programs.
//!
//! It is written at run time from the data that reading a table uses too: the shape of the sections, the vocabulary and
//! the list of parameters. It describes only the shape of a table. References between names, templates and the order of
//! elements are left to `check`.
//!
//! It is draft-07, the newest that both Taplo and Tombi read. Editors offer what they find below `properties`, `items`,
//! `anyOf` and a bare `$ref`, but not below `if`.
//! Source: <https://github.com/tamasfe/taplo>, `crates/taplo-common/src/schema/mod.rs`.

mod twiml;

use serde_json::{Map, Value, json};

use super::shape::{self, KeyKind, Section};
use crate::table::condition::KINDS;
use crate::table::directory::MOST_KEY_COLUMNS;
use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, ParameterKind};
use crate::twilio::vocabulary;

/// The forms of conditions, each with a parameter as an example and a pattern for literal values: any text; an E.164
/// number, the beginning of one, or another kind of address; two capital letters, or a pattern.
const CONDITIONS: [(&str, &str, Option<&str>); 4] = [
    ("condition", "", None),
    ("condition.several", "Called, Caller", None),
    (
        "condition.number",
        "Called",
        Some(r"^$|^\+[1-9][0-9]{0,14}\*?$|^\+\*$|^\+.*\*.*[^*]$|^[^+]"),
    ),
    (
        "condition.country",
        "CalledCountry",
        Some(r"^$|^[A-Z]{2}$|\*"),
    ),
];

/// The schema of a table.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    twiml::define(&mut definitions);
    for (name, example, pattern) in CONDITIONS {
        definitions.insert(name.to_owned(), condition(name, example, pattern));
    }
    definitions["condition.several"]["type"] = json!(["array", "object"]);
    let conditions = json!({
        "type": "object",
        "properties": parameters(|kind| match kind {
            ParameterKind::Number => reference("condition.number"),
            ParameterKind::Country => reference("condition.country"),
            _ => reference("condition"),
        }),
        // The only condition on several parameters is a lookup in a directory.
        "patternProperties": { ",": reference("condition.several") },
        "additionalProperties": reference("condition"),
    });
    definitions.insert("conditions".to_owned(), conditions);
    // One table or several. Not a choice between schemas, because its error message would say nothing useful.
    let when = json!({
        "if": { "type": "array" },
        "then": { "minItems": 1, "items": reference("conditions") },
        "else": reference("conditions"),
        "anyOf": offered([reference("conditions")]),
    });
    definitions.insert("when".to_owned(), when);
    let request = json!({
        "type": "object",
        "properties": parameters(|_| json!({ "type": "string" })),
        "additionalProperties": { "type": "string" },
    });
    definitions.insert("request".to_owned(), request);
    let template = json!({ "type": "string", "pattern": twiml::TEMPLATE });
    definitions.insert("template".to_owned(), template);
    let mut schema = section(&shape::FILE);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "twiml-responder: responses.toml".into();
    schema["description"] =
        "What callers and senders get. Routes are tried from top to bottom. The first one that \
        matches answers; if none does, [default] answers."
            .into();
    schema["definitions"] = Value::Object(definitions);
    schema
}

/// A table with a fixed set of keys.
fn section(section: &Section) -> Value {
    let property = |key: &shape::KeyShape| {
        let mut value = kind(&key.kind, section);
        if value.get("$ref").is_some() {
            // Draft-07 ignores everything next to a `$ref`.
            value = json!({ "allOf": [value] });
        }
        value["description"] = key.help.into();
        (key.name.to_owned(), value)
    };
    let Section {
        keys,
        any_of,
        apart,
    } = section;
    let required = keys.iter().filter(|key| key.is_required);
    let mut schema = json!({
        "type": "object",
        "properties": keys.iter().map(property).collect::<Map<_, _>>(),
        "required": required.map(|key| key.name).collect::<Vec<_>>(),
        "additionalProperties": false,
    });
    let has = |keys: &[&str]| json!({ "required": keys });
    if !any_of.is_empty() {
        schema["anyOf"] = any_of.iter().map(|key| has(&[key])).collect();
    }
    if !apart.is_empty() {
        let both = apart.iter().map(|(one, other)| has(&[one, other]));
        schema["allOf"] = both.map(|both| json!({ "not": both })).collect();
    }
    schema
}

/// What a key of this kind takes.
fn kind(kind: &KeyKind, of: &Section) -> Value {
    match kind {
        // To a validator, TOML's dates are strings.
        KeyKind::Text | KeyKind::Template | KeyKind::NameOf(..) | KeyKind::Moment => {
            json!({ "type": "string" })
        }
        KeyKind::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        KeyKind::Name(_, taken) => {
            let mut name = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" });
            if !taken.is_empty() {
                name["not"] = json!({ "enum": taken });
            }
            name
        }
        KeyKind::NamesOf(_) => {
            json!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1 })
        }
        KeyKind::Columns => json!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1,
            "maxItems": MOST_KEY_COLUMNS,
            "uniqueItems": true,
        }),
        KeyKind::Boolean => json!({ "type": "boolean" }),
        KeyKind::Count(most) => json!({ "type": "integer", "minimum": 0, "maximum": most }),
        KeyKind::Duration => json!({
            "type": ["string", "integer"],
            "minimum": 1,
            "maximum": 86_400,
            "pattern": "^[0-9]+[smhd]?$",
        }),
        KeyKind::Word(words) => json!({ "enum": words }),
        KeyKind::Array(item) => json!({ "type": "array", "items": self::kind(item, of) }),
        KeyKind::Rows => {
            let row = json!({ "type": "object", "additionalProperties": { "type": "string" } });
            json!({ "type": "array", "items": row })
        }
        KeyKind::Section(section) => self::section(section),
        KeyKind::Sections(_, section) => {
            json!({ "type": "object", "additionalProperties": self::section(section) })
        }
        KeyKind::Reply(channel) => reference(channel.as_str()),
        KeyKind::LastReply(channel) => last_reply(*channel),
        KeyKind::When => {
            // A key of the section inside `when` was meant for the section.
            let not_ours = json!({
                "propertyNames": { "not": { "enum": of.keys() } },
                "additionalProperties": true,
            });
            let mut when = not_ours.clone();
            when["items"] = not_ours;
            json!({ "allOf": [reference("when"), when] })
        }
        KeyKind::Request => reference("request"),
        KeyKind::RequestWith(own) => {
            let mut with = section(own);
            with["allOf"] = json!([reference("request")]);
            with["additionalProperties"] = true.into();
            with
        }
        KeyKind::Defaults => reference("defaults"),
        KeyKind::Extra => {
            let element = self::section(&shape::EXTRA_ELEMENT);
            let attributes = json!({
                "type": "array",
                "items": { "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_:-]*$" },
            });
            // An element that TwiML already has can only get new attributes.
            json!({
                "type": "object",
                "patternProperties": { twiml::element_names(): attributes },
                "additionalProperties": element,
            })
        }
    }
}

/// A condition on parameters like this example, whose literal texts match this pattern.
fn condition(name: &str, example: &str, pattern: Option<&str>) -> Value {
    let kinds = KINDS.iter().filter(|kind| (kind.suits)(example));
    let mut properties: Map<String, Value> = kinds
        .map(|kind| (kind.key.to_owned(), (kind.schema)()))
        .collect();
    properties.insert("not".to_owned(), reference(name));
    let mut condition = json!({
        "description": "A string (`*` stands for any run of characters), an array of conditions of which any must hold, or a table whose keys must all hold.",
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

/// The parameters that Twilio sends, with what each kind takes. Words are offered but not required, because Twilio may
/// add more.
fn parameters(taken: impl Fn(ParameterKind) -> Value) -> Value {
    let parameter = |name: &'static str| {
        let known = parameters::get(name);
        let taken = taken(known.kind);
        let value = if known.values.is_empty() {
            taken
        } else {
            json!({ "anyOf": [taken, { "enum": known.values }] })
        };
        (name.to_owned(), value)
    };
    Value::Object(parameters::all().map(parameter).collect())
}

/// The reply in `[default]`, where nothing may lead on.
fn last_reply(channel: Channel) -> Value {
    let elements = vocabulary::elements(channel).values();
    let leading = elements.filter(|element| element.leads_on);
    let refused: Map<String, Value> = leading
        .map(|element| element.tag)
        .chain(["action"])
        .map(|name| (name.to_owned(), false.into()))
        .collect();
    let items = json!({ "properties": refused, "additionalProperties": true });
    json!({ "allOf": [reference(channel.as_str()), { "items": items }] })
}

/// A reference to a definition.
fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

/// Alternatives, the first of which always fits: editors that do not follow `if` find the others here.
///
/// The first cannot be `{}`, because Tombi warns about a key that any schema of a table does not allow explicitly.
fn offered(others: impl IntoIterator<Item = Value>) -> Value {
    let anything = json!({ "additionalProperties": true });
    [anything].into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::language::{NoFiles, compile};
    use crate::table::diagnostic::File;

    /// Collects all references in a value of the schema.
    fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_definition_is_used() {
        let schema = schema();
        let mut found = BTreeSet::new();
        references(&schema, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').expect("it stays in the file");
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
        for name in schema["definitions"].as_object().expect("an object").keys() {
            assert!(
                found.contains(format!("#/definitions/{name}").as_str()),
                "{name}"
            );
        }
    }

    #[test]
    fn every_element_and_attribute_of_the_vocabulary_is_there() {
        let schema = schema();
        for channel in Channel::ALL {
            for tag in vocabulary::element_names(channel) {
                for spec in vocabulary::elements_named(channel, tag) {
                    let of_tag = |(key, _): &(&String, &Value)| {
                        key.strip_prefix(&format!("{channel}.{tag}"))
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
                    };
                    let definitions = schema["definitions"].as_object().expect("an object");
                    let mut wanted: Vec<&str> = spec.attribute_names().chain([tag]).collect();
                    wanted.sort_unstable();
                    let is_it = |(_, definition): (&String, &Value)| {
                        let keys = definition["properties"].as_object().into_iter();
                        keys.flat_map(Map::keys).eq(wanted.iter().copied())
                            && definition["additionalProperties"] == false
                    };
                    assert!(definitions.iter().filter(of_tag).any(is_it), "{tag}");
                }
            }
        }
    }

    #[test]
    fn it_is_small_enough_for_an_editor_and_always_the_same() {
        let text = schema().to_string();
        assert!(text.len() < 210_000, "{} bytes", text.len());
        assert_eq!(text, schema().to_string());
    }

    #[test]
    fn no_part_of_it_is_missing() {
        fn has_null(value: &Value) -> bool {
            match value {
                Value::Null => true,
                Value::Array(items) => items.iter().any(has_null),
                Value::Object(members) => members.values().any(has_null),
                _ => false,
            }
        }
        assert!(!has_null(&schema()));
    }

    #[test]
    fn a_new_attribute_and_a_new_element_are_one_line_of_data_each() {
        let text = include_str!("../twilio/vocabulary.json")
            .replacen(
                r#"  "answerOnBridge":"#,
                "  \"barkTwice\": {\"type\": \"boolean\"},\n  \"answerOnBridge\":",
                1,
            )
            .replacen(
                r#" "Hangup": {"#,
                " \"Whistle\": {\"tag\": \"Whistle\", \"help\": \"Whistles.\", \"text\": true},\n \"Hangup\": {",
                1,
            )
            .replacen(r#""Hangup","#, r#""Hangup", "Whistle","#, 1);
        let file = File::new(
            "responses.toml",
            "[[route]]\nname = \"new\"\nvoice = [{ Whistle = \"a tune\" }, \
             { Dial = \"+15005550006\", barkTwice = true }]\n\
             [default]\nvoice = [{ Whistle = \"x\" }]\n",
        );
        assert!(compile(&file, &NoFiles).is_err());
        vocabulary::tests::with(text, || {
            let compiled = compile(&file, &NoFiles).expect("both are known");
            assert_eq!(compiled.warnings.len(), 0, "{:?}", compiled.warnings);
            let schema = schema();
            let dial = &schema["definitions"]["voice.Dial"]["properties"];
            assert_eq!(dial["barkTwice"]["type"][0], "string");
            let whistle = &schema["definitions"]["voice.Whistle"];
            assert_eq!(whistle["description"], "Whistles.");
        });
    }
}
