//! The settings of one run, and where each came from.
//!
//! ```text
//!   flag > environment > .env > plimsoll.toml > default
//!     └── the first that names a key sets it; its text is read by the key's kind; unknown
//!         names in any of them are errors, wrong texts only where they would count
//! ```
//!
//! Promises: a [`Config`] that loaded holds every key of [`KEYS`] with a value inside its bounds;
//! what is wrong is reported all at once, with key, origin, value and what is allowed.
//! Never: a password shown, a file or variable read here ([`Sources::gather`] does), or a setting
//! that changes after the start.

mod database_url;
mod dotenv;
mod error;
mod file;
mod key;
mod origin;
mod sources;
mod suggest;
mod value;
mod variables;

use std::borrow::Cow;
use std::path::Path;

pub(crate) use database_url::Database;
pub(crate) use error::ConfigError;
pub(crate) use key::{API_KEY_VARIABLE, KEYS, Key};
pub(crate) use origin::Origin;
pub(crate) use sources::Sources;
pub(crate) use suggest::closest;
pub(crate) use value::{Value, duration, milliseconds};

use key::{Kind, Preset};

/// A key as one source gives it.
#[derive(Debug)]
struct Given {
    key: &'static Key,
    text: String,
    origin: Origin,
}

/// One key of a run.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Which.
    pub(crate) key: &'static Key,
    /// What it is.
    pub(crate) value: Value,
    /// Who set it.
    pub(crate) origin: Origin,
    text: String,
}

/// The settings of one run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// One per key, in the order of [`KEYS`].
    settings: Vec<Setting>,
}

impl Config {
    /// Puts the sources together and reads every value.
    ///
    /// # Errors
    /// Unknown names, texts that cannot be read, and values that are not allowed: all of them.
    pub(crate) fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::default();
        let flags = sources.flags.iter().map(|(name, text)| {
            let key = key::find(name).expect("flags are made from keys");
            Given { key, text: text.clone(), origin: Origin::Flag(key.flag) }
        });
        let mut given: Vec<Given> = flags.collect();
        given.extend(variables::environment(&sources.env, &mut problems));
        if let Some((path, text)) = &sources.dotenv {
            given.extend(variables::dotenv(path, text, &mut problems));
        }
        if let Some((path, text)) = &sources.file {
            given.extend(file::read(path, text, &mut problems));
        }
        let mut config = Self { settings: Vec::with_capacity(KEYS.len()) };
        for key in &KEYS {
            let setting = match given.iter().find(|g| std::ptr::eq(g.key, key)) {
                Some(given) => read(given).map_err(|problem| problems.add(problem)),
                None => Ok(config.preset(key)),
            };
            // A key that is refused holds its default until the problems are returned.
            let setting = setting.unwrap_or_else(|()| config.preset(key));
            config.settings.push(setting);
        }
        problems.or(config)
    }

    fn preset(&self, key: &'static Key) -> Setting {
        let text = match key.preset {
            Preset::Unset(_) => {
                let value = Value::Unset;
                return Setting { key, value, origin: Origin::Default, text: String::new() };
            }
            Preset::Text(text) => text.to_owned(),
            Preset::In(base, name) => {
                let base = self.path(base).expect("the directory has a default");
                base.join(name).to_string_lossy().into_owned()
            }
        };
        let value = key.kind.read(&text).expect("a default is allowed");
        Setting { key, value, origin: Origin::Default, text }
    }

    /// All settings in a stable order.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    fn setting(&self, name: &str) -> &Setting {
        let found = self.settings.iter().find(|s| s.key.name == name);
        found.unwrap_or_else(|| panic!("{name} is not a key"))
    }

    /// Who set `name`.
    pub(crate) fn origin(&self, name: &str) -> &Origin {
        &self.setting(name).origin
    }

    /// A word or a host.
    pub(crate) fn text(&self, name: &str) -> &str {
        match &self.setting(name).value {
            Value::Text(text) => text,
            other => panic!("{name} is not text but {other:?}"),
        }
    }

    /// A word that may be unset.
    pub(crate) fn optional_text(&self, name: &str) -> Option<&str> {
        match &self.setting(name).value {
            Value::Text(text) => Some(text),
            Value::Unset => None,
            other => panic!("{name} is not text but {other:?}"),
        }
    }

    /// Somebody's own database, where one is named.
    pub(crate) fn database(&self) -> Option<&Database> {
        match &self.setting("database.url").value {
            Value::Database(database) => Some(database),
            _ => None,
        }
    }

    /// Where Plimsoll's own tables are beside it, where that is named.
    pub(crate) fn control(&self) -> Option<&Database> {
        match &self.setting("control.url").value {
            Value::Database(database) => Some(database),
            _ => None,
        }
    }

    /// URLs of the database's replicas.
    pub(crate) fn replicas(&self) -> &[String] {
        match &self.setting("database.replicas").value {
            Value::Replicas(urls) => urls,
            _ => &[],
        }
    }

    /// A directory; `None` where it is unset.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        match &self.setting(name).value {
            Value::Path(path) => Some(path),
            Value::Unset => None,
            other => panic!("{name} is not a path but {other:?}"),
        }
    }

    /// A size; `None` where it is unset.
    pub(crate) fn bytes(&self, name: &str) -> Option<u64> {
        match self.setting(name).value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Unset => None,
            ref other => panic!("{name} is not a size but {other:?}"),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> u64 {
        match self.setting(name).value {
            Value::Integer(number) => number,
            ref other => panic!("{name} is not a number but {other:?}"),
        }
    }

    /// A length of time in milliseconds.
    pub(crate) fn duration_ms(&self, name: &str) -> u64 {
        match self.setting(name).value {
            Value::DurationMs(ms) => ms,
            ref other => panic!("{name} is not a time but {other:?}"),
        }
    }

    /// Whether it is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        match self.setting(name).value {
            Value::Switch(on) => on,
            ref other => panic!("{name} is not on or off but {other:?}"),
        }
    }
}

impl Setting {
    /// The value as it was written, safe to show; in brackets what happens where there is none.
    pub(crate) fn shown(&self) -> String {
        match self.key.preset {
            Preset::Unset(meaning) if self.value == Value::Unset => format!("({meaning})"),
            // A terminal must not take orders from a setting.
            _ => redacted(self.key, self.text.trim()).replace(char::is_control, "\u{fffd}"),
        }
    }
}

/// What a key was set to, without passwords.
fn redacted<'a>(key: &Key, text: &'a str) -> Cow<'a, str> {
    match key.kind {
        Kind::Replicas => database_url::redacted_list(text),
        _ => database_url::redacted(text),
    }
}

fn read(given: &Given) -> Result<Setting, String> {
    let Given { key, text, origin } = given;
    let value = key.kind.read(text).map_err(|why| {
        let shown = plimsoll::error::excerpt(&redacted(key, text));
        let why = if why.is_empty() { why } else { format!("{why}; ") };
        let allowed = key.kind.allowed();
        format!("{} from {origin} is '{shown}': {why}allowed is {allowed}", key.name)
    })?;
    Ok(Setting { key, value, origin: origin.clone(), text: text.clone() })
}

#[cfg(test)]
pub(crate) mod tests;
