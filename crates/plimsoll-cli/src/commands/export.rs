//! `plimsoll export`: a resource as CSV, NDJSON or JSON.
//!
//! Promises: a file appears whole or not at all; a closed pipe ends it quietly; a sort that no
//! index serves is made here, with the memory and the spill directory there are.
//! Never: more than two frames in memory, and the workspace of a sort.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use plimsoll::format::{Csv, CsvOptions, Format, JsonObjects, RowEncoder};
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES, TOOL_LIMIT_BYTES_MIN};
use plimsoll::spill::SpillOptions;
use plimsoll::storage::Disk;
use plimsoll_store::catalogue::Pack;
use plimsoll_store::{
    ErrorKind, Horizon, Order, Page, PageEnd, PageRequest, Position, ReadLane, Resource, Scope,
    SortRequest, SortSpace, Store, sort_workspace_bytes,
};

use crate::args::{ExportArgs, Global};
use crate::database::Use;
use crate::exit::{self, Outcome, Usage};
use crate::{named, process, setup};

pub(crate) fn run(global: &Global, args: &ExportArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let directory = setup.spill()?;
    let packs = &*setup.packs(packs)?;
    let source = setup.source(packs)?;
    let opened = setup.open(source.as_ref(), packs, Use::Tool)?;
    let budget = &setup.memory.budget;
    let _held = budget.consumer("export")?.try_reserve(2 * frame_bytes() as u64)?;
    let space = SortSpace {
        storage: Arc::new(Disk),
        directory,
        options: SpillOptions::default(),
        consumer: budget.root().spilling_consumer("sort")?,
        workspace_bytes: sort_workspace_bytes(budget.limit_bytes()),
    };
    let export = Export::new(&opened.store, space, args)?;
    let rows = match &args.output {
        Some(path) => to_file(&export, path)?,
        None => export.write(&mut exit::stdout())?,
    };
    if args.json {
        let line = serde_json::json!({
            "rows": rows, "seconds": began.elapsed().as_secs_f64(),
            "rss_peak_bytes": process::resident_peak_bytes(),
        });
        writeln!(io::stderr(), "{line}")?;
    }
    Ok(Outcome::Done)
}

fn frame_bytes() -> usize {
    FRAME_BYTES + FRAME_SLACK_BYTES
}

fn to_file(export: &Export<'_>, path: &Path) -> anyhow::Result<u64> {
    let what = || format!("writing {}", path.display());
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(name);
    let mut file = File::create_new(&partial).with_context(what)?;
    let written = export.write(&mut file).with_context(what).and_then(|rows| {
        file.sync_all().with_context(what)?;
        std::fs::rename(&partial, path).with_context(what)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).with_context(what)?;
        Ok(rows)
    });
    if written.is_err() {
        // The first error is the one to tell; a leftover has a name that says what it is.
        let _left_behind = std::fs::remove_file(&partial);
    }
    written
}

struct Export<'a> {
    store: &'a Store,
    space: SortSpace,
    resource: Arc<Resource>,
    columns: Arc<[usize]>,
    names: Vec<Box<str>>,
    filter: Option<Arc<plimsoll::expr::Expr>>,
    order: Arc<Order>,
    format: Format,
    csv: CsvOptions,
}

impl<'a> Export<'a> {
    fn new(store: &'a Store, space: SortSpace, args: &ExportArgs) -> anyhow::Result<Self> {
        let resource = named::resource(store, &args.resource)?;
        let format = Format::from_name(&args.format).ok_or_else(|| {
            Usage(format!("--format {}: allowed are csv, ndjson, json", args.format))
        })?;
        let columns: Vec<usize> = match &args.fields {
            Some(fields) => fields
                .split(',')
                .map(|name| resource.column(name.trim()))
                .collect::<Result<_, _>>()?,
            None => resource.all_columns(),
        };
        let filter = match &args.filter {
            Some(text) => Some(Arc::new(plimsoll::expr::parse(text, &resource.schema)?)),
            None => None,
        };
        Ok(Self {
            store,
            space,
            names: columns.iter().map(|&c| resource.schema.columns[c].name.clone()).collect(),
            columns: columns.into(),
            filter,
            order: Arc::new(Order::parse(&resource, args.sort.as_deref().unwrap_or_default())?),
            format,
            csv: CsvOptions { guard: !args.no_formula_guard, ..CsvOptions::default() },
            resource,
        })
    }

    fn encoder(&self) -> Box<dyn RowEncoder> {
        let names = self.names.iter().map(|n| &**n);
        match self.format {
            Format::Csv => Box::new(Csv::new(names, self.csv)),
            other => other.encoder(names),
        }
    }

    /// Reads one frame ahead of the one being written.
    fn write(&self, out: &mut dyn Write) -> anyhow::Result<u64> {
        let mut encoder = self.encoder();
        let mut first = Vec::with_capacity(frame_bytes());
        encoder.begin(&mut first);
        let mut spare = Vec::with_capacity(frame_bytes());
        let mut rows = 0;
        let mut pending = self.store.page(self.request(None, None, encoder, first));
        loop {
            let page = match pending.wait() {
                // Whether an index serves the sort is told by the first page or not at all, but
                // for a table that grows meanwhile.
                Err(error) if error.kind() == ErrorKind::Unindexed && rows == 0 => {
                    return self.write_sorted(out);
                }
                page => page?,
            };
            let Page { out: mut frame, mut encoder, rows: more, end, rest, horizon, .. } = page;
            rows += more;
            match end {
                PageEnd::Exhausted => {
                    encoder.end(&mut frame);
                    out.write_all(&frame)?;
                    out.flush()?;
                    return Ok(rows);
                }
                PageEnd::More(position) => {
                    // Nobody wakes it: it makes way for others on the database.
                    std::thread::park_timeout(rest);
                    let next = self.request(Some(position), horizon, encoder, spare);
                    pending = self.store.page(next);
                    out.write_all(&frame)?;
                    frame.clear();
                    spare = frame;
                }
            }
        }
    }

    /// Reads everything, sorts it and writes it.
    fn write_sorted(&self, out: &mut dyn Write) -> anyhow::Result<u64> {
        let names = self.names.iter().map(|n| &**n);
        let (encoder, separator): (Box<dyn RowEncoder>, &'static [u8]) = match self.format {
            Format::Json => (Box::new(JsonObjects::new(names)), b",\n"),
            Format::Csv | Format::Ndjson => (self.encoder(), b""),
        };
        let request = SortRequest {
            resource: self.resource.clone(),
            filter: self.filter.clone(),
            search: None,
            order: self.order.clone(),
            from: None,
            columns: self.columns.clone(),
            encoder,
            separator,
            horizon: None,
        };
        let mut sorted = plimsoll_store::sort(self.store, request, &self.space, &|| false)?;
        let mut extra = self.space.consumer.try_reserve(0)?;
        let mut around = self.encoder();
        let mut frame = Vec::with_capacity(frame_bytes());
        around.begin(&mut frame);
        while sorted.fill(&mut frame, FRAME_BYTES, &mut extra)? {
            out.write_all(&frame)?;
            frame.clear();
        }
        around.end(&mut frame);
        out.write_all(&frame)?;
        out.flush()?;
        Ok(sorted.rows())
    }

    fn request(
        &self,
        from: Option<Position>,
        horizon: Option<Horizon>,
        encoder: Box<dyn RowEncoder>,
        out: Vec<u8>,
    ) -> PageRequest {
        PageRequest {
            resource: self.resource.clone(),
            scope: Scope::Range {
                filter: self.filter.clone(),
                search: None,
                order: self.order.clone(),
                from,
                backwards: false,
            },
            columns: self.columns.clone(),
            rows_max: u64::MAX,
            bytes_max: FRAME_BYTES,
            encoder,
            out,
            extra: None,
            row_ends: None,
            lane: ReadLane::Bulk,
            horizon,
        }
    }
}
