//! The iterators with options: each option has an effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use plimsoll::stream::{
    Cursor, ErrorHandling, Filter, FilteredIterator, LazyIterator, LazyOptions, OffsetPages, Page,
    PageSource, StreamingIterator, StreamingOptions,
};
use plimsoll::{Error, ErrorKind, Result};

use super::super::typed::{Bench, MIB};

fn options() -> StreamingOptions {
    StreamingOptions { chunk_size: 3, ..StreamingOptions::default() }
}

/// 0..10 with an error in place of the item at 4.
fn torn() -> impl Iterator<Item = Result<u64>> + Send {
    (0..10).map(|n| if n == 4 { Err(Error::invalid("torn")) } else { Ok(n) })
}

fn chunks(iterator: StreamingIterator<u64>) -> (Vec<Vec<u64>>, Option<String>) {
    let (mut chunks, mut error) = (Vec::new(), None);
    for chunk in iterator {
        assert!(error.is_none(), "nothing comes after an error");
        match chunk {
            Ok(chunk) => chunks.push(chunk.to_vec()),
            Err(torn) => error = Some(torn.to_string()),
        }
    }
    (chunks, error)
}

#[test]
fn a_chunk_ends_at_its_size_or_at_its_bytes() {
    let bench = Bench::new(MIB);
    let texts = || (0..10).map(|_| Ok("x".repeat(1_000)));
    let by_size = StreamingIterator::new(&bench.engine, texts(), options()).unwrap();
    assert_eq!(by_size.map(|chunk| chunk.unwrap().len()).collect::<Vec<_>>(), [3, 3, 3, 1]);
    let options = StreamingOptions { memory_bytes: 2_200, ..options() };
    let mut by_bytes = StreamingIterator::new(&bench.engine, texts(), options).unwrap();
    let chunk = by_bytes.next().unwrap().unwrap();
    assert_eq!(chunk.len(), 2);
    let held = bench.budget.reserved_bytes();
    assert!((2_000..=2_200).contains(&held), "{held}");
    drop(chunk);
    assert_eq!(bench.budget.reserved_bytes(), 0, "a chunk's bytes go with it");
    let options = StreamingOptions { memory_bytes: 1_000, ..options };
    let mut refused = StreamingIterator::new(&bench.engine, texts(), options).unwrap();
    assert_eq!(refused.next().unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(refused.next().is_none());
}

#[test]
fn an_error_stops_is_passed_over_or_is_tried_again_as_asked() {
    let bench = Bench::new(MIB);
    let with = |error_handling| StreamingOptions { error_handling, ..options() };
    let stop = StreamingIterator::new(&bench.engine, torn(), with(ErrorHandling::Stop)).unwrap();
    assert_eq!(chunks(stop), (vec![vec![0, 1, 2], vec![3]], Some("torn".to_owned())));
    let on = StreamingIterator::new(&bench.engine, torn(), with(ErrorHandling::Continue)).unwrap();
    let (all, error) = chunks(on);
    assert_eq!((all.concat(), error), (vec![0, 1, 2, 3, 5, 6, 7, 8, 9], None));
    let mut on =
        StreamingIterator::new(&bench.engine, torn(), with(ErrorHandling::Continue)).unwrap();
    on.by_ref().for_each(|chunk| assert!(chunk.is_ok()));
    assert_eq!(on.passed_over(), 1);
    // Fails twice, then gives its item.
    for (retries, recovers) in [(1, false), (2, true)] {
        let flaky = (0..4).map(|n| if n < 2 { Err(Error::invalid("busy")) } else { Ok(n) });
        let handling = with(ErrorHandling::Retry(retries));
        let (all, error) = chunks(StreamingIterator::new(&bench.engine, flaky, handling).unwrap());
        assert_eq!((all.concat().len() == 2, error.is_none()), (recovers, recovers));
    }
}

#[test]
fn prefetch_makes_the_next_chunk_while_one_is_used() {
    let bench = Bench::new(MIB);
    for prefetch in [false, true] {
        let (send, pulled) = sync_channel(100);
        let source = (0..9_u64).inspect(move |n| send.send(*n).unwrap()).map(Ok);
        let options = StreamingOptions { prefetch, ..options() };
        let mut iterator = StreamingIterator::new(&bench.engine, source, options).unwrap();
        assert_eq!(&**iterator.next().unwrap().as_ref().unwrap(), [0, 1, 2]);
        let first: Vec<u64> = (0..3).map(|_| pulled.recv().unwrap()).collect();
        assert_eq!(first, [0, 1, 2]);
        if prefetch {
            assert_eq!(pulled.recv_timeout(Duration::from_secs(20)).unwrap(), 3);
        } else {
            assert!(pulled.try_recv().is_err());
        }
        assert_eq!(iterator.map(|chunk| chunk.unwrap().len()).sum::<usize>(), 6);
    }
    assert_eq!(bench.budget.reserved_bytes(), 0);
}

#[test]
fn cached_chunks_are_given_again_without_the_source_while_they_are_within_their_bytes() {
    let bench = Bench::new(MIB);
    for (cache_bytes, kept) in [(0, false), (79, false), (200, true)] {
        let pulled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&pulled);
        let source = (0..10_u64).map(move |n| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(n)
        });
        let options = StreamingOptions { cache_bytes, ..options() };
        let mut iterator = StreamingIterator::new(&bench.engine, source, options).unwrap();
        assert!(iterator.rewind().is_err(), "not all were read");
        let read = |iterator: &mut StreamingIterator<u64>| {
            iterator.map(|chunk| chunk.unwrap().to_vec()).collect::<Vec<_>>().concat()
        };
        assert_eq!(read(&mut iterator), (0..10).collect::<Vec<_>>());
        assert_eq!(bench.budget.reserved_bytes() > 0, kept);
        for _ in 0..2 {
            assert_eq!(iterator.rewind().is_ok(), kept);
            assert_eq!(read(&mut iterator).len(), if kept { 10 } else { 0 });
        }
        assert_eq!(pulled.load(Ordering::SeqCst), 10);
        drop(iterator);
        bench.assert_clean();
    }
}

#[test]
fn several_workers_see_every_item_once_and_the_first_error_ends_them() {
    let bench = Bench::new(MIB);
    let sum = AtomicU64::new(0);
    let names = std::sync::Mutex::new(std::collections::HashSet::new());
    let both = std::sync::Barrier::new(2);
    let source = (0..6_u64).map(Ok);
    let chunks = StreamingIterator::new(&bench.engine, source, options()).unwrap();
    let added = chunks.for_each_parallel(2, |chunk| {
        // Two chunks, and each waits for the other: one worker alone would never end.
        both.wait();
        names.lock().unwrap().insert(std::thread::current().id());
        sum.fetch_add(chunk.iter().sum(), Ordering::SeqCst);
        Ok(())
    });
    assert!(added.is_ok());
    assert_eq!((sum.into_inner(), names.into_inner().unwrap().len()), (15, 2));
    let seen = AtomicUsize::new(0);
    let chunks = StreamingIterator::new(&bench.engine, (0..3_000).map(Ok), options()).unwrap();
    let refused = chunks.for_each_parallel(1, |_: plimsoll::stream::Chunk<u64>| {
        seen.fetch_add(1, Ordering::SeqCst);
        Err(Error::invalid("enough"))
    });
    assert_eq!(refused.unwrap_err().to_string(), "enough");
    assert_eq!(seen.into_inner(), 1);
    bench.assert_clean();
}

/// Numbers below `end` by key, and the limits it was asked with.
struct Keys {
    end: u64,
    asked: Arc<AtomicUsize>,
    most: Arc<AtomicU64>,
}

impl PageSource<u64> for Keys {
    fn page(&mut self, after: Option<&Cursor>, limit: usize) -> Result<Page<u64>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let from =
            after.map_or(0, |cursor| u64::from_be_bytes(cursor.as_bytes().try_into().unwrap()) + 1);
        let items: Vec<u64> = (from..self.end).take(limit).collect();
        let next = items.last().filter(|last| **last + 1 < self.end);
        let next = next.map(|last| Cursor::new(last.to_be_bytes()));
        self.most.fetch_add(items.len() as u64, Ordering::SeqCst);
        Ok(Page { items, next })
    }
}

#[test]
fn pages_are_fetched_when_needed_and_no_more_than_the_limit_asks_for() {
    let bench = Bench::new(MIB);
    let (asked, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let keys = || Keys { end: 1_000, asked: Arc::clone(&asked), most: Arc::clone(&most) };
    let options = LazyOptions { batch_size: 100, ..LazyOptions::default() };
    let mut items = LazyIterator::new(&bench.engine, keys(), options).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(items.by_ref().take(100).map(Result::unwrap).eq(0..100));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(bench.budget.reserved_bytes(), 800);
    assert!(items.map(Result::unwrap).eq(100..1_000));
    assert_eq!(asked.load(Ordering::SeqCst), 10);
    most.store(0, Ordering::SeqCst);
    let limited = LazyOptions { limit: Some(250), ..options };
    let items = LazyIterator::new(&bench.engine, keys(), limited).unwrap();
    assert!(items.map(Result::unwrap).eq(0..250));
    assert_eq!(most.load(Ordering::SeqCst), 250);
    bench.assert_clean();
}

#[test]
fn prefetch_fetches_the_next_page_while_one_is_used() {
    let bench = Bench::new(MIB);
    let (send, offsets) = sync_channel(100);
    let pages = OffsetPages(move |offset, limit| {
        send.send(offset).unwrap();
        Ok((offset..1_000).take(limit).collect::<Vec<u64>>())
    });
    let options = LazyOptions { batch_size: 100, prefetch: true, ..LazyOptions::default() };
    let mut items = LazyIterator::new(&bench.engine, pages, options).unwrap();
    assert_eq!(items.next().unwrap().unwrap(), 0);
    assert_eq!(offsets.recv().unwrap(), 0);
    assert_eq!(offsets.recv_timeout(Duration::from_secs(20)).unwrap(), 100);
    drop(items);
    bench.assert_clean();
}

#[test]
fn an_offset_passes_over_so_many_items_with_or_without_reading_them() {
    let bench = Bench::new(MIB);
    let (asked, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let keys = || Keys { end: 1_000, asked: Arc::clone(&asked), most: Arc::clone(&most) };
    let options = LazyOptions { batch_size: 100, ..LazyOptions::default() };
    for (offset, limit) in [(0, None), (1, None), (250, Some(120)), (999, None), (1_000, None)] {
        for prefetch in [false, true] {
            let options = LazyOptions { offset, limit, prefetch, ..options };
            let items = LazyIterator::new(&bench.engine, keys(), options).unwrap();
            let end = limit.map_or(1_000, |limit| offset + limit);
            assert!(items.map(Result::unwrap).eq(offset..end), "{offset} {limit:?}");
        }
    }
    asked.store(0, Ordering::SeqCst);
    let far = LazyOptions { offset: 5_000, ..options };
    assert_eq!(LazyIterator::new(&bench.engine, keys(), far).unwrap().count(), 0);
    assert_eq!(asked.load(Ordering::SeqCst), 10, "by keys, page by page, to the end once");
    let (send, offsets) = sync_channel(100);
    let pages = OffsetPages(move |offset, limit| {
        send.send(offset).unwrap();
        Ok((offset..10_000).take(limit).collect::<Vec<u64>>())
    });
    let options = LazyOptions { offset: 9_950, ..options };
    let items = LazyIterator::new(&bench.engine, pages, options).unwrap();
    assert!(items.map(Result::unwrap).eq(9_950..10_000));
    assert_eq!(offsets.iter().collect::<Vec<_>>(), [9_950], "nothing in front of it is read");
    bench.assert_clean();
}

#[test]
fn a_failing_page_or_a_source_that_gives_too_much_ends_the_items() {
    let bench = Bench::new(MIB);
    let failing =
        OffsetPages(
            |offset, limit| {
                if offset > 0 { Err(Error::invalid("gone")) } else { Ok(vec![0_u64; limit]) }
            },
        );
    let options = LazyOptions { batch_size: 10, ..LazyOptions::default() };
    let mut items = LazyIterator::new(&bench.engine, failing, options).unwrap();
    assert_eq!(items.by_ref().filter(Result::is_err).count(), 1);
    assert!(items.next().is_none());
    let generous = OffsetPages(|_, limit| Ok(vec![0_u64; limit + 1]));
    let mut items = LazyIterator::new(&bench.engine, generous, options).unwrap();
    assert_eq!(items.next().unwrap().unwrap_err().kind(), ErrorKind::Invalid);
    assert!(
        LazyIterator::new(
            &bench.engine,
            OffsetPages(|_, _| Ok(vec![0_u64])),
            LazyOptions { batch_size: 0, ..options }
        )
        .is_err()
    );
}

#[test]
fn early_exit_asks_no_filter_after_a_no_and_gives_the_same_items() {
    let run = |early_exit| {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let filters: Vec<Filter<u64>> = vec![
            Box::new(|n| Ok(n % 2 == 0)),
            Box::new(move |n| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(n % 3 == 0)
            }),
        ];
        let mut items = FilteredIterator::new((0..60).map(Ok), filters).with_early_exit(early_exit);
        let passed: Vec<u64> = items.by_ref().map(Result::unwrap).collect();
        (passed, items.stopped().to_vec(), asked.load(Ordering::SeqCst))
    };
    let sixes: Vec<u64> = (0..60).step_by(6).collect();
    assert_eq!(run(true), (sixes.clone(), vec![30, 20], 30));
    assert_eq!(run(false), (sixes, vec![30, 40], 60));
}

#[test]
fn an_error_of_the_source_or_of_a_filter_comes_in_its_items_place() {
    let filters: Vec<Filter<u64>> =
        vec![Box::new(|n| if *n == 7 { Err(Error::invalid("seven")) } else { Ok(*n > 1) })];
    let items: Vec<Result<u64>> = FilteredIterator::new(torn(), filters).collect();
    let shown: Vec<String> = items
        .into_iter()
        .map(|item| item.map_or_else(|error| error.to_string(), |n| n.to_string()))
        .collect();
    assert_eq!(shown, ["2", "3", "torn", "5", "6", "seven", "8", "9"]);
}
