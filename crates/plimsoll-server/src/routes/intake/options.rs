//! How a file is taken in, as the address says it.
//!
//! Promises: what is not known, or makes no sense together, is refused by name.
//! Never: a default that leaves rows out silently.

use plimsoll::format::Format;

use crate::params::{Query, flag, invalid, unknown};
use crate::problem::Result;

/// What becomes of a row that is there.
const ON_CONFLICT: &str = "on_conflict";
const PARAMETERS: [&str; 6] =
    ["format", "on_error", ON_CONFLICT, "max_errors", "ignore_unknown", "dry_run"];
/// Rows that are left out at most where nothing is said.
const ERRORS_MAX_PRESET: u64 = 10_000;
/// And whatever is said: their file is bounded by this.
const ERRORS_MAX: u64 = 1_000_000;

/// See the module.
pub(super) struct Options {
    pub(super) format: Option<Format>,
    pub(super) goes_on: bool,
    pub(super) on_conflict: Box<str>,
    pub(super) errors_max: u64,
    pub(super) ignore_unknown: bool,
    pub(super) dry_run: bool,
}

impl Options {
    /// Of a sync, which says itself what becomes of rows that are there.
    pub(super) fn of_sync(query: Option<&str>) -> Result<Self> {
        let without = PARAMETERS.iter().copied().filter(|name| *name != ON_CONFLICT);
        if Query::read(query)?.pairs().any(|(name, _)| name == ON_CONFLICT) {
            return Err(unknown(ON_CONFLICT, &without.collect::<Vec<_>>(), &[]));
        }
        Ok(Self { on_conflict: "update".into(), ..Self::read(query)? })
    }

    pub(super) fn read(query: Option<&str>) -> Result<Self> {
        let mut options = Self {
            format: None,
            goes_on: false,
            on_conflict: "error".into(),
            errors_max: ERRORS_MAX_PRESET,
            ignore_unknown: false,
            dry_run: false,
        };
        for (name, value) in Query::read(query)?.pairs() {
            match name {
                "format" => {
                    let named = Format::from_name(value);
                    let format =
                        named.ok_or_else(|| invalid(name, value, "csv, ndjson or json"))?;
                    options.format = Some(format);
                }
                "on_error" => match value {
                    "continue" => options.goes_on = true,
                    "stop" => options.goes_on = false,
                    _ => return Err(invalid(name, value, "stop or continue")),
                },
                ON_CONFLICT if matches!(value, "error" | "skip" | "update") => {
                    options.on_conflict = value.into();
                }
                ON_CONFLICT => return Err(invalid(name, value, "error, skip or update")),
                "max_errors" => {
                    let errors = value.parse().ok().filter(|errors| *errors <= ERRORS_MAX);
                    let allowed = || format!("a whole number up to {ERRORS_MAX}");
                    options.errors_max = errors.ok_or_else(|| invalid(name, value, &allowed()))?;
                }
                "ignore_unknown" => options.ignore_unknown = flag(name, value)?,
                "dry_run" => options.dry_run = flag(name, value)?,
                _ => return Err(unknown(name, &PARAMETERS, &[])),
            }
        }
        Ok(options)
    }
}
