//! The segments of a JPEG file between its scans (T.81, B; libjpeg's `jdmarker.c` for what is tolerated).

use super::block::COEFFICIENTS;
use super::color::ColorTransform;
use super::error::{JpegError, Result, damaged};
use super::frame::{Frame, Scan};
use super::huffman::{self, TableDefinition};

/// The index in a block, row by row, of each position in zigzag order. Positions beyond the end, in damaged data, count as
/// the last, as in libjpeg.
#[rustfmt::skip]
pub const ZIGZAG: [u8; 128] = {
    let order = [
         0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];
    let mut zigzag = [63; 128];
    let mut index = 0;
    while index < order.len() {
        zigzag[index] = order[index];
        index += 1;
    }
    zigzag
};

/// The event after the segments that were read.
#[derive(Debug)]
pub enum Event {
    /// A scan, whose data follows.
    Scan(Scan),
    /// The end of the image.
    End,
}

/// The hints of application segments about the colors.
#[derive(Debug, Clone, Copy, Default)]
struct ColorHints {
    is_jfif: bool,
    /// The transform of an Adobe segment.
    adobe: Option<u8>,
}

/// Reads a file's segments and keeps the tables that they define.
#[derive(Debug)]
pub struct Markers<'a> {
    bytes: &'a [u8],
    position: usize,
    /// A marker that was read in advance.
    pending: Option<u8>,
    pub frame: Option<Frame>,
    quantization: [Option<[u16; COEFFICIENTS]>; 4],
    dc: [Option<TableDefinition>; 4],
    ac: [Option<TableDefinition>; 4],
    /// The number of MCUs between restarts, 0 for no restarts.
    pub restart_interval: usize,
    hints: ColorHints,
    /// The color model, if a container tells it.
    pub colors: Option<ColorTransform>,
    /// The concatenated EXIF segments, without their name.
    pub exif: Vec<u8>,
    /// The last XMP segment, without its name.
    pub xmp: Option<&'a [u8]>,
}

impl<'a> Markers<'a> {
    /// Returns a reader of a file that starts with a start-of-image marker.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 2,
            pending: None,
            frame: None,
            quantization: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart_interval: 0,
            hints: ColorHints::default(),
            colors: None,
            exif: Vec::new(),
            xmp: None,
        }
    }

    /// Returns the rest of the file.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// Advances by `length` bytes, the last of them a marker that the next read starts with.
    pub fn advance_to(&mut self, marker: u8, length: usize) {
        self.position += length;
        self.pending = Some(marker);
    }

    /// Returns the marker that was read in advance, or else the next one, skipping other bytes.
    pub fn next_marker(&mut self) -> Result<u8> {
        if let Some(marker) = self.pending.take() {
            return Ok(marker);
        }
        let found = self
            .rest()
            .windows(2)
            .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
        self.position += found.ok_or(JpegError::Truncated)? + 2;
        Ok(self.bytes[self.position - 1])
    }

    /// Reads segments up to a scan or the end.
    ///
    /// # Errors
    /// When libjpeg gives up, the file is truncated, or the kind of frame is unsupported.
    pub fn read(&mut self) -> Result<Event> {
        loop {
            match self.next_marker()? {
                marker @ 0xc0..=0xc2 => {
                    let segment = self.segment()?;
                    if self.frame.is_some() {
                        return Err(damaged("it has two frame headers"));
                    }
                    self.frame = Some(Frame::new(segment, marker == 0xc2)?);
                }
                0xc3 | 0xc7 | 0xcb | 0xcf => return Err(JpegError::Unsupported("lossless coding")),
                0xc5 | 0xc6 | 0xcd | 0xce | 0xde | 0xdf => {
                    return Err(JpegError::Unsupported("hierarchical coding"));
                }
                0xc9 | 0xca | 0xcc => return Err(JpegError::Unsupported("arithmetic coding")),
                0xc4 => self.define_huffman()?,
                0xdb => self.define_quantization()?,
                0xdd => match *self.segment()? {
                    [high, low] => {
                        self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
                    }
                    _ => return Err(damaged("its restart interval has a wrong length")),
                },
                0xda => {
                    let segment = self.segment()?;
                    let Some(frame) = &self.frame else {
                        return Err(damaged("a scan precedes the frame header"));
                    };
                    return Ok(Event::Scan(Scan::new(segment, frame)?));
                }
                0xd9 => return Ok(Event::End),
                0xe0 => {
                    let segment = self.segment()?;
                    self.hints.is_jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0");
                }
                0xe1 => self.read_metadata()?,
                0xee => {
                    let segment = self.segment()?;
                    if segment.starts_with(b"Adobe") && segment.len() >= 12 {
                        self.hints.adobe = Some(segment[11]);
                    }
                }
                // Applications' segments, comments, and the number of lines, which the frame header has.
                0xe2..=0xef | 0xfe | 0xdc => {
                    self.segment()?;
                }
                // Without a segment.
                0x01 | 0xd0..=0xd7 => {}
                marker => return Err(damaged(format!("marker {marker:#04x} is out of place"))),
            }
        }
    }

    /// Returns the content of the current segment.
    fn segment(&mut self) -> Result<&'a [u8]> {
        let (length, rest) = self
            .rest()
            .split_first_chunk()
            .ok_or(JpegError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        // A length that does not include itself is that of an empty segment.
        let segment = rest.get(..length.saturating_sub(2));
        let segment = segment.ok_or(JpegError::Truncated)?;
        self.position += 2 + segment.len();
        Ok(segment)
    }

    fn define_huffman(&mut self) -> Result<()> {
        let wrong = || damaged("a Huffman table has a wrong length");
        let mut segment = self.segment()?;
        while !segment.is_empty() {
            let (&[number, ref counts @ ..], rest) =
                segment.split_first_chunk::<17>().ok_or_else(wrong)?;
            let count = counts.iter().map(|&count| usize::from(count)).sum();
            let (listed, rest) = rest.split_at_checked(count).ok_or_else(wrong)?;
            let mut symbols = [0; 256];
            symbols
                .get_mut(..count)
                .ok_or_else(wrong)?
                .copy_from_slice(listed);
            let tables = if number & 0x10 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            let table = tables
                .get_mut(usize::from(number & !0x10))
                .ok_or_else(|| damaged(format!("it defines Huffman table {number}")))?;
            *table = Some(TableDefinition {
                counts: *counts,
                symbols,
            });
            segment = rest;
        }
        Ok(())
    }

    fn define_quantization(&mut self) -> Result<()> {
        let wrong = || damaged("a quantization table has a wrong length");
        let mut segment = self.segment()?;
        while let Some((&number, rest)) = segment.split_first() {
            let (number, bytes) = (number & 15, if number >> 4 == 0 { 1 } else { 2 });
            let (values, rest) = rest
                .split_at_checked(bytes * COEFFICIENTS)
                .ok_or_else(wrong)?;
            let table = self
                .quantization
                .get_mut(usize::from(number))
                .ok_or_else(|| damaged(format!("it defines quantization table {number}")))?
                .insert([0; COEFFICIENTS]);
            for (value, index) in values.chunks_exact(bytes).zip(ZIGZAG) {
                let value = value
                    .iter()
                    .fold(0, |high, &low| high << 8 | u16::from(low));
                table[usize::from(index)] = value;
            }
            segment = rest;
        }
        Ok(())
    }

    fn read_metadata(&mut self) -> Result<()> {
        let segment = self.segment()?;
        if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
            self.exif.extend_from_slice(exif);
        } else if let Some(xmp) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.xmp = Some(xmp);
        }
        Ok(())
    }

    /// Fills in the standard Huffman tables for a sequential file without tables.
    pub fn default_tables(&mut self) {
        for number in 0..2 {
            self.dc[number] = self.dc[number].take().or(huffman::standard(true, number));
            self.ac[number] = self.ac[number].take().or(huffman::standard(false, number));
        }
    }

    /// Returns the Huffman table of this number for coefficients of index 0.
    pub fn dc_table(&self, number: usize) -> Result<&TableDefinition> {
        defined(&self.dc, number)
    }

    /// Returns the Huffman table of this number for the other coefficients.
    pub fn ac_table(&self, number: usize) -> Result<&TableDefinition> {
        defined(&self.ac, number)
    }

    /// Assigns the components of `scan` their quantization tables, unless an earlier scan did.
    pub fn latch_quantization(&mut self, scan: &Scan) -> Result<()> {
        let components = self.frame.as_mut().map(|frame| &mut frame.components[..]);
        let components = components.unwrap_or_default();
        for member in &scan.members {
            let component = &mut components[member.component];
            if component.quantization.is_none() {
                let table = self.quantization.get(component.table).copied().flatten();
                let missing =
                    || damaged(format!("quantization table {} is missing", component.table));
                component.quantization = Some(table.ok_or_else(missing)?);
            }
        }
        Ok(())
    }

    /// Continues with another file, which starts with a start-of-image marker, and keeps the tables.
    pub fn continue_with(&mut self, bytes: &'a [u8]) {
        self.bytes = bytes;
        self.position = 2;
        self.pending = None;
    }

    /// Returns the color conversion: that of the container, or else libjpeg's guess (`default_decompress_parms` in
    /// `jdapimin.c`).
    pub fn transform(&self) -> ColorTransform {
        if let Some(colors) = self.colors {
            return colors;
        }
        let ids = self
            .frame
            .iter()
            .flat_map(|frame| &frame.components)
            .map(|component| component.id)
            .collect::<Vec<_>>();
        match (ids.len(), self.hints) {
            (1, _) => ColorTransform::Gray,
            (
                4,
                ColorHints {
                    adobe: None | Some(0),
                    ..
                },
            ) => ColorTransform::Cmyk,
            (4, _) => ColorTransform::Ycck,
            (_, ColorHints { is_jfif: true, .. }) => ColorTransform::YCbCr,
            (_, ColorHints { adobe: Some(0), .. }) => ColorTransform::Rgb,
            (_, ColorHints { adobe: None, .. }) if ids == b"RGB" => ColorTransform::Rgb,
            _ => ColorTransform::YCbCr,
        }
    }
}

fn defined(tables: &[Option<TableDefinition>; 4], number: usize) -> Result<&TableDefinition> {
    let table = tables.get(number).and_then(Option::as_ref);
    table.ok_or_else(|| damaged(format!("Huffman table {number} is missing")))
}
