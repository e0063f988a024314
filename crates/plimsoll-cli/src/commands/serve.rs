//! `plimsoll serve`: the resources over HTTP.
//!
//! Promises: says the limit, where it came from and three requests to try; stops cleanly on
//! SIGTERM and SIGINT and then says its memory peak; looks at somebody's own database again on
//! SIGHUP.
//! Never: listens beyond this machine without an access file, or being told that nobody is asked
//! who they are.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use plimsoll::budget::Budget;
use plimsoll::limits::SERVER_LIMIT_BYTES_MIN;
use plimsoll::units::ByteSize;
use plimsoll_server::{Build, CatalogueSource, LOG_BYTES_MAX, Server, ServerConfig, ServerLimits};
use plimsoll_store::catalogue::Pack;
use plimsoll_store::{Resource, Store};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Counts, Global, ServeArgs};
use crate::commands::seed;
use crate::config::Config;
use crate::database::Use;
use crate::exit::{Outcome, Usage};
use crate::memory::Memory;
use crate::setup::Setup;
use crate::source::Source;
use crate::{access, control, database, jobs, process, setup};

/// Threads of the runtime at most: they move bytes, and the database's threads make them. Half the
/// cores are theirs, for a thread that is woken on another core for every answer costs more than
/// it carries.
const RUNTIME_THREADS_MAX: usize = 4;

pub(crate) fn run(
    global: &Global,
    args: &ServeArgs,
    packs: &[Pack],
    counts: &Counts,
) -> anyhow::Result<Outcome> {
    let (setup, logs) = setup::start_serving(global, SERVER_LIMIT_BYTES_MIN)?;
    let _log_bytes = setup.memory.budget.consumer("log")?.try_reserve(LOG_BYTES_MAX as u64)?;
    if args.demo && setup.config.database().is_some() {
        bail!(Usage("--demo fills the embedded database, and --database names another".to_owned()));
    }
    let spill = setup.spill()?;
    let access = access::access(&setup.config, &setup.memory.budget)?;
    let asks = access.is_some();
    let listener = listen(&setup.config, asks, args.insecure)?;
    let packs = &*setup.packs(packs)?;
    let source = setup.source(packs)?;
    let opened = setup.open(source.as_ref(), packs, Use::Server)?;
    let writable = source.is_none();
    if args.demo {
        seed::fill(&opened.store, packs, counts, args.seed, &setup.memory.budget)?;
    }
    let memory = &setup.memory;
    let beside = match &source {
        Some(_) => Some(control::open(&setup, Use::Server, opened.sqlite_bytes)?),
        None => None,
    };
    let control = beside.as_ref().map(|opened| &opened.store);
    let (jobs, cache) = jobs::of_server(&setup, &opened.store, control, &spill)?;
    let server = Server::new(ServerConfig {
        store: opened.store.clone(),
        catalogue_source: catalogue_source(&setup, source, &opened.store, packs),
        budget: memory.budget.clone(),
        http_cap_bytes: memory.limit.bytes,
        spill_directory: spill.clone(),
        public_url: setup.config.optional_text("http.public_url").map(Into::into),
        limit_source: memory.limit.source.to_string().into(),
        limits: limits(&setup.config)?,
        cursor_key: database::cursor_key(setup.data())?,
        access,
        audit: access::audit(&setup.config, setup.data()),
        jobs: Some(jobs),
        cache,
        // The log says more than a client is told.
        logs: (asks || listener.local_addr()?.ip().is_loopback()).then_some(logs),
        writable,
        clock: Arc::new(database::now_micros),
        process: Arc::new(process::OwnProcess { spill }),
        build: Build {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: env!("BUILT_FROM_COMMIT").into(),
        },
    })?;
    let greeting = greeting(&listener, memory, &opened.store, asks)?;
    let (config, budget) = (setup.config.clone(), memory.budget.clone());
    let again = move |server: &Server| reload_access(server, &config, &budget);
    serve(server, listener, &greeting, Arc::new(again))?;
    if let Some(beside) = beside {
        beside.store.close().context("closing the database of the jobs")?;
    }
    opened.store.close().context("closing the database")?;
    let peak = ByteSize::new(process::resident_peak_bytes());
    writeln!(std::io::stderr(), "stopped; VmHWM {peak} of {}", ByteSize::new(memory.limit.bytes))?;
    Ok(Outcome::Done)
}

/// What a reload looks at: somebody's own database, or the queries of Plimsoll's own.
fn catalogue_source(
    setup: &Setup,
    source: Option<Source>,
    store: &Store,
    packs: &[Pack],
) -> Option<Arc<dyn CatalogueSource>> {
    match source {
        Some(source) => Some(Arc::new(source)),
        None if setup.config.path("database.queries").is_none() => None,
        None => Some(Arc::new(setup.own_queries(store, packs))),
    }
}

fn limits(config: &Config) -> anyhow::Result<ServerLimits> {
    let time = |key: &str| Duration::from_millis(config.duration_ms(key));
    let streams_max = usize::try_from(config.integer("stream.max"))?;
    Ok(ServerLimits {
        connections_max: usize::try_from(config.integer("http.connections_max"))?,
        streams_max,
        admissions_waiting_max: streams_max,
        header_timeout: time("http.header_timeout"),
        stall_timeout: time("http.stall_timeout"),
        drain_timeout: time("http.drain_timeout"),
        reports_max: usize::try_from(config.integer("analytics.max"))?,
        exports_max: usize::try_from(config.integer("exports.max"))?,
        exports_bytes_max: config.bytes("exports.disk_max").unwrap_or(u64::MAX),
        ..ServerLimits::default()
    })
}

fn listen(config: &Config, asks: bool, insecure: bool) -> anyhow::Result<TcpListener> {
    let (host, port) = (config.text("http.host"), u16::try_from(config.integer("http.port"))?);
    let what = || format!("listening on {host}:{port}");
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().with_context(what)?.collect();
    let beyond = !insecure && addresses.iter().any(|a| !a.ip().is_loopback());
    if beyond && !asks {
        bail!(Usage(format!(
            "http.host {host} is reachable from other machines, and requests are not \
             authenticated: name an access file (--access FILE, see `plimsoll key new`), or put a \
             proxy in front and listen on 127.0.0.1, or add --insecure"
        )));
    }
    if beyond && config.database().is_some() && config.path("database.resources").is_none() {
        bail!(Usage(format!(
            "http.host {host} is reachable from other machines, and nobody has reviewed what of \
             the database is served: name a resources file (--resources FILE, see \
             `plimsoll init`), or listen on 127.0.0.1, or add --insecure"
        )));
    }
    TcpListener::bind(addresses.as_slice()).with_context(what)
}

/// Reads the access file again, if there is one. What becomes of it stands in the log.
fn reload_access(server: &Server, config: &Config, budget: &Budget) {
    let replaced = match access::access(config, budget) {
        Ok(None) => return,
        Ok(Some(access)) => server.replace_access(access).map_err(anyhow::Error::from),
        Err(why) => Err(why),
    };
    match replaced {
        Ok(()) => tracing::info!(target: "http", "the access file was read again"),
        Err(why) => tracing::warn!(target: "http", "those who were known stay: {why:#}"),
    }
}

fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    greeting: &str,
    reload_access: Arc<dyn Fn(&Server) + Send + Sync>,
) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores / 2).clamp(1, RUNTIME_THREADS_MAX))
        .thread_stack_size(plimsoll::limits::THREAD_STACK_BYTES)
        .max_blocking_threads(1)
        .thread_name("http")
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
        let mut hangup = signal(SignalKind::hangup()).context("watching for SIGHUP")?;
        // Whoever reads this may stop the server at once, and it must stop cleanly.
        std::io::stderr().write_all(greeting.as_bytes())?;
        let reloading = Arc::clone(&server);
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                let (server, reload) = (Arc::clone(&reloading), Arc::clone(&reload_access));
                let read = tokio::task::spawn_blocking(move || reload(&server));
                // The old ones stay where it panicked.
                drop(read.await);
                // What becomes of it stands in the log.
                drop(reloading.reload().await);
            }
        });
        let stopped = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server.run(listener, stopped).await.context("serving")
    })
}

fn greeting(
    listener: &TcpListener,
    memory: &Memory,
    store: &Store,
    asks: bool,
) -> anyhow::Result<String> {
    let url = format!("http://{}", listener.local_addr()?);
    let mut text = format!("plimsoll: memory limit {}\nplimsoll: serving on {url}\n", memory.limit);
    for line in examples(&url, store) {
        let key = if asks { "curl -H \"Authorization: Bearer $KEY\"" } else { "curl" };
        text.push_str("  ");
        text.push_str(&line.replacen("curl", key, 1));
        text.push('\n');
    }
    Ok(text)
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
