//! Promises that hold for every filter, row and text.

use std::collections::HashSet;
use std::mem::discriminant;

use plimsoll::ErrorKind;
use plimsoll::expr::testing::Random;
use plimsoll::expr::{self, Expr};
use plimsoll::record::{ColumnType, ValueRef, ValueRow};

use super::schema;

const SEED: u64 = 0x5eed_0000_0000_0001;

#[test]
fn canonical_text_reads_back_as_the_same_expression() {
    println!("seed {SEED:#x}");
    let (schema, mut random) = (schema(), Random::new(SEED));
    let (mut forms, mut outcomes) = (HashSet::new(), [0usize; 4]);
    for round in 0..20_000 {
        let filter = random.filter(&schema);
        let canonical = filter.canonical(&schema).to_string();
        let again = expr::parse(&canonical, &schema)
            .unwrap_or_else(|e| panic!("round {round}: {canonical}: {e}"));
        assert_eq!(again, filter, "round {round}: {canonical}");
        assert_eq!(again.canonical(&schema).to_string(), canonical, "round {round}");
        assert_eq!(filter.kind(&schema), ColumnType::Bool, "round {round}: {canonical}");
        remember(&filter, &mut forms);

        let row = random.row(&schema);
        let outcome = match expr::evaluate(&filter, &ValueRow(&row)) {
            Ok(value) => match value.borrow() {
                ValueRef::Null => 0,
                ValueRef::Bool(value) => 1 + usize::from(value),
                other => panic!("round {round}: {canonical} gave {other:?}"),
            },
            Err(refused) => {
                assert_eq!(refused.kind(), ErrorKind::Invalid, "round {round}: {refused}");
                3
            }
        };
        outcomes[outcome] += 1;
    }
    assert_eq!(forms.len(), 10, "the generator writes every form");
    assert!(outcomes.iter().all(|n| *n > 500), "null, false, true, error: {outcomes:?}");
}

fn remember(expr: &Expr, forms: &mut HashSet<std::mem::Discriminant<Expr>>) {
    forms.insert(discriminant(expr));
    expr.children().for_each(|child| remember(child, forms));
}

/// De Morgan and double negation hold in three-valued logic, so they check the evaluator against
/// itself on trees nobody wrote by hand.
#[test]
fn equivalent_filters_agree_on_random_rows() {
    println!("seed {SEED:#x}");
    let (schema, mut random) = (schema(), Random::new(SEED));
    for round in 0..5_000 {
        let (a, b) = (random.filter(&schema), random.filter(&schema));
        let not = |expr: &Expr| Expr::Not(Box::new(expr.clone()));
        let and = Expr::And(vec![a.clone(), b.clone()]);
        let morgan = Expr::Not(Box::new(Expr::Or(vec![not(&a), not(&b)])));
        let row = random.row(&schema);
        let row = ValueRow(&row);
        if let (Ok(first), Ok(second)) = (expr::evaluate(&and, &row), expr::evaluate(&morgan, &row))
        {
            assert_eq!(first, second, "round {round}: {}", and.canonical(&schema));
        }
        if let (Ok(first), Ok(second)) =
            (expr::matches(&a, &row), expr::matches(&not(&not(&a)), &row))
        {
            assert_eq!(first, second, "round {round}: {}", a.canonical(&schema));
        }
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    const PIECES: [&str; 40] = [
        "id",
        "price",
        "name",
        "active",
        "weight",
        "made",
        "blob",
        "misc",
        "\"or\"",
        "and",
        "or",
        "not",
        "is",
        "null",
        "in",
        "between",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "*",
        "/",
        "1",
        "2.5",
        "'a'",
        "''",
        "x'00'",
        "true",
        "abs(",
        "contains(",
        "coalesce(",
        " ",
        "é",
        "\u{0}",
        "'",
        "1e400",
    ];
    println!("seed {SEED:#x}");
    let (schema, mut random) = (schema(), Random::new(SEED));
    let mut accepted = 0;
    for round in 0..100_000 {
        let mut bytes = Vec::new();
        for _ in 0..random.below(24) {
            match round % 3 {
                0 => bytes.push(random.bits().to_le_bytes()[0]),
                1 => bytes.push(b' ' + random.bits().to_le_bytes()[0] % 95),
                _ => {
                    bytes.extend_from_slice(PIECES[random.below(PIECES.len())].as_bytes());
                    bytes.push(b' ');
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match expr::parse(&text, &schema) {
            Ok(_) => accepted += 1,
            Err(refused) => {
                let lines = refused.to_string().split('\n').count();
                assert_eq!(lines, 3, "round {round}: {text:?}: {refused}");
            }
        }
    }
    assert!(accepted > 100, "some of it is a filter: {accepted}");
}

#[test]
fn a_seed_replays_its_filters_and_rows() {
    let schema = schema();
    let draw = |seed| {
        let mut random = Random::new(seed);
        (random.filter(&schema), random.row(&schema))
    };
    assert_eq!(draw(SEED), draw(SEED));
    assert_ne!(draw(SEED), draw(SEED + 1));
}
