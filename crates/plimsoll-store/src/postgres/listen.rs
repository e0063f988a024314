//! The one connection that listens, for whoever waits for what others commit.
//!
//! ```text
//!   connect, as itself ─> listen ─> stands ──> told, told, ..
//!        ^                                        │ broken
//!        └── 1 s, 2 s, 4 s .. a minute <──────────┘ stands no more
//! ```
//!
//! A pooler in transaction mode takes a LISTEN and delivers nothing, and leaves it behind on a
//! connection of others. So the connection asks for a setting when it starts, which arrives at
//! PostgreSQL with the start alone: a pooler refuses or swallows it, and then nothing is listened
//! to.
//!
//! Promises: `stands` is told of each change; a peer that is silent is noticed within a quarter of
//! a minute; an idle connection sends nothing but the system's own keepalives.
//! Never: a LISTEN through a pooler; a replica, where nothing is told.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

use super::connect::{Target, Wire, dial};
use super::connection::runtime;
use super::failure::explain;
use super::hosts::{Hosts, PRIMARY};
use crate::error::{Error, ErrorKind, Result};
use crate::listener::Listener;

/// Before the first try to connect again; twice as long before each that follows.
const AGAIN_MIN: Duration = Duration::from_secs(1);
/// Before any try at most: whoever waits looks by itself meanwhile.
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// As the connection says which it is, in its options.
const MARK: &str = "plimsoll.listens";

/// What the thread has.
pub(super) struct Listening {
    pub(super) hosts: Arc<Hosts>,
    /// A name of the program's own.
    pub(super) channel: &'static str,
    pub(super) listener: Arc<dyn Listener>,
    /// True when the database closes.
    pub(super) closing: watch::Receiver<bool>,
}

impl Listening {
    /// The thread's whole life.
    pub(super) fn run(self) {
        let Self { hosts, channel, listener, mut closing } = self;
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return tracing::warn!(%error, "nobody listens; jobs are looked for instead");
            }
        };
        runtime.block_on(async {
            let listening = listen(&hosts.all()[PRIMARY].target, channel, &*listener);
            tokio::select! {
                () = listening => {}
                // Closed, or its owner is gone: either way it is over.
                _closed = closing.wait_for(|closing| *closing) => {}
            }
        });
    }
}

/// Listens, again and again.
async fn listen(target: &Target, channel: &str, listener: &dyn Listener) {
    let target = target.marked(MARK);
    let (mut again, mut told) = (AGAIN_MIN, false);
    loop {
        let error = match open(&target, channel).await {
            Ok((client, wire)) => {
                listener.stands(true);
                tracing::debug!(channel, "listening");
                (again, told) = (AGAIN_MIN, false);
                let error = hear(wire, listener).await;
                drop(client);
                listener.stands(false);
                error
            }
            Err(error) => error,
        };
        // Once for each time it was lost; the tries that follow say the same.
        if !told {
            tracing::info!(%error, "not told of jobs, which are looked for instead");
        }
        told = true;
        tokio::time::sleep(again).await;
        again = (again * 2).min(AGAIN_MAX);
    }
}

/// A connection that listens.
async fn open(target: &Target, channel: &str) -> Result<(Client, Wire)> {
    const WHAT: &str = "listening";
    let (client, mut wire) = dial(target).await?.map_err(|e| explain(WHAT, &e))?;
    let asking = async {
        let asked = format!("select current_setting('{MARK}', true)");
        let answer = client.simple_query(&asked).await.map_err(|e| explain(WHAT, &e))?;
        let marked = answer.iter().any(
            |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")),
        );
        if !marked {
            let why = "listening: a pooler stands between, through which nothing is told";
            return Err(Error::new(ErrorKind::Busy, why));
        }
        let listen = format!("listen {channel}");
        client.batch_execute(&listen).await.map_err(|e| explain(WHAT, &e))
    };
    let driven = poll_fn(|context| {
        loop {
            match ready!(wire.poll_message(context)) {
                // Nobody is heard before it stands.
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(explain(WHAT, &e)),
                None => return Poll::Ready(ended()),
            }
        }
    });
    let asked = tokio::select! {
        biased;
        error = driven => Err(error),
        asked = asking => asked,
    };
    asked.map(|()| (client, wire))
}

/// Tells what comes until the connection breaks, and why it did.
async fn hear(mut wire: Wire, listener: &dyn Listener) -> Error {
    poll_fn(|context| {
        loop {
            match ready!(wire.poll_message(context)) {
                Some(Ok(AsyncMessage::Notification(said))) => listener.told(said.payload()),
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(explain("listening", &e)),
                None => return Poll::Ready(ended()),
            }
        }
    })
    .await
}

fn ended() -> Error {
    Error::new(ErrorKind::Busy, "listening: PostgreSQL has ended the connection")
}
