//! What the kernel may hold for one client.
//!
//! ```text
//!   unsent (16 KiB) ─┐
//!   sent, not yet acknowledged ─┴─ send buffer (64 KiB) ──> client
//!   arrived, not yet read ──────── receive buffer (64 KiB) <── client
//! ```
//!
//! Promises: a slow client costs a known amount of kernel memory, and the kernel takes a byte of
//! ours only as the client acknowledges some.
//! Never: the kernel's own growth of buffers to megabytes.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// What the kernel may hold unsent or unacknowledged for one client, and unread from it.
pub(crate) const KERNEL_BUFFER_BYTES: u32 = 64 << 10;
/// Of that, what may wait to be sent at all. Small, so that the kernel asks for more, which is the
/// progress a stall is judged by, after every few kilobytes a slow client takes.
const KERNEL_UNSENT_BYTES: u32 = 16 << 10;
/// Bounds what the kernel holds for this client, so that a slow one costs a known amount and a
/// taken byte means an acknowledged one.
pub(crate) fn bound_kernel_buffers(socket: &TcpStream, stall_timeout: Duration) -> io::Result<()> {
    let options = SockRef::from(socket);
    // The kernel doubles what it is given to make room for its own bookkeeping; setting either
    // also ends its automatic growth to megabytes.
    options.set_send_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    options.set_recv_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    options.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        options.set_tcp_notsent_lowat(KERNEL_UNSENT_BYTES)?;
        // A peer that is gone without a word is noticed by its missing acknowledgements, also
        // when all there is to say stands in the kernel's buffer already.
        options.set_tcp_user_timeout(Some(stall_timeout * 2 + Duration::from_secs(1)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_buffers_of_a_client_are_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let _client = std::net::TcpStream::connect(address).expect("connects");
        let (socket, _) = listener.accept().await.expect("accepts");
        bound_kernel_buffers(&socket, Duration::from_secs(30)).expect("bounded");
        let options = SockRef::from(&socket);
        // Twice what was asked for, as the kernel counts its own bookkeeping too.
        let most = 2 * KERNEL_BUFFER_BYTES as usize;
        assert!(options.send_buffer_size().expect("read back") <= most);
        assert!(options.recv_buffer_size().expect("read back") <= most);
        assert_eq!(options.tcp_notsent_lowat().expect("read back"), KERNEL_UNSENT_BYTES);
    }
}
