//! Lines out of bytes that come in pieces.
//!
//! Promises: holds at most one line of the length that is allowed.
//! Never: a look into a line.

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line without its end.
    Line(&'a [u8]),
    /// The first bytes of one that is too long; the rest of it is passed over.
    TooLong(&'a [u8]),
}

/// A line that is not complete.
#[derive(Debug)]
pub(super) struct Lines {
    held: Vec<u8>,
    bytes_max: usize,
    passing: bool,
}

impl Lines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { held: Vec::new(), bytes_max, passing: false }
    }

    /// Takes bytes and gives each line that ends in them. `take` says whether to go on.
    pub(super) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Piece<'_>) -> bool) -> bool {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |rest| (rest, true));
            if !self.passing {
                let room = (self.bytes_max + 1).saturating_sub(self.held.len());
                self.held.extend_from_slice(&part[..part.len().min(room)]);
            }
            let too_long = !self.passing && self.held.len() > self.bytes_max;
            let goes_on = if too_long {
                self.passing = true;
                let goes_on = take(Piece::TooLong(&self.held[..self.bytes_max]));
                self.held.clear();
                goes_on
            } else {
                !ends || self.passing || take(Piece::Line(&self.held))
            };
            if ends {
                self.held.clear();
                self.passing = false;
            }
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// The line that never ended, if there is one.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        (!self.held.is_empty()).then_some(&*self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
        let mut lines = Lines::new(4);
        let mut found = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in pieces {
            lines.push(piece, |piece| {
                found.push(match piece {
                    Piece::Line(line) => text(line),
                    Piece::TooLong(line) => format!("{}..", text(line)),
                });
                true
            });
        }
        (found, lines.rest().map(text))
    }

    #[test]
    fn a_line_is_the_same_however_it_comes() {
        let all = b"ab\n\nabcd\nabcdefgh\nx\nyz";
        let expected = ["ab", "", "abcd", "abcd..", "x"].map(str::to_owned).to_vec();
        for size in 1..=all.len() {
            let pieces: Vec<&[u8]> = all.chunks(size).collect();
            let (found, rest) = split(&pieces);
            assert_eq!((found, rest), (expected.clone(), Some("yz".to_owned())), "by {size}");
        }
    }

    #[test]
    fn it_stops_where_it_is_told_to() {
        let mut lines = Lines::new(4);
        let mut seen = 0;
        assert!(!lines.push(b"a\nb\nc\n", |_| {
            seen += 1;
            seen < 2
        }));
        assert_eq!(seen, 2);
    }
}
