//! Texts of a reply: their templates, the URLs that we complete, and what may lead where.

use std::ops::Range;

use super::Compiler;
use super::place::{Owner, Use};
use crate::table::diagnostic::Code;
use crate::table::problems::listed;
use crate::table::reply::template::{FILTERS, Field, Piece, TemplateErrorKind, Text};
use crate::twilio::parameters;
use crate::twilio::spelling::nearest;
use crate::twilio::twiml_url::{check_web_url, check_websocket_url};
use crate::twilio::vocabulary::Destination;

/// A URL of a reply that has a step in its query.
#[derive(Debug)]
pub(super) struct StepReference {
    /// The step it leads to; empty for requests without one.
    pub step: String,
    /// The step of the route it stands in; `None` outside of routes.
    pub from: Option<String>,
    /// Where the URL stands.
    pub span: Range<usize>,
    /// Whether it surely comes back to us: it is completed from the URL that was asked.
    pub is_ours: bool,
    /// Whether it is a Redirect's, which is followed at once.
    pub is_redirect: bool,
}

impl Compiler<'_> {
    /// Reads a text and checks all that can be checked before there is a request; `None` after a syntax error.
    pub(super) fn template(
        &mut self,
        text: &str,
        span: Range<usize>,
        used: &Use<'_>,
    ) -> Option<Text> {
        let mut parsed = match Text::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let help = match &error.kind {
                    TemplateErrorKind::UnknownFilter(name) => match nearest(name, FILTERS) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are {}", listed(&FILTERS)),
                    },
                    TemplateErrorKind::Unclosed => {
                        "close it with }}; for two braces write {{ \"{{\" }}".to_owned()
                    }
                    TemplateErrorKind::DefaultWithout => {
                        "write default(\"a text\") or default(Parameter)".to_owned()
                    }
                    _ => "write {{ Name }} or {{ Name | filter }}".to_owned(),
                };
                let span = self.inside(text, &span, error.span);
                self.problems
                    .error(Code::BadTemplate, span, error.kind.to_string(), help)
                    .twilio((used.destination == Some(Destination::Url)).then_some(11300));
                return None;
            }
        };
        if used.place.owner == Owner::Default && parsed.fields().next().is_some() {
            let help =
                "write it in a route without `when`; [default] must not depend on the request";
            self.problems.error(
                Code::FragileDefault,
                span.clone(),
                "a template in [default], which must not be able to fail",
                help,
            );
        }
        if !self.resolve_columns(&mut parsed, &span, used) {
            return None;
        }
        for field in parsed.fields() {
            for name in field.parameters() {
                self.check_template_parameter(name, &span);
                self.check_private(name, &span, used);
            }
        }
        if used.destination == Some(Destination::Url) {
            self.url(&mut parsed, text, &span, used);
        } else if let Some(destination) = used.destination {
            for field in parsed.fields() {
                self.check_destination(field, destination, &span, used);
            }
        }
        Some(parsed)
    }

    /// Reports a parameter of a template that is always empty, or that no webhook sends.
    fn check_template_parameter(&mut self, name: &str, span: &Range<usize>) {
        if let Some(known) =
            parameters::other_case(name).filter(|_| !self.own_parameters.contains(name))
        {
            let message = format!(
                "Twilio spells `{name}` as `{known}`; in another letter case it is always empty"
            );
            self.problems.error(
                Code::WrongCase,
                span.clone(),
                message,
                format!("write `{known}`"),
            );
            return;
        }
        self.check_parameter(name, span);
        if self.in_step && parameters::is_of_session(name) {
            let message =
                format!("`{name}` is absent from every request that comes back with a step");
            let help = "say it in the reply that leads here";
            self.problems
                .warn(Code::SessionInStep, span.clone(), message, help);
        }
    }

    /// The place of some bytes of a text in the file, when the text stands there letter for letter; else the whole.
    fn inside(&self, text: &str, span: &Range<usize>, part: Range<usize>) -> Range<usize> {
        match self.source.text[span.clone()].find(text) {
            Some(offset) => span.start + offset + part.start..span.start + offset + part.end,
            None => span.clone(),
        }
    }

    /// The other party's real number may stand only where it is dialled, in a route that says `private = true`.
    fn check_private(&mut self, name: &str, span: &Range<usize>, used: &Use<'_>) {
        if !parameters::is_private(name) {
            return;
        }
        let is_dialled = name == "outboundParticipantIdentifier"
            && matches!(used.attribute, None | Some("participantIdentifier"))
            && used.destination == Some(Destination::Number);
        let (message, help) = match used.place.owner {
            Owner::Reply if is_dialled => {
                self.private_reply.get_or_insert_with(|| span.clone());
                return;
            }
            Owner::Route { private: true } if is_dialled => return,
            Owner::Route { private: false } if is_dialled => (
                format!("`{name}` is the other party's real number"),
                "add private = true to the route if it is to be dialled",
            ),
            _ => (
                format!("`{name}` would tell one party who the other really is"),
                "take it out: only Dial and participantIdentifier, in a route with private = true, may use \
                 outboundParticipantIdentifier",
            ),
        };
        self.problems
            .error(Code::PrivateNumber, span.clone(), message, help);
    }

    /// Checks what a destination that is no URL is made of: a stranger must not choose whom we pay to reach.
    fn check_destination(
        &mut self,
        field: &Field,
        destination: Destination,
        span: &Range<usize>,
        used: &Use<'_>,
    ) {
        let is_own = |name: &str| matches!(name, "Called" | "To");
        let is_caller = |name: &str| matches!(name, "Caller" | "From");
        for name in field
            .parameters()
            .filter(|name| !parameters::is_private(name))
        {
            match destination {
                Destination::Sender | Destination::Caller if is_own(name) => {}
                Destination::Caller if is_caller(name) => {
                    let message = "the party that is dialled sees the caller's real number";
                    let help = "leave callerId out: then our own number is shown";
                    self.problems
                        .warn(Code::ShownCaller, span.clone(), message, help)
                        .twilio(13214);
                }
                Destination::Address if is_caller(name) => self.caller_destination(name, span),
                _ if used.dials && is_caller(name) => self.caller_destination(name, span),
                _ => self.open_destination(name, span, used),
            }
        }
    }

    fn caller_destination(&mut self, name: &str, span: &Range<usize>) {
        let message = format!("`{name}` decides whom this reaches, at your expense");
        let help = "make sure that only callers you know come to this route";
        self.problems
            .warn(Code::CallerDestination, span.clone(), message, help);
    }

    fn open_destination(&mut self, name: &str, span: &Range<usize>, used: &Use<'_>) {
        let place = match used.attribute {
            Some(attribute) => format!("`{attribute}` of `{}`", used.element),
            None => format!("`{}`", used.element),
        };
        let is_own = matches!(name, "Called" | "To");
        let message = if is_own {
            format!(
                "`{name}` is our own number: {place} would lead back to where the call came from"
            )
        } else {
            format!("`{name}` would let a stranger choose where {place} leads")
        };
        let help = match used.destination {
            Some(Destination::Url) => "write the URL out; parameters may stand after its `?`",
            Some(Destination::Sender | Destination::Caller) => {
                "write the number out, or use {{ Called }}"
            }
            _ => "write it out, or take it from a directory",
        };
        self.problems
            .error(Code::OpenDestination, span.clone(), message, help);
    }

    /// Completes a URL that begins with `?` or `/`, and checks the whole.
    fn url(&mut self, text: &mut Text, raw: &str, span: &Range<usize>, used: &Use<'_>) {
        let mut in_query = false;
        let before = self.problems.count();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => {
                    in_query |= literal.contains('?');
                    in_query &= !literal.contains('#');
                }
                Piece::Field(field) if !in_query => {
                    for name in field
                        .parameters()
                        .filter(|name| !parameters::is_private(name))
                    {
                        self.open_destination(name, span, used);
                    }
                }
                _ => {}
            }
        }
        if self.problems.count() > before {
            return;
        }
        self.step_reference(text, span, used.element == "Redirect");
        if raw.starts_with('?') {
            text.prepend(Piece::PageUrl);
        } else if raw.starts_with('/') && !raw.starts_with("//") {
            text.prepend(Piece::Origin);
        }
        if text.literal().is_some() {
            // A URL without anything to fill in is checked with the other values of its element.
            return;
        }
        if text.plain_column().is_some() {
            // Its cells are checked row by row.
            return;
        }
        let sample: String = text
            .pieces()
            .iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => literal.as_str(),
                Piece::PageUrl | Piece::Origin => "https://self.invalid",
                _ => "x",
            })
            .collect();
        let checked = if used.is_socket {
            check_websocket_url(&sample)
        } else {
            check_web_url(&sample)
        };
        if let Err(error) = checked {
            let help = "write an absolute URL, or one that begins with ? or /";
            let message = format!("this is no URL that Twilio could use: {error}");
            self.problems
                .error(Code::BadUrl, span.clone(), message, help)
                .twilio(11100);
        }
    }

    /// Remembers which step a URL such as `?step=lost` leads to.
    fn step_reference(&mut self, text: &Text, span: &Range<usize>, is_redirect: bool) {
        // No URL has this character, so it can stand for what a request fills in.
        const FILLED: char = '\u{0}';
        let mut url = String::new();
        for piece in text.pieces() {
            match piece {
                Piece::Literal(literal) => url.push_str(literal),
                _ => url.push(FILLED),
            }
        }
        let Some((page, query)) = url.split_once('?') else {
            return;
        };
        let query = query.split('#').next().unwrap_or_default();
        let step = query
            .split('&')
            .find_map(|field| field.strip_prefix("step="))
            .unwrap_or_default();
        if step.contains(FILLED) {
            self.leads_anywhere = true;
            return;
        }
        let is_ours = page.is_empty();
        if is_ours || !step.is_empty() {
            let from = self.step.clone();
            self.steps.push(StepReference {
                step: step.to_owned(),
                from,
                span: span.clone(),
                is_ours,
                is_redirect,
            });
        }
    }
}
