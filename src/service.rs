//! Who is connected? Listeners, TLS, HTTP, reload, metrics, systemd and the journal's writer.

pub mod journal;
pub mod live;
pub mod metrics;
pub mod reload;
pub mod server;
pub mod systemd;
pub mod table_file;
