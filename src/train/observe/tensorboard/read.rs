//! Reading a run's event files back: the loss and the learning rate of each step, for its report.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Prefix of the names of event files.
pub(super) const PREFIX: &str = "events.out.tfevents.";
/// Bytes of a record that may hold scalars alone; images and histograms are longer and are skipped.
const SCALARS: u64 = 4096;
/// Bytes before a record, its length and that length's checksum, and after it.
const FRAME: [usize; 2] = [12, 4];

/// The scalars of one optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepScalars {
    /// From 1 over the whole run.
    pub step: u64,
    /// The loss of the step's batch before the update.
    pub loss: f64,
    /// The learning rate of the update.
    pub lr: f64,
}

/// Reads the scalars of all steps from the event files in `folder`, in the order of the steps.
///
/// As in TensorBoard, a process that resumed the run discards what earlier ones wrote of its first step and of later ones. A file
/// that cannot be read, or that ends within a record, gives the steps before that.
pub fn scalars_of(folder: &Path) -> Vec<StepScalars> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut steps = BTreeMap::new();
    for file in files {
        // What was read before an error counts.
        let _ = read_file(&file, &mut steps);
    }
    let steps = steps.into_iter();
    steps
        .filter_map(|(step, (loss, lr))| {
            Some(StepScalars {
                step,
                loss: loss?,
                lr: lr?,
            })
        })
        .collect()
}

/// Loss and learning rate by step.
type Steps = BTreeMap<u64, (Option<f64>, Option<f64>)>;

fn read_file(path: &Path, steps: &mut Steps) -> std::io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut head = [0; FRAME[0]];
    let mut tail = [0; FRAME[1]];
    let mut record = Vec::new();
    loop {
        file.read_exact(&mut head)?;
        let mut length = [0; 8];
        length.copy_from_slice(&head[..8]);
        let length = u64::from_le_bytes(length);
        if length > SCALARS {
            let beyond = i64::try_from(length).map_err(std::io::Error::other)?;
            file.seek_relative(beyond.saturating_add(FRAME[1] as i64))?;
            continue;
        }
        record.resize(length as usize, 0);
        file.read_exact(&mut record)?;
        file.read_exact(&mut tail)?;
        // A record of another kind is none of ours.
        let _ = read_event(&record, steps);
    }
}

/// Reads the fields of `Event` that matter: `step` is 2, `summary` 5, `session_log` 7.
fn read_event(record: &[u8], steps: &mut Steps) -> Option<()> {
    let (mut step, mut summary, mut is_start) = (0, None, false);
    let mut fields = Fields(record);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (2, Field::Varint(value)) => step = value,
            (5, Field::Bytes(bytes)) => summary = Some(bytes),
            (7, Field::Bytes(_)) => is_start = true,
            _ => {}
        }
    }
    if is_start {
        steps.split_off(&step);
    }
    let mut values = Fields(summary?);
    while let Some((number, field)) = values.next()? {
        let (1, Field::Bytes(value)) = (number, field) else {
            continue;
        };
        match scalar(value) {
            Some((b"train/loss", value)) => steps.entry(step).or_default().0 = Some(value),
            Some((b"train/lr", value)) => steps.entry(step).or_default().1 = Some(value),
            _ => {}
        }
    }
    Some(())
}

/// Returns the tag (1) and the `simple_value` (2) of a `Summary.Value`.
fn scalar(value: &[u8]) -> Option<(&[u8], f64)> {
    let (mut tag, mut number) = (None, None);
    let mut fields = Fields(value);
    while let Some((field, content)) = fields.next()? {
        match (field, content) {
            (1, Field::Bytes(bytes)) => tag = Some(bytes),
            (2, Field::Four(bits)) => number = Some(f64::from(f32::from_bits(bits))),
            _ => {}
        }
    }
    Some((tag?, number?))
}

/// The fields of a protobuf message that are left.
struct Fields<'a>(&'a [u8]);

/// A field's content.
enum Field<'a> {
    Varint(u64),
    Eight,
    Bytes(&'a [u8]),
    Four(u32),
}

impl<'a> Fields<'a> {
    /// The next field's number and content; `Some(None)` at the end, `None` if the message is damaged.
    #[expect(
        clippy::option_option,
        reason = "the end and a damaged message are different, and `?` passes on the latter alone"
    )]
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Field::Eight
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Four(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some(Some((key >> 3, field)))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Seven bits per byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::EventFile;
    use super::super::message::{scalar, start, summary, text};
    use super::*;

    fn step(number: u64, loss: f64) -> super::super::message::Message {
        let values = [scalar("train/loss", loss), scalar("train/lr", 0.5)];
        summary(1.0, number, &values)
    }

    fn losses(folder: &Path) -> Vec<(u64, f64)> {
        let scalars = scalars_of(folder);
        assert!(scalars.iter().all(|one| (one.lr - 0.5).abs() < 1e-9));
        scalars.iter().map(|one| (one.step, one.loss)).collect()
    }

    #[test]
    fn a_resumed_process_replaces_later_steps() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut file = EventFile::create(folder).unwrap();
        for number in 1..=4 {
            file.add(&step(number, number as f64)).unwrap();
        }
        // Long, and without scalars.
        file.add(&summary(1.0, 4, &[text("recipe", &"x".repeat(9000))]))
            .unwrap();
        file.add(&step(5, 5.0)).unwrap();
        file.flush().unwrap();
        let mut file = EventFile::create(folder).unwrap();
        file.add(&start(1.0, 3)).unwrap();
        file.add(&step(3, 30.0)).unwrap();
        file.flush().unwrap();
        assert_eq!(losses(folder), [(1, 1.0), (2, 2.0), (3, 30.0)]);
    }

    #[test]
    fn a_file_cut_short_gives_the_steps_before() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut file = EventFile::create(folder).unwrap();
        for number in 1..=3 {
            file.add(&step(number, 1.5)).unwrap();
        }
        file.flush().unwrap();
        let path = file.path().to_owned();
        let bytes = fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            assert_eq!(losses(folder).len(), 3 * end / bytes.len());
        }
        fs::write(folder.join(format!("{PREFIX}9.zoo")), [0xff; 99]).unwrap();
        fs::write(&path, bytes).unwrap();
        assert_eq!(losses(folder).len(), 3);
        assert!(scalars_of(&folder.join("no")).is_empty());
    }
}
