//! As whom a transaction is: the SQL that makes it somebody's, and takes that back.
//!
//! ```text
//!   begin; set local ..; select set_config('app.tenant_id', '42', true),
//!                               set_config('role', 'tenants', true)     one piece, see transaction
//!
//!   savepoint unit ─ put on ─ the unit's writes ─ take off ─ release unit     many in one commit
//!                       └ what was there before it     └ that again
//! ```
//!
//! Promises: holds until the end of the transaction or until it is taken off, whatever a pooler
//! does with the connection behind it; every name and value is quoted so that no setting of the
//! server changes how it is read.
//! Never: anything that outlives the transaction.

use std::fmt::Write as _;
use std::ops::Deref;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::failure::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;

/// Puts the role of a transaction back where there was none of its own.
const OWN_ROLE: &str = "none";

/// The SQL of one identity.
#[derive(Debug)]
pub(super) struct Guise {
    /// `set_config(..), ..`; the role comes last, for what is set before it may need the right to.
    put_on: String,
    /// `current_setting(..), ..` of the same.
    look: String,
    names: Vec<Box<str>>,
}

impl Guise {
    pub(super) fn of(identity: &Identity) -> Self {
        let role = identity.role().map(|role| ("role", role));
        let (mut put_on, mut look, mut names) = (String::new(), String::new(), Vec::new());
        for (name, value) in identity.settings().chain(role) {
            push_setting(&mut put_on, name, value);
            let glue = if look.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(look, "{glue}pg_catalog.current_setting({}, true)", literal(name));
            names.push(name.into());
        }
        Self { put_on, look, names }
    }

    /// The statement that puts it on, for the beginning of a transaction; empty where there is
    /// nothing to set.
    pub(super) fn begin(&self) -> String {
        if self.put_on.is_empty() { String::new() } else { format!("; select {}", self.put_on) }
    }

    /// Puts it on in the middle of a transaction.
    pub(super) async fn put_on(&self, client: &Client) -> Result<Worn> {
        if self.names.is_empty() {
            return Ok(Worn { take_off: String::new() });
        }
        let text = format!("select {}; select {}", self.look, self.put_on);
        let answer = client.simple_query(&text).await;
        let answer = answer.map_err(|e| explain("acting as the role of a request", &e))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let Some(row) = row.filter(|row| row.len() == self.names.len()) else {
            let odd = "acting as the role of a request: an odd answer about what was set";
            return Err(Error::new(ErrorKind::Corrupt, odd));
        };
        let mut take_off = String::new();
        for (at, name) in self.names.iter().enumerate() {
            let unset = if &**name == "role" { OWN_ROLE } else { "" };
            push_setting(&mut take_off, name, row.get(at).unwrap_or(unset));
        }
        Ok(Worn { take_off })
    }
}

/// What a transaction was before.
pub(super) struct Worn {
    take_off: String,
}

impl Worn {
    /// Deferred rules are checked as whoever wrote; then the transaction is as it was.
    pub(super) async fn take_off(self, client: &Client) -> Result<()> {
        let mut text = "set constraints all immediate; set constraints all deferred; ".to_owned();
        if !self.take_off.is_empty() {
            let _ = write!(text, "select {}", self.take_off);
        }
        client.batch_execute(&text).await.map_err(|e| explain("writing", &e))
    }
}

fn push_setting(sql: &mut String, name: &str, value: &str) {
    let glue = if sql.is_empty() { "" } else { ", " };
    let (name, value) = (literal(name), literal(value));
    let _ = write!(sql, "{glue}pg_catalog.set_config({name}, {value}, true)");
}

/// A text in quotes, in the form whose reading does not depend on `standard_conforming_strings`.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A connection, and as whom it is used.
#[derive(Clone, Copy)]
pub(super) struct Acting<'a> {
    pub(super) client: &'a Client,
    pub(super) guise: Option<&'a Guise>,
}

/// What is sent past [`super::transaction`] is sent as the connection's own role.
impl Deref for Acting<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

#[cfg(test)]
mod tests {
    use super::{Guise, Identity, literal};

    #[test]
    fn no_value_ends_its_quotes() {
        let cases = [
            ("", "E''"),
            ("a'b", "E'a''b'"),
            ("\\'", "E'\\\\'''"),
            ("\\", "E'\\\\'"),
            ("'; reset role; --", "E'''; reset role; --'"),
            ("$$\"\n", "E'$$\"\n'"),
        ];
        for (text, quoted) in cases {
            assert_eq!(literal(text), quoted, "{text:?}");
        }
    }

    #[test]
    fn settings_come_before_the_role_and_nothing_is_said_for_nobody() {
        let settings = [("app.a".into(), "1".into()), ("app.b".into(), "2".into())];
        let identity = Identity::new(Some("r"), settings).expect("an identity");
        let set =
            |name: &str, value: &str| format!("pg_catalog.set_config(E'{name}', E'{value}', true)");
        let all = [set("app.a", "1"), set("app.b", "2"), set("role", "r")].join(", ");
        assert_eq!(Guise::of(&identity).begin(), format!("; select {all}"));
        let nobody = Identity::new(None, []).expect("nobody");
        assert_eq!(Guise::of(&nobody).begin(), "");
    }
}
