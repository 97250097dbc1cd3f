//! Pickle's stack machine, restricted to data: no code of a file is ever run.
//!
//! `PyTorch` saves a checkpoint as a pickle that names tensors, and the calls (`torch._utils._rebuild_tensor_v2(..)`)
//! that would build them. Reading returns the objects and the calls as plain data; [`super::archive`] interprets those
//! of tensors. Candle's own reader is not used: it copies an object at every reference (a small file can exhaust
//! memory), panics on short tuples, and drops tensors that are not contiguous.

mod machine;
mod object;

use anyhow::Result;

pub use object::{Id, Object};

/// Maximum length of a pickle in bytes; that of a state dict has a few hundred thousand.
pub const MAX_LENGTH: u64 = 1 << 25;
/// The objects of a pickle.
#[derive(Debug)]
pub struct Pickle {
    objects: Vec<Object>,
    root: Id,
}

impl Pickle {
    /// Parses the pickle at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Ok(Self::parse_first(bytes)?.0)
    }

    /// Parses the pickle at the start of `bytes`, and returns its length.
    pub fn parse_first(bytes: &[u8]) -> Result<(Self, usize)> {
        let (objects, root, length) = machine::run(bytes)?;
        Ok((Self { objects, root }, length))
    }

    /// Returns the object that was pickled.
    pub fn root(&self) -> Id {
        self.root
    }

    /// Returns all objects, in order of creation.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    /// Returns the object at `id`.
    pub fn get(&self, id: Id) -> &Object {
        &self.objects[id]
    }

    /// Returns the items of the tuple at `id`.
    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the string at `id`.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the non-negative integer at `id`.
    pub fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Object::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns module and name of the class or function at `id`.
    pub fn global(&self, id: Id) -> Option<(&str, &str)> {
        match self.get(id) {
            &Object::Global(module, name) => Some((self.text(module)?, self.text(name)?)),
            _ => None,
        }
    }
}

/// Returns module and name of the function, and the arguments, of the call at `id`.
pub fn call(pickle: &Pickle, id: Id) -> Option<(&str, &str, &[Id])> {
    let Object::Call { callable, args } = pickle.get(id) else {
        return None;
    };
    let (module, name) = pickle.global(*callable)?;
    Some((module, name, pickle.tuple(*args)?))
}

#[cfg(test)]
mod tests {
    use super::{machine::MAX_INSTRUCTIONS, *};

    #[test]
    fn an_object_named_twice_is_one_object_however_deep() {
        // x = (); then x = (x, x) thirty times: 2^30 tuples if each reference were a copy.
        let mut bytes = b"\x80\x02)q\x00".to_vec();
        for _ in 0..30 {
            bytes.extend(b"0h\x00h\x00\x86q\x00");
        }
        bytes.push(b'.');
        let pickle = Pickle::parse(&bytes).unwrap();
        let items = pickle.tuple(pickle.root()).unwrap();
        assert_eq!(items[0], items[1]);
    }

    #[test]
    fn a_dictionary_filled_after_it_was_memoized_is_recalled_full() {
        let pickle = Pickle::parse(b"\x80\x02}q\x01X\x01\x00\x00\x00aK\x07s0h\x01.").unwrap();
        let Object::Dict(entries) = pickle.get(pickle.root()) else {
            panic!("not a dictionary");
        };
        assert_eq!(pickle.text(entries[0].0), Some("a"));
        assert_eq!(pickle.size(entries[0].1), Some(7));
    }

    #[test]
    fn a_long_class_name_taken_over_and_over_is_kept_once() {
        // A text of 1 MB names the module and the name of ten thousand classes.
        let mut bytes = b"\x80\x02X\x00\x00\x10\x00".to_vec();
        bytes.resize(bytes.len() + (1 << 20), b'a');
        bytes.extend(b"q\x00");
        for _ in 0..10_000 {
            bytes.extend(b"h\x00h\x00\x930");
        }
        bytes.push(b'.');
        let pickle = Pickle::parse(&bytes).unwrap();
        let texts = pickle.objects.iter().filter_map(|object| match object {
            Object::Text(text) => Some(text.len()),
            _ => None,
        });
        assert_eq!(texts.sum::<usize>(), 1 << 20);
        assert_eq!(pickle.objects.len(), 10_001);
    }

    #[test]
    fn endless_instructions_are_rejected() {
        for instruction in [&b"("[..], b"N", b")2", b"N\x94", b"]"] {
            let mut bytes = b"\x80\x02N".to_vec();
            bytes.extend(instruction.repeat(MAX_INSTRUCTIONS + 1));
            bytes.extend(b"N.");
            let error = Pickle::parse(&bytes).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("more instructions than the limit of 4194304"),
                "{error}"
            );
        }
    }

    #[test]
    fn integers_of_every_width_are_read() {
        for (bytes, value) in [
            (&b"\x80\x02K\xff."[..], 255),
            (b"\x80\x02M\x00\x01.", 256),
            (b"\x80\x02J\xff\xff\xff\xff.", -1),
            (b"\x80\x02\x8a\x05\x00\x00\x00\x00\x01.", 1 << 32),
            (b"\x80\x02\x8a\x01\xfe.", -2),
            (b"\x80\x02\x8a\x00.", 0),
        ] {
            let pickle = Pickle::parse(bytes).unwrap();
            assert_eq!(*pickle.get(pickle.root()), Object::Int(value));
        }
    }

    #[test]
    fn damaged_pickles_are_errors() {
        for bytes in [
            &b""[..],
            b"\x80\x02",
            b"\x80\x00.",
            b".",
            b"\x80\x02h\x00.",
            b"\x80\x02X\xff\xff\xff\xffab.",
            b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
            b"\x80\x02}(K\x01u.",
            b"\x80\x02t.",
            b"\x80\x02(\x85.",
            b"\x80\x02\x86.",
            b"\x80\x02cmodule",
            b"\x80\x02K\x01K\x02\x93.",
            b"\x80\x02\xff.",
        ] {
            assert!(Pickle::parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
