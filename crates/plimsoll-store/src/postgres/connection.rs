//! One connection and the thread that drives it.
//!
//! ```text
//!   reader thread ─ block_on ─┬─ the work:  begin; set local .. │ select .. │ commit
//!                             └─ the wire:  reads a message when the work asks for one
//! ```
//!
//! Nobody polls the wire while the thread waits for work, so a connection that has been idle is
//! asked whether it is alive before it is used.
//!
//! Promises: connected when it is first needed; a broken connection is replaced, not reported as
//! long as nothing was read; whatever the work leaves unread is read away before the next.
//! Never: a second connection, or a name, setting or lock that outlives a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::Client;

use super::failure::{explain, is_lost};
use super::tls::{self, Tls};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Watch;

/// Longer than a connection within a data centre takes, shorter than a client waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that acknowledges nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A connection that was used within this time is taken to be alive.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Between two looks whether anybody still waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where to connect to.
pub(super) struct Target {
    config: tokio_postgres::Config,
    tls: Tls,
}

impl Target {
    /// Reads a URL or a `key=value` text.
    pub(super) fn new(url: &str) -> Result<Self> {
        let (text, tls) = tls::take_options(url)?;
        let mut config: tokio_postgres::Config =
            text.parse().map_err(|e: tokio_postgres::Error| {
                let cause =
                    std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
                Error::invalid(format!("the URL of the PostgreSQL database cannot be read{cause}"))
            })?;
        if config.get_application_name().is_none() {
            config.application_name("plimsoll");
        }
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENCE_MAX);
        let tls = tls.resolve(&mut config)?;
        Ok(Self { config, tls })
    }

    /// The host, port and database, for messages.
    pub(super) fn name(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

/// A connection that is opened when it is needed.
pub(super) struct Link {
    target: Arc<Target>,
    runtime: Runtime,
    client: Option<Client>,
    used: Instant,
}

impl Link {
    pub(super) fn new(target: Arc<Target>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorKind::Io, format!("starting a database thread: {e}")))?;
        Ok(Self { target, runtime, client: None, used: Instant::now() })
    }

    /// Does `work` on a living connection. When nobody waits for its outcome any more, the server
    /// is told to stop, and the connection is given up: a late cancel must not hit later work.
    ///
    /// # Errors
    /// Those of connecting and of `work`; [`ErrorKind::Stopped`] when nobody waits.
    pub(super) fn run<T>(
        &mut self,
        watch: &Watch,
        work: impl AsyncFnOnce(&Client) -> Result<T>,
    ) -> Result<T> {
        let Self { target, runtime, client, used } = self;
        runtime.block_on(async {
            if used.elapsed() > FRESH_FOR
                && let Some(idle) = client.as_ref()
                && idle.check_connection().await.is_err()
            {
                *client = None;
            }
            if client.as_ref().is_none_or(Client::is_closed) {
                *client = Some(connect(target).await?);
            }
            let Some(living) = client.as_ref() else { unreachable!("connected above") };
            let answer = tokio::select! {
                biased;
                answer = work(living) => Some(answer),
                () = abandoned(watch) => None,
            };
            *used = Instant::now();
            if let Some(answer) = answer {
                return answer;
            }
            // Whether the cancel arrives or not, the connection goes.
            drop(living.cancel_token().cancel_query(target.tls.clone()).await);
            *client = None;
            Err(Error::new(ErrorKind::Stopped, "the one who asked has gone"))
        })
    }

    /// Waits before another try, unless nobody waits for it any more.
    pub(super) fn pause(&self, watch: &Watch, time: Duration) {
        // Whether time or patience ended first makes no difference here: the next work looks.
        self.runtime.block_on(async { drop(tokio::time::timeout(time, abandoned(watch)).await) });
    }

    /// Gives the connection up; the next work opens another.
    pub(super) fn give_up(&mut self) {
        self.client = None;
    }

    /// Gives the connection up if it is of no use any more; the next work opens another.
    pub(super) fn give_up_if_lost(&mut self, error: &tokio_postgres::Error) {
        if is_lost(error) {
            self.client = None;
        }
    }
}

async fn connect(target: &Target) -> Result<Client> {
    let what = || format!("connecting to PostgreSQL at {}", target.name());
    let connected = target.config.connect(target.tls.clone()).await;
    let (client, connection) = connected.map_err(|e| explain(&what(), &e))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    Ok(client)
}

async fn abandoned(watch: &Watch) {
    while !watch.is_abandoned() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
