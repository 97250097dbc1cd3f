//! The file from which a run resumes: weights, optimizer, moving average, progress and identity.
//!
//! `state.safetensors` has the tensors `model.*`, `ema.*`, `best.*` (the best weights of the finished epochs, only if a run
//! ended inside an epoch) and those of the optimizer; its metadata has [`RunIdentity`] and [`TrainProgress`] as JSON. Renaming it into
//! place commits everything that a run writes: `best/`, `last/` and `metrics.csv` can be restored from it.

use crate::error::{
    Error, Message, WithKind, command, error_with_hint, hint_of, one_line, setting,
};
use crate::message;
use crate::model::ModelConfig;
use crate::train::checkpoint::exact::Exact;
use crate::train::checkpoint::layout::SavedModel;
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::version_2;
use crate::train::error::diverged;
use crate::weights::metadata::STATE as KEY;
use crate::weights::{TrainingProvenance, write_safetensors};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use safetensors::{SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

/// The version of the format.
const VERSION: u64 = 3;

/// The identity of a run, which does not change while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunIdentity {
    /// The recipe with every key set, as TOML.
    pub recipe: String,
    /// The network.
    pub config: ModelConfig,
    /// The names of the classes.
    pub labels: Vec<String>,
    /// A fingerprint of the names and classes of the images: a run resumes with the same ones only.
    #[serde(rename = "pictures")]
    pub images: String,
    /// A fingerprint of the file sizes, to detect a changed image.
    pub sizes: String,
    /// A fingerprint of a sample of the images' contents, to detect one changed at the same size; `None` in the states of
    /// earlier versions.
    #[serde(default)]
    pub contents: Option<String>,
    /// The dataset as DATA, with an absolute path: a run can be resumed from another working folder.
    #[serde(rename = "place")]
    pub data: String,
    /// The class weights, so that a file of weights is not needed any more.
    pub class_weights: Option<Vec<Exact>>,
    /// The device: `cpu`, `cuda` or `metal`.
    pub device: String,
    /// The provenance of the pretrained model; `None` in the states of earlier versions.
    #[serde(default, rename = "begun_with")]
    pub pretrained_on: Option<TrainingProvenance>,
    /// The instruction set of a CPU, which decides the last bits; `None` in the states of earlier versions.
    #[serde(default)]
    pub instructions: Option<String>,
}

/// The state of a run.
#[derive(Debug)]
pub struct RunState {
    /// The identity of the run.
    pub identity: RunIdentity,
    /// The progress.
    pub progress: TrainProgress,
    /// The tensors.
    pub tensors: HashMap<String, Tensor>,
}

impl RunState {
    /// Moves the tensors to `device`.
    pub(in crate::train) fn on(mut self, device: &Device) -> candle_core::Result<Self> {
        for tensor in self.tensors.values_mut() {
            *tensor = tensor.to_device(device)?;
        }
        Ok(self)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    checksum: u32,
    identity: &'a RunIdentity,
    #[serde(rename = "standing")]
    progress: &'a TrainProgress,
}

#[derive(Deserialize)]
struct Read {
    /// `None` in the states of earlier versions.
    checksum: Option<u32>,
    identity: RunIdentity,
    #[serde(rename = "standing")]
    progress: TrainProgress,
}

/// Writes a state to `path` atomically.
///
/// # Errors
/// If a tensor has numbers that are not finite, from which no run could resume, or the file cannot be written; the existing
/// file stays then.
pub fn write(
    path: &Path,
    identity: &RunIdentity,
    progress: &TrainProgress,
    tensors: &[(String, Tensor)],
) -> Result<()> {
    for (name, tensor) in tensors {
        if !is_finite(tensor)? {
            return Err(diverged(&format!(
                "tensor `{name}` has infinite or NaN values after step {}",
                progress.step
            )));
        }
    }
    let written = serde_json::to_string(&Written {
        version: VERSION,
        checksum: checksum(
            tensors
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.data())),
        ),
        identity,
        progress,
    })?;
    let views: Vec<(String, &Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor))
        .collect();
    write_safetensors(path, &[(KEY, &written)], &views)
}

/// Returns a checksum of the names and bytes of tensors that does not depend on their order.
fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> u32 {
    let of_tensor = |(name, bytes): (&str, Cow<[u8]>)| {
        let mut sum = crc32fast::Hasher::new();
        sum.update(name.as_bytes());
        sum.update(&bytes);
        sum.finalize()
    };
    tensors.map(of_tensor).fold(0, u32::wrapping_add)
}

/// Returns whether all values of `tensor` are finite.
fn is_finite(tensor: &Tensor) -> Result<bool> {
    // 0 times infinity and 0 times NaN are NaN.
    let sum = (tensor.detach().flatten_all()? * 0.0)?.sum_all()?;
    let sum = sum.to_dtype(candle_core::DType::F32)?.to_scalar::<f32>()?;
    Ok(sum == 0.0)
}

/// Reads the state at `path`, with the tensors on `device`.
///
/// # Errors
/// If the file is missing, damaged, or of another version.
pub fn read(path: &Path, device: &Device) -> Result<RunState> {
    let context = || format!("cannot read `{}`", path.display());
    let bytes = std::fs::read(path).with_context(context)?;
    let state = parse(&bytes, folder_of(path))
        .map_err(|error| match hint_of(&error) {
            Some(_) => error,
            None => error_with_hint(
                format!("it is damaged or truncated ({})", one_line(&error)),
                message!["copy it again if it is a copy, or ", begin_anew(path)],
            ),
        })
        .with_kind(Error::DamagedWeights)
        .with_context(context)?;
    state.on(device).with_context(context)
}

/// Returns the hint of what to do without the state at `path`.
fn begin_anew(path: &Path) -> Message {
    let run = folder_of(path);
    let models = [SavedModel::Last, SavedModel::Best].map(|which| run.join(which.folder()));
    let Some(model) = models.iter().find(|model| model.is_dir()) else {
        return message!["start the run again: no epoch of it was finished"];
    };
    message![
        "start a new run from the model that this one saved, with `",
        setting("model").to(model.display()),
        "`",
    ]
}

/// Reads what the state at `path` says of its run, without the tensors.
///
/// # Errors
/// If the file is missing, damaged, or of another version.
pub fn read_header(path: &Path) -> Result<(RunIdentity, TrainProgress)> {
    let mut file = std::fs::File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let mut bytes = Vec::new();
    file.take(u64::from_le_bytes(length))
        .read_to_end(&mut bytes)?;
    let header: serde_json::Value = serde_json::from_slice(&bytes)?;
    let Read {
        identity, progress, ..
    } = parse_metadata(header["__metadata__"][KEY].as_str(), folder_of(path))?;
    Ok((identity, progress))
}

/// Returns the run folder of the state at `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Parses the metadata of a state in the folder `run`.
fn parse_metadata(text: Option<&str>, run: &Path) -> Result<Read> {
    let Some(text) = text else {
        return Err(error_with_hint(
            "it is not the state of a run",
            message![
                "pass a run folder of `",
                command("train"),
                "` to ",
                setting("resume"),
            ],
        ));
    };
    let value: serde_json::Value = serde_json::from_str(text)?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version == Some(2) {
        let best = value["standing"].get("ended_inside").cloned();
        let best = best.map(serde_json::from_value).transpose()?;
        let mut read: Read = serde_json::from_value(value)?;
        let provisional = version_2::provisional(run, &read.identity.recipe, &read.progress, best);
        read.progress.provisional = provisional;
        return Ok(read);
    }
    if version != Some(VERSION) {
        return Err(error_with_hint(
            format!(
                "it has version {}, and this program reads 2 and {VERSION}",
                version.map_or("none".to_owned(), |version| version.to_string())
            ),
            "resume the run with the version that started it, named in the first line of its config.toml",
        ));
    }
    Ok(serde_json::from_value(value)?)
}

pub(in crate::train) fn parse(bytes: &[u8], run: &Path) -> Result<RunState> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let text = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let Read {
        checksum: written,
        identity,
        progress,
    } = parse_metadata(text.map(String::as_str), run)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let found = checksum(
        tensors
            .iter()
            .map(|(name, tensor)| (name, tensor.data().into())),
    );
    ensure!(
        written.is_none_or(|written| written == found),
        "the checksum of its values does not match"
    );
    Ok(RunState {
        identity,
        progress,
        tensors: candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?,
    })
}

/// Returns the tensors of `all` whose names start with `prefix`, without the prefix.
pub(in crate::train) fn under(
    prefix: &str,
    all: &HashMap<String, Tensor>,
) -> HashMap<String, Tensor> {
    all.iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::best::Best;
    use crate::train::checkpoint::progress::EpochTotals;
    use crate::train::example::identity;
    use candle_core::DType;

    #[test]
    fn a_state_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let progress = TrainProgress {
            epoch: 3,
            batch: 7,
            step: u64::MAX,
            totals: EpochTotals {
                loss: Exact(0.1 + 0.2),
                lr: Exact(f64::MIN_POSITIVE / 3.0),
                ..EpochTotals::default()
            },
            best: Some(Best {
                epoch: 2,
                top1: Some(Exact(100.0 / 3.0)),
                loss: Some(Exact(0.1)),
                measure: Some(Exact(2.0 / 3.0)),
                since: Some(1),
            }),
            patient_since: 1,
            rows: vec!["1,2".into()],
            provisional: None,
        };
        let tensor = Tensor::new(&[1.0f32, -0.0, 1e-40], &Device::Cpu).unwrap();
        let tensors = [("model.x".to_owned(), tensor.clone())];
        write(&path, &identity(), &progress, &tensors).unwrap();
        let state = read(&path, &Device::Cpu).unwrap();
        assert_eq!(state.identity, identity());
        assert_eq!(state.progress, progress);
        let read = &under("model.", &state.tensors)["x"];
        let bits = |tensor: &Tensor| -> Vec<u32> {
            let values = tensor.to_vec1::<f32>().unwrap();
            values.into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(read), bits(&tensor));
    }

    #[test]
    fn numbers_that_are_not_finite_are_never_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for dtype in [DType::F32, DType::F64] {
                let tensor = Tensor::new(&[0.0, number], &Device::Cpu).unwrap();
                let tensors = [("model.x".to_owned(), tensor.to_dtype(dtype).unwrap())];
                let error =
                    write(&path, &identity(), &TrainProgress::default(), &tensors).unwrap_err();
                assert!(error.to_string().contains("tensor `model.x`"), "{error}");
                assert!(!path.exists());
            }
        }
    }

    #[test]
    fn a_changed_number_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let tensor = Tensor::arange(0f32, 100.0, &Device::Cpu).unwrap();
        let tensors = [("model.x".to_owned(), tensor)];
        write(&path, &identity(), &TrainProgress::default(), &tensors).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = format!("{:#}", read(&path, &Device::Cpu).unwrap_err());
        assert!(error.contains("damaged"), "{error}");
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensor = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        write_safetensors(&path, &[], &[("x".to_owned(), &tensor)]).unwrap();
        let error = format!("{:#}", read(&path, &Device::Cpu).unwrap_err());
        assert!(error.contains("not the state of a run"), "{error}");
        let other = [(KEY, "{\"version\": 4}")];
        write_safetensors(&path, &other, &[("x".to_owned(), &tensor)]).unwrap();
        let error = format!("{:#}", read(&path, &Device::Cpu).unwrap_err());
        assert!(error.contains("version 4"), "{error}");
        std::fs::write(&path, b"12345678").unwrap();
        assert!(read(&path, &Device::Cpu).is_err());
    }
}
