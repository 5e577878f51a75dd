//! Reload and the last good copy, with the real program: files change, or a signal asks for a reload.

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
