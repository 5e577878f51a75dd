//! Makes text from outside safe to print.

/// The text with characters escaped that are invisible or change the direction of what follows: `\u{202e}`.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// Whether a character is visible and has no other effect. Rust's `Debug` escapes those that are not.
pub(crate) fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') || character.escape_debug().len() == 1
}

/// Whether a character affects neither a terminal nor the reading of what follows it: it is not a control character, does not end a
/// line, and changes no direction.
pub(crate) fn is_tame(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text of several lines with every other character that is not tame escaped: letters of all scripts stay as they are.
pub(crate) fn tamed(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    for character in text.chars() {
        if is_tame(character) || matches!(character, '\n' | '\t') {
            tamed.push(character);
        } else {
            tamed.extend(character.escape_unicode());
        }
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_affects_no_terminal() {
        for (text, seen) in [
            (
                "<Say>\n\tz\u{301} \u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}\n",
                "<Say>\n\tz\u{301} \u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}\n",
            ),
            (
                "a\u{1b}[2J\u{9b}1m\r\u{7f}",
                "a\\u{1b}[2J\\u{9b}1m\\u{d}\\u{7f}",
            ),
            (
                "\u{202e}b\u{2066}\u{200f}\u{2028}\u{61c}",
                "\\u{202e}b\\u{2066}\\u{200f}\\u{2028}\\u{61c}",
            ),
        ] {
            assert_eq!(tamed(text), seen);
        }
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        for (text, seen) in [
            ("ride-ended", "ride-ended"),
            ("\"<script>'&\\", "\"<script>'&\\"),
            ("+141•••••00", "+141•••••00"),
            (
                "\u{1b}[31m\u{9b}1m\u{7}\r\n\0",
                "\\u{1b}[31m\\u{9b}1m\\u{7}\\u{d}\\u{a}\\u{0}",
            ),
            (
                "\u{202e}gnp.exe\u{2066}\u{200f}",
                "\\u{202e}gnp.exe\\u{2066}\\u{200f}",
            ),
            ("\u{200b}\u{feff}\u{2028}", "\\u{200b}\\u{feff}\\u{2028}"),
            (
                "Z\u{e9}ro \u{65e5}\u{672c} \u{1f695}",
                "Z\u{e9}ro \u{65e5}\u{672c} \u{1f695}",
            ),
            ("z\u{301}\u{301}", "z\\u{301}\\u{301}"),
        ] {
            assert_eq!(shown(text), seen);
        }
    }
}
