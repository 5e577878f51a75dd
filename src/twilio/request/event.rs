//! The events of an Event Streams sink: a JSON array of `CloudEvents`.
//!
//! Source: <https://www.twilio.com/docs/events/webhook-quickstart>, and `CloudEvents` 1.0,
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>, section 4.

use serde_json::{Map, Value};

/// The longest accepted id of an event; Twilio's have 34 characters.
const ID_MAX_BYTES: usize = 256;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same each time Twilio sends this event, `EZ…`; never empty.
    pub id: String,
    /// What happened, such as `com.twilio.voice.insights.call-summary.complete`; never empty.
    pub kind: String,
    /// When it happened, as sent; empty when absent.
    pub time: String,
    /// The details: usually an object, else whatever was sent; null when absent.
    pub data: Value,
}

impl Event {
    /// Reads a whole batch, in the order sent.
    ///
    /// Twilio has sent `data` both as an object and as a string with JSON in it; both are read as an object.
    ///
    /// # Errors
    ///
    /// Bytes that are not a JSON array, or an element without `id` and `type`.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, NotEvents> {
        let values: Vec<Map<String, Value>> =
            serde_json::from_slice(bytes).map_err(|_| NotEvents)?;
        values.into_iter().map(Self::read).collect()
    }

    fn read(mut members: Map<String, Value>) -> Result<Self, NotEvents> {
        let mut text = |name| match members.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (id, kind, time) = (text("id"), text("type"), text("time"));
        if id.is_empty() || id.len() > ID_MAX_BYTES || kind.is_empty() {
            return Err(NotEvents);
        }
        let data = match members.remove("data") {
            Some(Value::String(text)) => match serde_json::from_str(&text) {
                Ok(inside @ (Value::Object(_) | Value::Array(_))) => inside,
                _ => Value::String(text),
            },
            Some(data) => data,
            None => Value::Null,
        };
        Ok(Self {
            id,
            kind,
            time,
            data,
        })
    }

    /// The memory that it takes, in bytes, approximately.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = self.id.len() + self.kind.len() + self.time.len();
        size_of::<Self>() + texts + inside(&self.data)
    }
}

/// The memory that a value takes outside itself, in bytes, approximately.
fn inside(value: &Value) -> usize {
    let of = |value| size_of::<Value>() + inside(value);
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(of).sum(),
        Value::Object(members) => {
            let member = |(name, value): (&String, _)| size_of::<String>() + name.len() + of(value);
            members.iter().map(member).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// A body that is not an array of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEvents;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_an_object_or_a_text_with_one() {
        let body = br#"[
            {"specversion":"1.0","type":"t","id":"EZ1","time":"2026-01-02T03:04:05Z","data":{"a":1}},
            {"type":"t","id":"EZ2","data":"{\"a\":1}"},
            {"type":"t","id":"EZ3","data":"plain"},
            {"type":"t","id":"EZ4"}
        ]"#;
        let events = Event::read_all(body).expect("four events");
        let read: Vec<(&str, &Value)> = events
            .iter()
            .map(|event| (event.id.as_str(), &event.data))
            .collect();
        assert_eq!(
            read,
            [
                ("EZ1", &json!({ "a": 1 })),
                ("EZ2", &json!({ "a": 1 })),
                ("EZ3", &json!("plain")),
                ("EZ4", &Value::Null),
            ]
        );
        assert_eq!(events[0].kind, "t");
        assert_eq!(events[0].time, "2026-01-02T03:04:05Z");
        assert_eq!(events[1].time, "");
        assert_eq!(Event::read_all(b" [] "), Ok(Vec::new()));
    }

    #[test]
    fn the_size_counts_every_text_and_value() {
        let value = size_of::<Value>();
        for (data, beside) in [
            ("7", 0),
            (r#""four!""#, 5),
            ("[1,true,null]", 3 * value),
            (r#"[["abc"]]"#, 2 * value + 3),
            (
                r#"{"name":"a","n":[]}"#,
                2 * size_of::<String>() + 4 + 1 + 2 * value + 1,
            ),
        ] {
            let body = format!(r#"[{{"type":"kind","id":"EZ1","time":"2026","data":{data}}}]"#);
            let events = Event::read_all(body.as_bytes()).expect(data);
            assert_eq!(
                events[0].size(),
                size_of::<Event>() + 3 + 4 + 4 + beside,
                "{data}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_array_of_events() {
        for body in [
            "",
            "null",
            "a=b",
            r#"{"type":"t","id":"EZ1"}"#,
            r#"["EZ1"]"#,
            r"[[]]",
            r#"[{"type":"t"}]"#,
            r#"[{"id":"EZ1"}]"#,
            r#"[{"type":"t","id":7}]"#,
            r#"[{"type":"t","id":""}]"#,
            r#"[{"type":"t","id":"EZ1"}"#,
            r#"[{"type":"t","id":"EZ1"},{}]"#,
        ] {
            assert_eq!(Event::read_all(body.as_bytes()), Err(NotEvents), "{body}");
        }
        let longest = format!(r#"[{{"type":"t","id":"{}"}}]"#, "x".repeat(256));
        assert!(Event::read_all(longest.as_bytes()).is_ok());
        let long = format!(r#"[{{"type":"t","id":"{}"}}]"#, "x".repeat(257));
        assert_eq!(Event::read_all(long.as_bytes()), Err(NotEvents));
        // Deep nesting must not overflow the stack.
        let deep = "[".repeat(200_000);
        assert_eq!(Event::read_all(deep.as_bytes()), Err(NotEvents));
    }
}
