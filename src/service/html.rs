//! A page for a browser: elements and texts in one file that fetches nothing and runs nothing.
//!
//! Every text goes through [`shown`] and is escaped. A content security policy is the second line of defence: nothing
//! is fetched, no script runs, and only our own style applies, by its hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};

use crate::table::visible::shown;

/// The style that all pages share; each page adds its own.
const BASE: &str = include_str!("html/base.css");

/// Elements and texts as written in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Html(pub String);

/// The whole page. `style` is for this page only, and `meta` goes into its head.
pub(crate) fn page(title: &str, style: &str, meta: Vec<Html>, body: Vec<Html>) -> String {
    let named = [
        ("viewport", "width=device-width, initial-scale=1"),
        ("color-scheme", "light dark"),
        ("referrer", "no-referrer"),
        ("robots", "noindex"),
    ];
    let named = named.map(|(name, content)| void("meta", &[("name", name), ("content", content)]));
    let mut head = vec![void("meta", &[("charset", "utf-8")])];
    head.extend(meta);
    head.extend(named);
    head.push(text_in("title", title));
    head.push(element("style", [Html([BASE, style].concat())]));
    let html = [element("head", head), element("body", body)];
    let Html(html) = element(r#"html lang="en""#, html);
    ["<!DOCTYPE html>\n", &html, "\n"].concat()
}

/// The content security policy of a page with this style, with `more` added.
pub(crate) fn policy(style: &str, more: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest([BASE, style].concat()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; {more}")
}

/// An element with its content. The tag includes the attributes, which are constants of ours like its name.
pub(crate) fn element(tag: &'static str, content: impl IntoIterator<Item = Html>) -> Html {
    let name = tag.split(' ').next().unwrap_or(tag);
    let mut html = format!("<{tag}>");
    html.extend(content.into_iter().map(|Html(part)| part));
    Html(html + "</" + name + ">")
}

/// An element with attributes whose values may come from anywhere.
pub(crate) fn element_with(
    name: &'static str,
    attributes: &[(&'static str, &str)],
    content: impl IntoIterator<Item = Html>,
) -> Html {
    let mut html = start(name, attributes) + ">";
    html.extend(content.into_iter().map(|Html(part)| part));
    Html(html + "</" + name + ">")
}

/// An element that has only attributes.
pub(crate) fn void(name: &'static str, attributes: &[(&'static str, &str)]) -> Html {
    Html(start(name, attributes) + "/>")
}

fn start(name: &'static str, attributes: &[(&'static str, &str)]) -> String {
    let attributes = attributes.iter().map(|(name, value)| {
        let value = shown(value);
        format!(r#" {name}="{}""#, escape(value.as_str()))
    });
    format!("<{name}{}", attributes.collect::<String>())
}

/// An element with a text.
pub(crate) fn text_in(tag: &'static str, content: &str) -> Html {
    element(tag, [text(content)])
}

/// A text.
pub(crate) fn text(text: &str) -> Html {
    Html(escape(shown(text).as_str()).into_owned())
}

/// A number with separators between thousands: `12,345`.
pub(crate) fn figure(figure: u64) -> String {
    let mut text = figure.to_string();
    let digits = text.len();
    for at in (1..digits)
        .filter(|at| (digits - at).is_multiple_of(3))
        .rev()
    {
        text.insert(at, ',');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text() {
        let Html(html) = element_with(
            "a",
            &[("title", "\"><b>'&\u{202e}")],
            [text("</a><b>\u{7}")],
        );
        assert_eq!(
            html,
            "<a title=\"&quot;&gt;&lt;b&gt;&apos;&amp;\\u{202e}\">&lt;/a&gt;&lt;b&gt;\\u{7}</a>"
        );
        assert_eq!(
            void("input", &[("value", "\n")]).0,
            r#"<input value="\u{a}"/>"#
        );
    }
}
