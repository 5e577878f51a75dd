//! What happened? Lines of the journal, the verdicts of another table on them, and their figures.

pub(crate) mod counter;
pub(crate) mod figures;
pub mod judge;
pub(crate) mod latest;
pub mod line;
pub(crate) mod pinned;
pub(crate) mod table_view;
