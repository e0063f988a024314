//! One directory for the spills of several processes and several users.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::tool::{Running, Tool, optimised};

/// Two users who own nothing; no account is needed to be one.
const USERS: [u32; 2] = [65_533, 65_534];
/// Rows that do not fit 32 MiB.
const ROWS: u64 = 600_000;

fn row(id: u64) -> String {
    let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:020},{id},\"note {mixed:032x}\"\n")
}

/// A folder every user may enter, with the binary and a root to spill to.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_plimsoll")).to_owned();
    fs::copy(optimised().unwrap_or(own), folder.path().join("plimsoll")).unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (&root, 0o1777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    folder
}

/// Sorts what comes from standard input, as the user where one is named.
fn sort(folder: &Path, user: Option<u32>) -> Tool {
    let flags = ["sort", "--by", "key", "--memory", "32M", "--spill-in-memory"];
    let tool = Tool::of(&folder.join("plimsoll"), folder, &flags);
    let tool = tool.env("TMPDIR", folder.join("root").to_str().unwrap());
    match user {
        Some(user) => tool.user(user),
        None => tool,
    }
}

/// A sort that has been given all of its rows but not their end.
fn sort_under_way(folder: &Path, user: Option<u32>, before: usize) -> (Running, SyncSender<()>) {
    let (end, ends) = sync_channel(1);
    let fed = sort(folder, user).fed(move |out| {
        writeln!(out, "key,id,note")?;
        (0..ROWS).try_for_each(|id| out.write_all(row(id).as_bytes()))?;
        out.flush()?;
        // The test has gone, or says that this is the end.
        let _gone = ends.recv();
        Ok(())
    });
    let mut run = fed.start();
    for _ in 0..60_000 {
        if owners(folder).len() > before {
            return (run, end);
        }
        assert!(run.ends_within(Duration::from_millis(1)).is_none(), "it ended before its input");
    }
    panic!("it does not spill: {:?}", run.kill());
}

/// Who has a directory in the root.
fn owners(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder.join("root")).unwrap();
    let mut owners: Vec<u32> = entries
        .map(|entry| {
            let data = entry.unwrap().metadata().unwrap();
            assert_eq!(data.mode() & 0o777, 0o700, "for its owner alone");
            data.uid()
        })
        .collect();
    owners.sort_unstable();
    owners
}

fn assert_sorted(out: &[u8]) {
    let mut rows: Vec<String> = (0..ROWS).map(row).collect();
    rows.sort();
    let expected = format!("key,id,note\n{}", rows.concat());
    assert!(out == expected.as_bytes(), "the rows by their key");
}

#[test]
fn two_processes_share_a_spill_root() {
    let folder = place();
    let (first, end_first) = sort_under_way(folder.path(), None, 0);
    let (second, end_second) = sort_under_way(folder.path(), None, 1);
    end_second.send(()).unwrap();
    let ended = second.wait();
    assert_sorted(&ended.expect(0, &[]).out);
    assert_eq!(owners(folder.path()).len(), 1, "that of the first is left alone");
    end_first.send(()).unwrap();
    assert_sorted(&first.wait().expect(0, &[]).out);
    assert!(owners(folder.path()).is_empty());
}

#[test]
fn two_users_share_a_spill_root_and_sweep_only_their_own() {
    let folder = place();
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can run as two users");
        return;
    }
    let [one, other] = USERS;
    let (run, _end) = sort_under_way(folder.path(), Some(one), 0);
    run.kill();
    assert_eq!(owners(folder.path()), [one], "a directory without an owner");

    // Another user's run can neither use nor remove it, and need not.
    let (run, end) = sort_under_way(folder.path(), Some(other), 1);
    assert_eq!(owners(folder.path()), [one, other]);
    // The first user's next run removes its own and leaves the living one of the other.
    let (again, end_again) = sort_under_way(folder.path(), Some(one), 1);
    end.send(()).unwrap();
    assert_sorted(&run.wait().expect(0, &[]).out);
    assert_eq!(owners(folder.path()), [one]);
    end_again.send(()).unwrap();
    assert_sorted(&again.wait().expect(0, &[]).out);
    assert!(owners(folder.path()).is_empty());
}
