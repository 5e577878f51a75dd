//! Answers Twilio Proxy's out-of-session callback, and any plain Voice or Messaging webhook, from a routing table.

pub mod types;

pub mod request;

pub mod signature;

pub mod directory;

pub mod reply;

pub mod table;

pub mod guard;

pub mod twiml;

pub mod answer;

pub mod line;

pub mod judge;

pub mod report;

pub mod diagnostic;

pub mod config;

pub mod import;

pub mod schema;

pub mod metrics;

pub mod table_file;

pub mod live;

pub mod reload;

pub mod journal;

pub mod server;
pub mod systemd;

pub mod cli;
