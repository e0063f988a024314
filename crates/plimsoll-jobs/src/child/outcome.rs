//! How a job ended in a child.
//!
//! Promises: one of four; what a broken child did is told in a sentence.
//! Never: more of what it said than a line of a screen.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::handler::Stop;
use super::limits::{LINE_BYTES_MAX, MESSAGES_MAX, SHOWN_MAX};

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with its result: JSON, `null` where it has none.
    Done(Box<str>),
    /// The child says that it failed.
    Failed {
        /// Its words.
        message: Box<str>,
        /// Whether another attempt may do better.
        retry: bool,
    },
    /// It was asked to stop, and did or was made to. Its last checkpoint that was durable holds.
    HandedBack(Stop),
    /// The child broke the protocol or went away, and was ended with all it started.
    Broken(Broken),
}

/// What a broken child did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It could not be started.
    NotStarted(Box<str>),
    /// A line that is no message.
    Garbage(Box<str>),
    /// A line without an end.
    LineTooLong,
    /// More messages than a conversation has.
    Flood,
    /// It spoke while it had no job.
    Unasked(Box<str>),
    /// It answered about another job.
    OtherJob(i64),
    /// More processes than it may have.
    Forked(usize),
    /// It ended, or closed its output.
    Died(Option<ExitStatus>),
    /// It said nothing for so long.
    Hung(Duration),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(why) => write!(f, "the child could not be started: {why}"),
            Self::Garbage(line) => write!(
                f,
                "the child printed what is no message: {line}; its standard output is for \
                 messages alone, print elsewhere or as {{\"log\":..}}"
            ),
            Self::LineTooLong => {
                write!(f, "the child printed a line of more than {LINE_BYTES_MAX} bytes")
            }
            Self::Flood => write!(
                f,
                "the child sent more than {MESSAGES_MAX} messages in a second: report progress a \
                 few times a second"
            ),
            Self::Unasked(line) => write!(f, "the child spoke while it had no job: {line}"),
            Self::OtherJob(id) => write!(f, "the child answered about the job {id}, not its own"),
            Self::Forked(processes) => write!(f, "the child has {processes} processes"),
            Self::Died(Some(status)) => write!(f, "the child ended in the middle: {status}"),
            Self::Died(None) => write!(f, "the child closed its output in the middle"),
            Self::Hung(time) => write!(f, "the child said nothing for {} s", time.as_secs_f64()),
        }
    }
}

/// What a child said, as it can be shown: no control characters, and not all of it.
pub(super) fn shown(bytes: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_MAX * 4)]);
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("..");
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_shown_without_control_characters_and_not_all_of_it() {
        assert_eq!(&*shown(b"PHP \x1b[31mWarning\x07\xff"), "PHP \\u{1b}[31mWarning\\u{7}\u{fffd}");
        let long = shown(&[b'a'; 70_000]);
        assert_eq!((long.len(), long.ends_with("..")), (SHOWN_MAX + 2, true));
    }
}
