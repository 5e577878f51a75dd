//! `Called = "+1415*"`: the value matches a string in which `*` stands for any run of characters, even an empty one.

use std::fmt;

use super::{Kind, Passing, Seen, all};
use crate::twilio::facts::{Ends, Known};

/// A string with at least one `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    start: String,
    /// What must come between the first and the last `*`, in this order.
    middle: Vec<String>,
    end: String,
}

impl Pattern {
    /// The pattern of a string; `None` when it has no `*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (start, rest) = text.split_once('*')?;
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let middle = middle
            .split('*')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        Some(Self {
            start: start.to_owned(),
            middle,
            end: end.to_owned(),
        })
    }

    /// Whether a text matches the pattern's parts, with any run of characters for each `*`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let between = text
            .strip_prefix(self.start.as_str())
            .and_then(|rest| rest.strip_suffix(self.end.as_str()));
        let Some(mut rest) = between else {
            return false;
        };
        // Taking the earliest place for each part leaves the most room for the parts that follow.
        for part in &self.middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

impl Kind for Pattern {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        if self.start.is_empty() && self.middle.is_empty() && self.end.is_empty() {
            return Some(true);
        }
        let ends = match seen.value() {
            Known::Whole(value) => return Some(self.matches(value)),
            Known::Ends(ends) => ends,
            Known::Present | Known::Nothing => return None,
        };
        // The known start and end do not overlap, so both can be compared.
        let begins_and_ends = all(
            [ends.begin_with(&self.start), ends.end_with(&self.end)],
            |end| end,
        );
        begins_and_ends.filter(|fit| !fit || self.middle.is_empty())
    }

    fn passing(&self) -> Passing<'_> {
        Passing::Known(Known::Ends(Ends::new(&self.start, &self.end)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}*", self.start);
        for part in &self.middle {
            text.push_str(part);
            text.push('*');
        }
        text.push_str(&self.end);
        write!(f, "{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, matches) in [
            ("+1415*", "+14155550100", true),
            ("+1415*", "+1415", true),
            ("+1415*", "+1414", false),
            ("*", "", true),
            ("*", "x", true),
            ("*ab*", "xxaby", true),
            ("*ab*", "ba", false),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("ab*ab", "ab", false),
            ("ab*b", "ab", false),
            ("*@example.com", "sip:x@example.com", true),
            ("a**b", "a-b", true),
            ("a*x*x*b", "axb", false),
            ("a*x*x*b", "axxb", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).expect(pattern).matches(text),
                matches,
                "{pattern} {text}"
            );
        }
        assert_eq!(Pattern::parse("plain"), None);
    }

    #[test]
    fn a_pattern_prints_as_it_was_written() {
        for text in ["+1415*", "*", "a*b", "*a*b*"] {
            let pattern = Pattern::parse(text).expect(text);
            assert_eq!(pattern.to_string(), format!("{text:?}"));
        }
    }
}
