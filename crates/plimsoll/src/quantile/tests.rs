//! Against a sort, in inputs made to defeat the histograms, and within the stated passes.

use super::*;
use crate::error::ErrorKind;
use crate::expr::testing::Random;

const MIB: usize = 1 << 20;

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    println!("TEST_SEED={seed}");
    seed
}

fn fractions(qs: &[f64]) -> Vec<Fraction> {
    qs.iter().map(|q| format!("{q:.18}").parse().unwrap()).collect()
}

/// The answer and the passes it took; checks their bound and the bytes.
fn run(keys: &[u64], qs: &[f64], workspace: usize) -> (Box<[Quantile]>, u32) {
    let mut quantiles = ExactQuantiles::new(&fractions(qs), workspace).unwrap();
    let bytes = quantiles.bytes();
    assert!(bytes <= ExactQuantiles::bytes_for(qs.len(), workspace));
    assert!(ExactQuantiles::bytes_for(qs.len(), 0) <= 256 * qs.len() as u64);
    for pass in 1..=quantiles.passes_max() {
        keys.iter().for_each(|key| quantiles.push(*key));
        if let Next::Done(answer) = quantiles.end_of_pass().unwrap() {
            assert_eq!(quantiles.bytes(), bytes);
            return (answer, pass);
        }
    }
    panic!("not done after {} passes", quantiles.passes_max());
}

fn model(keys: &[u64], qs: &[f64]) -> Vec<(u64, u64)> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let whole = u128::from(Fraction::WHOLE);
    let at = |q: &Fraction| u128::from(q.units()) * (sorted.len() as u128 - 1);
    let key = |place: u128| sorted[usize::try_from(place).unwrap()];
    fractions(qs).iter().map(|q| (key(at(q) / whole), key(at(q).div_ceil(whole)))).collect()
}

fn check(name: &str, keys: &[u64], qs: &[f64], workspace: usize, passes_max: u32) {
    let (answer, passes) = run(keys, qs, workspace);
    let found: Vec<_> = answer.iter().map(|quantile| (quantile.lower, quantile.upper)).collect();
    assert_eq!(found, model(keys, qs), "{name}");
    assert!(passes <= passes_max, "{name}: {passes} passes, not {passes_max}");
}

/// Inputs that are no sample of themselves: the first keys say nothing about the others.
fn inputs(random: &mut Random, count: usize) -> Vec<(&'static str, Vec<u64>)> {
    let mut of = |make: &mut dyn FnMut(u64) -> u64| -> Vec<u64> {
        (0..count).map(|_| make(random.bits())).collect()
    };
    let crowded = 0x4567_89ab_0000_0000_u64;
    let mut late = vec![0; count / 2];
    late.extend(of(&mut |bits| crowded | bits >> 40));
    let mut steps: Vec<u64> = (0..16).flat_map(|top| vec![top << 60; count / 16]).collect();
    steps.extend(of(&mut |bits| crowded | bits >> 50));
    let mut sorted = of(&mut |bits| bits >> 16 | 1 << 60);
    sorted.sort_unstable();
    vec![
        ("uniform", of(&mut |bits| bits)),
        ("small integers", of(&mut |bits| (bits % 1_000).cast_signed().to_key())),
        ("large integers", of(&mut |bits| (bits >> 34).cast_signed().to_key())),
        ("equal", vec![42; count]),
        ("two values", of(&mut |bits| if bits & 1 == 0 { 7 } else { u64::MAX })),
        ("ends", of(&mut |bits| if bits & 1 == 0 { 0 } else { u64::MAX })),
        ("late and crowded", late),
        ("steps", steps),
        ("sorted", sorted),
        ("each bit", of(&mut |bits| bits >> (bits & 63))),
    ]
}

#[test]
fn one_or_two_quantiles_take_at_most_four_passes_in_a_mebibyte() {
    let mut random = Random::new(seed());
    for (name, keys) in inputs(&mut random, 200_000) {
        for qs in [&[0.5][..], &[0.25, 0.75], &[0.0, 1.0], &[1e-9], &[0.999_999]] {
            check(name, &keys, qs, MIB, 4);
        }
    }
}

#[test]
fn many_quantiles_take_at_most_the_stated_passes() {
    let mut random = Random::new(seed());
    let percentiles: Vec<f64> = (0..=100).map(|percent| f64::from(percent) / 100.0).collect();
    let mut shuffled = percentiles.clone();
    for last in (1..shuffled.len()).rev() {
        shuffled.swap(last, random.below(last + 1));
    }
    for (name, keys) in inputs(&mut random, 150_000) {
        check(name, &keys, &shuffled, MIB, 6);
        check(name, &keys, &percentiles, 64 * MIB, 1);
    }
    let bound = |count: usize, workspace| {
        ExactQuantiles::new(&fractions(&vec![0.5; count]), workspace).unwrap().passes_max()
    };
    assert_eq!((bound(1, MIB), bound(2, MIB), bound(4, MIB)), (4, 4, 5));
    assert_eq!((bound(256, MIB), bound(256, 128 * MIB)), (7, 4));
}

#[test]
fn an_input_that_fits_half_the_workspace_takes_one_pass_and_crowded_numbers_two() {
    let mut random = Random::new(seed());
    for (name, keys) in inputs(&mut random, 16_000) {
        check(name, &keys, &[0.1, 0.5], MIB, 1);
    }
    let mut prices = |scale: f64| -> Vec<u64> {
        let unit = |bits: u64| f64::from(u32::try_from(bits >> 32).unwrap()) / 4_294_967_296.0;
        (0..400_000).map(|_| (unit(random.bits()) * scale).to_key()).collect()
    };
    check("prices", &prices(500.0), &[0.5], MIB, 2);
    check("parts", &prices(1.0), &[0.1, 0.5, 0.9], MIB, 2);
    for (name, keys) in inputs(&mut random, 400_000) {
        if ["uniform", "small integers", "large integers", "equal"].contains(&name) {
            check(name, &keys, &[0.5], MIB, 2);
        }
    }
}

#[test]
fn the_worst_input_takes_all_four_passes() {
    // The first keys lie about the range, the ends keep it wide, and the others differ in their
    // last bits only.
    let mut keys = vec![0; 40_000];
    keys.extend([u64::MAX; 40_000]);
    keys.extend((0..200_000_u64).map(|low| 0x1111_2222_3333_0000 | (low % 65_536)));
    let (_, passes) = run(&keys, &[0.5], MIB);
    assert_eq!(passes, 4);
    check("worst", &keys, &[0.5], MIB, 4);
}

#[test]
fn the_model_finds_a_wrong_answer() {
    let mut random = Random::new(seed());
    let keys: Vec<u64> = (0..1_001).map(|_| random.bits()).collect();
    let (answer, _) = run(&keys[1..], &[0.5], MIB);
    assert_ne!((answer[0].lower, answer[0].upper), model(&keys, &[0.5])[0]);
}

#[test]
fn random_inputs_agree_with_a_sort() {
    let mut random = Random::new(seed());
    for _ in 0..30 {
        let count = 1 + random.below(90_000);
        let (spread, distinct) = (random.below(64), 1 + random.below(70_000));
        let keys: Vec<u64> = (0..count)
            .map(|_| (random.below(distinct) as u64).rotate_left(13) << (spread / 2))
            .collect();
        let part = |bits: u64| f64::from(u32::try_from(bits >> 32).unwrap()) / 4_294_967_295.0;
        let qs: Vec<f64> = (0..1 + random.below(6)).map(|_| part(random.bits())).collect();
        check("random", &keys, &qs, MIB, 6);
    }
}

#[test]
fn the_median_of_an_even_count_lies_between_the_two_middle_ones() {
    let (none, half) = (Fraction::default(), fractions(&[0.5])[0]);
    for (keys, expected) in [
        (&[1, 2, 3, 4][..], Quantile { lower: 2, upper: 3, weight: half }),
        (&[1, 2, 3], Quantile { lower: 2, upper: 2, weight: none }),
        (&[5], Quantile { lower: 5, upper: 5, weight: none }),
    ] {
        assert_eq!(*run(keys, &[0.5], MIB).0, [expected]);
    }
    assert!(run(&[], &[0.5], MIB).0.is_empty());
}

#[test]
fn wrong_asks_are_refused() {
    for (qs, workspace) in [(&[][..], MIB), (&[0.5; 257], MIB), (&[0.5], MIB - 1)] {
        let refused = ExactQuantiles::new(&fractions(qs), workspace).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
}

#[test]
fn an_input_that_changes_between_passes_is_refused() {
    let mut random = Random::new(seed());
    let keys: Vec<u64> = (0..100_000).map(|_| random.bits()).collect();
    let longer = [&keys[..], &[1]].concat();
    let other: Vec<u64> = keys.iter().map(|key| key / 2).collect();
    for changed in [&longer, &other, &Vec::new()] {
        let mut quantiles = ExactQuantiles::new(&fractions(&[0.5]), MIB).unwrap();
        keys.iter().for_each(|key| quantiles.push(*key));
        assert_eq!(quantiles.end_of_pass().unwrap(), Next::AnotherPass);
        changed.iter().for_each(|key| quantiles.push(*key));
        assert_eq!(quantiles.end_of_pass().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
