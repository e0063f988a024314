//! Terms by name to terms by position.
//!
//! Promises: a name that is no column's is refused with the columns and, where one is near, with
//! that one first.
//! Never: a column chosen because its name is near, or one of two of the same name.

use super::{ByTerm, KeyKind, KeyTerm, Nulls};
use crate::error::{Error, Result, excerpt};
use crate::record::ColumnType;

/// Columns a refusal lists.
const NAMES_MAX: usize = 20;
/// Changed characters up to which a name is near.
const EDITS_MAX: usize = 2;
/// Longer names are not compared: a refusal over many columns stays within milliseconds.
const NEAR_CHARS_MAX: usize = 64;

/// Finds each term's column among `columns`, whose types are `kinds`. Where the term does not say
/// it, columns of int, money and float are compared as numbers and others as text, and NULL is the
/// smallest value.
///
/// ```
/// use plimsoll::record::ColumnType;
/// use plimsoll::record::key::{KeyKind, Nulls, parse_by, resolve};
/// let columns = ["id".into(), "price".into()];
/// let kinds = [ColumnType::Text, ColumnType::Money];
/// let terms = resolve(&parse_by("-price,id")?, &columns, &kinds)?;
/// assert_eq!((terms[0].column, terms[0].kind), (1, KeyKind::Number));
/// assert_eq!(terms[0].nulls, Nulls::Last);
///
/// let refused = resolve(&parse_by("prise")?, &columns, &kinds).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "key columns: there is no column 'prise', did you mean 'price'? The columns are id, price"
/// );
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] where a name is no column's or that of several columns.
///
/// # Panics
/// When there are not as many kinds as columns.
pub fn resolve(
    terms: &[ByTerm],
    columns: &[Box<str>],
    kinds: &[ColumnType],
) -> Result<Vec<KeyTerm>> {
    assert_eq!(columns.len(), kinds.len(), "every column has its type");
    terms.iter().map(|term| one(term, columns, kinds)).collect()
}

fn one(term: &ByTerm, columns: &[Box<str>], kinds: &[ColumnType]) -> Result<KeyTerm> {
    let Some(column) = columns.iter().position(|name| *name == term.column) else {
        return Err(Error::invalid(no_column(&term.column, columns)));
    };
    if columns[column + 1..].contains(&term.column) {
        return Err(Error::invalid(format!(
            "key columns: several columns are called '{}'; rename all but one of them",
            excerpt(&term.column)
        )));
    }
    let kind = term.kind.unwrap_or(match kinds[column] {
        ColumnType::Int | ColumnType::Money | ColumnType::Float => KeyKind::Number,
        _ => KeyKind::Text,
    });
    let nulls = term.nulls.unwrap_or(Nulls::smallest(term.descending));
    Ok(KeyTerm { column, kind, descending: term.descending, nulls })
}

fn no_column(name: &str, columns: &[Box<str>]) -> String {
    let near = nearest(name, columns).map_or("; the columns are".into(), |near| {
        format!(", did you mean '{}'? The columns are", excerpt(near))
    });
    let names: Vec<String> = columns.iter().take(NAMES_MAX).map(|name| excerpt(name)).collect();
    let more = match columns.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("key columns: there is no column '{}'{near} {}{more}", excerpt(name), names.join(", "))
}

/// The first of the nearest columns: at most [`EDITS_MAX`] characters differ, and less than half
/// of them; case does not count.
pub(crate) fn nearest<'a>(name: &str, columns: &'a [Box<str>]) -> Option<&'a str> {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let name = lower(name);
    let edits_max = EDITS_MAX.min(name.len().saturating_sub(1) / 2);
    columns
        .iter()
        .filter_map(|column| Some((distance(&name, &lower(column))?, &**column)))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, column)| column)
}

/// Characters to insert, remove or replace, row by row (Wagner and Fischer 1974); `None` for long
/// names.
fn distance(a: &[char], b: &[char]) -> Option<usize> {
    if a.len().max(b.len()) > NEAR_CHARS_MAX {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, left) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (column, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied()
}
