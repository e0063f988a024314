//! A filter as it was written: names unresolved, every part with its place.
//!
//! Promises: no tree is higher than `FILTER_DEPTH_MAX`, so whoever walks one may recurse.
//! Never: a type.

use std::borrow::Cow;

use super::{ArithmeticOp, CompareOp};
use crate::caret::Span;

/// A part of a filter.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) span: Span,
    /// 1 for a leaf.
    pub(super) height: usize,
    pub(super) kind: NodeKind<'t>,
}

#[derive(Debug)]
pub(super) enum NodeKind<'t> {
    Column(Cow<'t, str>),
    Literal(Literal<'t>),
    /// Two or more, in the order written.
    And(Vec<Node<'t>>),
    /// Two or more, in the order written.
    Or(Vec<Node<'t>>),
    Not(Box<Node<'t>>),
    Negate(Box<Node<'t>>),
    Compare {
        op: CompareOp,
        left: Box<Node<'t>>,
        right: Box<Node<'t>>,
    },
    Arithmetic {
        op: ArithmeticOp,
        left: Box<Node<'t>>,
        right: Box<Node<'t>>,
    },
    IsNull {
        operand: Box<Node<'t>>,
        negated: bool,
    },
    In {
        operand: Box<Node<'t>>,
        list: Vec<(Span, Literal<'t>)>,
        negated: bool,
    },
    Between {
        operand: Box<Node<'t>>,
        low: Box<Node<'t>>,
        high: Box<Node<'t>>,
        negated: bool,
    },
    Call {
        name: &'t str,
        name_span: Span,
        arguments: Vec<Node<'t>>,
    },
}

/// A literal before it has a type: `10` is an int, a float or an amount by what stands beside it.
#[derive(Debug)]
pub(super) enum Literal<'t> {
    Null,
    Bool(bool),
    /// Digits with an optional fraction and exponent; the sign apart.
    Number {
        negative: bool,
        digits: &'t str,
    },
    Text(Cow<'t, str>),
    Bytes(Vec<u8>),
}
