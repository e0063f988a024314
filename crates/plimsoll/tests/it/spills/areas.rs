//! Directories: each has one owner, the dead one's is swept, the living one's is not.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Barrier;

use plimsoll::ErrorKind;
use plimsoll::spill::Codec;
use plimsoll::storage::testing::{Call, EIO, Fault};

use super::{Place, names, refused};

const OPENERS: usize = 8;
const ROUNDS: usize = 60;

/// What a killed process leaves: `owner` and two files.
fn left_behind(place: &Place, name: &str) -> PathBuf {
    let directory = place.root.path().join(name);
    fs::create_dir(&directory).unwrap();
    for file in ["owner", "sort-0", "sort-1"] {
        fs::write(directory.join(file), "spilled").unwrap();
    }
    directory
}

#[test]
fn two_areas_on_one_root_do_not_touch_each_other() {
    let place = Place::new();
    let (one, other) = (place.plain(), place.plain());
    assert_ne!(one.directory(), other.directory());
    let records = vec![vec![1; 100]; 1000];
    let run = place.write(&one.file("run").unwrap(), Codec::None, &records).unwrap();
    let gone = place.write(&other.file("run").unwrap(), Codec::None, &records).unwrap();
    let directory = other.directory().to_owned();
    drop((gone, other));
    assert!(!directory.exists());
    let third = place.plain();
    assert!(place.read(&run).unwrap() == records);
    drop((run, one, third));
    place.assert_nothing_left();
}

#[test]
fn a_dead_owners_directory_is_swept_and_a_living_ones_is_not() {
    let place = Place::new();
    let dead = left_behind(&place, "plimsoll-spill-1-0");
    let living = left_behind(&place, "plimsoll-spill-2-0");
    let lock = File::open(living.join("owner")).unwrap();
    lock.lock().unwrap();
    let area = place.plain();
    assert!(!dead.exists());
    assert_eq!(names(&living).len(), 3);
    drop((lock, area));
    drop(place.plain());
    place.assert_nothing_left();
}

#[test]
fn a_directory_or_file_of_another_name_is_left_alone() {
    let place = Place::new();
    let kept = ["plimsoll-1-0", "spill", "xplimsoll-spill-1-0", "PLIMSOLL-SPILL-1-0"];
    let kept = kept.map(|name| left_behind(&place, name));
    let file = place.root.path().join("plimsoll-spill-is-a-file");
    fs::write(&file, "kept").unwrap();
    // No `owner`, and not empty: nobody says whose it is.
    let unowned = left_behind(&place, "plimsoll-spill-3-0");
    fs::remove_file(unowned.join("owner")).unwrap();
    let empty = place.root.path().join("plimsoll-spill-4-0");
    fs::create_dir(&empty).unwrap();
    drop(place.plain());
    for directory in &kept {
        assert_eq!(names(directory).len(), 3, "{}", directory.display());
    }
    assert_eq!(fs::read(&file).unwrap(), b"kept");
    assert_eq!(names(&unowned).len(), 2);
    assert!(!empty.exists());
}

#[test]
fn a_sweep_follows_no_link() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let kept = elsewhere.path().join("kept");
    fs::write(&kept, "kept").unwrap();
    let dead = left_behind(&place, "plimsoll-spill-1-0");
    fs::remove_file(dead.join("sort-0")).unwrap();
    std::os::unix::fs::symlink(&kept, dead.join("sort-0")).unwrap();
    let linked = left_behind(&place, "plimsoll-spill-2-0");
    fs::remove_file(linked.join("owner")).unwrap();
    std::os::unix::fs::symlink(&kept, linked.join("owner")).unwrap();
    drop(place.plain());
    assert_eq!(fs::read(&kept).unwrap(), b"kept");
    assert!(!dead.exists());
    assert_eq!(names(&linked).len(), 3, "an owner that is a link is nobody");
}

#[test]
fn areas_opened_at_once_all_get_a_directory_of_their_own() {
    let place = Place::new();
    let records = vec![vec![3; 50]; 10];
    for round in 0..ROUNDS {
        left_behind(&place, "plimsoll-spill-1-0");
        left_behind(&place, &format!("plimsoll-spill-{}-0", std::process::id()));
        let start = Barrier::new(OPENERS);
        std::thread::scope(|scope| {
            for _ in 0..OPENERS {
                scope.spawn(|| {
                    start.wait();
                    // Twice: the second opens while others drop theirs.
                    for _ in 0..2 {
                        let area = place.plain();
                        let file = area.file("run").unwrap();
                        assert_eq!(names(area.directory()).len(), 2, "round {round}");
                        let run = place.write(&file, Codec::None, &records).unwrap();
                        assert!(place.read(&run).unwrap() == records);
                        assert_eq!(names(area.directory()).len(), 2, "round {round}");
                    }
                });
            }
        });
    }
    drop(place.plain());
    place.assert_nothing_left();
}

#[test]
fn a_maker_that_a_sweeper_overtook_takes_another_name() {
    let place = Place::new();
    let path = place.root.path().join(format!("plimsoll-spill-{}-0", std::process::id()));
    // All of a sweep happens between the making of `owner` and its lock.
    let swept = path.clone();
    let sweep = move || fs::remove_dir_all(&swept).unwrap();
    place.disk.at(Some(Call::TryLock), 1, Fault::Hook(std::sync::Arc::new(sweep)));
    let area = place.plain();
    assert_eq!(place.disk.fired(), [Call::TryLock]);
    assert_ne!(area.directory(), path);
    area.file("run").unwrap();
    drop(area);
    place.assert_nothing_left();
}

#[test]
fn a_sweeper_that_was_overtaken_leaves_the_new_owner_alone() {
    let place = Place::new();
    let dead = left_behind(&place, "plimsoll-spill-1-0");
    let (remade, other) = (dead.clone(), std::sync::Arc::new(std::sync::Mutex::new(None)));
    let held = other.clone();
    // Between the sweeper's opening and its lock the directory goes and is somebody else's.
    let overtake = move || {
        fs::remove_dir_all(&remade).unwrap();
        fs::create_dir(&remade).unwrap();
        let owner = File::create(remade.join("owner")).unwrap();
        owner.lock().unwrap();
        *held.lock().unwrap() = Some(owner);
        fs::write(remade.join("sort-0"), "in use").unwrap();
    };
    place.disk.at(Some(Call::TryLock), 1, Fault::Hook(std::sync::Arc::new(overtake)));
    let area = place.plain();
    assert_eq!(names(&dead).len(), 2, "the living owner's files");
    drop((other, area));
}

#[test]
fn an_area_that_cannot_be_made_says_so_and_is_swept_later() {
    for call in [Call::CreateDirectory, Call::Create, Call::TryLock] {
        let place = Place::new();
        place.disk.at(Some(call), 1, Fault::Errno(EIO));
        let error = refused(place.area(Default::default()));
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains("the spill directory"), "{error}");
        if call != Call::TryLock {
            place.assert_nothing_left();
        }
        drop(place.plain());
        place.assert_nothing_left();
    }
    let nowhere = Place::new();
    fs::remove_dir(nowhere.root.path()).unwrap();
    assert_eq!(refused(nowhere.area(Default::default())).kind(), ErrorKind::Io);
}
