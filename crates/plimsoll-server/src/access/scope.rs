//! What somebody may do: words, and the one decision over them.
//!
//! ```text
//!   read:NAME     lists, rows, include, aggregations        read:*     of everything
//!   export:NAME   /stream and /export: all rows at once     export:*
//!   write:NAME    POST, PATCH, DELETE; answers show the row write:*
//!   query:NAME    a named query, however it is asked        query:*
//!   job:KIND      enqueue, see and manage such jobs         job:*    and list queues, workers
//!   work:QUEUE    claim its jobs and report about them      work:*
//!   admin         /system/..                                metrics    /metrics
//! ```
//!
//! NAME is a table's own name, as in /api/v2/tables/NAME, never a short path.
//!
//! Promises: a pure function of the words and the need; no word implies another.
//! Never: a look at the catalogue: what is missing is refused as what is there.

use std::collections::BTreeSet;
use std::fmt;

use plimsoll_store::nearest;

/// What a verb with a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Export,
    Write,
    Query,
    Job,
    Work,
}

const VERBS: [(Verb, &str); 6] = [
    (Verb::Read, "read"),
    (Verb::Export, "export"),
    (Verb::Write, "write"),
    (Verb::Query, "query"),
    (Verb::Job, "job"),
    (Verb::Work, "work"),
];
const ADMIN: &str = "admin";
const METRICS: &str = "metrics";

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: anybody may.
    Open,
    /// To be known; the handler knows what else.
    Known,
    /// A verb's right to a name.
    Named(Verb, Box<str>),
    /// To read all that the pack's mapping names.
    Mapping,
    Admin,
    Metrics,
}

/// Prints the scope that is needed.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open | Self::Known | Self::Mapping => Ok(()),
            Self::Named(verb, name) => {
                let word = VERBS.iter().find(|(known, _)| known == verb).map_or("", |(_, w)| w);
                write!(f, "{word}:{}", plimsoll::error::excerpt(name))
            }
            Self::Admin => f.write_str(ADMIN),
            Self::Metrics => f.write_str(METRICS),
        }
    }
}

/// The names that one verb may be used on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    all: bool,
    some: BTreeSet<Box<str>>,
}

/// What somebody was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// By the verb's place in [`VERBS`].
    names: [Names; VERBS.len()],
    admin: bool,
    metrics: bool,
}

impl Grants {
    /// Adds a scope; false where the word is none.
    pub(crate) fn add(&mut self, scope: &str) -> bool {
        match scope {
            ADMIN => self.admin = true,
            METRICS => self.metrics = true,
            _ => {
                let Some((verb, name)) = scope.split_once(':') else { return false };
                let place = VERBS.iter().position(|(_, word)| *word == verb);
                let Some(place) = place.filter(|_| !name.is_empty()) else { return false };
                match name {
                    "*" => self.names[place].all = true,
                    _ => drop(self.names[place].some.insert(name.into())),
                }
            }
        }
        true
    }

    /// Whether the verb may be used on the name.
    pub(crate) fn has(&self, verb: Verb, name: &str) -> bool {
        let place = VERBS.iter().position(|(known, _)| *known == verb);
        place.is_some_and(|at| self.names[at].all || self.names[at].some.contains(name))
    }

    /// The one decision. What [`Need::Mapping`] names is asked for name by name.
    pub(crate) fn allow(&self, need: &Need) -> bool {
        match need {
            Need::Open | Need::Known => true,
            Need::Named(verb, name) => self.has(*verb, name),
            Need::Mapping => false,
            Need::Admin => self.admin,
            Need::Metrics => self.metrics,
        }
    }

    /// The names that are written out, for a look whether there are such.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        let of = |(place, (verb, _)): (usize, &(Verb, &str))| {
            let of_tables = matches!(verb, Verb::Read | Verb::Export | Verb::Write);
            of_tables.then_some(&self.names[place].some)
        };
        VERBS.iter().enumerate().filter_map(of).flatten().map(|name| &**name)
    }
}

/// Why a word is no scope.
pub(crate) fn unknown(scope: &str) -> String {
    let words = VERBS.iter().map(|(_, word)| *word);
    let all: Vec<String> = words.clone().map(|word| format!("{word}:NAME or {word}:*")).collect();
    let (verb, name) = scope.split_once(':').unwrap_or((scope, ""));
    let near = nearest(verb, words.chain([ADMIN, METRICS])).map(|near| match near {
        ADMIN | METRICS => near.to_owned(),
        _ => format!("{near}:{}", if name.is_empty() { "NAME" } else { name }),
    });
    let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
    format!(
        "'{}' is no scope{near}; there are: {}, {ADMIN}, {METRICS}",
        plimsoll::error::excerpt(scope),
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(scopes: &[&str]) -> Grants {
        let mut grants = Grants::default();
        for scope in scopes {
            assert!(grants.add(scope), "{scope}");
        }
        grants
    }

    fn named(verb: Verb, name: &str) -> Need {
        Need::Named(verb, name.into())
    }

    #[test]
    fn a_scope_allows_what_it_says_and_nothing_else() {
        let some = grants(&["read:a", "export:*", "query:q", "metrics"]);
        let needs = [
            (named(Verb::Read, "a"), true),
            (named(Verb::Read, "b"), false),
            (named(Verb::Read, "*"), false),
            (named(Verb::Export, "anything"), true),
            (named(Verb::Write, "a"), false),
            (named(Verb::Query, "q"), true),
            (named(Verb::Query, "a"), false),
            (Need::Open, true),
            (Need::Known, true),
            (Need::Metrics, true),
            (Need::Admin, false),
        ];
        for (need, allowed) in needs {
            assert_eq!(some.allow(&need), allowed, "{need:?}");
            assert_eq!(Grants::default().allow(&need), matches!(need, Need::Open | Need::Known));
        }
        assert!(!grants(&["admin"]).allow(&named(Verb::Read, "a")), "admin is no reader");
        assert_eq!(grants(&["read:a", "read:a", "query:q"]).tables().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_word_that_is_no_scope_is_refused_with_the_nearest() {
        for word in ["", "read", "read:", "reed:a", "READ:a", "admin:x", "a:b:c"] {
            assert!(!Grants::default().add(word), "{word}");
        }
        assert!(Grants::default().add("read:a:b"), "a name may hold a colon");
        assert!(unknown("reed:a").contains("did you mean 'read:a'?"), "{}", unknown("reed:a"));
        assert!(unknown("admn").contains("did you mean 'admin'?"));
        assert!(unknown("zzz").contains("write:NAME or write:*"));
    }
}
