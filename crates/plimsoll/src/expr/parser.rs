//! Tokens to a tree, by precedence climbing (Richards 1979; the form of Norvell's 1999 note).
//!
//! Promises: text beyond `FILTER_BYTES_MAX`, nesting beyond `FILTER_DEPTH_MAX`, trees beyond
//! `FILTER_NODES_MAX` and lists beyond `FILTER_LIST_ITEMS_MAX` are refused before they are built;
//! the stack grows with the nesting alone.
//! Never: a look further ahead than one token.

mod call_list;
mod condition;
mod operand;

pub(crate) use call_list::{Argument, Call, call_list};

use super::ArithmeticOp;
use super::ast::{Node, NodeKind};
use super::lexer::{Keyword, Lexer, Token};
use crate::caret::{Source, Span, refuse};
use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX};

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const ADD: u8 = 5;
const MULTIPLY: u8 = 6;
const SIGN: u8 = 7;

/// Reads one filter.
pub(super) fn parse(source: Source<'_>) -> Result<Node<'_>> {
    let mut parser = Parser::new(source)?;
    let tree = parser.expression(OR)?;
    match parser.token {
        Token::End => Ok(tree),
        _ => Err(parser.unexpected("and, or, or the end")),
    }
}

struct Parser<'t> {
    source: Source<'t>,
    lexer: Lexer<'t>,
    /// The token to be read next, and its place.
    token: Token<'t>,
    span: Span,
    nesting: usize,
    nodes: usize,
    /// Literals in lists.
    items: usize,
}

impl<'t> Parser<'t> {
    fn new(source: Source<'t>) -> Result<Self> {
        let Source { text, noun } = source;
        if text.len() > FILTER_BYTES_MAX {
            return Err(Error::too_large(format!(
                "{noun}: {} bytes long; at most {FILTER_BYTES_MAX} are read",
                text.len()
            )));
        }
        let mut lexer = Lexer::new(source);
        let (token, span) = lexer.next()?;
        Ok(Self { source, lexer, token, span, nesting: 0, nodes: 0, items: 0 })
    }

    fn advance(&mut self) -> Result<(Token<'t>, Span)> {
        let (token, span) = self.lexer.next()?;
        Ok((std::mem::replace(&mut self.token, token), std::mem::replace(&mut self.span, span)))
    }

    fn accept(&mut self, wanted: &Token<'_>) -> Result<bool> {
        let found = self.token == *wanted;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, wanted: &Token<'_>, what: &str) -> Result<()> {
        if self.accept(wanted)? {
            return Ok(());
        }
        Err(self.unexpected(what))
    }

    fn too_large(&self, span: &Span, what: &str) -> Error {
        refuse(ErrorKind::TooLarge, self.source, span, what)
    }

    fn invalid(&self, span: &Span, what: &str) -> Error {
        refuse(ErrorKind::Invalid, self.source, span, what)
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let found = match self.token {
            Token::End => format!("the {} ends here", self.source.noun),
            _ => format!("'{}' stands here", excerpt(&self.source.text[self.span.clone()])),
        };
        let hint = match self.token {
            Token::Name(name)
                if ["like", "ilike", "glob", "regexp"]
                    .iter()
                    .any(|word| name.eq_ignore_ascii_case(word)) =>
            {
                "; for parts of a text write contains(..), starts_with(..) or ends_with(..)"
            }
            _ => "",
        };
        self.invalid(&self.span, &format!("{found}, expected {wanted}{hint}"))
    }

    fn node(&mut self, span: Span, below: usize, kind: NodeKind<'t>) -> Result<Node<'t>> {
        self.nodes += 1;
        if self.nodes > FILTER_NODES_MAX {
            let noun = self.source.noun;
            let what = format!("the {noun} has more than {FILTER_NODES_MAX} parts");
            return Err(self.too_large(&span, &what));
        }
        if below >= FILTER_DEPTH_MAX {
            return Err(self.too_deep(&span));
        }
        Ok(Node { span, height: below + 1, kind })
    }

    fn too_deep(&self, span: &Span) -> Error {
        let noun = self.source.noun;
        let what = format!("the {noun} nests deeper than {FILTER_DEPTH_MAX} levels");
        self.too_large(span, &what)
    }

    /// Reads operators that bind at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Result<Node<'t>> {
        self.nesting += 1;
        // Twice the bound: an operand of a bracket costs a level here and none in the tree.
        if self.nesting > 2 * FILTER_DEPTH_MAX {
            return Err(self.too_deep(&self.span));
        }
        let mut left = self.prefix(least)?;
        while let Some(power) = power(&self.token)
            && power >= least
        {
            left = match power {
                OR | AND => self.chain(left, power)?,
                COMPARE => self.comparison(left)?,
                _ => self.arithmetic(left, power)?,
            };
        }
        self.nesting -= 1;
        Ok(left)
    }

    /// `a and b and c` as one node, so that a long chain is no deep tree.
    fn chain(&mut self, first: Node<'t>, power: u8) -> Result<Node<'t>> {
        let word = Token::Keyword(if power == AND { Keyword::And } else { Keyword::Or });
        let start = first.span.start;
        let mut parts = vec![first];
        let mut end = start;
        while self.accept(&word)? {
            let part = self.expression(power + 1)?;
            end = part.span.end;
            parts.push(part);
        }
        let below = height(&parts);
        let kind = if power == AND { NodeKind::And(parts) } else { NodeKind::Or(parts) };
        self.node(start..end, below, kind)
    }

    fn arithmetic(&mut self, left: Node<'t>, power: u8) -> Result<Node<'t>> {
        let (token, span) = self.advance()?;
        let op = match token {
            Token::Plus => ArithmeticOp::Add,
            Token::Minus => ArithmeticOp::Subtract,
            Token::Star => ArithmeticOp::Multiply,
            _ => {
                return Err(self.invalid(
                    &span,
                    "there is no division: its result is exact neither for int nor for money; \
                     multiply the other side instead",
                ));
            }
        };
        let right = self.expression(power + 1)?;
        let (span, below) = (left.span.start..right.span.end, left.height.max(right.height));
        let (left, right) = (Box::new(left), Box::new(right));
        self.node(span, below, NodeKind::Arithmetic { op, left, right })
    }
}

fn height(nodes: &[Node<'_>]) -> usize {
    nodes.iter().map(|node| node.height).max().unwrap_or(0)
}

/// How tightly the operator `token` binds what stands left of it; `None` where it is none.
fn power(token: &Token<'_>) -> Option<u8> {
    Some(match token {
        Token::Keyword(Keyword::Or) => OR,
        Token::Keyword(Keyword::And) => AND,
        Token::Equal | Token::NotEqual => COMPARE,
        Token::Less | Token::LessEqual | Token::Greater | Token::GreaterEqual => COMPARE,
        Token::Keyword(Keyword::Is | Keyword::In | Keyword::Between | Keyword::Not) => COMPARE,
        Token::Plus | Token::Minus => ADD,
        Token::Star | Token::Slash | Token::Percent => MULTIPLY,
        _ => return None,
    })
}
