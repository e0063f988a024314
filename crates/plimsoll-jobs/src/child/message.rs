//! The lines of the protocol.
//!
//! Promises: a message is exactly one of those in the module's head, with known members alone.
//! Never: a number that is read and written again: JSON that is not ours passes as it is.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::handler::{Job, Progress, Stop};
use super::limits::MESSAGE_BYTES_MAX;
use super::outcome::shown;

/// What a child said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Progress(Progress),
    Checkpoint(Box<str>),
    Done(Box<str>),
    Failed { message: Box<str>, retry: bool },
    Log(Box<str>),
}

/// With the job it says it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) id: Option<i64>,
    pub(super) message: Message,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    id: Option<i64>,
    #[serde(default)]
    progress: Option<ProgressLine>,
    #[serde(borrow, default, deserialize_with = "present")]
    checkpoint: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    done: Option<&'a RawValue>,
    #[serde(default)]
    failed: Option<FailedLine>,
    #[serde(default)]
    log: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgressLine {
    done: u64,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default)]
    unit: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailedLine {
    message: Box<str>,
    #[serde(default)]
    retry: bool,
}

/// `null` is there, too.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Said {
    /// Reads a line; `Err` is what of it can be shown.
    pub(super) fn read(line: &[u8]) -> Result<Self, Box<str>> {
        let read: Option<Line<'_>> = serde_json::from_slice(line).ok();
        let Some(Line { id, progress, checkpoint, done, failed, log }) = read else {
            return Err(shown(line));
        };
        let progress = progress
            .map(|p| Message::Progress(Progress { done: p.done, total: p.total, unit: p.unit }));
        let failed = failed.map(|f| Message::Failed {
            message: f.message[..f.message.floor_char_boundary(MESSAGE_BYTES_MAX)].into(),
            retry: f.retry,
        });
        let all = [
            progress,
            checkpoint.map(|state| Message::Checkpoint(state.get().into())),
            done.map(|result| Message::Done(result.get().into())),
            failed,
            log.map(Message::Log),
        ];
        let mut there = all.into_iter().flatten();
        match (there.next(), there.next()) {
            (Some(message), None) => Ok(Self { id, message }),
            _ => Err(shown(line)),
        }
    }
}

#[derive(Serialize)]
struct JobLine<'a> {
    id: i64,
    kind: &'a str,
    payload: &'a RawValue,
    checkpoint: Option<&'a RawValue>,
    attempt: u32,
}

/// The line that gives a child a job; `Err` says what of it is no JSON.
pub(super) fn job_line(job: &Job<'_>) -> Result<Vec<u8>, String> {
    // A break inside of JSON can only stand between its parts, where a blank does as well.
    let flat = |text: &str| RawValue::from_string(text.replace(['\n', '\r'], " "));
    let wrong = |what: &str, error: &serde_json::Error| {
        format!("the {what} of the job {} is no JSON: {error}", job.id)
    };
    let payload = flat(job.payload).map_err(|error| wrong("payload", &error))?;
    let checkpoint = job.checkpoint.map(flat).transpose();
    let checkpoint = checkpoint.map_err(|error| wrong("checkpoint", &error))?;
    let line = JobLine {
        id: job.id,
        kind: job.kind,
        payload: &payload,
        checkpoint: checkpoint.as_deref(),
        attempt: job.attempt,
    };
    let line = serde_json::to_string(&line).map_err(|error| wrong("line", &error))?;
    Ok(format!("{{\"job\":{line}}}\n").into_bytes())
}

/// The line that asks a child to stop.
pub(super) fn stop_line(stop: Stop) -> Vec<u8> {
    format!("{{\"stop\":\"{}\"}}\n", stop.name()).into_bytes()
}

/// The line that says a checkpoint is durable.
pub(super) const CHECKPOINT_OK: &[u8] = b"{\"ok\":\"checkpoint\"}\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Message {
        Said::read(line.as_bytes()).unwrap().message
    }

    #[test]
    fn every_message_of_the_protocol_is_read() {
        let progress = Progress { done: 5, total: Some(9), unit: Some("rows".into()) };
        let line = r#"{"progress":{"done":5,"total":9,"unit":"rows"},"id":7}"#;
        let said = Said::read(line.as_bytes()).unwrap();
        assert_eq!(said, Said { id: Some(7), message: Message::Progress(progress) });
        let bare = Progress { done: 5, ..Progress::default() };
        assert_eq!(read(r#"{"progress":{"done":5,"total":null}}"#), Message::Progress(bare));
        assert_eq!(read(r#"{"done":null}"#), Message::Done("null".into()));
        let exact = r#"{"n":1.000000000000000000001}"#;
        assert_eq!(read(&format!("{{\"checkpoint\":{exact}}}")), Message::Checkpoint(exact.into()));
        let failed = Message::Failed { message: "no".into(), retry: false };
        assert_eq!(read(r#"{"failed":{"message":"no"}}"#), failed);
        assert_eq!(read(" {\"log\":\"a\\nb\"}\r"), Message::Log("a\nb".into()));
    }

    #[test]
    fn whatever_else_is_said_is_no_message() {
        for line in [
            "",
            "hello",
            "{}",
            "[]",
            "null",
            r#"{"id":7}"#,
            r#"{"done":null,"log":"two at once"}"#,
            r#"{"done":null,"done":1}"#,
            r#"{"finished":true}"#,
            r#"{"progress":{"done":-1}}"#,
            r#"{"progress":{"done":1,"off":2}}"#,
            r#"{"failed":"no"}"#,
            r#"{"done":tru}"#,
            r#"{"done":null} {"#,
        ] {
            assert!(Said::read(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Said::read(b"{\"log\":\"\xff\"}").is_err());
        assert!(Said::read(&[b'['; 60_000]).is_err());
        let deep = format!("{{\"done\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        // Whether it is taken or not: nothing overflows.
        let _either = Said::read(deep.as_bytes());
    }

    #[test]
    fn a_job_is_one_line_whatever_its_payload_looks_like() {
        let job = Job {
            id: 7,
            kind: "a\"b",
            payload: "{\n  \"text\": \"a\\nb\",\r\n  \"n\": 1.10\n}",
            checkpoint: None,
            attempt: 2,
        };
        let line = String::from_utf8(job_line(&job).unwrap()).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["job"]["payload"]["text"], "a\nb");
        assert_eq!(read["job"]["checkpoint"], serde_json::Value::Null);
        assert!(line.contains("1.10"), "{line}");
        assert!(job_line(&Job { payload: "{", ..job }).is_err());
    }
}
