//! Every setting there is: its name, its flag, its variables, what it may be and what it is unset.
//!
//! Promises: each key here has an effect; `a.b` is `[a] b` in the file, `PLIMSOLL_A_B`,
//! `PLIMSOLL__A__B` and `SPACETIME__A__B` in the environment.
//! Never: a key that is read and then ignored.

use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;

/// A variable that names the configuration file. It is no key: it says where keys are.
pub(crate) const FILE_VARIABLE: &str = "PLIMSOLL_CONFIG";

/// A variable with the key with which a command asks a server. It is no key of these: a secret
/// stands in no file of settings, and is not shown.
pub(crate) const API_KEY_VARIABLE: &str = "PLIMSOLL_API_KEY";

/// Variables of the forerunner's documents whose subject this version does not have yet.
pub(super) const LATER_VARIABLES: [&str; 3] =
    ["SPACETIME_CHUNK_STRATEGY", "SPACETIME_COMPRESSION", "SPACETIME_ENABLE_CHECKPOINTING"];

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// `section.key`.
    pub(crate) name: &'static str,
    /// How the command line spells it.
    pub(crate) flag: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
    /// What it is when nobody sets it.
    pub(super) preset: Preset,
    /// Further variables, weaker than those made from the name, strongest first.
    other_variables: &'static [&'static str],
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A size of at least so many bytes.
    Bytes { min: u64 },
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A database, as a URL or a path.
    Database,
    /// PostgreSQL databases as URLs, parted by commas.
    Replicas,
    /// An address or a name of this host.
    Host,
    /// Where others reach the server.
    Url,
    /// Names of queues, parted by commas.
    Names,
    /// Hosts and networks, parted by commas.
    Hosts,
    /// A whole number.
    Integer { min: u64, max: u64 },
    /// A length of time, in milliseconds.
    Duration { min_ms: u64, max_ms: u64 },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// On or off.
    Switch,
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// Nothing; the words say what happens then.
    Unset(&'static str),
    /// As if this had been written.
    Text(&'static str),
    /// The entry of this name in the directory that another key, listed earlier, names.
    In(&'static str, &'static str),
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// All settings, in the order they are shown.
pub(crate) static KEYS: [Key; 39] = [
    Key {
        name: "memory.limit",
        flag: "--memory",
        kind: Kind::Bytes { min: TOOL_LIMIT_BYTES_MIN },
        preset: Preset::Unset("found at start, see plimsoll doctor"),
        other_variables: &["SPACETIME_MEMORY_LIMIT"],
    },
    Key {
        name: "data_dir",
        flag: "--data",
        kind: Kind::Directory,
        preset: Preset::Text("./plimsoll-data"),
        other_variables: &[],
    },
    Key {
        name: "database.url",
        flag: "--database",
        kind: Kind::Database,
        preset: Preset::Unset("plimsoll's own file in data_dir"),
        other_variables: &["DATABASE_URL"],
    },
    Key {
        name: "database.resources",
        flag: "--resources",
        kind: Kind::File,
        preset: Preset::Unset("every table that has a key"),
        other_variables: &[],
    },
    Key {
        name: "database.queries",
        flag: "--queries",
        kind: Kind::Directory,
        preset: Preset::Unset("no named queries"),
        other_variables: &[],
    },
    Key {
        name: "database.replicas",
        flag: "--database-replicas",
        kind: Kind::Replicas,
        preset: Preset::Unset("none: rows are read from database.url"),
        other_variables: &[],
    },
    // A replica is looked at every second: less than that is noise.
    plain(
        "database.replica_lag",
        "--database-replica-lag",
        Kind::Duration { min_ms: SECOND, max_ms: HOUR },
        "5s",
    ),
    plain("database.makes_way", "--database-makes-way", Kind::Switch, "true"),
    Key {
        name: "control.url",
        flag: "--control-url",
        kind: Kind::Database,
        preset: Preset::Unset(
            "jobs beside somebody's own database are in control-MARK.db in data_dir",
        ),
        other_variables: &[],
    },
    Key {
        name: "spill.dir",
        flag: "--spill-dir",
        kind: Kind::Directory,
        preset: Preset::In("data_dir", "spill"),
        other_variables: &["SPACETIME_EXTERNAL_STORAGE"],
    },
    Key {
        name: "access.file",
        flag: "--access",
        kind: Kind::File,
        preset: Preset::Unset("nobody is asked who they are"),
        other_variables: &[],
    },
    Key {
        name: "audit.file",
        flag: "--audit-file",
        kind: Kind::File,
        preset: Preset::Unset("with an access file audit.ndjson in data_dir, without one none"),
        other_variables: &[],
    },
    plain("http.host", "--host", Kind::Host, "127.0.0.1"),
    // Port 0 asks the system for a free one.
    plain("http.port", "--port", Kind::Integer { min: 0, max: 65_535 }, "8000"),
    Key {
        name: "http.public_url",
        flag: "--http-public-url",
        kind: Kind::Url,
        preset: Preset::Unset("none: links to exports are paths"),
        other_variables: &[],
    },
    plain(
        "http.connections_max",
        "--http-connections-max",
        Kind::Integer { min: 1, max: 10_000 },
        "512",
    ),
    plain(
        "http.header_timeout",
        "--http-header-timeout",
        Kind::Duration { min_ms: 100, max_ms: HOUR },
        "10s",
    ),
    // Below a second the clock of the stall check is coarser than the time it judges.
    plain(
        "http.stall_timeout",
        "--http-stall-timeout",
        Kind::Duration { min_ms: SECOND, max_ms: HOUR },
        "30s",
    ),
    plain(
        "http.drain_timeout",
        "--http-drain-timeout",
        Kind::Duration { min_ms: 0, max_ms: HOUR },
        "10s",
    ),
    plain("stream.max", "--stream-max", Kind::Integer { min: 1, max: 10_000 }, "256"),
    plain("analytics.max", "--analytics-max", Kind::Integer { min: 1, max: 64 }, "2"),
    plain("exports.max", "--exports-max", Kind::Integer { min: 1, max: 100_000 }, "1024"),
    // Below it not even a small export is sure to find room beside another.
    plain("exports.disk_max", "--exports-disk-max", Kind::Bytes { min: 1 << 20 }, "4G"),
    // 0: the server runs no job itself, and still tends the queue for other workers.
    plain("jobs.concurrency", "--jobs-concurrency", Kind::Integer { min: 0, max: 256 }, "2"),
    plain("jobs.queues", "--jobs-queues", Kind::Names, "high,default,low"),
    plain("jobs.lease", "--jobs-lease", Kind::Duration { min_ms: SECOND / 2, max_ms: HOUR }, "12s"),
    plain("jobs.renew", "--jobs-renew", Kind::Duration { min_ms: SECOND / 10, max_ms: HOUR }, "3s"),
    Key {
        name: "push.secrets",
        flag: "--push-secrets",
        kind: Kind::File,
        preset: Preset::Unset("no secrets: nothing is pushed"),
        other_variables: &[],
    },
    Key {
        name: "push.allow",
        flag: "--push-allow",
        kind: Kind::Hosts,
        preset: Preset::Unset("addresses of the world, over https"),
        other_variables: &[],
    },
    Key {
        name: "events.webhooks",
        flag: "--events-webhooks",
        kind: Kind::File,
        preset: Preset::Unset("nobody is told of events by a webhook"),
        other_variables: &[],
    },
    plain("cache.warm.periods", "--cache-warm-periods", Kind::Names, "1d,yesterday,7d,30d,90d"),
    plain("cache.warm.channels", "--cache-warm-channels", Kind::Names, "all"),
    plain(
        "cache.warm.fresh",
        "--cache-warm-fresh",
        Kind::Duration { min_ms: SECOND, max_ms: 24 * HOUR },
        "15m",
    ),
    plain(
        "reports.keep",
        "--reports-keep",
        Kind::Duration { min_ms: SECOND, max_ms: 366 * 24 * HOUR },
        "24h",
    ),
    plain(
        "intake.keep",
        "--intake-keep",
        Kind::Duration { min_ms: SECOND, max_ms: 366 * 24 * HOUR },
        "24h",
    ),
    plain("intake.disk_max", "--intake-disk-max", Kind::Bytes { min: 1 << 20 }, "4G"),
    plain("log.format", "--log-format", Kind::Choice(&["auto", "pretty", "json"]), "auto"),
    plain(
        "log.level",
        "--log-level",
        Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]),
        "info",
    ),
    plain("log.access", "--log-access", Kind::Switch, "true"),
];

/// A key with a default and no names but those made from its own.
const fn plain(name: &'static str, flag: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, flag, kind, preset: Preset::Text(default), other_variables: &[] }
}

impl Key {
    /// The variables that set it, strongest first.
    pub(super) fn variables(&self) -> Vec<String> {
        let name = self.name.to_ascii_uppercase();
        let (short, long) = (name.replace('.', "_"), name.replace('.', "__"));
        let ours =
            ["PLIMSOLL_", "PLIMSOLL__", "SPACETIME__"].into_iter().zip([&short, &long, &long]);
        let ours = ours.map(|(prefix, name)| format!("{prefix}{name}"));
        ours.chain(self.other_variables.iter().map(ToString::to_string)).collect()
    }
}

/// The key called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// All names, for messages. The configuration that a message is about cannot be shown.
pub(super) fn names() -> String {
    KEYS.each_ref().map(|k| k.name).join(", ")
}

/// Whether `name` is a section that keys stand in.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|k| k.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::{KEYS, Preset};

    #[test]
    fn no_two_keys_share_a_name_a_flag_or_a_variable() {
        let mut seen = std::collections::BTreeSet::new();
        for key in &KEYS {
            let names = [key.name.to_owned(), key.flag.to_owned()];
            for name in names.into_iter().chain(key.variables()) {
                assert!(seen.insert(name.clone()), "{name} stands twice");
            }
        }
    }

    #[test]
    fn a_default_built_on_another_key_comes_after_it() {
        for (at, key) in KEYS.iter().enumerate() {
            if let Preset::In(base, _) = key.preset {
                assert!(KEYS[..at].iter().any(|k| k.name == base), "{}", key.name);
            }
        }
    }
}
