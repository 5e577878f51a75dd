//! The names that people use for time zones.

use jiff::tz::db;

use crate::table::remedy::{Remedy, did_you_mean};

/// Zones whose clocks never change although clocks in the place usually meant do: the zone, the zone to write instead,
/// and the zone to write if the clocks really never change.
const FIXED: [(&str, &str, &str); 3] = [
    ("EST", "America/New_York", "America/Panama"),
    ("MST", "America/Denver", "America/Phoenix"),
    ("GMT", "Europe/London", "UTC"),
];

/// Abbreviations and national names that are not in the IANA database, and a zone that is probably meant.
const ABBREVIATIONS: [(&str, &str); 21] = [
    ("ET", "America/New_York"),
    ("EDT", "America/New_York"),
    ("Eastern", "America/New_York"),
    ("CT", "America/Chicago"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("Central", "America/Chicago"),
    ("MT", "America/Denver"),
    ("MDT", "America/Denver"),
    ("Mountain", "America/Denver"),
    ("PT", "America/Los_Angeles"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("Pacific", "America/Los_Angeles"),
    ("AKST", "America/Anchorage"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
];

/// The zone to write instead of one whose clocks never change, and the one to write if they really do not.
pub(super) fn instead_of_fixed(name: &str) -> Option<(&'static str, &'static str)> {
    let mut zones = FIXED.into_iter();
    let found = zones.find(|(fixed, ..)| fixed.eq_ignore_ascii_case(name));
    found.map(|(_, with, without)| (with, without))
}

/// The remedy for a name that is not in the IANA database.
pub(super) fn remedy(name: &str) -> Remedy {
    let mut abbreviations = ABBREVIATIONS.into_iter();
    if let Some((_, zone)) = abbreviations.find(|(short, _)| short.eq_ignore_ascii_case(name)) {
        return format!("write the name of a place in this zone, such as \"{zone}\"").into();
    }
    let names: Vec<String> = db().available().map(|name| name.to_string()).collect();
    let city = format!("/{}", name.trim().replace(' ', "_")).to_lowercase();
    let mut in_city = names
        .iter()
        .filter(|name| name.to_lowercase().ends_with(&city));
    if let (Some(zone), None) = (in_city.next(), in_city.next()) {
        return Remedy::word(format!("write \"{zone}\""), &**zone);
    }
    // Help that leads to the next warning does not help.
    let good = names.iter().map(String::as_str);
    let good = good.filter(|name| instead_of_fixed(name).is_none());
    let otherwise = "write an IANA name, such as \"America/New_York\"";
    did_you_mean('"', name, good, otherwise)
}
