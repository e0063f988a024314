//! A short name of a database, for what is kept about it in the data directory.
//!
//! ```text
//!   postgres://reader:secret@DB/app?sslmode=require ─> db:5432, app ─┐
//!   app.db ──────────────────────────────────────> /srv/app.db ─────┴> SHA-256 ─> 16 digits
//! ```
//!
//! Promises: one database has one mark, whichever role, password and options it is asked with.
//! Never: a part of a password in it.

use std::path::Path;

use ring::digest::{SHA256, digest};

use crate::config::Database;

/// Bytes of the digest that are kept: a data directory has a few databases.
const MARK_BYTES: usize = 8;

/// See the module.
pub(crate) fn mark(database: &Database) -> String {
    let address = match database {
        Database::File(path) => of_file(path),
        Database::Postgres(url) => of_postgres(url),
    };
    let digest = digest(&SHA256, address.as_bytes());
    digest.as_ref().iter().take(MARK_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// A file that is not there yet has the path it is to have.
fn of_file(path: &Path) -> String {
    let found = path.canonicalize().or_else(|_| std::path::absolute(path));
    format!("file {}", found.as_deref().unwrap_or(path).display())
}

fn of_postgres(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // The last '@': a password may hold one unescaped.
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    let (place, options) = place.split_once('?').unwrap_or((place, ""));
    let (hosts, name) = place.split_once('/').unwrap_or((place, ""));
    let option = |wanted: &str| {
        let mut pairs = options.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
    };
    let hosts: Vec<String> = hosts.split(',').map(with_port).collect();
    let names = [option("dbname"), name, option("user"), user];
    // A database that is not named is called as the role.
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let asked = ["host", "hostaddr", "port"].map(option);
    format!("postgres {} {} {name}", hosts.join(","), asked.join(" "))
}

fn with_port(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let has = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has && !host.ends_with(']') { host } else { format!("{host}:5432") }
}

#[cfg(test)]
mod tests {
    use super::mark;
    use crate::config::Database;

    #[test]
    fn one_database_has_one_mark_however_it_is_asked() {
        let of = |url: &str| mark(&Database::Postgres(url.to_owned()));
        let one = of("postgres://u:p@db/app");
        assert_eq!(one.len(), 16);
        for same in [
            "postgresql://u:other/@x@DB:5432/app",
            "postgres://reader@db/app?sslmode=require&password=p",
            "postgres://db/app",
            "postgres://app@db",
            "postgres://u:p@db/?dbname=app",
        ] {
            assert_eq!(of(same), one, "{same}");
        }
        for other in [
            "postgres://u:p@db/app2",
            "postgres://u:p@db:5433/app",
            "postgres://u:p@db2/app",
            "postgres:///app?host=/run/postgresql",
            "postgres://u:p@[::1]/app",
        ] {
            assert_ne!(of(other), one, "{other}");
        }
        assert_eq!(of("postgres://[::1]/app"), of("postgres://[::1]:5432/app"));
    }

    #[test]
    fn one_file_has_one_mark_by_whichever_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.db");
        std::fs::write(&file, "").expect("written");
        let of = |path: std::path::PathBuf| mark(&Database::File(path));
        std::os::unix::fs::symlink(&file, folder.path().join("link")).expect("linked");
        assert_eq!(of(file.clone()), of(folder.path().join("./link")));
        assert_ne!(of(file), of(folder.path().join("other.db")));
    }
}
