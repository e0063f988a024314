//! The one file in a `multipart/form-data` body (RFC 7578), piece by piece.
//!
//! ```text
//!   preamble ─ CRLF--boundary CRLF ─ headers CRLFCRLF ─ bytes ─ CRLF--boundary-- ─ epilogue
//!                                                         └ given out; what may be the beginning
//!                                                           of a boundary is held back
//! ```
//!
//! Promises: the bytes of the part called `file`, whatever the pieces the body comes in; holds a
//! boundary or the headers of one part, and no more.
//! Never: a body that ends before its last boundary taken for a whole one.

use plimsoll::error::excerpt;

/// Bytes of a part's headers at most.
const HEADERS_BYTES_MAX: usize = 8 << 10;
/// Characters of a boundary at most (RFC 2046, 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;
/// The name of the part.
const PART: &str = "file";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of the first boundary.
    Preamble,
    /// Behind a boundary: the end, or a part.
    Boundary,
    Headers,
    File,
    Over,
}

/// What is known of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) file_name: Option<Box<str>>,
    pub(super) media_type: Option<Box<str>>,
}

/// See the module.
pub(super) struct Multipart {
    /// With the line end in front of it.
    boundary: Vec<u8>,
    held: Vec<u8>,
    state: State,
    file: Option<Described>,
}

impl Multipart {
    /// Of the Content-Type that names the boundary.
    ///
    /// # Errors
    /// A sentence for one that has none.
    pub(super) fn new(content_type: &str) -> Result<Self, String> {
        let boundary = parameter(content_type, "boundary").unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() || c == ' ';
        if boundary.is_empty()
            || boundary.len() > BOUNDARY_BYTES_MAX
            || !boundary.chars().all(plain)
        {
            return Err(format!(
                "multipart/form-data names a boundary of 1 to {BOUNDARY_BYTES_MAX} characters"
            ));
        }
        // The first boundary has no line in front of it.
        let (boundary, held) = (format!("\r\n--{boundary}").into_bytes(), b"\r\n".to_vec());
        Ok(Self { boundary, held, state: State::Preamble, file: None })
    }

    /// What is known of the file, once its headers were read.
    pub(super) fn described(&self) -> Option<&Described> {
        self.file.as_ref()
    }

    /// Takes a piece of the body; bytes of the file are appended to `out`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the body.
    pub(super) fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.held.extend_from_slice(piece);
        while self.step(out)? {}
        Ok(())
    }

    /// The body has ended.
    ///
    /// # Errors
    /// A sentence where that was too early, or where no part is called `file`.
    pub(super) fn finish(&self) -> Result<(), String> {
        if self.state != State::Over {
            return Err("the body ends before its last boundary".to_owned());
        }
        let missing = || format!("the body has no part called '{PART}'");
        self.file.as_ref().map(drop).ok_or_else(missing)
    }

    /// Whether there may be more to do with what is held.
    fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, String> {
        match self.state {
            State::Preamble => Ok(self.until_boundary(None)),
            State::File => Ok(self.until_boundary(Some(out))),
            State::Boundary => self.behind_boundary(),
            State::Headers => self.headers(),
            State::Over => {
                self.held.clear();
                Ok(false)
            }
        }
    }

    /// Gives out what stands in front of the next boundary, as far as that is known.
    fn until_boundary(&mut self, out: Option<&mut Vec<u8>>) -> bool {
        let found = find(&self.held, &self.boundary);
        let clear = found.unwrap_or(self.held.len().saturating_sub(self.boundary.len() - 1));
        if let Some(out) = out {
            out.extend_from_slice(&self.held[..clear]);
        }
        let behind = if found.is_some() { clear + self.boundary.len() } else { clear };
        self.held.drain(..behind);
        if found.is_some() {
            self.state = State::Boundary;
        }
        found.is_some()
    }

    fn behind_boundary(&mut self) -> Result<bool, String> {
        if self.held.starts_with(b"--") {
            self.state = State::Over;
            return Ok(true);
        }
        let Some(end) = find(&self.held, b"\r\n") else {
            return match self.held.len() {
                0..=BOUNDARY_BYTES_MAX => Ok(false),
                _ => Err("a boundary is followed by something else than a line end".to_owned()),
            };
        };
        if !self.held[..end].iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err("a boundary is followed by something else than a line end".to_owned());
        }
        // The line end stays: headers end with an empty line, also where there are none.
        self.held.drain(..end);
        self.state = State::Headers;
        Ok(true)
    }

    fn headers(&mut self) -> Result<bool, String> {
        let Some(end) = find(&self.held, b"\r\n\r\n") else {
            if self.held.len() > HEADERS_BYTES_MAX {
                return Err(format!("a part has more than {HEADERS_BYTES_MAX} bytes of headers"));
            }
            return Ok(false);
        };
        let text = String::from_utf8_lossy(&self.held[..end]).into_owned();
        self.held.drain(..end + 4);
        let header = |name: &str| {
            let mut lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
            let found = lines.find(|(given, _)| given.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned())
        };
        let disposition = header("content-disposition").unwrap_or_default();
        match parameter(&disposition, "name").as_deref() {
            Some(PART) if self.file.is_some() => {
                Err(format!("the body has two parts called '{PART}': send one file at a time"))
            }
            Some(PART) => {
                self.file = Some(Described {
                    file_name: parameter(&disposition, "filename").map(Into::into),
                    media_type: header("content-type").map(Into::into),
                });
                self.state = State::File;
                Ok(true)
            }
            name => Err(format!(
                "the body has a part called '{}': the only one there may be is '{PART}', and \
                 options stand in the address",
                excerpt(name.unwrap_or_default())
            )),
        }
    }
}

/// A parameter of a header, which may stand in quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';').map(|(_, rest)| rest)?;
    while let Some((given, behind)) = rest.split_once('=') {
        let (value, left) = match behind.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, left) = behind.split_once(';').unwrap_or((behind, ""));
                (value.trim().to_owned(), left)
            }
        };
        if given.trim_start_matches([';', ' ', '\t']).trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = left;
    }
    None
}

/// A text up to its closing quote, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    None
}

/// Where `needle`, which begins with a carriage return, stands.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == b'\r')?;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests;
