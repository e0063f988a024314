//! What the binary promises to the person who runs it, one module each, seen from outside.
//!
//! ```text
//!   Tool::new(&folder, ..) ─ run ─> Ended { code, out, err }      folder: a temporary directory,
//!                      └─ start ─> Running ─ kill, terminate        working directory and --data
//!   Server::start(..) ─> address ─> http::Client
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests")]

mod access;
mod beside;
mod bounded;
mod cached;
mod child_jobs;
mod codecs;
mod configured;
mod corpus;
mod crowded;
mod examples;
mod exported;
mod foreign;
mod http;
mod imported;
mod init;
mod links;
mod logged;
mod loss;
mod own_postgres;
mod postgres;
mod pulled;
mod queries;
mod refused;
mod reloaded;
mod replicas;
mod reported;
mod reports;
mod run;
mod scheduled;
mod schemas;
mod sent;
mod served;
mod server;
mod shared_root;
mod sorted;
mod tool;
mod tools_every;
mod tools_group;
mod tools_join;
mod tools_long_row;
mod tools_pipes;
mod usage;
mod webhooks;
mod working;
