//! Sums by span of time and channel, from which those of any period are put together.
//!
//! ```text
//!   midnights and ends of periods:   |--|------|------|--|---|      <- spans between them
//!   channel a                        [ ][      ][     ][ ][   ]
//!   channel b                        [ ][      ][     ][ ][   ]
//! ```
//!
//! Promises: a period's sums are those of whole cells; reserved before they are held.
//! Never: more than [`CHANNELS_MAX`] channels.

use std::collections::BTreeMap;

use plimsoll::budget::{Consumer, Reservation};

use super::compute::DOCUMENTS_MAX;
use super::period::{DAY_MICROS, Period, Span};
use crate::error::{Error, ErrorKind, Result};
use crate::trend::TREND_ROWS_MAX;

/// Channels at most: each is a row of cells, and a line in every document.
pub(crate) const CHANNELS_MAX: usize = 200;

/// What is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// In units of [`plimsoll::record::Money`].
    pub(crate) revenue: i64,
    pub(crate) orders: i64,
    pub(crate) items: i64,
    pub(crate) quantity: i64,
    /// Lines that could not be read, and are in none of the others.
    pub(crate) unreadable: i64,
}

impl Sums {
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond 64 bits.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        let pairs = [
            (&mut self.revenue, other.revenue),
            (&mut self.orders, other.orders),
            (&mut self.items, other.items),
            (&mut self.quantity, other.quantity),
            (&mut self.unreadable, other.unreadable),
        ];
        for (sum, more) in pairs {
            *sum = sum.checked_add(more).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "a sum of sales leaves 64 bits: ask for less")
            })?;
        }
        Ok(())
    }
}

/// The cells of some periods and those before them.
pub(crate) struct Cells {
    /// Where spans begin and end, ascending.
    bounds: Vec<i64>,
    channels: BTreeMap<Option<Box<str>>, Vec<Sums>>,
    held: Reservation,
}

impl Cells {
    /// # Errors
    /// [`ErrorKind::TooLarge`] for more days than a trend has rows; [`ErrorKind::OutOfBudget`].
    pub(crate) fn new<'a>(
        periods: impl Iterator<Item = &'a Period>,
        consumer: &Consumer,
    ) -> Result<Self> {
        let mut bounds: Vec<i64> = Vec::new();
        for period in periods {
            let (Span { from, until }, before) = (period.span(), period.previous());
            bounds.extend([before.from, from, until]);
        }
        let (Some(&first), Some(&last)) = (bounds.iter().min(), bounds.iter().max()) else {
            return Err(Error::invalid("sales are asked for without a period"));
        };
        let days = usize::try_from(last.saturating_sub(first) / DAY_MICROS).unwrap_or(usize::MAX);
        if days > TREND_ROWS_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the periods and those before them span {days} days, at most \
                     {TREND_ROWS_MAX}: ask for them apart"
                ),
            ));
        }
        let mut midnight = first.div_euclid(DAY_MICROS) * DAY_MICROS + DAY_MICROS;
        while midnight < last {
            bounds.push(midnight);
            midnight += DAY_MICROS;
        }
        bounds.sort_unstable();
        bounds.dedup();
        let bytes = size_of_val(&*bounds) as u64;
        let held = consumer.try_reserve(bytes).map_err(plimsoll::Error::from)?;
        Ok(Self { bounds, channels: BTreeMap::new(), held })
    }

    /// Bytes that the cells of `days` take at most.
    pub(crate) fn bytes_max(days: u64) -> u64 {
        let bounds = days + 3 * DOCUMENTS_MAX as u64;
        bounds * (size_of::<i64>() + CHANNELS_MAX * size_of::<Sums>()) as u64
    }

    /// From the first bound to the last.
    pub(crate) fn span(&self) -> Span {
        let (first, last) = (self.bounds.first(), self.bounds.last());
        Span { from: first.copied().unwrap_or_default(), until: last.copied().unwrap_or_default() }
    }

    /// The whole days that no bound divides, and what lies between them.
    pub(crate) fn pieces(&self) -> (Vec<i64>, Vec<Span>) {
        let (mut days, mut parts): (Vec<i64>, Vec<Span>) = (Vec::new(), Vec::new());
        for (&from, &until) in self.bounds.iter().zip(&self.bounds[1..]) {
            if from.rem_euclid(DAY_MICROS) == 0 && until - from == DAY_MICROS {
                days.push(from);
            } else if let Some(last) = parts.last_mut().filter(|last| last.until == from) {
                last.until = until;
            } else {
                parts.push(Span { from, until });
            }
        }
        (days, parts)
    }

    /// Adds what came at an instant; what lies outside is left out.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for too many channels or too large a sum;
    /// [`ErrorKind::OutOfBudget`].
    pub(crate) fn add(&mut self, micros: i64, channel: Option<&str>, sums: &Sums) -> Result<()> {
        let behind = self.bounds.partition_point(|&bound| bound <= micros);
        if behind == 0 || behind == self.bounds.len() {
            return Ok(());
        }
        // A borrowed look-up of Option<Box<str>> would need an owned key: few channels, short
        // names.
        let key: Option<Box<str>> = channel.map(Into::into);
        if let Some(cells) = self.channels.get_mut(&key) {
            return cells[behind - 1].add(sums);
        }
        if self.channels.len() == CHANNELS_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the orders have more than {CHANNELS_MAX} channels: map a column with fewer \
                     values, or NULL, as their channel"
                ),
            ));
        }
        let spans = self.bounds.len() - 1;
        let name = channel.map_or(0, str::len);
        let bytes = spans * size_of::<Sums>() + name;
        self.held.try_grow(bytes as u64).map_err(plimsoll::Error::from)?;
        let mut cells = vec![Sums::default(); spans];
        cells[behind - 1].add(sums)?;
        self.channels.insert(key, cells);
        Ok(())
    }

    /// The sums of a span, which begins and ends at bounds, of one channel or all.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond 64 bits.
    pub(crate) fn sum(&self, span: Span, channel: Option<&str>) -> Result<Sums> {
        let mut total = Sums::default();
        for (name, sums) in self.by_channel(span)? {
            if channel.is_none_or(|wanted| name == Some(wanted)) {
                total.add(&sums)?;
            }
        }
        Ok(total)
    }

    /// The sums of a span by channel, those with nothing in it left out.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond 64 bits.
    pub(crate) fn by_channel(&self, span: Span) -> Result<Vec<(Option<&str>, Sums)>> {
        let begin = self.bounds.partition_point(|&bound| bound < span.from);
        let end = self.bounds.partition_point(|&bound| bound < span.until);
        let mut all = Vec::new();
        for (name, cells) in &self.channels {
            let mut total = Sums::default();
            for cell in &cells[begin..end] {
                total.add(cell)?;
            }
            if total != Sums::default() {
                all.push((name.as_deref(), total));
            }
        }
        Ok(all)
    }
}
