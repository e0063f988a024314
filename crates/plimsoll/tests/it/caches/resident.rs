//! Resident memory stays below the limit while far more than it goes through a cache.

use std::path::PathBuf;
use std::process::Command;

use super::MIB;

/// The example `cache`, built for release beside the binary that `TESTED_BINARY` names.
fn optimised() -> Option<PathBuf> {
    let binary = PathBuf::from(std::env::var_os("TESTED_BINARY")?);
    Some(binary.parent()?.join("examples/cache")).filter(|example| example.exists())
}

/// A figure of the line that the child prints.
fn figure(line: &str, name: &str) -> u64 {
    let mut words = line.split([' ', '\n']);
    words.find(|word| *word == name).unwrap_or_else(|| panic!("{name} in {line}"));
    words.next().unwrap().parse().unwrap()
}

/// What is wrong with a peak.
fn above(peak_bytes: u64, limit_bytes: u64) -> Option<String> {
    let measured = peak_bytes > MIB;
    (!measured || peak_bytes > limit_bytes).then(|| format!("{peak_bytes} of {limit_bytes}"))
}

#[test]
#[allow(clippy::print_stdout, reason = "the output of a test")]
fn the_peak_stays_below_the_limit_while_millions_of_entries_pass_through() {
    let Some(example) = optimised() else {
        println!("SKIPPED: TESTED_BINARY names no release with the example `cache` beside it");
        return;
    };
    let limit = 32 * MIB;
    let spill = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let child = Command::new(&example)
        .args([limit.to_string(), "3000000".to_owned()])
        .arg(spill.path())
        .output()
        .unwrap();
    let line = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{line}{}", String::from_utf8_lossy(&child.stderr));
    println!("{line}");
    let peak = figure(&line, "VmHWM");
    assert_eq!(above(peak, limit), None);
    let [hot, cold] = ["hot_hits", "cold_hits"].map(|name| figure(&line, name));
    assert!(hot > 10_000 && cold > 10_000 && figure(&line, "puts") > 1_900_000, "{line}");
    assert_eq!((figure(&line, "wrong"), figure(&line, "damaged")), (0, 0));
    // The checker finds a peak that is too large: no process fits into so little.
    assert!(above(peak, 4 * MIB).is_some() && above(0, limit).is_some());
}
