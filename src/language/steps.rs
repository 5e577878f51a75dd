//! Steps: every URL that leads to one must find a route there, every step should be led to, and none in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::Compiler;
use crate::table::diagnostic::Code;
use crate::twilio::spelling::nearest;

impl Compiler<'_> {
    pub(super) fn check_steps(&mut self) {
        let steps: BTreeSet<&str> = self
            .step_routes
            .iter()
            .map(|(step, _)| step.as_str())
            .collect();
        let led_to: BTreeSet<&str> = self
            .steps
            .iter()
            .map(|reference| reference.step.as_str())
            .collect();
        for reference in self
            .steps
            .iter()
            .filter(|reference| reference.is_ours && !reference.step.is_empty())
        {
            if steps.contains(reference.step.as_str()) {
                continue;
            }
            let help = match nearest(&reference.step, steps.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a route with step = \"{}\"", reference.step),
            };
            let message = format!("no route has step = \"{}\"", reference.step);
            self.problems
                .error(Code::UnknownStep, reference.span.clone(), message, help);
        }
        let mut reported: BTreeSet<&str> = BTreeSet::new();
        for (step, span) in &self.step_routes {
            let is_led_to = led_to.contains(step.as_str()) || self.leads_anywhere;
            if !is_led_to && reported.insert(step) {
                let message = format!("no reply leads to the step \"{step}\"");
                let help = format!("write action = \"?step={step}\" where it begins");
                self.problems
                    .warn(Code::UnreachedStep, span.clone(), message, help);
            }
        }
        self.check_redirects();
    }

    /// Redirects from step to step that come back to where they began: the call goes round until Twilio ends it.
    fn check_redirects(&mut self) {
        let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let redirects = || {
            self.steps
                .iter()
                .filter(|reference| reference.is_ours && reference.is_redirect)
        };
        for reference in redirects() {
            if let Some(from) = &reference.from {
                next.entry(from).or_default().insert(&reference.step);
            }
        }
        let leads_back = |from: &str, to: &str| {
            let mut seen = BTreeSet::new();
            let mut open = vec![to];
            while let Some(step) = open.pop() {
                if step == from {
                    return true;
                }
                if seen.insert(step) {
                    open.extend(next.get(step).into_iter().flatten());
                }
            }
            false
        };
        for reference in redirects() {
            let Some(from) = &reference.from else {
                continue;
            };
            if leads_back(from, &reference.step) {
                let there = if reference.step.is_empty() {
                    "requests without a step"
                } else {
                    &reference.step
                };
                let message = format!(
                    "this Redirect leads to {there}, and from there Redirects lead back here"
                );
                let help = "end one of them with what is said last, or ask for a key before going round again";
                self.problems
                    .warn(Code::RedirectLoop, reference.span.clone(), message, help)
                    .twilio(14106);
            }
        }
    }
}
