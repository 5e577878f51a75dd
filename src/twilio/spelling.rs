//! Misspelt names.

/// A longer name is no misspelt one, and to compare it takes the square of its length.
const LONGEST_NAME: usize = 200;

/// The nearest of some names to one that is misspelt; `None` when none is near.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let folded = name.to_ascii_lowercase();
    let may_be_near = |candidate: &&str| {
        candidate.len().abs_diff(name.len()) <= candidate.len().max(name.len()) / 3
    };
    names
        .into_iter()
        .filter(may_be_near)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
