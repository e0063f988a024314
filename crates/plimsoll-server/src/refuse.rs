//! Turning a connection away before it costs anything.
//!
//! ```text
//!   over the cap, or no bytes left ──> fixed 503 ──> FIN ──> read what comes, 1 s ──> close
//! ```
//!
//! The reading at the end matters: closing a socket with unread bytes makes the kernel send RST,
//! and the client would lose the answer.
//!
//! Promises: no allocation but the task; a bounded number of them; beyond that nobody new is
//! accepted until one has gone, and clients wait in the kernel's queue.
//! Never: a request read or parsed.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections being turned away at once.
const REFUSALS_MAX: usize = 256;
/// How long a turned away client may take to go.
const LINGER: Duration = Duration::from_secs(1);
/// What is read of it meanwhile.
const LINGER_BYTES_MAX: usize = 64 << 10;

const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    retry-after: 2\r\n\
    connection: close\r\n\
    content-length: 168\r\n\
    \r\n\
    {\"type\":\"/problems/busy\",\"title\":\"The server is busy\",\"status\":503,\
    \"detail\":\"as many connections are open as the memory limit allows; close some, or try \
    again in 2 s\"}\n";

/// Turns connections away.
#[derive(Clone)]
pub(crate) struct Refuser(Arc<Semaphore>);

impl Refuser {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REFUSALS_MAX)))
    }

    /// Answers 503 and closes, on a task of its own. Waits while too many are being turned away:
    /// closing at once would make the kernel send RST, and the client would learn nothing.
    pub(crate) async fn refuse(&self, mut socket: TcpStream) {
        let Ok(place) = Arc::clone(&self.0).acquire_owned().await else {
            return;
        };
        tokio::spawn(async move {
            let goodbye = async {
                socket.write_all(ANSWER).await?;
                socket.shutdown().await?;
                let mut sink = [0; 256];
                let mut read = 0;
                while read < LINGER_BYTES_MAX {
                    match socket.read(&mut sink).await? {
                        0 => break,
                        n => read += n,
                    }
                }
                std::io::Result::Ok(())
            };
            // Whatever goes wrong here, the client is gone or will be: nothing to tell anybody.
            drop(tokio::time::timeout(LINGER, goodbye).await);
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::ANSWER;

    #[test]
    fn the_fixed_answer_has_the_length_it_states_and_is_json() {
        let text = std::str::from_utf8(ANSWER).expect("ascii");
        let (head, body) = text.split_once("\r\n\r\n").expect("a blank line");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        let parsed: serde_json::Value = serde_json::from_str(body).expect("json");
        assert_eq!(parsed["status"], 503);
    }
}
