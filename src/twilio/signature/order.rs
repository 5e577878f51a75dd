//! The fields of a form in the order in which they are signed.

use std::cell::Cell;

use crate::twilio::request::Form;
use crate::twilio::request::joined::Joined;
use crate::twilio::signature::Content;

/// Name and value of each field, by the bytes of name, then value, exact repeats once.
pub(super) fn in_signed_order(content: Content<'_>) -> Vec<u8> {
    let Content::Form(form) = content else {
        return Vec::new();
    };
    let mut layout = Layout::last_of_the_size_of(form);
    if !layout.is_of(form) {
        layout = Layout::of(form);
    }
    let mut joined = Joined::with_room_for(form.text_len());
    for index in &layout.order {
        joined.append(form.joined_from(*index), form.joined_at(*index).len());
    }
    layout.keep();
    joined.into_bytes()
}

/// The names of a form in the order they came, and the order in which its fields are signed.
///
/// Each thread keeps those of the last forms, no values: what Twilio sends to a service has a few layouts, and fields whose
/// names are all different need no sorting when their names have been sorted before.
#[derive(Default)]
struct Layout {
    /// One behind another.
    names: Vec<u8>,
    /// Where each name ends.
    ends: Vec<usize>,
    /// The places of the fields, exact repeats once.
    order: Vec<usize>,
    /// Whether a name is there twice, so that the order depends on values.
    has_repeats: bool,
}

/// Layouts of so many different sizes are kept side by side.
const SIZES: usize = 16;

/// More names in a layout are kept by none: those of all fields that Twilio sends have not a quarter of these bytes.
const MOST_KEPT: usize = 4096;

thread_local! {
    static LAST_LAYOUTS: [Cell<Layout>; SIZES] = const { [const { Cell::new(Layout::EMPTY) }; SIZES] };
}

impl Layout {
    const EMPTY: Self = Self {
        names: Vec::new(),
        ends: Vec::new(),
        order: Vec::new(),
        has_repeats: false,
    };

    fn of(form: &Form) -> Self {
        let mut layout = Self::EMPTY;
        for index in 0..form.len() {
            layout.names.extend_from_slice(form.name_at(index));
            layout.ends.push(layout.names.len());
        }
        // With the same name in front, name and value are ordered as the values are.
        let pair = |index: usize| (form.name_at(index), form.joined_at(index));
        layout.order = (0..form.len()).collect();
        layout.order.sort_unstable_by_key(|index| pair(*index));
        layout.has_repeats = !layout
            .order
            .is_sorted_by(|one, other| form.name_at(*one) < form.name_at(*other));
        layout
            .order
            .dedup_by(|one, other| pair(*one) == pair(*other));
        layout
    }

    /// The layout that was kept last of those with as many bytes of names, or of another size in its stead; it is taken away.
    fn last_of_the_size_of(form: &Form) -> Self {
        let size: usize = (0..form.len()).map(|index| form.name_at(index).len()).sum();
        LAST_LAYOUTS.with(|layouts| layouts[size % SIZES].take())
    }

    /// Whether these are the form's names in the form's order.
    fn is_of(&self, form: &Form) -> bool {
        let mut start = 0;
        self.ends.len() == form.len()
            && (0..form.len()).zip(&self.ends).all(|(index, end)| {
                let name = &self.names[start..*end];
                start = *end;
                form.name_at(index) == name
            })
    }

    /// Keeps it for the next form, if it says something of that.
    fn keep(self) {
        if !self.has_repeats && self.names.len() <= MOST_KEPT {
            LAST_LAYOUTS.with(|layouts| layouts[self.names.len() % SIZES].set(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_before_change_nothing_about_the_order() {
        let long = "n".repeat(MOST_KEPT + 1);
        for names in [
            &["b", "a", "c"][..],
            &["b", "a", "d"],
            &["a", "b", "c"],
            &["ba", "c"],
            &["b", "ac"],
            &["bac"],
            &["b", "a", "b"],
            &["b", "a", "", "c"],
            &[],
            &[&long, "a"],
            &[
                "inboundParticipantProxyIdentifierSid",
                "inboundParticipantProxyIdentifier",
            ],
        ] {
            for values in [["2", "1", "3", "4"], ["1", "2", "1", "2"]] {
                let pairs: Vec<(&str, &str)> = names.iter().copied().zip(values).collect();
                let mut sorted = pairs.clone();
                sorted.sort_unstable();
                sorted.dedup();
                let expected: String = sorted
                    .iter()
                    .flat_map(|(name, value)| [*name, *value])
                    .collect();
                let form: Form = pairs.iter().copied().collect();
                for _ in 0..2 {
                    let order = in_signed_order(Content::Form(&form));
                    assert_eq!(String::from_utf8_lossy(&order), expected, "{pairs:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_names_in_another_order_are_signed_alike() {
        for fields in [3, 3 + SIZES, 97, 0, 3] {
            let mut names: Vec<String> = (0..fields).map(|field| format!("n{field:03}")).collect();
            let signed = names.concat();
            for _ in 0..3 {
                names.rotate_right(fields.min(1));
                let form: Form = names.iter().map(|name| (name, "")).collect();
                let order = in_signed_order(Content::Form(&form));
                assert_eq!(String::from_utf8_lossy(&order), signed, "{names:?}");
            }
        }
    }
}
