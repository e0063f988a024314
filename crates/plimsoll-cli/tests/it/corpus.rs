//! Files the tests import, and numbers they draw.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The header of a file of products.
pub(crate) const HEADER: &str = "sku,name,category,price,stock";

/// Numbers that look drawn and are the same for the same seed (Steele, Lea and Flood's SplitMix64).
pub(crate) struct Draw(u64);

impl Draw {
    /// Seeded by `TEST_SEED`, or by the clock; printed, so that a failure can be run again.
    pub(crate) fn printed() -> Self {
        let given = std::env::var("TEST_SEED").ok();
        let seed = given.and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::from(now.unwrap().subsec_nanos())
        });
        println!("TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A moment before `longest` is over.
pub(crate) fn moment(draw: &mut Draw, longest: Duration) -> Duration {
    let micros = u64::try_from(longest.as_micros()).unwrap();
    Duration::from_micros(draw.below(micros.max(1)))
}

/// A folder for one test, beside the build: the system's own may live in memory, where spilled
/// data is refused.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Writes `text` to a file in `folder` and gives its path back as text.
pub(crate) fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A file of so many products, each with its own code.
pub(crate) fn products(folder: &Path, count: u32) -> String {
    let path = folder.join("products.csv");
    let mut out = BufWriter::new(File::create(&path).unwrap());
    writeln!(out, "{HEADER}").unwrap();
    for n in 0..count {
        let (category, cents, stock) = (n % 12, n % 100, n % 77);
        writeln!(out, "K{n:06},Thing {n},cat {category},{}.{cents:02},{stock}", n % 1000).unwrap();
    }
    out.flush().unwrap();
    path.to_str().unwrap().to_owned()
}

/// The invoices of a real shop, or `None` and a word about it.
pub(crate) fn online_retail() -> Option<PathBuf> {
    // Asked at run time, so that a copied tree looks beside itself.
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let path = package.join("../../../shared/data/online-retail.csv.gz");
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not here", path.display());
    None
}
