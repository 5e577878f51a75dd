//! What happened? A line of the journal, what another table would say to it, and the figures of many.

pub mod counter;
pub mod figures;
pub mod judge;
pub mod line;
pub mod pinned;
