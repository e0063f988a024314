//! The name somebody probably meant.
//!
//! Promises: only a name that is close; ties go to the earlier one.
//! Never: work beyond names of a fixed length.

/// Names longer than this are not a slip of the finger, and comparing costs their product.
const NAME_BYTES_MAX: usize = 64;

/// The one of `known` closest to `name`, if it is at most a third of it away.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let near = (name.len() / 3).clamp(1, 3);
    known
        .map(|candidate| (distance(name.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(steps, _)| *steps <= near)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `from` into `to`
/// (optimal string alignment: Wagner and Fischer's table with Damerau's swap).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut steps = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && *b == from[i - 1] {
                steps = steps.min(before_last[j - 1] + 1);
            }
            row.push(steps);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn the_distance_is_the_number_of_slips() {
        for (from, to, steps) in
            [("", "", 0), ("", "abc", 3), ("port", "prot", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), steps, "{from} {to}");
            assert_eq!(distance(to.as_bytes(), from.as_bytes()), steps, "{to} {from}");
        }
    }

    #[test]
    fn what_is_far_away_is_not_suggested() {
        let known = || ["http.port", "http.host"].into_iter();
        assert_eq!(closest("http.prot", known()), Some("http.port"));
        assert_eq!(closest("htp.host", known()), Some("http.host"));
        assert_eq!(closest("colour", known()), None);
        assert_eq!(closest(&"http.port".repeat(9), known()), None);
    }
}
