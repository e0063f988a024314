//! Rounding, where it is hardest.

use super::{half_even, quotient};

#[test]
fn a_mean_of_ints_is_rounded_once() {
    for (sum, count, expected) in [
        (1, 3, 1.0 / 3.0),
        (-1, 3, -1.0 / 3.0),
        (0, 7, 0.0),
        (i128::from(i64::MAX) * 3, 3, 9_223_372_036_854_775_808.0),
        // 2^53 + 1 lies half way and goes to even; a half more and it goes up. Rounding the sum
        // before the division would lose that half.
        ((1 << 53) + 1, 1, 9_007_199_254_740_992.0),
        (((1 << 53) + 1) * 2 + 1, 2, 9_007_199_254_740_994.0),
        (-(((1 << 53) + 1) * 2 + 1), 2, -9_007_199_254_740_994.0),
        (1, u64::MAX, 5.421_010_862_427_522e-20),
        (i128::MAX, 1, 1.701_411_834_604_692_3e38),
    ] {
        assert_eq!(quotient(sum, count).to_bits(), f64::to_bits(expected), "{sum} / {count}");
    }
}

#[test]
fn a_mean_of_money_rounds_half_to_even() {
    for (sum, count, expected) in [
        (5, 2, 2),
        (7, 2, 4),
        (-5, 2, -2),
        (-7, 2, -4),
        (10, 3, 3),
        (11, 3, 4),
        (-10, 3, -3),
        (-11, 3, -4),
        (i128::from(i64::MIN), 1, i128::from(i64::MIN)),
        (i128::MAX, u64::MAX, 9_223_372_036_854_775_808),
    ] {
        assert_eq!(half_even(sum, count), expected, "{sum} / {count}");
    }
}
