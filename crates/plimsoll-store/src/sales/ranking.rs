//! The best subjects of each document, exact for any number of subjects.
//!
//! ```text
//!   line x document ──> GroupBy (document, subject) ──full──> spill ──> TopK per document
//! ```
//!
//! Promises: an order counts once for a subject, however many of its lines are about it; ties go
//! to the smaller key; memory is the engine's, and k entries per document.
//! Never: an estimate.

use std::cmp::Reverse;

use plimsoll::heap_size::HeapSize;
use plimsoll::topk::{Smallest, TopK};
use plimsoll::typed::{Engine, GroupBy};
use serde::{Deserialize, Serialize};

use super::lines::Line;
use super::subject::Subject;
use crate::error::{Error, ErrorKind, Result};

/// What a subject gained. Wide enough for any number of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gained {
    pub(super) revenue: i128,
    pub(super) quantity: i128,
    pub(super) orders: u64,
}

impl HeapSize for Gained {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Gained {
    fn add(&mut self, other: Self) {
        self.revenue += other.revenue;
        self.quantity += other.quantity;
        self.orders += other.orders;
    }
}

type Key = (u16, Subject);
type Row = (Key, Gained);
type Groups =
    GroupBy<Row, Key, Gained, fn(&Row) -> Key, fn(&mut Gained, Row), fn(&mut Gained, Gained)>;

/// One place of a ranking.
pub(super) struct Place {
    pub(super) subject: Subject,
    pub(super) gained: Gained,
}

impl HeapSize for Place {
    fn heap_bytes(&self) -> usize {
        self.subject.heap_bytes()
    }
}

/// Gathers what each subject gained in each document.
pub(super) struct Ranking {
    groups: Groups,
    /// Of the order at hand.
    order: Vec<(Subject, Gained)>,
}

impl Ranking {
    pub(super) fn new(engine: &Engine) -> Result<Self> {
        let key: fn(&Row) -> Key = |row| row.0.clone();
        let fold: fn(&mut Gained, Row) = |sum, row| sum.add(row.1);
        let merge: fn(&mut Gained, Gained) = Gained::add;
        Ok(Self { groups: GroupBy::new(engine, key, fold, merge)?, order: Vec::new() })
    }

    /// Counts an order's lines in each of `documents`.
    pub(super) fn add(
        &mut self,
        documents: impl Iterator<Item = u16> + Clone,
        lines: &[Line],
    ) -> Result<()> {
        if documents.clone().next().is_none() {
            return Ok(());
        }
        self.order.clear();
        for Line { subject, quantity, amount } in lines {
            let (revenue, quantity) = (i128::from(*amount), i128::from(*quantity));
            self.order.push((subject.clone(), Gained { revenue, quantity, orders: 1 }));
        }
        self.order.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.order.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1.add(Gained { orders: 0, ..later.1 });
            }
            same
        });
        for document in documents {
            for (subject, gained) in &self.order {
                self.groups.push(((document, subject.clone()), *gained))?;
            }
        }
        Ok(())
    }

    /// The `best` of each of so many documents, by revenue.
    pub(super) fn finish(
        self,
        engine: &Engine,
        documents: usize,
        best: usize,
    ) -> Result<Vec<Smallest<Place>>> {
        let by_revenue = |a: &Place, b: &Place| {
            (Reverse(a.gained.revenue), &a.subject).cmp(&(Reverse(b.gained.revenue), &b.subject))
        };
        let mut tops: Vec<_> =
            (0..documents).map(|_| TopK::by(best, engine.consumer(), by_revenue)).collect();
        for group in self.groups.finish()? {
            let ((document, subject), gained) = group?;
            let pushed = tops[usize::from(document)].push(Place { subject, gained });
            pushed.map_err(|refused| Error::new(ErrorKind::OutOfBudget, refused.to_string()))?;
        }
        Ok(tops.into_iter().map(TopK::finish).collect())
    }
}
