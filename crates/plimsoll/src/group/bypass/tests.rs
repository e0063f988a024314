//! The switch, with numbers.

use super::Bypass;

#[test]
fn three_groups_of_four_rows_are_the_border() {
    for (rows, groups, passes) in [
        (0, 0, false),
        (133, 100, false),
        (132, 100, true),
        (100, 100, true),
        (1_000_000, 751_000, false),
        (1_000_000, 752_000, true),
        (u64::MAX, 1, false),
    ] {
        let mut bypass = Bypass::default();
        bypass.written_out(rows, groups);
        assert_eq!(bypass.passes(), passes, "{groups} of {rows}");
    }
}

/// Tables of 1 000 groups; keys that never repeat, then ten keys alone.
#[test]
fn keys_that_never_repeat_are_looked_up_one_time_in_nine() {
    let mut bypass = Bypass::default();
    let (mut looked_up, mut in_table) = (0, 0);
    for _ in 0..90_000 {
        if bypass.passes() {
            bypass.passed(1);
            continue;
        }
        (looked_up, in_table) = (looked_up + 1, in_table + 1);
        if in_table == 1_000 {
            bypass.written_out(in_table, 1_000);
            in_table = 0;
        }
    }
    assert_eq!(looked_up, 10_000);

    bypass.passed(8_000);
    assert!(!bypass.passes());
    bypass.written_out(50_000, 1_000);
    assert!(!bypass.passes(), "keys repeat now, so they stay in the table");
}
