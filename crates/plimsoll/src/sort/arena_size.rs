//! How large arenas are, and how many of them there are.
//!
//! ```text
//!   all fits, several threads ──> pieces: each thread sorts some, and ranges of them are merged
//!   it spills, memory is ample ─> no larger than makes the sort faster
//!   it spills, memory is short ─> all there is;  sqrt_n: what two passes need
//! ```
//!
//! Promises: pure functions; never more than the room they are given.
//! Never: a smaller arena that costs a pass.

use super::arena::ENTRY_BYTES;
use super::plan::{ARENA_BYTES_MIN, BLOCK_BYTES_MAX, SortInput};
use super::strategy::ChunkStrategy;

/// Beyond this an arena only leaves the caches, and its thread waits for the disk in longer turns;
/// taken where the runs are few all the same.
pub(super) const ARENA_BYTES_USEFUL: usize = 32 << 20;
/// Runs that one merge takes with ease where memory is not short.
pub(super) const RUNS_WISHED: u64 = 128;
/// Arenas of each generator where all fits: enough that none waits long for the last one.
const PIECES_EACH: usize = 4;
/// Below this a piece is not worth a thread's turn.
const PIECE_BYTES_MIN: usize = 1 << 20;
/// Below this one thread is as fast as several.
const SHORT_BYTES: usize = 4 << 20;

/// What an arena of `most` bytes at most is to take, as the strategy says.
pub(super) fn arena(input: SortInput, most: usize) -> usize {
    let wished = match (input.strategy, input.bytes) {
        (ChunkStrategy::SqrtN, Some(bytes)) => {
            let run = (bytes as f64 * BLOCK_BYTES_MAX as f64).sqrt();
            let entries = 1.0 + ENTRY_BYTES as f64 / input.row_bytes.max(1) as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded below
            let arena = (run * entries) as usize;
            arena.max(ARENA_BYTES_MIN)
        }
        _ => most,
    };
    wished.min(most) / 8 * 8
}

/// What of an arena makes a sort faster that spills, where its strategy leaves that open.
pub(super) fn useful_arena(input: SortInput, most: usize) -> usize {
    if input.strategy != ChunkStrategy::Adaptive {
        return most;
    }
    let row_bytes = input.row_bytes.max(1);
    let rows = input.bytes.unwrap_or(0) / RUNS_WISHED / row_bytes;
    let few_runs = rows * (row_bytes + ENTRY_BYTES as u64);
    let few_runs = usize::try_from(few_runs).unwrap_or(usize::MAX);
    most.min(few_runs.max(ARENA_BYTES_USEFUL)) / 8 * 8
}

/// How many arenas of which size hold all of the input, where they do and several threads make
/// them; else one, of `arena_bytes`.
pub(super) fn arenas(input: SortInput, generators: usize, arena_bytes: usize) -> (usize, usize) {
    let Some(bytes) = input.bytes.filter(|_| input.strategy == ChunkStrategy::Adaptive) else {
        return (1, arena_bytes);
    };
    let row_bytes = input.row_bytes.max(1);
    // A tenth more, for rows are not all like the first.
    let needed = (bytes + bytes / row_bytes * ENTRY_BYTES as u64).saturating_mul(11) / 10;
    let needed = usize::try_from(needed).unwrap_or(usize::MAX);
    let piece = (needed / (generators * PIECES_EACH) / 8 * 8).max(PIECE_BYTES_MIN);
    let room = arena_bytes.saturating_mul(generators);
    // Beside the pieces each generator has one that it fills.
    let most = piece.saturating_mul(needed.div_ceil(piece) + generators);
    if generators < 2 || needed < SHORT_BYTES || most > room {
        return (1, arena_bytes);
    }
    (room / piece, piece)
}
