//! Names and values in a line: an object and an array whose texts are borrowed from it where they stand in it as they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// Names with their values, in the order they came; written as a JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Pairs<'_> {
    /// The value of a name; `None` when it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(found, value)| (found == name).then_some(&**value))
    }
}

/// Names, in the order they came; written as a JSON array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names<'a>(pub Vec<Cow<'a, str>>);

impl Names<'_> {
    /// Whether a name is among them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|found| found == name)
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for name in &self.0 {
            seq.serialize_element(name)?;
        }
        seq.end()
    }
}

/// A text that is borrowed where it can be: serde does so for a field that says so, not for what is in a collection.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visit)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Names<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Names<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(Text(name)) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_seq(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_else_there_is_is_told() {
        let pairs = Pairs(vec![("a".into(), "1\n".into()), ("b".into(), "".into())]);
        let text = serde_json::to_string(&pairs).expect("it can be written");
        assert_eq!(text, r#"{"a":"1\n","b":""}"#);
        assert_eq!(
            serde_json::from_str::<Pairs<'_>>(&text).expect("it can be read"),
            pairs
        );
        let names = Names(vec!["a".into(), "\"".into()]);
        let text = serde_json::to_string(&names).expect("it can be written");
        assert_eq!(text, r#"["a","\""]"#);
        assert_eq!(
            serde_json::from_str::<Names<'_>>(&text).expect("it can be read"),
            names
        );
        let error_of_pairs = |text| {
            serde_json::from_str::<Pairs<'_>>(text)
                .expect_err(text)
                .to_string()
        };
        let error_of_names = |text| {
            serde_json::from_str::<Names<'_>>(text)
                .expect_err(text)
                .to_string()
        };
        for (error, wanted) in [
            (error_of_pairs("[]"), "expected names with their values"),
            (error_of_pairs(r#"{"a":1}"#), "expected a text"),
            (error_of_names("{}"), "expected names"),
            (error_of_names("[1]"), "expected a text"),
        ] {
            assert!(error.contains(wanted), "{error}");
        }
    }
}
