//! A disk that fails on command, for tests of this and other crates.
//!
//! ```text
//!   code under test ──> Faulty ── counts the call, looks at its rules ──┬──> the real storage
//!                                                                       ├──> an error instead
//!                                                                       ├──> other bytes
//!                                                                       └──> a hook, then on
//! ```
//!
//! Promises: deterministic: a rule fires at its Nth matching call and never again; without a rule
//! a call is the inner storage's.
//! Never: an error made up for a call that no rule names.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{AlignedBytes, Storage, StorageFile};

/// The system's number of "no space left on device", for [`Fault::Errno`].
pub const ENOSPC: i32 = rustix::io::Errno::NOSPC.raw_os_error();
/// The system's number of "input/output error", for [`Fault::Errno`].
pub const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

/// A method of [`Storage`] or [`StorageFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Storage::create`].
    Create,
    /// [`Storage::open`].
    Open,
    /// [`Storage::create_directory`].
    CreateDirectory,
    /// [`Storage::rename`].
    Rename,
    /// [`Storage::remove_file`].
    RemoveFile,
    /// [`Storage::remove_directory`].
    RemoveDirectory,
    /// [`Storage::sync_directory`].
    SyncDirectory,
    /// [`Storage::list`].
    List,
    /// [`Storage::free_bytes`].
    FreeBytes,
    /// [`Storage::lives_in_memory`].
    LivesInMemory,
    /// [`StorageFile::write_at`].
    Write,
    /// [`StorageFile::read_at`].
    Read,
    /// [`StorageFile::allocate`].
    Allocate,
    /// [`StorageFile::free`].
    Free,
    /// [`StorageFile::len`].
    Len,
    /// [`StorageFile::set_len`].
    SetLen,
    /// [`StorageFile::sync`].
    Sync,
    /// [`StorageFile::try_lock`].
    TryLock,
    /// [`StorageFile::is_at`].
    IsAt,
}

/// Kinds of calls.
const CALLS: usize = Call::IsAt as usize + 1;

/// What happens at the call a rule names.
#[derive(Clone)]
pub enum Fault {
    /// The call is not made; it fails with the system's error of this number.
    Errno(i32),
    /// The call is not made; it fails with an error of this kind.
    Kind(io::ErrorKind),
    /// A write goes to disk with this bit of it turned; bits are counted from the first byte, and
    /// beyond the last from the first again. Other calls go on as they are.
    Flip(usize),
    /// A write goes to disk with zeros for its second half. Other calls go on as they are.
    Tear,
    /// This is called, then the call goes on as it is.
    Hook(Arc<dyn Fn() + Send + Sync>),
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Errno(number) => write!(f, "Errno({number})"),
            Self::Kind(kind) => write!(f, "Kind({kind:?})"),
            Self::Flip(bit) => write!(f, "Flip({bit})"),
            Self::Tear => f.write_str("Tear"),
            Self::Hook(_) => f.write_str("Hook"),
        }
    }
}

#[derive(Debug)]
struct Rule {
    call: Option<Call>,
    /// Matching calls until it fires, that one included.
    left: u64,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<Rule>,
    calls: [u64; CALLS],
    fired: Vec<Call>,
    read_bytes_max: Option<usize>,
}

/// A storage that does as `inner` does but for the faults it was told. Clones are the same one.
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
/// use plimsoll::storage::testing::{Call, ENOSPC, Fault, Faulty};
/// use plimsoll::storage::{Disk, Storage as _};
/// let root = tempfile::tempdir()?;
/// let disk = Faulty::new(Arc::new(Disk));
/// disk.at(Some(Call::Write), 2, Fault::Errno(ENOSPC));
/// let file = disk.create(&root.path().join("file"))?;
/// file.write_at(b"tea", 0)?;
/// let full = file.write_at(b"cup", 3).unwrap_err();
/// assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
/// assert_eq!(file.len()?, 3);
/// assert_eq!(disk.calls(Some(Call::Write)), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Faulty {
    inner: Arc<dyn Storage>,
    script: Arc<Mutex<Script>>,
}

impl Faulty {
    /// Without a fault so far.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner, script: Arc::default() }
    }

    /// At the `nth` of the calls of this kind that follow, from 1 and of any kind for `None`,
    /// `fault` happens.
    pub fn at(&self, call: Option<Call>, nth: u64, fault: Fault) {
        assert!(nth > 0, "calls are counted from 1");
        lock(&self.script).rules.push(Rule { call, left: nth, fault });
    }

    /// Every read gives at most so many bytes, and one at least, from now on, although
    /// [`StorageFile::read_at`] promises more.
    pub fn shorten_reads(&self, bytes_max: usize) {
        lock(&self.script).read_bytes_max = Some(bytes_max.max(1));
    }

    /// Calls of this kind so far, or of any kind.
    #[must_use]
    pub fn calls(&self, call: Option<Call>) -> u64 {
        let script = lock(&self.script);
        call.map_or_else(|| script.calls.iter().sum(), |call| script.calls[call as usize])
    }

    /// The calls at which a fault happened, in their order.
    #[must_use]
    pub fn fired(&self) -> Vec<Call> {
        lock(&self.script).fired.clone()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a call; an error or the change to its bytes, where a rule says so.
fn meet(script: &Mutex<Script>, call: Call) -> io::Result<Option<Fault>> {
    let mut held = lock(script);
    held.calls[call as usize] += 1;
    let mut met = None;
    held.rules.retain_mut(|rule| {
        if rule.call.is_none_or(|named| named == call) {
            rule.left -= 1;
            if rule.left == 0 {
                met = Some(rule.fault.clone());
            }
        }
        rule.left > 0
    });
    if met.is_some() {
        held.fired.push(call);
    }
    drop(held);
    match met {
        Some(Fault::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
        Some(Fault::Kind(kind)) => Err(kind.into()),
        Some(Fault::Hook(hook)) => {
            hook();
            Ok(None)
        }
        change => Ok(change),
    }
}

impl Storage for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        meet(&self.script, Call::Create)?;
        let inner = self.inner.create(path)?;
        Ok(Arc::new(FaultyFile { inner, script: Arc::clone(&self.script) }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        meet(&self.script, Call::Open)?;
        let inner = self.inner.open(path)?;
        Ok(Arc::new(FaultyFile { inner, script: Arc::clone(&self.script) }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        meet(&self.script, Call::CreateDirectory)?;
        self.inner.create_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        meet(&self.script, Call::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        meet(&self.script, Call::RemoveFile)?;
        self.inner.remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        meet(&self.script, Call::RemoveDirectory)?;
        self.inner.remove_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        meet(&self.script, Call::SyncDirectory)?;
        self.inner.sync_directory(path)
    }

    fn list(&self, path: &Path, names_max: usize) -> io::Result<Vec<OsString>> {
        meet(&self.script, Call::List)?;
        self.inner.list(path, names_max)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        meet(&self.script, Call::FreeBytes)?;
        self.inner.free_bytes(path)
    }

    fn lives_in_memory(&self, path: &Path) -> io::Result<bool> {
        meet(&self.script, Call::LivesInMemory)?;
        self.inner.lives_in_memory(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn StorageFile>,
    script: Arc<Mutex<Script>>,
}

impl StorageFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(change) = meet(&self.script, Call::Write)? else {
            return self.inner.write_at(bytes, offset);
        };
        // Aligned, so that the change takes the way the write would have taken.
        let mut changed = AlignedBytes::zeroed(bytes.len());
        changed.copy_from_slice(bytes);
        match change {
            Fault::Flip(bit) if !bytes.is_empty() => {
                changed[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            }
            Fault::Tear => changed[bytes.len() / 2..].fill(0),
            _ => {}
        }
        self.inner.write_at(&changed, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        meet(&self.script, Call::Read)?;
        let most = lock(&self.script).read_bytes_max.unwrap_or(bytes.len()).min(bytes.len());
        self.inner.read_at(&mut bytes[..most], offset)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        meet(&self.script, Call::Allocate)?;
        self.inner.allocate(offset, bytes)
    }

    fn free(&self, offset: u64, bytes: u64) -> io::Result<()> {
        meet(&self.script, Call::Free)?;
        self.inner.free(offset, bytes)
    }

    fn len(&self) -> io::Result<u64> {
        meet(&self.script, Call::Len)?;
        self.inner.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        meet(&self.script, Call::SetLen)?;
        self.inner.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        meet(&self.script, Call::Sync)?;
        self.inner.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        meet(&self.script, Call::TryLock)?;
        self.inner.try_lock()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        meet(&self.script, Call::IsAt)?;
        self.inner.is_at(path)
    }
}
