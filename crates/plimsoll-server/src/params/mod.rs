//! Query strings: read strictly, each name known or refused.
//!
//! Promises: what cannot be decoded, is repeated or is unknown is refused by name, with what is
//! allowed; the number of parameters is bounded.
//! Never: a character replaced silently.

mod page;
mod selection;

use std::borrow::Cow;

pub(crate) use page::{Page, PageParams};
pub(crate) use selection::{Selection, SelectionParams, columns};

use percent_encoding::percent_decode_str;
use plimsoll::error::excerpt;

use crate::problem::{Kind, Problem, Result};
use plimsoll_store::nearest;

/// Parameters of one request.
const PARAMETERS_MAX: usize = 64;

/// The decoded parameters, in the order they were sent.
pub(crate) struct Query<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Query<'q> {
    /// Reads what stands behind the question mark.
    ///
    /// # Errors
    /// 400 for an encoding that cannot be read, a repeated name, or too many.
    pub(crate) fn read(raw: Option<&'q str>) -> Result<Self> {
        let mut pairs: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for pair in raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == PARAMETERS_MAX {
                return Err(Problem::new(
                    Kind::InvalidRequest,
                    format!("a request has at most {PARAMETERS_MAX} parameters"),
                ));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_form(name, "a parameter's name")?;
            let value = decode_form(value, "a parameter's value")?;
            if pairs.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Problem::new(
                    Kind::InvalidParameter,
                    format!("'{}' is given twice; give it once", excerpt(&name)),
                ));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Names and values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Refuses every parameter there is.
    ///
    /// # Errors
    /// 400 at the first one.
    pub(crate) fn expect_none(raw: Option<&'q str>) -> Result<()> {
        match Self::read(raw)?.pairs().next() {
            Some((name, _)) => Err(unknown(name, &[], &[])),
            None => Ok(()),
        }
    }
}

/// The problem of a parameter nobody knows. `columns` are parameters of this resource.
pub(crate) fn unknown(name: &str, allowed: &[&str], columns: &[&str]) -> Problem {
    let known: Vec<&str> = allowed.iter().chain(columns).copied().collect();
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let mut problem = Problem::new(
        Kind::UnknownParameter,
        format!("'{}' is not a parameter here; allowed: {list}", excerpt(name)),
    );
    if let Some(near) = nearest(name, known.iter().copied()) {
        problem = problem.with("did_you_mean", near);
    }
    problem.with("parameter", excerpt(name)).with("allowed", known)
}

/// The problem of a value that is not allowed.
pub(crate) fn invalid(name: &str, value: &str, allowed: &str) -> Problem {
    Problem::new(
        Kind::InvalidParameter,
        format!("{name}='{}' is not allowed; {name} is {allowed}", excerpt(value)),
    )
    .with("parameter", name)
}

/// `0` or `1`.
pub(crate) fn flag(name: &str, value: &str) -> Result<bool> {
    match value {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(invalid(name, value, "0 or 1")),
    }
}

/// Percent-decoding that refuses what is not an encoding of UTF-8.
///
/// # Errors
/// 400 naming `what`.
pub(crate) fn decode<'t>(text: &'t str, what: &str) -> Result<Cow<'t, str>> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(place, byte)| {
        *byte == b'%'
            && !bytes
                .get(place + 1..place + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(Problem::new(
            Kind::InvalidRequest,
            format!("{what} has a '%' without two hexadecimal digits: '{}'", excerpt(text)),
        ));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| {
        Problem::new(
            Kind::InvalidRequest,
            format!("{what} is not UTF-8 once it is decoded: '{}'", excerpt(text)),
        )
    })
}

/// As [`decode`], with `+` for a space as forms have it.
fn decode_form<'t>(text: &'t str, what: &str) -> Result<Cow<'t, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', "%20");
        return decode(&spaced, what).map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    decode(text, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_encoding_is_refused_and_a_good_one_is_decoded() {
        assert_eq!(decode("a%2Cb", "x").expect("good"), "a,b");
        for broken in ["%", "%4", "%zz", "%ff", "a%c3"] {
            assert!(decode(broken, "x").is_err(), "{broken}");
        }
        assert_eq!(decode_form("a+b%2B", "x").expect("good"), "a b+");
    }

    #[test]
    fn a_repeated_name_is_refused_however_it_is_encoded() {
        assert!(Query::read(Some("a=1&%61=2")).is_err());
        assert!(Query::read(Some("a=1&b=2&")).is_ok());
    }
}
