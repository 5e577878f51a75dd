//! Answers Twilio Proxy's out-of-session callback, and any plain Voice or Messaging webhook, from a routing table.
//!
//! Six rooms, one above the other; each uses only those before it in this list. [`twilio`], [`table`], [`language`] and
//! [`journal`] are the core: values in, values out, without I/O, clock or log. [`service`] and [`commands`] own sockets,
//! files, signals and time, and decide nothing.

pub mod twilio;

pub mod table;

pub mod language;

pub mod journal;

pub mod service;

pub mod commands;
