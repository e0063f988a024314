//! What of the sales is to be warmed, where it is not all that is configured.
//!
//! ```text
//!   {"periods": ["7d"], "channels": ["all", "web"]}     what is missing is as configured
//! ```
//!
//! Promises: periods that there are, channels within their bounds, none of them twice.
//! Never: a word about what is configured; the server that warms knows that.

use plimsoll_store::sales::Period;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::job::{KEY_BYTES_MAX, NewJob};
use crate::warming::{WARM, WARM_QUEUE};

/// Channels that are asked for at most: each is a document for every period.
pub const WARM_CHANNELS_MAX: usize = 32;
/// Bytes of a channel's name at most.
const CHANNEL_BYTES_MAX: usize = 64;

/// See the module. What an event's listener is told besides is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmAsked {
    /// Names of periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub periods: Option<Vec<Box<str>>>,
    /// Channels, `all` for all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Box<str>>>,
}

impl WarmAsked {
    /// Whether it can be warmed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] with what is wrong and what there is.
    pub fn check(&self) -> Result<()> {
        if let Some(periods) = &self.periods {
            let unknown = periods.iter().find(|name| !Period::NAMES.contains(&&***name));
            if let Some(name) = unknown {
                let name = plimsoll::error::excerpt(name);
                let names = Period::NAMES.join(", ");
                return Err(Error::invalid(format!("there is no period '{name}': {names}")));
            }
            check_list("periods", periods, Period::NAMES.len())?;
        }
        if let Some(channels) = &self.channels {
            let fits = |name: &str| {
                (1..=CHANNEL_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
            };
            if let Some(name) = channels.iter().find(|name| !fits(name)) {
                let name = plimsoll::error::excerpt(name);
                return Err(Error::invalid(format!(
                    "'{name}' is no channel: 1 to {CHANNEL_BYTES_MAX} bytes of text, or all"
                )));
            }
            check_list("channels", channels, WARM_CHANNELS_MAX)?;
        }
        Ok(())
    }

    /// The job that warms it. Asked for again before it has begun it is that job.
    ///
    /// # Errors
    /// Those of [`WarmAsked::check`].
    ///
    /// ```
    /// use plimsoll_jobs::WarmAsked;
    ///
    /// let periods = Some(vec!["7d".into(), "yesterday".into()]);
    /// let job = WarmAsked { periods, channels: None }.job().expect("periods");
    /// assert_eq!(&*job.payload, r#"{"periods":["7d","yesterday"]}"#);
    /// let none = WarmAsked { periods: Some(vec!["8d".into()]), channels: None };
    /// assert!(none.job().expect_err("no period").to_string().contains("yesterday"));
    /// ```
    pub fn job(&self) -> Result<NewJob> {
        self.check()?;
        let payload = serde_json::to_string(self).map_err(|e| Error::invalid(e.to_string()))?;
        let key = match self == &Self::default() {
            true => "asked".to_owned(),
            false => format!("asked:{payload}"),
        };
        // A list that is too long for a key is warmed as often as it is asked for.
        let unique_key = (key.len() <= KEY_BYTES_MAX).then(|| key.into());
        Ok(NewJob { queue: WARM_QUEUE.into(), unique_key, ..NewJob::new(WARM, payload) })
    }
}

fn check_list(what: &str, names: &[Box<str>], most: usize) -> Result<()> {
    if !(1..=most).contains(&names.len()) {
        return Err(Error::invalid(format!("{what} are 1 to {most}, not {}", names.len())));
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    match twice {
        Some((_, name)) => Err(Error::invalid(format!("{what} have {name} twice"))),
        None => Ok(()),
    }
}
