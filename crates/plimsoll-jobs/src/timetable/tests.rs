//! Times that do not exist, times that are there twice, and lines that are none.

use super::*;
use crate::error::ErrorKind;

fn table(line: &str, zone: &str) -> Timetable {
    Timetable::parse(line, zone).unwrap_or_else(|e| panic!("{e}"))
}

/// The sentence with which a line or a zone is refused.
fn refused(line: &str, zone: &str) -> String {
    let error = Timetable::parse(line, zone).expect_err(line);
    assert_eq!(error.kind(), ErrorKind::Invalid, "{line:?}");
    error.to_string()
}

fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_microsecond()
}

/// The next times behind an instant, in UTC.
fn next(line: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let table = table(line, zone);
    let mut at = micros(after);
    let times = std::iter::repeat_with(|| {
        at = table.next_after(at).expect("a time");
        Timestamp::from_microsecond(at).expect("an instant").to_string()
    });
    times.take(count).collect()
}

#[test]
fn one_time_a_day_that_does_not_exist_is_the_first_instant_behind_the_gap() {
    // In Berlin 02:00 to 03:00 are not there on 2026-03-29.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(times, expected);
}

#[test]
fn one_time_a_day_that_is_there_twice_is_the_first_of_the_two() {
    // 02:00 to 03:00 are there twice on 2026-10-25.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    assert_eq!(times, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // Also from between the two.
    let times = next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1);
    assert_eq!(times, ["2026-10-26T01:30:00Z"]);
}

#[test]
fn several_times_a_day_follow_the_clock_on_the_wall() {
    let times = next("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 2);
    assert_eq!(times, ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"], "no hour is lost");
    let times = next("*/30 2 * * *", "Europe/Berlin", "2026-03-28T01:30:00Z", 1);
    assert_eq!(times, ["2026-03-30T00:00:00Z"], "what does not exist is not");
    let times = next("0,30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4);
    let twice = [
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-26T01:00:00Z",
    ];
    assert_eq!(times, twice, "and what is there twice is twice");
}

#[test]
fn one_time_a_day_on_a_day_that_a_zone_left_out_is_not_guessed() {
    // Samoa went from 29 to 31 December 2011.
    let table = table("30 10 * * *", "Pacific/Apia");
    assert_eq!(table.next_after(micros("2011-12-29T22:00:00Z")), None);
    let times = next("30 10 * * *", "Pacific/Apia", "2011-12-30T10:00:00Z", 1);
    assert_eq!(times, ["2011-12-30T20:30:00Z"]);
}

#[test]
fn a_line_means_what_it_says() {
    let after = "2026-01-01T00:00:00.5Z";
    for (line, expected) in [
        ("* * * * *", "2026-01-01T00:01:00Z"),
        ("*/10 * * * * *", "2026-01-01T00:00:10Z"),
        ("0 0 29 feb *", "2028-02-29T00:00:00Z"),
        ("0 0 L * *", "2026-01-31T00:00:00Z"),
        ("0 0 * * FRIL", "2026-01-30T00:00:00Z"),
        ("0 0 * * 5#2", "2026-01-09T00:00:00Z"),
        ("0 0 3W * *", "2026-01-02T00:00:00Z"),
        ("0 0 30 2 MON", "2026-02-02T00:00:00Z"),
        ("0 0 13 * +FRI", "2026-02-13T00:00:00Z"),
        ("  0\t9-17/4 1,15  JAN-MAR,12 ? ", "2026-01-01T09:00:00Z"),
        ("@Daily", "2026-01-02T00:00:00Z"),
        ("@weekly", "2026-01-04T00:00:00Z"),
    ] {
        assert_eq!(next(line, "UTC", after, 1), [expected], "{line}");
    }
    let table = table(" 0  12 * * * ", "europe/berlin");
    assert_eq!((table.line(), table.zone()), ("0 12 * * *", "Europe/Berlin"));
}

#[test]
fn a_line_that_never_fires_is_refused_with_a_sentence() {
    for line in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30 FEB +MON", "* * * 31 4 *"] {
        let error = refused(line, "Europe/Berlin");
        assert!(error.contains("never fires") && error.contains("day of the month"), "{error}");
    }
}

#[test]
fn a_wrong_line_is_refused_with_the_field_and_what_may_stand_there() {
    for (line, place, allowed) in [
        ("60 * * * *", "field 1, the minute: \"60\"", "0 to 59"),
        ("0 25 * * *", "field 2, the hour: \"25\"", "0 to 23"),
        ("0 JAN * * *", "field 2, the hour: \"JAN\"", "0 to 23"),
        ("0 0 0 * *", "field 3, the day of the month: \"0\"", "1 to 31"),
        ("0 0 1MON * *", "field 3, the day of the month: \"1MON\"", "15W"),
        ("0 0 1 13 *", "field 4, the month: \"13\"", "JAN to DEC"),
        ("0 0 1 JANUARY *", "field 4, the month: \"JANUARY\"", "JAN to DEC"),
        ("0 0 * * 8", "field 5, the day of the week: \"8\"", "SUN to SAT"),
        ("0 0 * * L", "field 5, the day of the week: \"L\"", "5L"),
        ("0 0 * * 5#6", "field 5, the day of the week: \"5#6\"", "5#2"),
        ("61 0 0 * * *", "field 1, the second: \"61\"", "0 to 59"),
        (", * * * *", "field 1, the minute: \",\"", "a list 1,2"),
        ("1,,2 * * * *", "field 1, the minute: \"1,,2\"", "a list 1,2"),
        ("*/0 * * * *", "field 1, the minute: \"*/0\"", "a step"),
        ("*/90 * * * *", "field 1, the minute: \"*/90\"", "a step"),
        ("*/65536 * * * *", "field 1, the minute: \"*/65536\"", "a step"),
        ("5-1 * * * *", "field 1, the minute: \"5-1\"", "a range"),
        ("-5 * * * *", "field 1, the minute: \"-5\"", "0 to 59"),
        ("0 0 * * \u{661}", "field 5, the day of the week: \"\u{661}\"", "0 to 7"),
        ("0 0 @daily * *", "field 3, the day of the month: \"@daily\"", "1 to 31"),
        ("", "has 0 fields", "minute, hour"),
        ("* * * *", "has 4 fields", "minute, hour"),
        ("0 0 0 1 1 * 2027", "has 7 fields", "minute, hour"),
        ("@reboot", "\"@reboot\" is no cron line", "@hourly"),
    ] {
        let error = refused(line, "UTC");
        assert!(error.contains(place) && error.contains(allowed), "{line}: {error}");
    }
    let long = format!("{} * * * *", "1,".repeat(200));
    assert!(refused(&long, "UTC").contains("255 bytes"));
    for zone in ["", "Mars/Olympus", "../UTC", "/etc/passwd", "UTC\0", &"A/".repeat(99)] {
        let error = refused("* * * * *", zone);
        assert!(error.contains("is not known") && error.contains("Europe/Berlin"), "{error}");
    }
}

#[test]
fn a_line_of_any_text_is_read_or_refused_and_what_is_read_goes_on_forwards() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5_u64);
    println!("TEST_SEED={seed}");
    let parts = [
        "*", "/", "-", ",", "#", "?", "+", "@", " ", " ", " ", "0", "1", "5", "7", "23", "31",
        "59", "99", "65535", "L", "W", "mon", "SUN", "DEC", "\u{130}", "ß", "\u{0}",
    ];
    let mut state = seed;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("small") % below
    };
    let mut read = 0;
    for round in 0..3_000 {
        let line: String = if round % 2 == 0 {
            (0..random(16)).map(|_| parts[random(parts.len())]).collect()
        } else {
            let mut fields = ["*"; 5];
            for _ in 0..2 {
                fields[random(5)] = parts[random(parts.len())];
            }
            fields.join(" ")
        };
        if let Ok(table) = Timetable::parse(&line, "America/New_York") {
            read += 1;
            let from = micros("2026-03-08T06:59:59Z");
            let first = table.next_after(from).unwrap_or_else(|| panic!("{line}"));
            let second = table.next_after(first).unwrap_or_else(|| panic!("{line}"));
            assert!(from < first && first < second, "{line}");
        }
    }
    assert!(read > 100, "{read} lines were read");
}
