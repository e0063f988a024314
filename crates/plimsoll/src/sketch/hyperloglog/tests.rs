//! The stated error over many seeds, merges, and bytes that are not a sketch.

use super::*;
use crate::error::ErrorKind;
use crate::expr::testing::Random;

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    println!("TEST_SEED={seed}");
    seed
}

/// Relative errors of `trials` sketches of `distinct` values each.
fn errors(
    precision: u8,
    distinct: u32,
    trials: u32,
    add: impl Fn(&mut HyperLogLog, u64),
) -> Vec<f64> {
    let mut random = Random::new(seed());
    let error = |_| {
        let mut sketch = HyperLogLog::new(precision).unwrap();
        for _ in 0..distinct {
            add(&mut sketch, random.bits());
        }
        sketch.estimate() / f64::from(distinct) - 1.0
    };
    (0..trials).map(error).collect()
}

/// What is wrong with a set of errors, if the standard error is to be `sigma`.
fn judge(errors: &[f64], sigma: f64) -> Result<(), String> {
    #[allow(clippy::cast_precision_loss)] // a few hundred
    let count = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / count;
    let root_mean_square = (errors.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
    let beyond = errors.iter().filter(|e| e.abs() > 3.0 * sigma).count();
    // The mean and the deviation of `count` trials scatter too: 4 of their own sigmas.
    if mean.abs() > 4.0 * sigma / count.sqrt() {
        return Err(format!("biased: mean {mean:.5}, sigma {sigma:.5}"));
    }
    if root_mean_square > sigma * (1.0 + 4.0 / (2.0 * count).sqrt()) {
        return Err(format!("scatters: {root_mean_square:.5}, sigma {sigma:.5}"));
    }
    // 0.27 % are beyond 3 sigma; 2 % of some hundred trials are never.
    if beyond * 50 > errors.len() {
        return Err(format!("{beyond} of {} are beyond 3 sigma", errors.len()));
    }
    Ok(())
}

#[test]
fn the_error_is_the_stated_one_from_few_to_many_values() {
    for (precision, distinct) in
        [(10, 50), (10, 700), (10, 2_500), (10, 5_000), (10, 30_000), (12, 12_000), (14, 40_000)]
    {
        let measured = errors(precision, distinct, 200, HyperLogLog::add);
        judge(&measured, standard_error(precision))
            .unwrap_or_else(|why| panic!("p {precision}, {distinct} values: {why}"));
    }
}

#[test]
fn values_by_their_bytes_are_as_exact() {
    let add = |sketch: &mut HyperLogLog, bits: u64| sketch.add_bytes(&bits.to_le_bytes());
    judge(&errors(11, 10_000, 100, add), standard_error(11)).unwrap();
    // Neighbours differ in a bit or two, which is what a weak hash fails on.
    let mut sketch = HyperLogLog::new(14).unwrap();
    for id in 0..100_000_u32 {
        sketch.add_bytes(id.to_string().as_bytes());
    }
    assert!((sketch.estimate() / 1e5 - 1.0).abs() < 3.0 * sketch.standard_error());
}

#[test]
fn the_judge_finds_a_wrong_sketch() {
    // A hash with a bit stuck halves what is seen.
    let stuck = |sketch: &mut HyperLogLog, bits: u64| sketch.add(bits | 1 << 63);
    judge(&errors(10, 5_000, 100, stuck), standard_error(10)).unwrap_err();
    // A sketch of a quarter of the registers scatters twice as far.
    judge(&errors(8, 5_000, 100, HyperLogLog::add), standard_error(10)).unwrap_err();
    // A rank that is one too low.
    let low = |sketch: &mut HyperLogLog, bits: u64| sketch.add(bits << 10 >> 9 | bits & (!0 << 54));
    judge(&errors(10, 5_000, 100, low), standard_error(10)).unwrap_err();
}

#[test]
fn none_and_one_are_exact_and_repeats_do_not_count() {
    let mut sketch = HyperLogLog::new(12).unwrap();
    assert_eq!(sketch.estimate(), 0.0);
    for _ in 0..1_000 {
        sketch.add_bytes(b"tea");
    }
    assert!((sketch.estimate() - 1.0).abs() < 0.01, "{}", sketch.estimate());
}

#[test]
fn full_registers_give_a_number_near_the_end_of_the_range() {
    let mut sketch = HyperLogLog::new(4).unwrap();
    for index in 0..16_u64 {
        sketch.add(index << 60);
    }
    assert_eq!(sketch.registers, vec![61; 16].into());
    assert!(sketch.estimate() > 1e18);
}

#[test]
fn a_merge_is_the_sketch_of_both_inputs_in_any_order() {
    let mut random = Random::new(seed());
    let [mut left, mut right, mut both] = [(); 3].map(|()| HyperLogLog::new(9).unwrap());
    for at in 0..3_000 {
        let hash = random.bits();
        if at % 3 > 0 {
            left.add(hash);
        }
        if at % 3 < 2 {
            right.add(hash);
        }
        both.add(hash);
    }
    let mut mirrored = right.clone();
    mirrored.merge(&left).unwrap();
    left.merge(&right).unwrap();
    assert_eq!((&left, &mirrored), (&both, &both));
    let other = HyperLogLog::new(10).unwrap();
    assert_eq!(left.merge(&other).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_wished_error_gets_the_lowest_precision_that_keeps_it() {
    for (wished, precision) in [(0.5, 4), (0.26, 4), (0.01, 14), (0.0163, 12), (0.00204, 18)] {
        let sketch = HyperLogLog::with_error(wished).unwrap();
        assert_eq!(sketch.precision(), precision, "{wished}");
        assert!(sketch.standard_error() <= wished);
        assert_eq!(sketch.bytes(), HyperLogLog::bytes_for(precision));
    }
    for wished in [0.002, 0.0, -1.0, f64::NAN] {
        assert!(HyperLogLog::with_error(wished).is_err(), "{wished}");
    }
    assert!(HyperLogLog::new(3).is_err() && HyperLogLog::new(19).is_err());
}

#[test]
fn what_was_encoded_is_decoded_and_torn_or_flipped_bytes_are_refused() {
    let mut random = Random::new(seed());
    let mut sketch = HyperLogLog::new(5).unwrap();
    (0..1_000).for_each(|_| sketch.add(random.bits()));
    let mut bytes = Vec::new();
    sketch.encode(&mut bytes);
    assert_eq!(bytes.len(), sketch.encoded_bytes());
    assert_eq!(HyperLogLog::decode(&bytes).unwrap(), sketch);
    for length in 0..bytes.len() {
        assert_eq!(HyperLogLog::decode(&bytes[..length]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(HyperLogLog::decode(&flipped).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_whole_frame_around_a_wrong_body_is_refused() {
    for body in [&[][..], &[19], &[4; 16], &[3; 9], &[[4].as_slice(), &[62; 16]].concat()] {
        let mut bytes = Vec::new();
        KIND.seal(&mut bytes, |out| out.extend_from_slice(body));
        assert_eq!(HyperLogLog::decode(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let mut bytes = Vec::new();
    KIND.seal(&mut bytes, |out| out.extend_from_slice(&[[4].as_slice(), &[61; 16]].concat()));
    assert!(HyperLogLog::decode(&bytes).is_ok());
}
