//! `Digits = "1"`: the value is this text.

use std::borrow::Cow;
use std::fmt;

use super::{Kind, Passing, Seen};
use crate::twilio::facts::Known;

/// The value is exactly this text, both in the form in which the parameter is compared.
#[derive(Debug)]
pub struct Exact(pub Box<str>);

impl Kind for Exact {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        match seen.value() {
            Known::Whole(value) => Some(*self.0 == **value),
            known if known.may_be(&self.0) => None,
            _ => Some(false),
        }
    }

    fn passing(&self) -> Passing<'_> {
        Passing::Known(Known::Whole(Cow::Borrowed(&self.0)))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
