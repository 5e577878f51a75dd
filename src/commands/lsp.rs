//! `lsp`: a language server on standard input and output.
//!
//! Messages are answered one after another. Tables are compiled when no message is waiting, so that a fast typist gets
//! completions before diagnostics. The content of the answers comes from `language`.

mod answers;
mod documents;
mod protocol;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::mpsc::TryRecvError;

use anyhow::{Context, Result};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use self::documents::Documents;
use self::protocol::{About, Changes, Whole};
use super::load_table::{DirectoryLimit, MOST_PRINTED};
use super::output::complain;
use super::{Outcome, PROGRAM, file_uri};

/// Where the package puts the manual.
const MANUAL: &str = "file:///usr/share/doc/twiml-responder/docs/";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    limit: DirectoryLimit,
    /// Link diagnostics to the manual below this URL
    #[arg(long, value_name = "URL", default_value = MANUAL)]
    manual: String,
}

/// How far the conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begun,
    Initialized,
    /// Only `exit` may follow.
    ShutDown,
}

struct Server {
    documents: Documents,
    /// The documents with diagnostics in them, by the table that they are about.
    published: BTreeMap<String, BTreeSet<String>>,
    max_directory: u64,
    /// Where the page of each diagnostic is, when there is a manual.
    manual: Option<String>,
    phase: Phase,
}

/// Why there is no result.
type Refused = (ErrorCode, String);

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    let Arguments { limit, manual } = arguments;
    let is_there = file_uri::path(&manual).is_none_or(|folder| folder.is_dir());
    let mut server = Server {
        documents: Documents::default(),
        published: BTreeMap::new(),
        max_directory: limit.max_directory,
        manual: is_there.then_some(manual),
        phase: Phase::Begun,
    };
    let messages = transport::messages();
    loop {
        let next = match messages.try_recv() {
            Err(TryRecvError::Empty) => {
                server.publish();
                messages.recv().ok()
            }
            next => next.ok(),
        };
        let Some(message) = next else {
            return Ok(Outcome::Yes);
        };
        match message.context("cannot read the editor's messages")? {
            Message::Request(request) => server.answer(request),
            Message::Notification(notification) if notification.method == "exit" => {
                return Ok(Outcome::from(server.phase == Phase::ShutDown));
            }
            Message::Notification(notification) => server.note(notification),
            // The editor's answer to our only request changes nothing.
            Message::Response(_) => {}
        }
    }
}

/// Writes a message. When the editor is gone, the end of standard input will show it.
fn send(message: impl Into<Message>) {
    let _: io::Result<()> = message.into().write(&mut io::stdout().lock());
}

/// What a message is about.
fn about<T: DeserializeOwned>(params: Json) -> Result<T, Refused> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

impl Server {
    fn answer(&mut self, request: Request) {
        let Request { id, method, params } = request;
        let result = match (self.phase, &*method) {
            (Phase::Begun, "initialize") => Ok(self.initialize(&params)),
            (Phase::Begun, _) => {
                let code = ErrorCode::ServerNotInitialized;
                Err((code, format!("`{method}` came before `initialize`")))
            }
            (Phase::ShutDown, _) => {
                let code = ErrorCode::InvalidRequest;
                Err((code, format!("`{method}` came after `shutdown`")))
            }
            (Phase::Initialized, "shutdown") => {
                self.phase = Phase::ShutDown;
                Ok(Json::Null)
            }
            (Phase::Initialized, method) => self.ask(method, params),
        };
        send(match result {
            Ok(result) => Response::new_ok(id, result),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        });
    }

    fn ask(&mut self, method: &str, params: Json) -> Result<Json, Refused> {
        let answer = match method {
            "textDocument/completion" => self.completion(&about(params)?),
            "textDocument/hover" => self.hover(&about(params)?),
            "textDocument/definition" => self.definition(&about(params)?),
            "textDocument/references" => self.references(&about(params)?),
            "textDocument/documentSymbol" => self.symbols(&about(params)?),
            "textDocument/codeLens" => self.lenses(&about(params)?),
            "textDocument/codeAction" => Some(self.actions(&about(params)?)),
            _ => {
                let message = format!("this server does not answer `{method}`");
                return Err((ErrorCode::MethodNotFound, message));
            }
        };
        Ok(answer.unwrap_or_default())
    }

    fn initialize(&mut self, params: &Json) -> Json {
        self.phase = Phase::Initialized;
        let watches = "/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration";
        if params.pointer(watches) == Some(&Json::Bool(true)) {
            let registration = json!({ "registrations": [{
                "id": "directories",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": { "watchers": [{ "globPattern": "**/*.csv" }] },
            }] });
            let id = RequestId::from("directories".to_owned());
            let method = "client/registerCapability".to_owned();
            send(Request::new(id, method, registration));
        }
        json!({
            "serverInfo": { "name": PROGRAM, "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": "utf-16",
                "textDocumentSync": { "openClose": true, "change": 2, "save": true },
                "completionProvider": { "triggerCharacters": ["[", "{", "\"", "'", ".", "|", "="] },
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "documentSymbolProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
                "codeLensProvider": { "resolveProvider": false },
            },
        })
    }

    /// Handles a notification from the editor. One that is unknown, too early or too late changes nothing.
    fn note(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        if self.phase != Phase::Initialized {
            return;
        }
        let noted = match &*method {
            "textDocument/didOpen" => about(params).map(|about: About<Whole>| {
                let new = about.text_document;
                let is_kept = self.documents.open(&new.uri, new.version, new.text);
                warn_unless(is_kept, &new.uri);
            }),
            "textDocument/didChange" => about(params).map(|about: About<Changes>| {
                let (document, changes) = (about.text_document, about.more.content_changes);
                let is_kept = self
                    .documents
                    .change(&document.uri, document.version, changes);
                warn_unless(is_kept, &document.uri);
            }),
            "textDocument/didClose" => about(params).map(|about: About<Whole>| {
                let uri = about.text_document.uri;
                self.documents.close(&uri);
                let published = self.published.remove(&uri).unwrap_or_default();
                for uri in published {
                    show(&uri, None, &[]);
                }
            }),
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.documents.forget();
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err((_, error)) = noted {
            complain(&format!(
                "warning: ignoring a `{method}` that cannot be read: {error}"
            ));
        }
    }

    /// Compiles the tables that have changed, and shows what is wrong with them.
    fn publish(&mut self) {
        for table in self.documents.check(self.max_directory) {
            let Some(document) = self.documents.get(&table) else {
                continue;
            };
            let mut by_uri = BTreeMap::from([(table.clone(), Vec::new())]);
            let found = document
                .checked
                .iter()
                .flat_map(|checked| &checked.diagnostics);
            for diagnostic in found.take(MOST_PRINTED) {
                let uri = self.documents.uri_of((&table, document), &diagnostic.file);
                by_uri
                    .entry(uri)
                    .or_default()
                    .push(self.diagnostic(diagnostic));
            }
            for (uri, diagnostics) in &by_uri {
                show(uri, document.version.filter(|_| *uri == table), diagnostics);
            }
            let now: BTreeSet<String> = by_uri.into_keys().collect();
            let before = self
                .published
                .insert(table, now.clone())
                .unwrap_or_default();
            before.difference(&now).for_each(|uri| show(uri, None, &[]));
        }
    }
}

fn warn_unless(is_kept: bool, uri: &str) {
    if !is_kept {
        let name = file_uri::path(uri).unwrap_or_else(|| Path::new(uri).into());
        complain(&format!(
            "warning: {} is too large, or one document too many: close others",
            name.display()
        ));
    }
}

/// Shows what is wrong with a document.
fn show(uri: &str, version: Option<i64>, diagnostics: &[Json]) {
    let mut params = json!({ "uri": uri, "diagnostics": diagnostics });
    if let Some(version) = version {
        params["version"] = version.into();
    }
    let method = "textDocument/publishDiagnostics".to_owned();
    send(Notification::new(method, params));
}
