//! "Did you mean": the known name nearest to a wrong one.
//!
//! Promises: at most two edits away, and nearer than half the word; bounded work.
//! Never: a guess that is acted upon.

/// Longest name that is compared; longer ones are no typing errors.
const NAME_BYTES_MAX: usize = 64;

/// The nearest of `known`, where one is near.
pub fn nearest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if wrong.len() > NAME_BYTES_MAX {
        return None;
    }
    known
        .into_iter()
        .filter(|name| name.len() <= NAME_BYTES_MAX)
        .map(|name| (distance(wrong.as_bytes(), name.as_bytes()), name))
        .filter(|(edits, name)| *edits <= 2 && edits * 2 < name.len().max(wrong.len()))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Levenshtein's distance with one row of memory (Wagner and Fischer, 1974).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: [usize; NAME_BYTES_MAX + 1] = std::array::from_fn(|i| i);
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_two_edits_away_is_suggested_and_a_farther_one_is_not() {
        assert_eq!(nearest("limt", ["limit", "cursor"]), Some("limit"));
        assert_eq!(nearest("sorted", ["sort", "limit"]), Some("sort"));
        assert_eq!(nearest("colour", ["sort", "limit"]), None);
        assert_eq!(nearest("ab", ["xy"]), None);
    }
}
