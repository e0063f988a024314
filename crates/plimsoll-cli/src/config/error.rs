//! What is wrong with the settings: all of it at once.
//!
//! Promises: every problem names the setting, where it was set and what is allowed.
//! Never: a password, or more lines than a screen holds.

use std::fmt;

/// Problems that are listed; a file that is wholly something else has thousands.
const PROBLEMS_MAX: usize = 20;

/// What is wrong with the settings. Never empty once it is returned.
#[derive(Debug, Default)]
pub(crate) struct ConfigError {
    problems: Vec<String>,
    left_out: usize,
}

impl ConfigError {
    /// One problem.
    pub(super) fn new(problem: String) -> Self {
        Self { problems: vec![problem], left_out: 0 }
    }

    pub(super) fn add(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
        }
    }

    /// `value`, unless there is a problem.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &*self.problems {
            return f.write_str(only);
        }
        write!(f, "{} settings are wrong:", self.problems.len() + self.left_out)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::{ConfigError, PROBLEMS_MAX};

    #[test]
    fn a_list_of_problems_is_cut_and_says_so() {
        let mut error = ConfigError::default();
        for number in 0..PROBLEMS_MAX + 3 {
            error.add(format!("problem {number}"));
        }
        let text = error.to_string();
        assert!(text.starts_with("23 settings are wrong:\n  problem 0\n"), "{text}");
        assert!(text.ends_with("\n  problem 19\n  and 3 more"), "{text}");
    }
}
