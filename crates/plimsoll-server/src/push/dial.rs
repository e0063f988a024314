//! A connection to a receiver, whose address was judged.
//!
//! ```text
//!   host ─> addresses, once ─> those that may be called ─> connect to these ─> TLS, by name
//!                              none: refused
//! ```
//!
//! Promises: the address that is connected to is the one that was judged: a name is looked up once
//! for each call, so that an answer that changes behind the check is never seen.
//! Never: a lookup without a bound; an address in an error, for whoever enqueues may not know it.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::allow::Allow;
use super::message::Target;
use super::outcome::Trouble;

/// Addresses of a name that are tried: one of each family, twice.
const ADDRESSES_MAX: usize = 4;
/// Lookups at a time, those that nobody waits for any more among them: each is a thread.
const LOOKUPS_MAX: usize = 32;

/// Finds the addresses of a name.
pub type Resolve = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// As the system finds them.
pub(super) fn system() -> Resolve {
    Arc::new(|host| Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect()))
}

/// What bytes go through.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Connects to receivers.
pub(super) struct Dialer {
    allow: Allow,
    resolve: Resolve,
    lookups: Arc<Semaphore>,
    tls: TlsConnector,
    timeout: Duration,
}

impl Dialer {
    pub(super) fn new(
        allow: Allow,
        resolve: Resolve,
        tls: TlsConnector,
        timeout: Duration,
    ) -> Self {
        let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
        Self { allow, resolve, lookups, tls, timeout }
    }

    /// A connection, encrypted where the target says so.
    pub(super) async fn dial(&self, to: &Target) -> Result<Box<dyn Io>, Trouble> {
        let late = |_| Trouble::Again(format!("connecting to {}: no answer in time", to.host));
        tokio::time::timeout(self.timeout, self.connect(to)).await.map_err(late)?
    }

    async fn connect(&self, to: &Target) -> Result<Box<dyn Io>, Trouble> {
        let addresses = self.judged(to, self.addresses(&to.host).await?)?;
        // A part for each, so that one that says nothing leaves time for the next.
        let part = self.timeout / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
        let mut failed = None;
        for address in addresses {
            let connecting = TcpStream::connect((address, to.port));
            match tokio::time::timeout(part, connecting).await {
                Ok(Ok(stream)) => return self.encrypt(to, stream).await,
                Ok(Err(error)) => failed = Some(error.kind()),
                Err(_) => failed = Some(io::ErrorKind::TimedOut),
            }
        }
        let why = failed.unwrap_or(io::ErrorKind::NotFound);
        Err(Trouble::Again(format!("connecting to {}:{}: {why}", to.host, to.port)))
    }

    async fn encrypt(&self, to: &Target, stream: TcpStream) -> Result<Box<dyn Io>, Trouble> {
        if !to.https {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(to.host.to_string())
            .map_err(|_| Trouble::Never(format!("{} is no name that encrypts", to.host)))?;
        let fail = |e: io::Error| Trouble::Again(format!("encrypting to {}: {e}", to.host));
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(fail)?))
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Trouble> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let fail = |why: &str| Trouble::Again(format!("looking {host} up: {why}"));
        let Ok(permit) = Arc::clone(&self.lookups).try_acquire_owned() else {
            return Err(fail("too many lookups hang"));
        };
        let (resolve, name) = (Arc::clone(&self.resolve), host.to_owned());
        let looking = tokio::task::spawn_blocking(move || {
            let found = resolve(&name);
            drop(permit);
            found
        });
        match looking.await {
            Ok(Ok(found)) if !found.is_empty() => Ok(found),
            Ok(Ok(_)) => Err(fail("it has no address")),
            Ok(Err(error)) => Err(fail(&error.to_string())),
            Err(_) => Err(fail("the lookup broke")),
        }
    }

    /// Those that may be called.
    fn judged(&self, to: &Target, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Trouble> {
        let mut refused = String::new();
        let mut judged = Vec::with_capacity(ADDRESSES_MAX);
        for address in found {
            match self.allow.check(&to.host, address, !to.https) {
                Ok(()) if judged.len() < ADDRESSES_MAX => judged.push(address),
                Ok(()) => {}
                Err(why) => {
                    tracing::warn!(host = &*to.host, %address, why, "an address is not called");
                    refused = why;
                }
            }
        }
        if judged.is_empty() {
            let text = format!("{} is not called: {refused}, and push.allow has not it", to.host);
            return Err(Trouble::Never(text));
        }
        Ok(judged)
    }
}
