//! Tests of epochs that begin with a later batch, as in a resumed run.

use super::*;
use crate::data::EvalTransform;
use crate::data::dataset::ImageStore;
use crate::distributed::Processes;
use crate::distributed::threads::in_processes;
use crate::hub::Silent;
use crate::model::ResNet;
use crate::nn::Parameters;
use crate::random::Random;
use crate::train::config::settings::architecture;
use crate::train::data::features::FeatureOptions;
use crate::train::example::{recipe, settings};
use crate::train::observe::observer::NoObserver;

/// Height and width of the images.
const SIZE: usize = 12;
const CLASSES: usize = 3;
/// All random changes of images at once.
const RANDOM: &str = "augment = 'randaugment'\nmixup = 0.4\ncutmix = 1\nrandom-erase = 0.3";

/// The contents of a batch: its number, images and shards, and of each shard of the process the number, the bits and the targets.
type Contents = (usize, usize, usize, Vec<(usize, Vec<u32>, Targets)>);

/// Returns 22 noise images: in batches of 4, two are in the last one.
fn images() -> Split {
    let mut random = Random::new(3, "images");
    let count = 22;
    let samples = (0..count * SIZE * SIZE * 3).map(|_| random.below(256) as u8);
    let store = ImageStore::Memory {
        name: "noise".into(),
        size: [SIZE; 2],
        channels: 3,
        samples: samples.collect(),
    };
    let classes = (0..count).map(|index| (index % CLASSES) as u32);
    Split::new(store, classes.collect())
}

fn with_size(keys: &str) -> String {
    format!("depth = 20\nwidth = 4\nimage-size = {SIZE}\nbatch-size = 4\n{keys}")
}

/// Returns the loader of the images with the settings `keys`.
fn loader(keys: &str, processes: &Processes) -> TrainLoader {
    let context = ExecutionContext {
        device: Device::Cpu,
        workers: 2,
        progress: &Silent,
        processes: processes.clone(),
    };
    let settings = settings(&with_size(keys));
    TrainLoader::images(images(), &settings, CLASSES, 1, &context).unwrap()
}

/// Returns the contents of the batches of an epoch after the first `done`.
fn epoch(loader: &TrainLoader, number: u64, done: usize) -> Vec<Contents> {
    let batches = loader.epoch(number, done).unwrap().map(|batch| {
        let batch = batch.unwrap();
        assert!(batch.unreadable.is_empty());
        let shards = batch.shards.into_iter().map(|shard| {
            let (Input::Images(values) | Input::Features(values)) = shard.input;
            let values = values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let bits = values.into_iter().map(f32::to_bits);
            (shard.number, bits.collect(), shard.targets)
        });
        (batch.number, batch.images, batch.used, shards.collect())
    });
    batches.collect()
}

/// Checks that each of three epochs, begun with any batch, is the rest of the whole one. Returns the whole epochs.
fn whole_epochs(loader: &TrainLoader, keys: &str) -> [Vec<Contents>; 3] {
    [0, 1, 2].map(|number| {
        let whole = epoch(loader, number, 0);
        assert_eq!(whole.len(), loader.batches_an_epoch());
        for done in 1..=whole.len() {
            let rest = epoch(loader, number, done);
            assert!(rest == whole[done..], "{keys}: epoch {number} from {done}");
        }
        whole
    })
}

#[test]
fn an_epoch_that_begins_with_a_later_batch_is_the_rest_of_the_whole_epoch() {
    for (keys, batches, varies) in [
        ("augment = 'none'\nno-shuffle = true", 6, false),
        ("augment = 'none'", 6, true),
        ("augment = 'crop-flip'\nno-shuffle = true", 6, true),
        (RANDOM, 6, true),
        ("augment = 'none'\ndrop-last = true", 5, true),
        (&format!("{RANDOM}\nshards = 3"), 6, true),
        ("augment = 'crop-flip'\nseed = 7", 6, true),
    ] {
        let [first, second, third] = whole_epochs(&loader(keys, &Processes::alone()), keys);
        assert_eq!(first.len(), batches, "{keys}");
        assert_eq!(first != second && second != third, varies, "{keys}");
    }
}

#[test]
fn the_processes_of_a_resumed_epoch_have_the_shards_of_one_process() {
    let keys = format!("{RANDOM}\nshards = 4");
    let alone = whole_epochs(&loader(&keys, &Processes::alone()), &keys);
    for size in [2, 3] {
        let epochs = in_processes(size, |processes| {
            whole_epochs(&loader(&keys, processes), &keys)
        });
        let mut epochs = epochs.unwrap().into_iter();
        let mut all = epochs.next().unwrap();
        for of_process in epochs {
            for (batch, other) in all
                .iter_mut()
                .flatten()
                .zip(of_process.into_iter().flatten())
            {
                assert_eq!((batch.0, batch.1, batch.2), (other.0, other.1, other.2));
                batch.3.extend(other.3);
            }
        }
        let batches = all.iter_mut().flatten();
        batches.for_each(|batch| batch.3.sort_by_key(|shard| shard.0));
        assert!(all == alone, "{size} processes");
    }
}

#[test]
fn an_epoch_of_features_that_begins_with_a_later_batch_is_the_rest_of_the_whole_epoch() {
    let keys = "freeze = 'backbone'\naugment = 'none'\nshards = 2";
    let (settings, split) = (settings(&with_size(keys)), images());
    let config = architecture(&recipe(&with_size(keys)), [SIZE; 2]);
    let config = config.unwrap().config().unwrap();
    let parameters = Parameters::default();
    let model = ResNet::new(&config, &parameters.seeded(1, DType::F32, &Device::Cpu)).unwrap();
    let processes = Processes::alone();
    let options = FeatureOptions {
        workers: 1,
        decoding: settings.decoding,
        strict: true,
        processes: &processes,
    };
    let transform = EvalTransform::new(&settings.preprocess).unwrap();
    let features = Features::of(&model, &split, &transform, options, &mut NoObserver).unwrap();
    let loader = loader(keys, &processes).with_features(features.unwrap(), &settings);
    let [first, second, _] = whole_epochs(&loader, keys);
    assert!(first.len() == 6 && first != second);
}
