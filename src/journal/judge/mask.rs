//! What the mask of a number tells of the number.

use super::truth::Truth;
use crate::twilio::number::{may_begin_withheld, shown_by_mask};

/// A mask, as [`crate::twilio::number::masked`] makes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mask<'a> {
    /// The mask as it is written.
    pub text: &'a str,
    /// What the number begins with.
    pub start: &'a str,
    /// What it ends with.
    end: &'a str,
    /// How many characters are shown of start and end.
    shown: (usize, usize),
}

impl<'a> Mask<'a> {
    /// The mask in a text; `None` when it is none.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        const BULLETS: &str = "•••••";
        // A mask is as long as its number, but five characters at least and eleven at most.
        let shown = shown_by_mask(text.chars().count());
        let start_length = text.chars().take(shown.0).map(char::len_utf8).sum();
        let (start, rest) = text.split_at(start_length);
        let end = rest.strip_prefix(BULLETS)?;
        (end.chars().count() == shown.1).then_some(Self {
            text,
            start,
            end,
            shown,
        })
    }

    /// Whether it is the mask of this number. When it is, it may be that of other numbers, too.
    pub(super) fn is_of(&self, number: &str) -> bool {
        !number.is_empty()
            && number.starts_with(self.start)
            && number.ends_with(self.end)
            && shown_by_mask(number.chars().count()) == self.shown
    }

    /// Whether the number begins so.
    pub(super) fn begins_with(&self, start: &str) -> Truth {
        if self.start.starts_with(start) {
            Truth::Yes
        } else if start.starts_with(self.start) {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// Whether the number ends so.
    pub(super) fn ends_with(&self, end: &str) -> Truth {
        if self.end.ends_with(end) {
            Truth::Yes
        } else if end.ends_with(self.end) {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// Whether the number may be a withheld caller's.
    pub(super) fn may_be_withheld(&self) -> bool {
        may_begin_withheld(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::number::masked;

    const NUMBERS: [&str; 14] = [
        "1",
        "12345",
        "123456",
        "1234567",
        "12345678",
        "+4930123",
        "+49301234",
        "+493012345",
        "+14155550100",
        "+442071838750",
        "client:alice",
        "sip:ann@example.com",
        "•••••••",
        "éééééééééééé",
    ];

    #[test]
    fn a_mask_is_of_those_numbers_that_have_it() {
        for number in NUMBERS {
            let text = masked(number);
            let mask = Mask::of(&text).expect(number);
            for other in NUMBERS
                .into_iter()
                .chain(["", "+14155550200", "+1415555010000"])
            {
                assert_eq!(
                    mask.is_of(other),
                    masked(other) == text,
                    "{text} of {other}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_mask_tells_nothing() {
        for text in [
            "",
            "+14155550100",
            "•••",
            "12345•••••6",
            "+141•••••1234",
            "+141••••00",
        ] {
            assert!(Mask::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn start_and_end_decide_as_far_as_they_are_shown() {
        let mask = Mask::of("+141•••••00").expect("a mask");
        for (start, truth) in [
            ("", Truth::Yes),
            ("+1", Truth::Yes),
            ("+141", Truth::Yes),
            ("+1415", Truth::Unknown),
            ("+1425", Truth::No),
            ("+44", Truth::No),
        ] {
            assert_eq!(mask.begins_with(start), truth, "{start}");
        }
        for (end, truth) in [
            ("", Truth::Yes),
            ("0", Truth::Yes),
            ("100", Truth::Unknown),
            ("1", Truth::No),
        ] {
            assert_eq!(mask.ends_with(end), truth, "{end}");
        }
        assert!(!mask.may_be_withheld());
        let sip = Mask::of("sip:•••••id").expect("a mask");
        assert!(sip.may_be_withheld());
    }
}
