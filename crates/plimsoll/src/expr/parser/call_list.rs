//! A list of calls whose arguments are expressions: `sum(qty * price) as revenue, count(*)`.
//!
//! ```text
//!   list      call { ',' call }
//!   call      name '(' ( '*' | [ distinct ] expression { ',' expression } ) ')' [ as name ]
//! ```
//!
//! Promises: the bounds of a filter hold for the whole list; every place is one in the whole text.
//! Never: a meaning for a call's name; that is its reader's.

use super::super::Expr;
use super::super::check::check_value;
use super::super::lexer::Token;
use super::{OR, Parser};
use crate::caret::{Source, Span};
use crate::error::Result;
use crate::record::{ColumnType, Schema};

/// One call of a list, its arguments checked.
#[derive(Debug)]
pub(crate) struct Call<'t> {
    pub(crate) name: &'t str,
    pub(crate) name_span: Span,
    /// From the name to the closing parenthesis.
    pub(crate) span: Span,
    /// Where `*` stands in place of arguments.
    pub(crate) star: Option<Span>,
    /// Where `distinct` stands before the arguments.
    pub(crate) distinct: Option<Span>,
    pub(crate) arguments: Vec<Argument>,
    /// The name after `as`.
    pub(crate) alias: Option<(Box<str>, Span)>,
}

/// An argument, its type and where it stands.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) expr: Expr,
    pub(crate) kind: ColumnType,
    pub(crate) span: Span,
}

/// Reads the calls of `source` over `schema`'s columns, at most `calls_max` of them.
pub(crate) fn call_list<'t>(
    source: Source<'t>,
    schema: &Schema,
    calls_max: usize,
) -> Result<Vec<Call<'t>>> {
    let mut parser = Parser::new(source)?;
    let mut calls = Vec::new();
    loop {
        if calls.len() == calls_max {
            let what = format!("the {} has more than {calls_max} of them", source.noun);
            return Err(parser.too_large(&parser.span, &what));
        }
        calls.push(parser.listed(schema)?);
        if !parser.accept(&Token::Comma)? {
            break;
        }
    }
    match parser.token {
        Token::End => Ok(calls),
        _ if calls.last().is_some_and(|call| call.alias.is_some()) => {
            Err(parser.unexpected("',' or the end"))
        }
        _ => Err(parser.unexpected("as, ',' or the end")),
    }
}

impl<'t> Parser<'t> {
    fn listed(&mut self, schema: &Schema) -> Result<Call<'t>> {
        let Token::Name(name) = self.token else {
            return Err(self.unexpected("a measure, as sum(a) or count(*)"));
        };
        let (_, name_span) = self.advance()?;
        self.expect(&Token::Open, "'(' and what is measured")?;
        let star = (self.token == Token::Star).then(|| self.span.clone());
        let mut distinct = None;
        let mut arguments = Vec::new();
        if star.is_some() {
            self.advance()?;
        } else if self.token != Token::Close {
            distinct = self.accept_word("distinct")?;
            loop {
                let node = self.expression(OR)?;
                let (expr, kind) = check_value(self.source, &node, schema)?;
                arguments.push(Argument { expr, kind, span: node.span });
                if !self.accept(&Token::Comma)? {
                    break;
                }
            }
        }
        let span = name_span.start..self.span.end;
        self.expect(&Token::Close, if star.is_some() { "')'" } else { "',' or ')'" })?;
        let alias = match self.accept_word("as")? {
            Some(_) => Some(self.alias()?),
            None => None,
        };
        Ok(Call { name, name_span, span, star, distinct, arguments, alias })
    }

    /// Where `word` stands, if it stands next.
    fn accept_word(&mut self, word: &str) -> Result<Option<Span>> {
        match self.token {
            Token::Name(name) if name.eq_ignore_ascii_case(word) => Ok(Some(self.advance()?.1)),
            _ => Ok(None),
        }
    }

    fn alias(&mut self) -> Result<(Box<str>, Span)> {
        let name: Box<str> = match &self.token {
            Token::Name(name) => (*name).into(),
            Token::Quoted(name) if !name.is_empty() => name.as_ref().into(),
            _ => return Err(self.unexpected("a name; any text is one in \"double quotes\"")),
        };
        let (_, span) = self.advance()?;
        Ok((name, span))
    }
}
