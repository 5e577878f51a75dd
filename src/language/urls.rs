//! URLs of this service: which of its webhooks answers them, and which step they lead to.

use super::names::{Reader, Rule, StepReference};
use super::texts::{FILLED, Slot, place_in};
use super::values::WRONG_CASE;
use crate::table::diagnostic::Check;
use crate::table::problems::Place;
use crate::table::remedy::Remedy;
use crate::twilio::channel::Webhook;
use crate::twilio::parameters;
use crate::twilio::vocabulary::ValueType;

pub(super) static UNANSWERED_URL: Check = Check::new(
    "unanswered-url",
    "A URL of this service that none of its webhooks answers: the service has no files or documents other than the table.
Write `?step=NAME` for a route of the table, or the complete URL if it is elsewhere. If `--path` sets another path for
the webhook, `?step=NAME` also works: it is completed from the URL that Twilio requested.",
    r#"voice = [ { Enqueue = "support", waitUrl = "/hold.xml" } ]     # "?step=hold""#,
);

/// What Twilio expects from a URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// TwiML.
    Document,
    /// Nothing: the request only reports an event.
    Notice,
    /// A recording or a picture.
    File,
}

fn wanted(slot: &Slot<'_>) -> Option<Wanted> {
    match slot.rule {
        Some(Rule::Attribute(spec)) if spec.kind == ValueType::Websocket => None,
        Some(Rule::Attribute(spec)) if spec.is_notice => Some(Wanted::Notice),
        Some(Rule::Attribute(_)) => Some(Wanted::Document),
        _ if is_redirect(slot) => Some(Wanted::Document),
        _ => Some(Wanted::File),
    }
}

fn is_redirect(slot: &Slot<'_>) -> bool {
    slot.attribute.is_none() && slot.element == "Redirect"
}

/// Records which step a URL such as `?step=lost` leads to, and reports URLs of this service that nothing answers. In
/// `url`, [`FILLED`] replaces each field that the request fills in.
pub(super) fn check(reader: &mut Reader<'_>, text: &str, url: &str, slot: &Slot<'_>) {
    let (page, query) = url.split_once('?').unwrap_or((url, ""));
    let is_relative = url.starts_with(['?', '/']) && !url.starts_with("//");
    let is_of_table = if is_relative {
        is_answered(reader, page, slot)
    } else {
        false
    };
    let fields = query.split('#').next().unwrap_or_default();
    if is_of_table && !fields.is_empty() && !fields.contains('=') && !fields.contains(FILLED) {
        let message = format!("`?{fields}` leads to no step");
        let help = format!("write \"?step={fields}\"");
        let problems = &mut *reader.problems;
        problems.warn(&UNANSWERED_URL, &slot.span, message, help);
        return;
    }
    let mut step = None;
    for field in fields.split('&') {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        if name == "step" {
            step.get_or_insert(value);
        } else if is_of_table
            && name.eq_ignore_ascii_case("step")
            && !reader.names.own_parameters.contains(name)
        {
            let message = format!("`?{name}=` leads to no step: letter case matters");
            let place = text.find(name).map(|start| start..start + name.len());
            let problems = &mut *reader.problems;
            let place = match place {
                Some(place) => place_in(problems, slot, text, &place),
                None => Place::wide(&slot.span),
            };
            let remedy = Remedy::word("write `step`", "step");
            problems.error(&WRONG_CASE, place, message, remedy);
            return;
        }
    }
    let step = step.unwrap_or_default();
    if step.contains(FILLED) {
        reader.uses.leads_anywhere = true;
    } else if is_of_table || !step.is_empty() {
        reader.uses.steps.push(StepReference {
            step: step.to_owned(),
            from: None,
            span: slot.span.clone(),
            is_ours: is_of_table,
            is_followed_at_once: is_redirect(slot),
            document: match slot.rule {
                Some(Rule::Attribute(spec)) => spec.document.as_ref().map(|one| (slot.name(), one)),
                _ => None,
            },
            channel: reader.channel,
            element: slot.element.to_owned(),
            kinds: parameters::follow_ups_of(slot.element, slot.attribute).collect(),
        });
    }
}

/// Whether a route of the table answers a page of this service. Reports a page that nothing answers.
fn is_answered(reader: &mut Reader<'_>, page: &str, slot: &Slot<'_>) -> bool {
    let page = page.split('#').next().unwrap_or_default();
    let Some(wanted) = wanted(slot).filter(|_| !page.contains(FILLED)) else {
        return false;
    };
    // What precedes the name may be a prefix that a reverse proxy strips.
    let name = page.strip_suffix('/').unwrap_or(page).rsplit('/').next();
    let webhook = name.and_then(Webhook::from_name);
    let is_of_table = page.is_empty() || webhook.is_some_and(Webhook::wants_document);
    let page = if page.is_empty() { "?…" } else { page };
    let (message, help) = match wanted {
        Wanted::Document | Wanted::Notice if is_of_table => return true,
        Wanted::Notice if webhook.is_some() => return false,
        Wanted::Document if webhook.is_some() => (
            format!("`{page}` answers without TwiML"),
            "write \"?step=NAME\" for a route of this table",
        ),
        Wanted::Document => (
            format!("this service does not answer `{page}`"),
            "write \"?step=NAME\" for a route of this table, or the complete URL: \"https://example.com/…\"",
        ),
        Wanted::Notice => (
            format!("this service does not answer `{page}`"),
            "write \"/callback\" for the journal, or the complete URL: \"https://example.com/…\"",
        ),
        Wanted::File => (
            format!("this service serves no files, so Twilio cannot fetch `{page}`"),
            "write the complete URL of the file: \"https://example.com/…\"",
        ),
    };
    reader
        .problems
        .warn(&UNANSWERED_URL, &slot.span, message, help);
    false
}
