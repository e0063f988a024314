//! A checked expression in PostgreSQL's words.
//!
//! ```text
//!   int     bigint                        money   numeric, in range of i64 units
//!   float   double precision, NaN: NULL   time    timestamp with time zone
//!   text    text collate "C"              bytes   bytea
//! ```
//!
//! Promises: the same rows as [`plimsoll::expr::matches`], which a test compares on random rows;
//! literals are parameters.
//! Never: a comparison under a column's own collation, or a whole number that becomes a float on
//! its way to a comparison.

use plimsoll::expr::{ArithmeticOp, CompareOp, Expr, Function};
use plimsoll::record::{ColumnType, Value};

use super::dialect::{Source, Sql, exact};
use super::native::Codec;

/// Appends the expression, parenthesised where it is not a single operand.
pub(super) fn translate(sql: &mut Sql, source: Source<'_>, expr: &Expr) {
    match expr {
        Expr::Column(column) => column_operand(sql, source, *column),
        Expr::Literal(value) => literal(sql, value),
        Expr::Compare { op, left, right } => compare(sql, source, *op, left, right),
        Expr::And(parts) => joined(sql, source, parts, " and "),
        Expr::Or(parts) => joined(sql, source, parts, " or "),
        Expr::Not(operand) => {
            sql.push("(not ");
            translate(sql, source, operand);
            sql.push(")");
        }
        Expr::IsNull { operand, negated } => {
            sql.push("(");
            translate(sql, source, operand);
            sql.push(if *negated { " is not null)" } else { " is null)" });
        }
        Expr::In { operand, list, negated } => in_list(sql, source, operand, list, *negated),
        Expr::Arithmetic { op, left, right } => arithmetic(sql, source, *op, left, right),
        Expr::Call { function, arguments } => call(sql, source, *function, arguments),
    }
}

fn kind(source: Source<'_>, expr: &Expr) -> ColumnType {
    expr.kind(&source.resource.schema)
}

/// A column as the language's type.
pub(super) fn column_operand(sql: &mut Sql, source: Source<'_>, column: usize) {
    let (before, after) = match source.table.columns[column].codec {
        Codec::Int2 | Codec::Int4 => ("", "::bigint"),
        Codec::Float4 => ("", "::double precision"),
        Codec::Timestamp => ("(", " at time zone 'UTC')"),
        Codec::Text | Codec::Cast => ("(", "::text collate \"C\")"),
        Codec::Json => ("(to_json(", ")::text collate \"C\")"),
        Codec::Bool | Codec::Int8 | Codec::Float8 | Codec::Numeric => ("", ""),
        Codec::TimestampTz | Codec::Bytea => ("", ""),
    };
    sql.push(before).column("t", source, column).push(after);
}

fn literal(sql: &mut Sql, value: &Value) {
    let cast = match value {
        Value::Null | Value::Bool(_) => "boolean",
        Value::Int(_) => "bigint",
        Value::Float(_) => "double precision",
        Value::Money(_) => "numeric",
        Value::Time(_) => "timestamp with time zone",
        Value::Text(_) => "text collate \"C\"",
        Value::Bytes(_) => "bytea",
    };
    sql.push("(").bind(value.clone(), cast).push(")");
}

/// Int beside float is compared by value, which no cast of either side gives.
fn compare(sql: &mut Sql, source: Source<'_>, op: CompareOp, left: &Expr, right: &Expr) {
    match (kind(source, left), kind(source, right)) {
        (ColumnType::Int, ColumnType::Float) => by_value(sql, source, op, left, right),
        (ColumnType::Float, ColumnType::Int) => by_value(sql, source, op.mirrored(), right, left),
        _ => {
            sql.push("(");
            translate(sql, source, left);
            sql.push(" ").push(op.symbol()).push(" ");
            translate(sql, source, right);
            sql.push(")");
        }
    }
}

/// An int and a float: beyond 64 bits the float's sign decides, else its whole part, else what is
/// behind its point.
fn by_value(sql: &mut Sql, source: Source<'_>, op: CompareOp, int: &Expr, float: &Expr) {
    if let Expr::Literal(Value::Float(value)) = float {
        sql.push("(");
        translate(sql, source, int);
        sql.push("::numeric ").push(op.symbol()).push(" ").bind(exact(*value), "numeric").push(")");
        return;
    }
    let number = |sql: &mut Sql, expr: &Expr| translate(sql, source, expr);
    sql.push("(case when ");
    number(sql, float);
    sql.push(" is null or ");
    number(sql, int);
    sql.push(" is null then null when ");
    number(sql, float);
    // NaN is the largest float.
    sql.push(" >= 9223372036854775808::double precision then -1 when ");
    number(sql, float);
    sql.push(" < -9223372036854775808::double precision then 1 when ");
    number(sql, int);
    sql.push(" <> floor(");
    number(sql, float);
    sql.push(")::bigint then sign(");
    number(sql, int);
    sql.push("::numeric - floor(");
    number(sql, float);
    sql.push(")::bigint)::int when ");
    number(sql, float);
    sql.push(" > floor(");
    number(sql, float);
    sql.push(") then -1 else 0 end ").push(op.symbol()).push(" 0)");
}

fn joined(sql: &mut Sql, source: Source<'_>, parts: &[Expr], glue: &str) {
    sql.push("(");
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            sql.push(glue);
        }
        translate(sql, source, part);
    }
    sql.push(")");
}

fn in_list(sql: &mut Sql, source: Source<'_>, operand: &Expr, list: &[Value], negated: bool) {
    sql.push(if negated { "(not (" } else { "((" });
    for (place, value) in list.iter().enumerate() {
        if place > 0 {
            sql.push(" or ");
        }
        compare(sql, source, CompareOp::Equal, operand, &Expr::Literal(value.clone()));
    }
    sql.push("))");
}

fn arithmetic(sql: &mut Sql, source: Source<'_>, op: ArithmeticOp, left: &Expr, right: &Expr) {
    let kinds = [kind(source, left), kind(source, right)];
    let (cast, before, after) = if kinds.contains(&ColumnType::Money) {
        ("::numeric", "(((", ")*10000)::bigint*0.0001)")
    } else if kinds.contains(&ColumnType::Float) {
        ("::double precision", "nullif(", ", 'NaN'::double precision)")
    } else {
        ("::bigint", "(", ")")
    };
    sql.push(before);
    translate(sql, source, left);
    sql.push(cast).push(" ").push(op.symbol()).push(" ");
    translate(sql, source, right);
    sql.push(cast).push(after);
}

fn call(sql: &mut Sql, source: Source<'_>, function: Function, arguments: &[Expr]) {
    let first = &arguments[0];
    let (before, between, after) = match function {
        Function::Abs if kind(source, first) == ColumnType::Money => {
            ("((abs(", "", ")*10000)::bigint*0.0001)")
        }
        Function::Abs => ("abs(", "", ")"),
        Function::Coalesce => ("coalesce(", ", ", ")"),
        Function::Contains => ("(strpos(", ", ", ") > 0)"),
        Function::StartsWith => ("starts_with(", ", ", ")"),
        Function::EndsWith => return ends_with(sql, source, first, &arguments[1]),
        Function::Length => ("char_length(", "", ")::bigint"),
        Function::Lower => ("lower(", "", ")"),
        Function::Upper => ("upper(", "", ")"),
    };
    sql.push(before);
    translate(sql, source, first);
    if let Some(second) = arguments.get(1) {
        sql.push(between);
        translate(sql, source, second);
    }
    sql.push(after);
}

fn ends_with(sql: &mut Sql, source: Source<'_>, text: &Expr, part: &Expr) {
    sql.push("(right(");
    translate(sql, source, text);
    sql.push(", char_length(");
    translate(sql, source, part);
    sql.push(")) = ");
    translate(sql, source, part);
    sql.push(")");
}
