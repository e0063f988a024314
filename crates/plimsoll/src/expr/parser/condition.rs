//! The part of the parser that makes a condition of an operand: comparisons, `is`, `in`, `between`.
//!
//! Promises: a comparison never takes another as its operand without parentheses.
//! Never: anything but literals in a list.

use super::super::CompareOp;
use super::super::ast::{Node, NodeKind};
use super::super::lexer::{Keyword, Token};
use super::{ADD, COMPARE, Parser, power};
use crate::error::Result;
use crate::limits::FILTER_LIST_ITEMS_MAX;

impl<'t> Parser<'t> {
    /// Everything that makes a condition out of `left`.
    pub(super) fn comparison(&mut self, left: Node<'t>) -> Result<Node<'t>> {
        let (token, _) = self.advance()?;
        let start = left.span.start;
        let node = match token {
            Token::Keyword(Keyword::Is) => {
                let negated = self.accept(&Token::Keyword(Keyword::Not))?;
                let span = start..self.span.end;
                self.expect(&Token::Keyword(Keyword::Null), "null or not null")?;
                let (below, operand) = (left.height, Box::new(left));
                self.node(span, below, NodeKind::IsNull { operand, negated })?
            }
            Token::Keyword(Keyword::In) => self.list(left, false)?,
            Token::Keyword(Keyword::Between) => self.between(left, false)?,
            Token::Keyword(Keyword::Not) if self.accept(&Token::Keyword(Keyword::In))? => {
                self.list(left, true)?
            }
            Token::Keyword(Keyword::Not) if self.accept(&Token::Keyword(Keyword::Between))? => {
                self.between(left, true)?
            }
            Token::Keyword(_) => return Err(self.unexpected("in or between after not")),
            symbol => {
                let op = compare_op(&symbol);
                let right = self.expression(ADD)?;
                let (span, below) = (start..right.span.end, left.height.max(right.height));
                let (left, right) = (Box::new(left), Box::new(right));
                self.node(span, below, NodeKind::Compare { op, left, right })?
            }
        };
        if power(&self.token) == Some(COMPARE) {
            return Err(self.invalid(
                &self.span,
                "comparisons do not chain: write a < b and b < c, or put one in parentheses",
            ));
        }
        Ok(node)
    }

    fn list(&mut self, operand: Node<'t>, negated: bool) -> Result<Node<'t>> {
        self.expect(&Token::Open, "'(' and a list of literals")?;
        let mut list = Vec::new();
        loop {
            let start = self.span.start;
            let negative = self.accept(&Token::Minus)?;
            if negative && !matches!(self.token, Token::Number(_)) {
                return Err(self.unexpected("a number"));
            }
            if matches!(self.token, Token::Name(_) | Token::Quoted(_) | Token::Close) {
                return Err(self.unexpected("a literal; a list holds one or more literals"));
            }
            let (literal, end) = self.literal(negative)?;
            self.items += 1;
            if self.items > FILTER_LIST_ITEMS_MAX {
                let what = format!("the lists hold more than {FILTER_LIST_ITEMS_MAX} literals");
                return Err(self.too_large(&(start..end), &what));
            }
            list.push((start..end, literal));
            if !self.accept(&Token::Comma)? {
                break;
            }
        }
        let span = operand.span.start..self.span.end;
        self.expect(&Token::Close, "',' or ')'")?;
        let below = operand.height;
        let kind = NodeKind::In { operand: Box::new(operand), list, negated };
        self.node(span, below, kind)
    }

    fn between(&mut self, operand: Node<'t>, negated: bool) -> Result<Node<'t>> {
        let low = self.expression(ADD)?;
        self.expect(&Token::Keyword(Keyword::And), "and, as in between 1 and 2")?;
        let high = self.expression(ADD)?;
        let span = operand.span.start..high.span.end;
        let below = operand.height.max(low.height).max(high.height);
        let kind = NodeKind::Between {
            operand: Box::new(operand),
            low: Box::new(low),
            high: Box::new(high),
            negated,
        };
        self.node(span, below, kind)
    }
}

fn compare_op(token: &Token<'_>) -> CompareOp {
    match token {
        Token::Equal => CompareOp::Equal,
        Token::NotEqual => CompareOp::NotEqual,
        Token::Less => CompareOp::Less,
        Token::LessEqual => CompareOp::LessOrEqual,
        Token::Greater => CompareOp::Greater,
        Token::GreaterEqual => CompareOp::GreaterOrEqual,
        _ => unreachable!("power() called this token a comparison"),
    }
}
