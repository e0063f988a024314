//! Where a value was set.
//!
//! Promises: a person finds the place from it: the flag, the variable, or the file and its line.
//! Never: the value.

use std::fmt;
use std::path::PathBuf;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line, as the flag is spelled.
    Flag(&'static str),
    /// In the environment of the process, under this name.
    Variable(String),
    /// In a file of variables.
    DotEnv {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The variable.
        name: String,
    },
    /// In the configuration file.
    File {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Nowhere.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::DotEnv { file, line, name } => write!(f, "{}:{line} ({name})", file.display()),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}
