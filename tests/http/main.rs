//! The service over real sockets, byte by byte: what a client sends, and what it gets.

#[path = "../support/wire/mod.rs"]
mod wire;

mod admin;
mod answers;
mod asked_url;
mod bodies;
mod capacity;
mod connections;
mod deadlines;
mod drain;
mod limits;
mod log;
mod refusals;
mod smuggling;
mod sockets;
#[cfg(feature = "tls")]
mod tls;
