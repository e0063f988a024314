//! Chains out of notes in any order.

use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::spill::{SpillArea, SpillOptions};
use crate::storage::Disk;

struct Place {
    consumer: Consumer,
    _root: tempfile::TempDir,
    _area: SpillArea,
    file: Arc<SpillFile>,
}

impl Place {
    fn new() -> Self {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir().unwrap();
        let options = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
        let area = SpillArea::open(Arc::new(Disk), root.path(), options).unwrap();
        let file = area.file("run").unwrap();
        Self { consumer: budget.consumer("test").unwrap(), _root: root, _area: area, file }
    }

    fn found(&self, runs_max: u64) -> Found {
        Found::new(&self.consumer, runs_max).unwrap()
    }

    fn add(&self, found: &mut Found, notes: &[(u64, u32, bool, (u64, u64))]) {
        for &(segment, part, last, input) in notes {
            let run = serde_json::json!({
                "first_page": 0, "blocks": 1, "rows": 10, "row_bytes": 100,
                "block_bytes_max": 4096, "plain_bytes_max": 0, "codec": 0,
            });
            let run = serde_json::from_value(run).unwrap();
            let noted = NotedRun { segment, part, last, input, next_line: input.1, run };
            found
                .add(noted, &self.file, &|runs| {
                    runs.truncate(1);
                    Ok(())
                })
                .unwrap();
        }
    }
}

#[test]
fn segments_count_from_the_first_without_a_gap() {
    let place = Place::new();
    let mut found = place.found(100);
    place.add(&mut found, &[(2, 0, true, (20, 30)), (0, 0, false, (5, 10))]);
    assert_eq!(found.segments, 0);
    place.add(&mut found, &[(0, 1, true, (5, 10))]);
    assert_eq!((found.segments, found.input_offset, found.runs.len()), (1, 10, 2));
    place.add(&mut found, &[(1, 0, true, (10, 20)), (4, 0, true, (40, 50))]);
    assert_eq!((found.segments, found.input_offset, found.rows), (3, 30, 40));
    let orders: Vec<_> = found.runs.iter().map(|run| run.order()).collect();
    assert_eq!(orders, [(0, 0), (0, 1), (1, 0), (2, 0)]);
}

#[test]
fn what_waited_when_another_process_took_over_was_made_again() {
    let place = Place::new();
    let mut found = place.found(100);
    // Segment 2 was finished before 1 when the first process was killed. The second one has
    // smaller segments: its second ends elsewhere.
    place.add(&mut found, &[(0, 0, true, (0, 10)), (2, 0, true, (20, 30))]);
    assert!(found.taken_over(1));
    place.add(&mut found, &[(1, 0, true, (10, 15))]);
    assert_eq!((found.segments, found.input_offset), (2, 15), "the old segment 2 does not count");
    assert!(!found.taken_over(3), "a journal of other chains");
}

#[test]
fn a_segment_that_begins_elsewhere_does_not_continue_the_chain() {
    let place = Place::new();
    let mut found = place.found(100);
    place.add(&mut found, &[(0, 0, true, (0, 10)), (1, 0, true, (12, 20))]);
    assert_eq!(found.segments, 1);
}

#[test]
fn memory_is_bounded_whatever_is_noted() {
    let place = Place::new();
    let mut found = place.found(8);
    let held = place.consumer.held_bytes();
    let late: Vec<_> = (1..5000).map(|n| (n, 0, true, (n * 10, n * 10 + 10))).collect();
    place.add(&mut found, &late);
    assert_eq!(found.waiting.len(), WAITING_MAX);
    assert_eq!(place.consumer.held_bytes(), held);
    // One that fills the gap has a place although those behind it have none.
    place.add(&mut found, &[(0, 0, true, (0, 10))]);
    let taken = found.segments;
    assert!(taken >= WAITING_MAX as u64, "{taken}");
    assert!(found.runs.len() < 8, "{}", found.runs.len());
    assert_eq!(found.runs_made, taken);
}
