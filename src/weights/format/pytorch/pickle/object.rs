//! Objects of a pickle as plain data.

/// Index of an object in its [`Pickle`](super::Pickle).
pub type Id = usize;

/// One object of a pickle. Its children are referenced by [`Id`], so that shared objects stay shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A string.
    Text(String),
    /// An object that no state dict needs: a float, bytes, a set, a large integer.
    Opaque,
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A `dict` or `collections.OrderedDict`, in insertion order.
    Dict(Vec<(Id, Id)>),
    /// A class or function: its module and its name, both strings.
    Global(Id, Id),
    /// The result of a call or of instantiating a class.
    Call {
        /// The class or function.
        callable: Id,
        /// Its arguments, a tuple.
        args: Id,
    },
    /// An object stored outside the pickle: a storage.
    Persistent(Id),
}
