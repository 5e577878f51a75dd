//! The answers to an editor's questions: what `language` says, with places as editors count them.

use std::collections::BTreeMap;

use super::Server;
use super::documents::{AsOpen, Document};
use super::protocol::{
    About, Action, At, CompletionItem, CompletionList, Diagnostic, Hover, Lens, Location, Markdown,
    Page, Range, Symbol, TextEdit, Title, Within, WorkspaceEdit,
};
use crate::commands::PROGRAM;
use crate::language::editor::{self, Offer, OfferKind, Offers, lenses, symbols};
use crate::table::diagnostic::{self, Severity};

impl Server {
    /// The document, its files and the byte that a question is about.
    fn place<'s>(&'s self, at: &At) -> Option<(&'s Document, AsOpen<'s>, usize)> {
        let document = self.documents.get(&at.text_document.uri)?;
        let files = self.documents.files(document, self.max_directory);
        let byte = at.position.byte(&document.file);
        Some((document, files, byte))
    }

    pub(super) fn completion(&self, at: &At) -> Option<CompletionList> {
        let (document, files, byte) = self.place(at)?;
        let Offers {
            span,
            offers,
            has_more,
        } = document.draft().offers(&files, byte)?;
        let file = &document.file;
        let range = Range::of(file, &span);
        let quote = file.text[span]
            .chars()
            .next()
            .filter(|first| "\"'".contains(*first));
        let item = |offer: Offer| CompletionItem {
            kind: match offer.kind {
                OfferKind::Section => 9,
                OfferKind::Key => 10,
                OfferKind::Value => 12,
                OfferKind::Name => 18,
                OfferKind::Filter => 3,
            },
            // Quotes that are typed already count.
            filter_text: quote.into_iter().chain(offer.label.chars()).collect(),
            documentation: (!offer.help.is_empty()).then(|| Markdown::new(offer.help)),
            label: offer.label,
            text_edit: TextEdit {
                range,
                new_text: offer.text,
            },
        };
        Some(CompletionList {
            is_incomplete: has_more,
            items: offers.into_iter().map(item).collect(),
        })
    }

    pub(super) fn hover(&self, at: &At) -> Option<Hover> {
        let (document, files, byte) = self.place(at)?;
        let (span, help) = document.draft().hover(&files, byte)?;
        let range = Range::of(&document.file, &span);
        Some(Hover {
            contents: Markdown::new(help),
            range,
        })
    }

    pub(super) fn definition(&self, at: &At) -> Option<Vec<Location>> {
        let (document, files, byte) = self.place(at)?;
        let found = document.draft().definition(&files, byte);
        Some(self.locations(at, document, found))
    }

    pub(super) fn references(&self, at: &At) -> Option<Vec<Location>> {
        let (document, files, byte) = self.place(at)?;
        let found = document
            .draft()
            .references(&files, byte, at.context.include_declaration);
        Some(self.locations(at, document, found))
    }

    fn locations(
        &self,
        at: &At,
        document: &Document,
        found: Vec<editor::Location>,
    ) -> Vec<Location> {
        let table = (&*at.text_document.uri, document);
        let location = |found: editor::Location| Location {
            uri: self.documents.uri_of(table, &found.file),
            range: Range::of(&found.file, &found.span),
        };
        found.into_iter().map(location).collect()
    }

    pub(super) fn symbols(&self, about: &About) -> Option<Vec<Symbol>> {
        let document = self.documents.get(&about.text_document.uri)?;
        let symbol = |symbol: editor::Symbol| Symbol {
            kind: match &*symbol.key {
                "route" | "intercept" => 12,
                "test" => 24,
                _ => 3,
            },
            // Editors refuse an empty name.
            name: if symbol.name.is_empty() {
                symbol.key.clone()
            } else {
                symbol.name
            },
            detail: symbol.key,
            range: Range::of(&document.file, &symbol.span),
            selection_range: Range::of(&document.file, &symbol.header),
        };
        Some(symbols(&document.draft()).into_iter().map(symbol).collect())
    }

    pub(super) fn lenses(&mut self, about: &About) -> Option<Vec<Lens>> {
        self.publish();
        let document = self.documents.get(&about.text_document.uri)?;
        let compiled = document.checked.as_ref()?.compiled.as_ref();
        let lens = |lens: editor::Lens| Lens {
            range: Range::of(&document.file, &lens.span),
            command: Title {
                title: lens.title,
                command: "",
            },
        };
        Some(
            lenses(&document.draft(), compiled)
                .into_iter()
                .map(lens)
                .collect(),
        )
    }

    /// The fixes of the diagnostics in a range, of every table that has some in this document.
    pub(super) fn actions(&mut self, within: &Within) -> Vec<Action> {
        self.publish();
        let (uri, wanted) = (&within.text_document.uri, within.range);
        let mut actions = Vec::new();
        for (table, document) in self.documents.all() {
            let found = document
                .checked
                .iter()
                .flat_map(|checked| &checked.diagnostics);
            for diagnostic in found {
                let Some(fix) = &diagnostic.fix else {
                    continue;
                };
                let range = Range::of(&diagnostic.file, &diagnostic.span);
                let is_there = range.start <= wanted.end && wanted.start <= range.end;
                if !is_there || self.documents.uri_of((table, document), &diagnostic.file) != *uri {
                    continue;
                }
                let edit = TextEdit {
                    range: Range::of(&diagnostic.file, &fix.span),
                    new_text: fix.text.clone(),
                };
                actions.push(Action {
                    title: title(diagnostic),
                    kind: "quickfix",
                    diagnostics: vec![self.diagnostic(diagnostic)],
                    is_preferred: true,
                    edit: WorkspaceEdit {
                        changes: BTreeMap::from([(uri.clone(), vec![edit])]),
                    },
                });
            }
        }
        actions
    }

    pub(super) fn diagnostic(&self, found: &diagnostic::Diagnostic) -> Diagnostic {
        let code = found.check.code;
        let help = found.help_line();
        let more = match found.more {
            0 => String::new(),
            more => format!("\nand {more} more like it"),
        };
        Diagnostic {
            range: Range::of(&found.file, &found.span),
            severity: match found.severity {
                Severity::Error => 1,
                Severity::Warning => 2,
            },
            code,
            code_description: self.page(code).map(|href| Page { href }),
            source: PROGRAM,
            message: format!("{}\nhelp: {help}{more}", found.message),
        }
    }
}

/// What a fix does: the line of help, which says it, else the new text.
fn title(diagnostic: &diagnostic::Diagnostic) -> String {
    match diagnostic.fix.as_ref() {
        Some(fix) if diagnostic.help.is_empty() => format!("write {}", fix.text),
        _ => diagnostic.help.clone(),
    }
}
