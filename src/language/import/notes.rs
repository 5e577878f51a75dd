//! What the operator is told beside the route.

/// One note, by the byte of the document that it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlacedNote {
    pub at: usize,
    pub left_out: bool,
    pub message: String,
}

/// All notes so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<PlacedNote>,
}

impl Notes {
    /// Notes something that was carried over and that the operator should know.
    pub(super) fn say(&mut self, at: usize, message: impl Into<String>) {
        self.add(at, false, message.into());
    }

    /// Notes something that could not be carried over.
    pub(super) fn leave_out(&mut self, at: usize, message: impl Into<String>) {
        self.add(at, true, message.into());
    }

    fn add(&mut self, at: usize, left_out: bool, message: String) {
        self.list.push(PlacedNote {
            at,
            left_out,
            message,
        });
    }

    /// All of them in the order of the document.
    pub(super) fn into_sorted(mut self) -> Vec<PlacedNote> {
        self.list.sort_by_key(|note| note.at);
        self.list
    }
}
