//! Every check of a table, grouped by the file that makes it.

use super::{
    attributes, conditions, dead_routes, dialling, directory_file, documents, elements, menus,
    names, routes, rules, schedules, sessions, settings, stray_markup, syntax, table_tests, texts,
    urls, values, whole,
};
use crate::table::condition;
use crate::table::diagnostic::Check;
use crate::table::problems;

/// Every check. Their codes are unique.
pub const CHECKS: &[&Check] = &[
    &attributes::UNKNOWN_ATTRIBUTE,
    &attributes::BAD_VALUE,
    &attributes::UNUSUAL_VALUE,
    &conditions::MISPLACED_KEY,
    &condition::BAD_CONDITION,
    &condition::BAD_REGEX,
    &texts::BAD_URL,
    &texts::OPEN_DESTINATION,
    &texts::CALLER_DESTINATION,
    &texts::PRIVATE_NUMBER,
    &texts::SHOWN_CALLER,
    &dialling::DIALS_ITSELF,
    &directory_file::BAD_KEY,
    &directory_file::DUPLICATE_KEY,
    &directory_file::BAD_FILE,
    &directory_file::BAD_ROW,
    &directory_file::UNKNOWN_COLUMN,
    &documents::WRONG_DOCUMENT,
    &elements::TWO_ELEMENTS,
    &elements::WRONG_CHANNEL,
    &elements::WRONG_PLACE,
    &elements::UNEXPECTED_TEXT,
    &menus::UNANSWERED_KEY,
    &names::UNKNOWN_PARAMETER,
    &names::UNKNOWN_DIRECTORY,
    &names::UNBOUND_DIRECTORY,
    &names::SESSION_IN_STEP,
    &names::ABSENT_PARAMETER,
    &problems::UNKNOWN_KEY,
    &problems::WRONG_TYPE,
    &problems::MISSING_KEY,
    &problems::BAD_NAME,
    &problems::DUPLICATE_NAME,
    &dead_routes::NEVER_ANSWERS,
    &routes::SILENT_DEFAULT,
    &routes::SILENT_ROUTE,
    &routes::UNKNOWN_REPLY,
    &rules::EMPTY_ELEMENT,
    &rules::TOO_LONG,
    &rules::TOO_MANY,
    &rules::UNREACHABLE_ELEMENT,
    &rules::MISSING_ACTION,
    &rules::LATE_REJECT,
    &rules::MISSING_ATTRIBUTE,
    &rules::VOICE_LANGUAGE,
    &rules::CONFLICTING_VALUES,
    &rules::DEPRECATED,
    &schedules::BAD_SCHEDULE,
    &schedules::UNKNOWN_SCHEDULE,
    &schedules::NEVER_OPEN,
    &schedules::FIXED_ZONE,
    &schedules::IDLE_SPAN,
    &schedules::SPLIT_SPAN,
    &sessions::BAD_SESSION,
    &sessions::USED_NAME,
    &settings::UNKNOWN_ELEMENT,
    &settings::BAD_LIMIT,
    &stray_markup::STRAY_MARKUP,
    &syntax::TOML_SYNTAX,
    &table_tests::BAD_TEST,
    &table_tests::FAILED_TEST,
    &table_tests::TEST_NEEDS_TIME,
    &texts::FRAGILE_DEFAULT,
    &texts::BAD_TEMPLATE,
    &urls::UNANSWERED_URL,
    &values::BAD_NUMBER,
    &values::WRONG_CASE,
    &values::UNKNOWN_VALUE,
    &whole::MISSING_DEFAULT,
    &whole::UNKNOWN_STEP,
    &whole::UNREACHED_STEP,
    &whole::REDIRECT_LOOP,
    &whole::UNUSED,
    &whole::BAD_CELL,
    &whole::PRIVATE_COLUMN,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let codes: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
        assert_eq!(codes.len(), CHECKS.len());
        let is_kebab = |code: &&str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(codes.iter().all(is_kebab), "{codes:?}");
    }
}
