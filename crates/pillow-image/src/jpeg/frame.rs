//! The shape of an image: its components, their sampling and the blocks they consist of (T.81, A.1 and A.2).

use super::block::{BLOCK, COEFFICIENTS};
use super::error::{JpegError, Result, damaged};

/// The most blocks that an MCU of several components may have.
const MAX_BLOCKS: usize = 10;

/// One of the planes of an image.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its identifier in scan headers.
    pub id: u8,
    /// Its samples across and down for each `max_h` and `max_v` of the image's.
    pub h: usize,
    pub v: usize,
    /// Its size in samples.
    pub width: usize,
    pub height: usize,
    /// Its size in blocks.
    pub blocks_wide: usize,
    pub blocks_high: usize,
    /// The number of its quantization table.
    pub table: usize,
    /// The quantization table, row by row, as it was at the first scan of the component.
    pub quantization: Option<[u16; COEFFICIENTS]>,
}

impl Component {
    /// Returns the row in a row of MCUs, and the column, of each of the component's blocks in an MCU.
    #[inline(always)]
    pub fn blocks_of(&self, mcu: usize) -> impl Iterator<Item = (usize, usize)> {
        let columns = mcu * self.h..(mcu + 1) * self.h;
        (0..self.v).flat_map(move |row| columns.clone().map(move |column| (row, column)))
    }
}

/// The contents of a frame header.
#[derive(Debug, Clone)]
pub struct Frame {
    pub is_progressive: bool,
    /// The image's size in pixels.
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
    /// The largest sampling factors of its components.
    pub max_h: usize,
    pub max_v: usize,
}

impl Frame {
    /// Reads the segment of a frame header, without its length.
    ///
    /// # Errors
    /// When the segment has a wrong length, there are no pixels, sampling factors are out of range or have no integral
    /// ratio, or samples are not 8 bits or there are more than 4 components, or none.
    pub fn new(segment: &[u8], is_progressive: bool) -> Result<Self> {
        let (&[bits, h1, h0, w1, w0, count], parameters) = segment
            .split_first_chunk::<6>()
            .ok_or_else(|| damaged("its frame header is too short"))?;
        let height = usize::from(u16::from_be_bytes([h1, h0]));
        let width = usize::from(u16::from_be_bytes([w1, w0]));
        if bits != 8 {
            return Err(JpegError::Unsupported("samples that are not 8 bits"));
        }
        if !matches!(count, 1..=4) {
            return Err(JpegError::Unsupported("other than 1 to 4 components"));
        }
        let (parameters, rest) = parameters.as_chunks::<3>();
        if parameters.len() != usize::from(count) || !rest.is_empty() {
            return Err(damaged("its frame header has a wrong length"));
        }
        let factors = |byte: u8| (usize::from(byte >> 4), usize::from(byte & 15));
        let given = || parameters.iter().map(|&[_, byte, _]| factors(byte));
        let in_range = |factor: usize| (1..=4).contains(&factor);
        if !given().all(|(h, v)| in_range(h) && in_range(v)) {
            return Err(damaged("its sampling factors are out of range"));
        }
        // The factors of a single component do not matter: its blocks are stored row by row.
        let all = || given().map(|factors| if count == 1 { (1, 1) } else { factors });
        let max_h = all().map(|(h, _)| h).max().unwrap_or(1);
        let max_v = all().map(|(_, v)| v).max().unwrap_or(1);
        if !all().all(|(h, v)| max_h % h == 0 && max_v % v == 0) {
            return Err(JpegError::Unsupported(
                "sampling factors without a whole ratio",
            ));
        }
        let components = parameters.iter().zip(all());
        let components = components.map(|(&[id, _, table], (h, v))| Component {
            id,
            h,
            v,
            width: (width * h).div_ceil(max_h),
            height: (height * v).div_ceil(max_v),
            blocks_wide: (width * h).div_ceil(max_h * BLOCK),
            blocks_high: (height * v).div_ceil(max_v * BLOCK),
            table: usize::from(table),
            quantization: None,
        });
        Ok(Self {
            is_progressive,
            width,
            height,
            components: components.collect(),
            max_h,
            max_v,
        })
    }

    /// Returns the number of MCUs of all components per row.
    pub fn mcus_wide(&self) -> usize {
        self.width.div_ceil(self.max_h * BLOCK)
    }

    /// Returns the number of rows of MCUs of all components.
    pub fn mcus_high(&self) -> usize {
        self.height.div_ceil(self.max_v * BLOCK)
    }
}

/// A component of a scan, with its tables.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its index in the frame.
    pub component: usize,
    /// The numbers of its Huffman tables.
    pub dc: usize,
    pub ac: usize,
}

/// The contents of a scan header.
#[derive(Debug, Clone)]
pub struct Scan {
    pub members: Vec<Member>,
    /// The first and last coefficient, in zigzag order.
    pub first: usize,
    pub last: usize,
    /// The number of low bits left out before this scan, and after it; 0 before the first scan.
    pub high: u32,
    pub low: u32,
}

impl Scan {
    /// Reads the segment of a scan header, without its length.
    ///
    /// # Errors
    /// When the segment has a wrong length, components are unknown or named twice, or there are too many blocks.
    pub fn new(segment: &[u8], frame: &Frame) -> Result<Self> {
        let wrong_length = || damaged("its scan header has a wrong length");
        let (&count, rest) = segment.split_first().ok_or_else(wrong_length)?;
        let (named, rest) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or_else(wrong_length)?;
        let (&[first, last, approximation], &[]) =
            rest.split_first_chunk::<3>().ok_or_else(wrong_length)?
        else {
            return Err(wrong_length());
        };
        if !(1..=4).contains(&count) {
            return Err(damaged(format!("a scan has {count} components")));
        }
        let mut members: Vec<Member> = Vec::new();
        for &[id, tables] in named.as_chunks::<2>().0 {
            // As libjpeg does where components share a name: the first that no member of the scan has yet.
            let mut components = frame.components.iter().enumerate();
            let found = components.find(|(index, one)| one.id == id && *index >= members.len());
            let component = found.map(|(index, _)| index);
            let component = component.filter(|&index| members.iter().all(|m| m.component != index));
            members.push(Member {
                component: component
                    .ok_or_else(|| damaged(format!("a scan names component {id} wrongly")))?,
                dc: usize::from(tables >> 4),
                ac: usize::from(tables & 15),
            });
        }
        let blocks = members.iter().map(|member| {
            let component = &frame.components[member.component];
            component.h * component.v
        });
        if members.len() > 1 && blocks.sum::<usize>() > MAX_BLOCKS {
            return Err(damaged("its scans have too many blocks at once"));
        }
        Ok(Self {
            members,
            first: usize::from(first),
            last: usize::from(last),
            high: u32::from(approximation >> 4),
            low: u32::from(approximation & 15),
        })
    }
}
