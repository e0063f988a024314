//! The memory limit, where it comes from, and whether anything runs under it.
//!
//! Promises: the tighter of two limits is named with the one it overrules.
//! Never: a limit changed.

use plimsoll::budget::discover::{ExplicitLimit, LimitSource, SystemFiles, discover};
use plimsoll::limits::{SERVER_LIMIT_BYTES_MIN, TOOL_LIMIT_BYTES_MIN};
use plimsoll::units::ByteSize;

use super::finding::Finding;
use crate::config::Config;

const WHAT: &str = "memory limit";

/// Finds the limit as the other commands do. `address_space_bytes` is RLIMIT_AS where it is set.
pub(super) fn check(
    config: &Config,
    files: &dyn SystemFiles,
    address_space_bytes: Option<u64>,
) -> Finding {
    let explicit = config
        .bytes("memory.limit")
        .map(|bytes| ExplicitLimit { bytes, origin: config.origin("memory.limit").to_string() });
    let limit = match discover(files, explicit, address_space_bytes) {
        Ok(limit) => limit,
        Err(error) => return Finding::fail(WHAT, "unknown", error.to_string()),
    };
    let text = limit.to_string();
    let server_min = ByteSize::new(SERVER_LIMIT_BYTES_MIN);
    let ram_bytes = machine_bytes(files);
    let finding = if limit.bytes < TOOL_LIMIT_BYTES_MIN {
        let tool_min = ByteSize::new(TOOL_LIMIT_BYTES_MIN);
        let advice = format!("nothing runs below {tool_min}, the server not below {server_min}");
        Finding::fail(WHAT, text, advice)
    } else if limit.bytes < SERVER_LIMIT_BYTES_MIN {
        let advice = format!("file tools run; plimsoll serve needs at least {server_min}");
        Finding::warn(WHAT, text, advice)
    } else if let Some(asked) = &limit.cut {
        let advice = format!("lower {}, or raise what is tighter", asked.origin);
        Finding::warn(WHAT, text, advice)
    } else if let Some(ram_bytes) = ram_bytes.filter(|ram| limit.bytes > *ram) {
        let advice = format!("the machine has {}; set less", ByteSize::new(ram_bytes));
        Finding::warn(WHAT, text, advice)
    } else {
        Finding::ok(WHAT, text)
    };
    finding.figure(limit.bytes, "bytes")
}

/// The machine's memory: what the limit is a share of where nobody sets one.
fn machine_bytes(files: &dyn SystemFiles) -> Option<u64> {
    struct MemoryInfo<'a>(&'a dyn SystemFiles);
    impl SystemFiles for MemoryInfo<'_> {
        fn read(&self, path: &str) -> Option<String> {
            (path == "/proc/meminfo").then(|| self.0.read(path))?
        }
    }
    match discover(&MemoryInfo(files), None, None).ok()?.source {
        LimitSource::Ram { total_bytes } => Some(total_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll::budget::discover::SystemFiles;

    use super::super::finding::Level;
    use super::check;
    use crate::config::tests::with_flags;

    /// A machine with 64 MiB and nothing else to tell.
    struct Board;

    impl SystemFiles for Board {
        fn read(&self, path: &str) -> Option<String> {
            (path == "/proc/meminfo").then(|| "MemTotal: 65536 kB\n".to_owned())
        }
    }

    struct Mute;

    impl SystemFiles for Mute {
        fn read(&self, _: &str) -> Option<String> {
            None
        }
    }

    #[test]
    fn each_limit_is_judged_by_what_runs_under_it() {
        for (limit, address_space, level, value, advice) in [
            (None, None, Level::Ok, "44.8 MiB from 70 % of 64 MiB RAM", ""),
            (Some("40M"), None, Level::Ok, "40 MiB from --memory", ""),
            (
                Some("20M"),
                None,
                Level::Warn,
                "20 MiB from --memory",
                "file tools run; plimsoll serve needs at least 32 MiB",
            ),
            (
                Some("40M"),
                Some(36 << 20),
                Level::Warn,
                "36 MiB from RLIMIT_AS, which is tighter than the 40 MiB of --memory",
                "lower --memory, or raise what is tighter",
            ),
            (
                Some("1G"),
                None,
                Level::Warn,
                "1 GiB from --memory",
                "the machine has 64 MiB; set less",
            ),
            (
                None,
                Some(8 << 20),
                Level::Fail,
                "8 MiB from RLIMIT_AS",
                "nothing runs below 16 MiB, the server not below 32 MiB",
            ),
        ] {
            let flags: Vec<_> = limit.map(|text| ("memory.limit", text)).into_iter().collect();
            let finding = check(&with_flags(&flags), &Board, address_space);
            assert_eq!(finding.level, level, "{finding:?}");
            assert_eq!(finding.value, value);
            assert_eq!(finding.advice, advice);
        }
    }

    #[test]
    fn a_machine_that_says_nothing_needs_a_limit_from_a_person() {
        let finding = check(&with_flags(&[]), &Mute, None);
        assert_eq!((finding.level, &*finding.value), (Level::Fail, "unknown"));
        assert!(finding.advice.contains("set one, such as 256M"), "{finding:?}");
    }
}
