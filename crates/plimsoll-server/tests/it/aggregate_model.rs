//! Random aggregations of random small tables, against a model that has the rows in memory.
//!
//! Promises: the model shares no code with the server but how an amount is written.
//! Never: NULL; `aggregate.rs` has that.

use std::collections::BTreeMap;

use plimsoll::expr::testing::Random;
use plimsoll::record::{Money, Value};
use serde_json::{Value as Json, json};

use crate::aggregate::{lines, money, rows};
use crate::support::{TestServer, start, world};

/// A random definition over `lines`, and what it must give.
struct Model<'r> {
    random: &'r mut Random,
}

/// The rows of `lines`: id, sale_id, good_id, quantity, amount.
type Line = [i64; 5];
/// What a measure makes of the lines of a group.
type Make = Box<dyn Fn(&[Line]) -> Json>;

const COLUMNS: [&str; 5] = ["id", "sale_id", "good_id", "quantity", "amount"];

impl Model<'_> {
    fn measure(&mut self, place: usize) -> (Json, Make) {
        let column = self.random.below(5);
        let name = format!("m{place}");
        let twice = self.random.below(3) == 0;
        let text = if twice { format!("{} * 2", COLUMNS[column]) } else { COLUMNS[column].into() };
        let factor = if twice { 2 } else { 1 };
        let of = move |lines: &[Line]| -> Vec<i128> {
            lines.iter().map(|line| i128::from(line[column]) * factor).collect()
        };
        let is_money = column == 4;
        let show = move |units: i128| -> Json {
            let whole = i64::try_from(units).expect("small");
            if !is_money {
                return json!(whole);
            }
            serde_json::from_str(&Money::from_units(whole).to_string()).expect("a number")
        };
        let words = ["count", "count_distinct", "sum", "avg", "min", "max", "median", "quantile"];
        let word = words[self.random.below(words.len())];
        let hundredths = if word == "quantile" { self.random.below(101) } else { 50 };
        let make: Make = match word {
            "count" => Box::new(|lines| json!(lines.len())),
            "count_distinct" => Box::new(move |lines| {
                let mut values = of(lines);
                values.sort_unstable();
                values.dedup();
                json!(values.len())
            }),
            "sum" => Box::new(move |lines| show(of(lines).iter().sum())),
            "min" => Box::new(move |lines| show(*of(lines).iter().min().expect("a line"))),
            "max" => Box::new(move |lines| show(*of(lines).iter().max().expect("a line"))),
            "median" | "quantile" => Box::new(move |lines| {
                let mut values = of(lines);
                values.sort_unstable();
                let place = hundredths * (values.len() - 1);
                let (lower, rest) = (values[place / 100], (place % 100) as i128);
                let upper = values[(place / 100 + 1).min(values.len() - 1)];
                let hundredfold = lower * 100 + (upper - lower) * rest;
                if !is_money {
                    return json!(hundredfold as f64 / 100.0);
                }
                let (floor, rest) = (hundredfold.div_euclid(100), hundredfold.rem_euclid(100));
                show(floor + i128::from(rest > 50 || (rest == 50 && floor % 2 != 0)))
            }),
            _ => Box::new(move |lines| {
                let (sum, count) = (of(lines).iter().sum::<i128>(), lines.len() as i128);
                if !is_money {
                    return json!(sum as f64 / count as f64);
                }
                let (floor, rest) = (sum.div_euclid(count), 2 * sum.rem_euclid(count));
                let up = rest > count || (rest == count && floor.rem_euclid(2) == 1);
                show(floor + i128::from(up))
            }),
        };
        let mut asked = json!({"function": word, "expression": text, "as": name});
        if word == "quantile" {
            asked["rank"] = json!(hundredths as f64 / 100.0);
        }
        (asked, make)
    }

    /// One definition against the lines.
    fn compare(&mut self, server: &TestServer, all: &[Line]) {
        let mut by: Vec<usize> = (1..5).filter(|_| self.random.below(2) == 0).collect();
        if self.random.below(2) == 0 {
            by.reverse();
        }
        let least = usize::from(by.is_empty());
        let count = least + self.random.below(4);
        // Of those that need every value there may be four, and there are never more measures here.
        let (asked, make): (Vec<_>, Vec<_>) = (0..count).map(|place| self.measure(place)).unzip();
        let below = i64::try_from(self.random.below(40)).expect("small") - 10;
        let kept: Vec<Line> = all.iter().copied().filter(|line| line[3] >= below).collect();
        let mut groups: BTreeMap<Vec<i64>, Vec<Line>> = BTreeMap::new();
        for line in kept {
            groups.entry(by.iter().map(|&c| line[c]).collect()).or_default().push(line);
        }
        let down = !by.is_empty() && self.random.below(2) == 0;
        let mut expected: Vec<Json> = Vec::new();
        for lines in groups.values() {
            let mut row = serde_json::Map::new();
            for &column in &by {
                let value = lines[0][column];
                let shown = match column {
                    4 => serde_json::from_str(&Money::from_units(value).to_string()).expect("one"),
                    _ => json!(value),
                };
                row.insert(COLUMNS[column].to_owned(), shown);
            }
            for (place, make) in make.iter().enumerate() {
                row.insert(format!("m{place}"), make(lines));
            }
            expected.push(row.into());
        }
        let mut body = json!({
            "resource": "lines", "measures": asked, "filter": format!("quantity >= {below}"),
            "group_by": by.iter().map(|&c| COLUMNS[c]).collect::<Vec<_>>(),
        });
        if down {
            let order: Vec<_> = by.iter().map(|&c| format!("-{}", COLUMNS[c])).collect();
            body["order"] = json!(order.join(","));
            expected.reverse();
        } else if count > 0 && self.random.below(2) == 0 {
            // What the measure leaves equal stays in the order of the group's columns.
            body["order"] = json!("-m0");
            let first = |row: &Json| row["m0"].as_f64().expect("a number");
            expected.sort_by(|a, b| first(b).total_cmp(&first(a)));
        }
        if by.is_empty() && groups.is_empty() {
            return;
        }
        // The reader of JSON may round the last digit of a float: here as there.
        let expected: Vec<Json> =
            serde_json::from_str(&json!(expected).to_string()).expect("the rows");
        assert_eq!(rows(server, &body), expected, "{body}");
    }
}

#[test]
fn a_random_definition_gives_what_a_model_makes_of_the_rows() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..4 {
        let count = random.below(60);
        let mut draw = |bound: usize| i64::try_from(random.below(bound)).expect("small");
        let table: Vec<Line> = (1..=i64::try_from(count).expect("small"))
            .map(|id| [id, draw(4), draw(3), draw(40) - 20, draw(50_000) - 20_000])
            .collect();
        let world = world(0);
        let mut values = Vec::new();
        for line in &table {
            values.extend(line[..4].iter().map(|v| Value::Int(*v)));
            values.push(money(line[4]));
        }
        if !values.is_empty() {
            world.insert("lines", &[0, 1, 2, 3, 4], values);
        }
        let server = start(&world);
        let mut model = Model { random: &mut random };
        for _ in 0..40 {
            model.compare(&server, &table);
        }
    }
}

#[test]
fn the_model_finds_a_row_that_is_not_summed() {
    let world = lines(&[(1, 10), (1, 20)]);
    let server = start(&world);
    let mut random = Random::new(1);
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..40 {
            Model { random: &mut random }.compare(&server, &[[1, 1, 1, 1, 10]]);
        }
    }));
    assert!(wrong.is_err(), "a model of another table agrees");
}
