//! Characters that look like others, or like nothing: a person reads a number or a word, but a computer does not.

/// A description of a character for a sentence: `` the letter `O` ``, `a space`, `an invisible character (U+202A)`.
pub(crate) fn named(character: char) -> String {
    let words = match character {
        ' ' => "a space",
        '\t' => "a tab",
        '\n' | '\r' => "a line break",
        '\u{a0}' | '\u{2007}' | '\u{202f}' => "a no-break space",
        '-' | '\u{2010}' => "a hyphen",
        '\u{2011}' => "a no-break hyphen",
        '\u{2012}' | '–' => "an en dash",
        '—' | '―' => "an em dash",
        '−' => "a minus sign",
        '\'' => "an apostrophe",
        '"' => "a quotation mark",
        '‘' | '’' | '“' | '”' => "a curly quotation mark",
        _ if is_invisible(character) => {
            return format!("an invisible character (U+{:04X})", u32::from(character));
        }
        _ if character.is_whitespace() => {
            return format!("an unusual space (U+{:04X})", u32::from(character));
        }
        _ if is_full_width(character) => return format!("the full-width character `{character}`"),
        _ if character.is_alphabetic() => return format!("the letter `{character}`"),
        _ => return format!("the character `{character}`"),
    };
    words.to_owned()
}

/// Whether a character leaves no trace, not even a gap: a control character, a mark for the direction of writing, a
/// joiner.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    ) || (character.is_control() && !character.is_whitespace())
}

/// Whether a character is the full-width form of an ASCII one.
fn is_full_width(character: char) -> bool {
    matches!(character, '！'..='～')
}

/// The character that was meant by this one; `None` when it is invisible.
fn meant(character: char) -> Option<char> {
    Some(match character {
        _ if is_invisible(character) => return None,
        _ if character.is_whitespace() => ' ',
        '\u{2010}'..='\u{2015}' | '−' => '-',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        _ if is_full_width(character) => {
            let offset = u32::from('！') - u32::from('!');
            char::from_u32(u32::from(character) - offset).unwrap_or(character)
        }
        _ => character,
    })
}

/// The first character of a text that is not what it looks like: a blank that is not a space, a dash that is not a hyphen, a
/// curly quotation mark, a full-width or an invisible character.
pub(crate) fn first_odd(text: &str) -> Option<char> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    text.chars()
        .find(|character| meant(*character) != Some(*character))
}

/// A text as it was meant: with plain spaces, hyphens and quotes, and without invisible characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter_map(meant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_has_a_name_that_people_know() {
        for (character, name) in [
            ('O', "the letter `O`"),
            ('é', "the letter `é`"),
            ('١', "the character `١`"),
            ('(', "the character `(`"),
            (' ', "a space"),
            ('\u{a0}', "a no-break space"),
            ('\u{2003}', "an unusual space (U+2003)"),
            ('–', "an en dash"),
            ('１', "the full-width character `１`"),
            ('\u{202a}', "an invisible character (U+202A)"),
            ('\u{7}', "an invisible character (U+0007)"),
        ] {
            assert_eq!(named(character), name);
        }
    }

    #[test]
    fn a_text_is_what_it_looks_like() {
        for (text, odd, meant) in [
            ("+1500", None, "+1500"),
            ("München", None, "München"),
            ("\u{202a}+1500\u{202c}", Some('\u{202a}'), "+1500"),
            ("Mon–Fri", Some('–'), "Mon-Fri"),
            ("a\u{a0}b", Some('\u{a0}'), "a b"),
            ("＋１５００", Some('＋'), "+1500"),
            ("“x”", Some('“'), "\"x\""),
            ("a\tb", Some('\t'), "a b"),
        ] {
            assert_eq!(first_odd(text), odd, "{text}");
            assert_eq!(plain(text), meant, "{text}");
        }
    }
}
