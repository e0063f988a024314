//! What the allocator's numbers cover.

use plimsoll::budget::MemoryProbe as _;

use super::{ProcessMemory, sample};

#[test]
fn the_databases_heap_is_inside_the_allocators_numbers() {
    const BYTES: u32 = 32 << 20;
    // Whatever else runs in this process meanwhile takes far less.
    const SLACK: u64 = 8 << 20;
    let before = sample().allocated_bytes;
    assert!(before > 0, "the allocator gives no numbers");
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute("create table t (b blob)", []).unwrap();
    connection.execute("insert into t values (zeroblob(?1))", [BYTES]).unwrap();
    let filled = sample().allocated_bytes;
    assert!(
        filled > before + u64::from(BYTES) - SLACK,
        "{before} before, {filled} with {BYTES} in SQLite"
    );
    drop(connection);
    let after = sample().allocated_bytes;
    assert!(after < before + SLACK, "{before} before, {after} after");
}

#[test]
fn a_purge_gives_freed_pages_back_at_once() {
    const BYTES: usize = 64 << 20;
    // In pieces, for one large piece goes back to the kernel by itself.
    let pieces: Vec<Vec<u8>> = (0..BYTES >> 16).map(|_| vec![1; 1 << 16]).collect();
    let filled = sample();
    drop(pieces);
    ProcessMemory.purge();
    let purged = sample();
    assert!(
        purged.resident_bytes + (BYTES as u64 / 4 * 3) < filled.resident_bytes,
        "{filled:?} filled, {purged:?} after the purge"
    );
}
