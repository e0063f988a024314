//! Embeds the packs' files, so that the binary needs none of them on disk, and names the commit.
//!
//! Promises: every .toml and .sql file below packs/ is in the binary under its path; a tree that
//! is no checkout builds as commit `unknown`.
//! Never: a pack's name here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Half a megabyte of relocations is read at start and stays resident; packed it is a few pages.
    // A linker that does not know the option says so and goes on.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|name| name == "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }

    // `cargo run` hands the variable to the binary too, which refuses PLIMSOLL_ names it does not
    // know: this one must not begin like a setting.
    println!("cargo::rustc-env=BUILT_FROM_COMMIT={}", commit());
    // Asked when it runs: a build script may have been compiled for another checkout.
    let own = env::var_os("CARGO_MANIFEST_DIR");
    let own = own.ok_or_else(|| io::Error::other("CARGO_MANIFEST_DIR is not set"))?;
    let root = Path::new(&own).join("../../packs").canonicalize()?;
    // Relative, and so are the paths in the code: where checkouts share a target directory, each
    // one's packs are its own.
    println!("cargo::rerun-if-changed=../../packs");
    let mut packs: Vec<PathBuf> = entries(&root)?.into_iter().filter(|p| p.is_dir()).collect();
    packs.sort();
    let mut code = String::from("static PACKS: &[&plimsoll_store::catalogue::PackFiles] = &[\n");
    for pack in packs {
        code.push_str("    &[\n");
        let mut files = Vec::new();
        collect(&pack, &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(&pack).map_err(io::Error::other)?;
            let path =
                Path::new("/../../packs").join(file.strip_prefix(&root).map_err(io::Error::other)?);
            let text = format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))");
            let line = format!("        ({name:?}, {text}),\n");
            code.write_str(&line).map_err(io::Error::other)?;
        }
        code.push_str("    ],\n");
    }
    code.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("packs.rs"), code)
}

fn commit() -> String {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let known = asked.ok().filter(|o| o.status.success());
    let text = known.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    text.filter(|t| !t.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "toml" || e == "sql") {
            files.push(path);
        }
    }
    Ok(())
}
