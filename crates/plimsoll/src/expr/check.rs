//! A tree as written to a checked expression: names to positions, types, literals.
//!
//! ```text
//!   operator        operands                                             result
//!   and or not      bool                                                 bool
//!   = < in ..       two of one type; int with float; any with int,
//!                   float, text or bytes                                 bool
//!   + -             int, float (mixed: float); money with money          that type
//!   *               int, float (mixed: float); money with int            that type
//! ```
//!
//! Promises: what passes evaluates without a type error on every row of the schema's types.
//! Never: more than four checked parts for one written.

mod operation;

use super::ast::{Literal, Node, NodeKind};
use super::literal::{alone, beside, no_column};
use super::typed::literal_kind;
use super::{CompareOp, Expr};
use crate::caret::{Source, Span, refuse};
use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::record::{self, ColumnType, Schema, Value};

/// Checks a filter: its result is bool.
pub(super) fn check(source: Source<'_>, tree: &Node<'_>, schema: &Schema) -> Result<Expr> {
    Checker { source, schema }.condition(tree)
}

/// Checks an expression of any type.
pub(super) fn check_value(source: Source<'_>, tree: &Node<'_>, schema: &Schema) -> Result<Typed> {
    Checker { source, schema }.expression(tree)
}

struct Checker<'a> {
    source: Source<'a>,
    schema: &'a Schema,
}

/// An expression and the type of its result.
pub(super) type Typed = (Expr, ColumnType);

impl Checker<'_> {
    fn invalid(&self, span: &Span, what: &str) -> Error {
        refuse(ErrorKind::Invalid, self.source, span, what)
    }

    /// The node as a message calls it.
    fn subject(&self, node: &Node<'_>, kind: ColumnType) -> String {
        match &node.kind {
            NodeKind::Column(name) => format!("column '{}' is {kind}", excerpt(name)),
            _ => format!("'{}' is {kind}", excerpt(&self.source.text[node.span.clone()])),
        }
    }

    fn condition(&self, node: &Node<'_>) -> Result<Expr> {
        let (expr, kind) = self.expression(node)?;
        if kind == ColumnType::Bool {
            return Ok(expr);
        }
        let what = format!(
            "{}, and a condition is needed here: compare it with something",
            self.subject(node, kind)
        );
        Err(self.invalid(&node.span, &what))
    }

    fn expression(&self, node: &Node<'_>) -> Result<Typed> {
        let condition = match &node.kind {
            NodeKind::Column(name) => return self.column(name, &node.span),
            NodeKind::Literal(literal) => {
                let value = alone(literal).map_err(|what| self.invalid(&node.span, &what))?;
                let kind = literal_kind(&value);
                return Ok((Expr::Literal(value), kind));
            }
            NodeKind::Arithmetic { op, left, right } => return self.arithmetic(*op, left, right),
            NodeKind::Negate(operand) => return self.negate(operand),
            NodeKind::Call { name, name_span, arguments } => {
                return self.call(name, name_span, arguments, &node.span);
            }
            NodeKind::And(parts) => Expr::And(self.chain(parts, |part| match part {
                Expr::And(inner) => Ok(inner),
                other => Err(other),
            })?),
            NodeKind::Or(parts) => Expr::Or(self.chain(parts, |part| match part {
                Expr::Or(inner) => Ok(inner),
                other => Err(other),
            })?),
            NodeKind::Not(operand) => Expr::Not(Box::new(self.condition(operand)?)),
            NodeKind::Compare { op, left, right } => self.compare(*op, left, right)?,
            NodeKind::IsNull { operand, negated } => {
                Expr::IsNull { operand: Box::new(self.expression(operand)?.0), negated: *negated }
            }
            NodeKind::In { operand, list, negated } => self.list(operand, list, *negated)?,
            NodeKind::Between { operand, low, high, negated } => {
                self.between(operand, low, high, *negated)?
            }
        };
        Ok((condition, ColumnType::Bool))
    }

    fn column(&self, name: &str, span: &Span) -> Result<Typed> {
        match self.schema.position(name) {
            Some(position) => {
                let kind = self.schema.columns[position].kind;
                Ok((Expr::Column(position), kind))
            }
            None => Err(self.invalid(span, &no_column(self.schema, name))),
        }
    }

    /// The conditions of an `and` or `or`, those of its own kind directly below taken in.
    fn chain(
        &self,
        nodes: &[Node<'_>],
        same: impl Fn(Expr) -> Result<Vec<Expr>, Expr>,
    ) -> Result<Vec<Expr>> {
        let mut parts = Vec::with_capacity(nodes.len());
        for node in nodes {
            match same(self.condition(node)?) {
                Ok(inner) => parts.extend(inner),
                Err(other) => parts.push(other),
            }
        }
        Ok(parts)
    }

    /// A literal beside `other`, with the refusal that both together deserve.
    fn fit(
        &self,
        literal: &Literal<'_>,
        span: &Span,
        other: &Node<'_>,
        kind: ColumnType,
    ) -> Result<Typed> {
        let value = beside(literal, kind).map_err(|what| {
            let what = format!("{}: {what}", self.subject(other, kind));
            self.invalid(span, &what)
        })?;
        let kind = literal_kind(&value);
        Ok((Expr::Literal(value), kind))
    }

    /// Two operands of which a bare literal takes the other's type.
    fn pair(&self, left: &Node<'_>, right: &Node<'_>) -> Result<(Typed, Typed)> {
        match (&left.kind, &right.kind) {
            (NodeKind::Literal(literal), other) if !matches!(other, NodeKind::Literal(_)) => {
                let checked = self.expression(right)?;
                let literal = self.fit(literal, &left.span, right, checked.1)?;
                Ok((literal, checked))
            }
            (first, NodeKind::Literal(literal)) => {
                let checked = self.expression(left)?;
                if matches!(first, NodeKind::Literal(Literal::Null)) {
                    // Refuses the null, whatever stands right of it.
                    self.fit(&Literal::Null, &left.span, right, checked.1)?;
                }
                let literal = self.fit(literal, &right.span, left, checked.1)?;
                Ok((checked, literal))
            }
            _ => Ok((self.expression(left)?, self.expression(right)?)),
        }
    }

    fn compare(&self, op: CompareOp, left: &Node<'_>, right: &Node<'_>) -> Result<Expr> {
        let ((first, first_kind), (second, second_kind)) = self.pair(left, right)?;
        if !comparable(first_kind, second_kind) {
            let what = format!(
                "{}, but {}: they do not compare",
                self.subject(left, first_kind),
                self.subject(right, second_kind)
            );
            return Err(self.invalid(&(left.span.start..right.span.end), &what));
        }
        // A literal goes to the right, where a planner looks for it.
        let swap = matches!(first, Expr::Literal(_)) && !matches!(second, Expr::Literal(_));
        let (op, first, second) =
            if swap { (op.mirrored(), second, first) } else { (op, first, second) };
        Ok(Expr::Compare { op, left: Box::new(first), right: Box::new(second) })
    }

    /// Two comparisons with one operand. No condition may be that operand: a `between` inside
    /// the operand of another would double what that doubles.
    fn between(
        &self,
        operand: &Node<'_>,
        low: &Node<'_>,
        high: &Node<'_>,
        negated: bool,
    ) -> Result<Expr> {
        let (_, kind) = self.expression(operand)?;
        if kind == ColumnType::Bool {
            let what =
                format!("{}, and between takes what has an order", self.subject(operand, kind));
            return Err(self.invalid(&operand.span, &what));
        }
        Ok(if negated {
            Expr::Or(vec![
                self.compare(CompareOp::Less, operand, low)?,
                self.compare(CompareOp::Greater, operand, high)?,
            ])
        } else {
            Expr::And(vec![
                self.compare(CompareOp::GreaterOrEqual, operand, low)?,
                self.compare(CompareOp::LessOrEqual, operand, high)?,
            ])
        })
    }

    fn list(
        &self,
        operand: &Node<'_>,
        literals: &[(Span, Literal<'_>)],
        negated: bool,
    ) -> Result<Expr> {
        let (expr, kind) = self.expression(operand)?;
        let mut list: Vec<Value> = Vec::with_capacity(literals.len());
        for (span, literal) in literals {
            if let (Expr::Literal(value), _) = self.fit(literal, span, operand, kind)? {
                list.push(value);
            }
        }
        list.sort_by(|a, b| record::compare(a.borrow(), b.borrow()));
        list.dedup_by(|a, b| record::compare(a.borrow(), b.borrow()).is_eq());
        let operand = Box::new(expr);
        if list.len() > 1 {
            return Ok(Expr::In { operand, list, negated });
        }
        let only = list.pop().map_or(Expr::Literal(Value::Null), Expr::Literal);
        Ok(Expr::Compare {
            op: if negated { CompareOp::NotEqual } else { CompareOp::Equal },
            left: operand,
            right: Box::new(only),
        })
    }
}

fn comparable(a: ColumnType, b: ColumnType) -> bool {
    use ColumnType::{Any, Bytes, Float, Int, Text};
    match (a, b) {
        (Int, Float) | (Float, Int) => true,
        (Any, other) | (other, Any) => matches!(other, Any | Int | Float | Text | Bytes),
        (a, b) => a == b,
    }
}
