//! What requests wait for while a table is read again: a new version takes the place of the one before, and the next
//! one as soon as that answers.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::Load;
use crate::process::{Server, TABLE, log};

/// How often it is looked whether the service has taken the new version.
const LOOK: Duration = Duration::from_millis(10);

/// In what time it has to.
const LONGEST: Duration = Duration::from_secs(60);

/// After what time the service has nothing left to do: it looks once more at a file that was replaced.
const REST: Duration = Duration::from_secs(1);

/// A file of a table in two versions that take as long to read.
pub struct Versions {
    /// Where the service reads it.
    file: PathBuf,
    /// Where they are kept, not in the folder that the service watches.
    kept: [PathBuf; 2],
    /// Which of them was put in place last.
    is_second: bool,
    log: PathBuf,
}

impl Versions {
    /// Of the file in this folder; the second has a line more.
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

    /// The 99th percentile of the latency, in seconds: while the file is left alone, and while it is replaced and read all
    /// the time.
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

    /// Puts the other version in place, again and again, each when the service has taken the one before.
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
            // Without a change of the hash it would only have been compared with what is in use.
            in_use = other_hash(&mut log, &in_use)?;
        }
        Ok(())
    }
}

/// Waits until the service has a table of another hash.
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
