//! Markup in which no text and no attribute can stand unescaped.

use quick_xml::escape::escape;

/// Attributes: names with their values.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// Elements and texts as they stand in the page.
pub(super) struct Html(String);

impl Html {
    /// A constant of ours, in which nothing is escaped.
    pub(super) fn constant(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An element with what is in it.
pub(super) fn element(
    name: &str,
    attributes: Attributes<'_>,
    content: impl IntoIterator<Item = Html>,
) -> Html {
    let mut html = start(name, attributes) + ">";
    html.extend(content.into_iter().map(|Html(part)| part));
    Html(html + "</" + name + ">")
}

/// An element that is empty by its nature: of HTML's only `meta`, of SVG's any.
pub(super) fn empty(name: &str, attributes: Attributes<'_>) -> Html {
    Html(start(name, attributes) + "/>")
}

/// An element with a text.
pub(super) fn text_in(name: &str, attributes: Attributes<'_>, content: &str) -> Html {
    element(name, attributes, [text(content)])
}

pub(super) fn text(text: &str) -> Html {
    Html(escape(text).into_owned())
}

fn start(name: &str, attributes: Attributes<'_>) -> String {
    let mut start = format!("<{name}");
    for (name, value) in attributes {
        start.extend([" ", name, "=\"", &escape(*value), "\""]);
    }
    start
}
