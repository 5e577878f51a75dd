//! Who is connected? Listeners, TLS, HTTP, reload, metrics, systemd and the journal's writer.

mod admin;
mod asked_url;
pub mod connection;
mod deadline_io;
pub(crate) mod html;
pub mod journal_files;
pub mod journal_reader;
pub mod journal_writer;
pub mod last_hour;
pub mod listen_address;
pub mod listener;
pub mod live;
pub mod metrics;
mod other_protocol;
pub(crate) mod platform;
mod receive;
mod refusal;
pub mod reload;
mod respond;
pub mod responder;
pub mod server;
pub mod systemd;
pub mod table_file;
#[cfg(feature = "tls")]
pub mod tls;
