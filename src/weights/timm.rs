//! timm's `config.json`: `pretrained_cfg`, the older flat form, and the form that `resnet` writes, which adds the key
//! `resnet` with the whole [`ModelConfig`].

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    card::Card,
    configuration::{Configuration, imagenet_statistics, validate},
    labels,
};
use crate::{
    error::hinted,
    model::{BlockKind, CropMode, Interpolation, ModelConfig, Preprocess, StemKind},
};

/// Arguments of timm's models that change nothing in evaluation.
const HARMLESS: [&str; 10] = [
    "num_classes",
    "in_chans",
    "output_stride",
    "global_pool",
    "drop_rate",
    "drop_path_rate",
    "drop_block_rate",
    "zero_init_last",
    "pretrained",
    "checkpoint_path",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pretrained {
    input_size: Option<[usize; 3]>,
    test_input_size: Option<[usize; 3]>,
    interpolation: Option<String>,
    crop_pct: Option<f64>,
    test_crop_pct: Option<f64>,
    crop_mode: Option<String>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
struct Timm {
    architecture: Option<String>,
    num_classes: Option<usize>,
    global_pool: Option<String>,
    model_args: Option<Map<String, Value>>,
    #[serde(alias = "labels")]
    label_names: Option<Vec<String>>,
    label_descriptions: Option<Map<String, Value>>,
    pretrained_cfg: Option<Pretrained>,
    resnet: Option<ModelConfig>,
    #[serde(flatten)]
    flat: Pretrained,
}

/// Whether the JSON is a model's configuration in timm's form.
pub fn recognises(value: &Value) -> bool {
    ["architecture", "pretrained_cfg", "resnet"]
        .iter()
        .any(|key| value.get(key).is_some())
}

/// Reads the configuration, found in `source`.
pub fn read(source: &str, value: &Value) -> Result<Configuration> {
    let timm: Timm = serde_json::from_value(value.clone())?;
    let arguments = timm.model_args.clone().unwrap_or_default();
    let number = |key: &str| arguments.get(key).and_then(Value::as_u64);
    let mut classes = timm
        .num_classes
        .or(number("num_classes").map(|n| n as usize));
    let mut knows_in_channels = true;
    let config = if let Some(config) = &timm.resnet {
        config.validate().context("key `resnet`")?;
        classes = Some(config.classes);
        Some(config.clone())
    } else if let Some(name) = &timm.architecture {
        let mut config = architecture(name).ok_or_else(|| unknown(name))?;
        check_arguments(&timm, &arguments)?;
        if let Some(classes) = classes {
            config.classes = classes;
        }
        knows_in_channels = number("in_chans").is_some();
        config.in_channels = number("in_chans").map_or(3, |channels| channels as usize);
        dilate(&mut config, number("output_stride"))?;
        config.validate()?;
        Some(config)
    } else {
        None
    };
    let mut notes = Vec::new();
    let preprocess = preprocess(timm.pretrained_cfg.unwrap_or(timm.flat), &mut notes)?;
    Ok(Configuration {
        source: source.to_owned(),
        config,
        knows_in_channels,
        classes,
        labels: shown(
            timm.label_names.unwrap_or_default(),
            timm.label_descriptions,
        ),
        preprocess,
        notes,
    })
}

/// The net that timm builds under `name` (without a tag), where it is one of the family.
pub fn architecture(name: &str) -> Option<ModelConfig> {
    let name = name.split('.').next()?;
    let name = ["tv_", "ssl_", "swsl_", "ig_"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let with_blocks = |blocks: [usize; 4]| {
        ModelConfig::from_depth(50).map(|config| ModelConfig {
            blocks: blocks.to_vec(),
            ..config
        })
    };
    match name {
        "resnet26" => with_blocks([2, 2, 2, 2]),
        "resnet200" => with_blocks([3, 24, 36, 3]),
        "resnext101_32x4d" | "resnext101_32x16d" | "resnext101_32x32d" | "resnext101_32x48d" => {
            let width = name.strip_prefix("resnext101_32x")?.strip_suffix('d')?;
            Some(ModelConfig {
                width_per_group: width.parse().ok()?,
                ..ModelConfig::named("resnext101_32x8d")?
            })
        }
        // timm has none of the paper's CIFAR nets.
        _ => ModelConfig::named(name).filter(|config| config.stem == StemKind::Imagenet),
    }
}

fn unknown(name: &str) -> anyhow::Error {
    hinted(
        format!("architecture `{name}` is not one of the family"),
        "the nets are resnet18, 26, 34, 50, 101, 152 and 200, resnext50_32x4d, resnext101_32x8d, resnext101_64x4d, wide_resnet50_2 and wide_resnet101_2",
    )
}

/// Refuses arguments under which timm builds another net.
fn check_arguments(timm: &Timm, arguments: &Map<String, Value>) -> Result<()> {
    if let Some(key) = arguments
        .keys()
        .find(|key| !HARMLESS.contains(&key.as_str()))
    {
        bail!("`model_args` has `{key}`, under which timm builds a net that is not built here");
    }
    let argument = arguments.get("global_pool").and_then(Value::as_str);
    match argument.or(timm.global_pool.as_deref()) {
        None | Some("avg") => Ok(()),
        Some(other) => bail!("`global_pool` is `{other}`: only `avg` is built"),
    }
}

/// Replaces strides by dilation so that features are `output_stride` times smaller than the picture.
fn dilate(config: &mut ModelConfig, output_stride: Option<u64>) -> Result<()> {
    match output_stride {
        None | Some(32) => {}
        Some(16) => config.dilated = vec![false, false, false, true],
        Some(8) => config.dilated = vec![false, false, true, true],
        Some(other) => bail!("`output_stride` is {other}: it is 8, 16 or 32"),
    }
    Ok(())
}

/// timm's preprocessing; what is absent is bicubic, .875, centre and `ImageNet`'s statistics.
fn preprocess(given: Pretrained, notes: &mut Vec<String>) -> Result<Preprocess> {
    let [mean, std] = imagenet_statistics();
    let size = given
        .input_size
        .map_or([224, 224], |[_, height, width]| [height, width]);
    let test_size = given
        .test_input_size
        .map(|[_, height, width]| [height, width]);
    let preprocess = Preprocess {
        size,
        crop_pct: given.crop_pct.unwrap_or(0.875),
        crop_mode: match given.crop_mode.as_deref() {
            None | Some("center") => CropMode::Center,
            Some("squash") => CropMode::Squash,
            Some("border") => CropMode::Border,
            Some(other) => bail!("`crop_mode` is `{other}`: it is center, squash or border"),
        },
        interpolation: match given.interpolation.as_deref() {
            None | Some("bicubic" | "random" | "") => Interpolation::Bicubic,
            Some("bilinear") => Interpolation::Bilinear,
            Some(other) => {
                notes.push(format!(
                    "the model asks for the interpolation `{other}`, which is not built: bicubic is used"
                ));
                Interpolation::Bicubic
            }
        },
        mean: given.mean.unwrap_or(mean),
        std: given.std.unwrap_or(std),
        test_size: test_size.filter(|test| *test != size),
        test_crop_pct: given.test_crop_pct,
    };
    validate(&preprocess)?;
    Ok(preprocess)
}

/// The names to show: a label's description where there is one. `ImageNet`'s synsets name nothing that people read, so without
/// descriptions they count as no names.
fn shown(names: Vec<String>, descriptions: Option<Map<String, Value>>) -> Vec<String> {
    let descriptions = descriptions.unwrap_or_default();
    let synset = |name: &String| {
        let digits = name.strip_prefix('n').unwrap_or_default();
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if names.len() == 1000
        && descriptions.is_empty()
        && names.is_sorted()
        && names.iter().all(synset)
    {
        return Vec::new();
    }
    labels::named(names)
        .into_iter()
        .map(|name| {
            let described = descriptions.get(&name).and_then(Value::as_str);
            described.map_or(name, str::to_owned)
        })
        .collect()
}

/// `card` in timm's form, so that timm loads the nets that it has, with the key `resnet` for all of them.
pub fn write(card: &Card) -> Value {
    let Preprocess {
        size,
        crop_pct,
        crop_mode,
        interpolation,
        mean,
        std,
        test_size,
        test_crop_pct,
    } = &card.preprocess;
    let config = &card.config;
    let sized = |[height, width]: &[usize; 2]| json!([config.in_channels, height, width]);
    let mut pretrained = json!({
        "input_size": sized(size),
        "interpolation": interpolation,
        "crop_pct": crop_pct,
        "crop_mode": crop_mode,
        "mean": decimals(mean),
        "std": decimals(std),
        "num_classes": config.classes,
        "pool_size": [7, 7],
        "first_conv": "conv1",
        "classifier": "fc",
    });
    if let Some(size) = test_size {
        pretrained["test_input_size"] = sized(size);
    }
    if let Some(crop) = test_crop_pct {
        pretrained["test_crop_pct"] = json!(crop);
    }
    let mut value = json!({
        "architecture": architecture_name(config),
        "num_classes": config.classes,
        "num_features": config.features(),
        "global_pool": "avg",
    });
    if config.in_channels != 3 {
        value["model_args"] = json!({ "in_chans": config.in_channels });
    }
    if !card.labels.is_empty() {
        value["label_names"] = json!(card.labels);
    }
    value["pretrained_cfg"] = pretrained;
    value["resnet"] = json!(config);
    value
}

/// The shortest decimals that mean the same numbers: .485 rather than .48500001430511475.
fn decimals(values: &[f32]) -> Vec<f64> {
    let decimal = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
    values.iter().map(decimal).collect()
}

/// timm's name of the net; for a net that timm lacks one of our own, which timm does not know.
fn architecture_name(config: &ModelConfig) -> String {
    let Some(name) = config.name() else {
        let layers = match config.block {
            BlockKind::Basic => 2,
            BlockKind::Bottleneck => 3,
        };
        let depth = 2 + layers * config.blocks.iter().sum::<usize>();
        return format!("resnet{depth}_custom");
    };
    let usual = ModelConfig::named(name).is_some_and(|named| named.stem == config.stem);
    match config.stem {
        _ if usual => name.to_owned(),
        StemKind::Cifar => format!("{name}_cifar"),
        StemKind::Imagenet => format!("{name}_imagenet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(config: ModelConfig) -> Card {
        Card {
            name: "x".into(),
            labels: vec!["a".into(); config.classes],
            config,
            preprocess: Preprocess {
                size: [176, 176],
                test_size: Some([224, 224]),
                test_crop_pct: Some(0.965),
                ..Preprocess::default()
            },
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for name in crate::model::config::NAMES {
            let mut config = ModelConfig::named(name).unwrap();
            config.classes = 3;
            let card = card(config);
            let read = read("config.json", &write(&card)).unwrap();
            assert_eq!(read.config.as_ref(), Some(&card.config));
            assert_eq!(read.labels, card.labels);
            assert_eq!(read.preprocess, card.preprocess);
            assert_eq!(
                write(&card)["pretrained_cfg"]["std"],
                json!([0.229, 0.224, 0.225])
            );
        }
    }

    #[test]
    fn timm_is_promised_only_the_nets_that_it_builds() {
        let named = |config: &ModelConfig| write(&card(config.clone()))["architecture"].clone();
        let mut config = ModelConfig::named("resnet50").unwrap();
        assert_eq!(named(&config), "resnet50");
        config.stem = StemKind::Cifar;
        assert_eq!(named(&config), "resnet50_cifar");
        assert_eq!(named(&config.with_width(8)), "resnet50_custom");
        assert_eq!(named(&ModelConfig::named("resnet20").unwrap()), "resnet20");
        assert_eq!(named(&architecture("resnet26").unwrap()), "resnet26_custom");
    }

    #[test]
    fn the_pretrained_and_the_flat_form_mean_the_same() {
        let inner = json!({"input_size": [3, 176, 176], "test_input_size": [3, 224, 224], "interpolation": "bilinear",
            "crop_pct": 0.875, "test_crop_pct": 0.965, "crop_mode": "center", "num_classes": 1000, "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5], "first_conv": "conv1", "classifier": "fc", "tag": "tv2_in1k", "url": null});
        let nested = json!({"architecture": "resnet50", "num_classes": 1000, "num_features": 2048, "global_pool": "avg", "pretrained_cfg": inner});
        let mut flat = inner;
        flat["architecture"] = json!("resnet50");
        let [nested, flat] = [nested, flat].map(|value| read("config.json", &value).unwrap());
        assert_eq!(nested, flat);
        assert_eq!(nested.config, ModelConfig::named("resnet50"));
        assert_eq!(nested.preprocess.at_test_size().size, [224, 224]);
    }

    #[test]
    fn absent_preprocessing_is_timms_default() {
        let read = read("config.json", &json!({"architecture": "resnet18"})).unwrap();
        assert_eq!(read.preprocess.interpolation, Interpolation::Bicubic);
        assert!((read.preprocess.crop_pct - 0.875).abs() < 1e-9);
    }

    #[test]
    fn descriptions_are_shown_and_bare_synsets_are_not() {
        let described = shown(
            vec!["n1".into(), "n2".into()],
            json!({"n1": "tench"}).as_object().cloned(),
        );
        assert_eq!(described, ["tench", "n2"]);
        let synsets = (0..1000).map(|i| format!("n{i:08}")).collect();
        assert!(shown(synsets, None).is_empty());
    }

    #[test]
    fn the_form_of_timms_models_in_transformers_is_read() {
        let value = json!({"architecture": "resnet18", "architectures": ["TimmWrapperForImageClassification"],
            "do_pooling": true, "dtype": "float32", "initializer_range": 0.02, "label_names": ["LABEL_0", "LABEL_1", "LABEL_2"],
            "model_args": null, "model_type": "timm_wrapper", "num_classes": 3, "transformers_version": "5.23.0"});
        let read = read("config.json", &value).unwrap();
        assert_eq!(read.config.unwrap().name(), Some("resnet18"));
        assert_eq!(read.classes, Some(3));
        assert!(read.labels.is_empty());
    }

    #[test]
    fn nets_that_tensors_cannot_tell_apart_are_refused_by_their_name() {
        for name in [
            "resnetblur50",
            "resnetaa50",
            "resnet50d",
            "seresnet50",
            "resnet50_gn",
            "vgg16",
            "resnet20",
        ] {
            let error = read("config.json", &json!({"architecture": name})).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("architecture `{name}` is not one of the family")
            );
        }
        let deep = json!({"architecture": "resnet50", "model_args": {"stem_type": "deep"}});
        assert!(
            read("config.json", &deep)
                .unwrap_err()
                .to_string()
                .contains("`stem_type`")
        );
    }

    #[test]
    fn output_stride_dilates_the_last_stages() {
        let value =
            json!({"architecture": "resnet50", "model_args": {"output_stride": 8, "in_chans": 1}});
        let config = read("config.json", &value).unwrap().config.unwrap();
        assert_eq!(config.dilated, [false, false, true, true]);
        assert_eq!(config.in_channels, 1);
    }

    #[test]
    fn old_prefixes_and_tags_are_dropped() {
        for name in [
            "resnext101_32x8d",
            "ig_resnext101_32x8d",
            "resnext101_32x8d.tv_in1k",
        ] {
            assert_eq!(architecture(name), ModelConfig::named("resnext101_32x8d"));
        }
        assert_eq!(architecture("resnext101_32x4d").unwrap().width_per_group, 4);
    }
}
