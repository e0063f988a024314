//! A checked expression: columns are positions, literals have their final type.
//!
//! Promises: what [`super::parse`] and [`super::compare`] return has operands that fit their
//! operators, `And`/`Or` without one of their own kind directly below, a bare literal right of
//! its comparison, and lists that are sorted by [`crate::record::compare`], free of duplicates
//! and at least two long. `between` is gone: it is two comparisons.
//! Never: NULL in a list or beside a comparison.

use crate::record::{ColumnType, Schema, Value};

use super::{ArithmeticOp, CompareOp, Function};

/// An expression over one row. A filter is one whose [`Expr::kind`] is bool.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// The field at a position of the schema.
    Column(usize),
    /// A constant. NULL only where a condition stands.
    Literal(Value),
    /// `left op right`; NULL when either side is.
    Compare {
        /// How.
        op: CompareOp,
        /// Never a literal, unless both sides are.
        left: Box<Expr>,
        /// The other side.
        right: Box<Expr>,
    },
    /// False when one is false, else NULL when one is NULL. Two or more conditions.
    And(Vec<Expr>),
    /// True when one is true, else NULL when one is NULL. Two or more conditions.
    Or(Vec<Expr>),
    /// NULL stays NULL.
    Not(Box<Expr>),
    /// `is null`: never NULL itself.
    IsNull {
        /// What is looked at.
        operand: Box<Expr>,
        /// `is not null`.
        negated: bool,
    },
    /// `in (..)`; NULL when the operand is.
    In {
        /// What is looked for.
        operand: Box<Expr>,
        /// Two or more, sorted, without duplicates or NULL.
        list: Vec<Value>,
        /// `not in`.
        negated: bool,
    },
    /// See [`super::arithmetic`].
    Arithmetic {
        /// How.
        op: ArithmeticOp,
        /// A number.
        left: Box<Expr>,
        /// A number.
        right: Box<Expr>,
    },
    /// See [`super::call`].
    Call {
        /// Which.
        function: Function,
        /// As many as [`Function::arity`] says.
        arguments: Vec<Expr>,
    },
}

/// A comparison of a column with a constant: what an index answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnCompare<'a> {
    /// Position of the column.
    pub column: usize,
    /// How.
    pub op: CompareOp,
    /// The constant, of the column's type; beside an int or float column, either of the two.
    pub literal: &'a Value,
}

impl Expr {
    /// Both conditions, `self` first.
    ///
    /// ```
    /// use plimsoll::expr::{self, CompareOp};
    /// use plimsoll::record::{Column, ColumnType, Schema};
    /// let schema = Schema { columns: vec![Column::nullable("n", ColumnType::Int)] };
    /// let low = expr::compare(&schema, "n", CompareOp::GreaterOrEqual, "1")?;
    /// let high = expr::compare(&schema, "n", CompareOp::Less, "9")?;
    /// assert_eq!(low.and(high), expr::parse("n >= 1 and n < 9", &schema)?);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut parts = Vec::new();
        for side in [self, other] {
            match side {
                Self::And(inner) => parts.extend(inner),
                single => parts.push(single),
            }
        }
        Self::And(parts)
    }

    /// The conditions that must all be true, in order; the expression itself where it is no `and`.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(parts) => parts.iter().collect(),
            single => vec![single],
        }
    }

    /// The parts of `column op literal`, where this is one.
    ///
    /// ```
    /// use plimsoll::expr::{self, CompareOp};
    /// use plimsoll::record::{Column, ColumnType, Schema, Value};
    /// let schema = Schema { columns: vec![Column::nullable("n", ColumnType::Int)] };
    /// let filter = expr::parse("5 < n", &schema)?;
    /// let compare = filter.as_column_compare().expect("a column and a literal");
    /// assert_eq!(compare.column, 0);
    /// assert_eq!(compare.op, CompareOp::Greater);
    /// assert_eq!(compare.literal, &Value::Int(5));
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn as_column_compare(&self) -> Option<ColumnCompare<'_>> {
        let Self::Compare { op, left, right } = self else {
            return None;
        };
        match (&**left, &**right) {
            (Self::Column(column), Self::Literal(literal)) => {
                Some(ColumnCompare { column: *column, op: *op, literal })
            }
            _ => None,
        }
    }

    /// Positions of the columns that are read, left to right, with repetitions.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        let mut pending = vec![self];
        std::iter::from_fn(move || {
            loop {
                let next = pending.pop()?;
                if let Self::Column(position) = next {
                    return Some(*position);
                }
                pending.extend(next.children().rev());
            }
        })
    }

    /// The expressions directly below, left to right.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Self> {
        let (boxed, many): ([Option<&Self>; 2], &[Self]) = match self {
            Self::Column(_) | Self::Literal(_) => ([None, None], &[]),
            Self::Compare { left, right, .. } | Self::Arithmetic { left, right, .. } => {
                ([Some(left), Some(right)], &[])
            }
            Self::Not(operand) | Self::IsNull { operand, .. } | Self::In { operand, .. } => {
                ([Some(operand), None], &[])
            }
            Self::And(parts) | Self::Or(parts) => ([None, None], parts),
            Self::Call { arguments, .. } => ([None, None], arguments),
        };
        boxed.into_iter().flatten().chain(many)
    }

    /// The type of the result; `Any` where each row decides.
    ///
    /// # Panics
    /// When the expression was checked against another schema and a column is missing in this.
    #[must_use]
    pub fn kind(&self, schema: &Schema) -> ColumnType {
        match self {
            Self::Column(position) => schema.columns[*position].kind,
            Self::Literal(value) => literal_kind(value),
            Self::Compare { .. } | Self::IsNull { .. } | Self::In { .. } => ColumnType::Bool,
            Self::And(_) | Self::Or(_) | Self::Not(_) => ColumnType::Bool,
            Self::Arithmetic { left, right, .. } => match (left.kind(schema), right.kind(schema)) {
                (ColumnType::Int, other) | (other, ColumnType::Int) => other,
                (same, _) => same,
            },
            Self::Call { function, arguments } => match function {
                Function::Contains | Function::StartsWith | Function::EndsWith => ColumnType::Bool,
                Function::Length => ColumnType::Int,
                Function::Lower | Function::Upper => ColumnType::Text,
                Function::Abs => arguments[0].kind(schema),
                Function::Coalesce => either(arguments[0].kind(schema), arguments[1].kind(schema)),
            },
        }
    }
}

/// The type that both arguments of `coalesce` have, or `Any`.
fn either(first: ColumnType, second: ColumnType) -> ColumnType {
    if first == second { first } else { ColumnType::Any }
}

/// The type of a literal; NULL counts as bool, for it stands only where a condition does.
pub(super) fn literal_kind(value: &Value) -> ColumnType {
    match value {
        Value::Null | Value::Bool(_) => ColumnType::Bool,
        Value::Int(_) => ColumnType::Int,
        Value::Float(_) => ColumnType::Float,
        Value::Money(_) => ColumnType::Money,
        Value::Time(_) => ColumnType::Time,
        Value::Text(_) => ColumnType::Text,
        Value::Bytes(_) => ColumnType::Bytes,
    }
}
