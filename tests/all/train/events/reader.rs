//! A slow reader of event files that follows their definition.

use super::super::files;
use std::collections::BTreeMap;
use std::path::Path;

/// A field of a protobuf message.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Varint(u64),
    Four(f32),
    Eight(f64),
    Bytes(Vec<u8>),
}

impl Field {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} has no bytes"),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

/// Returns the fields of a message by number; all values of repeated fields, in order.
pub fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Vec<Field>> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (first, rest) = bytes.split_at(count);
        *bytes = rest;
        first
    }
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = take(bytes, 1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found: BTreeMap<u64, Vec<Field>> = BTreeMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Eight(f64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            5 => Field::Four(f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length).to_vec())
            }
            other => panic!("wire type {other}"),
        };
        found.entry(key >> 3).or_default().push(field);
    }
    found
}

/// Computes CRC-32C bit by bit, masked as in records.
pub fn masked(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for &byte in bytes {
        remainder ^= u32::from(byte);
        for _ in 0..8 {
            remainder = (remainder >> 1) ^ (0x82f6_3b78 * (remainder & 1));
        }
    }
    let crc = !remainder;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Returns the events of a file, whose checksums must all be valid.
pub fn events(mut bytes: &[u8]) -> Vec<BTreeMap<u64, Vec<Field>>> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!(number(8), masked(&bytes[..8]));
        let record = &bytes[12..12 + length];
        assert_eq!(number(12 + length), masked(record));
        events.push(fields(record));
        bytes = &bytes[16 + length..];
    }
    events
}

/// Returns the event files of a run, oldest first.
pub fn event_files(run: &Path) -> Vec<Vec<u8>> {
    let found = files(run).into_iter().filter(|(path, _)| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("events.out.tfevents.") && path.parent() == Some(run)
    });
    found.map(|(_, bytes)| bytes).collect()
}

pub fn step(event: &BTreeMap<u64, Vec<Field>>) -> u64 {
    match event.get(&2).map(Vec::as_slice) {
        None => 0,
        Some([Field::Varint(step)]) => *step,
        other => panic!("{other:?}"),
    }
}

/// Returns the values of all summaries: step, tag and the fields of the value.
pub fn values(
    events: &[BTreeMap<u64, Vec<Field>>],
) -> Vec<(u64, String, BTreeMap<u64, Vec<Field>>)> {
    let mut values = Vec::new();
    for event in events {
        for summary in event.get(&5).into_iter().flatten() {
            for value in &fields(summary.bytes())[&1] {
                let value = fields(value.bytes());
                values.push((step(event), value[&1][0].text(), value));
            }
        }
    }
    values
}

/// Returns the numbers under a tag.
pub fn scalars(events: &[BTreeMap<u64, Vec<Field>>], tag: &str) -> Vec<(u64, f32)> {
    let tagged = values(events).into_iter().filter(|(_, of, _)| of == tag);
    tagged
        .map(|(step, _, value)| match value[&2][0] {
            Field::Four(number) => (step, number),
            ref other => panic!("{other:?}"),
        })
        .collect()
}
