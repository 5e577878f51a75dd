//! Times as operators write them.

/// A time in seconds: `90`, `5s`, `10m`, `2h`, `1d`. `None` when it is written in another way or does not fit.
#[must_use]
pub fn parse_seconds(text: &str) -> Option<u32> {
    let (number, unit) = match text.char_indices().next_back()? {
        (_, last) if last.is_ascii_digit() => (text, 1),
        (at, 's') => (&text[..at], 1),
        (at, 'm') => (&text[..at], 60),
        (at, 'h') => (&text[..at], 3600),
        (at, 'd') => (&text[..at], 86_400),
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number
        .parse::<u32>()
        .ok()
        .filter(|_| is_number)?
        .checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("5s", 5),
            ("10m", 600),
            ("2h", 7200),
            ("1d", 86_400),
        ] {
            assert_eq!(parse_seconds(text), Some(seconds), "{text}");
        }
        for text in [
            "", "m", "-5s", "+5s", "5 s", "5S", "1.5m", "5ms", "50000d", "٣s",
        ] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
