//! A database as people name it: a URL of PostgreSQL or SQLite, or a path.
//!
//! ```text
//!   shop.db  data/shop.db  /srv/shop.db      that path
//!   sqlite:///./app.db  sqlite:///../app.db  below or beside the working directory
//!   sqlite:///srv/shop.db  sqlite:////srv/…  /srv/shop.db
//!   sqlite:///app.db                         refused: some tools read it as ./app.db,
//!                                            others as /app.db
//!   postgres://user@host/app                 that database
//! ```
//!
//! Promises: one text names one file or one database; a password never leaves this file unmasked.
//! Never: a look at the disk or the network.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use plimsoll_store::postgres::REPLICAS_MAX;

/// Somebody's own database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// A SQLite file.
    File(PathBuf),
    /// The URL of a PostgreSQL database, with its password.
    Postgres(String),
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&redacted(url)),
        }
    }
}

/// The database that `text` names, or why it names none.
pub(super) fn database(text: &str) -> Result<Database, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("postgres" | "postgresql") if text.contains('\0') => {
            Err("it holds a NUL character".into())
        }
        Some("postgres" | "postgresql") => Ok(Database::Postgres(text.to_owned())),
        _ => sqlite_file(text).map(Database::File),
    }
}

/// The databases that the URLs in `text` name, or why they name none.
pub(super) fn replicas(text: &str) -> Result<Vec<String>, String> {
    let one = |(number, url): (usize, &str)| match database(url) {
        Ok(Database::Postgres(url)) => Ok(url),
        Ok(Database::File(_)) => Err(format!("number {number} is no URL of PostgreSQL")),
        Err(why) => Err(format!("number {number}: {why}")),
    };
    let urls: Vec<String> = (1..).zip(urls(text)).map(one).collect::<Result<_, _>>()?;
    match urls.len() {
        ..=REPLICAS_MAX => Ok(urls),
        many => Err(format!("there are {many}")),
    }
}

/// Parts a list at the commas that a URL follows: those inside a URL, e.g. of a password, stay.
fn urls(text: &str) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut start = 0;
    for (comma, _) in text.match_indices(',') {
        let rest = text[comma + 1..].trim_start();
        let scheme = rest.split_once("://").map_or(rest, |(scheme, _)| scheme);
        if is_scheme(scheme) && scheme.len() < rest.len() || rest.is_empty() {
            urls.push(text[start..comma].trim());
            start = comma + 1;
        }
    }
    urls.push(text[start..].trim());
    urls
}

/// A list of URLs, each with its password replaced by stars.
pub(super) fn redacted_list(text: &str) -> Cow<'_, str> {
    let urls = urls(text);
    // Where a part is none, it may be the second half of a password.
    if !urls.iter().all(|url| matches!(database(url), Ok(Database::Postgres(_)))) {
        return redacted(text);
    }
    Cow::Owned(urls.into_iter().map(redacted).collect::<Vec<_>>().join(","))
}

/// The SQLite file that `text` names, or why it names none.
fn sqlite_file(text: &str) -> Result<PathBuf, String> {
    let (scheme, rest) = match text.split_once(':') {
        // A path with a colon in it has a slash, a dot or the like before the colon.
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => return file(Path::new(text)),
    };
    match &*scheme {
        "sqlite" => {}
        "postgres" | "postgresql" => return Err(format!("two slashes come after '{scheme}:'")),
        _ => return Err(format!("{scheme} is not a database this opens")),
    }
    if rest.contains(['?', '#']) {
        return Err("it takes no options after '?' or '#'".into());
    }
    let Some(path) = rest.strip_prefix("//") else {
        return Err("three slashes come after 'sqlite:'".into());
    };
    // "//host/path": a file has no host.
    let Some(path) = path.strip_prefix('/') else {
        return Err("three slashes come after 'sqlite:'".into());
    };
    if path.starts_with("./") || path.starts_with("../") {
        return file(Path::new(path));
    }
    let absolute = format!("/{}", path.trim_start_matches('/'));
    if !path.contains('/') && !path.is_empty() {
        return Err(format!(
            "it could mean ./{path} or {absolute}: write sqlite:///./{path} or sqlite:///{absolute}"
        ));
    }
    file(Path::new(&absolute))
}

fn file(path: &Path) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    if text.contains('\0') || path.file_name().is_none() || text.ends_with('/') {
        return Err("it does not name a file".into());
    }
    if text.starts_with("~/") {
        return Err("'~' is not expanded here, write the path out".into());
    }
    Ok(path.to_owned())
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-".contains(c))
}

/// `text` with the password of a URL, if it has one, replaced by stars.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    // The last '@', wherever it stands: a password may hold '/', '?' and '@' unescaped.
    let Some((user, place)) = rest.rsplit_once('@') else {
        return Cow::Borrowed(text);
    };
    let user = user.split_once(':').map_or(user, |(name, _)| name);
    Cow::Owned(format!("{scheme}://{user}:***@{place}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Database, database, redacted, redacted_list, replicas, sqlite_file};

    #[test]
    fn one_text_names_one_file() {
        for (text, path) in [
            ("app.db", "app.db"),
            ("./data/app.db", "./data/app.db"),
            ("/srv/app.db", "/srv/app.db"),
            ("./a:b.db", "./a:b.db"),
            ("sqlite:///./app.db", "./app.db"),
            ("sqlite:///../app.db", "../app.db"),
            ("sqlite:///srv/app.db", "/srv/app.db"),
            ("sqlite:////srv/app.db", "/srv/app.db"),
            ("sqlite:////app.db", "/app.db"),
            ("SQLite:///./app.db", "./app.db"),
        ] {
            assert_eq!(sqlite_file(text).as_deref(), Ok(Path::new(path)), "{text}");
        }
    }

    #[test]
    fn a_url_of_postgresql_is_kept_as_it_is_and_shown_without_its_password() {
        for text in ["postgres://u:p@h:5433/app?sslmode=require", "PostgreSQL://h/app"] {
            assert_eq!(database(text), Ok(Database::Postgres(text.to_owned())));
        }
        let named = database("postgres://u:p@h/app").expect("a database");
        assert_eq!(named.to_string(), "postgres://u:***@h/app");
        assert_eq!(database("app.db"), Ok(Database::File("app.db".into())));
    }

    #[test]
    fn what_names_no_file_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not name a file"),
            ("data/", "does not name a file"),
            ("..", "does not name a file"),
            ("a\0b", "does not name a file"),
            ("~/app.db", "not expanded"),
            ("sqlite:///", "does not name a file"),
            ("sqlite:///app.db", "sqlite:///./app.db or sqlite:////app.db"),
            ("sqlite:app.db", "three slashes"),
            ("sqlite://app.db", "three slashes"),
            ("sqlite://host/app.db", "three slashes"),
            ("sqlite:///./app.db?mode=ro", "no options"),
            ("postgres:localhost/app", "two slashes"),
            ("mysql://localhost/app", "mysql is not"),
            ("file:app.db", "file is not"),
        ] {
            let error = sqlite_file(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_list_of_replicas_is_parted_where_a_url_follows() {
        let two = ["postgres://u:p@h1/app", "postgresql://u:a,b@h2:5433/app"];
        for list in [two.join(","), format!("{} , {}", two[0], two[1])] {
            assert_eq!(replicas(&list).expect("two"), two, "{list}");
            assert_eq!(
                redacted_list(&list),
                "postgres://u:***@h1/app,postgresql://u:***@h2:5433/app"
            );
        }
        assert_eq!(redacted_list("postgres://u:p,x://y@h/a"), "postgres://u:***@h/a");
        let nine = ["postgres://h/a"; 9].join(",");
        for (text, reason) in [
            ("", "number 1: it does not name a file"),
            ("app.db", "number 1 is no URL of PostgreSQL"),
            ("postgres://h/a,", "number 2: it does not name a file"),
            ("postgres://h/a,mysql://h/a", "number 2: mysql is not"),
            (&nine, "there are 9"),
        ] {
            let error = replicas(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_masked() {
        for (text, shown) in [
            ("postgres://u:secret@db/app", "postgres://u:***@db/app"),
            ("postgres://u:se/cr@t@db/app", "postgres://u:***@db/app"),
            ("postgres://token@db/app", "postgres://token:***@db/app"),
            ("sqlite:///./app.db", "sqlite:///./app.db"),
            ("a@b.db", "a@b.db"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }
}
