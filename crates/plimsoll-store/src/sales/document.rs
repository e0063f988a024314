//! The sales of one period and channel, as they are cached and served.
//!
//! ```text
//!   {"period":"7d","channel":null,"from":..,"until":..,"computed_at":..,"source":"live",
//!    "revenue":..,"orders":..,"items":..,"quantity":..,"average_order":..,"unreadable_lines":0,
//!    "previous":{"from":..,"until":..,"revenue":..,..},"change_percent":{"revenue":..,..},
//!    "top":[{"key":..,LABELS,"revenue":..,"quantity":..,"orders":..}],
//!    "per_day":[{"date":..,"revenue":..,..}],"per_channel":[{"channel":..,"revenue":..,..}]}
//! ```
//!
//! Promises: days follow one another without a gap, the first and last being as much of them as
//! the period has; amounts are exact, averages and changes rounded half away from zero.
//! Never: a top list that was not worked out: it is null.

use plimsoll::format::{JsonArray, JsonObjects, RowEncoder};
use plimsoll::record::{Money, Timestamp, Value, ValueRow};

use super::cells::{Cells, Sums};
use super::compute::Wanted;
use super::period::{DAY_MICROS, Span};
use super::subject::Subject;
use crate::error::{Error, Result};
use crate::report::rounded;

/// Units of [`Money`] in one.
const SCALE: i128 = 10_000;

/// Where the sums come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the orders.
    Live,
    /// Whole days from the rollup, parts of days from the orders.
    Rollup,
}

impl Source {
    /// `live` or `rollup`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Rollup => "rollup",
        }
    }
}

/// Sums of orders and their lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// The sum of amounts.
    pub revenue: Money,
    /// Orders.
    pub orders: i64,
    /// Lines.
    pub items: i64,
    /// The sum of quantities.
    pub quantity: i64,
}

impl From<Sums> for Summed {
    fn from(sums: Sums) -> Self {
        let Sums { revenue, orders, items, quantity, .. } = sums;
        Self { revenue: Money::from_units(revenue), orders, items, quantity }
    }
}

impl Summed {
    /// Revenue by order; `None` where there is none.
    #[must_use]
    pub fn average_order(&self) -> Option<Money> {
        (self.orders > 0).then(|| Money::from_units(rounded(self.revenue.units(), self.orders)))
    }

    const NAMES: [&'static str; 5] = ["revenue", "orders", "items", "quantity", "average_order"];

    fn values(&self) -> [Value; 5] {
        let average = self.average_order().map_or(Value::Null, Value::Money);
        let counts = [self.orders, self.items, self.quantity].map(Value::Int);
        let [orders, items, quantity] = counts;
        [Value::Money(self.revenue), orders, items, quantity, average]
    }

    /// By how many hundredths each is more than before; NULL where there was nothing.
    fn change(&self, before: &Self) -> [Value; 5] {
        let average = |sums: &Self| sums.average_order().map_or(0, Money::units);
        [
            percent(self.revenue.units(), before.revenue.units()),
            percent(self.orders, before.orders),
            percent(self.items, before.items),
            percent(self.quantity, before.quantity),
            percent(average(self), average(before)),
        ]
    }
}

/// The change in percent of what was, to two decimals.
fn percent(now: i64, before: i64) -> Value {
    let (more, of) = (i128::from(now) - i128::from(before), i128::from(before).abs());
    if of == 0 {
        return Value::Null;
    }
    // In hundredths of a percent, which are 100 units each.
    let scaled = more * SCALE;
    let (quotient, rest) = (scaled / of, (scaled % of).abs());
    let whole = if rest * 2 >= of { quotient + scaled.signum() } else { quotient };
    let units = i64::try_from(whole * (SCALE / 100));
    units.map_or(Value::Null, |units| Value::Money(Money::from_units(units)))
}

/// One place of a top list.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Its key.
    pub subject: Subject,
    /// Names and values that tell a person what it is.
    pub label: Vec<(Box<str>, Value)>,
    /// The sum of amounts.
    pub revenue: Money,
    /// The sum of quantities.
    pub quantity: i64,
    /// Different orders.
    pub orders: i64,
}

/// The sales of one period and channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What was asked for.
    pub wanted: Wanted,
    /// When it was worked out.
    pub computed_at: Timestamp,
    /// From what.
    pub source: Source,
    /// The period's sums.
    pub sums: Summed,
    /// Lines that could not be read; they are in no sum.
    pub unreadable_lines: i64,
    /// The sums of the previous period.
    pub previous: Summed,
    /// The best by revenue; `None` where they were not worked out.
    pub top: Option<Vec<Ranked>>,
    /// By day: its first instant and its sums.
    pub per_day: Vec<(Timestamp, Summed)>,
    /// By channel, in order of name.
    pub per_channel: Vec<(Option<Box<str>>, Summed)>,
}

impl Document {
    pub(crate) fn new(
        cells: &Cells,
        wanted: &Wanted,
        computed_at: Timestamp,
        source: Source,
    ) -> Result<Self> {
        let (span, channel) = (wanted.period.span(), wanted.channel.as_deref());
        let mut per_day = Vec::new();
        let mut date = span.from.div_euclid(DAY_MICROS) * DAY_MICROS;
        while date < span.until {
            let next = date + DAY_MICROS;
            let part = Span { from: date.max(span.from), until: next.min(span.until) };
            per_day.push((Timestamp::from_micros(date), cells.sum(part, channel)?.into()));
            date = next;
        }
        let by_channel = cells.by_channel(span)?.into_iter();
        let per_channel = by_channel
            .filter(|(name, _)| channel.is_none_or(|wanted| *name == Some(wanted)))
            .map(|(name, sums)| (name.map(Into::into), sums.into()));
        let sums = cells.sum(span, channel)?;
        Ok(Self {
            wanted: wanted.clone(),
            computed_at,
            source,
            sums: sums.into(),
            unreadable_lines: sums.unreadable,
            previous: cells.sum(wanted.period.previous(), channel)?.into(),
            top: None,
            per_day,
            per_channel: per_channel.collect(),
        })
    }

    /// The document as JSON.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a name that JSON cannot hold.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let Wanted { period, channel } = &self.wanted;
        let before = period.previous();
        let mut out = Vec::new();
        let text = |value: &str| Value::Text(value.into());
        let head = [
            ("period", text(period.name())),
            ("channel", channel.as_deref().map_or(Value::Null, text)),
            ("from", Value::Time(period.from())),
            ("until", Value::Time(period.until())),
            ("computed_at", Value::Time(self.computed_at)),
            ("source", text(self.source.name())),
        ];
        let sums = Summed::NAMES.into_iter().zip(self.sums.values());
        let unreadable = ("unreadable_lines", Value::Int(self.unreadable_lines));
        object(&mut out, head.into_iter().chain(sums).chain([unreadable]))?;
        // The object goes on with its nested members.
        out.pop();
        out.extend_from_slice(b",\"previous\":");
        let ends = [("from", before.from), ("until", before.until)]
            .map(|(name, micros)| (name, Value::Time(Timestamp::from_micros(micros))));
        let sums = Summed::NAMES.into_iter().zip(self.previous.values());
        object(&mut out, ends.into_iter().chain(sums))?;
        out.extend_from_slice(b",\"change_percent\":");
        let change = self.sums.change(&self.previous);
        object(&mut out, Summed::NAMES.into_iter().zip(change))?;
        out.extend_from_slice(b",\"top\":");
        self.push_top(&mut out)?;
        out.extend_from_slice(b",\"per_day\":");
        let days = self.per_day.iter().map(|(date, sums)| (Value::Time(*date), sums));
        array(&mut out, "date", days)?;
        out.extend_from_slice(b",\"per_channel\":");
        let channels = self.per_channel.iter();
        let name = |name: &Option<Box<str>>| name.as_deref().map_or(Value::Null, text);
        array(&mut out, "channel", channels.map(|(channel, sums)| (name(channel), sums)))?;
        out.push(b'}');
        Ok(out)
    }

    fn push_top(&self, out: &mut Vec<u8>) -> Result<()> {
        let Some(top) = &self.top else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        let label = top.first().map(|ranked| &*ranked.label).unwrap_or_default();
        let labels = label.iter().map(|(name, _)| &**name);
        let measures = ["revenue", "quantity", "orders"];
        let names: Vec<&str> = ["key"].into_iter().chain(labels).chain(measures).collect();
        let mut encoder = JsonArray::new(&names);
        encoder.begin(out);
        for ranked in top {
            let mut row = vec![ranked.subject.value()];
            row.extend(ranked.label.iter().map(|(_, value)| value.clone()));
            row.push(Value::Money(ranked.revenue));
            row.extend([ranked.quantity, ranked.orders].map(Value::Int));
            encoder.row(&ValueRow(&row), out).map_err(Error::from)?;
        }
        encoder.end(out);
        Ok(())
    }
}

fn object<'n>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'n str, Value)>) -> Result<()> {
    let (names, values): (Vec<&str>, Vec<Value>) = members.unzip();
    let mut encoder = JsonObjects::new(&names);
    encoder.begin(out);
    encoder.row(&ValueRow(&values), out)?;
    encoder.end(out);
    Ok(())
}

fn array<'s>(
    out: &mut Vec<u8>,
    name: &str,
    rows: impl Iterator<Item = (Value, &'s Summed)>,
) -> Result<()> {
    let names: Vec<&str> = [name].into_iter().chain(Summed::NAMES).collect();
    let mut encoder = JsonArray::new(&names);
    encoder.begin(out);
    for (first, sums) in rows {
        let row: Vec<Value> = [first].into_iter().chain(sums.values()).collect();
        encoder.row(&ValueRow(&row), out)?;
    }
    encoder.end(out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_rounded_half_away_from_zero_at_the_second_decimal() {
        let change = |now, before| match percent(now, before) {
            Value::Money(money) => money.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(change(150, 100), "50");
        assert_eq!(change(1, 3), "-66.67");
        assert_eq!(change(-150, -100), "-50");
        assert_eq!(change(20_001, 20_000), "0.01");
        assert_eq!(change(5, 0), "Null");
        assert_eq!(change(i64::MAX, 1), "Null");
    }
}
