//! The one file that a run resumes from: weights, optimiser, moving average, where the run stands and what it is.
//!
//! `state.safetensors` holds tensors named `model.*`, `ema.*`, `best.*` (only where a run ended inside an epoch: the best
//! weights of the finished ones) and the optimiser's own; its metadata holds [`Identity`] and [`Standing`] as JSON. Its
//! rename is the commit of everything a run writes: `best/`, `last/` and `metrics.csv` are made again from it.

use super::folder::Which;
use crate::error::{hint_of, hinted, one_line};
use crate::model::ModelConfig;
use crate::weights::{RunNote, STATE_KEY as KEY, write_safetensors};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use safetensors::{SafeTensors, View};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// The version of the format.
const VERSION: u64 = 2;

/// A number that comes back with the same bits, which JSON's decimals do not promise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:016x}", self.0.to_bits()))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bits = u64::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        Ok(Self(f64::from_bits(bits)))
    }
}

/// What a run is: it does not change while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The recipe with every answer, as TOML.
    pub recipe: String,
    /// The net.
    pub config: ModelConfig,
    /// One name a class.
    pub labels: Vec<String>,
    /// What the names and classes of the data set's pictures add up to: a run goes on with these alone.
    pub pictures: String,
    /// What the sizes of their files add up to, so that a changed picture is noticed.
    pub sizes: String,
    /// What a sample of the pictures' contents adds up to, so that one changed at the same size is noticed; nothing in the
    /// states of earlier programs.
    #[serde(default)]
    pub contents: Option<String>,
    /// The data set as DATA writes it, its folder from the root: a run may go on from another working folder.
    pub place: String,
    /// How the classes weigh in the loss, so that a file of weights need not be there any more.
    pub class_weights: Option<Vec<Exact>>,
    /// Where it computes: `cpu`, `cuda` or `metal`.
    pub device: String,
    /// What the model that the run began with had seen; nothing in the states of earlier programs.
    #[serde(default)]
    pub begun_with: Option<RunNote>,
    /// The instruction set of a CPU, whose bits are its own; nothing in the states of earlier programs.
    #[serde(default)]
    pub instructions: Option<String>,
}

/// What an epoch's batches added up to so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// The pictures' losses.
    pub loss: Exact,
    /// Pictures recognised.
    pub correct: u64,
    /// Pictures.
    pub images: u64,
    /// Wall time in seconds.
    pub seconds: Exact,
    /// The learning rate of the last step.
    pub lr: Exact,
}

impl Sums {
    /// Pictures recognised, in percent.
    pub fn top1(&self) -> f64 {
        100.0 * self.correct as f64 / self.images as f64
    }
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// From 1.
    pub epoch: u64,
    /// Validation pictures recognised, in percent; nothing where there are none.
    pub top1: Option<Exact>,
}

/// Where a run stands, between two steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Epochs that are finished.
    pub epoch: u64,
    /// Batches of the next epoch that are done.
    pub batch: usize,
    /// Steps over the whole run.
    pub step: u64,
    /// What these batches added up to.
    pub sums: Sums,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// The finished epochs from which on those without a better one count: a run that they ended may go on.
    pub patient_since: u64,
    /// The lines of `metrics.csv`.
    pub rows: Vec<String>,
}

/// A run's whole state.
#[derive(Debug)]
pub struct State {
    /// What the run is.
    pub identity: Identity,
    /// Where it stands.
    pub standing: Standing,
    /// Its tensors.
    pub tensors: HashMap<String, Tensor>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    checksum: u32,
    identity: &'a Identity,
    standing: &'a Standing,
}

#[derive(Deserialize)]
struct Read {
    /// Nothing in the states of earlier programs.
    checksum: Option<u32>,
    identity: Identity,
    standing: Standing,
}

/// Writes a state to `path`, whole or not at all.
///
/// # Errors
/// A tensor with numbers that are not finite, which nothing could go on from, and a file that cannot be written; the file
/// that was there before stays then.
pub fn write(
    path: &Path,
    identity: &Identity,
    standing: &Standing,
    tensors: &[(String, Tensor)],
) -> Result<()> {
    for (name, tensor) in tensors {
        if !is_finite(tensor)? {
            return Err(diverged(&format!(
                "tensor `{name}` holds numbers that are infinite or not a number after step {}",
                standing.step
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
        standing,
    })?;
    let views: Vec<(String, &Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor))
        .collect();
    write_safetensors(path, &[(KEY, &written)], &views)
}

/// What names and bytes of tensors add up to, in whatever order they come.
fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> u32 {
    let of_tensor = |(name, bytes): (&str, Cow<[u8]>)| {
        let mut sum = crc32fast::Hasher::new();
        sum.update(name.as_bytes());
        sum.update(&bytes);
        sum.finalize()
    };
    tensors.map(of_tensor).fold(0, u32::wrapping_add)
}

/// Whether every number of `tensor` is finite.
fn is_finite(tensor: &Tensor) -> Result<bool> {
    // 0 times infinity and 0 times NaN are NaN.
    let sum = (tensor.detach().flatten_all()? * 0.0)?.sum_all()?;
    let sum = sum.to_dtype(candle_core::DType::F32)?.to_scalar::<f32>()?;
    Ok(sum == 0.0)
}

/// The error of a run whose numbers left the finite ones.
pub fn diverged(what: &str) -> anyhow::Error {
    hinted(
        format!("training diverged: {what}"),
        "try a lower --lr, a longer --warmup-epochs or --clip-grad 1; what was saved before is untouched",
    )
}

/// Reads the state at `path`, its tensors on `device`.
///
/// # Errors
/// A file that is missing, damaged, or of another version.
pub fn read(path: &Path, device: &Device) -> Result<State> {
    let context = || format!("cannot read `{}`", path.display());
    let bytes = std::fs::read(path).with_context(context)?;
    let mut state = parse(&bytes)
        .map_err(|error| match hint_of(&error) {
            Some(_) => error,
            None => hinted(
                format!("it is damaged or cut short ({})", one_line(&error)),
                format!("copy it again where it is a copy, or {}", begin_anew(path)),
            ),
        })
        .with_context(context)?;
    for tensor in state.tensors.values_mut() {
        *tensor = tensor.to_device(device).with_context(context)?;
    }
    Ok(state)
}

/// The way on without the state at `path`.
fn begin_anew(path: &Path) -> String {
    let run = path.parent().unwrap_or(Path::new(""));
    let mut models = [Which::Last, Which::Best]
        .map(|which| run.join(which.folder()))
        .into_iter();
    match models.find(|model| model.is_dir()) {
        Some(model) => format!(
            "begin a new run from the model that this one saved, by `-m {}`",
            model.display()
        ),
        None => "begin the run anew: no epoch of it was finished".to_owned(),
    }
}

fn parse(bytes: &[u8]) -> Result<State> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let text = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let Some(text) = text else {
        return Err(hinted(
            "it is no state of a run",
            "`--resume` takes a run folder that `resnet train` wrote",
        ));
    };
    let value: serde_json::Value = serde_json::from_str(text)?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(VERSION) {
        return Err(hinted(
            format!(
                "it has version {}, and this program reads {VERSION}",
                version.map_or("none".to_owned(), |version| version.to_string())
            ),
            "resume the run with the program that began it, which the first line of its config.toml names",
        ));
    }
    let Read {
        checksum: written,
        identity,
        standing,
    } = serde_json::from_value(value)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let found = checksum(
        tensors
            .iter()
            .map(|(name, tensor)| (name, tensor.data().into())),
    );
    ensure!(
        written.is_none_or(|written| written == found),
        "its numbers are not those that were written"
    );
    Ok(State {
        identity,
        standing,
        tensors: candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?,
    })
}

/// The tensors of `all` whose names begin with `prefix`, without it.
pub(super) fn under(prefix: &str, all: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    all.iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn identity() -> Identity {
        Identity {
            recipe: "lr = 0.1\n".into(),
            config: ModelConfig::named("resnet20").unwrap(),
            labels: vec!["a \"b\"".into(), "고양이".into()],
            pictures: "x".into(),
            sizes: "y".into(),
            place: "/pictures".into(),
            class_weights: Some(vec![Exact(0.1), Exact(1.0 / 3.0)]),
            device: "cpu".into(),
            contents: Some("z".into()),
            instructions: None,
            begun_with: None,
        }
    }

    #[test]
    fn a_state_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let standing = Standing {
            epoch: 3,
            batch: 7,
            step: u64::MAX,
            sums: Sums {
                loss: Exact(0.1 + 0.2),
                lr: Exact(f64::MIN_POSITIVE / 3.0),
                ..Sums::default()
            },
            best: Some(Best {
                epoch: 2,
                top1: Some(Exact(100.0 / 3.0)),
            }),
            patient_since: 1,
            rows: vec!["1,2".into()],
        };
        let tensor = Tensor::new(&[1.0f32, -0.0, 1e-40], &Device::Cpu).unwrap();
        let tensors = [("model.x".to_owned(), tensor.clone())];
        write(&path, &identity(), &standing, &tensors).unwrap();
        let state = read(&path, &Device::Cpu).unwrap();
        assert_eq!(state.identity, identity());
        assert_eq!(state.standing, standing);
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
                let error = write(&path, &identity(), &Standing::default(), &tensors).unwrap_err();
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
        write(&path, &identity(), &Standing::default(), &tensors).unwrap();
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
        assert!(error.contains("no state of a run"), "{error}");
        let other = [(KEY, "{\"version\": 3}")];
        write_safetensors(&path, &other, &[("x".to_owned(), &tensor)]).unwrap();
        let error = format!("{:#}", read(&path, &Device::Cpu).unwrap_err());
        assert!(error.contains("version 3"), "{error}");
        std::fs::write(&path, b"12345678").unwrap();
        assert!(read(&path, &Device::Cpu).is_err());
    }
}
