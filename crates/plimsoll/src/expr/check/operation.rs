//! The part of the checker that gives numbers, texts and the like: arithmetic and functions.
//!
//! Promises: money stays money, and meets neither a float nor another amount in a product.
//! Never: a conversion, but of a bare literal.

use super::super::ast::{Literal, Node, NodeKind};
use super::super::literal::{beside, wanted};
use super::super::typed::literal_kind;
use super::super::{ArithmeticOp, Expr, Function};
use super::{Checker, Typed, comparable};
use crate::caret::Span;
use crate::error::{Result, excerpt};
use crate::record::{ColumnType, Money, Value};

impl Checker<'_> {
    pub(super) fn arithmetic(
        &self,
        op: ArithmeticOp,
        left: &Node<'_>,
        right: &Node<'_>,
    ) -> Result<Typed> {
        let (first, second) = self.operands(op, left, right)?;
        let result = match (op, first.1, second.1) {
            (_, ColumnType::Int, ColumnType::Int) => ColumnType::Int,
            (_, ColumnType::Int | ColumnType::Float, ColumnType::Int | ColumnType::Float) => {
                ColumnType::Float
            }
            (ArithmeticOp::Multiply, ColumnType::Money, ColumnType::Int)
            | (ArithmeticOp::Multiply, ColumnType::Int, ColumnType::Money) => ColumnType::Money,
            (ArithmeticOp::Add | ArithmeticOp::Subtract, ColumnType::Money, ColumnType::Money) => {
                ColumnType::Money
            }
            (_, first, second) => {
                let what = format!(
                    "{}, {}: {}",
                    self.subject(left, first),
                    self.subject(right, second),
                    no_arithmetic(op, first, second)
                );
                return Err(self.invalid(&(left.span.start..right.span.end), &what));
            }
        };
        let expr = Expr::Arithmetic { op, left: Box::new(first.0), right: Box::new(second.0) };
        Ok((expr, result))
    }

    /// Beside money a literal is an amount to add or a whole number to multiply with; beside
    /// anything else it is what it is alone.
    fn operands(
        &self,
        op: ArithmeticOp,
        left: &Node<'_>,
        right: &Node<'_>,
    ) -> Result<(Typed, Typed)> {
        let (first, second) = (self.expression(left)?, self.expression(right)?);
        Ok(match (&left.kind, &right.kind, first.1, second.1) {
            (_, NodeKind::Literal(literal), ColumnType::Money, _) => {
                let literal = self.beside_money(op, literal, &right.span, left)?;
                (first, literal.unwrap_or(second))
            }
            (NodeKind::Literal(literal), _, _, ColumnType::Money) => {
                let literal = self.beside_money(op, literal, &left.span, right)?;
                (literal.unwrap_or(first), second)
            }
            _ => (first, second),
        })
    }

    /// A number literal beside `money`; `None` for any other literal.
    fn beside_money(
        &self,
        op: ArithmeticOp,
        literal: &Literal<'_>,
        span: &Span,
        money: &Node<'_>,
    ) -> Result<Option<Typed>> {
        let kind = match (op, literal) {
            (ArithmeticOp::Multiply, Literal::Number { .. }) => ColumnType::Int,
            (_, Literal::Number { .. }) => ColumnType::Money,
            _ => return Ok(None),
        };
        let value = beside(literal, kind).map_err(|what| {
            let what = format!("{}: {what}", self.subject(money, ColumnType::Money));
            self.invalid(span, &what)
        })?;
        let kind = literal_kind(&value);
        Ok(Some((Expr::Literal(value), kind)))
    }

    /// `-x` is `0 - x`: one operator less for whoever walks the expression.
    pub(super) fn negate(&self, operand: &Node<'_>) -> Result<Typed> {
        let (expr, kind) = self.expression(operand)?;
        let zero = match kind {
            ColumnType::Int => Value::Int(0),
            ColumnType::Float => Value::Float(0.0),
            ColumnType::Money => Value::Money(Money::default()),
            _ => {
                let what = format!("{}: there is no minus of it", self.subject(operand, kind));
                return Err(self.invalid(&operand.span, &what));
            }
        };
        let expr = Expr::Arithmetic {
            op: ArithmeticOp::Subtract,
            left: Box::new(Expr::Literal(zero)),
            right: Box::new(expr),
        };
        Ok((expr, kind))
    }

    pub(super) fn call(
        &self,
        name: &str,
        name_span: &Span,
        arguments: &[Node<'_>],
        span: &Span,
    ) -> Result<Typed> {
        let Some(function) = Function::from_name(name) else {
            let known: Vec<_> = Function::ALL.into_iter().map(Function::usage).collect();
            let what = format!(
                "there is no function '{}'; the functions are {}",
                excerpt(name),
                known.join(", ")
            );
            return Err(self.invalid(name_span, &what));
        };
        if arguments.len() != function.arity() {
            let what = format!(
                "{} takes {} {} given",
                function.usage(),
                counted(function.arity()),
                arguments.len()
            );
            return Err(self.invalid(span, &what));
        }
        if function == Function::Coalesce {
            return self.coalesce(&arguments[0], &arguments[1]);
        }
        let mut checked = Vec::with_capacity(arguments.len());
        let mut result = ColumnType::Bool;
        for node in arguments {
            let (expr, kind) = self.expression(node)?;
            let fits = match function {
                Function::Abs => {
                    matches!(kind, ColumnType::Int | ColumnType::Float | ColumnType::Money)
                }
                _ => kind == ColumnType::Text,
            };
            if !fits {
                let what =
                    format!("{}, but it stands in {}", self.subject(node, kind), function.usage());
                return Err(self.invalid(&node.span, &what));
            }
            result = kind;
            checked.push(expr);
        }
        let kind = match function {
            Function::Length => ColumnType::Int,
            Function::Abs | Function::Lower | Function::Upper => result,
            _ => ColumnType::Bool,
        };
        let expr = Expr::Call { function, arguments: checked };
        Ok((expr, kind))
    }

    fn coalesce(&self, left: &Node<'_>, right: &Node<'_>) -> Result<Typed> {
        let ((first, first_kind), (second, second_kind)) = self.pair(left, right)?;
        let any = ColumnType::Any;
        let same = first_kind == second_kind;
        if !same
            && (!comparable(first_kind, second_kind) || ![first_kind, second_kind].contains(&any))
        {
            let what = format!(
                "{}, but {}: both arguments of coalesce have one type",
                self.subject(left, first_kind),
                self.subject(right, second_kind)
            );
            return Err(self.invalid(&(left.span.start..right.span.end), &what));
        }
        let expr = Expr::Call { function: Function::Coalesce, arguments: vec![first, second] };
        Ok((expr, if same { first_kind } else { any }))
    }
}

fn counted(arguments: usize) -> &'static str {
    match arguments {
        1 => "one argument,",
        _ => "two arguments,",
    }
}

/// Why there is no arithmetic between two types, and what to do.
fn no_arithmetic(op: ArithmeticOp, first: ColumnType, second: ColumnType) -> String {
    use ColumnType::{Float, Int, Money};
    let (symbol, pair) = (op.symbol(), [first, second]);
    let strange = pair.into_iter().find(|k| !matches!(k, Int | Float | Money));
    if let Some(kind) = strange {
        return format!("{symbol} takes numbers, and {kind} is none");
    }
    match op {
        ArithmeticOp::Multiply if first == second => {
            "money times money is no amount; multiply money with an int".to_owned()
        }
        _ if pair.contains(&Float) => {
            "money is exact and float is not; multiply money with an int".to_owned()
        }
        _ => format!("{symbol} takes money on both sides; {}", wanted(Money)),
    }
}
