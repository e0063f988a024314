//! A checked expression in SQLite's words.
//!
//! Promises: the same rows as [`plimsoll::expr::matches`], which a test compares on random rows;
//! literals are parameters.
//! Never: a function or operator of SQLite whose meaning differs from the language's.

use plimsoll::expr::{CompareOp, Expr};
use plimsoll::record::{ColumnType, Value};

use super::dialect::Sql;
use super::functions::{function_name, operator_name};
use crate::catalogue::Resource;

/// Appends the expression, parenthesised where it is not a single operand.
pub(super) fn translate(sql: &mut Sql, resource: &Resource, expr: &Expr) {
    match expr {
        Expr::Column(column) => column_operand(sql, resource, *column),
        Expr::Literal(value) => {
            sql.bind(value.clone());
        }
        Expr::Compare { op, left, right } => {
            sql.push("(");
            translate(sql, resource, left);
            sql.push(compare_operator(*op));
            translate(sql, resource, right);
            sql.push(")");
        }
        Expr::And(parts) => joined(sql, resource, parts, " and "),
        Expr::Or(parts) => joined(sql, resource, parts, " or "),
        Expr::Not(operand) => {
            sql.push("(not ");
            translate(sql, resource, operand);
            sql.push(")");
        }
        Expr::IsNull { operand, negated } => {
            sql.push("(");
            translate(sql, resource, operand);
            sql.push(if *negated { " is not null)" } else { " is null)" });
        }
        Expr::In { operand, list, negated } => in_list(sql, resource, operand, list, *negated),
        Expr::Arithmetic { op, left, right } => {
            sql.push(operator_name(*op)).push("(");
            translate(sql, resource, left);
            sql.push(", ");
            translate(sql, resource, right);
            sql.push(")");
        }
        Expr::Call { function, arguments } => {
            sql.push(&function_name(*function));
            joined(sql, resource, arguments, ", ");
        }
    }
}

/// A column of a foreign database is compared as what it holds: the plus takes away SQLite's
/// affinity, which would turn the text '1' into the number 1 on the way.
fn column_operand(sql: &mut Sql, resource: &Resource, column: usize) {
    if resource.schema.columns[column].kind == ColumnType::Any {
        sql.push("+");
    }
    sql.column(resource, column);
}

fn compare_operator(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => " = ",
        CompareOp::NotEqual => " <> ",
        CompareOp::Less => " < ",
        CompareOp::LessOrEqual => " <= ",
        CompareOp::Greater => " > ",
        CompareOp::GreaterOrEqual => " >= ",
    }
}

fn joined(sql: &mut Sql, resource: &Resource, parts: &[Expr], glue: &str) {
    sql.push("(");
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            sql.push(glue);
        }
        translate(sql, resource, part);
    }
    sql.push(")");
}

fn in_list(sql: &mut Sql, resource: &Resource, operand: &Expr, list: &[Value], negated: bool) {
    sql.push("(");
    translate(sql, resource, operand);
    sql.push(if negated { " not in (" } else { " in (" });
    for (place, value) in list.iter().enumerate() {
        if place > 0 {
            sql.push(", ");
        }
        sql.bind(value.clone());
    }
    sql.push("))");
}
