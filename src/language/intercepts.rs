//! `[[intercept]]`: which interactions of Proxy sessions are blocked.

use std::ops::Range;

use super::conditions::Asker;
use super::{Compiler, shape};
use crate::table::DEFAULT;
use crate::table::diagnostic::Code;
use crate::table::guard::LOOP_GUARD;
use crate::table::intercept::{BLOCK, Intercept, PASS};
use crate::table::problems::Value;
use crate::table::when::When;
use crate::twilio::parameters;

impl Compiler<'_> {
    pub(super) fn lower_intercepts(&mut self, section: &Value<'_>) {
        let help = "write [[intercept]], with two brackets, above each intercept";
        let Some(intercepts) = self.problems.array(section, "an array of intercepts", help) else {
            return;
        };
        for value in intercepts {
            let Some(table) = self.problems.table(value, "an intercept") else {
                continue;
            };
            self.problems
                .unknown_keys(table, "an intercept", &shape::INTERCEPT.keys());
            let taken = [DEFAULT, LOOP_GUARD, BLOCK, PASS];
            let name = self.decider_name(table, value, "intercept", &taken);
            let alternatives = table
                .get("when")
                .map(|when| self.alternatives(when, Asker::Intercept))
                .unwrap_or_default();
            let during = self.named_schedules(table.get("during"));
            let outside = self.named_schedules(table.get("outside"));
            let place = table.get("name").map_or(value.span(), Value::span);
            let blocks = if let Some(block) = table.get("block") {
                self.problems.boolean(block, "true or false")
            } else {
                // A `block` under a misspelt or misplaced key is reported there.
                let is_misspelt = table.keys().any(|key| !shape::INTERCEPT.has(key.get_ref()));
                let when = table.get("when").and_then(|when| when.get_ref().as_table());
                let is_misplaced = when.is_some_and(|when| when.contains_key("block"));
                if !is_misspelt && !is_misplaced {
                    let help = "write block = true, or block = false to let it go on";
                    let message = "an intercept has no `block`";
                    self.problems
                        .error(Code::MissingKey, place.clone(), message, help);
                }
                None
            };
            let intercept = Intercept {
                name,
                when: When {
                    alternatives,
                    during,
                    outside,
                },
                blocks: blocks.unwrap_or(false),
            };
            self.intercepts.push((intercept, place));
        }
    }

    /// Reports a parameter that Twilio sends elsewhere, but not of an interaction.
    pub(super) fn check_intercept_parameter(&mut self, name: &str, span: &Range<usize>) {
        if self.own_parameters.contains(name)
            || !parameters::is_known(name)
            || parameters::is_of_intercept(name)
        {
            return;
        }
        let help = match parameters::nearest_of_intercept(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "Proxy sends interactionType, interactionData and what its webhooks page lists"
                .to_owned(),
        };
        let message = format!("Proxy sends no `{name}` with an interaction");
        self.problems
            .warn(Code::UnknownParameter, span.clone(), message, help);
    }
}
