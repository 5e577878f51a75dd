//! Reload and the last good copy, by the real program: files change, and somebody asks.

#[path = "../support/mod.rs"]
mod support;
mod world;

mod bad_edits;
mod directories;
mod files;
mod last_good;
mod library;
mod load;
mod secrets;
