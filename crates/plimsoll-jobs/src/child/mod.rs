//! Programs that other people wrote, in any language, as runners of jobs.
//!
//! ```text
//!   parent                                          child: one line of JSON each, UTF-8, 64 KiB
//!     │ {"job":{"id":7,"kind":"mail","payload":{..},"checkpoint":{..}|null,"attempt":1}}
//!     ├──────────────────────────────────────────────────>│
//!     │<──────────── {"progress":{"done":5,"total":9,"unit":"rows"}}   total, unit: or null
//!     │<──────────── {"checkpoint":{..}}
//!     ├─ {"ok":"checkpoint"} ────────────────────────────>│ it is durable
//!     │<──────────── {"log":"a text"}
//!     │<──────────── {"done":{..}|null}                      the end, or
//!     │<──────────── {"failed":{"message":"why","retry":true}}
//!     ├─ {"job":..} the next one: the child stays warm ──>│
//!     │
//!     ├─ {"stop":"memory"|"shutdown"|"cancel"} ──────────>│ checkpoint, then failed with retry,
//!     │       grace ── SIGTERM ── grace ── SIGKILL           or exit: it is handed back
//!     └─ end of input ───────────────────────────────────>│ exit
//! ```
//!
//! Every line of a child may have `"id"`, the job's: one about another job is then found out.
//! Without it, a second answer that comes late is one about the next job. What it says before the
//! next job costs that job nothing. Standard output is for messages alone; standard error goes to
//! the log, a hundred lines a second of it.
//!
//! Promises: whatever a child does is an [`Outcome`]; one that broke the protocol is ended with all
//! it started, and the next job gets a new one. Memory is that of the whole tree.
//! Never: an answer waited for without a deadline; more than [`WAITING_BYTES_MAX`] of what a child
//! said held; trust in what a program says of itself.

mod census;
mod handler;
mod limits;
mod lines;
mod message;
mod outcome;
mod reader;
mod running;
mod stat;
mod tree;
mod turn;
mod warm;

pub use handler::{Handler, Job, Progress, Stop};
pub use limits::{LINE_BYTES_MAX, Limits, MESSAGES_MAX, WAITING_BYTES_MAX};
pub use outcome::{Broken, Outcome};
pub use tree::{Tree, Usage};
pub use warm::Child;
