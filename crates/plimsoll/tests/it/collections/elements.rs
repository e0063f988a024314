//! Elements come back as they went, and what is not one is refused.

use std::fmt::Debug;

use plimsoll::collections::{Serde, Spillable};
use plimsoll::expr::testing::Random;

use super::seed;

fn round_trip<T: Spillable + PartialEq + Debug>(value: &T) {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).unwrap();
    assert_eq!(bytes.len(), value.encoded_bytes(), "{value:?} announced another size");
    if let Some(width) = T::WIDTH {
        assert_eq!(bytes.len(), width, "{value:?} is not of its width");
    }
    let mut rest = &bytes[..];
    assert_eq!(T::decode(&mut rest).as_ref(), Some(value));
    assert!(rest.is_empty(), "{value:?} left bytes behind");
    for cut in 0..bytes.len() {
        // A cut number is no number; what remains of a text with a shorter length is none either.
        assert_eq!(T::decode(&mut &bytes[..cut]), None, "{value:?} cut at {cut}");
    }
}

#[test]
fn every_kind_of_element_comes_back_and_a_cut_one_is_refused() {
    round_trip(&7_u8);
    round_trip(&-7_i128);
    round_trip(&f64::MIN_POSITIVE);
    round_trip(&true);
    round_trip(&String::from("naïve"));
    round_trip(&vec![0_u8; 300]);
    round_trip(&Some(5_u32));
    round_trip(&None::<u32>);
    round_trip(&None::<String>);
    round_trip(&[Some(String::from("a")), None]);
    round_trip(&(1_u8, String::from("tea"), (2_u64, [3_i16; 4])));
    round_trip(&Serde((String::from("tea"), vec![1_u32, 2, 3])));
}

#[test]
fn elements_of_fixed_width_take_nothing_else() {
    assert_eq!(u64::WIDTH, Some(8));
    assert_eq!(<(u64, [u32; 3], Option<bool>)>::WIDTH, Some(8 + 12 + 2));
    assert_eq!(<(u64, String)>::WIDTH, None);
}

#[test]
fn what_no_value_encodes_to_is_refused() {
    assert_eq!(bool::decode(&mut &[2][..]), None);
    assert_eq!(Option::<u8>::decode(&mut &[0, 1][..]), None, "an absent value with bytes");
    assert_eq!(String::decode(&mut &[1, 0xff][..]), None, "not UTF-8");
    assert_eq!(Vec::<u8>::decode(&mut &[0x81, 0x00, 7][..]), None, "a length with a spare byte");
    assert_eq!(Vec::<u8>::decode(&mut &[0xff; 11][..]), None, "a length beyond all memory");
}

#[test]
fn random_bytes_neither_panic_nor_allocate_beyond_themselves() {
    let mut random = Random::new(seed());
    for _ in 0..20_000 {
        let len = random.below(40);
        let bytes: Vec<u8> = (0..len).map(|_| random.bits().to_le_bytes()[0]).collect();
        let _any = <(Option<String>, [Vec<u8>; 3])>::decode(&mut &bytes[..]);
        let _any = Serde::<(String, Vec<u64>, Option<f32>)>::decode(&mut &bytes[..]);
    }
}
