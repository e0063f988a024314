//! A file system of its own, whose power can be cut.
//!
//! ```text
//!   image file ── mkfs.ext4 ── mount -o loop ──> folder ── shutdown ──> every call fails
//!        ^                                                                  │
//!        └── what was flushed, and the journal's commits ──── umount <──────┘
//! ```
//!
//! `EXT4_IOC_SHUTDOWN` without a flush of the journal is what a power cut leaves: pages nobody
//! flushed and names in a transaction that was not committed are gone. The journal commits by
//! itself every ten minutes only, so that nothing is durable by luck.
//!
//! Promises: the loop device is freed with the mount.
//! Never: a mount that others see; whoever makes one is in a mount namespace of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::pass;

/// Sparse: what is written of them is what they take.
const IMAGE_BYTES: u64 = 768 << 20;
/// So long may those take that were killed and held it.
const FREED_WITHIN: Duration = Duration::from_secs(30);
/// `_IOR('X', 125, __u32)` of linux/ext4.h, with `EXT4_GOING_FLAGS_NOLOGFLUSH`.
const CUT: &str = "
import fcntl, os, struct, sys
folders = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
print('ready', flush=True)
sys.stdin.readline()
for folder in folders:
    fcntl.ioctl(folder, 0x8004587D, struct.pack('I', 2))
";

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let told = command.stdin(Stdio::null()).output();
    let told = told.map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if told.status.success() {
        return Ok(String::from_utf8_lossy(&told.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&told.stderr);
    Err(format!("{command:?}: {}: {}", told.status, error.trim()))
}

pub(crate) struct Image {
    file: PathBuf,
    at: PathBuf,
    is_mounted: bool,
}

impl Image {
    /// Makes one and mounts it.
    pub(crate) fn make(folder: &Path, name: &str) -> Result<Self, String> {
        let file = folder.join(format!("{name}.img"));
        let at = folder.join(name);
        let io = |e: std::io::Error| format!("{}: {e}", file.display());
        std::fs::create_dir(&at).map_err(io)?;
        std::fs::File::create_new(&file).and_then(|f| f.set_len(IMAGE_BYTES)).map_err(io)?;
        // Tables are written now: a thread that does so later would be a flush by luck.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        let make = ["-q", "-F", "-m", "0", "-i", "8192", "-E", lazy];
        run(Command::new("mkfs.ext4").args(make).arg(&file))?;
        let mut image = Self { file, at, is_mounted: false };
        image.mount()?;
        Ok(image)
    }

    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    pub(crate) fn mount(&mut self) -> Result<(), String> {
        if !self.is_mounted {
            let mount = ["-t", "ext4", "-o", "loop,commit=600"];
            run(Command::new("mount").args(mount).arg(&self.file).arg(&self.at))?;
            self.is_mounted = true;
        }
        Ok(())
    }

    pub(crate) fn unmount(&mut self) -> Result<(), String> {
        let until = Instant::now() + FREED_WITHIN;
        while self.is_mounted {
            match run(Command::new("umount").arg(&self.at)) {
                Ok(_) => self.is_mounted = false,
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => pass(Duration::from_millis(20)),
            }
        }
        Ok(())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.is_mounted {
            // What cannot be unmounted now is when the last that holds it has gone.
            let _reported = run(Command::new("umount").arg("--lazy").arg(&self.at));
        }
    }
}

/// A power cut that waits to be made.
pub(crate) struct Cut(Child);

impl Cut {
    pub(crate) fn prepare(images: &[&Image]) -> Result<Self, String> {
        use std::io::BufRead as _;
        let mut command = Command::new("python3");
        command.args(["-c", CUT]).args(images.iter().map(|image| image.at()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("python3: {e}"))?;
        let mut ready = String::new();
        if let Some(out) = child.stdout.take() {
            let read = std::io::BufReader::new(out).read_line(&mut ready);
            read.map_err(|e| format!("python3: {e}"))?;
        }
        Ok(Self(child))
    }

    /// From now on nothing reaches the images any more.
    pub(crate) fn make(mut self) -> Result<(), String> {
        if let Some(mut input) = self.0.stdin.take() {
            input.write_all(b"now\n").map_err(|e| format!("cutting the power: {e}"))?;
        }
        let ended = self.0.wait().map_err(|e| format!("cutting the power: {e}"))?;
        let what = || format!("the ioctl that shuts a file system down failed: {ended}");
        ended.success().then_some(()).ok_or_else(what)
    }
}
