//! Quantiles in PostgreSQL's words: between the values on both sides of the rank's place.
//!
//! ```text
//!   from (select t.*, row_number() over v as plimsoll_place_2,
//!                div(parts * (count - 1), 10^18) as plimsoll_lower_2, mod(..) as plimsoll_rest_2
//!         from (select t.*, x as plimsoll_value_2 from "goods" as t where ..) as t
//!         window v_2 as (partition by "kind" order by t.plimsoll_value_2 nulls last), ..) as t
//!   lower = min(value) filter (where place = lower + 1)     upper = the same of lower + 2
//! ```
//!
//! Promises: [`plimsoll::aggregate::Rank`]'s values; of ints and amounts in decimals, rounded once.
//! Never: a sort of more than what the aggregation names: the planner leaves unused columns out.

use std::fmt::Write as _;

use plimsoll::record::ColumnType;

use super::dialect::{Source, Sql};
use super::translate::{column_operand, translate};
use crate::aggregate::{AggregateFunction, AggregateRequest, Measure};

/// The parts a rank is measured in.
const PARTS: &str = "1000000000000000000";
/// Half of the largest float.
const FLOAT_MAX_HALF: &str = "8.988465674311579e307::double precision";

/// Appends what the groups are made from: the table, filtered, with places where quantiles need
/// them.
pub(super) fn push_rows(sql: &mut Sql, source: Source<'_>, request: &AggregateRequest) {
    let aggregation = &request.aggregation;
    let quantiles: Vec<(usize, &Measure, u64)> = aggregation
        .measures
        .iter()
        .enumerate()
        .filter_map(|(place, measure)| match measure.function {
            AggregateFunction::Quantile(rank) => Some((place, measure, rank.parts())),
            _ => None,
        })
        .collect();
    if !quantiles.is_empty() {
        sql.push("(select t.*");
        for (place, _, parts) in &quantiles {
            // Writing to a String cannot fail.
            let _ = write!(
                sql.text,
                ", row_number() over v_{place} as plimsoll_place_{place}, \
                 div({parts}::numeric * (count(t.plimsoll_value_{place}) over g - 1), {PARTS}) \
                 as plimsoll_lower_{place}, \
                 mod({parts}::numeric * (count(t.plimsoll_value_{place}) over g - 1), {PARTS}) \
                 as plimsoll_rest_{place}"
            );
        }
        sql.push(" from (select t.*");
        for (place, measure, _) in &quantiles {
            sql.push(", ");
            if let Some(argument) = &measure.argument {
                translate(sql, source, argument);
            }
            let _ = write!(sql.text, " as plimsoll_value_{place}");
        }
        sql.push(" from ");
    }
    source.push(sql);
    if let Some(filter) = &request.filter {
        sql.push(" where ");
        translate(sql, source, filter);
    }
    if quantiles.is_empty() {
        return;
    }
    sql.push(") as t window g as (");
    let mut glue = "partition by ";
    for &column in &aggregation.group_by {
        sql.push(glue);
        column_operand(sql, source, column);
        glue = ", ";
    }
    sql.push(")");
    for (place, ..) in &quantiles {
        let _ = write!(sql.text, ", v_{place} as (g order by t.plimsoll_value_{place} nulls last)");
    }
    sql.push(") as t");
}

/// The measure with this number.
pub(super) fn text(place: usize, kind: ColumnType) -> String {
    let value = |behind: u8| {
        format!(
            "min(t.plimsoll_value_{place}) filter \
             (where t.plimsoll_place_{place} = t.plimsoll_lower_{place} + {behind})"
        )
    };
    let lower = value(1);
    let upper = format!("coalesce({}, {lower})", value(2));
    let rest = format!("max(t.plimsoll_rest_{place})");
    // Decimals are multiplied without loss, and divided with.
    let between = |unit: &str, part: &str| {
        format!("({lower} * {unit}::numeric + ({upper}::numeric - {lower}) * {rest} * {part})")
    };
    match kind {
        ColumnType::Float => float(&lower, &upper, &rest),
        ColumnType::Money => half_to_even(&between("10000", "0.00000000000001")),
        _ => format!("{}::double precision", between("1", "0.000000000000000001")),
    }
}

/// Units of an amount with decimals behind them, to the nearest whole one, to the even one of two.
fn half_to_even(units: &str) -> String {
    format!(
        "((floor({units}) + case when {units} - floor({units}) > 0.5 then 1 \
         when {units} - floor({units}) = 0.5 then abs(mod(floor({units}), 2)) else 0 end) * 0.0001)"
    )
}

/// Where the difference of the two is no float, they are weighed. Half of it always is one, and
/// what is below 1 has no part in its being one.
fn float(lower: &str, upper: &str, rest: &str) -> String {
    let fraction = format!("({rest}::double precision / {PARTS}::double precision)");
    let half = |of: &str| format!("case when abs({of}) < 1 then 0 else {of} * 0.5 end");
    let (half_upper, half_lower) = (half(upper), half(lower));
    format!(
        "nullif(case when {rest} = 0 or {lower} = {upper} then {lower} \
         when {half_upper} - {half_lower} <= {FLOAT_MAX_HALF} \
         then {lower} + ({upper} - {lower}) * {fraction} \
         else {lower} * (1 - {fraction}) + {upper} * {fraction} end, 'NaN'::double precision)"
    )
}
