//! Opening a connection.
//!
//! Promises: within a time limit; whoever finds no place among the server's connections waits a
//! little before it is an error.
//! Never: a password in a message.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};

use super::failure::explain;
use super::tls::{self, Tls};
use crate::error::{Error, ErrorKind, Result};

/// Longer than a connection within a data centre takes, and below the 5 s in which a failed host
/// is noticed.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A peer that acknowledges nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// A read waits so long for a place among the server's connections, or for a server that is just
/// starting.
const PLACE_WAIT: Duration = Duration::from_secs(2);
/// Between two tries to get a place.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Of a connection that nobody speaks on the system asks this often whether its peer is there.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// What moves the bytes of a connection.
pub(super) type Wire = Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>;

/// Where to connect to.
pub(super) struct Target {
    config: tokio_postgres::Config,
    pub(super) tls: Tls,
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

    /// The same for a connection that is silent for long, and starts with a setting of its own.
    pub(super) fn marked(&self, setting: &str) -> Self {
        let mut config = self.config.clone();
        let before = config.get_options().unwrap_or_default();
        let options = format!("{before} -c {setting}=on");
        config.options(options.trim_start()).keepalives_idle(SILENT_FOR);
        Self { config, tls: self.tls.clone() }
    }

    /// The database; where none is named the server takes the user's name.
    pub(super) fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
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

/// Opens a connection, and where there is no place for one just now waits for it.
pub(super) async fn connect_in_turn(target: &Target) -> Result<(Client, JoinHandle<()>)> {
    let until = Instant::now() + PLACE_WAIT;
    loop {
        match try_connect(target).await? {
            Ok(open) => return Ok(open),
            Err(told) if is_full(&told) && Instant::now() < until => {
                tokio::time::sleep(TRY_EVERY).await;
            }
            Err(told) => return Err(explain(&connecting_to(target), &told)),
        }
    }
}

/// Whether somebody else's connections are in the way, which end.
fn is_full(error: &tokio_postgres::Error) -> bool {
    let full = [SqlState::TOO_MANY_CONNECTIONS, SqlState::CANNOT_CONNECT_NOW];
    error.code().is_some_and(|code| full.contains(code))
}

fn connecting_to(target: &Target) -> String {
    format!("connecting to PostgreSQL at {}", target.name())
}

/// Opens a connection.
pub(super) async fn connect(target: &Target) -> Result<(Client, JoinHandle<()>)> {
    try_connect(target).await?.map_err(|told| explain(&connecting_to(target), &told))
}

type Connected = std::result::Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

/// Opens a connection that the caller moves.
pub(super) async fn dial(
    target: &Target,
) -> Result<std::result::Result<(Client, Wire), tokio_postgres::Error>> {
    let connecting = target.config.connect(target.tls.clone());
    tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| {
        let seconds = CONNECT_TIMEOUT.as_secs();
        let late = format!("{}: no answer in {seconds} s; try again", connecting_to(target));
        Error::new(ErrorKind::Busy, late)
    })
}

async fn try_connect(target: &Target) -> Result<Connected> {
    let (client, connection) = match dial(target).await? {
        Ok(connected) => connected,
        Err(told) => return Ok(Err(told)),
    };
    let wire = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    Ok(Ok((client, wire)))
}
