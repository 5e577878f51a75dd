//! The countries, states and provinces that Twilio names in a request: their codes, and other ways to write them.
//!
//! The facts are data, in `places.json`. Sources: ISO 3166-1 for countries, with `iso3166.tab` of the IANA time zone
//! database for their names; the postal codes of the United States and Canada.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    serde_json::from_str(include_str!("places.json")).expect("a test reads the whole list")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    #[serde(borrow)]
    countries: BTreeMap<&'static str, Vec<&'static str>>,
    #[serde(borrow)]
    states: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Whether a text is the code of a country, such as `DE`.
pub(crate) fn is_country(code: &str) -> bool {
    PLACES.countries.contains_key(code)
}

/// The code of the country that a text means: its code in any letter case, its name, or its three-letter code.
pub(crate) fn country(text: &str) -> Option<&'static str> {
    code(&PLACES.countries, text)
}

/// The code of the state of the United States or the province of Canada that a text means.
pub(crate) fn state(text: &str) -> Option<&'static str> {
    code(&PLACES.states, text)
}

/// The code of the place with this name, which may be the code itself.
fn code(places: &BTreeMap<&'static str, Vec<&'static str>>, text: &str) -> Option<&'static str> {
    let is_it = |name: &&str| name.to_lowercase() == text.to_lowercase();
    let mut found = places.iter();
    found
        .find(|(code, names)| is_it(code) || names.iter().any(is_it))
        .map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_its_code_and_its_names() {
        for (text, code) in [
            ("DE", Some("DE")),
            ("de", Some("DE")),
            ("Germany", Some("DE")),
            ("GERMANY", Some("DE")),
            ("usa", Some("US")),
            ("UK", Some("GB")),
            ("ÖSTERREICH", Some("AT")),
            ("ZZ", None),
            ("", None),
        ] {
            assert_eq!(country(text), code, "{text}");
        }
        assert!(is_country("GB") && !is_country("UK") && !is_country("gb"));
        for (text, code) in [
            ("ny", Some("NY")),
            ("New York", Some("NY")),
            ("ontario", Some("ON")),
            ("Bavaria", None),
        ] {
            assert_eq!(state(text), code, "{text}");
        }
    }

    #[test]
    fn a_name_stands_for_one_place() {
        for places in [&PLACES.countries, &PLACES.states] {
            for (expected, names) in places {
                for name in names.iter().chain([expected]) {
                    assert_eq!(code(places, name), Some(*expected), "{name}");
                }
            }
        }
    }
}
