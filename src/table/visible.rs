//! Texts from outside, safe to print.

/// A text with what is invisible, or changes the direction of what follows, escaped: `\u{202e}`.
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

/// Whether a character is visible and nothing else. Rust knows which are not: its `Debug` escapes them.
pub(crate) fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') || character.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

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
