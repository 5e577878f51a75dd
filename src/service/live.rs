//! What is live: the table that answers, who is answered, and the keys, swapped together in one step.
//!
//! The server reads it, a reload writes it, and neither knows the other.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::service::metrics::{Metrics, RouteCounters};
use crate::table::Table;
use crate::twilio::signature::secrets::{PathKeys, Secrets};

/// What a request takes once, so that it never sees a mixture of two tables.
#[derive(Debug)]
pub struct Live {
    /// The routes.
    pub table: Arc<Table>,
    /// Who is answered.
    pub access: Arc<Access>,
    /// The counters of the routes.
    pub routes: RouteCounters,
}

impl Live {
    /// What goes live now: from here on, the metrics describe this table.
    #[must_use]
    pub fn new(table: Arc<Table>, access: Arc<Access>, metrics: &Metrics) -> Self {
        Self {
            routes: metrics.table_is_live(&table),
            table,
            access,
        }
    }
}

/// Gives access to what is live at any moment, without waiting.
pub type CurrentLive = Arc<ArcSwap<Live>>;

/// All secrets, as read at the start and whenever their files change.
#[derive(Debug)]
pub struct Access {
    /// Who is answered.
    pub verification: Verification,
    /// The keys in the path of the voice webhooks; without keys, there are no such webhooks.
    pub voice_webhooks: PathKeys,
}

impl From<Verification> for Access {
    fn from(verification: Verification) -> Self {
        Self {
            verification,
            voice_webhooks: PathKeys::default(),
        }
    }
}

/// Who is answered.
#[derive(Debug)]
pub enum Verification {
    /// Anyone who has signed with one of these.
    Signed(Secrets),
    /// For trials only: every process on this machine, unless a proxy's headers say that the request is from elsewhere.
    AllowUnsigned,
}
