//! The body of an aggregation: JSON to what the store takes.
//!
//! ```text
//!   {"resource":"goods", "group_by":["kind"],
//!    "measures":[{"function":"sum", "expression":"price * stock", "as":"value"}],
//!    "filter":"price >= 10", "order":"-value,kind", "limit":100}
//! ```
//!
//! A measure may also be one text: `"sum(price * stock) as value"`.
//!
//! Promises: every refusal has a JSON pointer to the place and lists what is allowed; a fault in an
//! expression or filter is shown with a caret; members that are unknown or stand there twice are
//! refused.
//! Never: a column that the resource does not serve, or more text parsed than [`TEXT_BYTES_MAX`].

use std::sync::Arc;

use plimsoll::aggregate::{self, Aggregate, Rank};
use plimsoll::error::excerpt;
use plimsoll::expr::{self, Expr};
use plimsoll::limits::FILTER_BYTES_MAX;
use plimsoll_store::{
    AggregateFunction, AggregateTerm, Aggregation, GROUP_COLUMNS_MAX, MEASURES_MAX, Measure,
    Resource,
};
use serde_json::value::RawValue;

use super::super::write::members::Members;
use crate::app::Context;
use crate::problem::{Kind, Problem, Result};
use plimsoll_store::nearest;

/// The expressions of all measures together, which is as much as one filter.
const EXPRESSIONS_BYTES_MAX: usize = FILTER_BYTES_MAX;
/// Text of a definition that is parsed: its filter and its expressions.
pub(super) const TEXT_BYTES_MAX: u64 = (FILTER_BYTES_MAX + EXPRESSIONS_BYTES_MAX) as u64;
/// Bytes of a measure's name.
const NAME_BYTES_MAX: usize = 64;

const MEMBERS: [&str; 6] = ["resource", "group_by", "measures", "filter", "order", "limit"];
const MEASURE_TEXTS: [&str; 9] = [
    "count(*)",
    "count(x)",
    "count(distinct x)",
    "sum(x)",
    "avg(x)",
    "min(x)",
    "max(x)",
    "median(x)",
    "quantile(x, 0.9)",
];
const MEASURE_MEMBERS: [&str; 4] = ["function", "expression", "rank", "as"];

/// A definition that was read and checked.
pub(super) struct Definition {
    pub(super) aggregation: Aggregation,
    pub(super) filter: Option<Arc<Expr>>,
    pub(super) limit: Option<u64>,
}

impl Definition {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 at the first mistake.
    pub(super) fn read(context: &Context, body: &[u8]) -> Result<Self> {
        let members = Members::read(body)?;
        let top = Object::of(&members, "", &MEMBERS)?;
        let resource = resource(context, &top)?;
        let group_by = group_by(resource, &top)?;
        let measures = measures(resource, &top)?;
        let aggregation = Aggregation::new(resource, group_by, measures)
            .map_err(|e| Problem::new(Kind::InvalidParameter, e.to_string()))?;
        let aggregation = match top.text("order")? {
            Some(text) => ordered(aggregation, &text)?,
            None => aggregation,
        };
        let filter = top.text("filter")?.map(|text| {
            expr::parse(&text, &resource.schema).map_err(|e| {
                Problem::new(Kind::FilterInvalid, e.to_string()).with("pointer", "/filter")
            })
        });
        Ok(Self { aggregation, filter: filter.transpose()?.map(Arc::new), limit: limit(&top)? })
    }
}

/// An object's members under the pointer to it.
struct Object<'m, 'b> {
    members: &'m Members<'b>,
    pointer: String,
}

impl<'m, 'b> Object<'m, 'b> {
    fn of(members: &'m Members<'b>, pointer: &str, allowed: &[&str]) -> Result<Self> {
        let object = Self { members, pointer: pointer.to_owned() };
        for (place, (name, _)) in members.pairs().enumerate() {
            if !allowed.contains(&name) {
                return Err(object.unknown(name, allowed));
            }
            if members.pairs().take(place).any(|(earlier, _)| earlier == name) {
                return Err(object.invalid(name, "stands there twice"));
            }
        }
        Ok(object)
    }

    fn unknown(&self, name: &str, allowed: &[&str]) -> Problem {
        let detail = format!(
            "'{}' is not a member {}; allowed: {}",
            excerpt(name),
            if self.pointer.is_empty() { "of an aggregation" } else { "of a measure" },
            allowed.join(", ")
        );
        let problem = Problem::new(Kind::UnknownParameter, detail).with("pointer", &*self.pointer);
        suggest(problem, name, allowed)
    }

    fn invalid(&self, name: &str, why: &str) -> Problem {
        invalid(&format!("{}/{name}", self.pointer), why)
    }

    /// What stands under a name; null is as good as nothing.
    fn get(&self, name: &str) -> Option<&'b RawValue> {
        let found = self.members.pairs().find(|(found, _)| *found == name);
        found.map(|(_, raw)| raw).filter(|raw| raw.get() != "null")
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        self.get(name)
            .map(|raw| {
                serde_json::from_str(raw.get()).map_err(|_| self.invalid(name, "is not a text"))
            })
            .transpose()
    }

    /// The items of an array, at most so many.
    fn list(&self, name: &str, most: usize, of: &str) -> Result<Vec<&'b RawValue>> {
        let Some(raw) = self.get(name) else { return Ok(Vec::new()) };
        let wrong = || self.invalid(name, &format!("is not an array of {of}"));
        if !raw.get().starts_with('[') {
            return Err(wrong());
        }
        let mut items = Vec::new();
        let mut source = serde_json::Deserializer::from_str(raw.get());
        let read = Items { items: &mut items, most }.read(&mut source);
        match read {
            Ok(true) => Ok(items),
            Ok(false) => Err(self.invalid(name, &format!("has more than {most} items"))),
            Err(_) => Err(wrong()),
        }
    }
}

/// Takes an array's items until there are too many.
struct Items<'i, 'b> {
    items: &'i mut Vec<&'b RawValue>,
    most: usize,
}

impl<'b> Items<'_, 'b> {
    /// Whether there were few enough.
    fn read<D: serde::Deserializer<'b>>(self, source: D) -> Result<bool, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'b> serde::de::Visitor<'b> for Items<'_, 'b> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: serde::de::SeqAccess<'b>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut fits = true;
        while let Some(item) = seq.next_element::<&'b RawValue>()? {
            fits = self.items.len() < self.most;
            if fits {
                self.items.push(item);
            }
        }
        Ok(fits)
    }
}

fn invalid(pointer: &str, why: &str) -> Problem {
    Problem::new(Kind::InvalidParameter, format!("{pointer} {why}")).with("pointer", pointer)
}

fn suggest(problem: Problem, wrong: &str, allowed: &[&str]) -> Problem {
    let problem = match nearest(wrong, allowed.iter().copied()) {
        Some(near) => problem.with("did_you_mean", near),
        None => problem,
    };
    problem.with("allowed", allowed)
}

/// The resource called so: by its table's name, else by its path.
fn resource<'c>(context: &'c Context, top: &Object<'_, '_>) -> Result<&'c Arc<Resource>> {
    let Some(name) = top.text("resource")? else {
        return Err(top.invalid("resource", "is missing: name a table or the path of one"));
    };
    let by_path = || context.tables.values().find(|s| s.resource.path.as_deref() == Some(&*name));
    if let Some(served) = context.tables.get(&name).or_else(by_path) {
        return Ok(&served.resource);
    }
    context.may_read(&name)?;
    let names: Vec<&str> = context.tables.keys().take(50).collect();
    let why = format!("is '{}', and there is no resource of this name", excerpt(&name));
    Err(suggest(top.invalid("resource", &why), &name, &names))
}

fn group_by(resource: &Resource, top: &Object<'_, '_>) -> Result<Vec<usize>> {
    let items = top.list("group_by", GROUP_COLUMNS_MAX, "column names")?;
    let columns = items.into_iter().enumerate().map(|(place, raw)| {
        let pointer = format!("/group_by/{place}");
        let name: String = serde_json::from_str(raw.get())
            .map_err(|_| invalid(&pointer, "is not a text: name a column"))?;
        resource.schema.position(&name).ok_or_else(|| {
            let names = resource.column_names();
            let detail = format!(
                "{pointer}: '{}' is not a column of {}; allowed: {}",
                excerpt(&name),
                resource.name,
                names.join(", ")
            );
            let problem = Problem::new(Kind::UnknownField, detail).with("pointer", pointer);
            suggest(problem, &name, &names)
        })
    });
    columns.collect()
}

fn measures(resource: &Resource, top: &Object<'_, '_>) -> Result<Vec<Measure>> {
    let mut bytes_left = EXPRESSIONS_BYTES_MAX;
    let items = top.list("measures", MEASURES_MAX, "objects or texts")?;
    let measures = items.into_iter().enumerate().map(|(place, raw)| {
        let pointer = format!("/measures/{place}");
        if raw.get().starts_with('"') {
            return written(resource, &pointer, raw, &mut bytes_left);
        }
        let members = Members::read(raw.get().as_bytes()).map_err(|_| {
            let example = "is neither an object such as \
                           {\"function\":\"max\",\"expression\":\"a * b\"} \
                           nor a text such as \"max(a * b) as most\"";
            invalid(&pointer, example)
        })?;
        let object = Object::of(&members, &pointer, &MEASURE_MEMBERS)?;
        measure(resource, &object, &mut bytes_left)
    });
    measures.collect()
}

/// A measure as text: `sum(price * stock) as value`. Without `as` it is called as it is written.
fn written(
    resource: &Resource,
    pointer: &str,
    raw: &RawValue,
    bytes_left: &mut usize,
) -> Result<Measure> {
    let text: String = serde_json::from_str(raw.get())
        .map_err(|_| invalid(pointer, "is not a text that can be read"))?;
    *bytes_left =
        bytes_left.checked_sub(text.len()).ok_or_else(|| invalid(pointer, &too_long()))?;
    let read = aggregate::parse(&text, &resource.schema)
        .map_err(|e| invalid(pointer, &format!("cannot be read: {e}")))?;
    let [one] = &*read else {
        return Err(invalid(pointer, "is several measures: give each a text of its own"));
    };
    let function = match (one.aggregate(), one.argument()) {
        (Aggregate::Count, None) => AggregateFunction::CountAll,
        (Aggregate::Count, Some(_)) => AggregateFunction::Count,
        (Aggregate::CountDistinct, _) => AggregateFunction::CountDistinct,
        (Aggregate::Sum, _) => AggregateFunction::Sum,
        (Aggregate::Avg, _) => AggregateFunction::Avg,
        (Aggregate::Min, _) => AggregateFunction::Min,
        (Aggregate::Max, _) => AggregateFunction::Max,
        (Aggregate::Quantile(q), _) => {
            let rank = Rank::new(q).map_err(|e| invalid(pointer, &e.to_string()))?;
            AggregateFunction::Quantile(rank)
        }
        _ => {
            let why = format!(
                "is '{}', which is not computed here; allowed: {}",
                excerpt(one.text()),
                MEASURE_TEXTS.join(", ")
            );
            return Err(invalid(pointer, &why).with("allowed", MEASURE_TEXTS.to_vec()));
        }
    };
    if !is_name(one.name()) {
        let why = format!("{}: write one behind 'as'", odd_name(one.name()));
        return Err(invalid(pointer, &why));
    }
    Ok(Measure { function, argument: one.argument().cloned(), name: one.name().into() })
}

fn too_long() -> String {
    format!(
        "is too long: the expressions of all measures have at most {EXPRESSIONS_BYTES_MAX} bytes \
         together"
    )
}

fn measure(
    resource: &Resource,
    object: &Object<'_, '_>,
    bytes_left: &mut usize,
) -> Result<Measure> {
    let names = AggregateFunction::NAMES;
    let Some(word) = object.text("function")? else {
        let why = format!("is missing; allowed: {}", names.join(", "));
        return Err(object.invalid("function", &why).with("allowed", names.to_vec()));
    };
    let Some(mut function) = AggregateFunction::from_name(&word) else {
        let why = format!("is '{}'; allowed: {}", excerpt(&word), names.join(", "));
        return Err(suggest(object.invalid("function", &why), &word, &names));
    };
    let text = object.text("expression")?;
    let argument = match text.as_deref().map(str::trim) {
        None | Some("*") if function == AggregateFunction::Count => {
            function = AggregateFunction::CountAll;
            None
        }
        None => {
            let why = format!("is missing: {word} needs one; count alone does not");
            return Err(object.invalid("expression", &why));
        }
        Some(text) => {
            *bytes_left = bytes_left
                .checked_sub(text.len())
                .ok_or_else(|| object.invalid("expression", &too_long()))?;
            Some(operand(resource, object, text)?)
        }
    };
    if let Some(rank) = rank(object, &word)? {
        function = AggregateFunction::Quantile(rank);
    }
    let name = match object.text("as")? {
        Some(name) => checked_name(object, name)?,
        None => own_name(resource, object, &word, argument.as_ref())?,
    };
    Ok(Measure { function, argument, name: name.into() })
}

/// The rank that a quantile, and nothing else, is given.
fn rank(object: &Object<'_, '_>, word: &str) -> Result<Option<Rank>> {
    let refuse = |why: &str| object.invalid("rank", why);
    match (word, object.get("rank")) {
        ("quantile", None) => Err(refuse("is missing: a quantile needs one, from 0 to 1, as 0.9")),
        ("quantile", Some(raw)) => {
            let number = raw.get().parse().ok().and_then(|rank| Rank::new(rank).ok());
            let why = format!("is {}; it is a number from 0 to 1, as 0.9", excerpt(raw.get()));
            number.map(Some).ok_or_else(|| refuse(&why))
        }
        (_, None) => Ok(None),
        (word, Some(_)) => Err(refuse(&format!("is for a quantile alone; {word} takes none"))),
    }
}

fn operand(resource: &Resource, object: &Object<'_, '_>, text: &str) -> Result<Expr> {
    expr::parse_operand(text, &resource.schema).map_err(|e| {
        // The language's own messages begin with what it is for most of the time.
        let said = e.to_string();
        let said = said.strip_prefix("filter, ").unwrap_or(&said);
        object.invalid("expression", &format!("cannot be read: {said}"))
    })
}

fn checked_name(object: &Object<'_, '_>, name: String) -> Result<String> {
    if is_name(&name) { Ok(name) } else { Err(object.invalid("as", &odd_name(&name))) }
}

/// Whether an order can name it again.
fn is_name(name: &str) -> bool {
    let odd = |c: char| c.is_control() || c == ',';
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.trim() == name
        && !name.starts_with(['-', '+'])
        && !name.contains(odd)
}

fn odd_name(name: &str) -> String {
    format!(
        "is '{}'; a name has 1 to {NAME_BYTES_MAX} bytes, no comma, no sign or space at its ends, \
         and no control character",
        excerpt(name)
    )
}

/// `count`, or `sum_price` for the sum of a column.
fn own_name(
    resource: &Resource,
    object: &Object<'_, '_>,
    word: &str,
    argument: Option<&Expr>,
) -> Result<String> {
    match argument {
        None => Ok(word.to_owned()),
        Some(Expr::Column(column)) => {
            Ok(format!("{word}_{}", resource.schema.columns[*column].name))
        }
        Some(_) => Err(object.invalid("as", "is missing: a measure of an expression needs a name")),
    }
}

fn ordered(aggregation: Aggregation, text: &str) -> Result<Aggregation> {
    let refuse = |why: String| {
        let names: Vec<&str> = aggregation.schema().columns.iter().map(|c| &*c.name).collect();
        let detail = format!("/order {why}; allowed: {}", names.join(", "));
        (Problem::new(Kind::SortInvalid, detail).with("pointer", "/order"), names)
    };
    let mut order = Vec::new();
    for part in text.split(',').map(str::trim).take(64) {
        let (descending, name) = match part.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, part.strip_prefix('+').unwrap_or(part)),
        };
        let Some(field) = aggregation.schema().position(name) else {
            let (problem, names) = refuse(format!(
                "names '{}', which is neither a column of group_by nor a measure",
                excerpt(name)
            ));
            return Err(suggest(problem, name, &names));
        };
        order.push(AggregateTerm { field, descending });
    }
    aggregation.ordered(order).map_err(|e| {
        Problem::new(Kind::SortInvalid, format!("/order: {e}")).with("pointer", "/order")
    })
}

fn limit(top: &Object<'_, '_>) -> Result<Option<u64>> {
    let Some(raw) = top.get("limit") else { return Ok(None) };
    match raw.get().parse() {
        Ok(limit @ 1..) => Ok(Some(limit)),
        _ => {
            let why = format!("is {}; it is a whole number from 1 on", excerpt(raw.get()));
            Err(top.invalid("limit", &why))
        }
    }
}
