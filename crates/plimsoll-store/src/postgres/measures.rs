//! Measures in PostgreSQL's words.
//!
//! ```text
//!   sum   int: numeric -> bigint, or out of range      money: numeric, checked     float: its own
//!   avg   int: sum / count as floats      money: sum of units, div count, half to even
//!   min, max   text by bytes; of booleans and and or; of bytes by their digits
//!   quantiles  in a file of their own
//! ```
//!
//! Promises: sums of ints and amounts are exact whatever the order of the rows.
//! Never: an average of amounts through a float.

use plimsoll::expr::Expr;
use plimsoll::record::ColumnType;

use super::dialect::{Source, Sql};
use super::quantiles;
use super::translate::translate;
use crate::aggregate::{AggregateFunction, Measure};

/// What stands before the number of a measure in the text of an error.
pub(super) const OUT_OF_RANGE: &str = "plimsoll measure ";

/// Appends one measure, the one with this number.
pub(super) fn push(sql: &mut Sql, source: Source<'_>, place: usize, measure: &Measure) {
    let Some(argument) = &measure.argument else {
        sql.push("count(*)");
        return;
    };
    let kind = argument.kind(&source.resource.schema);
    // Written once and used often: what is the same text the server makes once.
    let of = if let AggregateFunction::Quantile(_) = measure.function {
        String::new()
    } else {
        operand(sql, source, argument)
    };
    let text = match (measure.function, kind) {
        (AggregateFunction::CountAll | AggregateFunction::Count, _) => format!("count({of})"),
        (AggregateFunction::CountDistinct, _) => format!("count(distinct {of})"),
        (AggregateFunction::Sum, ColumnType::Float) => format!("sum({of})"),
        (AggregateFunction::Sum, ColumnType::Money) => {
            format!("({}*0.0001)", whole(&format!("sum({of})*10000"), place))
        }
        (AggregateFunction::Sum, _) => whole(&format!("sum({of})"), place),
        (AggregateFunction::Avg, ColumnType::Money) => average_of_money(&of),
        (AggregateFunction::Avg, _) => {
            format!("(sum({of})::double precision / nullif(count({of}), 0))")
        }
        (AggregateFunction::Min, ColumnType::Bool) => format!("bool_and({of})"),
        (AggregateFunction::Max, ColumnType::Bool) => format!("bool_or({of})"),
        // Not every server has a least of bytes; their digits compare as they do.
        (AggregateFunction::Min, ColumnType::Bytes) => {
            format!("decode(min(encode({of}, 'hex') collate \"C\"), 'hex')")
        }
        (AggregateFunction::Max, ColumnType::Bytes) => {
            format!("decode(max(encode({of}, 'hex') collate \"C\"), 'hex')")
        }
        (AggregateFunction::Min, _) => format!("min({of})"),
        (AggregateFunction::Max, _) => format!("max({of})"),
        (AggregateFunction::Quantile(_), kind) => quantiles::text(place, kind),
    };
    sql.push(&text);
}

/// The text of an expression, whose parameters are bound here.
fn operand(sql: &mut Sql, source: Source<'_>, expr: &Expr) -> String {
    let begins = sql.text.len();
    translate(sql, source, expr);
    sql.text.split_off(begins)
}

/// A whole number in 64 bits, or an error that says which measure has none: a text that is none.
fn whole(number: &str, place: usize) -> String {
    format!(
        "(case when {number} not between -9223372036854775808 and 9223372036854775807 \
         then ('{OUT_OF_RANGE}{place} is ' || ({number})::text)::bigint \
         else ({number})::bigint end)"
    )
}

/// With S the sum in units, c the count and r = S mod c, never negative: (S - r) / c, and one more
/// where 2 r is above c, or equal to it and the quotient odd.
fn average_of_money(of: &str) -> String {
    let (sum, count) = (format!("(sum({of})*10000)"), format!("nullif(count({of}), 0)::numeric"));
    let rest = format!("mod(mod({sum}, {count}) + {count}, {count})");
    let quotient = format!("div({sum} - {rest}, {count})");
    format!(
        "(({quotient} + case when 2 * {rest} > {count} then 1 \
         when 2 * {rest} = {count} then mod(abs({quotient}), 2) else 0 end)::bigint*0.0001)"
    )
}
