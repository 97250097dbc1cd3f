//! Event files: their names, and when events are flushed to disk.

use super::message::Message;
use super::read::PREFIX;
use super::record::write_record;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time after which events are flushed with the next one.
const KEPT: Duration = Duration::from_secs(2);

/// An event file being written.
pub struct EventFile {
    path: PathBuf,
    writer: BufWriter<Box<dyn Write + Send>>,
    written: Instant,
}

impl EventFile {
    /// Creates a file in `folder` whose name sorts after all others there, as TensorBoard reads them by name.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(folder: &Path) -> Result<Self> {
        let mut seconds = now() as u64;
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if let Some(rest) = rest {
                // The clock may have been set back, or the earlier file have the same second.
                let earlier: Option<u64> =
                    rest.split('.').next().and_then(|text| text.parse().ok());
                seconds = seconds.max(earlier.map_or(0, |earlier| earlier.saturating_add(1)));
            }
        }
        let path = folder.join(format!("{PREFIX}{seconds:010}.resnet"));
        let file = File::create_new(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self::new(path, Box::new(file)))
    }

    /// Creates an event file at `path` on top of `writer`.
    pub fn new(path: PathBuf, writer: Box<dyn Write + Send>) -> Self {
        Self {
            path,
            writer: BufWriter::new(writer),
            written: Instant::now(),
        }
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an event, and flushes if the last flush is a while ago.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, event: &Message) -> Result<()> {
        write_record(&mut self.writer, event.bytes())?;
        if self.written.elapsed() >= KEPT {
            self.flush()?;
        }
        Ok(())
    }

    /// Flushes the added events.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.written = Instant::now();
        Ok(self.writer.flush()?)
    }

    /// Closes the file without the events that were not flushed.
    pub fn abandon(self) {
        let _ = self.writer.into_parts();
    }
}

/// Returns the seconds since 1970.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_come_later_by_name_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let ahead = format!("{PREFIX}9999999000.zoo.12.0.v2");
        fs::write(folder.path().join(&ahead), "").unwrap();
        let mut names = vec![ahead];
        for _ in 0..3 {
            EventFile::create(folder.path()).unwrap();
            let all = fs::read_dir(folder.path()).unwrap();
            let name =
                |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
            let all = all.map(|entry| name(entry).unwrap());
            let new: Vec<String> = all.filter(|name| !names.contains(name)).collect();
            assert_eq!(new.len(), 1);
            assert!(new[0] > names[names.len() - 1], "{new:?} {names:?}");
            names.extend(new);
        }
    }
}
