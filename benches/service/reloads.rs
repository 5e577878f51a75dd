//! How long requests wait while a table is reloaded: a new version replaces the previous one, and the next version
//! follows as soon as that one is in use.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::Load;
use crate::process::{Server, TABLE, log};

/// How often to look whether the service uses the new version.
const LOOK: Duration = Duration::from_millis(10);

/// How long the service may take.
const LONGEST: Duration = Duration::from_secs(60);

/// When the service has nothing left to do: it looks once more at a file that was replaced.
const REST: Duration = Duration::from_secs(1);

/// A file of a table in two versions that take equally long to read.
pub struct Versions {
    /// Where the service reads the file.
    file: PathBuf,
    /// Where the versions are kept, outside the folder that the service watches.
    kept: [PathBuf; 2],
    /// Whether the second version was put in place last.
    is_second: bool,
    log: PathBuf,
}

impl Versions {
    /// Two versions of the file in this folder; the second has one more line.
    pub fn of(folder: &Path, file: &str, line: &str) -> Result<Self> {
        let file = folder.join(TABLE).join(file);
        let kept = ["first", "second"].map(|version| folder.with_extension(version));
        fs::copy(&file, &kept[0])?;
        fs::write(&kept[1], fs::read_to_string(&file)? + line)?;
        Ok(Self {
            file,
            kept,
            is_second: false,
            log: log(folder),
        })
    }

    /// The 99th percentile of the latency, in seconds: while the file stays unchanged, and while it is continually
    /// replaced and reloaded.
    pub fn p99s(
        &mut self,
        server: &Server,
        load: &mut Load<'_>,
        time: Duration,
    ) -> Result<(f64, f64)> {
        let p99 = |load: &mut Load<'_>| -> Result<f64> {
            let mut latencies = load.at_a_pace(time)?;
            latencies.sort_unstable();
            Ok(latencies[latencies.len() * 99 / 100].as_secs_f64())
        };
        let alone = p99(load)?;
        let is_over = AtomicBool::new(false);
        let during = thread::scope(|scope| -> Result<f64> {
            let reloads = scope.spawn(|| self.replace_until(&is_over, server));
            let during = p99(load);
            is_over.store(true, Ordering::Relaxed);
            reloads.join().map_err(|_| "a panic")??;
            during
        })?;
        thread::sleep(REST);
        Ok((alone, during))
    }

    /// Puts the versions in place alternately, each as soon as the service uses the previous one.
    fn replace_until(&mut self, is_over: &AtomicBool, server: &Server) -> io::Result<()> {
        let mut log = BufReader::new(File::open(&self.log)?);
        log.seek(SeekFrom::End(0))?;
        let mut in_use = String::new();
        while !is_over.load(Ordering::Relaxed) {
            self.is_second = !self.is_second;
            let beside = self.file.with_extension("new");
            fs::hard_link(&self.kept[usize::from(self.is_second)], &beside)?;
            fs::rename(&beside, &self.file)?;
            server.reload();
            // Unless the hash has changed, the service has only compared the file with the version in use.
            in_use = other_hash(&mut log, &in_use)?;
        }
        Ok(())
    }
}

/// Waits until the service uses a table with another hash.
fn other_hash(log: &mut BufReader<File>, before: &str) -> io::Result<String> {
    let deadline = Instant::now() + LONGEST;
    let mut line = Vec::new();
    loop {
        log.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            if Instant::now() > deadline {
                return Err(io::Error::other("the service does not take a new table"));
            }
            thread::sleep(LOOK);
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        if text.contains(" reloaded ")
            && let Some((_, hash)) = text.split_once("hash=")
            && let Some((hash, _)) = hash.split_once(' ')
            && hash != before
        {
            return Ok(hash.to_owned());
        }
        line.clear();
    }
}
