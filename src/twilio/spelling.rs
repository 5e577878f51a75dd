//! Misspelt names.

/// A longer name is no misspelt one, and to compare it takes the square of its length.
const LONGEST_NAME: usize = 200;

/// The nearest of some names to one that is misspelt; `None` when none is near.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = near(name, names).min_by_key(|(distance, _)| *distance);
    near.map(|(_, candidate)| candidate)
}

/// The name that a misspelt one stands for without doubt: it is two letters away at most, and no other is as near.
#[must_use]
pub fn unmistakable<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let mut near: Vec<_> = near(name, names).collect();
    near.sort_unstable();
    near.dedup();
    match near.as_slice() {
        [(..=2, candidate)] => Some(candidate),
        [(one @ ..=2, candidate), (other, _), ..] if one < other => Some(candidate),
        _ => None,
    }
}

/// The names that a misspelt one may stand for, each with how many letters are different.
fn near<'n>(
    name: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> impl Iterator<Item = (usize, &'n str)> {
    let folded = name.to_ascii_lowercase();
    names.into_iter().filter_map(move |candidate| {
        let most = candidate.len().max(folded.len()) / 3;
        let may_be_near =
            folded.len() <= LONGEST_NAME && candidate.len().abs_diff(folded.len()) <= most;
        let distance = || strsim::damerau_levenshtein(&folded, &candidate.to_ascii_lowercase());
        let distance = may_be_near.then(distance)?;
        (distance <= most).then_some((distance, candidate))
    })
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
    fn a_name_is_unmistakable_when_no_other_is_as_near() {
        let names = ["timeout", "timeLimit", "trim", "trim", "track"];
        for (name, meant) in [
            ("timeOut", Some("timeout")),
            ("timout", Some("timeout")),
            ("trimm", Some("trim")),
            ("timeoutxx", Some("timeout")),
            ("timeoutxxx", None),
            ("timeLimits", Some("timeLimit")),
            ("tram", Some("trim")),
            ("zebra", None),
        ] {
            assert_eq!(unmistakable(name, names), meant, "{name}");
        }
        assert_eq!(unmistakable("bat", ["cat", "hat"]), None);
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
