//! `application/x-www-form-urlencoded` in one pass: every field decoded into one text, nothing allocated for a field.
//!
//! Source: the WHATWG URL standard, <https://url.spec.whatwg.org/#urlencoded-parsing>. What `serde_urlencoded` makes of
//! the same bytes is what this must make of them; a property test holds the two against each other.

use wide::u8x16;

use crate::twilio::request::joined::Joined;
use crate::twilio::request::{Field, Form};

/// Room for the fields of every request that Twilio makes, so that they are put down without moving.
const USUAL_FIELDS: usize = 96;

/// As many bytes are looked at at once.
const BLOCK: usize = 64;

/// The form, unless a name or a value is no UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Option<Form> {
    let mut fields = Vec::with_capacity(USUAL_FIELDS.min(bytes.len().div_ceil(2)));
    let mut decoder = Decoder {
        bytes,
        marks: Marks::of(bytes),
        read: 0,
        // What is decoded is never longer than what is read.
        text: Joined::with_room_for(bytes.len()),
    };
    while decoder.read < bytes.len() {
        let (began, start) = (decoder.read, decoder.text.len());
        let end = decoder.part(|mark| matches!(mark, b'=' | b'&'));
        let middle = decoder.text.len();
        if end == b'=' {
            decoder.part(|mark| mark == b'&');
        }
        if decoder.read > began + 1 {
            fields.push(Field {
                start,
                middle,
                end: decoder.text.len(),
            });
        }
    }
    // Checked as a whole, which is quick; a character that falls apart at the end of a name or a value is two halves.
    let text = String::from_utf8(decoder.text.into_bytes()).ok()?;
    let is_whole =
        |field: &Field| text.is_char_boundary(field.middle) && text.is_char_boundary(field.end);
    (text.is_ascii() || fields.iter().all(is_whole)).then_some(Form { text, fields })
}

/// Bytes on their way into a text.
struct Decoder<'a> {
    bytes: &'a [u8],
    marks: Marks<'a>,
    /// How many bytes were read.
    read: usize,
    text: Joined,
}

impl Decoder<'_> {
    /// Decodes a name or a value and returns the mark behind it, which is read, too; the end of all bytes is a `&`.
    #[inline]
    fn part(&mut self, is_end: impl Fn(u8) -> bool) -> u8 {
        loop {
            let (at, mark) = self.marks.next().unwrap_or((self.bytes.len(), b'&'));
            if is_end(mark) {
                self.copy_until(at);
                self.read += 1;
                return mark;
            }
            let (byte, length) = match mark {
                b'+' => (b' ', 1),
                b'%' => match escaped(&self.bytes[at + 1..]) {
                    Some(byte) => (byte, 3),
                    None => continue,
                },
                _ => continue,
            };
            self.copy_until(at);
            self.text.push(byte);
            self.read += length;
        }
    }

    /// Copies what stands for itself, up to this place.
    #[inline]
    fn copy_until(&mut self, end: usize) {
        self.text.append(&self.bytes[self.read..], end - self.read);
        self.read = end;
    }
}

/// The bytes that may mean something, with their places: `=` and what is less than `-`, among which `&`, `+` and `%` are.
struct Marks<'a> {
    bytes: &'a [u8],
    /// Where the next block begins.
    next: usize,
    /// A bit for each mark of the block before that, the first the lowest.
    found: u64,
}

impl<'a> Marks<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            next: 0,
            found: 0,
        }
    }
}

impl Iterator for Marks<'_> {
    type Item = (usize, u8);

    #[inline]
    fn next(&mut self) -> Option<(usize, u8)> {
        while self.found == 0 {
            let rest = self
                .bytes
                .get(self.next..)
                .filter(|rest| !rest.is_empty())?;
            self.found = if let Some(block) = rest.first_chunk() {
                marks(block)
            } else {
                let mut last = [b'-'; BLOCK];
                last[..rest.len()].copy_from_slice(rest);
                marks(&last)
            };
            self.next += BLOCK;
        }
        let at = self.next - BLOCK + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        self.bytes.get(at).map(|byte| (at, *byte))
    }
}

/// A bit for each byte that may mean something, by the processor's comparisons of sixteen at once.
fn marks(block: &[u8; BLOCK]) -> u64 {
    let (lanes, _) = block.as_chunks();
    lanes.iter().rev().fold(0, |found, lane| {
        let lane = u8x16::new(*lane);
        let marks = lane.simd_eq(u8x16::splat(b'=')) | lane.simd_le(u8x16::splat(b','));
        found << 16 | u64::from(marks.to_bitmask())
    })
}

/// The byte that the two digits behind a `%` stand for; `None` without two digits, when the `%` is itself.
fn escaped(behind: &[u8]) -> Option<u8> {
    let [high, low, ..] = behind else { return None };
    let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
    (high < 16 && low < 16).then_some(high << 4 | low)
}

/// The value of each byte as a hexadecimal digit; 16 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_utf_8_is_left_to_others() {
        for bytes in [
            &b""[..],
            b"a=1",
            b"CallSid=CA1&To=%2B15005550006&Body=%C3%A9+%",
            "é=é&".as_bytes(),
        ] {
            assert!(decode(bytes).is_some(), "{bytes:?}");
        }
        for bytes in [&b"a=%ff"[..], b"\xff", b"%C3=%A9"] {
            assert!(decode(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn marks_are_the_bytes_that_may_mean_something() {
        let may_mean_something = |byte: u8| byte < b'-' || byte == b'=';
        for length in [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            for byte in 0..=u8::MAX {
                for behind in [b'a', b'&', b'=', 0xff] {
                    let mut bytes = vec![behind; length];
                    bytes[length / 2] = byte;
                    let expected: Vec<(usize, u8)> = (0..)
                        .zip(bytes.iter().copied())
                        .filter(|(_, byte)| may_mean_something(*byte))
                        .collect();
                    assert_eq!(Marks::of(&bytes).collect::<Vec<_>>(), expected, "{bytes:?}");
                }
            }
        }
    }
}
