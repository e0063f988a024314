//! Errors as RFC 9457 problem documents, and the one mapping from the store's kinds.
//!
//! Promises: every kind has one stable relative `type`, one title and one status; what is the
//! client's to mend is in the detail, what is not goes to the log alone.
//! Never: a path, a query or an engine's text of an internal failure in a response.

use std::fmt;

use axum::http::StatusCode;
use plimsoll::budget::Refusal;
use plimsoll_store::ErrorKind;
use serde_json::{Map, Value as Json, json};

/// The result of a handler.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($kind:ident $status:literal $slug:literal $title:literal,)*) => {
        /// What went wrong, as the client is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $(#[doc = $title] $kind,)* }

        impl Kind {
            /// The HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                let code: u16 = match self { $(Self::$kind => $status,)* };
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The last segment of the `type`.
            pub(crate) const fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug,)* }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    InvalidRequest 400 "invalid-request" "The request cannot be read",
    InvalidParameter 400 "invalid-parameter" "A parameter has a value that is not allowed",
    UnknownParameter 400 "unknown-parameter" "A parameter is not known here",
    UnknownField 400 "unknown-field" "A field is not known here",
    FilterInvalid 400 "filter-invalid" "The filter cannot be read",
    SortInvalid 400 "sort-invalid" "The sort cannot be read",
    SearchInvalid 400 "search-invalid" "The search cannot be read",
    SearchUnindexed 400 "search-unindexed" "The search has no index",
    SortUnindexed 400 "sort-unindexed" "The sort has no index",
    CursorInvalid 400 "cursor-invalid" "The cursor does not belong to this request",
    Unauthorized 401 "unauthorized" "Who asks is not known",
    Forbidden 403 "forbidden" "This is not allowed to the one who asks",
    NotOverHttp 403 "not-over-http" "This is not taken over HTTP",
    NotFound 404 "not-found" "There is nothing here",
    MethodNotAllowed 405 "method-not-allowed" "The method is not allowed here",
    UnsupportedFormat 406 "unsupported-format" "None of the accepted formats is served here",
    BodyTimeout 408 "body-timeout" "The body did not arrive in time",
    LeaseLost 409 "lease-lost" "The job is another's by now",
    ReportNotReady 409 "report-not-ready" "The report is not there yet",
    NoJobs 409 "jobs-unavailable" "There are no jobs beside this database",
    Conflict 409 "conflict" "The write contradicts what is there",
    CatalogRefused 409 "catalog-refused" "The new catalogue was refused; the old one stays",
    Gone 410 "gone" "What was here is not here any more",
    PreconditionFailed 412 "precondition-failed" "What is there is not as expected",
    BodyTooLarge 413 "body-too-large" "The body is too large",
    UriTooLong 414 "uri-too-long" "The address is too long",
    UnsupportedMediaType 415 "unsupported-media-type" "The body has a type that is not read here",
    RangeNotSatisfiable 416 "range-not-satisfiable" "The file does not have the bytes asked for",
    Validation 422 "validation" "The row cannot be written",
    KeyReused 422 "idempotency-key-reused" "The idempotency key was used for another request",
    JobInvalid 422 "job-invalid" "The job cannot be taken",
    ScheduleInvalid 422 "schedule-invalid" "The schedule cannot be set",
    UnknownJob 422 "unknown-kind" "Nobody knows this kind of job",
    TooLarge 422 "too-large" "A stated bound was exceeded",
    TooCostly 422 "query-too-costly" "The query would cost too much",
    QueueFull 429 "queue-full" "Too many requests wait already",
    Internal 500 "internal" "The server failed",
    Busy 503 "busy" "The server is busy",
    MemoryBudget 503 "memory-budget-exceeded" "The memory budget refused",
    NotReady 503 "not-ready" "The server is not ready",
    DiskFull 507 "disk-full" "The disk is full",
}

/// An error on its way to the client. One pointer wide.
pub(crate) struct Problem(Box<Inner>);

struct Inner {
    kind: Kind,
    detail: String,
    members: Map<String, Json>,
    allow: Option<&'static str>,
    retry_after_seconds: Option<u32>,
    challenge: Option<&'static str>,
}

impl Problem {
    /// A problem with the sentence the client reads.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            members: Map::new(),
            allow: None,
            retry_after_seconds: None,
            challenge: None,
        }))
    }

    /// Adds a member of its own to the document.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to come back.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Says how to make oneself known.
    pub(crate) fn challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// A method that is not served here; `allow` lists those that are.
    pub(crate) fn method(method: &axum::http::Method, allow: &'static str) -> Self {
        let method = plimsoll::error::excerpt(method.as_str());
        let detail = format!("{method} is not allowed here; allowed: {allow}");
        let mut problem = Self::new(Kind::MethodNotAllowed, detail);
        problem.0.allow = Some(allow);
        problem
    }

    /// A failure whose cause is no business of the client's; it stands in the log.
    pub(crate) fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(target: "http", error = %cause, "internal failure");
        Self::new(
            Kind::Internal,
            "the server failed in a way the request did not cause; the log of the server has more \
             under this request's id",
        )
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn allow(&self) -> Option<&'static str> {
        self.0.allow
    }

    pub(crate) fn challenge_text(&self) -> Option<&'static str> {
        self.0.challenge
    }

    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        self.0.retry_after_seconds
    }

    /// The document; `instance` is the request's id.
    pub(crate) fn document(&self, instance: &str) -> Json {
        let inner = &*self.0;
        let mut document = json!({
            "type": format!("/problems/{}", inner.kind.slug()),
            "title": inner.kind.title(),
            "status": inner.kind.status().as_u16(),
            "detail": inner.detail,
            "instance": instance,
        });
        if let Some(members) = document.as_object_mut() {
            members.extend(inner.members.clone());
        }
        document
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.slug(), self.0.detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let holders: Vec<Json> = refusal
            .holders
            .iter()
            .map(|holder| {
                json!({
                    "consumer": holder.path,
                    "held_bytes": holder.held_bytes,
                    "can_spill": holder.can_spill,
                })
            })
            .collect();
        Self::new(Kind::MemoryBudget, refusal.to_string())
            .with("asked_bytes", refusal.asked_bytes)
            .with("left_bytes", refusal.left_bytes)
            .with("limit_bytes", refusal.limit_bytes)
            .with("holders", holders)
            .retry_after(2)
    }
}

impl From<plimsoll_store::Error> for Problem {
    fn from(error: plimsoll_store::Error) -> Self {
        let plain = |kind| Self::new(kind, error.to_string());
        match error.kind() {
            ErrorKind::Invalid => plain(Kind::InvalidRequest),
            ErrorKind::NotFound => plain(Kind::NotFound),
            ErrorKind::Conflict | ErrorKind::Fenced => plain(Kind::Conflict),
            ErrorKind::Stale => plain(Kind::PreconditionFailed),
            ErrorKind::KeyReused => plain(Kind::KeyReused),
            ErrorKind::Unindexed | ErrorKind::Unsearchable => {
                let problem = plain(match error.kind() {
                    ErrorKind::Unindexed => Kind::SortUnindexed,
                    _ => Kind::SearchUnindexed,
                });
                match error.remedy() {
                    Some(remedy) => problem.with("create_index", remedy),
                    None => problem,
                }
            }
            ErrorKind::TooLarge => plain(Kind::TooLarge),
            ErrorKind::TooCostly => plain(Kind::TooCostly),
            ErrorKind::Busy => plain(Kind::Busy).retry_after(1),
            ErrorKind::OutOfBudget => plain(Kind::MemoryBudget).retry_after(2),
            ErrorKind::DiskFull => plain(Kind::DiskFull),
            ErrorKind::ReadOnly => Self::method(&axum::http::Method::POST, "GET, HEAD"),
            ErrorKind::Denied => {
                tracing::warn!(target: "http", error = %error, "the database denies a right");
                let why = "the database does not allow this to the role that asks; the log of the \
                           server has more under this request's id";
                Self::new(Kind::Forbidden, why)
            }
            ErrorKind::Stopped => {
                tracing::warn!(target: "http", error = %error, "the store has stopped");
                Self::new(Kind::NotReady, "the store has stopped; try again after the restart")
                    .retry_after(5)
            }
            ErrorKind::Corrupt | ErrorKind::Io => Self::internal(&error),
        }
    }
}
