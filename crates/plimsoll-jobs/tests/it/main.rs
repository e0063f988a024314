//! What the jobs promise, one module each.
