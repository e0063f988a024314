//! Where one JSON object ends, without looking at what is in it.
//!
//! ```text
//!   {"a":{"b":"}"},"c":[1]}   depth 1 2 1 2 1 0 <- here; braces in strings do not count
//! ```
//!
//! Promises: the same end however the bytes arrive; it goes on where they stopped.
//! Never: a judgement; whether the object is valid JSON is seen when it is parsed.

/// A walk over the bytes of one object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// Bytes looked at.
    at: usize,
    depth: usize,
    /// Deepest nesting met.
    pub(super) depth_max: usize,
    in_string: bool,
}

impl Extent {
    /// Looks at the object's bytes from its first on; its length, once its end is among them.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.at < bytes.len() {
            if self.in_string && !self.leave_string(bytes) {
                return None;
            }
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    self.depth_max = self.depth_max.max(self.depth);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Moves behind the closing quote; false when it is not there yet.
    fn leave_string(&mut self, bytes: &[u8]) -> bool {
        while let Some(ahead) = memchr::memchr2(b'"', b'\\', &bytes[self.at..]) {
            let here = self.at + ahead;
            if bytes[here] == b'"' {
                self.at = here + 1;
                self.in_string = false;
                return true;
            }
            if here + 1 == bytes.len() {
                // Come back to the backslash together with what it escapes.
                self.at = here;
                return false;
            }
            self.at = here + 2;
        }
        self.at = bytes.len();
        false
    }
}
