//! Every bound of the product, in one file, with its reason.
//!
//! Promises: relations between bounds hold at compile time.
//! Never: a number that grows with the input.

/// Smallest limit the server starts under.
pub const SERVER_LIMIT_BYTES_MIN: u64 = 32 << 20;
/// Smallest limit a file tool starts under.
pub const TOOL_LIMIT_BYTES_MIN: u64 = 16 << 20;
/// The default limit never exceeds this, however large the machine.
pub const DEFAULT_LIMIT_BYTES_MAX: u64 = 512 << 20;

/// Nodes of a budget's tree: a handful of parts of the server with a few children each.
pub const BUDGET_NODES_MAX: usize = 128;
/// Depth of a budget's tree, root included; every reservation walks it.
pub const BUDGET_DEPTH_MAX: usize = 8;
/// Named consumers at one time, one per request, job or buffer owner.
pub const BUDGET_CONSUMERS_MAX: usize = 4096;
/// Length of a node's or consumer's name; refusals and ledgers repeat it.
pub const BUDGET_NAME_BYTES_MAX: usize = 64;
/// Asks that stand in line for bytes; more would wait longer than any client does.
pub const BUDGET_WAITERS_MAX: usize = 512;
/// Reclaimers that may be asked before a refusal.
pub const BUDGET_RECLAIMERS_MAX: usize = 32;
/// Holders a refusal names.
pub const BUDGET_HOLDERS_MAX: usize = 5;
/// Least room between what may be reserved and a limit of eight times as much or more.
pub const HEADROOM_BYTES_MIN: u64 = 4 << 20;
/// Room between what may be reserved and the limit, in hundredths of the limit.
pub const HEADROOM_PERCENT: u64 = 8;
/// Share of the machine's memory a process without any other limit takes, in hundredths.
pub const DEFAULT_LIMIT_RAM_PERCENT: u64 = 70;
/// Largest system file read when looking for the limit; mount tables of container hosts are long.
pub const SYSTEM_FILE_BYTES_MAX: u64 = 4 << 20;

/// One frame of a stream: what a reader thread encodes before it hands over.
pub const FRAME_BYTES: usize = 64 << 10;
/// Slack above [`FRAME_BYTES`] so that a usual row never makes a frame reallocate.
pub const FRAME_SLACK_BYTES: usize = 16 << 10;
/// Largest single row, encoded.
pub const ROW_BYTES_MAX: usize = 4 << 20;
/// What a file reader asks its source for at a time: large enough that a system call costs
/// nothing beside parsing it, small enough to stay in a core's own cache.
pub const READ_BYTES: usize = 64 << 10;
/// Bytes of a column's name in a file: names are held for as long as the file is read.
pub const NAME_BYTES_MAX: usize = 256;
/// Nesting of one field's JSON.
pub const JSON_DEPTH_MAX: usize = 64;
/// Window of a zstd frame: 2^23 is 8 MiB, what `zstd -19` writes; `--ultra` and `--long` ask more.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Longest line of an imported file.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// What is read of an input before its first record is given out: the types are found in it.
pub const SNIFF_BYTES: usize = 1 << 20;
/// Columns of a resource or file.
pub const COLUMNS_MAX: usize = 512;
/// Terms of a sort.
pub const SORT_TERMS_MAX: usize = 8;
/// Characters of a filter.
pub const FILTER_BYTES_MAX: usize = 4 << 10;
/// Nesting of a filter.
pub const FILTER_DEPTH_MAX: usize = 32;
/// Nodes of a filter's tree.
pub const FILTER_NODES_MAX: usize = 256;
/// Literals of one `in (..)` list: beyond it the rows belong into a table to join with.
pub const FILTER_LIST_ITEMS_MAX: usize = 256;
/// Rows of a list page.
pub const PAGE_ROWS_MAX: u64 = 500;
/// Rows of a list page where the request names none.
pub const PAGE_ROWS_DEFAULT: u64 = 50;
/// Bytes of what is searched for: a long title.
pub const SEARCH_BYTES_MAX: usize = 256;
/// Words of a search, those of its phrases too. For each an index holds some 64 KiB while it reads.
pub const SEARCH_WORDS_MAX: usize = 16;
/// Characters of a search in an index of parts, where each is a word of its own.
pub const SEARCH_PART_CHARACTERS_MAX: usize = 32;
/// Letters and digits in front of the `*` of a search: fewer begin too many words.
pub const SEARCH_BEGINNING_CHARACTERS_MIN: usize = 3;
/// Columns that are searched together.
pub const SEARCH_COLUMNS_MAX: usize = 8;
/// Body of a single-row write.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// A list on an unindexed sort is served up to this many rows.
pub const UNINDEXED_SORT_ROWS_MAX: u64 = 10_000;
/// A reader holds one database snapshot at most this long per slice.
pub const SLICE_MS_MAX: u64 = 50;
/// A writer holds the database at most this long per slice.
pub const WRITE_SLICE_MS_MAX: u64 = 20;

/// How long a connection waits for another process's lock.
pub const DATABASE_BUSY_MS_MAX: u64 = 5_000;
/// Prepared statements a connection keeps.
pub const STATEMENTS_CACHED_MAX: usize = 64;
/// Pages in the write-ahead log before a checkpoint is tried.
pub const WAL_PAGES_CHECKPOINT: u32 = 4_000;
/// The write-ahead log is cut back to this after a checkpoint.
pub const WAL_BYTES_KEPT_MAX: u32 = 64 << 20;
/// Requests that may wait for a reader.
pub const READS_WAITING_MAX: usize = 1_024;
/// Snapshots that may wait for their turn; each is a client that waits, too.
pub const SNAPSHOTS_WAITING_MAX: usize = 64;
/// Units that may wait for the writer.
pub const WRITES_WAITING_MAX: usize = 1_024;
/// Units in one commit.
pub const GROUP_UNITS_MAX: usize = 256;
/// Bytes of texts behind which no further unit goes in the same round trip to PostgreSQL.
pub const GROUP_BYTES_MAX: usize = 1 << 20;
/// Stack of every thread the product starts. SQLite's deepest recursion stays well below.
pub const THREAD_STACK_BYTES: usize = 512 << 10;
/// Rows of an import in one transaction.
pub const IMPORT_BATCH_ROWS: usize = 4_000;
/// Bytes of rows of an import in one transaction.
pub const IMPORT_BATCH_BYTES: usize = 1 << 20;
/// Rows of a recipe's figure that are shown.
pub const FIGURE_ROWS_MAX: usize = 100;

/// Lowest precision of a HyperLogLog: 16 registers, an error of 26 %. With fewer it means nothing.
pub const HLL_PRECISION_MIN: u8 = 4;
/// Highest precision of a HyperLogLog: 256 KiB for an error of 0.2 %.
pub const HLL_PRECISION_MAX: u8 = 18;
/// Smallest k of a KLL sketch: its smallest level.
pub const KLL_K_MIN: u16 = 8;
/// Largest k of a KLL sketch: 1.5 MiB for a rank error of 0.005 %.
pub const KLL_K_MAX: u16 = u16::MAX;
/// Values one KLL sketch stands for: the weights of its levels stay within 64 bits.
pub const KLL_VALUES_MAX: u64 = 1 << 62;
/// Quantiles that are asked for in one run: all percentiles, and some between.
pub const QUANTILES_MAX: usize = 256;
/// Digits before, and digits behind the point of a number that exact quantiles may come out as:
/// those of a float in 17 digits are within 341.
pub const QUANTILE_DIGITS_MAX: usize = 400;
/// Least workspace of exact quantiles: two tables of 2^16 counts.
pub const QUANTILE_WORKSPACE_BYTES_MIN: usize = 1 << 20;

/// Measures of one grouping; every group keeps a state of each.
pub const MEASURES_MAX: usize = 64;
/// Memory of one table of groups: what 32 bits count in words of four bytes.
pub const GROUP_TABLE_BYTES_MAX: usize = 16 << 30;
/// A chunk of a table of groups: large enough that its unused end is nothing, small enough that a
/// table takes its memory as it fills.
pub const GROUP_CHUNK_BYTES: usize = 1 << 20;

/// Block of a spilled collection: what a look at one element reads.
pub const COLLECTION_BLOCK_BYTES: usize = 64 << 10;
/// What a collection asks of the disk at a time when it goes through its elements: beyond it a
/// disk does not get faster. A collection with little memory takes down to one block.
pub const COLLECTION_CHUNK_BYTES_MAX: usize = 1 << 20;

/// Least memory of a cache: what its tables and one chunk of entries cost is little of it.
pub const CACHE_MEMORY_BYTES_MIN: u64 = 1 << 20;
/// Longest key of a cache: a path with its query. What is longer has a digest.
pub const CACHE_KEY_BYTES_MAX: usize = 4 << 10;
/// Largest value of a cache: what is larger is a file.
pub const CACHE_VALUE_BYTES_MAX: usize = 4 << 20;
/// Tags of a cached value: tables it was read from, a tenant, a few of the application's.
pub const CACHE_TAGS_MAX: usize = 16;
/// Longest tag of a cached value.
pub const CACHE_TAG_BYTES_MAX: usize = 256;
/// Values in the making at one time; beyond it each caller makes for itself.
pub const CACHE_FLIGHTS_MAX: usize = 1024;
/// Callers that wait for one value in the making.
pub const CACHE_WAITERS_MAX: usize = 1024;
/// Invalidations remembered for values in the making: at a hundred a second those of ten seconds.
pub const CACHE_REVOCATIONS_MAX: usize = 1024;
/// Least segment of a cache on disk: one request, large enough that a disk is at its speed.
pub const CACHE_SEGMENT_BYTES: usize = 256 << 10;
/// Segments of a cache on disk: 256 GiB of the least ones.
pub const CACHE_SEGMENTS_MAX: usize = 1 << 20;

/// Least memory of a typed operator: blocks of 4 KiB for two runs to read and one to write, the
/// heads of a merge, and as much again for rows.
pub const TYPED_MEMORY_BYTES_MIN: u64 = 128 << 10;
/// Runs a typed merge reads at a time; beyond it comparing costs more than another pass.
pub const TYPED_FAN_IN_MAX: usize = 128;
/// Partitions a typed operator writes at a time.
pub const TYPED_PARTITIONS_MAX: usize = 32;
/// How often a partition is split again: with at least four parts each, 4^16 of them are beyond
/// any input, and what still does not fit is one key.
pub const TYPED_SPLITS_MAX: u32 = 16;
/// Threads that work on the chunks of one stream: each holds a chunk.
pub const STREAM_WORKERS_MAX: usize = 64;

const _: () = assert!(HEADROOM_BYTES_MIN < TOOL_LIMIT_BYTES_MIN);
const _: () = assert!(TOOL_LIMIT_BYTES_MIN <= SERVER_LIMIT_BYTES_MIN);
const _: () = assert!(SERVER_LIMIT_BYTES_MIN <= DEFAULT_LIMIT_BYTES_MAX);
const _: () = assert!(FRAME_SLACK_BYTES < FRAME_BYTES);
const _: () = assert!(LINE_BYTES_MAX <= ROW_BYTES_MAX);
const _: () = assert!(CACHE_VALUE_BYTES_MAX <= ROW_BYTES_MAX);
const _: () = assert!(HLL_PRECISION_MIN < HLL_PRECISION_MAX && HLL_PRECISION_MAX < 32);
const _: () = assert!(COLLECTION_CHUNK_BYTES_MAX.is_multiple_of(COLLECTION_BLOCK_BYTES));
