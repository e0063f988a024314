//! The log's lines on their way into the server's ring.
//!
//! Promises: what the log's level lets through, but for the lines about requests.
//! Never: a line of its own.

use std::fmt;
use std::sync::Arc;

use plimsoll_server::{LogLine, Logs};
use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::database::now_micros;

/// See the module.
pub(crate) struct LogRing(pub(crate) Arc<Logs>);

impl<S: Subscriber> Layer<S> for LogRing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if about.target() == "access" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.push(LogLine {
            at_micros: now_micros(),
            level: *about.level(),
            target: about.target().into(),
            message: fields.message.into(),
            fields: Json::Object(fields.others).to_string().into(),
        });
    }
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Json>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Json>) {
        self.others.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            _ => self.set(field, text),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.set(field, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
}
