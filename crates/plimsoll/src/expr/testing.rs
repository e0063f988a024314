//! Random filters and random rows over any schema, replayable from a seed.
//!
//! Promises: every filter is checked, keeps within the bounds and reads back from its canonical
//! text; values come from small pools around the edges, so that comparisons hit.
//! Never: the same sequence from two seeds, or another one from the same seed.

use super::{Expr, parse};
use crate::record::{ColumnType, Money, Schema, Timestamp, Value};

/// A stream of random filters and rows: SplitMix64 (Steele, Lea and Flood 2014).
///
/// ```
/// use plimsoll::expr::{self, testing::Random};
/// use plimsoll::record::{Column, ColumnType, Schema, ValueRow};
/// let schema = Schema { columns: vec![Column::nullable("n", ColumnType::Int)] };
/// let mut random = Random::new(7);
/// let (filter, row) = (random.filter(&schema), random.row(&schema));
/// let _ = expr::matches(&filter, &ValueRow(&row)); // an Err is a number out of range
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

const INTS: [&str; 9] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "9223372036854775807",
    "-9223372036854775808",
    "9007199254740993",
];
const FLOATS: [&str; 9] =
    ["0.0", "1.0", "-0.5", "2.5", "0.1", "3.0", "1e308", "-1e-300", "9007199254740992.0"];
const AMOUNTS: [&str; 8] =
    ["0", "2.55", "-2.55", "10", "0.0001", "3", "922337203685477.5807", "-922337203685477.5808"];
const TIMES: [&str; 5] = [
    "1970-01-01",
    "2010-12-01 08:26:00",
    "2010-12-01T08:26:00.000001Z",
    "1969-12-31 23:59:59",
    "9999-12-30",
];
const TEXTS: [&str; 12] =
    ["", "a", "A", "ab", "aB", "b", "é", "É", "日本", "O'Neill", "100%_", "Z"];
const BYTES: [&[u8]; 4] = [b"", b"\0", b"a", b"\xff\x00"];

impl Random {
    /// A stream that `seed` determines.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Sixty-four random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    #[allow(clippy::cast_possible_truncation)] // the remainder is below a usize
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A row of `schema`: an eighth of the nullable fields are NULL. No text holds NUL and no
    /// float is NaN, so that every database can hold the row.
    ///
    /// # Panics
    /// Never: the pools parse.
    pub fn row(&mut self, schema: &Schema) -> Vec<Value> {
        let field = |c: &crate::record::Column| {
            if c.nullable && self.below(8) == 0 { Value::Null } else { self.value(c.kind) }
        };
        schema.columns.iter().map(field).collect()
    }

    fn value(&mut self, kind: ColumnType) -> Value {
        const POOL: &str = "the pool holds values of this type";
        match kind {
            ColumnType::Bool => Value::Bool(self.below(2) == 0),
            ColumnType::Int => Value::Int(self.pick(&INTS).parse().expect(POOL)),
            ColumnType::Float => Value::Float(self.pick(&FLOATS).parse().expect(POOL)),
            ColumnType::Money => Value::Money(self.pick(&AMOUNTS).parse::<Money>().expect(POOL)),
            ColumnType::Time => Value::Time(self.pick(&TIMES).parse::<Timestamp>().expect(POOL)),
            ColumnType::Text => Value::Text(self.pick(&TEXTS).into()),
            ColumnType::Bytes => Value::Bytes(self.pick(&BYTES).into()),
            ColumnType::Any => {
                let kind = self.pick(&[
                    ColumnType::Int,
                    ColumnType::Float,
                    ColumnType::Text,
                    ColumnType::Bytes,
                ]);
                self.value(kind)
            }
        }
    }

    /// A filter over `schema`, which has at least one column.
    ///
    /// # Panics
    /// When the generator wrote what the checker refuses: a bug in one of them; the message has
    /// both the text and the reason.
    pub fn filter(&mut self, schema: &Schema) -> Expr {
        let text = self.condition(schema, 3);
        match parse(&text, schema) {
            Ok(filter) => filter,
            Err(refused) => panic!("the generator wrote {text:?}: {refused}"),
        }
    }

    fn condition(&mut self, schema: &Schema, depth: usize) -> String {
        let deeper = depth.saturating_sub(1);
        let choice = if depth == 0 { 4 } else { 0 } + self.below(if depth == 0 { 6 } else { 10 });
        match choice {
            0 => format!("not ({})", self.condition(schema, deeper)),
            1..=3 => {
                let word = self.pick(&["and", "or", "AND", "oR"]);
                let left = self.condition(schema, deeper);
                let right = self.condition(schema, deeper);
                format!("({left}) {word} ({right})")
            }
            4 => self.flag(schema),
            _ => self.comparison(schema, depth.min(2)),
        }
    }

    /// A condition without an operator, or a test for NULL.
    fn flag(&mut self, schema: &Schema) -> String {
        let column = self.below(schema.columns.len());
        let quoted = name(schema, column);
        match (schema.columns[column].kind, self.below(4)) {
            (ColumnType::Bool, 0 | 1) => quoted,
            (_, 0) => self.pick(&["true", "false", "null"]).to_owned(),
            (ColumnType::Text, 1 | 2) => {
                let function = self.pick(&["contains", "starts_with", "ends_with"]);
                format!("{function}({quoted}, {})", self.operand(schema, ColumnType::Text, 1))
            }
            (_, 3) => format!("{quoted} is not null"),
            _ => format!("{quoted} is null"),
        }
    }

    fn comparison(&mut self, schema: &Schema, depth: usize) -> String {
        let kind = schema.columns[self.below(schema.columns.len())].kind;
        let left = self.operand(schema, kind, depth);
        match self.below(8) {
            0 if kind != ColumnType::Bool => {
                let (low, high) = (self.literal(kind), self.operand(schema, kind, 0));
                let not = self.pick(&["", "not "]);
                format!("{left} {not}between {low} and {high}")
            }
            1 => {
                let length = 1 + self.below(4);
                let list: Vec<_> = (0..length).map(|_| self.literal(kind)).collect();
                let not = self.pick(&["", "not "]);
                format!("{left} {not}in ({})", list.join(", "))
            }
            more => {
                let op = self.pick(&["=", "!=", "<>", "<", "<=", ">", ">="]);
                let right = match more {
                    2..=5 => self.literal(kind),
                    _ => self.operand(schema, kind, depth),
                };
                if more == 2 {
                    return format!("{right} {op} {left}");
                }
                format!("{left} {op} {right}")
            }
        }
    }

    /// Something that is of type `kind` without a literal's help, so that it can stand anywhere.
    fn operand(&mut self, schema: &Schema, kind: ColumnType, depth: usize) -> String {
        let column = self.column_of(schema, kind);
        if depth == 0 {
            return column;
        }
        let below = |random: &mut Self| random.operand(schema, kind, depth - 1);
        match (kind, self.below(6)) {
            (ColumnType::Int, 0) if schema.columns.iter().any(|c| c.kind == ColumnType::Text) => {
                format!("length({})", self.operand(schema, ColumnType::Text, depth - 1))
            }
            (ColumnType::Int | ColumnType::Float | ColumnType::Money, choice @ 0..=2) => {
                let (left, op) = (below(self), self.pick(&["+", "-"]));
                match choice {
                    0 => format!("({left} {op} {})", self.literal(kind)),
                    1 => format!("{left} * {}", self.literal(ColumnType::Int)),
                    _ => format!("({left} {op} {})", below(self)),
                }
            }
            (ColumnType::Int | ColumnType::Float | ColumnType::Money, 3) => {
                format!("abs({})", below(self))
            }
            (ColumnType::Int | ColumnType::Float | ColumnType::Money, 4) => {
                format!("-({})", below(self))
            }
            (ColumnType::Text, choice @ 0..=1) => {
                format!("{}({})", ["lower", "UPPER"][choice], below(self))
            }
            (ColumnType::Any | ColumnType::Bytes, _) => column,
            (_, 5) => format!("coalesce({}, {})", below(self), below(self)),
            _ => column,
        }
    }

    /// A column of the type, which the schema has.
    fn column_of(&mut self, schema: &Schema, kind: ColumnType) -> String {
        let of_kind: Vec<_> = (0..schema.columns.len())
            .filter(|position| schema.columns[*position].kind == kind)
            .collect();
        name(schema, self.pick(&of_kind))
    }

    fn literal(&mut self, kind: ColumnType) -> String {
        match kind {
            ColumnType::Bool => self.pick(&["true", "false"]).to_owned(),
            ColumnType::Int => self.pick(&INTS).to_owned(),
            ColumnType::Float => self.pick(&FLOATS).to_owned(),
            ColumnType::Money => self.pick(&AMOUNTS).to_owned(),
            ColumnType::Time => format!("'{}'", self.pick(&TIMES)),
            ColumnType::Text => format!("'{}'", self.pick(&TEXTS).replace('\'', "''")),
            ColumnType::Bytes => self.pick(&["x''", "x'00'", "x'61'", "X'FF00'"]).to_owned(),
            ColumnType::Any => {
                let kind = self.pick(&[ColumnType::Int, ColumnType::Float, ColumnType::Text]);
                self.literal(kind)
            }
        }
    }
}

fn name(schema: &Schema, position: usize) -> String {
    format!("\"{}\"", schema.columns[position].name.replace('"', "\"\""))
}
