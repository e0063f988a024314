//! What is held in memory, against what is counted.

use super::{SLOTS_MIN, index_bytes};
use hashbrown::HashTable;

#[test]
fn an_index_takes_what_is_counted_for_it() {
    for slots in [SLOTS_MIN, 32, 64, 1 << 10, 1 << 16] {
        let index: HashTable<u32> = HashTable::with_capacity(slots / 8 * 7);
        assert_eq!(index.num_buckets(), slots);
        assert_eq!(index.capacity(), slots / 8 * 7);
        let (counted, taken) = (index_bytes(slots), index.allocation_size());
        assert!(taken <= counted && counted <= taken + 32, "{slots}: {taken}, {counted}");
    }
}
