//! What stands between two fields.
//!
//! Promises: no number, instant or base64 text contains a delimiter, so only text needs quotes.
//! Never: an arbitrary byte; a file split at `5` or `-` is a mistake.

/// The byte between two fields.
///
/// ```
/// use plimsoll::format::Delimiter;
/// assert_eq!(Delimiter::from_name(";"), Some(Delimiter::Semicolon));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`, the RFC's.
    #[default]
    Comma,
    /// `;`, what spreadsheets write where the comma is the decimal sign.
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    /// The byte itself.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// The delimiter a parameter names, as itself or as a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "," | "comma" => Some(Self::Comma),
            ";" | "semicolon" => Some(Self::Semicolon),
            "\t" | "\\t" | "tab" => Some(Self::Tab),
            "|" | "pipe" => Some(Self::Pipe),
            _ => None,
        }
    }
}
