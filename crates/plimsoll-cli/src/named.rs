//! A resource by the name somebody typed.
//!
//! Promises: a wrong name is a wrong call (exit status 2) that lists what there is, and says which
//! was probably meant.
//! Never: a guess acted on.

use std::sync::Arc;

use plimsoll_store::catalogue::Pack;
use plimsoll_store::{Resource, Store};

use crate::config::closest;
use crate::exit::Usage;

/// Names listed in a message; a foreign database may have thousands of tables.
const NAMES_MAX: usize = 50;

/// The resource called `name`.
pub(crate) fn resource(store: &Store, name: &str) -> Result<Arc<Resource>, Usage> {
    resource_or_recipe(store, name, &[])
}

/// The resource called `name`, where a recipe of `packs` could have been named as well.
pub(crate) fn resource_or_recipe(
    store: &Store,
    name: &str,
    packs: &[Pack],
) -> Result<Arc<Resource>, Usage> {
    if let Ok(resource) = store.catalogue().table(name) {
        return Ok(resource.clone());
    }
    let resources = store.catalogue().resources().map(|r| &*r.name);
    let recipes = packs.iter().flat_map(|p| &p.recipes).map(|r| &*r.name);
    let names: Vec<&str> = resources.chain(recipes).collect();
    let meant = match closest(name, names.iter().copied()) {
        Some(close) => format!("; did you mean {close}?"),
        None => ".".to_owned(),
    };
    let what = if packs.is_empty() { "resource" } else { "resource or recipe" };
    let listed = &names[..names.len().min(NAMES_MAX)];
    let name = plimsoll::error::excerpt(name);
    Err(Usage(format!("there is no {what} '{name}'{meant} There are: {}", listed.join(", "))))
}
