//! The server's promises, each in a module of its own, over a real SQLite file, or once more a
//! real PostgreSQL database, and real sockets.

mod access;
mod admission;
mod aggregate;
mod aggregate_model;
mod aggregate_refused;
mod analytics;
mod audit;
mod batches;
mod bulk;
mod client;
mod exports;
mod exports_under_way;
mod imports;
mod include;
mod jobs;
mod lists;
mod operations;
mod push;
mod refused_input;
mod reports;
mod search;
mod served;
mod sessions;
mod shutdown;
mod slow_clients;
mod snapshots;
mod streams;
mod support;
mod synced;
mod tenants;
mod told;
mod unindexed;
mod warm;
mod writes;
