//! The JSON Schema of `responses.toml`, for editors and for checks by other programs.
//!
//! Made at run time of the vocabulary and of the lists of parameters that the compiler uses, so that it tells of the
//! same language. It knows the shape of a table only: names that refer to each other, templates and the order of
//! elements are the compiler's.
//!
//! It is draft-07, the newest that Taplo reads, which Even Better TOML is made of: Taplo 0.9 validates by the crate
//! `jsonschema` 0.17, and offers what it finds below `properties`, `items`, `anyOf` and a bare `$ref`, not below `if`.
//! Source: <https://github.com/tamasfe/taplo>, `crates/taplo-common/src/schema/mod.rs`.

mod conditions;
mod elements;
mod words;

use serde_json::{Map, Value, json};

use self::elements::Elements;
use crate::twilio::types::Channel;

/// The words that the service itself answers under, which no route may have as its name.
const TAKEN_NAMES: [&str; 2] = [crate::table::DEFAULT, "loop-guard"];

/// The schema of a table.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    Elements::read().define(&mut definitions);
    let route = route();
    let route_keys: Vec<Value> = keys(&route).map(Value::from).collect();
    conditions::define(&route_keys, &mut definitions);
    for (name, definition) in [
        ("route", route),
        ("reply", reply()),
        ("default", default()),
        ("schedule", schedule()),
        ("directory", directory()),
        ("session", session()),
        ("test", test()),
        ("loop_guard", loop_guard()),
        ("intercept", intercept()),
        ("name", name()),
        ("names", names()),
        ("template", json!({ "type": "string", "pattern": r"\{\{" })),
        ("duration", duration()),
    ] {
        definitions.insert(name.to_owned(), definition);
    }
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "twiml-responder: responses.toml",
        "description": "What callers and senders hear. Routes are tried from top to bottom; the first that fits \
            answers, and if none does, [default].",
        "type": "object",
        "properties": file(),
        "required": ["default"],
        "additionalProperties": false,
    });
    schema["definitions"] = Value::Object(definitions);
    schema
}

/// The keys of the file.
fn file() -> Value {
    let each = |definition: &str, description: &str| {
        json!({
            "description": description,
            "type": "object",
            "additionalProperties": reference(definition),
        })
    };
    let list = |definition: &str, description: &str| json!({ "description": description, "type": "array", "items": reference(definition) });
    json!({
        "parameters": {
            "description": "Query fields of your own in the URL that Twilio asks, so that they are not taken for \
                misspelt parameters.",
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
        },
        "defaults": described(
            "defaults",
            "Attributes for every element of a kind that does not set them itself, such as [defaults.Say].",
        ),
        "schedule": each("schedule", "When somebody is there, by name: a route says during = \"NAME\" or outside = \"NAME\"."),
        "directory": each("directory", "Numbers or rows, by name: a condition says { in = \"NAME\" }, a template {{ NAME.column }}."),
        "reply": each("reply", "Replies with a name, for several routes: a route says reply = \"NAME\"."),
        "route": list("route", "Which requests get which answer. The first route that fits answers."),
        "default": described("default", "What everybody hears whom no route answers. It must not be able to fail."),
        "test": list("test", "Requests and the routes that must answer them; `check` and every reload run them."),
        "loop_guard": described("loop_guard", "Limits that keep two machines from answering each other for ever."),
        "intercept": list("intercept", "Which interactions of Proxy sessions are blocked. The first that fits decides; if none does, it goes on."),
        "extra": {
            "description": "Attributes that Twilio has added since, by element: Dial = [\"newAttribute\"]. `check` \
                takes them; this schema cannot know them.",
            "type": "object",
            "propertyNames": reference("element"),
            "additionalProperties": { "type": "array", "items": { "type": "string", "minLength": 1 } },
        },
    })
}

fn route() -> Value {
    json!({
        "description": "When to answer, and what. It answers the channels that it has a key for.",
        "type": "object",
        "properties": {
            "name": described("name", "Unique: it stands in logs, metrics, tests and in the answer's header."),
            "step": described(
                "name",
                "Answers only requests that come back with ?step=NAME; without it only those that come without a step.",
            ),
            "when": described("when", "The conditions. All must hold; of several tables one. Without it: always."),
            "during": described("names", "Answers only while one of these schedules is open."),
            "outside": described("names", "Answers only while one of these schedules is closed."),
            "voice": described("voice", "Answers calls. An empty array ends the call without a word."),
            "message": described("message", "Answers texts. An empty array sends nothing."),
            "reply": {
                "description": "The [reply.NAME] that stands for `voice` and `message`.",
                "type": "string",
            },
            "create_session": described("session", "Answers Proxy with a new session between the caller and this party."),
            "private": {
                "description": "The route may dial outboundParticipantIdentifier, the other party's real number.",
                "type": "boolean",
            },
            "answer_machines": {
                "description": "Texts by short codes, named senders and opt-out words are answered too.",
                "type": "boolean",
            },
        },
        "required": ["name"],
        "anyOf": [
            { "required": ["voice"] },
            { "required": ["message"] },
            { "required": ["reply"] },
            { "required": ["create_session"] },
        ],
        "dependencies": { "reply": { "properties": { "voice": false, "message": false } } },
        "additionalProperties": false,
    })
}

fn reply() -> Value {
    json!({
        "type": "object",
        "properties": {
            "voice": described("voice", "What a caller hears."),
            "message": described("message", "What a sender gets."),
        },
        "minProperties": 1,
        "additionalProperties": false,
    })
}

fn default() -> Value {
    let sure = |channel: Channel| {
        json!({ "allOf": [reference(channel.as_str()), { "items": { "properties": {
            "Redirect": false, "Gather": false, "Record": false, "Enqueue": false, "action": false,
        } } }] })
    };
    let mut voice = sure(Channel::Voice);
    voice["description"] = "What a caller hears: nothing that leads on, no templates.".into();
    let mut message = sure(Channel::Message);
    message["description"] = "What a sender gets: nothing that leads on, no templates.".into();
    json!({
        "type": "object",
        "properties": { "voice": voice, "message": message },
        "required": ["voice"],
        "additionalProperties": false,
    })
}

fn schedule() -> Value {
    let spans = |description: &str| {
        json!({
            "description": description,
            "type": "array",
            "items": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 ,:.-]*$" },
        })
    };
    json!({
        "type": "object",
        "properties": {
            "timezone": {
                "description": "The IANA name of the zone whose clock counts, such as America/New_York.",
                "type": "string",
                "minLength": 1,
            },
            "open": spans("Days and hours: \"Mon-Fri 09:00-17:30\". \"22:00-06:00\" runs past midnight, \"00:00-24:00\" is all day."),
            "closed": spans("Wins over `open`: \"12-25\" every year, \"2026-12-31 12:00-24:00\", \"2027-01-02..2027-01-05\"."),
        },
        "required": ["timezone", "open"],
        "additionalProperties": false,
    })
}

fn directory() -> Value {
    let key = json!({ "type": "string", "pattern": r"^[^*]*\*?$", "minLength": 1 });
    json!({
        "type": "object",
        "properties": {
            "numbers": {
                "description": "Numbers, or the beginning of numbers and a `*`.",
                "type": "array",
                "items": key,
            },
            "file": {
                "description": "A CSV file beside the table, with a header.",
                "type": "string",
                "minLength": 1,
            },
            "rows": {
                "description": "Rows in place. Of each column a template may take the value.",
                "type": "array",
                "items": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "key": {
                "description": "The column that is looked up; `number` unless it is named.",
                "type": "string",
                "minLength": 1,
            },
            "public": {
                "description": "Columns that are dialled and may be spoken or sent as text all the same.",
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
            },
        },
        "oneOf": [{ "required": ["numbers"] }, { "required": ["file"] }, { "required": ["rows"] }],
        "additionalProperties": false,
    })
}

/// Source: what Proxy takes as a new session, "Out-of-session callback response guide", Twilio Proxy.
fn session() -> Value {
    json!({
        "type": "object",
        "properties": {
            "participantIdentifier": {
                "description": "The real number of the other party.",
                "type": "string",
                "minLength": 1,
            },
            "participantProxyIdentifier": {
                "description": "The masked number that the other party sees; without it Proxy picks one.",
                "type": "string",
                "minLength": 1,
            },
            "uniqueName": {
                "description": "At most 191 characters. Proxy takes each name once only, so put a SID into it.",
                "type": "string",
                "minLength": 1,
            },
            "mode": {
                "description": "What the session carries; without it both.",
                "enum": crate::twilio::parameters::words("sessionMode"),
            },
            "ttl": {
                "description": "Seconds after the last interaction until the session ends.",
                "type": ["integer", "string"],
                "minimum": 1,
                "pattern": r"^[0-9]+$|\{\{",
            },
            "dateExpiry": { "description": "When the session ends; wins over ttl.", "type": "string" },
        },
        "required": ["participantIdentifier"],
        "additionalProperties": false,
    })
}

fn test() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "description": "What the report calls it.", "type": "string" },
            "request": {
                "description": "The parameters of the request; what is missing is filled in.",
                "type": "object",
                "properties": conditions::parameters_of_a_request(),
                "additionalProperties": { "type": "string" },
            },
            "expect": {
                "description": "The route that must answer, or `default`, `loop-guard`; `block` or `pass` of an intercept.",
                "type": "string",
                "minLength": 1,
            },
            "contains": { "description": "A text that must stand in the document.", "type": "string" },
            "channel": {
                "description": "Only where the parameters do not tell it.",
                "enum": Channel::ALL.map(Channel::as_str),
            },
            "step": described("name", "The request comes back with this step."),
            "at": {
                "description": "The moment of the request: 2026-12-24T12:00[America/New_York].",
                "type": "string",
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T",
            },
            "webhook": {
                "description": "Which webhook is asked.",
                "enum": ["out-of-session", "webhook", "intercept"],
            },
        },
        "required": ["request", "expect"],
        "additionalProperties": false,
    })
}

fn loop_guard() -> Value {
    json!({
        "type": "object",
        "properties": {
            "replies": {
                "description": "Documents with a Message that one pair of numbers gets in `per`; 0 switches it off.",
                "type": "integer",
                "minimum": 0,
                "default": 3,
            },
            "per": described("duration", "The time in which they are counted; 10m unless it is set."),
            "same_call": {
                "description": "How often one call may come back before it gets the default.",
                "type": "integer",
                "minimum": 1,
                "default": 20,
            },
        },
        "additionalProperties": false,
    })
}

fn intercept() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": described("name", "Unique: it stands in logs, metrics and tests."),
            "when": described("when", "The conditions. All must hold; of several tables one. Without it: always."),
            "during": described("names", "Decides only while this schedule is open; of several any."),
            "outside": described("names", "Decides only while these schedules are closed."),
            "block": { "description": "Whether the interaction is blocked or goes on.", "type": "boolean" },
        },
        "required": ["name", "block"],
        "additionalProperties": false,
    })
}

fn name() -> Value {
    json!({
        "type": "string",
        "pattern": "^[A-Za-z0-9._-]{1,64}$",
        "not": { "enum": TAKEN_NAMES },
    })
}

/// One name, or several of which any will do.
fn names() -> Value {
    json!({
        "type": ["string", "array"],
        "minLength": 1,
        "items": { "type": "string", "minLength": 1 },
        "minItems": 1,
    })
}

fn duration() -> Value {
    json!({
        "description": "5s, 10m, 1h; a bare number is seconds.",
        "type": ["string", "integer"],
        "minimum": 0,
        "pattern": "^[0-9]+(ms|s|m|h|d)?$",
    })
}

/// A reference to a definition.
fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

/// A reference with a description of its own: draft-07 passes over everything beside a `$ref`.
fn described(definition: &str, description: &str) -> Value {
    json!({ "description": description, "allOf": [reference(definition)] })
}

/// The keys that an object of a schema has.
fn keys(schema: &Value) -> impl Iterator<Item = &str> {
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flat_map(|keys| keys.keys().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::language::{NoFiles, compile};
    use crate::table::diagnostic::File;
    use crate::twilio::vocabulary;

    /// Everything that a value of the schema refers to.
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
    fn every_element_has_a_sentence() {
        let mut tags: Vec<&str> = Channel::ALL
            .into_iter()
            .flat_map(vocabulary::element_names)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let words: Vec<&str> = words::ELEMENTS.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(words, tags);
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
                        keys(definition).eq(wanted.iter().copied())
                            && definition["additionalProperties"] == false
                    };
                    assert!(definitions.iter().filter(of_tag).any(is_it), "{tag}");
                }
            }
        }
    }

    /// The keys that the compiler names when it refuses the key `zzz` of a table.
    fn compiled_keys(text: &str) -> Vec<String> {
        let text = format!("{text}\n");
        let file = File::new("", text.as_str());
        let diagnostics = compile(&file, &NoFiles).expect_err("zzz is no key");
        let unknown = diagnostics
            .iter()
            .find(|diagnostic| diagnostic.check.code == "unknown-key")
            .expect("zzz is no key");
        // The help is a sentence with each of them in backquotes.
        unknown
            .help
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_schema_has_every_key_that_the_compiler_has() {
        let schema = schema();
        for (table, path) in [
            ("zzz = 1", ""),
            ("[[route]]\nzzz = 1", "/definitions/route"),
            ("[reply.x]\nzzz = 1", "/definitions/reply"),
            ("[default]\nzzz = 1", "/definitions/default"),
            ("[directory.x]\nzzz = 1", "/definitions/directory"),
            (
                "[[route]]\nwhen = { Digits = { zzz = 1 } }",
                "/definitions/condition.number",
            ),
        ] {
            let known: Vec<&str> = keys(schema.pointer(path).expect(path)).collect();
            let wanted = compiled_keys(table);
            assert!(!wanted.is_empty(), "{table}");
            for key in wanted {
                assert!(known.contains(&key.as_str()), "{path} has no {key}");
            }
        }
    }

    #[test]
    fn it_is_small_enough_for_an_editor_and_always_the_same() {
        let text = schema().to_string();
        assert!(text.len() < 200_000, "{} bytes", text.len());
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
}
