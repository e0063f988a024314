//! What a measure reads of a row, with short ways for the usual ones.
//!
//! Promises: a bare column and a product of two cost no walk of an expression; what is read is
//! what [`crate::expr::evaluate`] gives.
//! Never: an allocation, but where `lower` or `upper` has a letter to change.

use crate::error::{Error, ErrorKind, Result};
use crate::expr::{ArithmeticOp, Evaluated, Expr, arithmetic, evaluate};
use crate::record::{Row, ValueRef};

/// An argument, or the row itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    expr: Option<Expr>,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Row,
    Column(usize),
    Factors(usize, usize),
    Walk,
}

impl Input {
    pub(super) fn new(expr: Option<Expr>) -> Self {
        let way = match &expr {
            None => Way::Row,
            Some(Expr::Column(position)) => Way::Column(*position),
            Some(Expr::Arithmetic { op: ArithmeticOp::Multiply, left, right }) => {
                match (&**left, &**right) {
                    (Expr::Column(left), Expr::Column(right)) => Way::Factors(*left, *right),
                    _ => Way::Walk,
                }
            }
            Some(_) => Way::Walk,
        };
        Self { expr, way }
    }

    pub(super) fn expr(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }

    /// The value of `measure`'s argument; `true` for the row itself, which is never NULL.
    #[inline]
    pub(super) fn read<'a, R: Row + ?Sized>(
        &'a self,
        row: &'a R,
        measure: &str,
    ) -> Result<Evaluated<'a>> {
        let value = match (self.way, &self.expr) {
            (Way::Column(position), _) => return Ok(Evaluated::Borrowed(row.value(position)?)),
            (Way::Factors(left, right), _) => {
                arithmetic(ArithmeticOp::Multiply, row.value(left)?, row.value(right)?)
                    .map(Evaluated::Borrowed)
            }
            (Way::Walk, Some(expr)) => evaluate(expr, row),
            _ => return Ok(Evaluated::Borrowed(ValueRef::Bool(true))),
        };
        value.map_err(|refused| renamed(&refused, measure))
    }
}

/// The refusal of an expression in the words of a measure.
#[cold]
fn renamed(refused: &Error, measure: &str) -> Error {
    if refused.kind() == ErrorKind::Invalid {
        return Error::invalid(format!(
            "measure '{measure}': a number leaves the range of its type on a row; narrow the \
             rows to smaller values or measure without the arithmetic"
        ));
    }
    Error::corrupt(format!(
        "measure '{measure}': a row holds something that is not what its column's type says; \
         correct the column's type or the row"
    ))
}
