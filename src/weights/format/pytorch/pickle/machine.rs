//! The machine itself: a stack, marks on it, and a memo of objects by number.
//!
//! An instruction creates at most three objects and copies no text, and at most [`MAX_INSTRUCTIONS`] are run, so
//! memory is bounded: about 400 MB for the worst possible file, a few MB for a checkpoint. The instructions are
//! described in <https://github.com/python/cpython/blob/main/Lib/pickletools.py>; protocols 2 to 5 are supported.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

use super::object::{Id, Object};
use crate::{error::error_with_hint, weights::hints::DAMAGED};

/// Maximum number of instructions; a checkpoint of resnet152 with its optimizer has about fifty thousand.
pub const MAX_INSTRUCTIONS: usize = 1 << 22;

/// Runs the pickle at the start of `bytes`; returns its objects, the one that was pickled, and the length of the
/// pickle.
pub fn run(bytes: &[u8]) -> Result<(Vec<Object>, Id, usize)> {
    let mut machine = Machine {
        bytes,
        position: 0,
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_INSTRUCTIONS {
        let position = machine.position;
        let stop = machine.step().map_err(|error| {
            let message = format!("the pickle is damaged at byte {position}: {error:#}");
            error_with_hint(message, DAMAGED)
        })?;
        if let Some(root) = stop {
            return Ok((machine.objects, root, machine.position));
        }
    }
    Err(error_with_hint(
        format!("the pickle has more instructions than the limit of {MAX_INSTRUCTIONS}"),
        "save the weights alone: `torch.save(model.state_dict(), \"weights.pth\")`",
    ))
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    #[expect(clippy::too_many_lines, reason = "a table: one arm an instruction")]
    /// Runs one instruction; returns the pickled object at the last one.
    fn step(&mut self) -> Result<Option<Id>> {
        match self.take(1)?[0] {
            // PROTO
            0x80 => {
                let protocol = self.take(1)?[0];
                ensure!(
                    (2..=5).contains(&protocol),
                    "protocol {protocol} is not supported"
                );
            }
            // FRAME
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'N' => self.push(Object::None),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'K' => self.push_number(1)?,
            b'M' => self.push_number(2)?,
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(number.into()));
            }
            0x8a => self.push_long(1)?,
            0x8b => self.push_long(4)?,
            // BINFLOAT
            b'G' => {
                self.take(8)?;
                self.push(Object::Opaque);
            }
            0x8c | b'U' => self.push_text(1)?,
            b'X' | b'T' => self.push_text(4)?,
            0x8d => self.push_text(8)?,
            b'C' => self.push_bytes(1)?,
            b'B' => self.push_bytes(4)?,
            0x8e | 0x96 => self.push_bytes(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.push(Object::Tuple(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items));
            }
            count @ 0x85..=0x87 => {
                let items = self.pop_many(usize::from(count - 0x84))?;
                self.push(Object::Tuple(items));
            }
            b']' => self.push(Object::List(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Object::List(items));
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(&items)?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Dict(Vec::new()));
                self.set(&items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            // EMPTY_SET; FROZENSET: a set's items are of no use here.
            0x8f => self.push(Object::Opaque),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Object::Opaque);
            }
            b'c' => {
                let [module, name] =
                    [self.line()?, self.line()?].map(|text| self.add(Object::Text(text)));
                self.push(Object::Global(module, name));
            }
            // STACK_GLOBAL
            0x93 => {
                let [module, name] = self.pop_array()?;
                ensure!(
                    self.text(module).is_some() && self.text(name).is_some(),
                    "the name of a class is not a string"
                );
                self.push(Object::Global(module, name));
            }
            // REDUCE and NEWOBJ: a call is only noted.
            b'R' | 0x81 => {
                let [callable, args] = self.pop_array()?;
                self.call(callable, args);
            }
            // NEWOBJ_EX
            0x92 => {
                let [callable, args, _] = self.pop_array()?;
                self.call(callable, args);
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Object::Persistent(id));
            }
            // POP; BUILD: attributes of the object below (a state dict's `_metadata`), of no use here.
            b'0' | b'b' => drop(self.pop()?),
            // POP_MARK; ADDITEMS to a set, whose items are of no use here.
            b'1' | 0x90 => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'q' => {
                let key = self.take(1)?[0].into();
                self.memoize(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.memoize(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).context("too many objects")?;
                self.memoize(key)?;
            }
            b'h' => {
                let key = self.take(1)?[0].into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            other => bail!("unknown instruction 0x{other:02x}"),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let taken = self
            .bytes
            .get(self.position..)
            .and_then(|rest| rest.get(..count))
            .context("the pickle ends too early")?;
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    /// Reads an unsigned little-endian integer of `width` bytes.
    fn number(&mut self, width: usize) -> Result<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads a length of `width` bytes, and then that many bytes.
    fn take_prefixed(&mut self, width: usize) -> Result<&'a [u8]> {
        let count = usize::try_from(self.number(width)?)?;
        self.take(count)
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = &rest[..end.context("the pickle ends too early")?];
        self.position += line.len() + 1;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn push(&mut self, object: Object) {
        let id = self.add(object);
        self.stack.push(id);
    }

    /// Stores an object without pushing it onto the stack.
    fn add(&mut self, object: Object) -> Id {
        self.objects.push(object);
        self.objects.len() - 1
    }

    fn push_number(&mut self, width: usize) -> Result<()> {
        let number = i64::try_from(self.number(width)?)?;
        self.push(Object::Int(number));
        Ok(())
    }

    /// Pushes a signed little-endian integer whose length in bytes precedes it as a number of `width` bytes.
    fn push_long(&mut self, width: usize) -> Result<()> {
        let digits = self.take_prefixed(width)?;
        self.push(match digits.last() {
            None => Object::Int(0),
            Some(_) if digits.len() > 8 => Object::Opaque,
            Some(last) => {
                let mut bytes = [if *last < 0x80 { 0 } else { 0xff }; 8];
                bytes[..digits.len()].copy_from_slice(digits);
                Object::Int(i64::from_le_bytes(bytes))
            }
        });
        Ok(())
    }

    fn push_text(&mut self, width: usize) -> Result<()> {
        let text = String::from_utf8_lossy(self.take_prefixed(width)?).into_owned();
        self.push(Object::Text(text));
        Ok(())
    }

    fn push_bytes(&mut self, width: usize) -> Result<()> {
        self.take_prefixed(width)?;
        self.push(Object::Opaque);
        Ok(())
    }

    /// Records a call; `OrderedDict` and `defaultdict` become dictionaries.
    fn call(&mut self, callable: Id, args: Id) {
        let dictionary = matches!(self.objects[callable], Object::Global(module, name)
            if self.text(module) == Some("collections")
                && matches!(self.text(name), Some("OrderedDict" | "defaultdict")));
        self.push(if dictionary {
            Object::Dict(Vec::new())
        } else {
            Object::Call { callable, args }
        });
    }

    fn text(&self, id: Id) -> Option<&str> {
        match &self.objects[id] {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > floor, "an object is missing");
        Ok(self.stack[self.stack.len() - 1])
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() >= floor + count, "an object is missing");
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_array<const N: usize>(&mut self) -> Result<[Id; N]> {
        let items = self.pop_many(N)?;
        Ok(std::array::from_fn(|i| items[i]))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().context("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    /// Appends to the list on top of the stack; items of another class (a `deque`) are ignored.
    fn append(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        if let Object::List(list) = &mut self.objects[top] {
            list.extend(items);
        }
        Ok(())
    }

    /// Sets keys and values of the dictionary on top of the stack; those of another class are ignored.
    fn set(&mut self, items: &[Id]) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        ensure!(rest.is_empty(), "a dictionary's key has no value");
        let top = self.top()?;
        if let Object::Dict(entries) = &mut self.objects[top] {
            entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        }
        Ok(())
    }

    fn memoize(&mut self, key: u32) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let id = self
            .memo
            .get(&key)
            .context("an unknown object is referenced")?;
        self.stack.push(*id);
        Ok(())
    }
}
