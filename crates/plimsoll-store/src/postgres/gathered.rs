//! Statements that come last in many units, as one statement.
//!
//! ```text
//!   unit 1  effects  complete($1..)           effects of unit 1
//!   unit 2  enqueue($1..)              ─>     effects of unit 3
//!   unit 3  effects  complete($1..)           enqueue many:  unnest($1, ..)   unit 2 has to be
//!   unit 4  enqueue($1..)                     complete many: unnest($1, ..)   with another one
//! ```
//!
//! The database reads, plans and runs one statement where it had to do so for each of them. What
//! comes last in a unit comes behind all else of it here, too, and behind what other units do: so
//! it says itself how many rows it has to meet, or it is all of its unit.
//!
//! Promises: a statement says itself that it may go so, and meets a row for each or none of it
//! stands.
//! Never: a statement alone; a value that is neither a number nor a text.

use std::borrow::Cow;

use plimsoll::record::Value;

use super::pipelined::Place;
use crate::own::Own;
use crate::write::{Write, WriteUnit};

/// One statement for several units.
pub(super) struct Gathered<'a> {
    pub(super) own: &'static Own,
    pub(super) text: &'static str,
    /// Whose, in the order of the lists.
    pub(super) places: Vec<Place>,
    /// The values of each parameter, as texts.
    pub(super) lists: Vec<Vec<Option<Cow<'a, str>>>>,
}

impl Gathered<'_> {
    /// Whether a write goes with it. Places are in the order of the units.
    pub(super) fn has(&self, place: Place) -> bool {
        self.places.binary_search(&place).is_ok()
    }
}

/// Those of which there are several.
pub(super) fn gather<'a>(units: &[&'a WriteUnit]) -> Vec<Gathered<'a>> {
    let mut all: Vec<Gathered<'a>> = Vec::new();
    for (unit, of) in units.iter().enumerate() {
        let Some(Write::Own { statement, params, rows: rows @ (None | Some(1)) }) =
            of.writes.last()
        else {
            continue;
        };
        let (Some(text), Some(values)) = (statement.gathered_for_postgres(), texts(params)) else {
            continue;
        };
        // What its unit looked at before it has to hold until it runs: a guard of its own, or none.
        if rows.is_none() && of.writes.len() > 1 {
            continue;
        }
        let place = (unit, of.writes.len() - 1);
        let known = all.iter_mut().find(|many| std::ptr::eq(many.own, *statement));
        if let Some(many) = known {
            many.places.push(place);
            many.lists.iter_mut().zip(values).for_each(|(list, value)| list.push(value));
        } else {
            let lists = values.into_iter().map(|value| vec![value]).collect();
            all.push(Gathered { own: statement, text, places: vec![place], lists });
        }
    }
    all.retain(|many| many.places.len() > 1);
    all
}

/// Each as the database reads it, or nothing where that is not the value.
fn texts(params: &[Value]) -> Option<Vec<Option<Cow<'_, str>>>> {
    let text = |value: &'_ Value| match value {
        Value::Null => Some(None),
        Value::Int(number) => Some(Some(Cow::Owned(number.to_string()))),
        _ => None,
    };
    let each = params.iter().map(|value| match value {
        Value::Text(own) => Some(Some(Cow::Borrowed(&**own))),
        other => text(other),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use plimsoll::record::Value;

    use super::gather;
    use crate::own::Own;
    use crate::write::{Write, WriteUnit};

    static MANY: Own = Own::with_gathered("insert $1:int, $2:text", "insert $1:list, $2:list");
    static SINGLE: Own = Own::new("insert $1:int");

    fn own(statement: &'static Own, rows: Option<u64>, params: Vec<Value>) -> Write {
        Write::Own { statement, params, rows }
    }

    fn unit(writes: Vec<Write>) -> WriteUnit {
        WriteUnit { writes, ..WriteUnit::default() }
    }

    #[test]
    fn last_statements_of_one_text_go_together_and_others_do_not() {
        let row = |n: i64| vec![Value::Int(n), Value::Text(format!("'{n}").into())];
        let units = [
            unit(vec![own(&MANY, None, row(1))]),
            unit(vec![own(&SINGLE, None, vec![Value::Int(0)]), own(&MANY, Some(1), row(2))]),
            unit(vec![own(&MANY, None, row(3)), own(&SINGLE, None, vec![Value::Int(0)])]),
            unit(vec![own(&MANY, Some(2), row(4))]),
            unit(vec![own(&SINGLE, Some(1), vec![Value::Int(0)]), own(&MANY, None, row(7))]),
            unit(vec![own(&MANY, None, vec![Value::Float(0.5), Value::Null])]),
            unit(vec![own(&MANY, None, vec![Value::Int(-6), Value::Null])]),
        ];
        let units: Vec<&WriteUnit> = units.iter().collect();
        let all = gather(&units);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].text, "insert $1::text[], $2::text[]");
        assert_eq!(all[0].places, [(0, 0), (1, 1), (6, 0)]);
        let lists: Vec<Vec<Option<&str>>> =
            all[0].lists.iter().map(|list| list.iter().map(Option::as_deref).collect()).collect();
        assert_eq!(
            lists,
            [vec![Some("1"), Some("2"), Some("-6")], vec![Some("'1"), Some("'2"), None]]
        );
        assert!(all[0].has((1, 1)) && !all[0].has((2, 0)));
        assert!(gather(&units[2..]).is_empty(), "one alone is not gathered");
    }
}
