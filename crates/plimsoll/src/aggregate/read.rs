//! Calls to measures: names, arities and types.
//!
//! Promises: every refusal shows its place in the whole list and says what is allowed there.
//! Never: two measures of one name.

use super::{Aggregate, Input, Measure};
use crate::caret::{Source, Span, refuse};
use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::expr::{Argument, Call, Expr, call_list};
use crate::limits::{MEASURES_MAX, NAME_BYTES_MAX};
use crate::record::{ColumnType, Schema, Value};

/// Every measure as it is written, by name.
const USAGES: [(&str, &str); 9] = [
    ("approx_count_distinct", "approx_count_distinct(x)"),
    ("approx_quantile", "approx_quantile(x, 0.9)"),
    ("avg", "avg(x)"),
    ("count", "count(*), count(x), count(distinct x)"),
    ("max", "max(x)"),
    ("median", "median(x)"),
    ("min", "min(x)"),
    ("quantile", "quantile(x, 0.9)"),
    ("sum", "sum(x)"),
];

pub(super) fn measures(text: &str, schema: &Schema) -> Result<Vec<Measure>> {
    let reader = Reader { source: Source { text, noun: "measure list" } };
    let calls = call_list(reader.source, schema, MEASURES_MAX)?;
    let mut measures: Vec<Measure> = Vec::with_capacity(calls.len());
    for call in calls {
        let (name, place) = match &call.alias {
            Some((name, span)) => (name.clone(), span.clone()),
            None => (text[call.span.clone()].into(), call.span.clone()),
        };
        if name.len() > NAME_BYTES_MAX {
            let what = format!(
                "a name has at most {NAME_BYTES_MAX} bytes, this has {}; put a short one after as",
                name.len()
            );
            return Err(reader.invalid(&place, &what));
        }
        if measures.iter().any(|other| other.name == name) {
            let what = format!(
                "there is a measure called '{}' already; put another name after as",
                excerpt(&name)
            );
            return Err(reader.invalid(&place, &what));
        }
        measures.push(reader.measure(name, call)?);
    }
    Ok(measures)
}

struct Reader<'t> {
    source: Source<'t>,
}

impl Reader<'_> {
    fn invalid(&self, span: &Span, what: &str) -> Error {
        refuse(ErrorKind::Invalid, self.source, span, what)
    }

    fn measure(&self, name: Box<str>, call: Call<'_>) -> Result<Measure> {
        let text = self.source.text[call.span.clone()].into();
        let Some((word, usage)) =
            USAGES.into_iter().find(|(word, _)| call.name.eq_ignore_ascii_case(word))
        else {
            let known: Vec<_> = USAGES.into_iter().map(|(_, usage)| usage).collect();
            let what = format!(
                "there is no measure '{}'; the measures are {}",
                excerpt(call.name),
                known.join(", ")
            );
            return Err(self.invalid(&call.name_span, &what));
        };
        if let Some(span) = call.star.as_ref().or(call.distinct.as_ref())
            && word != "count"
        {
            let stray = &self.source.text[span.clone()];
            let what = format!("'{stray}' stands in count alone; write {usage}");
            return Err(self.invalid(span, &what));
        }
        let wanted = match word {
            _ if call.star.is_some() => 0,
            "quantile" | "approx_quantile" => 2,
            _ => 1,
        };
        if call.arguments.len() != wanted {
            let what = format!(
                "{word} takes {}, {} given; write {usage}",
                if wanted == 2 { "two arguments" } else { "one argument" },
                call.arguments.len()
            );
            return Err(self.invalid(&call.span, &what));
        }
        let aggregate = self.aggregate(word, &call)?;
        let argument = call.arguments.into_iter().next();
        if let Some(argument) = &argument {
            self.fits(word, aggregate, argument)?;
        }
        let input_kind = argument.as_ref().map_or(ColumnType::Int, |argument| argument.kind);
        let input = Input::new(argument.map(|argument| argument.expr));
        Ok(Measure { name, text, aggregate, input, input_kind })
    }

    fn aggregate(&self, word: &str, call: &Call<'_>) -> Result<Aggregate> {
        Ok(match word {
            "count" if call.distinct.is_some() => Aggregate::CountDistinct,
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum,
            "avg" => Aggregate::Avg,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "median" => Aggregate::Quantile(0.5),
            "quantile" => Aggregate::Quantile(self.rank(&call.arguments[1])?),
            "approx_quantile" => Aggregate::ApproxQuantile(self.rank(&call.arguments[1])?),
            _ => Aggregate::ApproxCountDistinct,
        })
    }

    /// The second argument of a quantile.
    fn rank(&self, argument: &Argument) -> Result<f64> {
        let rank = match argument.expr {
            Expr::Literal(Value::Int(0)) => Some(0.0),
            Expr::Literal(Value::Int(1)) => Some(1.0),
            Expr::Literal(Value::Float(rank)) => Some(rank),
            _ => None,
        };
        rank.filter(|rank| (0.0..=1.0).contains(rank)).ok_or_else(|| {
            let what = "the rank of a quantile is a number from 0 to 1, as 0.9";
            self.invalid(&argument.span, what)
        })
    }

    fn fits(&self, word: &str, aggregate: Aggregate, argument: &Argument) -> Result<()> {
        use ColumnType::{Float, Int, Money, Time};
        let (fits, wanted) = match aggregate {
            Aggregate::Sum | Aggregate::Avg => {
                (matches!(argument.kind, Int | Float | Money), "int, float or money")
            }
            Aggregate::Quantile(_) | Aggregate::ApproxQuantile(_) => {
                (matches!(argument.kind, Int | Float | Money | Time), "int, float, money or time")
            }
            _ => (true, ""),
        };
        if fits {
            return Ok(());
        }
        let what = format!(
            "'{}' is {}, and {word} takes {wanted}",
            excerpt(&self.source.text[argument.span.clone()]),
            argument.kind
        );
        Err(self.invalid(&argument.span, &what))
    }
}
