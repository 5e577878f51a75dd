//! `[loop_guard]` and `[extra]`: what an operator changes of our own rules.

use toml::de::DeValue;

use super::{Compiler, shape};
use crate::table::diagnostic::Code;
use crate::table::guard::MOST_REPLIES;
use crate::table::problems::{Value, entries, integer};
use crate::table::seconds::parse_seconds;
use crate::twilio::channel::Channel;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary;

impl Compiler<'_> {
    pub(super) fn lower_limits(&mut self, section: &Value<'_>) {
        let Some(table) = self.problems.table(section, "a table of limits") else {
            return;
        };
        self.problems
            .unknown_keys(table, "[loop_guard]", &shape::LIMITS.keys());
        if let Some(replies) = table
            .get("replies")
            .and_then(|value| self.count(value, MOST_REPLIES))
        {
            self.limits.replies = replies;
        }
        if let Some(same_call) = table
            .get("same_call")
            .and_then(|value| self.count(value, u32::MAX))
        {
            self.limits.same_call = same_call;
        }
        let Some(value) = table.get("per") else {
            return;
        };
        let help = "write a time from 1s to 24h, such as per = \"10m\"";
        let seconds = match value.get_ref() {
            DeValue::String(text) => parse_seconds(text),
            DeValue::Integer(number) => parse_seconds(number.as_str()),
            _ => return self.problems.wrong_type(value, "a time", help),
        };
        match seconds.filter(|seconds| (1..=86_400).contains(seconds)) {
            Some(seconds) => self.limits.per_seconds = seconds,
            None => {
                self.problems.error(
                    Code::BadLimit,
                    value.span(),
                    "this is no time that could be counted in",
                    help,
                );
            }
        }
    }

    fn count(&mut self, value: &Value<'_>, most: u32) -> Option<u32> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.problems.wrong_type(
                value,
                "a whole number",
                "write a number; 0 switches the guard off",
            );
            return None;
        };
        let count = integer(number).filter(|count| *count <= most);
        if count.is_none() {
            let message = format!("{} is not from 0 to {most}", number.as_str());
            let help = "write such a number; 0 switches the guard off";
            self.problems
                .error(Code::BadLimit, value.span(), message, help);
        }
        count
    }

    pub(super) fn lower_extra(&mut self, section: &Value<'_>) {
        let Some(table) = self.problems.table(section, "a table of elements") else {
            return;
        };
        for (key, value) in entries(table) {
            let element = key.get_ref().as_ref();
            let names: Vec<&str> = Channel::ALL
                .into_iter()
                .flat_map(vocabulary::element_names)
                .collect();
            if !names.contains(&element) {
                let help = match nearest(element, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name an element of TwiML's".to_owned(),
                };
                let message = format!("TwiML has no element `{element}`");
                self.problems
                    .error(Code::UnknownElement, key.span(), message, help);
                continue;
            }
            let help = format!("write {element} = [\"newAttribute\"]");
            let Some(array) = self.problems.array(value, "an array of attributes", &help) else {
                continue;
            };
            for item in array {
                let Some(name) = self.problems.text(item, "the name of an attribute") else {
                    continue;
                };
                let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte);
                let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
                if begins_well && name.bytes().all(is_word) {
                    self.extra
                        .entry(element.to_owned())
                        .or_default()
                        .push(name.to_owned());
                } else {
                    let message = format!("\"{name}\" cannot be the name of an attribute");
                    let help =
                        "a name begins with a letter and has only letters, digits, - _ and :";
                    self.problems
                        .error(Code::BadName, item.span(), message, help);
                }
            }
        }
    }
}
