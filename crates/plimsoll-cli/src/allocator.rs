//! The process's allocator, its options and its numbers, and the pages of the program's code.
//!
//! jemalloc takes over `malloc` itself, so SQLite's and zstd's allocations are inside its numbers.
//!
//! ```text
//!   narenas:2             few arenas whatever the core count: less memory kept per arena
//!   dirty_decay_ms:200    freed pages go back to the kernel soon
//!   muzzy_decay_ms:0      and at once, not lazily: resident is what the kernel charges
//!   background_thread     so that decay does not wait for the next allocation
//!   tcache_max:4096       threads keep no large blocks for themselves
//! ```
//!
//! Promises: options are fixed at build time; MALLOC_CONF can still override them to diagnose.
//! Never: anything but the allocator's control interface, and the one advice about code. This is
//! the one file of the binary that may use `unsafe`.
#![allow(unsafe_code)]

use plimsoll::budget::{MemoryProbe, MemorySample};
use plimsoll_server::AllocatorSample;
use rustix::mm::{Advice, madvise};
use tikv_jemalloc_ctl::{epoch, stats};

use crate::process;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc reads a `const char *` of this name before `main`.
#[repr(transparent)]
struct Options(*const std::ffi::c_char);

// SAFETY: the pointer is to a string literal, which is never written and lives for ever.
unsafe impl Sync for Options {}

// SAFETY: the symbol is jemalloc's documented way to fix options at build time; its type in C is
// `const char *`, which `Options` is by `repr(transparent)`; no other definition exists.
#[unsafe(export_name = "malloc_conf")]
static OPTIONS: Options = Options(
    concat!(
        "narenas:2,dirty_decay_ms:200,muzzy_decay_ms:0,",
        "background_thread:true,max_background_threads:1,tcache_max:4096\0"
    )
    .as_ptr()
    .cast(),
);

/// What the program's file takes at least, also where less of it is resident at the moment: a tool
/// at work comes to need it again, and then it has to be there in the budget.
const CODE_BYTES_MIN: u64 = 5632 << 10;

/// Forgets the code that was used so far. A start runs through much of a program that is not run
/// again, and the kernel maps what lies around each place: a good part of a small limit. What is
/// needed again is mapped again, from the system's cache of the file.
pub(crate) fn forget_code() {
    let Some(code) = process::code() else { return };
    let address = std::ptr::with_exposed_provenance_mut(code.start);
    // SAFETY: the range is a whole mapping of this program's file, private, executable and not
    // writable, so that no page of it differs from the file: one that is forgotten is read from
    // there again when it is run or looked at, by whichever thread, also this one.
    let forgotten = unsafe { madvise(address, code.len(), Advice::LinuxDontNeed) };
    if let Err(error) = forgotten {
        tracing::debug!(%error, "the code of the start stays resident");
    }
}

/// Gives all unused pages of all arenas back to the kernel: 4096 is `MALLCTL_ARENAS_ALL`.
const PURGE_ALL: &std::ffi::CStr = c"arena.4096.purge";

/// The budget's view of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessMemory;

impl MemoryProbe for ProcessMemory {
    fn sample(&self) -> MemorySample {
        let (resident_bytes, file_bytes) = process::resident();
        let resident_bytes = resident_bytes + CODE_BYTES_MIN.saturating_sub(file_bytes);
        let allocator = sample();
        MemorySample {
            resident_bytes,
            allocator_resident_bytes: allocator.resident_bytes,
            allocator_allocated_bytes: allocator.allocated_bytes,
        }
    }

    fn purge(&self) {
        use std::ptr::null_mut;
        // The control takes nothing and gives nothing: with any pointer but null it is refused,
        // which is why the safe wrapper, whose calls all carry a value, cannot make it.
        // SAFETY: the name is NUL-terminated; null pointers with the length 0 say that there is
        // no value; jemalloc defines the call for any thread at any time. An unknown name is an
        // error, not harm.
        let status = unsafe {
            tikv_jemalloc_sys::mallctl(PURGE_ALL.as_ptr(), null_mut(), null_mut(), null_mut(), 0)
        };
        if status != 0 {
            tracing::warn!(status, "the allocator did not purge");
        }
    }
}

/// The allocator's numbers now.
pub(crate) fn sample() -> AllocatorSample {
    // Statistics are a snapshot that the epoch renews. Without them every number is zero, which
    // the budget reads as "all of the process is outside the allocator": refusing, never lending.
    let read = || {
        epoch::advance()?;
        Ok::<_, tikv_jemalloc_ctl::Error>(AllocatorSample {
            allocated_bytes: stats::allocated::read()? as u64,
            resident_bytes: stats::resident::read()? as u64,
            retained_bytes: stats::retained::read()? as u64,
        })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests;
