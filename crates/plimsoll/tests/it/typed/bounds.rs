//! What an operator sets aside, and the largest record it takes: a 32nd of its memory, exactly.

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Distinct, Engine, GroupBy, Join, JoinKind, MergeJoin, Sorter};
use plimsoll::{Error, ErrorKind, Result};

use super::{Bench, KIB, MIB};

/// Texts of `own` bytes, no byte of capacity more; enough of them to spill.
fn texts(own: usize) -> impl Iterator<Item = String> {
    (0..96_u64).map(move |n| format!("{:0own$}", n * 37 % 96).into_boxed_str().into_string())
}

fn sort(bench: &Bench, own: usize) -> Result<usize> {
    let mut sorter = Sorter::by(&bench.engine, String::cmp)?;
    texts(own).try_for_each(|text| sorter.push(text))?;
    let sorted = sorter.finish()?.collect::<Result<Vec<_>>>()?;
    assert!(sorted.is_sorted());
    Ok(sorted.len())
}

fn group(bench: &Bench, own: usize) -> Result<usize> {
    let fold = |count: &mut u64, _| *count += 1;
    let merge = |count: &mut u64, more| *count += more;
    let mut groups = GroupBy::new(&bench.engine, |text: &String| text.clone(), fold, merge)?;
    texts(own).try_for_each(|text| groups.push(text))?;
    groups.finish()?.try_fold(0, |count, group| group.map(|_| count + 1))
}

fn distinct(bench: &Bench, own: usize) -> Result<usize> {
    let mut distinct = Distinct::new(&bench.engine)?;
    let mut count = 0;
    for text in texts(own) {
        count += usize::from(distinct.push(text)?.is_some());
    }
    distinct.finish()?.try_fold(count, |count, text| text.map(|_| count + 1))
}

/// The last two digits.
fn key(text: &str) -> u64 {
    text[text.len() - 2..].parse().expect("digits")
}

fn join(bench: &Bench, own: usize) -> Result<usize> {
    let mut join = Join::new(&bench.engine, |text: &String| key(text))?;
    texts(own).try_for_each(|text| join.push(text))?;
    let left = texts(own).map(Ok);
    join.probe(left, |text| key(text), JoinKind::Inner)?
        .try_fold(0, |count, pair| pair.map(|_| count + 1))
}

/// All right rows have one key, so that they are more than the memory.
fn merge_join(bench: &Bench, own: usize) -> Result<usize> {
    let left = std::iter::once(Ok(texts(own).next().expect("a text")));
    let keys = (|_: &String| 0, |_: &String| 0);
    let pairs = MergeJoin::new(&bench.engine, left, texts(own).map(Ok), keys, JoinKind::Inner)?;
    pairs.into_iter().try_fold(0, |count, pair| pair.map(|_| count + 1))
}

type Operator = (&'static str, fn(&Bench, usize) -> Result<usize>, usize);

const OPERATORS: [Operator; 5] = [
    ("sort", sort, size_of::<String>()),
    ("group", group, size_of::<(String, u64)>()),
    ("distinct", distinct, size_of::<String>()),
    ("join", join, size_of::<(u64, String)>()),
    ("merge join", merge_join, size_of::<String>()),
];

fn refused(error: &Error, memory: u64) -> bool {
    let bound = plimsoll::units::ByteSize::new(memory / 32);
    error.kind() == ErrorKind::TooLarge
        && error.to_string().contains(&format!("the largest is {bound}"))
}

#[test]
fn a_record_of_a_32nd_of_the_memory_spills_and_one_byte_more_is_refused_with_the_bound() {
    for memory in [128 * KIB, MIB, 2 * MIB] {
        for (name, operator, size) in OPERATORS {
            let bench = Bench::new(memory);
            let own = usize::try_from(memory / 32).expect("small") - size;
            let count = operator(&bench, own).unwrap_or_else(|e| panic!("{name}, {memory}: {e}"));
            assert_eq!(count, 96, "{name}");
            assert!(bench.engine.spill_stats().written_bytes > memory, "{name} had to spill");
            let error = operator(&bench, own + 1).expect_err(name);
            assert!(refused(&error, memory), "{name}: {error}");
            bench.assert_clean();
        }
    }
}

#[test]
fn what_is_set_aside_is_the_share_that_the_documentation_states() {
    let root = tempfile::tempdir().expect("a folder");
    // Of a sort, and of what deals its records out, in KiB at most.
    let stated = [
        (128 * KIB, 22, 46),
        (MIB, 48, 188),
        (16 * MIB, 528, 2_350),
        (64 * MIB, 544, 8_750),
        (1_024 * MIB, 800, 9_000),
    ];
    for (memory, sorting, dealing) in stated {
        let budget = Budget::new(2 * memory + 64 * MIB, 16 * MIB, Arc::new(Unmeasured));
        let budget = budget.expect("a budget");
        let consumer = budget.consumer("typed").expect("a consumer");
        let engine = Engine::new(consumer, memory, root.path()).expect("an engine");
        let near = |what, stated: u64| {
            let held = budget.reserved_bytes();
            let fits = held <= stated * KIB && held > stated * KIB * 9 / 10;
            assert!(fits, "{what} with {memory}: {} KiB, stated {stated}", held / KIB);
        };
        let sorter = Sorter::<u64, _>::by(&engine, u64::cmp).expect("there is room");
        near("sorting", sorting);
        drop(sorter);
        let _distinct = Distinct::<u64>::new(&engine).expect("there is room");
        near("dealing out", dealing);
    }
}
