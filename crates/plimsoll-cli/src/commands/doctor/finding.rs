//! One line of the doctor's answer.
//!
//! Promises: whatever is not ok says what to do.
//! Never: colour, or a line whose columns shift with the values of others beyond a bound.

use std::io::{self, Write};

use serde_json::json;

/// Values longer than this do not push the advice of all other lines to the right.
const VALUE_WIDTH_MAX: usize = 48;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// The server would not start, or would fail soon.
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) level: Level,
    /// What was looked at.
    pub(super) what: String,
    /// What was seen, for people.
    pub(super) value: String,
    /// What to do; empty where nothing.
    pub(super) advice: String,
    /// What was seen, as a number with its unit.
    figure: Option<(u64, &'static str)>,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, value: impl Into<String>) -> Self {
        let (what, value) = (what.into(), value.into());
        Self { level: Level::Ok, what, value, advice: String::new(), figure: None }
    }

    pub(super) fn warn(
        what: impl Into<String>,
        value: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Warn, advice: advice.into(), ..Self::ok(what, value) }
    }

    pub(super) fn fail(
        what: impl Into<String>,
        value: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Fail, advice: advice.into(), ..Self::ok(what, value) }
    }

    /// Adds the number that was seen, for programs.
    pub(super) fn figure(mut self, number: u64, unit: &'static str) -> Self {
        self.figure = Some((number, unit));
        self
    }

    pub(super) fn document(&self) -> serde_json::Value {
        let mut document = json!({
            "level": self.level.word(),
            "what": self.what,
            "value": self.value,
            "advice": self.advice,
        });
        if let Some((number, unit)) = self.figure {
            document["figure"] = json!(number);
            document["unit"] = json!(unit);
        }
        document
    }
}

/// All lines, in columns.
pub(super) fn print(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let width = |of: fn(&Finding) -> &str| {
        findings.iter().map(|f| of(f).chars().count()).max().unwrap_or(0).min(VALUE_WIDTH_MAX)
    };
    let what_width = width(|f| &f.what);
    let value_width = width(|f| &f.value);
    for finding in findings {
        let Finding { what, value, advice, .. } = finding;
        let word = finding.level.word();
        let line = format!("{word:4}  {what:what_width$}  {value:value_width$}  {advice}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Finding, print};

    #[test]
    fn lines_stand_in_columns_and_one_long_value_shifts_only_its_own() {
        let long = "v".repeat(80);
        let findings = [
            Finding::ok("a", "1"),
            Finding::warn("longer", "22", "do this"),
            Finding::fail("b", long.clone(), "do that"),
        ];
        let mut out = Vec::new();
        print(&findings, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok    a       1");
        assert_eq!(lines[1], format!("warn  longer  {:48}  do this", "22"));
        assert_eq!(lines[2], format!("fail  b       {long}  do that"));
    }
}
