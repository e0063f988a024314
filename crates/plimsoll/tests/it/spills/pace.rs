//! A disk's pace decides whether spilled blocks are compressed.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::spill::{Codec, SpillOptions, write_rate};
use plimsoll::storage::Storage;
use plimsoll::storage::testing::{Call, ENOSPC, Fault};
use plimsoll::{ErrorKind, Result};

use super::{Place, refused};

/// The rate by a clock that goes on by `per_look` whenever it is looked at.
fn rate(place: &Place, per_look: Duration) -> Result<u64> {
    let storage: Arc<dyn Storage> = Arc::new(place.disk.clone());
    let options = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
    let time = Cell::new(Duration::ZERO);
    let clock = || {
        time.set(time.get() + per_look);
        time.get()
    };
    write_rate(&storage, place.root.path(), options, &place.consumer, &clock)
}

#[test]
fn a_slow_disk_is_told_and_spilled_to_in_lz4() {
    let place = Place::new();
    // A chunk is 2 MiB.
    let slow = rate(&place, Duration::from_millis(20)).unwrap();
    assert_eq!(slow, (2 << 20) * 50);
    assert_eq!(Codec::where_the_disk_takes(slow), Codec::Lz4);
    let written = place.disk.calls(Some(Call::Write));
    let fast = rate(&place, Duration::from_millis(2)).unwrap();
    assert_eq!(fast, (2 << 20) * 500);
    assert_eq!(Codec::where_the_disk_takes(fast), Codec::None);
    assert_eq!((written, place.disk.calls(Some(Call::Write)) - written), (17, 17));
    place.assert_nothing_left();
}

#[test]
fn a_very_slow_disk_is_not_written_to_for_long() {
    let place = Place::new();
    let rate = rate(&place, Duration::from_secs(1)).unwrap();
    assert_eq!(rate, 2 << 20);
    assert_eq!(place.disk.calls(Some(Call::Write)), 5, "one block and one chunk");
    place.assert_nothing_left();
}

#[test]
fn a_disk_whose_pace_cannot_be_measured_is_an_error_that_leaves_nothing() {
    let place = Place::new();
    place.disk.at(Some(Call::Write), 3, Fault::Errno(ENOSPC));
    let error = refused(rate(&place, Duration::from_millis(1)));
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    place.assert_nothing_left();
}
