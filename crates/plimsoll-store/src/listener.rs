//! Whoever hears of what others committed, see [`crate::Database::listen`].
//!
//! Promises: a word is a hint: it may come without reason, and one that is lost is not sent again.
//! Never: rows.

/// Hears what is told under a name.
pub trait Listener: Send + Sync {
    /// Somebody has committed something, and says `payload` of it. Called on the thread that
    /// listens, which hears nothing else meanwhile.
    fn told(&self, payload: &str);

    /// Whether it is listened now. Between `true` and `false` every commit that tells is told;
    /// what was committed before has to be looked for.
    fn stands(&self, listens: bool);
}
