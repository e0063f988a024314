//! Of all who ask for a missing value one makes it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use plimsoll::cache::{Made, NotMade, Source, Terms, Turn, Waited};
use plimsoll::limits::{CACHE_FLIGHTS_MAX, CACHE_WAITERS_MAX};
use plimsoll::{Error, ErrorKind};

use super::{DEADLINE, MIB, Place, SECOND, an_hour};

fn made(value: &[u8]) -> Made {
    Made { value: value.into(), terms: an_hour() }
}

#[test]
fn of_many_threads_one_makes_the_value_and_all_have_it() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let (makings, start) = (AtomicU64::new(0), Barrier::new(8));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for n in 0..200_u64 {
                    let look = cache.get_or_make(&n.to_be_bytes(), 0, DEADLINE, || {
                        makings.fetch_add(1, Ordering::Relaxed);
                        Ok(made(&n.to_le_bytes()))
                    });
                    assert_eq!(*look.unwrap().value, n.to_le_bytes());
                }
            });
        }
    });
    assert_eq!(makings.into_inner(), 200);
    assert_eq!(cache.stats().made, 200);
}

#[test]
fn those_who_wait_have_the_value_of_the_one_who_makes_it() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    let Turn::Wait(waiting) = cache.turn(b"k", 0).unwrap() else { panic!("it is being made") };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.wait(DEADLINE));
        assert_eq!(maker.key(), b"k");
        let look = maker.finish(*b"v", &an_hour());
        assert_eq!((&*look.value, look.source), (&b"v"[..], Source::Made));
        let Waited::Found(look) = waiter.join().unwrap() else { panic!("it was made") };
        assert_eq!((&*look.value, look.source.name(), look.age_us), (&b"v"[..], "made", 0));
    });
    assert!(matches!(cache.turn(b"k", 0).unwrap(), Turn::Found(_)));
    assert_eq!(cache.stats().waited, 1);
}

#[test]
fn a_making_that_fails_tells_all_who_wait_and_nothing_is_kept() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    let waiting = (0..3).map(|_| match cache.turn(b"k", 0).unwrap() {
        Turn::Wait(waiting) => waiting,
        other => panic!("{other:?}"),
    });
    let waiting: Vec<_> = waiting.collect();
    maker.fail(&Error::invalid("the table is gone"));
    for waiting in waiting {
        let Waited::Failed(error) = waiting.wait(DEADLINE) else { panic!("it failed") };
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("the table is gone"), "{error}");
    }
    let failed = cache.get_or_make(b"k", 0, DEADLINE, || Err(Error::invalid("gone still")));
    assert!(matches!(failed, Err(NotMade::Failed(_))));
    assert!(cache.get_or_make(b"k", 0, DEADLINE, || Ok(made(b"v"))).is_ok());
    assert_eq!(cache.stats().failed, 2);
}

#[test]
fn a_maker_that_panics_hands_over_to_one_who_waits() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let begun = Barrier::new(2);
    std::thread::scope(|scope| {
        let doomed = scope.spawn(|| {
            cache.get_or_make(b"k", 0, DEADLINE, || -> plimsoll::Result<Made> {
                begun.wait();
                // Until both others wait.
                while cache.stats().waited < 2 {
                    std::thread::yield_now();
                }
                panic!("a maker's own fault, of this test");
            })
        });
        begun.wait();
        let others = [(); 2]
            .map(|()| scope.spawn(|| cache.get_or_make(b"k", 0, DEADLINE, || Ok(made(b"v")))));
        assert!(doomed.join().is_err());
        for other in others {
            assert_eq!(&*other.join().unwrap().unwrap().value, b"v");
        }
    });
    assert_eq!((cache.stats().failed, cache.stats().made), (1, 1));
}

#[test]
fn waiting_ends_at_the_deadline() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    let soon = Duration::from_millis(20);
    let late = cache.get_or_make(b"k", 0, soon, || panic!("somebody else makes it"));
    let Err(late @ NotMade::Late(_)) = late else { panic!("{late:?}") };
    assert!(late.to_string().contains("not made within 20ms"), "{late}");
    // The maker is not disturbed by it.
    maker.finish(*b"v", &an_hour());
    assert!(cache.get(b"k", 0).is_some());
}

#[test]
fn a_stale_value_is_served_while_one_makes_it_anew() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let terms = Terms::fresh_for(Duration::from_secs(1)).stale_for(Duration::from_secs(9));
    cache.put(b"k", b"old", &terms, 0).unwrap();
    let now = 2 * SECOND;
    let Turn::Stale(look, maker) = cache.turn(b"k", now).unwrap() else { panic!("it is stale") };
    assert!(look.stale && &*look.value == b"old");
    let Turn::Found(other) = cache.turn(b"k", now).unwrap() else { panic!("served at once") };
    assert!(other.stale && &*other.value == b"old");
    maker.finish(*b"new", &terms);
    let Turn::Found(look) = cache.turn(b"k", now).unwrap() else { panic!("it is fresh") };
    assert_eq!((&*look.value, look.stale, look.age_us), (&b"new"[..], false, 0));

    // Where it cannot be made anew, the stale one serves on.
    let now = 4 * SECOND;
    let stale = cache.get_or_make(b"k", now, DEADLINE, || Err(Error::invalid("gone"))).unwrap();
    assert!(stale.stale && &*stale.value == b"new");
}

#[test]
fn a_value_revoked_while_it_is_made_is_not_put_in_and_those_who_wait_make_it_anew() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let terms = an_hour().tag("table");
    let revocations: [&dyn Fn(); 3] = [
        &|| assert_eq!(cache.invalidate_tag("table"), 0),
        &|| assert!(!cache.remove(b"k")),
        &|| assert_eq!(cache.clear(), 0),
    ];
    for revoke in revocations {
        let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
        revoke();
        let Turn::Wait(waiting) = cache.turn(b"k", 0).unwrap() else { panic!("being made") };
        let look = maker.finish(*b"old", &terms);
        assert_eq!(&*look.value, b"old", "who asked before has what was made");
        assert!(cache.get(b"k", 0).is_none());
        let Waited::Lead(maker) = waiting.wait(DEADLINE) else { panic!("it is made anew") };
        maker.finish(*b"new", &terms);
        assert_eq!(&*cache.get(b"k", 0).unwrap().value, b"new");
        assert!(cache.remove(b"k"));
    }
    assert_eq!(cache.stats().revoked, 3);
    // Of other keys and tags it does not matter.
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    cache.invalidate_tag("another table");
    maker.finish(*b"v", &terms);
    assert!(cache.get(b"k", 0).is_some());
}

#[test]
fn warming_makes_a_fresh_value_anew_once_at_a_time() {
    let place = Place::new();
    let cache = place.hot(MIB);
    cache.put(b"k", b"cold", &an_hour(), 0).unwrap();
    let maker = cache.refresh(b"k", SECOND).unwrap().expect("nobody makes it");
    assert!(cache.refresh(b"k", SECOND).unwrap().is_none());
    assert_eq!(&*cache.get(b"k", SECOND).unwrap().value, b"cold");
    maker.finish(*b"warm", &an_hour());
    let look = cache.get(b"k", 2 * SECOND).unwrap();
    assert_eq!((&*look.value, look.age_us), (&b"warm"[..], SECOND));
}

#[test]
fn makings_and_those_who_wait_for_one_are_bounded() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let lead = |n: u64| match cache.turn(&n.to_be_bytes(), 0).unwrap() {
        Turn::Lead(maker) => maker,
        other => panic!("{n}: {other:?}"),
    };
    let makers: Vec<_> = (0..CACHE_FLIGHTS_MAX as u64).map(lead).collect();
    // Beyond the bound each makes for itself, and the value is kept all the same.
    let (alone, too) = (lead(5_000), lead(5_000));
    alone.finish(*b"v", &an_hour());
    assert!(cache.get(&5_000_u64.to_be_bytes(), 0).is_some());
    drop(too);
    let waiting: Vec<_> =
        (0..CACHE_WAITERS_MAX).map(|_| cache.turn(&0_u64.to_be_bytes(), 0).unwrap()).collect();
    let error = cache.turn(&0_u64.to_be_bytes(), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    drop(waiting);
    assert!(matches!(cache.turn(&0_u64.to_be_bytes(), 0).unwrap(), Turn::Wait(_)));
    drop(makers);
    drop(lead(5_001));
    drop(cache);
    assert!(place.node.held_bytes() == 0, "makings give their bytes back");
}

#[derive(Default)]
struct Counted(AtomicU64);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_future_waits_is_woken_takes_over_and_may_be_dropped() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let wait = || match cache.turn(b"k", 0).unwrap() {
        Turn::Wait(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    let woken = Arc::new(Counted::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let (mut first, mut second) = (pin!(wait()), Box::pin(wait()));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(second);
    drop(maker);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the one who still waits");
    let Poll::Ready(Waited::Lead(maker)) = first.as_mut().poll(&mut context) else {
        panic!("the maker is gone");
    };
    maker.finish(*b"v", &an_hour());
    assert!(cache.get(b"k", 0).is_some());
    cache.clear();
    // All who waited are gone before the maker: the next one begins anew.
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    drop(wait());
    drop(maker);
    assert!(matches!(cache.turn(b"k", 0).unwrap(), Turn::Lead(_)));
    drop(cache);
}

#[test]
fn a_value_the_cache_cannot_keep_is_given_to_all_who_asked() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let Turn::Lead(maker) = cache.turn(b"k", 0).unwrap() else { panic!("nobody makes it") };
    let Turn::Wait(waiting) = cache.turn(b"k", 0).unwrap() else { panic!("being made") };
    let look = maker.finish(vec![7; 100_000], &an_hour());
    assert_eq!(look.value.len(), 100_000);
    let Waited::Found(look) = waiting.wait(DEADLINE) else { panic!("it was made") };
    assert_eq!(look.value.len(), 100_000);
    assert!(cache.get(b"k", 0).is_none());
}
