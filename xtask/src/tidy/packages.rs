//! What the crates may depend on.
//!
//! Promises: counts distinct packages (name and version) of a normal build on this target.
//! Never: the network; the lock file decides.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::Violation;

/// A package of this project and what its dependency tree must not hold.
pub struct PackageRule {
    /// The package.
    pub package: &'static str,
    /// Most packages in its tree, itself included.
    pub packages_max: usize,
    /// Packages that must not stand in it.
    pub banned: &'static [&'static str],
}

/// The rules: the library is small, sync and knows neither SQL nor HTTP; the store knows no HTTP.
pub const PACKAGES: [PackageRule; 2] = [
    PackageRule {
        package: "plimsoll",
        packages_max: 39,
        banned: &["tokio", "hyper", "axum", "rusqlite", "libsqlite3-sys", "tokio-postgres"],
    },
    PackageRule {
        package: "plimsoll-store",
        packages_max: 200,
        banned: &["axum", "hyper", "hyper-util", "tower"],
    },
];

/// Asks Cargo for the tree of a package, one `name vVERSION` a line.
///
/// # Errors
/// Cargo is missing or refused.
pub fn cargo_tree(root: &Path, package: &str) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "-e", "normal", "--prefix", "none", "-p", package])
        .current_dir(root)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "cargo tree -p {package}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Judges the tree of one package.
#[must_use]
pub fn packages(rule: &PackageRule, tree: &str) -> Vec<Violation> {
    let path = format!("crates/{}/Cargo.toml", rule.package);
    let names: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let mut found = Vec::new();
    if names.is_empty() {
        found.push(Violation::new(&path, 1, "cargo tree printed nothing"));
    }
    if names.len() > rule.packages_max {
        let text = format!("{} packages; at most {}", names.len(), rule.packages_max);
        found.push(Violation::new(&path, 1, text));
    }
    for (name, version) in names.iter().filter(|(name, _)| rule.banned.contains(name)) {
        let text = format!("{name} {version} must not stand in its dependency tree");
        found.push(Violation::new(&path, 1, text));
    }
    found
}
