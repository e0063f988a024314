//! Webhooks of events: who is told of which topics.
//!
//! ```text
//!   [[webhook]]
//!   name = "billing"                 of its own among them: it is part of every message's id
//!   topics = ["orders"]              left out: all
//!   url = "https://hooks.example.org/in"
//!   secret = "billing"               a name in push.secrets
//!
//!   event 17 ─> in its transaction a job http.push {id: "event_17_billing", body: {..}}
//! ```
//!
//! Promises: a message for each event and webhook, at least once, always under the same id; what
//! cannot be sent is refused before anything is served.
//! Never: an event held up by a receiver.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use plimsoll::error::excerpt;
use plimsoll::record::Timestamp;
use plimsoll_jobs::{LISTENERS_MAX, NewEvent, NewJob, Subscribed, Subscribers};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{KIND, Secrets, declared, message};

/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of an event's payload that a message carries; of a larger one it says that it is left out.
const DATA_BYTES_MAX: usize = 32 << 10;
/// Characters of a name.
const NAME_BYTES_MAX: usize = 32;

/// The webhooks of a process.
pub struct Webhooks(Vec<Webhook>);

/// One of them, as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    name: String,
    #[serde(default)]
    topics: Vec<String>,
    url: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    webhook: Vec<Webhook>,
}

impl Webhooks {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file's name, with what the system says or what [`Webhooks::parse`] does.
    pub fn open(path: &Path, secrets: &Secrets) -> Result<Self, String> {
        let fail = |why: String| format!("{}: {why}", path.display());
        let mut text = String::new();
        let file = File::open(path).map_err(|e| fail(e.to_string()))?;
        // One byte more, so that what is too large is seen to be.
        let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|e| fail(e.to_string()))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(fail(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Self::parse(&text, secrets).map_err(fail)
    }

    /// Reads the text of a file of webhooks.
    ///
    /// ```
    /// use plimsoll_server::push::{Secrets, Webhooks};
    /// let secrets = Secrets::parse("[a]\nkeys = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']")?;
    /// let text = "[[webhook]]\nname = 'a'\nurl = 'https://a.example/in'\nsecret = 'a'";
    /// assert!(Webhooks::parse(text, &secrets).is_ok());
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// The webhook that is wrong, and what it should be.
    pub fn parse(text: &str, secrets: &Secrets) -> Result<Self, String> {
        let Listed { webhook: all } = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        if all.len() > LISTENERS_MAX {
            return Err(format!("there are {} webhooks, at most {LISTENERS_MAX}", all.len()));
        }
        for (at, webhook) in all.iter().enumerate() {
            let named = |why: String| format!("the webhook '{}': {why}", excerpt(&webhook.name));
            webhook.check(secrets).map_err(named)?;
            if all[..at].iter().any(|other| other.name == webhook.name) {
                return Err(named("there are two of this name".to_owned()));
            }
        }
        Ok(Self(all))
    }
}

impl Webhook {
    fn check(&self, secrets: &Secrets) -> Result<(), String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let length = 1..=NAME_BYTES_MAX;
        if !length.contains(&self.name.len()) || !self.name.bytes().all(fits) {
            return Err(format!("a name is 1 to {NAME_BYTES_MAX} letters, digits, '_' or '-'"));
        }
        for topic in &self.topics {
            plimsoll_jobs::check_name("topic", topic).map_err(|e| e.to_string())?;
        }
        let to = message::target(&self.url)?;
        secrets.get(&self.secret, &to.host).map(drop)
    }

    fn of(&self, event: &NewEvent, at_micros: i64) -> Subscribed {
        let head = format!(
            "{{\"url\":{},\"secret\":{},\"headers\":{{\"x-webhook-topic\":{}}},\"id\":\"event_",
            Json::from(&*self.url),
            Json::from(&*self.secret),
            Json::from(&*event.topic)
        );
        let middle = format!("_{}\",\"body\":{{\"event\":", self.name);
        let data = match event.payload.len() {
            ..=DATA_BYTES_MAX => format!("\"data\":{}", event.payload),
            more => format!("\"data\":null,\"data_left_out_bytes\":{more}"),
        };
        let tail = format!(
            ",\"type\":{},\"timestamp\":\"{}\",{data}}}}}",
            Json::from(format!("{}.{}", event.topic, event.name)),
            Timestamp::from_micros(at_micros),
        );
        let declared = declared();
        let job = NewJob {
            queue: declared.queue.into(),
            trying: declared.trying,
            memory_bytes: declared.memory_bytes,
            ..NewJob::new(KIND, "{}")
        };
        let around = [head.into(), middle.into(), tail.into()];
        Subscribed { name: self.name.as_str().into(), job, around }
    }
}

impl Subscribers for Webhooks {
    fn subscribed(&self, event: &NewEvent, at_micros: i64) -> Vec<Subscribed> {
        let wants = |webhook: &&Webhook| {
            webhook.topics.is_empty() || webhook.topics.iter().any(|topic| **topic == *event.topic)
        };
        self.0.iter().filter(wants).map(|webhook| webhook.of(event, at_micros)).collect()
    }
}
