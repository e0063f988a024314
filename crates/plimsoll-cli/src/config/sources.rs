//! Where settings are looked for, read from the machine once at start.
//!
//! ```text
//!   --config FILE  >  PLIMSOLL_CONFIG  >  PLIMSOLL_CONFIG in .env  >  ./plimsoll.toml
//!       has to be there                                               may be missing
//! ```
//!
//! Promises: a file that was named and cannot be read is an error.
//! Never: a file read past a bound, or the environment read by anything else.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::key::FILE_VARIABLE;
use super::variables;

/// A configuration beyond this is some other file.
const FILE_BYTES_MAX: u64 = 1 << 20;
const DOTENV_NAME: &str = ".env";
const FILE_NAME: &str = "plimsoll.toml";

/// All that settings are read from, strongest first.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Keys by name with the text given on the command line.
    pub(crate) flags: Vec<(&'static str, String)>,
    /// The environment.
    pub(crate) env: Vec<(String, String)>,
    /// The `.env` file, as messages name it, and its text.
    pub(crate) dotenv: Option<(PathBuf, String)>,
    /// The configuration file, as messages name it, and its text.
    pub(crate) file: Option<(PathBuf, String)>,
}

impl Sources {
    /// Reads the files of `directory` (empty for the working directory) and keeps what concerns
    /// settings of `env`. `config` is what `--config` names.
    ///
    /// # Errors
    /// When a file that is there, or that was named, cannot be read, is too large or not UTF-8.
    pub(crate) fn gather(
        flags: Vec<(&'static str, String)>,
        config: Option<PathBuf>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let env = readable(env)?;
        let dotenv_path = directory.join(DOTENV_NAME);
        // Some keep a directory of that name. The file is the application's: bytes that are not
        // UTF-8 in it are none of our business.
        let dotenv = match dotenv_path.is_file() {
            true => Some(String::from_utf8_lossy(&bytes_of(&dotenv_path)?).into_owned()),
            false => None,
        };
        let variable = env.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
        let named = config.or_else(|| {
            let in_dotenv = || dotenv.as_deref().and_then(variables::file_named_in);
            variable.map(|(_, value)| value.clone()).or_else(in_dotenv).map(PathBuf::from)
        });
        let usual = directory.join(FILE_NAME);
        let file = match named {
            Some(path) => Some((path.clone(), text_of(&path)?)),
            None if usual.try_exists().unwrap_or(true) => Some((usual.clone(), text_of(&usual)?)),
            None => None,
        };
        Ok(Self { flags, env, dotenv: dotenv.map(|text| (dotenv_path, text)), file })
    }
}

fn readable(
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut kept = Vec::new();
    for (name, value) in env {
        let name = name.to_string_lossy().into_owned();
        if !variables::is_ours(&name) {
            continue;
        }
        let Ok(value) = value.into_string() else {
            let problem = format!("the variable {} is not UTF-8", plimsoll::error::excerpt(&name));
            return Err(ConfigError::new(problem));
        };
        kept.push((name, value));
    }
    Ok(kept)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let refused = |why: String| {
        ConfigError::new(format!("cannot read the settings in {}: {why}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|e| refused(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| refused(e.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let most = plimsoll::units::ByteSize::new(FILE_BYTES_MAX);
        return Err(refused(format!("it is larger than {most}")));
    }
    Ok(bytes)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(bytes_of(path)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|b| **b == b'\n').count() + 1;
        ConfigError::new(format!("{}:{line}: it is not UTF-8", path.display()))
    })
}
