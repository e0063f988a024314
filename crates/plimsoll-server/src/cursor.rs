//! Cursors: a place in an order, signed, and bound to the resource, sort, filter and search it came
//! from.
//!
//! ```text
//!   base64url( version │ direction │ scope hash │ values          │ MAC )
//!                 1          1           8         tag + bytes each   16
//!
//!   scope hash   blake3(resource, order, canonical texts of filter and search, a query's values)
//!   MAC          blake3 keyed with the server's 32 bytes, over all before it
//!   values       see `values`
//! ```
//!
//! The plain form `base64url({"id":100})` is accepted where the order is the integer key alone
//! and nothing is filtered or searched for: it says no more than the address of a row does.
//!
//! Promises: a cursor that was changed, or that belongs to another resource, sort, filter, search,
//! server or somebody else, is refused; the MAC is compared in constant time; values fit the
//! order's columns.
//! Never: a secret inside, only what the row already showed.

mod values;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use plimsoll::expr::Expr;
use plimsoll::record::Value;
use plimsoll_store::{Order, Position, Resource, Search};

use crate::params::Selection;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

const VERSION: u8 = 1;
const SCOPE_BYTES: usize = 8;
const MAC_BYTES: usize = 16;
const HEAD_BYTES: usize = 2 + SCOPE_BYTES;
/// Longest cursor that is made or looked at; a sort value beyond it cannot be paged by.
const CURSOR_BYTES_MAX: usize = 4 << 10;

/// Which way a cursor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forwards,
    Backwards,
}

/// What a cursor is bound to, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope([u8; SCOPE_BYTES]);

/// A cursor that was found good.
#[derive(Debug, PartialEq)]
pub(crate) struct Opened {
    pub(crate) direction: Direction,
    pub(crate) position: Position,
}

/// Signs and checks.
#[derive(Clone)]
pub(crate) struct CursorKey([u8; 32]);

impl Scope {
    pub(crate) fn new(
        resource: &Resource,
        order: &Order,
        filter: Option<&Expr>,
        search: Option<&Search>,
    ) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(resource.name.as_bytes());
        for term in order.terms() {
            hasher.update(&[0, u8::from(term.descending)]);
            hasher.update(resource.schema.columns[term.column].name.as_bytes());
        }
        if let Some(filter) = filter {
            hasher.update(&[1]);
            hasher.update(filter.canonical(&resource.schema).to_string().as_bytes());
        }
        if let Some(search) = search {
            hasher.update(&[2]);
            hasher.update(search.canonical().as_bytes());
        }
        if let Some(query) = &resource.query {
            hasher.update(&[3]);
            for value in query.values() {
                hasher.update(format!("{value:?}\0").as_bytes());
            }
        }
        let mut scope = [0; SCOPE_BYTES];
        scope.copy_from_slice(&hasher.finalize().as_bytes()[..SCOPE_BYTES]);
        Self(scope)
    }
}

impl CursorKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key for somebody alone, by their mark: nobody else's cursor is good under it.
    pub(crate) fn bound_to(&self, mark: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&self.0, mark).as_bytes())
    }

    /// The cursor that goes on from `position`.
    ///
    /// # Errors
    /// When a sort value is too long to travel in a cursor.
    pub(crate) fn seal(
        &self,
        scope: Scope,
        direction: Direction,
        position: &Position,
    ) -> Result<String> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[VERSION, u8::from(direction == Direction::Backwards)]);
        bytes.extend_from_slice(&scope.0);
        for value in &position.0 {
            values::put(value, &mut bytes).ok_or_else(too_long)?;
        }
        if bytes.len() > CURSOR_BYTES_MAX / 4 * 3 - MAC_BYTES {
            return Err(too_long());
        }
        let mac = blake3::keyed_hash(&self.0, &bytes);
        bytes.extend_from_slice(&mac.as_bytes()[..MAC_BYTES]);
        Ok(BASE64.encode(bytes))
    }

    /// Reads a cursor of this selection.
    ///
    /// # Errors
    /// 400 `cursor-invalid`.
    pub(crate) fn open(
        &self,
        text: &str,
        selection: &Selection,
        served: &Served,
    ) -> Result<Opened> {
        let changed = || refuse("it was changed, or comes from another server");
        if text.len() > CURSOR_BYTES_MAX {
            return Err(changed());
        }
        let bytes = BASE64.decode(text.trim_end_matches('=')).map_err(|_| changed())?;
        if bytes.first() == Some(&b'{') {
            return plain(&bytes, selection, served).ok_or_else(|| {
                refuse("the plain form serves only the order of the key, without a filter")
            });
        }
        if bytes.len() < HEAD_BYTES + MAC_BYTES || bytes[0] != VERSION {
            return Err(changed());
        }
        let (signed, mac) = bytes.split_at(bytes.len() - MAC_BYTES);
        if !self.is_mac(signed, mac) {
            return Err(changed());
        }
        if signed[2..HEAD_BYTES] != selection.scope.0 {
            return Err(refuse("it belongs to another resource, sort, filter or search"));
        }
        let position = values::take_all(&signed[HEAD_BYTES..], &selection.order, served);
        Ok(Opened {
            direction: match signed[1] {
                0 => Direction::Forwards,
                _ => Direction::Backwards,
            },
            position: position.ok_or_else(changed)?,
        })
    }

    fn is_mac(&self, signed: &[u8], mac: &[u8]) -> bool {
        let ours = blake3::keyed_hash(&self.0, signed);
        // blake3::Hash compares in constant time; both sides are cut to the bytes that travel.
        let cut = |bytes: &[u8]| {
            let mut whole = [0; 32];
            whole[..MAC_BYTES].copy_from_slice(&bytes[..MAC_BYTES]);
            blake3::Hash::from_bytes(whole)
        };
        cut(ours.as_bytes()) == cut(mac)
    }
}

fn refuse(why: &str) -> Problem {
    Problem::new(
        Kind::CursorInvalid,
        format!(
            "the cursor cannot be used: {why}; begin again without a cursor, and follow the next \
             and prev of the answers with the same sort and filter"
        ),
    )
}

fn too_long() -> Problem {
    Problem::new(
        Kind::SortInvalid,
        "a row's sort values are too long for a cursor; sort by shorter columns",
    )
}

/// `{"id":100}`.
fn plain(bytes: &[u8], selection: &Selection, served: &Served) -> Option<Opened> {
    let key = served.integer_key.filter(|_| selection.plain)?;
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
    let number = members.get(served.column_name(key))?.as_i64()?;
    (members.len() == 1).then(|| Opened {
        direction: Direction::Forwards,
        position: Position(vec![Value::Int(number)]),
    })
}

#[cfg(test)]
mod tests;
