//! A tensor of a checkpoint: a view of a storage, given by offset, shape and strides.

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;

use super::pickle::{Id, Object, Pickle, call};
use crate::error::error_with_hint;
use crate::weights::{
    format::tensor_info::{ElementType, TensorInfo},
    hints::DAMAGED,
};

/// Maximum number of elements of a tensor that is larger than its storage (an expanded one).
const MAX_EXPANDED: usize = 1 << 24;

/// A tensor: a view of a storage.
pub struct TensorView {
    /// Shape and type.
    pub info: TensorInfo,
    /// Stride of each axis, in elements.
    strides: Vec<usize>,
    /// Offset of the first element in the storage, in elements.
    offset: usize,
    /// Name of the storage.
    pub storage: String,
    /// Number of elements in the storage.
    stored: usize,
}

/// Returns the tensor that the call at `id` describes.
pub fn parse_tensor_view(pickle: &Pickle, id: Id) -> Result<TensorView> {
    let (mut id, mut depth) = (id, 0);
    let args = loop {
        let (_, name, args) = call(pickle, id).context("it is not a tensor")?;
        depth += 1;
        match name {
            "_rebuild_tensor" | "_rebuild_tensor_v2" => break args,
            "_rebuild_parameter" | "_rebuild_parameter_with_state" if depth < 4 => {
                id = *args.first().context("the parameter is empty")?;
            }
            "_rebuild_qtensor" => {
                return Err(error_with_hint(
                    "it is quantized",
                    "save the weights from before quantization, in floating point",
                ));
            }
            "_rebuild_from_type_v2" => {
                // (function, type, its arguments, state)
                let &[function, _, args, ..] = args else {
                    bail!("the tensor of a subclass lacks arguments");
                };
                let plain = pickle
                    .global(function)
                    .is_some_and(|(_, name)| name.starts_with("_rebuild_tensor"));
                ensure!(plain, "a tensor of its kind is not supported");
                break pickle
                    .tuple(args)
                    .context("its arguments are not a tuple")?;
            }
            other => bail!("a tensor made by `{other}` is not supported"),
        }
    };
    let &[storage, offset, shape, strides, ..] = args else {
        bail!("it lacks arguments");
    };
    let sizes = |id| -> Option<Vec<usize>> {
        let items = pickle.tuple(id)?;
        items.iter().map(|&item| pickle.size(item)).collect()
    };
    let offset = pickle.size(offset).context("its offset is not a size")?;
    let shape = sizes(shape).context("its shape is not a tuple of sizes")?;
    let strides = sizes(strides).context("its strides are not a tuple of sizes")?;
    ensure!(
        shape.len() == strides.len(),
        "its shape {shape:?} and strides {strides:?} differ in length"
    );
    // ("storage", class, key, device, elements), and in the old format the part of another storage, or none.
    let storage = match pickle.get(storage) {
        Object::Persistent(id) => pickle.tuple(*id),
        _ => None,
    };
    let Some(&[_, class, key, _, stored, ref rest @ ..]) = storage else {
        bail!("its storage is not one of `torch.save`");
    };
    if rest.iter().any(|&part| *pickle.get(part) != Object::None) {
        return Err(error_with_hint(
            "its storage is part of another, as `torch.save` wrote before PyTorch 0.4",
            "in Python: `torch.save(torch.load(file), \"weights.pth\")` with PyTorch 1.6 or later",
        ));
    }
    let (_, class) = pickle.global(class).context("its storage has no type")?;
    let key = pickle.text(key).context("its storage has no name")?;
    let view = TensorView {
        info: TensorInfo {
            shape,
            element: match class {
                "HalfStorage" => ElementType::Float(DType::F16),
                "BFloat16Storage" => ElementType::Float(DType::BF16),
                "FloatStorage" => ElementType::Float(DType::F32),
                "DoubleStorage" => ElementType::Float(DType::F64),
                other => ElementType::Other(element_type_name(other)),
            },
        },
        strides,
        offset,
        storage: key.to_owned(),
        stored: pickle.size(stored).context("its storage has no size")?,
    };
    view.validate()?;
    Ok(view)
}

/// Returns the bytes per element of a storage of that class, if the class is known.
pub fn element_size(class: &str) -> Option<u64> {
    Some(match class.strip_suffix("Storage")? {
        "Byte" | "Char" | "Bool" | "QInt8" | "QUInt8" => 1,
        "Half" | "BFloat16" | "Short" => 2,
        "Float" | "Int" | "QInt32" => 4,
        "Double" | "Long" | "ComplexFloat" => 8,
        "ComplexDouble" => 16,
        _ => return None,
    })
}

/// Returns the name of the element type of a storage class, as in safetensors.
fn element_type_name(class: &str) -> String {
    match class {
        "LongStorage" => "i64".to_owned(),
        "IntStorage" => "i32".to_owned(),
        "ShortStorage" => "i16".to_owned(),
        "CharStorage" => "i8".to_owned(),
        "ByteStorage" => "u8".to_owned(),
        other => other
            .strip_suffix("Storage")
            .unwrap_or(other)
            .to_lowercase(),
    }
}

impl TensorView {
    /// Returns an error if the view reaches beyond its storage or is far larger.
    fn validate(&self) -> Result<()> {
        let shape = &self.info.shape;
        let elements = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        let fits = match elements {
            Some(0) => true,
            Some(elements) => {
                let mut axes = shape.iter().zip(&self.strides);
                let last = axes.try_fold(self.offset, |last, (&size, &stride)| {
                    last.checked_add((size - 1).checked_mul(stride)?)
                });
                last.is_some_and(|last| last < self.stored)
                    && elements <= self.stored.max(MAX_EXPANDED)
            }
            None => false,
        };
        ensure!(
            fits,
            "its shape {shape:?} does not fit its storage of {} elements",
            self.stored
        );
        Ok(())
    }

    /// Gathers the elements as [`TensorView::gather`] does, from a storage that no other tensor needs: without a copy if the
    /// tensor is all of it.
    pub fn extract(&self, storage: Vec<u8>) -> Result<Vec<u8>> {
        let elements: usize = self.info.shape.iter().product();
        let is_whole = elements > 0
            && self.stored.checked_mul(self.width()) == Some(storage.len())
            && contiguous_run(&self.axes(), self.width()) == (storage.len(), 0);
        if is_whole {
            return Ok(storage);
        }
        self.gather(&storage)
    }

    /// Returns the bytes per element.
    fn width(&self) -> usize {
        match &self.info.element {
            ElementType::Float(dtype) => dtype.size_in_bytes(),
            // Of these only counters are read, of type i64.
            ElementType::Other(_) => 8,
        }
    }

    /// Returns the size of each axis, and its stride in bytes.
    fn axes(&self) -> Vec<[usize; 2]> {
        let width = self.width();
        std::iter::zip(&self.info.shape, &self.strides)
            .map(|(&size, &stride)| [size, stride.saturating_mul(width)])
            .collect()
    }

    /// Gathers the elements of the tensor from the bytes of its storage, row-major.
    pub fn gather(&self, storage: &[u8]) -> Result<Vec<u8>> {
        let width = self.width();
        let needed = self.stored.checked_mul(width);
        if needed.is_none_or(|needed| storage.len() < needed) {
            return Err(error_with_hint(
                format!(
                    "its storage of {} elements has only {} bytes",
                    self.stored,
                    storage.len()
                ),
                DAMAGED,
            ));
        }
        let elements: usize = self.info.shape.iter().product();
        let mut bytes = Vec::with_capacity(elements * width);
        if elements > 0 {
            let axes = self.axes();
            let (run, outer) = contiguous_run(&axes, width);
            gather(
                storage,
                self.offset * width,
                &axes[..outer],
                run,
                &mut bytes,
            );
        }
        Ok(bytes)
    }
}

/// Returns the number of bytes that the last axes (size and stride in bytes) cover without a gap, and the number of
/// axes before those.
fn contiguous_run(axes: &[[usize; 2]], width: usize) -> (usize, usize) {
    let mut run = width;
    let mut outer = axes.len();
    while let Some(&[size, stride]) = axes[..outer].last()
        && (size == 1 || stride == run)
    {
        run *= size;
        outer -= 1;
    }
    (run, outer)
}

/// Appends to `to` the runs of `run` bytes at each index of `axes`.
fn gather(storage: &[u8], from: usize, axes: &[[usize; 2]], run: usize, to: &mut Vec<u8>) {
    match *axes {
        [] => to.extend(&storage[from..from + run]),
        // The usual run of one f32, copied without a call.
        [[size, stride]] if run == 4 => {
            for i in 0..size {
                let element = storage[from + i * stride..].first_chunk::<4>();
                to.extend(element.expect("the view was tested to lie inside its storage"));
            }
        }
        [[size, stride], ref inner @ ..] => {
            for i in 0..size {
                gather(storage, from + i * stride, inner, run, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view_of(shape: &[usize], strides: &[usize], offset: usize, stored: usize) -> TensorView {
        TensorView {
            info: TensorInfo {
                shape: shape.to_vec(),
                element: ElementType::Float(DType::F16),
            },
            strides: strides.to_vec(),
            offset,
            storage: String::new(),
            stored,
        }
    }

    #[test]
    fn views_are_gathered_row_by_row() {
        let storage: Vec<u8> = (0..12).flat_map(|i| [i, 100 + i]).collect();
        let gather = |shape: &[usize], strides: &[usize], offset| {
            let view = view_of(shape, strides, offset, 12);
            view.validate().unwrap();
            let bytes = view.gather(&storage).unwrap();
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[i, _]| *i)
                .collect::<Vec<_>>()
        };
        assert_eq!(gather(&[2, 3], &[3, 1], 0), [0, 1, 2, 3, 4, 5]);
        assert_eq!(gather(&[3, 2], &[1, 3], 6), [6, 9, 7, 10, 8, 11]);
        assert_eq!(
            gather(&[2, 2, 1, 2], &[6, 1, 4, 2], 1),
            [1, 3, 2, 4, 7, 9, 8, 10]
        );
        assert_eq!(gather(&[3], &[0], 5), [5, 5, 5]);
        assert_eq!(gather(&[], &[], 11), [11]);
        assert_eq!(gather(&[0, 4], &[4, 1], 12), [0; 0]);
    }

    #[test]
    fn views_beyond_their_storage_are_rejected() {
        for (shape, strides, offset) in [
            (&[3, 5][..], &[5, 1][..], 0),
            (&[2, 3], &[3, 1], 7),
            (&[2], &[usize::MAX], 0),
            (&[usize::MAX, usize::MAX], &[0, 0], 0),
            (&[1 << 40], &[0], 0),
        ] {
            assert!(view_of(shape, strides, offset, 12).validate().is_err());
        }
    }

    #[test]
    fn a_storage_shorter_than_announced_is_rejected() {
        let error = view_of(&[4], &[1], 0, 12).gather(&[0; 23]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its storage of 12 elements has only 23 bytes"
        );
    }
}
