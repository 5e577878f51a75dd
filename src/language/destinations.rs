//! What may lead where: the numbers, addresses and URLs of a reply. A stranger must not choose whom we pay to reach, and
//! neither party may learn the other's real number.

use std::ops::Range;

use super::uses::{Owner, Slot, StepReference, Uses};
use crate::table::diagnostic::Check;
use crate::table::problems::Problems;
use crate::table::reply::template::{Field, Piece, Text};
use crate::twilio::parameters;
use crate::twilio::twiml_url::{check_web_url, check_websocket_url};
use crate::twilio::vocabulary::Destination;

pub(super) static BAD_URL: Check = Check::new(
    "bad-url",
    "A URL that Twilio could not use. Write an absolute URL with `https` or `http` (`wss` where TwiML opens a socket), or
one that begins with `?` or `/`, which is completed from the URL that Twilio requested.",
    r#"voice = [ { Play = "music.mp3" } ]     # "https://example.com/music.mp3""#,
);

pub(super) static OPEN_DESTINATION: Check = Check::new(
    "open-destination",
    "A stranger would choose what is dialled, messaged or fetched, at your expense or against your servers. Write it out,
or take it from a directory; after the `?` of a URL any parameter may stand.",
    r#"voice = [ { Dial = "{{ Digits }}" } ]"#,
);

pub(super) static CALLER_DESTINATION: Check = Check::new(
    "caller-destination",
    "The caller's own number decides whom this reaches, at your expense: premium-rate numbers can call too. If that is what
you want, for a callback say, make sure that only callers you know come to this route.",
    r#"voice = [ { Dial = "{{ Caller }}" } ]"#,
);

pub(super) static PRIVATE_NUMBER: Check = Check::new(
    "private-number",
    "The other party's real number or name stands where somebody could hear or read it. It may only be dialled or put into
a new session, by a route that says `private = true`.",
    r#"voice = [ { Say = "Call {{ outboundParticipantIdentifier }}." } ]"#,
);

pub(super) static SHOWN_CALLER: Check = Check::new(
    "shown-caller",
    "The party that is dialled sees the caller's real number. Leave `callerId` out: then our own number is shown, which is
what masked numbers are for.",
    r#"voice = [ { Dial = "+15005550006", callerId = "{{ Caller }}" } ]"#,
);

/// The other party's real number may stand only where it is dialled, in a route that says `private = true`. Tells whether
/// it is dialled in a `[reply.NAME]`, which only such a route may name.
pub(super) fn check_private(
    problems: &mut Problems,
    name: &str,
    span: &Range<usize>,
    slot: &Slot<'_>,
) -> bool {
    if !parameters::is_private(name) {
        return false;
    }
    let is_dialled = name == "outboundParticipantIdentifier"
        && matches!(slot.attribute, None | Some("participantIdentifier"))
        && slot.destination == Some(Destination::Number);
    let (message, help) = match slot.place.owner {
        Owner::Reply if is_dialled => return true,
        Owner::Route { private: true, .. } if is_dialled => return false,
        Owner::Route { private: false, .. } if is_dialled => (
            format!("`{name}` is the other party's real number"),
            "add private = true to the route if it is to be dialled",
        ),
        _ => (
            format!("`{name}` would tell one party who the other really is"),
            "take it out: only Dial and participantIdentifier, in a route with private = true, may use \
             outboundParticipantIdentifier",
        ),
    };
    problems.error(&PRIVATE_NUMBER, span.clone(), message, help);
    false
}

/// Checks what a destination that is no URL is made of: a stranger must not choose whom we pay to reach.
pub(super) fn check_destination(
    problems: &mut Problems,
    field: &Field,
    destination: Destination,
    span: &Range<usize>,
    slot: &Slot<'_>,
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
                problems
                    .warn(&SHOWN_CALLER, span.clone(), message, help)
                    .twilio(13214);
            }
            Destination::Address if is_caller(name) => caller_destination(problems, name, span),
            _ if slot.dials && is_caller(name) => caller_destination(problems, name, span),
            _ => open_destination(problems, name, span, slot),
        }
    }
}

fn caller_destination(problems: &mut Problems, name: &str, span: &Range<usize>) {
    let message = format!("`{name}` decides whom this reaches, at your expense");
    let help = "make sure that only callers you know come to this route";
    problems.warn(&CALLER_DESTINATION, span.clone(), message, help);
}

fn open_destination(problems: &mut Problems, name: &str, span: &Range<usize>, slot: &Slot<'_>) {
    let place = match slot.attribute {
        Some(attribute) => format!("`{attribute}` of `{}`", slot.element),
        None => format!("`{}`", slot.element),
    };
    let is_own = matches!(name, "Called" | "To");
    let message = if is_own {
        format!("`{name}` is our own number: {place} would lead back to where the call came from")
    } else {
        format!("`{name}` would let a stranger choose where {place} leads")
    };
    let help = match slot.destination {
        Some(Destination::Url) => "write the URL out; parameters may stand after its `?`",
        Some(Destination::Sender | Destination::Caller) => {
            "write the number out, or use {{ Called }}"
        }
        _ => "write it out, or take it from a directory",
    };
    problems.error(&OPEN_DESTINATION, span.clone(), message, help);
}

/// Completes a URL that begins with `?` or `/`, and checks the whole. Tells which step it leads to.
pub(super) fn url(
    problems: &mut Problems,
    text: &mut Text,
    raw: &str,
    span: &Range<usize>,
    slot: &Slot<'_>,
) -> Uses {
    let before = problems.count();
    let mut in_query = false;
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
                    open_destination(problems, name, span, slot);
                }
            }
            _ => {}
        }
    }
    if problems.count() > before {
        return Uses::default();
    }
    let uses = step_in(text, span, slot.element == "Redirect");
    if raw.starts_with('?') {
        text.prepend(Piece::PageUrl);
    } else if raw.starts_with('/') && !raw.starts_with("//") {
        text.prepend(Piece::Origin);
    }
    // A URL without anything to fill in is checked with the other values of its element, and the cells of a column row
    // by row.
    if text.literal().is_none() && text.plain_column().is_none() {
        check_filled(problems, text, span, slot);
    }
    uses
}

/// Checks a URL with something filled in.
fn check_filled(problems: &mut Problems, text: &Text, span: &Range<usize>, slot: &Slot<'_>) {
    let sample: String = text
        .pieces()
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => literal.as_str(),
            Piece::PageUrl | Piece::Origin => "https://self.invalid",
            _ => "x",
        })
        .collect();
    let checked = if slot.is_socket {
        check_websocket_url(&sample)
    } else {
        check_web_url(&sample)
    };
    if let Err(error) = checked {
        let help = "write an absolute URL, or one that begins with ? or /";
        let message = format!("this is no URL that Twilio could use: {error}");
        problems
            .error(&BAD_URL, span.clone(), message, help)
            .twilio(11100);
    }
}

/// Which step a URL such as `?step=lost` leads to.
fn step_in(text: &Text, span: &Range<usize>, is_redirect: bool) -> Uses {
    // No URL has this character, so it can stand for what a request fills in.
    const FILLED: char = '\u{0}';
    let mut uses = Uses::default();
    let mut url = String::new();
    for piece in text.pieces() {
        match piece {
            Piece::Literal(literal) => url.push_str(literal),
            _ => url.push(FILLED),
        }
    }
    let Some((page, query)) = url.split_once('?') else {
        return uses;
    };
    let query = query.split('#').next().unwrap_or_default();
    let step = query
        .split('&')
        .find_map(|field| field.strip_prefix("step="))
        .unwrap_or_default();
    let is_ours = page.is_empty();
    if step.contains(FILLED) {
        uses.leads_anywhere = true;
    } else if is_ours || !step.is_empty() {
        uses.steps.push(StepReference {
            step: step.to_owned(),
            from: None,
            span: span.clone(),
            is_ours,
            is_redirect,
        });
    }
    uses
}
