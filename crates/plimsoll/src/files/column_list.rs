//! Names of columns in one argument.
//!
//! Promises: every name can be written: one with a comma stands in double quotes.
//! Never: white space cut off inside quotes.

use crate::error::{Error, Result, excerpt};

/// Reads names separated by commas. A name that holds a comma or a quote stands in double quotes,
/// in which a quote is written twice; white space around names is passed over.
///
/// ```
/// use plimsoll::files::parse_columns;
/// let names = parse_columns("product, \"a,b\"")?;
/// assert_eq!(names, ["product".into(), "a,b".into()]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] for an empty name, or quotes that are not closed.
pub fn parse_columns(text: &str) -> Result<Vec<Box<str>>> {
    let refuse = |what: &str| {
        Error::invalid(format!(
            "columns '{}': {what}; write names separated by commas, as a,b",
            excerpt(text)
        ))
    };
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let mut name = String::new();
        if let Some(mut inside) = rest.strip_prefix('"') {
            loop {
                let end = inside.find('"').ok_or_else(|| refuse("a quote is not closed"))?;
                name.push_str(&inside[..end]);
                inside = &inside[end + 1..];
                let Some(more) = inside.strip_prefix('"') else { break };
                name.push('"');
                inside = more;
            }
            // What stands behind the quotes belongs to the name, as :text to a type.
            let end = inside.find(',').unwrap_or(inside.len());
            name.push_str(inside[..end].trim_end());
            rest = &inside[end..];
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            name.push_str(rest[..end].trim_end());
            rest = &rest[end..];
        }
        if name.is_empty() {
            return Err(refuse("a name is empty"));
        }
        names.push(name.into());
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok(names),
        }
    }
}
