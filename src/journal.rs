//! What happened? A line of the journal, what another table would say to it, and the figures of many.

pub(crate) mod counter;
pub(crate) mod figures;
pub mod judge;
pub(crate) mod latest;
pub mod line;
pub(crate) mod pinned;
pub(crate) mod table_view;
