//! Documents other than the main document of a call: for the dialled party before it is connected, and for callers who
//! wait. Twilio accepts only some verbs there.

use hashbrown::HashMap;

use super::elements::Written;
use super::names::{Owner, Reader, StepVerb, Uses};
use crate::table::diagnostic::{Check, Severity};
use crate::table::problems::Problems;
use crate::table::remedy::listed;

pub(super) static WRONG_DOCUMENT: Check = Check::new(
    "wrong-document",
    "A verb that Twilio does not allow in this document: a `Dial` in what the dialled party hears before being connected, a
`Record` in the music of a conference. The document belongs to the step that the URL leads to. Remove the verb from the
routes of that step, or give the URL its own step.",
    r#"voice = [ { Dial = [ { Number = "+15005550006", url = "?step=whisper" } ] } ]

[[route]]
name = "whisper"
step = "whisper"
voice = [ { Dial = "+15005550007" } ]"#,
);

/// Records the verbs of a route with a step.
pub(super) fn note_verbs(reader: &mut Reader<'_>, verbs: &[Written<'_>]) {
    if !matches!(reader.owner, Owner::Route { in_step: true, .. }) {
        return;
    }
    for verb in verbs {
        // Where a verb in `[extra]` is allowed is unknown.
        if !verb.element.spec.tag.is_empty() {
            reader.uses.verbs.push(StepVerb {
                step: String::new(),
                tag: verb.element.spec.tag,
                span: verb.name.clone(),
            });
        }
    }
}

/// Reports verbs that are not allowed in the document behind a URL.
pub(super) fn check(problems: &mut Problems, uses: &Uses) {
    let mut verbs: HashMap<&str, Vec<&StepVerb>> = HashMap::new();
    for verb in &uses.verbs {
        verbs.entry(&verb.step).or_default().push(verb);
    }
    for reference in uses.steps.iter().filter(|reference| reference.is_ours) {
        let Some((of, document)) = &reference.document else {
            continue;
        };
        let verbs = verbs.get(&*reference.step).into_iter().flatten();
        for StepVerb { tag, span, .. } in verbs {
            let is_refused = document.never.contains(tag);
            let is_known = document.verbs.is_empty() || document.verbs.contains(tag);
            let file = problems.file().clone();
            if !is_refused && is_known || problems.has_reported(&WRONG_DOCUMENT, &file, span) {
                continue;
            }
            let is_error = is_refused || document.is_error;
            let severity = if is_error {
                Severity::Error
            } else {
                Severity::Warning
            };
            let (line, _) = file.position(reference.span.start);
            let message =
                format!("Twilio does not allow `{tag}` in the document for {of} in line {line}");
            let help = if document.verbs.is_empty() {
                "give that URL its own step".to_owned()
            } else {
                format!(
                    "it allows {}; give that URL its own step",
                    listed(&document.verbs)
                )
            };
            let diagnostic = problems.add(severity, &WRONG_DOCUMENT, span, message, help);
            diagnostic.error_number = document.error.filter(|_| is_error);
        }
    }
}
