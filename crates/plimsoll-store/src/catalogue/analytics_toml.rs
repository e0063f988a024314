//! The analytics mapping as a pack's TOML has it, and how it finds its columns.
//!
//! ```text
//!   [analytics.orders]      always
//!   [analytics.items]       lines in a table of their own, with [analytics.subject]
//!   [analytics.items_json]  or lines in a column of the orders
//!   [analytics.rollup]      sums by day and channel, with [analytics.marks]
//! ```
//!
//! Promises: an unknown key or a column that is not there is refused by name.
//! Never: half a mapping: where lines stand is said once.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    Analytics, ItemMapping, JsonLines, JsonPath, Lines, MarkMapping, OrderMapping, Resource,
    RollupMapping, SalesMapping, SubjectMapping,
};
use crate::error::{Error, Result};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnalyticsToml {
    orders: OrdersToml,
    items: Option<ItemsToml>,
    items_json: Option<ItemsJsonToml>,
    subject: Option<SubjectToml>,
    rollup: Option<RollupToml>,
    marks: Option<MarksToml>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrdersToml {
    table: Box<str>,
    key: Box<str>,
    time: Box<str>,
    channel: Box<str>,
    customer: Option<Box<str>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsToml {
    table: Box<str>,
    order: Box<str>,
    subject: Box<str>,
    quantity: Box<str>,
    amount: Box<str>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsJsonToml {
    column: Box<str>,
    /// Where the array is within the column; the column itself if not said.
    lines: Option<Box<str>>,
    subject: Box<str>,
    quantity: Box<str>,
    amount: Box<str>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectToml {
    table: Box<str>,
    key: Box<str>,
    label: Vec<Box<str>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollupToml {
    table: Box<str>,
    date: Box<str>,
    channel: Box<str>,
    revenue: Box<str>,
    orders: Box<str>,
    items: Box<str>,
    quantity: Box<str>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarksToml {
    table: Box<str>,
    date: Box<str>,
    channel: Box<str>,
    generation: Box<str>,
}

fn table(resources: &[Resource], name: &str) -> Result<Arc<Resource>> {
    resources
        .iter()
        .find(|r| &*r.name == name)
        .cloned()
        .map(Arc::new)
        .ok_or_else(|| Error::invalid(format!("the analytics mapping names no resource: '{name}'")))
}

impl AnalyticsToml {
    /// What reports run on: only where lines have a table of their own.
    pub(super) fn analytics(&self, resources: &[Resource]) -> Result<Option<Analytics>> {
        let sales = self.sales(resources)?;
        let (Lines::Table(items), Some(subject)) = (sales.lines, sales.subject) else {
            return match (&self.rollup, &self.items_json) {
                (Some(_), _) => Err(Error::invalid(
                    "[analytics.rollup] goes with [analytics.items] and [analytics.subject]: sums \
                     by day are made from a table of lines",
                )),
                (None, Some(_)) => Ok(None),
                (None, None) => Err(Error::invalid("[analytics.items] needs [analytics.subject]")),
            };
        };
        let rollup = match (&self.rollup, &self.marks) {
            (Some(rollup), Some(marks)) => Some(rollup.mapping(marks, resources)?),
            (None, None) => None,
            _ => {
                return Err(Error::invalid("[analytics.rollup] and [analytics.marks] go together"));
            }
        };
        Ok(Some(Analytics { orders: sales.orders, items, subject, rollup }))
    }

    /// What sales are worked out from.
    pub(super) fn sales(&self, resources: &[Resource]) -> Result<SalesMapping> {
        let lines = match (&self.items, &self.items_json) {
            (Some(items), None) => Lines::Table(items.mapping(resources)?),
            (None, Some(json)) => {
                Lines::Json(json.mapping(&*table(resources, &self.orders.table)?)?)
            }
            _ => {
                return Err(Error::invalid(
                    "the analytics mapping has its lines either in a table, [analytics.items], or \
                     in a column of the orders, [analytics.items_json]",
                ));
            }
        };
        let subject = self.subject.as_ref().map(|s| s.mapping(resources)).transpose()?;
        Ok(SalesMapping { orders: self.orders.mapping(resources)?, lines, subject })
    }
}

impl OrdersToml {
    fn mapping(&self, resources: &[Resource]) -> Result<OrderMapping> {
        let orders = table(resources, &self.table)?;
        Ok(OrderMapping {
            key: orders.column(&self.key)?,
            time: orders.column(&self.time)?,
            channel: orders.column(&self.channel)?,
            customer: self.customer.as_ref().map(|c| orders.column(c)).transpose()?,
            resource: orders,
        })
    }
}

impl ItemsToml {
    fn mapping(&self, resources: &[Resource]) -> Result<ItemMapping> {
        let items = table(resources, &self.table)?;
        Ok(ItemMapping {
            order: items.column(&self.order)?,
            subject: items.column(&self.subject)?,
            quantity: items.column(&self.quantity)?,
            amount: items.column(&self.amount)?,
            resource: items,
        })
    }
}

impl ItemsJsonToml {
    fn mapping(&self, orders: &Resource) -> Result<JsonLines> {
        Ok(JsonLines {
            column: orders.column(&self.column)?,
            lines: self
                .lines
                .as_deref()
                .map_or_else(|| Ok(JsonPath::default()), JsonPath::parse)?,
            subject: JsonPath::parse(&self.subject)?,
            quantity: JsonPath::parse(&self.quantity)?,
            amount: JsonPath::parse(&self.amount)?,
        })
    }
}

impl SubjectToml {
    fn mapping(&self, resources: &[Resource]) -> Result<SubjectMapping> {
        let subject = table(resources, &self.table)?;
        let label = self.label.iter().map(|c| subject.column(c)).collect::<Result<_>>()?;
        Ok(SubjectMapping { key: subject.column(&self.key)?, label, resource: subject })
    }
}

impl RollupToml {
    fn mapping(&self, marks: &MarksToml, resources: &[Resource]) -> Result<RollupMapping> {
        let sums = table(resources, &self.table)?;
        let marked = table(resources, &marks.table)?;
        if sums.version.is_none() {
            return Err(Error::invalid(format!(
                "the resource '{}' of [analytics.rollup] has no version: a refresh could not tell \
                 that another one came between",
                sums.name
            )));
        }
        Ok(RollupMapping {
            date: sums.column(&self.date)?,
            channel: sums.column(&self.channel)?,
            revenue: sums.column(&self.revenue)?,
            orders: sums.column(&self.orders)?,
            items: sums.column(&self.items)?,
            quantity: sums.column(&self.quantity)?,
            resource: sums,
            marks: MarkMapping {
                date: marked.column(&marks.date)?,
                channel: marked.column(&marks.channel)?,
                generation: marked.column(&marks.generation)?,
                resource: marked,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AnalyticsToml;
    use crate::catalogue::testing::resource;

    #[test]
    fn lines_are_said_to_be_in_one_place() {
        let resources =
            [resource("o", &[("id", "int"), ("at", "time"), ("c", "text"), ("l", "text")])];
        let orders = "orders = { table = 'o', key = 'id', time = 'at', channel = 'c' }";
        let json = "items_json = { column = 'l', subject = 'p.sku', quantity = 'n', amount = 'a' }";
        let parse = |text: &str| toml::from_str::<AnalyticsToml>(text).expect("reads");
        let mapped = parse(&format!("{orders}\n{json}"));
        assert!(mapped.analytics(&resources).expect("no reports").is_none());
        assert_eq!(mapped.sales(&resources).expect("sales").orders.time, 1);
        let neither = parse(orders).sales(&resources).expect_err("no lines").to_string();
        assert!(neither.contains("[analytics.items_json]"), "{neither}");
        let wrong = parse(&format!("{orders}\n{}", json.replace("'l'", "'x'")));
        let wrong = wrong.sales(&resources).expect_err("no such column").to_string();
        assert!(wrong.contains("'x' is not a column of o"), "{wrong}");
        let empty = parse(&format!("{orders}\n{}", json.replace("p.sku", "p..sku")));
        assert!(empty.sales(&resources).is_err());
    }
}
