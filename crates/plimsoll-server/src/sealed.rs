//! A payload of a job that nobody but this server makes.
//!
//! Promises: one that was changed, or made by whoever may enqueue jobs, is not opened, so that
//! nobody reads or writes in somebody else's name by way of the queue.
//! Never: a secret in a payload; a seal hides nothing.

use serde::{Deserialize, Serialize};

/// What is asked for, and the server's mark on it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed<T> {
    asked: T,
    seal: Box<str>,
}

impl<T: Serialize> Sealed<T> {
    pub(crate) fn new(key: &[u8; 32], asked: T) -> Self {
        Self { seal: seal(key, &asked).to_hex().as_str().into(), asked }
    }

    /// Without a look at the seal, for people.
    pub(crate) fn asked(&self) -> &T {
        &self.asked
    }

    /// `None` where it was not made here.
    pub(crate) fn open(self, key: &[u8; 32]) -> Option<T> {
        // blake3::Hash compares in constant time.
        let given = blake3::Hash::from_hex(self.seal.as_bytes()).ok()?;
        (given == seal(key, &self.asked)).then_some(self.asked)
    }
}

fn seal(key: &[u8; 32], asked: &impl Serialize) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    // Nothing in it can fail to be written, and a sink takes everything.
    let _written = serde_json::to_writer(&mut hasher, asked);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::Sealed;

    #[test]
    fn a_payload_that_was_changed_or_made_elsewhere_is_not_opened() {
        let sealed = Sealed::new(&[1; 32], ("goods".to_owned(), 60));
        assert!(sealed.clone().open(&[1; 32]).is_some() && sealed.clone().open(&[2; 32]).is_none());
        let text = serde_json::to_string(&sealed).expect("JSON");
        let read = |text: &str| serde_json::from_str::<Sealed<(String, i64)>>(text).expect("one");
        assert!(read(&text).open(&[1; 32]).is_some());
        assert!(read(&text.replace("goods", "sales")).open(&[1; 32]).is_none());
        assert!(Sealed { seal: "no".into(), ..sealed }.open(&[1; 32]).is_none());
    }
}
