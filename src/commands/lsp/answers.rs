//! The answers to an editor's questions: what `language` says, with places as editors count them.

use serde_json::{Value as Json, json};

use super::Server;
use super::documents::{AsOpen, Document};
use super::protocol::{About, At, Range, Whole, Within};
use crate::commands::PROGRAM;
use crate::language::editor::{Location, OfferKind, Offers, lenses, symbols};
use crate::table::diagnostic::{Diagnostic, Severity};

/// `None` when the document is not open, or nothing is there.
type Answer = Option<Json>;

impl Server {
    /// The document, its files and the byte that a question is about.
    fn place<'s>(&'s self, about: &About<At>) -> Option<(&'s Document, AsOpen<'s>, usize)> {
        let document = self.documents.get(&about.text_document.uri)?;
        let files = self.documents.files(document, self.max_directory);
        let byte = about.more.position.byte(&document.file);
        Some((document, files, byte))
    }

    pub(super) fn completion(&self, about: &About<At>) -> Answer {
        let (document, files, byte) = self.place(about)?;
        let Offers {
            span,
            kind,
            offers,
            has_more,
        } = document.draft().offers(&files, byte)?;
        let range = Range::of(&document.file, &span);
        // The editor's filter must include a quote that is already typed.
        let quote = document.file.text[span].chars().next();
        let quote = quote.filter(|first| "\"'".contains(*first));
        let kind = match kind {
            OfferKind::Section => 9,
            OfferKind::Key => 10,
            OfferKind::Value => 12,
            OfferKind::Word => 6,
        };
        let items = offers.iter().map(|offer| {
            json!({
                "label": offer.label,
                "kind": kind,
                "filterText": quote.into_iter().chain(offer.label.chars()).collect::<String>(),
                "textEdit": { "range": range, "newText": offer.text },
                "documentation": markdown(&offer.help),
            })
        });
        Some(json!({ "isIncomplete": has_more, "items": items.collect::<Vec<_>>() }))
    }

    pub(super) fn hover(&self, about: &About<At>) -> Answer {
        let (document, files, byte) = self.place(about)?;
        let (span, help) = document.draft().hover(&files, byte)?;
        let range = Range::of(&document.file, &span);
        Some(json!({ "contents": markdown(&help), "range": range }))
    }

    pub(super) fn definition(&self, about: &About<At>) -> Answer {
        let (document, files, byte) = self.place(about)?;
        let found = document.draft().definition(&files, byte);
        Some(self.locations((&about.text_document.uri, document), found))
    }

    pub(super) fn references(&self, about: &About<At>) -> Answer {
        let (document, files, byte) = self.place(about)?;
        let with_definition = about.more.context.include_declaration;
        let found = document.draft().references(&files, byte, with_definition);
        Some(self.locations((&about.text_document.uri, document), found))
    }

    fn locations(&self, table: (&str, &Document), found: Vec<Location>) -> Json {
        let location = |Location { file, span }: Location| {
            let uri = self.documents.uri_of(table, &file);
            json!({ "uri": uri, "range": Range::of(&file, &span) })
        };
        found.into_iter().map(location).collect()
    }

    pub(super) fn symbols(&self, about: &About<Whole>) -> Answer {
        let document = self.documents.get(&about.text_document.uri)?;
        let all = symbols(&document.draft()).into_iter().map(|symbol| {
            let kind = match &*symbol.key {
                "route" | "intercept" => 12,
                "test" => 24,
                _ => 3,
            };
            json!({
                "name": symbol.name,
                "detail": symbol.key,
                "kind": kind,
                "range": Range::of(&document.file, &symbol.span),
                "selectionRange": Range::of(&document.file, &symbol.header),
            })
        });
        Some(all.collect())
    }

    pub(super) fn lenses(&mut self, about: &About<Whole>) -> Answer {
        self.publish();
        let document = self.documents.get(&about.text_document.uri)?;
        let compiled = document.checked.as_ref()?.compiled.as_ref();
        let all = lenses(&document.draft(), compiled).into_iter().map(|lens| {
            let range = Range::of(&document.file, &lens.span);
            json!({ "range": range, "command": { "title": lens.title, "command": "" } })
        });
        Some(all.collect())
    }

    /// The fixes of the diagnostics in a range, for every table with diagnostics in this document.
    pub(super) fn actions(&mut self, about: &About<Within>) -> Json {
        self.publish();
        let (uri, wanted) = (&about.text_document.uri, about.more.range);
        let mut actions = Vec::new();
        for (table, document) in self.documents.all() {
            let found = document
                .checked
                .iter()
                .flat_map(|checked| &checked.diagnostics);
            for (diagnostic, fix) in found.filter_map(|found| Some((found, found.fix.as_ref()?))) {
                let file = &diagnostic.file;
                let range = Range::of(file, &diagnostic.span);
                // Some editors ask at the cursor alone, which may be anywhere in the line.
                let is_there =
                    range.start.line <= wanted.end.line && wanted.start.line <= range.end.line;
                if is_there && self.documents.uri_of((table, document), file) == *uri {
                    let edit = json!({ "range": Range::of(file, &fix.span), "newText": fix.text });
                    actions.push(json!({
                        "title": diagnostic.help,
                        "kind": "quickfix",
                        "diagnostics": [self.diagnostic(diagnostic)],
                        "isPreferred": true,
                        "edit": { "changes": { (uri): [edit] } },
                    }));
                }
            }
        }
        actions.into()
    }

    pub(super) fn diagnostic(&self, found: &Diagnostic) -> Json {
        let more = match found.more {
            0 => String::new(),
            more => format!("\nand {more} more like it"),
        };
        let mut diagnostic = json!({
            "range": Range::of(&found.file, &found.span),
            "severity": match found.severity {
                Severity::Error => 1,
                Severity::Warning => 2,
            },
            "code": found.check.code,
            "source": PROGRAM,
            "message": format!("{}\nhelp: {}{more}", found.message, found.help_line()),
        });
        if let Some(manual) = &self.manual {
            let href = format!(
                "{}/diagnostics.md#{}",
                manual.trim_end_matches('/'),
                found.check.code
            );
            diagnostic["codeDescription"] = json!({ "href": href });
        }
        diagnostic
    }
}

fn markdown(text: &str) -> Json {
    json!({ "kind": "markdown", "value": text })
}
