//! What becomes of a job once its receiver has answered, or has not.
//!
//! ```text
//!   2xx                                    done
//!   408, 425, 429, 5xx   with Retry-After  later, then
//!                        without           again, with backoff
//!   no answer                              again, with backoff
//!   3xx, 410, other 4xx                    failed: the dead letter, delivered again by a retry
//! ```
//!
//! Promises: pure; however long a receiver asks to be left alone, it is bounded.
//! Never: a word of what the receiver sent; it may be anything.

use std::time::{Duration, UNIX_EPOCH};

use plimsoll_jobs::{Ending, JobError};

/// A receiver is left alone this long at most, whatever it asks for.
const RETRY_AFTER_MS_MAX: u64 = 24 * 3_600_000;
/// And this long at least, so that `Retry-After: 0` is no loop.
const RETRY_AFTER_MS_MIN: u64 = 1_000;

/// Why nothing was delivered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It may go better.
    Again(String),
    /// It will not.
    Never(String),
}

/// What a receiver answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
}

/// What becomes of the job.
pub(super) fn ending(
    host: &str,
    answered: Result<Answered, Trouble>,
    now_micros: i64,
) -> Result<Ending, JobError> {
    let Answered { status, retry_after } = match answered {
        Ok(answered) => answered,
        Err(Trouble::Again(why)) => return Err(JobError::again(why)),
        Err(Trouble::Never(why)) => return Err(JobError::hopeless(why)),
    };
    let said = format!("{host} answered {status}");
    match status {
        200..=299 => {
            let result = Some(format!("{{\"status\":{status}}}").into());
            Ok(Ending::Done { effects: Vec::new(), result })
        }
        408 | 425 | 429 | 500..=599 => {
            let after_ms = retry_after.as_deref().and_then(|text| wait_ms(text, now_micros));
            match after_ms {
                Some(after_ms) => Ok(Ending::Later { after_ms, why: said.into() }),
                None => Err(JobError::again(said)),
            }
        }
        300..=399 => {
            let text = format!("{said}: redirects are not followed, push to where it leads");
            Err(JobError::hopeless(text))
        }
        410 => Err(JobError::hopeless(format!("{said}: it wants no more of these"))),
        _ => Err(JobError::hopeless(said)),
    }
}

/// What `Retry-After` asks for: seconds, or a date.
fn wait_ms(text: &str, now_micros: i64) -> Option<u64> {
    let text = text.trim();
    let asked_ms = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(now_micros).unwrap_or(0));
        let wait = date.duration_since(now).unwrap_or_default();
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    };
    Some(asked_ms.clamp(RETRY_AFTER_MS_MIN, RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37.
    const NOW: i64 = 784_111_777_000_000;

    fn of(status: u16, retry_after: Option<&str>) -> Result<Ending, JobError> {
        let retry_after = retry_after.map(str::to_owned);
        ending("a.b", Ok(Answered { status, retry_after }), NOW)
    }

    #[test]
    fn each_status_ends_a_job_as_the_figure_says() {
        for status in [200, 202, 204, 299] {
            assert!(matches!(of(status, None), Ok(Ending::Done { .. })), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            let error = of(status, None).expect_err("again");
            assert!(!error.is_hopeless(), "{status}");
            assert!(matches!(of(status, Some("7")), Ok(Ending::Later { after_ms: 7_000, .. })));
        }
        for status in [100, 101, 301, 302, 307, 308, 400, 401, 403, 404, 410, 418, 422, 600] {
            let error = of(status, Some("7")).expect_err("hopeless");
            assert!(error.is_hopeless(), "{status}");
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
        let gone = |trouble| ending("a.b", Err(trouble), NOW).expect_err("no answer");
        assert!(!gone(Trouble::Again("x".into())).is_hopeless());
        assert!(gone(Trouble::Never("x".into())).is_hopeless());
    }

    #[test]
    fn a_receiver_is_left_alone_as_long_as_it_asks_within_bounds() {
        for (text, expected) in [
            ("7", Some(7_000)),
            (" 7 ", Some(7_000)),
            ("0", Some(RETRY_AFTER_MS_MIN)),
            ("86401", Some(RETRY_AFTER_MS_MAX)),
            ("99999999999999999999999", Some(RETRY_AFTER_MS_MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60_000)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(RETRY_AFTER_MS_MIN)),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(RETRY_AFTER_MS_MAX)),
            ("", None),
            ("-7", None),
            ("7.5", None),
            ("soon", None),
        ] {
            assert_eq!(wait_ms(text, NOW), expected, "{text:?}");
        }
    }
}
