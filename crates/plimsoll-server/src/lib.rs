//! The HTTP surface of Plimsoll: the one crate that knows status codes.
//!
//! ```text
//!   accept ──> stall ──> hyper http1 ──> exchange ──> router ──> routes/* ──> Store
//!   sockets    slow       bounded        id, log,     access     list, get,
//!   and caps   clients    headers        metrics,                write, stream,
//!                                        panics                  analytics, ...
//! ```
//!
//! [`serve`] runs on the runtime of its caller. Every byte a client can make the process hold is
//! taken from the budget's `http` node first: a connection's buffers before its first request is
//! read, a body before it is read, a page before it is asked for, a stream's two frames before
//! its status is sent.
//!
//! Promises: every error is `application/problem+json`; a stream that fails never ends cleanly;
//! nothing in here knows a concrete table.
//! Never: SQL, or a wait without a bound.

#![forbid(unsafe_code)]

mod accept;
mod access;
mod access_log;
mod app;
mod body;
mod config;
mod cursor;
mod endpoint;
mod etag;
mod exchange;
mod handoff;
mod held;
mod home;
mod include;
mod intake;
mod jobs;
mod links;
mod logs;
mod metrics;
mod negotiate;
mod params;
mod problem;
pub mod push;
mod refuse;
mod reload;
mod reports;
mod request_id;
mod router;
mod routes;
mod sealed;
mod served;
mod session;
mod socket;
mod stall;
mod stream;

pub use accept::serve;
pub use access::{Access, NewKey, Secret};
pub use app::{Error, Server};
pub use config::{
    AllocatorSample, Build, CatalogueSource, Clock, ProcessProbe, ProcessSample, ServerConfig,
    ServerLimits,
};
pub use intake::IntakeConfig;
pub use jobs::JobsConfig;
pub use logs::{LOG_BYTES_MAX, LogLine, Logs};
pub use reload::Reloaded;
pub use reports::ReportsConfig;
