//! Checkpoints saved by `torch.save`: a zip archive of one pickle, `data.pkl`, and one uncompressed entry per storage;
//! or the format from before `PyTorch` 1.6, [`super::legacy`].
//!
//! A tensor is a view of a storage (offset, shape, strides), so transposed, channels-last, tied and sliced tensors are
//! all read. The checksum of a storage is verified if present. The state dict may be nested in a dictionary with other
//! entries, as training scripts save it.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};

use super::{
    legacy::LegacyStorages,
    pickle::{Id, MAX_LENGTH, Object, Pickle, call},
    tensor_view::{TensorView, parse_tensor_view},
    zip::ZipDirectory,
};
use crate::error::{error_with_hint, hint_of};
use crate::weights::format::tensor_info::TensorInfo;
use crate::weights::hints::{BIG_ENDIAN, STATE_DICT};

/// Keys under which training scripts save a state dict, the most likely first.
const WRAPPERS: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "module",
    "network",
    "weights",
    "params",
    "model_state",
];
/// Maximum nesting depth of a state dict inside dictionaries.
const MAX_DEPTH: usize = 4;

/// An open checkpoint.
pub struct TorchArchive {
    storages: Storages,
    views: BTreeMap<String, TensorView>,
    /// Name and bytes of the storage that was read last, if several tensors share it.
    shared: Mutex<Option<(String, Vec<u8>)>>,
}

/// Location of the tensors' data.
enum Storages {
    Zip {
        directory: ZipDirectory,
        /// Folder of the entries inside the archive.
        folder: String,
    },
    Legacy(LegacyStorages),
}

impl TorchArchive {
    /// Reads the contents of the zip archive in `file` without the tensor data. Also returns notes on what was
    /// selected.
    pub fn open(file: File) -> Result<(Self, Vec<String>)> {
        let directory = ZipDirectory::read(file)?;
        if directory
            .names()
            .any(|name| name.ends_with("constants.pkl"))
        {
            return Err(error_with_hint(
                "it is a TorchScript archive, a program with its weights",
                "in Python: `torch.save(torch.jit.load(file).state_dict(), \"weights.pth\")`",
            ));
        }
        let mut names = directory.names();
        let Some(folder) = names.find_map(|name| Some(name.strip_suffix("data.pkl")?.to_owned()))
        else {
            return Err(error_with_hint(
                "it is a zip archive without `data.pkl`, so it was not written by `torch.save`",
                STATE_DICT,
            ));
        };
        let order = format!("{folder}byteorder");
        if directory.contains(&order) {
            let little = directory.read_entry(&order, 16)? == b"little";
            if !little {
                return Err(error_with_hint("its numbers are big-endian", BIG_ENDIAN));
            }
        }
        let bytes = directory.read_entry(&format!("{folder}data.pkl"), MAX_LENGTH)?;
        drop(names);
        let pickle = Pickle::parse(&bytes)?;
        Self::from_pickle(&pickle, Storages::Zip { directory, folder })
    }

    /// Reads the contents of the checkpoint in `file`, in the format from before `PyTorch` 1.6.
    pub fn open_legacy(file: File) -> Result<(Self, Vec<String>)> {
        let (legacy, pickle) = LegacyStorages::open(file)?;
        Self::from_pickle(&pickle, Storages::Legacy(legacy))
    }

    fn from_pickle(pickle: &Pickle, storages: Storages) -> Result<(Self, Vec<String>)> {
        let (tensors, notes) = find_state_dict(pickle)?;
        let mut views = BTreeMap::new();
        for (name, id) in tensors {
            let view = parse_tensor_view(pickle, id)
                .map_err(|error| match hint_of(&error) {
                    Some(_) => error,
                    None => error_with_hint(format!("{error:#}"), STATE_DICT),
                })
                .with_context(|| format!("tensor `{name}`"))?;
            // A key set twice keeps its last value, as in Python.
            views.insert(name.to_owned(), view);
        }
        let archive = Self {
            storages,
            views,
            shared: Mutex::default(),
        };
        Ok((archive, notes))
    }

    /// Returns the shape and type of each tensor, by name.
    pub fn infos(&self) -> BTreeMap<String, TensorInfo> {
        let infos = self.views.iter();
        infos
            .map(|(name, view)| (name.clone(), view.info.clone()))
            .collect()
    }

    /// Returns the elements of the tensor `name`: contiguous, row-major, little-endian.
    pub fn read_tensor(&self, name: &str) -> Result<Vec<u8>> {
        let view = self.views.get(name).context("no such tensor")?;
        let context = || format!("tensor `{name}`");
        let views = self.views.values();
        let sharing = views.filter(|other| other.storage == view.storage);
        if sharing.count() == 1 {
            let storage = self.storages.read(&view.storage)?;
            return view.extract(storage).with_context(context);
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared
            .as_ref()
            .is_none_or(|(name, _)| *name != view.storage)
        {
            *shared = None;
            *shared = Some((view.storage.clone(), self.storages.read(&view.storage)?));
        }
        let (_, storage) = shared.as_ref().expect("it was read above");
        view.gather(storage).with_context(context)
    }
}

impl Storages {
    /// Reads the data of the storage `name`.
    fn read(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Zip { directory, folder } => {
                directory.read_entry(&format!("{folder}data/{name}"), u64::MAX)
            }
            Self::Legacy(legacy) => legacy.read_storage(name),
        }
    }
}

/// The tensors of a state dict by name, and the key under which it was found.
type FoundStateDict<'a> = (NamedObjects<'a>, Option<&'a str>);
/// Objects by name.
type NamedObjects<'a> = Vec<(&'a str, Id)>;

/// Returns the tensors of a checkpoint by name, and notes on what was skipped.
fn find_state_dict(pickle: &Pickle) -> Result<(NamedObjects<'_>, Vec<String>)> {
    let (tensors, key) = find_below(pickle, pickle.root(), MAX_DEPTH, &mut HashSet::new())?;
    let mut notes = Vec::new();
    if let (Object::Dict(entries), Some(key)) = (pickle.get(pickle.root()), key) {
        let average = entries.iter().find_map(|&(name, value)| {
            let name = pickle.text(name)?;
            let nested = matches!(pickle.get(value), Object::Dict(entries) if !entries.is_empty());
            (nested && name != key && name.to_lowercase().contains("ema")).then_some(name)
        });
        if let Some(average) = average {
            notes.push(format!(
                "the checkpoint holds `{key}`, which is loaded, and `{average}`, which is not; to load `{average}`: `torch.save(torch.load(file)[\"{average}\"], \"average.pth\")`"
            ));
        }
    }
    Ok((tensors, notes))
}

/// Finds the state dict at or below `id`; returns its tensors and the key under which it was found. No dictionary is
/// visited twice, however often it is referenced.
fn find_below<'a>(
    pickle: &'a Pickle,
    id: Id,
    depth: usize,
    visited: &mut HashSet<Id>,
) -> Result<FoundStateDict<'a>> {
    let entries = match pickle.get(id) {
        Object::Dict(entries) if depth > 0 && visited.insert(id) => entries,
        Object::Call { .. } if !is_tensor(pickle, id) => {
            return Err(whole_object_error(pickle, id));
        }
        _ => {
            return Err(error_with_hint("it holds no state dict", STATE_DICT));
        }
    };
    let named = || {
        entries
            .iter()
            .filter_map(|&(key, value)| Some((pickle.text(key)?, value)))
    };
    for wrapper in WRAPPERS {
        let Some((key, value)) = named().rfind(|(key, _)| *key == wrapper) else {
            continue;
        };
        match pickle.get(value) {
            Object::Dict(_) => {
                if let Ok((tensors, _)) = find_below(pickle, value, depth - 1, visited) {
                    return Ok((tensors, Some(key)));
                }
            }
            Object::Call { .. } if !is_tensor(pickle, value) => {
                return Err(whole_object_error(pickle, value));
            }
            _ => {}
        }
    }
    let tensors: Vec<_> = named()
        .filter(|(_, value)| is_tensor(pickle, *value))
        .collect();
    if !tensors.is_empty() {
        return Ok((tensors, None));
    }
    let mut nested = named()
        .filter(|(_, value)| matches!(pickle.get(*value), Object::Dict(_)))
        .filter_map(|(key, value)| {
            Some((key, find_below(pickle, value, depth - 1, visited).ok()?.0))
        });
    match (nested.next(), nested.next()) {
        (Some((key, tensors)), None) => Ok((tensors, Some(key))),
        (Some((first, _)), Some((second, _))) => Err(error_with_hint(
            format!("it holds several state dicts, including `{first}` and `{second}`"),
            "save the one you need: `torch.save(checkpoint[\"..\"], \"weights.pth\")`",
        )),
        (None, _) => Err(error_with_hint("it holds no state dict", STATE_DICT)),
    }
}

fn is_tensor(pickle: &Pickle, id: Id) -> bool {
    call(pickle, id).is_some_and(|(module, name, _)| {
        module.starts_with("torch._") && name.starts_with("_rebuild")
    })
}

fn whole_object_error(pickle: &Pickle, id: Id) -> anyhow::Error {
    let class = call(pickle, id).map_or_else(String::new, |(module, name, args)| {
        // Protocol 2 makes an object by its class, older ones by `copyreg._reconstructor(class, ..)`.
        let (module, name) = match args.first().and_then(|id| pickle.global(*id)) {
            Some(class) if module.starts_with("copy") => class,
            _ => (module, name),
        };
        format!(" `{module}.{name}`")
    });
    error_with_hint(
        format!("it holds a whole pickled object{class}, which is a program, not weights"),
        STATE_DICT,
    )
}
