//! The fields of a form: `application/x-www-form-urlencoded`, read in one pass into one string.
//!
//! Source: the WHATWG URL standard, <https://url.spec.whatwg.org/#urlencoded-parsing>.

use std::fmt;
use std::string::FromUtf8Error;

/// Enough for the fields of every request that Twilio makes, so that storing them never reallocates.
const USUAL_FIELDS: usize = 96;

/// The fields of a form or of a query, in the order sent, including repeats and unknown names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// All names and values, decoded, each value right after its name.
    text: String,
    fields: Vec<FormField>,
}

/// Where a field is in the text of its form: the name up to the middle, then the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FormField {
    start: usize,
    middle: usize,
    end: usize,
}

impl Form {
    /// Reads a body, or a query without its `?`.
    ///
    /// Never fails: bytes that are not UTF-8 become U+FFFD (and then fail verification), and a field without `=` has an
    /// empty value.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let mut fields = Vec::with_capacity(USUAL_FIELDS.min(bytes.len().div_ceil(2)));
        let mut decoder = Decoder {
            rest: bytes,
            text: Vec::with_capacity(bytes.len() + EIGHT),
        };
        while let Some(first) = decoder.rest.first() {
            if *first == b'&' {
                decoder.rest = &decoder.rest[1..];
                continue;
            }
            let start = decoder.text.len();
            let mark = decoder.part(|mark| matches!(mark, b'=' | b'&'));
            let middle = decoder.text.len();
            if mark == b'=' {
                decoder.part(|mark| mark == b'&');
            }
            let end = decoder.text.len();
            fields.push(FormField { start, middle, end });
        }
        // Checked as a whole, which is fast. A character may still be split at the end of a name or a value.
        let is_whole = |text: &String| {
            text.is_ascii()
                || fields.iter().all(|field| {
                    text.is_char_boundary(field.middle) && text.is_char_boundary(field.end)
                })
        };
        let text = match String::from_utf8(decoder.text) {
            Ok(text) if is_whole(&text) => return Self { text, fields },
            broken => broken.map_or_else(FromUtf8Error::into_bytes, String::into_bytes),
        };
        let replaced = |start, end| String::from_utf8_lossy(&text[start..end]);
        fields
            .iter()
            .map(|field| {
                (
                    replaced(field.start, field.middle),
                    replaced(field.middle, field.end),
                )
            })
            .collect()
    }

    /// All pairs of name and value, in the order sent.
    #[must_use]
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.fields.iter().map(|field| {
            (
                &self.text[field.start..field.middle],
                &self.text[field.middle..field.end],
            )
        })
    }

    /// Each name, and the same name with its value right after it.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let text = self.text.as_bytes();
        self.fields.iter().map(|field| {
            (
                &text[field.start..field.middle],
                &text[field.start..field.end],
            )
        })
    }

    /// The total length of all names and values, in bytes.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// The first value of this name; `None` when the name is absent.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| self.text.as_bytes()[field.start..field.middle] == *name.as_bytes())
            .map(|field| &self.text[field.middle..field.end])
    }

    /// The memory that its fields take, in bytes, approximately.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len() + self.fields.len() * size_of::<FormField>()
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs()).finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            let start = form.text.len();
            form.text.push_str(name.as_ref());
            let middle = form.text.len();
            form.text.push_str(value.as_ref());
            form.fields.push(FormField {
                start,
                middle,
                end: form.text.len(),
            });
        }
        form
    }
}

/// How many bytes are examined and copied at once.
const EIGHT: usize = 8;

/// Decodes bytes into a text.
struct Decoder<'a> {
    rest: &'a [u8],
    text: Vec<u8>,
}

impl Decoder<'_> {
    /// Decodes a name or a value, and consumes and returns the mark after it. The input counts as ending with `&`.
    #[inline]
    fn part(&mut self, is_end: impl Fn(u8) -> bool) -> u8 {
        loop {
            let eight = match self.rest.first_chunk() {
                Some(eight) => *eight,
                None => last_eight(self.rest),
            };
            let plain = plain_bytes(eight);
            self.text.extend_from_slice(&eight);
            if plain == EIGHT {
                self.rest = &self.rest[EIGHT..];
                continue;
            }
            self.text.truncate(self.text.len() - EIGHT + plain);
            let mark = self.rest.get(plain).copied().unwrap_or(b'&');
            self.rest = self.rest.get(plain + 1..).unwrap_or_default();
            if is_end(mark) {
                return mark;
            }
            if mark == b'%'
                && let Some(byte) = escaped(self.rest)
            {
                self.rest = &self.rest[2..];
                self.text.push(byte);
            } else {
                self.text.push(if mark == b'+' { b' ' } else { mark });
            }
        }
    }
}

/// The value of each byte as a hexadecimal digit; [`NO_DIGIT`] for all other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        let byte = b"0123456789abcdef"[digit as usize];
        digits[byte as usize] = digit;
        digits[byte.to_ascii_uppercase() as usize] = digit;
        digit += 1;
    }
    digits
};

const NO_DIGIT: u8 = u8::MAX;

/// The byte encoded by the two digits after a `%`; `None` without two digits.
fn escaped(behind: &[u8]) -> Option<u8> {
    let [high, low, ..] = behind else { return None };
    let [high, low] = [DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]];
    ((high | low) < 16).then_some(high << 4 | low)
}

/// The last bytes, fewer than eight, padded with `&`.
#[cold]
fn last_eight(rest: &[u8]) -> [u8; EIGHT] {
    let mut eight = [b'&'; EIGHT];
    eight[..rest.len()].copy_from_slice(rest);
    eight
}

/// How many of eight bytes, from the first on, are literal. Those that may not are `=` and what is less than
/// `-`: `&`, `+` and `%` among others.
///
/// A subtraction for all eight leaves the highest bit of a byte set where one is found. It may borrow from the bytes
/// behind that one, but not from those before it, so the first is right.
fn plain_bytes(eight: [u8; EIGHT]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST_BITS: u64 = ONES << 7;
    let bytes = u64::from_le_bytes(eight);
    let less = bytes.wrapping_sub(ONES * u64::from(b'-'));
    let equal = (bytes ^ (ONES * u64::from(b'='))).wrapping_sub(ONES);
    let found = (less | equal) & !bytes & HIGHEST_BITS;
    (found.trailing_zeros() / u8::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_order_repeats_and_odd_fields() {
        let form = Form::parse(b"b=2&a=1&b=%2B3+4&flag&&=x&c=%ff");
        let pairs: Vec<(&str, &str)> = form.pairs().collect();
        assert_eq!(
            pairs,
            [
                ("b", "2"),
                ("a", "1"),
                ("b", "+3 4"),
                ("flag", ""),
                ("", "x"),
                ("c", "\u{fffd}")
            ]
        );
        assert_eq!(form.first("b"), Some("2"));
        assert_eq!(form.first("B"), None);
        assert_eq!(
            format!("{:?}", Form::parse(b"a=1&b")),
            r#"[("a", "1"), ("b", "")]"#
        );
    }

    #[test]
    fn the_size_of_a_form_is_that_of_its_text_and_its_fields() {
        assert_eq!(Form::default().size(), 0);
        assert_eq!(
            Form::parse(b"a=12&b=%2B").size(),
            5 + 2 * size_of::<FormField>()
        );
    }

    #[test]
    fn bytes_stand_for_themselves_up_to_the_first_mark() {
        assert_eq!(plain_bytes(*b"aZ09-.\xff\x80"), EIGHT);
        for mark in 0..=u8::MAX {
            let is_mark = mark < b'-' || mark == b'=';
            for behind in [b'a', b'&', b'=', b'>', b'-', 0, 0x80, 0xad, 0xff] {
                for at in 0..EIGHT {
                    let mut eight = [b'a'; EIGHT];
                    eight[at] = mark;
                    eight[at + 1..].fill(behind);
                    let first = eight
                        .iter()
                        .position(|byte| *byte < b'-' || *byte == b'=')
                        .unwrap_or(EIGHT);
                    assert_eq!(plain_bytes(eight), first, "{eight:?}");
                    assert_eq!(first == at, is_mark);
                }
            }
        }
    }
}
