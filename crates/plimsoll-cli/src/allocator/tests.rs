//! What the allocator's numbers cover.

use super::sample;

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
