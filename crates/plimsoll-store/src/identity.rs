//! As whom a database is asked: a role of its own and settings, for as long as one transaction.
//!
//! Promises: made only of names and values that a database can be told; bounded, because it goes
//! with every statement; its digest tells two of them apart.
//! Never: a word of one database's dialect, or a setting that changes how statements are run.

use crate::error::{Error, Result};

/// Settings of one identity: they stand in front of every statement.
pub const SETTINGS_MAX: usize = 16;
/// Bytes of a role's or a setting's name; PostgreSQL keeps 63 of a role's.
const NAME_BYTES_MAX: usize = 63;
/// Bytes of a setting's value: a window of rows is asked for with all of them.
const VALUE_BYTES_MAX: usize = 1 << 10;

/// A role and settings.
///
/// ```
/// use plimsoll_store::Identity;
///
/// let settings = [("app.tenant_id".into(), "42".into())];
/// let identity = Identity::new(Some("tenants"), settings)?;
/// assert_eq!(identity.role(), Some("tenants"));
/// // What decides how statements run is nobody's to set.
/// assert!(Identity::new(None, [("search_path".into(), "x".into())]).is_err());
/// # Ok::<(), plimsoll_store::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    role: Option<Box<str>>,
    settings: Vec<(Box<str>, Box<str>)>,
}

impl Identity {
    /// Checks a role and settings; of a setting that is named twice the last one counts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming what cannot be said to a database: a name that is
    /// empty, too long or of another form, a value with NUL or beyond 1 KiB, more than
    /// [`SETTINGS_MAX`] settings.
    pub fn new(
        role: Option<&str>,
        settings: impl IntoIterator<Item = (Box<str>, Box<str>)>,
    ) -> Result<Self> {
        let settings: Vec<_> = settings.into_iter().collect();
        if settings.len() > SETTINGS_MAX {
            return Err(Error::invalid(format!("at most {SETTINGS_MAX} settings are set")));
        }
        role.map(check_role).transpose()?;
        for (name, value) in &settings {
            check_setting(name)?;
            check_value(name, value)?;
        }
        Ok(Self { role: role.map(Into::into), settings })
    }

    /// The role, where it is not the connection's own.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Names and values.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The same for the same role and settings in the same order, and for no others.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(if self.role.is_some() { "role" } else { "" });
        part(self.role.as_deref().unwrap_or_default());
        for (name, value) in &self.settings {
            part(name);
            part(value);
        }
        *hasher.finalize().as_bytes()
    }
}

fn check_role(role: &str) -> Result<()> {
    let fits = !role.is_empty() && role.len() <= NAME_BYTES_MAX && !role.contains('\0');
    // To PostgreSQL this word is the connection's own role.
    if fits && role != "none" {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' is no name of a role: it has 1 to {NAME_BYTES_MAX} bytes, and is not 'none'",
        plimsoll::error::excerpt(role)
    )))
}

/// A name with a point in it has a meaning to policies and functions alone.
fn check_setting(name: &str) -> Result<()> {
    let word = |word: &str| {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        word.starts_with(letter) && word.chars().all(|c| letter(c) || c.is_ascii_digit())
    };
    if name.len() <= NAME_BYTES_MAX && name.contains('.') && name.split('.').all(word) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' is no setting of an app: it is named like app.tenant_id, words of letters, digits \
         and _ with a point between, {NAME_BYTES_MAX} bytes at most",
        plimsoll::error::excerpt(name)
    )))
}

fn check_value(name: &str, value: &str) -> Result<()> {
    if value.len() <= VALUE_BYTES_MAX && !value.contains('\0') {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the value of the setting {name} has NUL in it or more than {VALUE_BYTES_MAX} bytes"
    )))
}

#[cfg(test)]
mod tests {
    use super::{Identity, SETTINGS_MAX};

    fn with(name: &str, value: &str) -> crate::Result<Identity> {
        Identity::new(None, [(name.into(), value.into())])
    }

    #[test]
    fn what_no_database_can_be_told_is_refused() {
        for role in ["", "none", "a\0b", &"r".repeat(64)] {
            assert!(Identity::new(Some(role), []).is_err(), "{role:?}");
        }
        for name in ["", "role", "app.", ".a", "app..a", "1a.b", "a.b c", "a.b'", "a.\0", "é.a"] {
            assert!(with(name, "1").is_err(), "{name:?}");
        }
        assert!(with("a.b", "x\0y").is_err());
        assert!(with("a.b", &"x".repeat(1025)).is_err());
        let many = |count| (0..count).map(|n| (format!("a.b{n}").into(), "1".into()));
        assert!(Identity::new(None, many(SETTINGS_MAX + 1)).is_err());
        assert!(Identity::new(Some("N one'\\"), many(SETTINGS_MAX)).is_ok());
        assert!(with("request.jwt.claims", "it's \\ a \"value\"\n").is_ok());
    }

    #[test]
    fn two_identities_have_one_digest_only_where_they_are_the_same() {
        let all = [
            Identity::new(None, []),
            Identity::new(Some("a"), []),
            with("a.b", "1"),
            with("a.b", "2"),
            with("a.b1", ""),
            Identity::new(Some("a"), [("a.b".into(), "1".into())]),
        ];
        let all: Vec<_> = all.into_iter().map(|i| i.expect("an identity")).collect();
        for one in &all {
            let same = all.iter().filter(|other| other.digest() == one.digest()).count();
            assert_eq!(same, 1, "{one:?}");
        }
    }
}
