//! File-to-file tools: what the binary's `sort`, `group`, `join` and their like do.
//!
//! Promises: bounded memory for any input; an output that appears whole or not at all; nothing
//! left behind on any way out.
//! Never: a thread, a file or a signal handler that outlives the call.

mod column_list;
mod convert;
mod count;
mod distinct;
mod fields;
mod found;
mod generate;
mod group;
mod grouping;
mod head;
mod input;
mod join;
mod output;
mod quantile;
mod range_writer;
mod reading;
mod resume;
mod row_encoder;
mod row_filter;
mod row_key;
mod runs;
mod scanning;
mod sink;
mod sort;
mod sorted_output;
mod tool;
mod top;
mod turns;
mod watch;
mod workers;

pub use column_list::parse_columns;
pub use convert::{ConvertFile, PlannedConvert};
pub use count::{CountFile, PlannedCount};
pub use distinct::DistinctFile;
pub use group::GroupFile;
pub use grouping::{GroupPlan, PlannedGrouping};
pub use head::{HeadFile, PlannedHead};
pub use input::{Input, OpenInput};
pub use join::{JoinFile, JoinKind, JoinMode, JoinPlan, JoinSide, PlannedJoin, parse_on};
pub use output::{Output, Packing, PartialFile};
pub use quantile::{PlannedQuantile, QuantileFile, QuantileMethod};
pub use reading::Reading;
pub use sink::{Sink, StdoutClosed};
pub use sort::{PlannedSort, SortFile};
pub use tool::{Summary, Tool};
pub use top::{PlannedTop, TopFile, TopPlan};
pub use watch::{Phase, Watch};
