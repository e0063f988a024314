//! A person's own file is served without a byte of it, or a name beside it, being changed.
//!
//! Promises: rollback journal and WAL, writable and read-only, before and after.
//! Never: root's leave to write where nobody may: the read-only cases run as another user.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::fixture::{lines, open, request, walk};

const CHILD: &str = "PLIMSOLL_TEST_READ_ONLY";
const NOBODY: u32 = 65_534;

/// Every name in the folder with its content's digest.
fn listing(folder: &Path) -> BTreeMap<String, blake3::Hash> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let bytes = std::fs::read(entry.path()).expect("its bytes");
            (entry.file_name().to_string_lossy().into_owned(), blake3::hash(&bytes))
        })
        .collect()
}

fn make(file: &Path, mode: &str) {
    let connection = Connection::open(file).expect("a file");
    let made: String = connection
        .pragma_update_and_check(None, "journal_mode", mode, |r| r.get(0))
        .expect("a mode");
    assert_eq!(made, mode);
    let ddl = "create table t (id integer primary key, a text, b integer);
        insert into t with recursive n(n) as (select 1 union all select n + 1 from n limit 5000)
        select n, 'text ' || n, n % 7 from n;";
    connection.execute_batch(ddl).expect("rows");
}

/// Pages, a filter, an unindexed sort, a query and an end.
fn serve(file: &Path) {
    let store = open(file, false, &|_| {});
    let table = store.catalogue().table("t").expect("served").clone();
    for order in ["", "-id", "b"] {
        let out = walk(&store, false, || request(&table, order)).expect("rows");
        assert_eq!(lines(&out).len(), 5000, "'{order}'");
    }
    store.query("select b, count(*) from t group by b order by 2", 9).wait().expect("a sum");
    store.ping().wait().expect("alive");
    store.close().expect("closed");
}

#[test]
fn serving_changes_no_byte_and_no_name() {
    for mode in ["delete", "wal"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("theirs.db");
        make(&file, mode);
        let before = listing(folder.path());
        assert_eq!(before.len(), 1, "{mode}: {before:?}");
        serve(&file);
        assert_eq!(listing(folder.path()), before, "{mode}");
    }
}

#[test]
fn a_log_that_its_owner_left_behind_is_read_and_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("made.db");
    make(&made, "wal");
    let connection = Connection::open(&made).expect("their process");
    connection
        .execute_batch("delete from t where id > 5000; update t set a = 'new'")
        .expect("rows");
    // A copy while their process lives is what a kill of it would leave.
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).expect("a folder");
    for name in ["made.db", "made.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.join(name)).expect("copied");
    }
    let before = listing(&copy);
    serve(&copy.join("made.db"));
    let after = listing(&copy);
    for (name, digest) in &before {
        assert_eq!(after.get(name), Some(digest), "{name}");
    }
}

/// Runs this test again as a user whom the permissions bind.
///
/// # Errors
/// When that user may not run this program.
fn as_nobody(test: &str, folder: &Path) -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", test, "--nocapture"]).env(CHILD, folder).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    Ok(())
}

fn permit(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("permissions");
}

#[test]
fn a_read_only_file_in_a_read_only_folder_is_served() {
    if let Some(folder) = std::env::var_os(CHILD) {
        serve(&Path::new(&folder).join("theirs.db"));
        return;
    }
    for mode in ["delete", "wal"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("theirs.db");
        make(&file, mode);
        let before = listing(folder.path());
        permit(&file, 0o444);
        permit(folder.path(), 0o555);
        let here = "untouched::a_read_only_file_in_a_read_only_folder_is_served";
        let ran = as_nobody(here, folder.path());
        permit(folder.path(), 0o755);
        if let Err(error) = ran {
            println!("skipped: this program cannot be run as another user: {error}");
            return;
        }
        assert_eq!(listing(folder.path()), before, "{mode}");
    }
}
