//! Misspelt names.

/// Longer names are not misspelt ones, and comparing them takes quadratic time.
const LONGEST_NAME: usize = 200;

/// The nearest of some names to one that is misspelt; `None` when none is near.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest_all(name, names).1.first().copied()
}

/// The names nearest to a misspelt one, each once and in their order, and in how many letters they differ from it;
/// empty when none is near.
#[must_use]
pub fn nearest_all<'n>(
    name: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> (usize, Vec<&'n str>) {
    let mut found = Vec::new();
    let mut least = usize::MAX;
    if name.len() > LONGEST_NAME {
        return (least, found);
    }
    let folded = name.to_ascii_lowercase();
    for candidate in names {
        let most = candidate.len().max(name.len()) / 3;
        if candidate.len().abs_diff(name.len()) > most {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&folded, &candidate.to_ascii_lowercase());
        if distance > most.min(least) {
            continue;
        }
        if distance < least {
            found.clear();
            least = distance;
        }
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    (least, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("Cal1ed", ["Called", "Caller"]), Some("Called"));
        assert_eq!(nearest("say", ["Say", "Play"]), Some("Say"));
        assert_eq!(nearest("Zebra", ["Say", "Play"]), None);
    }

    #[test]
    fn all_names_that_are_equally_near_are_found() {
        let names = ["Caller", "Called", "From", "Called"];
        assert_eq!(nearest_all("Calle", names), (1, vec!["Caller", "Called"]));
        assert_eq!(nearest_all("called", names), (0, vec!["Called"]));
        assert_eq!(nearest_all("Zebra", names).1, [""; 0]);
    }

    #[test]
    fn only_a_name_that_could_be_misspelt_has_a_near_one() {
        for (name, near) in [
            ("timout", Some("timeout")),
            ("TIMEOUT", Some("timeout")),
            ("tmt", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, ["timeout", "action"]), near, "{name}");
        }
        for (length, is_near) in [
            (LONGEST_NAME, true),
            (LONGEST_NAME + 1, false),
            (LONGEST_NAME + 2, false),
        ] {
            let name = "n".repeat(length);
            assert_eq!(
                nearest(&name, [&*"n".repeat(LONGEST_NAME)]).is_some(),
                is_near,
                "{length}"
            );
        }
    }
}
