//! HTML, written by quick-xml, so that no text and no attribute can stand in it unescaped.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// Attributes: names with their values.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// A page that is being written.
pub(super) struct Html(Writer<Vec<u8>>);

impl Html {
    pub(super) fn new() -> Self {
        Self(Writer::new(Vec::new()))
    }

    /// The page, after its document type.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut page = b"<!DOCTYPE html>\n".to_vec();
        page.append(&mut self.0.into_inner());
        page.push(b'\n');
        page
    }

    /// An element with what this writes into it.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        content: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))?;
        content(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element with a text.
    pub(super) fn text_in(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
        text: &str,
    ) -> io::Result<()> {
        self.element(name, attributes, |html| html.text(text))
    }

    /// An element that is empty by its nature: of HTML's only `meta`, of SVG's any.
    pub(super) fn empty(&mut self, name: &str, attributes: Attributes<'_>) -> io::Result<()> {
        self.0.write_event(Event::Empty(start(name, attributes)))
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.0.write_event(Event::Text(BytesText::new(text)))
    }

    /// The style sheet, in which HTML escapes nothing. It is a constant of ours, without a `<`.
    pub(super) fn style(&mut self, style: &'static str) -> io::Result<()> {
        self.element("style", &[], |html| {
            html.0
                .write_event(Event::Text(BytesText::from_escaped(style)))
        })
    }
}

fn start<'a>(name: &'a str, attributes: Attributes<'a>) -> BytesStart<'a> {
    BytesStart::new(name).with_attributes(attributes.iter().copied())
}
