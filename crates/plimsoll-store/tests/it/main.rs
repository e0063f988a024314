//! The store's promises, one module each.

mod aggregates;
mod bulk;
mod filters;
mod fixture;
mod foreign;
mod imports;
mod killed;
mod migrations;
mod pages;
mod pair;
mod recipe;
mod relations;
mod replicas;
mod resumed;
mod slices;
mod snapshots;
mod sorted;
mod steps;
mod stream;
mod tenants;
mod theirs;
mod untouched;
mod waiting;
mod writes;
