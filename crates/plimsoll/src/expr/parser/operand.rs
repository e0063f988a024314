//! The part of the parser that reads what stands before an operator: signs, `not`, parentheses,
//! columns, literals and calls.
//!
//! Promises: a minus directly before a number belongs to the number, so the smallest int has a
//! literal.
//! Never: a node for parentheses.

use super::super::ast::{Literal, Node, NodeKind};
use super::super::lexer::{Keyword, Token};
use super::{NOT, OR, Parser, SIGN, height};
use crate::caret::Span;
use crate::error::Result;

impl<'t> Parser<'t> {
    pub(super) fn prefix(&mut self, least: u8) -> Result<Node<'t>> {
        let start = self.span.start;
        match self.token {
            Token::Keyword(Keyword::Not) if least <= NOT => {
                self.advance()?;
                let operand = self.expression(NOT)?;
                let (span, height) = (start..operand.span.end, operand.height);
                self.node(span, height, NodeKind::Not(Box::new(operand)))
            }
            Token::Keyword(Keyword::Not) => {
                Err(self.invalid(&self.span, "'not' binds weaker here: write (not ..)"))
            }
            Token::Minus => {
                self.advance()?;
                if matches!(self.token, Token::Number(_)) {
                    let (literal, end) = self.literal(true)?;
                    return self.node(start..end, 0, NodeKind::Literal(literal));
                }
                let operand = self.expression(SIGN)?;
                let (span, height) = (start..operand.span.end, operand.height);
                self.node(span, height, NodeKind::Negate(Box::new(operand)))
            }
            Token::Open => {
                self.advance()?;
                let mut inner = self.expression(OR)?;
                let end = self.span.end;
                self.expect(&Token::Close, "')'")?;
                inner.span = start..end;
                Ok(inner)
            }
            _ => self.leaf(),
        }
    }

    fn leaf(&mut self) -> Result<Node<'t>> {
        match self.token {
            Token::Name(_) | Token::Quoted(_) => {
                let (token, span) = self.advance()?;
                match token {
                    Token::Name(name) if self.token == Token::Open => self.call(name, span),
                    Token::Name(name) => self.node(span, 0, NodeKind::Column(name.into())),
                    Token::Quoted(name) => self.node(span, 0, NodeKind::Column(name)),
                    _ => unreachable!("the outer match saw a name"),
                }
            }
            _ => {
                let start = self.span.start;
                let (literal, end) = self.literal(false)?;
                self.node(start..end, 0, NodeKind::Literal(literal))
            }
        }
    }

    /// A literal and where it ends.
    pub(super) fn literal(&mut self, negative: bool) -> Result<(Literal<'t>, usize)> {
        let literal = match &mut self.token {
            Token::Keyword(Keyword::Null) => Literal::Null,
            Token::Keyword(Keyword::True) => Literal::Bool(true),
            Token::Keyword(Keyword::False) => Literal::Bool(false),
            Token::Number(digits) => Literal::Number { negative, digits },
            Token::Text(text) => Literal::Text(std::mem::take(text)),
            Token::Bytes(bytes) => Literal::Bytes(std::mem::take(bytes)),
            _ => return Err(self.unexpected("a column, a literal, a function or '('")),
        };
        let (_, span) = self.advance()?;
        Ok((literal, span.end))
    }

    fn call(&mut self, name: &'t str, name_span: Span) -> Result<Node<'t>> {
        self.advance()?;
        let mut arguments = Vec::new();
        if self.token != Token::Close {
            loop {
                arguments.push(self.expression(OR)?);
                if !self.accept(&Token::Comma)? {
                    break;
                }
            }
        }
        let span = name_span.start..self.span.end;
        self.expect(&Token::Close, "',' or ')'")?;
        let below = height(&arguments);
        let kind = NodeKind::Call { name, name_span, arguments };
        self.node(span, below, kind)
    }
}
