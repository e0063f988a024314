//! Response bytes that carry their reservation with them.
//!
//! Promises: the bytes are given back to the budget when the last of them has left for the kernel
//! or the client has gone, whichever comes first.
//! Never: a copy.

use bytes::Bytes;
use plimsoll::budget::{Refusal, Reservation};

/// A buffer and what stands for it in the budget.
struct Held {
    buffer: Vec<u8>,
    _reservation: Option<Reservation>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

/// The buffer as a body; one allocation.
pub(crate) fn held(buffer: Vec<u8>, reservation: Option<Reservation>) -> Bytes {
    Bytes::from_owner(Held { buffer, _reservation: reservation })
}

/// Makes the reservation as large as the buffer has become. A single row may be larger than a
/// frame; its bytes are charged here, at the latest before the next are asked for.
pub(crate) fn cover(reservation: &mut Reservation, buffer: &Vec<u8>) -> Result<(), Refusal> {
    let capacity = buffer.capacity() as u64;
    match capacity.checked_sub(reservation.bytes()) {
        Some(missing) if missing > 0 => reservation.try_grow(missing),
        _ => Ok(()),
    }
}
