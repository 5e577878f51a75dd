//! `application/x-www-form-urlencoded` in one pass: every field decoded into one text, nothing allocated for a field.
//!
//! Source: the WHATWG URL standard, <https://url.spec.whatwg.org/#urlencoded-parsing>. What `serde_urlencoded` makes of
//! the same bytes is what this must make of them; a property test holds the two against each other.

use memchr::{memchr, memchr2};

use crate::request::{Field, Form};

/// Room for the fields of every request that Twilio makes, so that they are put down without moving.
const USUAL_FIELDS: usize = 96;

/// The form, unless a name or a value is no UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Option<Form> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut fields = Vec::with_capacity(USUAL_FIELDS.min(bytes.len().div_ceil(2)));
    let mut rest = bytes;
    while !rest.is_empty() {
        let (field, after) = cut(rest, b'&');
        rest = after;
        if field.is_empty() {
            continue;
        }
        let (name, value) = cut(field, b'=');
        let start = text.len();
        decode_piece(name, &mut text);
        let middle = text.len();
        decode_piece(value, &mut text);
        fields.push(Field {
            start,
            middle,
            end: text.len(),
        });
    }
    // Checked as a whole, which is quick; a character that falls apart at the end of a name or a value is two halves.
    let text = String::from_utf8(text).ok()?;
    fields
        .iter()
        .all(|field| text.is_char_boundary(field.middle) && text.is_char_boundary(field.end))
        .then_some(Form { text, fields })
}

/// What is before the first of these bytes and what is behind it; all and nothing without one.
fn cut(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    match memchr(at, bytes) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

/// Adds a name or a value: `+` is a blank, `%2B` is the byte 2B, and a `%` without two digits is itself.
fn decode_piece(mut piece: &[u8], text: &mut Vec<u8>) {
    while let Some(at) = memchr2(b'%', b'+', piece) {
        text.extend_from_slice(&piece[..at]);
        let (byte, length) = match piece[at..] {
            [b'+', ..] => (b' ', 1),
            [_, high, low, ..] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            _ => (b'%', 1),
        };
        text.push(byte);
        piece = &piece[at + length..];
    }
    text.extend_from_slice(piece);
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
