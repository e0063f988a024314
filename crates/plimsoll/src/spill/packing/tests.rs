//! What codecs hold is what is reserved for it.

use std::sync::Arc;

use super::{Expander, Packer, Packing, ZSTD_UNPACKING_BYTES, zstd_state_bytes};
use crate::budget::{Budget, Unmeasured};
use crate::expr::testing::Random;
use crate::spill::Codec;

const PAYLOAD: usize = 512 << 10;

fn text(random: &mut Random, bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes);
    while text.len() < bytes - 40 {
        text.extend(format!("{},Garden,{}\n", random.below(99_999), random.below(99)).bytes());
    }
    text
}

#[test]
fn a_zstandard_context_holds_no_more_than_is_reserved_for_it() {
    let budget = Budget::new(64 << 20, 8 << 20, Arc::new(Unmeasured)).unwrap();
    let consumer = budget.consumer("test").unwrap();
    let mut random = Random::new(1);
    for bytes in [4 << 10, 16 << 10, 64 << 10, 256 << 10, PAYLOAD, 2 * PAYLOAD] {
        let mut packer = Packer::new(Codec::Zstd, bytes, &consumer).unwrap().unwrap();
        let payload = text(&mut random, bytes);
        let Packing::Zstd(context) = &mut packer.state else { panic!("it was asked for") };
        context.compress_to_buffer(&payload, &mut packer.room[..]).unwrap();
        let (held, reserved) = (context.context_mut().sizeof(), zstd_state_bytes(bytes));
        assert!(held <= reserved && held > reserved / 4, "{bytes}: {held} of {reserved}");
        let Some((codec, packed)) = packer.pack(&payload) else { continue };
        let mut plain = vec![0; payload.len()];
        Expander::default().expand(codec, packed, &mut plain).unwrap();
        assert!(plain == payload);
        let mut context = zstd::zstd_safe::DCtx::create();
        context.decompress(&mut plain[..], packed).unwrap();
        let held = context.sizeof();
        assert!(held <= ZSTD_UNPACKING_BYTES, "{bytes}: decompressing holds {held}");
    }
}

#[test]
fn a_payload_that_does_not_get_smaller_is_left_as_it_is() {
    let budget = Budget::new(64 << 20, 8 << 20, Arc::new(Unmeasured)).unwrap();
    let consumer = budget.consumer("test").unwrap();
    let mut random = Random::new(2);
    let noise: Vec<u8> = (0..PAYLOAD / 8).flat_map(|_| random.bits().to_le_bytes()).collect();
    for codec in [Codec::Lz4, Codec::Zstd, Codec::Gzip] {
        let mut packer = Packer::new(codec, PAYLOAD, &consumer).unwrap().unwrap();
        assert!(packer.pack(&noise).is_none(), "{codec:?}");
        assert!(packer.pack(&noise[..100]).is_none(), "{codec:?}: within a sector");
        assert!(packer.pack(&[b'a'; PAYLOAD]).is_some(), "{codec:?}");
    }
}
