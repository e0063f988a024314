//! The directories, judged from numbers and tried out on this machine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::finding::Level;
use super::{Role, Survey, judge, survey};

fn good() -> Survey {
    let flush = Duration::from_micros(900);
    Survey { existed: true, file_system: 0xef53, free_bytes: 2 << 30, flush }
}

fn levels(role: Role, survey: Survey) -> Vec<Level> {
    let findings = judge("spill.dir", role, Path::new("/d"), &Ok(survey));
    for finding in &findings {
        assert_eq!(finding.level == Level::Ok, finding.advice.is_empty(), "{finding:?}");
    }
    findings.iter().map(|f| f.level).collect()
}

#[test]
fn each_property_is_judged_alone() {
    use Level::{Fail, Ok, Warn};
    let expected = |survey, second: &[Level]| {
        let mut all = vec![Ok];
        all.extend(second);
        assert_eq!(levels(Role::Data, survey), all);
    };
    expected(good(), &[Ok, Ok, Ok]);
    expected(Survey { existed: false, ..good() }, &[Ok, Ok, Ok]);
    expected(Survey { free_bytes: (1 << 30) - 1, ..good() }, &[Ok, Warn, Ok]);
    expected(Survey { free_bytes: (64 << 20) - 1, ..good() }, &[Ok, Fail, Ok]);
    expected(Survey { flush: Duration::from_millis(21), ..good() }, &[Ok, Ok, Warn]);
    expected(Survey { file_system: 0x1234_5678, ..good() }, &[Ok, Ok, Ok]);
}

#[test]
fn memory_network_and_overlay_are_warned_of() {
    for number in [0x0102_1994, 0x8584_58f6, 0x6969, 0xff53_4d42, 0x794c_7630] {
        for role in [Role::Data, Role::Spill] {
            let levels = levels(role, Survey { file_system: number, ..good() });
            assert_eq!(levels[1], Level::Warn, "{number:#x} {role:?}");
        }
    }
}

#[test]
fn a_directory_that_is_missing_is_tried_and_removed_again() {
    let parent = tempfile::tempdir().unwrap();
    let survey = survey(&parent.path().join("a/b/c")).unwrap();
    assert!(!survey.existed);
    assert!(survey.free_bytes > 0);
    assert!(survey.flush > Duration::ZERO);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_there_keeps_what_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("mine"), "x").unwrap();
    assert!(survey(directory.path()).unwrap().existed);
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["mine"]);
}

#[test]
fn what_a_killed_run_left_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join(format!(".plimsoll-doctor-{}", std::process::id()));
    fs::write(left, "x").unwrap();
    survey(directory.path()).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_place_where_nobody_may_write_fails_with_what_to_do() {
    // Nobody, root included, makes files in the first; the second is no directory at all.
    let file = tempfile::NamedTempFile::new().unwrap();
    for (directory, reason) in [
        (Path::new("/proc"), "writing a file in it failed"),
        (Path::new("/proc/plimsoll/data"), "the directory cannot be made"),
        (file.path(), "it is not a directory"),
        (&file.path().join("below"), "the directory cannot be made"),
    ] {
        let survey = survey(directory);
        let findings = judge("data_dir", Role::Data, directory, &survey);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].level, Level::Fail);
        assert!(findings[0].advice.contains(reason), "{findings:?}");
        assert!(findings[0].advice.contains("set data_dir to a directory"), "{findings:?}");
    }
}

#[test]
fn a_directory_without_write_permission_fails() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        // Permissions do not hold for root; the test above covers what does.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let error = survey(directory.path()).unwrap_err();
    assert!(error.contains("Permission denied"), "{error}");
}

#[test]
fn a_tmpfs_is_recognised() {
    let shared = Path::new("/dev/shm");
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    if !mounts.lines().any(|l| l.starts_with("tmpfs /dev/shm ")) {
        return;
    }
    let directory = tempfile::tempdir_in(shared).unwrap();
    let survey = survey(directory.path());
    let findings = judge("spill.dir", Role::Spill, directory.path(), &survey);
    assert_eq!((findings[1].level, &*findings[1].value), (Level::Warn, "tmpfs"));
    assert!(findings[1].advice.contains("stays in memory"), "{findings:?}");
}
