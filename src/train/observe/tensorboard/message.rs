//! TensorBoard's messages in protobuf encoding: each field is a key, with its number and type, and a value.
//!
//! The field numbers are those of `event.proto`, `summary.proto` and `tensor.proto`
//! (<https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto>), the encoding
//! <https://protobuf.dev/programming-guides/encoding/>.

use super::grid::Grid;
use super::histogram::Histogram;

/// The wire type of a value.
#[derive(Debug, Clone, Copy)]
enum Wire {
    Varint = 0,
    Eight = 1,
    Bytes = 2,
    Four = 5,
}

/// The string type of `TensorProto`.
const DT_STRING: u64 = 7;
/// `SessionLog`: a process starts.
const START: u64 = 1;

/// A message being built.
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Returns the encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn raw_varint(&mut self, mut value: u64) {
        // Seven bits per byte, the lowest first; the eighth bit marks that more follow.
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, wire: Wire) {
        self.raw_varint((field << 3) | wire as u64);
    }

    fn varint(mut self, field: u64, value: u64) -> Self {
        self.key(field, Wire::Varint);
        self.raw_varint(value);
        self
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.key(field, Wire::Eight);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, Wire::Four);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn string(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, Wire::Bytes);
        self.raw_varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.string(field, &value.0)
    }

    /// Appends packed doubles, without a key each.
    fn doubles(self, field: u64, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.string(field, &bytes)
    }
}

/// Creates an `Event` at `seconds` since 1970.
fn event(seconds: f64) -> Message {
    Message::default().double(1, seconds)
}

/// Creates the first event of a file.
pub fn version(seconds: f64) -> Message {
    event(seconds).string(3, b"brain.Event:2")
}

/// Creates the event of a process that starts with step `step`: TensorBoard drops earlier events of that step and later ones.
pub fn start(seconds: f64, step: u64) -> Message {
    let log = Message::default().varint(1, START);
    event(seconds).varint(2, step).message(7, &log)
}

/// Creates the event with the values of a step, each from [`scalar`] and the like.
pub fn summary(seconds: f64, step: u64, values: &[Message]) -> Message {
    let values = values.iter();
    let summary = values.fold(Message::default(), |summary, value| {
        summary.message(1, value)
    });
    event(seconds).varint(2, step).message(5, &summary)
}

/// Creates a scalar value.
pub fn scalar(tag: &str, value: f64) -> Message {
    tagged(tag).float(2, value as f32)
}

/// Creates an image value.
pub fn image(tag: &str, grid: &Grid) -> Message {
    let image = Message::default()
        .varint(1, u64::from(grid.height))
        .varint(2, u64::from(grid.width))
        .varint(3, grid.channels as u64)
        .string(4, &grid.png);
    tagged(tag).message(4, &image)
}

/// Creates a histogram value.
pub fn histogram(tag: &str, histogram: &Histogram) -> Message {
    let message = Message::default()
        .double(1, histogram.min)
        .double(2, histogram.max)
        .double(3, histogram.count)
        .double(4, histogram.sum)
        .double(5, histogram.sum_of_squares)
        .doubles(6, &histogram.limits)
        .doubles(7, &histogram.buckets);
    tagged(tag).message(5, &message)
}

/// Creates a text value in Markdown, for the text dashboard.
pub fn text(tag: &str, markdown: &str) -> Message {
    let plugin = Message::default().string(1, b"text");
    let metadata = Message::default().message(1, &plugin);
    let one = Message::default().varint(1, 1);
    let shape = Message::default().message(2, &one);
    let tensor = Message::default()
        .varint(1, DT_STRING)
        .message(2, &shape)
        .string(8, markdown.as_bytes());
    tagged(tag).message(8, &tensor).message(9, &metadata)
}

/// Creates a `Summary.Value` without its value.
fn tagged(tag: &str) -> Message {
    Message::default().string(1, tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seven_bits_a_byte() {
        // The examples of protobuf's documentation.
        assert_eq!(Message::default().varint(1, 150).bytes(), b"\x08\x96\x01");
        assert_eq!(
            Message::default().string(2, b"testing").bytes(),
            b"\x12\x07testing"
        );
        let most = Message::default().varint(1, u64::MAX);
        assert_eq!(most.bytes(), [&[8][..], &[0xff; 9], &[1]].concat());
    }

    #[test]
    fn a_scalar_is_what_pytorch_writes() {
        // SummaryWriter.add_scalar("a", 1.5, 300) at time 2.
        let expected =
            b"\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\0\0\xc0\x3f";
        assert_eq!(summary(2.0, 300, &[scalar("a", 1.5)]).bytes(), expected);
    }
}
