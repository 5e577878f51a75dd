//! `application/x-www-form-urlencoded` in one pass: every field decoded into one text, nothing allocated for a field.
//!
//! Source: the WHATWG URL standard, <https://url.spec.whatwg.org/#urlencoded-parsing>. What `serde_urlencoded` makes of
//! the same bytes is what this must make of them; a property test holds the two against each other.

use crate::request::{Field, Form};

/// Room for the fields of every request that Twilio makes, so that they are put down without moving.
const USUAL_FIELDS: usize = 96;

/// As many bytes are looked at and copied at once.
const WORD: usize = 8;

/// The form, unless a name or a value is no UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Option<Form> {
    // What is decoded is never longer than what is read; a word may reach over its end.
    let mut text = vec![0; bytes.len() + WORD];
    let mut fields = Vec::with_capacity(USUAL_FIELDS.min(bytes.len().div_ceil(2)));
    let (mut read, mut written) = (0, 0);
    // Where the field began in the bytes and in the text, and where in the text its name ended.
    let (mut began, mut start, mut middle) = (0, 0, None);
    loop {
        while let (Some(word), Some(place)) =
            (word_at(bytes, read), word_at_mut(&mut text, written))
        {
            *place = *word;
            let ordinary = ordinary_bytes(*word);
            if ordinary < WORD {
                read += ordinary;
                written += ordinary;
                break;
            }
            // A step of a known length: the processor begins with the next word before this one is looked at.
            read += WORD;
            written += WORD;
        }
        let byte = bytes.get(read).copied();
        if matches!(byte, Some(b'&') | None) {
            if read > began {
                fields.push(Field {
                    start,
                    middle: middle.unwrap_or(written),
                    end: written,
                });
            }
            (began, start, middle) = (read + 1, written, None);
        }
        let Some(byte) = byte else { break };
        read += 1;
        text[written] = match byte {
            b'&' => continue,
            b'=' if middle.is_none() => {
                middle = Some(written);
                continue;
            }
            b'+' => b' ',
            b'%' => match escaped(&bytes[read..]) {
                Some(byte) => {
                    read += 2;
                    byte
                }
                None => byte,
            },
            _ => byte,
        };
        written += 1;
    }
    text.truncate(written);
    // Checked as a whole, which is quick; a character that falls apart at the end of a name or a value is two halves.
    let text = String::from_utf8(text).ok()?;
    fields
        .iter()
        .all(|field| text.is_char_boundary(field.middle) && text.is_char_boundary(field.end))
        .then_some(Form { text, fields })
}

fn word_at(bytes: &[u8], at: usize) -> Option<&[u8; WORD]> {
    bytes.get(at..)?.first_chunk()
}

fn word_at_mut(bytes: &mut [u8], at: usize) -> Option<&mut [u8; WORD]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// How many bytes of a word stand for themselves before the first that may not: `=` or one less than `-`, among which
/// `&`, `+` and `%` are.
///
/// Both are asked of all eight bytes in one number, where a borrow spoils only what is behind the first that is found.
/// Source: <https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>.
fn ordinary_bytes(word: [u8; WORD]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGHEST_BITS: u64 = 0x80 * EACH;
    let is_less = |word: u64, than: u8| word.wrapping_sub(EACH * u64::from(than)) & !word;
    let word = u64::from_le_bytes(word);
    let found = is_less(word, b'-') | is_less(word ^ (EACH * u64::from(b'=')), 1);
    (found & HIGHEST_BITS).trailing_zeros() as usize / 8
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
    fn ordinary_bytes_end_at_the_first_that_may_mean_something() {
        let may_mean_something = |byte: u8| byte < b'-' || byte == b'=';
        for place in 0..WORD {
            for byte in 0..=u8::MAX {
                for behind in [b'a', b'&', b'=', 0xff] {
                    let mut word = [b'z'; WORD];
                    word[place] = byte;
                    word[place + 1..].fill(behind);
                    let expected = word.iter().position(|byte| may_mean_something(*byte));
                    assert_eq!(ordinary_bytes(word), expected.unwrap_or(WORD), "{word:?}");
                }
            }
        }
    }
}
