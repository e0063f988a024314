//! `plimsoll serve`: the resources over HTTP.
//!
//! Promises: says the limit, where it came from and three requests to try; stops cleanly on
//! SIGTERM and SIGINT and then says its memory peak.
//! Never: listens beyond this machine without being told that nobody is asked who they are.

use std::io::Write as _;
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use plimsoll::limits::SERVER_LIMIT_BYTES_MIN;
use plimsoll::units::ByteSize;
use plimsoll_server::{Build, Server, ServerConfig, ServerLimits};
use plimsoll_store::catalogue::Pack;
use plimsoll_store::{Resource, Store};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Counts, Global, ServeArgs};
use crate::commands::seed;
use crate::exit::{Outcome, Usage};
use crate::memory::Memory;
use crate::{database, memory, process, spill};

/// Threads of the runtime at most: they move bytes, the readers make them.
const RUNTIME_THREADS_MAX: usize = 4;

pub(crate) fn run(
    global: &Global,
    args: &ServeArgs,
    packs: &[Pack],
    counts: &Counts,
) -> anyhow::Result<Outcome> {
    let memory = memory::start(global.memory.as_deref(), "--memory", SERVER_LIMIT_BYTES_MIN)?;
    let data = Path::new(global.data.as_deref().unwrap_or("plimsoll-data"));
    let spill_directory = data.join("spill");
    spill::prepare(&spill_directory)?;
    let listener = listen(args)?;
    let opened = match &args.database {
        Some(file) => database::open_foreign(Path::new(file), &memory.budget)?,
        None => database::open_embedded(data, packs, &memory.budget)?,
    };
    if args.demo {
        seed::fill(&opened.store, packs, counts, args.seed)?;
    }
    let server = Server::new(ServerConfig {
        store: opened.store.clone(),
        budget: memory.budget.clone(),
        http_cap_bytes: memory.limit.bytes,
        limit_source: memory.limit.source.to_string().into(),
        limits: ServerLimits::default(),
        cursor_key: database::cursor_key(data)?,
        writable: args.database.is_none(),
        clock: Arc::new(database::now_micros),
        process: Arc::new(process::OwnProcess { spill: spill_directory.canonicalize()? }),
        build: Build { version: env!("CARGO_PKG_VERSION").into(), commit: "unknown".into() },
    })?;
    greet(&listener, &memory, &opened.store)?;
    serve(server, listener)?;
    let peak = ByteSize::new(process::resident_peak_bytes());
    writeln!(std::io::stderr(), "stopped; VmHWM {peak} of {}", ByteSize::new(memory.limit.bytes))?;
    Ok(Outcome::Done)
}

fn listen(args: &ServeArgs) -> anyhow::Result<TcpListener> {
    let host = args.host.as_deref().unwrap_or("127.0.0.1");
    let address: IpAddr = host
        .parse()
        .map_err(|_| Usage(format!("--host {host}: write an address such as 127.0.0.1 or ::1")))?;
    if !address.is_loopback() && !args.insecure {
        bail!(Usage(format!(
            "--host {host} is reachable from other machines, and requests are not authenticated: \
             put a proxy in front and listen on 127.0.0.1, or add --insecure"
        )));
    }
    let port = args.port.as_deref().unwrap_or("8000");
    let number: u16 = port
        .parse()
        .map_err(|_| Usage(format!("--port {port}: write a number from 0 to 65535")))?;
    TcpListener::bind((address, number)).with_context(|| format!("listening on {host}:{port}"))
}

fn serve(server: Arc<Server>, listener: TcpListener) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(RUNTIME_THREADS_MAX))
        .thread_stack_size(plimsoll::limits::THREAD_STACK_BYTES)
        .max_blocking_threads(1)
        .thread_name("http")
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
        let stopped = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server.run(listener, stopped).await.context("serving")
    })
}

fn greet(listener: &TcpListener, memory: &Memory, store: &Store) -> anyhow::Result<()> {
    let url = format!("http://{}", listener.local_addr()?);
    let mut text = format!("plimsoll: memory limit {}\nplimsoll: serving on {url}\n", memory.limit);
    for line in examples(&url, store) {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    std::io::stderr().write_all(text.as_bytes())?;
    Ok(())
}

/// Three requests that work on what is served.
fn examples(url: &str, store: &Store) -> Vec<String> {
    let catalogue = store.catalogue();
    let path = |resource: &Resource| match &resource.path {
        Some(path) => format!("/{path}"),
        None => format!("/api/v2/tables/{}", resource.name),
    };
    let subject = catalogue.analytics().map(|a| &a.subject.resource);
    let Some(first) = subject.or_else(|| catalogue.resources().next()) else {
        return vec![format!("curl '{url}/system/memory'")];
    };
    let mut lines = vec![
        format!("curl '{url}{}?limit=2'", path(first)),
        format!("curl -sN '{url}{}/stream' | head -n 3", path(first)),
    ];
    lines.push(match subject.and_then(|s| s.path.as_ref()) {
        Some(subject) => format!("curl '{url}/analytics/top-{subject}?limit=3'"),
        None => format!("curl '{url}/system/memory'"),
    });
    lines
}
