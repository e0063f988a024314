//! Measures that need every value of a group, by promise: exact, of any number of values, in any
//! memory.

use std::collections::BTreeSet;

use super::*;

const VALUED: &str = "count(*) as n, count(distinct name) as names, median(price) as mid, \
                      quantile(price, 0.9) as high, count(distinct price) as prices, \
                      median(qty) as qmid, sum(qty) as s, quantile(qty, 0.29) as qlow, \
                      max(name) as hi, median(qty*price) as pmid";

/// The continuous quantile `parts` / 100 of `values`, times 100, without a rounding.
fn hundredfold(values: &[i64], parts: usize) -> i128 {
    let place = parts * (values.len() - 1);
    let (lower, rest) = (values[place / 100], i128::try_from(place % 100).unwrap());
    let upper = values[(place / 100 + 1).min(values.len() - 1)];
    i128::from(lower) * 100 + (i128::from(upper) - i128::from(lower)) * rest
}

fn int_quantile(values: &mut [i64], parts: usize) -> String {
    values.sort_unstable();
    if values.is_empty() {
        return String::new();
    }
    // Exact in a float, for the numbers here are small.
    let value = hundredfold(values, parts) as f64 / 100.0;
    if value.fract() == 0.0 { format!("{value:.1}") } else { value.to_string() }
}

fn money_quantile(values: &mut [i64], parts: usize) -> String {
    values.sort_unstable();
    if values.is_empty() {
        return String::new();
    }
    let hundredfold = hundredfold(values, parts);
    let (floor, rest) = (hundredfold.div_euclid(100), hundredfold.rem_euclid(100));
    let up = rest > 50 || (rest == 50 && floor % 2 != 0);
    Money::from_units((floor + i128::from(up)).try_into().unwrap()).to_string()
}

fn valued_model(rows: &[ModelRow]) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&ModelRow>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(&row.key).or_default().push(row));
    let line = |(key, rows): (&&str, &Vec<&ModelRow>)| {
        let names: BTreeSet<&str> = rows.iter().filter_map(|r| r.name.as_deref()).collect();
        let mut prices: Vec<i64> = rows.iter().filter_map(|r| r.price).map(|p| p.units()).collect();
        let different: BTreeSet<i64> = prices.iter().copied().collect();
        let mut qty: Vec<i64> = rows.iter().filter_map(|r| r.qty).collect();
        let mut products: Vec<i64> =
            rows.iter().filter_map(|r| Some(r.qty? * r.price?.units())).collect();
        let sum = if qty.is_empty() { String::new() } else { qty.iter().sum::<i64>().to_string() };
        format!(
            "{key},{},{},{},{},{},{},{sum},{},{},{}",
            rows.len(),
            names.len(),
            money_quantile(&mut prices, 50),
            money_quantile(&mut prices, 90),
            different.len(),
            int_quantile(&mut qty, 50),
            int_quantile(&mut qty, 29),
            names.last().map(|name| quoted(name)).unwrap_or_default(),
            money_quantile(&mut products, 50),
        )
    };
    let mut lines: Vec<String> = groups.iter().map(line).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn different_values_and_quantiles_are_those_of_a_model_in_memory_and_spilled() {
    let seed = seed();
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for (keys, rows) in [(3, 3_000), (900, 20_000), (40_000, 50_000)] {
        let rows = random_rows(&mut random, rows, keys);
        let place = Place::new(&csv(&rows));
        let job = place.group(&["k"], VALUED);
        let expected = valued_model(&rows);
        let mut passes = Vec::new();
        for way in [
            AMPLE,
            TINY,
            Way { threads: 3, workspace_bytes: 6 << 20, ..AMPLE },
            Way { codec: Codec::Lz4, ..TINY },
        ] {
            let summary = place.grouped(way, &job).unwrap();
            let lines = place.lines();
            let wrong = lines.iter().zip(&expected).find(|(line, expected)| line != expected);
            assert_eq!(wrong, None, "{keys} keys");
            assert_eq!(lines.len(), expected.len());
            assert_eq!(summary.rows_in, rows.len() as u64);
            assert_eq!(summary.rows_out, expected.len() as u64);
            passes.push(summary.passes);
        }
        // The test is about spilling only if it spills.
        match keys {
            3 => assert_eq!(passes[0], 0),
            40_000 => assert!(passes[0] == 0 && passes[1] > 0 && passes[2] > 0, "{passes:?}"),
            _ => {}
        }
    }
}

#[test]
fn the_model_tells_when_the_least_value_becomes_the_greatest() {
    let mut rows = random_rows(&mut Random::new(3), 500, 1);
    let place = Place::new(&csv(&rows));
    place.grouped(AMPLE, &place.group(&["k"], VALUED)).unwrap();
    assert_eq!(place.lines(), valued_model(&rows));
    let priced = rows.iter_mut().filter(|row| row.price.is_some());
    priced.min_by_key(|row| row.price).unwrap().price = Some(Money::from_units(99_999_999));
    assert_ne!(place.lines(), valued_model(&rows));
}

#[test]
fn a_group_many_times_larger_than_memory_has_its_median_and_its_different_values() {
    // Values come as far from their order as they can, and each twice.
    let values = 250_000_u64;
    let mut text = String::from("k,v,t\n");
    for n in 0..2 * values {
        let v = n.wrapping_mul(7_919) % values;
        writeln!(text, "same,{v}.25,text {v}").unwrap();
    }
    text.push_str("other,,\n");
    let place = Place::new(&text);
    let job = place.group(&["k"], "median(v) as m, count(distinct t) as d, quantile(v, 1) as most");
    for way in [TINY, Way { threads: 2, workspace_bytes: 3 << 20, ..AMPLE }] {
        let summary = place.grouped(way, &job).unwrap();
        // The middle two of 0.25, 0.25, 1.25 .. are one value twice.
        assert_eq!(place.lines(), ["other,,0,", "same,124999.75,250000,249999.25"]);
        let bytes = text.len() as u64;
        assert!(summary.passes > 0 && summary.spill_bytes > bytes / 2, "{summary:?}");
        assert!(way.workspace_bytes < bytes / 4);
    }
}

#[test]
fn a_filter_and_null_and_ndjson_are_as_for_any_measure() {
    let place = Place::new(
        "{\"k\":\"a\",\"v\":1.5,\"w\":true}\n{\"k\":\"a\",\"v\":-0.0,\"w\":false}\n\
         {\"k\":\"a\",\"v\":0.0,\"w\":true}\n{\"k\":null,\"v\":null,\"w\":null}\n\
         {\"k\":\"a\",\"v\":null,\"w\":true}\n{\"k\":\"z\",\"v\":9,\"w\":null}\n",
    );
    let mut job =
        place.group(&["k"], "median(v) as m, count(distinct v) as d, count(distinct w) as w");
    (job.reading.format, job.output_format) = (Format::Ndjson, Format::Ndjson);
    job.filter = Some("k is null or k != 'z'".to_owned());
    place.grouped(AMPLE, &job).unwrap();
    let text = std::fs::read_to_string(place.path("out.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["{\"k\":\"a\",\"m\":0,\"d\":2,\"w\":2}", "{\"k\":null,\"m\":null,\"d\":0,\"w\":0}"]
    );
}

#[test]
fn a_wish_to_stop_and_too_little_memory_leave_nothing_behind() {
    let rows = random_rows(&mut Random::new(9), 20_000, 2_000);
    let place = Place::new(&csv(&rows));
    let job = place.group(&["k"], VALUED);
    let watch = Watch::default();
    watch.stop();
    let stopped = place.watched(TINY, &watch, |tool| job.plan(tool)?.run()).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Stopped);
    let little = Way { workspace_bytes: 700 << 10, ..TINY };
    let least = place.grouped(little, &job).unwrap_err().to_string();
    assert!(least.contains("at least") || least.contains("left"), "{least}");
    assert!(!place.has_output());
}
