//! Agreement of the processes of a run on its data and settings, before it starts. The first difference is an error that names it.
//!
//! The processes compare hashes. Only if these differ do they look for the image, by the hashes up to each: a binary search, so that
//! the names of a million images stay where they are.

use crate::data::dataset::Split;
use crate::data::dataset::fingerprint::{HashedImage, Property, file_size, hash_of};
use crate::distributed::{Processes, host_name, names_of};
use crate::error::{Message, error_with_hint, setting};
use crate::message;
use crate::text::{pluralize, thousands};
use crate::train::config::recipe::Recipe;
use crate::train::context::{ExecutionContext, device_name};
use crate::train::data::dataset::Data;
use anyhow::Result;
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// The settings that decide which images there are, and in which split. Others may follow from the number of images.
const OF_IMAGES: [&str; 7] = [
    "data",
    "labels-csv",
    "image-column",
    "label-column",
    "split-column",
    "val-split",
    "seed",
];

/// The data and settings of a run in one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RunInputs {
    host: String,
    recipe: String,
    /// Images for training, validation and test.
    counts: [usize; 3],
    classes: usize,
    /// Hashes of the names of the classes, and of the names, sizes and contents of the images.
    labels: String,
    names: String,
    sizes: String,
    contents: String,
    device: String,
    instructions: Option<String>,
}

impl RunInputs {
    fn new(recipe: &str, instructions: Option<&str>, data: &Data, device: &Device) -> Self {
        let splits = [&data.set.train, &data.set.val, &data.set.test];
        let fingerprints = data.fingerprints().clone();
        Self {
            host: host_name(),
            recipe: recipe.to_owned(),
            counts: splits.map(|split| split.as_ref().map_or(0, Split::len)),
            classes: data.set.labels.len(),
            labels: hash_of(&data.set.labels),
            names: fingerprints.images,
            sizes: fingerprints.sizes,
            contents: fingerprints.contents,
            device: device_name(device).to_owned(),
            instructions: instructions.map(str::to_owned),
        }
    }

    /// Returns true if a run can be shared with a process that has `other`.
    fn agrees_with(&self, other: &Self) -> bool {
        let host = other.host.clone();
        let own = Self {
            host,
            ..self.clone()
        };
        own == *other
    }
}

/// Rejects a run of the `recipe`, with the `instructions` of a CPU, whose processes see different data or settings: names the first process
/// that differs from process 0, and in what.
pub(super) fn ensure_same(
    recipe: &str,
    instructions: Option<&str>,
    data: &Data,
    context: &ExecutionContext,
) -> Result<()> {
    let processes = &context.processes;
    if processes.size() == 1 {
        return Ok(());
    }
    let own = RunInputs::new(recipe, instructions, data, &context.device);
    let all = processes.gather_values(&own)?;
    let differs = |&rank: &usize| !all[rank].agrees_with(&all[0]);
    let Some(rank) = (1..all.len()).find(differs) else {
        return Ok(());
    };
    let pair = Pair {
        rank,
        data: &data.set.name,
        inputs: [&all[0], &all[rank]],
    };
    // All processes take the same way: it follows from what all have.
    let found = match pair.difference() {
        Difference::Inputs => pair.in_inputs()?,
        Difference::Labels => {
            let all = processes.gather_values(&data.set.labels)?;
            pair.in_labels(&all[0], &all[rank])
        }
        Difference::Images(property) => {
            let images = data.hashed_images(property);
            let number = pair.first_difference(&images, processes)?;
            let image = images.get(number).map(|image| ImageFacts::new(image, data));
            let all = processes.gather_values(&image)?;
            pair.in_image(property, all[0].as_ref(), all[rank].as_ref())
        }
    };
    let way_out = message![
        "give every process the same files under ",
        setting("data"),
        ", the same options and the same kind of device (`RESNET_ISA` sets the instructions)",
    ];
    Err(error_with_hint(found, way_out))
}

/// The first difference between two processes.
enum Difference {
    /// One that their [`RunInputs`] tell.
    Inputs,
    /// The name of a class.
    Labels,
    /// A property of an image.
    Images(Property),
}

/// Process 0 and the first one that differs from it.
struct Pair<'a> {
    rank: usize,
    /// The data as the user wrote it.
    data: &'a str,
    inputs: [&'a RunInputs; 2],
}

impl Pair<'_> {
    fn difference(&self) -> Difference {
        let [first, other] = self.inputs;
        if first.counts != other.counts || first.classes != other.classes || self.has_other_source()
        {
            Difference::Inputs
        } else if first.labels != other.labels {
            Difference::Labels
        } else if first.names != other.names {
            Difference::Images(Property::Name)
        } else if first.sizes != other.sizes {
            Difference::Images(Property::Size)
        } else if first.contents != other.contents {
            Difference::Images(Property::Contents)
        } else {
            Difference::Inputs
        }
    }

    /// Returns true if the images are others because the settings are.
    fn has_other_source(&self) -> bool {
        self.setting(|key| OF_IMAGES.contains(&key))
            .is_ok_and(|found| found.is_some())
    }

    /// Returns the first setting that differs and that `applies` to, as each process has it.
    fn setting(&self, applies: impl Fn(&str) -> bool) -> Result<Option<[Message; 2]>> {
        let [first, other] = self.inputs.map(|inputs| Recipe::parse(&inputs.recipe));
        let (first, other) = (first?, other?);
        let keys = [first.keys(), other.keys()].concat();
        for [differing, of_first, of_other] in first.differences(&other)? {
            let known = keys.iter().find(|&&key| key == differing && applies(key));
            if let Some(&key) = known {
                let values = [of_first, of_other].map(|value| match value.as_str() {
                    "unset" => message!["no ", setting(key)],
                    value => setting(key).to(value.trim_matches('"')).into(),
                });
                return Ok(Some(values));
            }
        }
        Ok(None)
    }

    /// Returns the names of both processes, with their computers if these are different ones.
    fn names(&self) -> [String; 2] {
        let [first, other] = self.inputs.map(|inputs| inputs.host.as_str());
        names_of([(0, first), (self.rank, other)])
    }

    /// Describes a difference in what the processes have told.
    fn in_inputs(&self) -> Result<Message> {
        let [zero, process] = self.names();
        if let Some([of_first, of_other]) = self.setting(|key| OF_IMAGES.contains(&key))? {
            return Ok(message![
                process, " has ", of_other, ", ", zero, " has ", of_first
            ]);
        }
        let data = self.data;
        let sees = |noun: &str, [of_first, of_other]: [usize; 2]| {
            (of_first != of_other).then(|| {
                let (first, other) = (thousands(of_first), pluralize(of_other, noun));
                message![format!(
                    "{process} sees {other} in `{data}`, {zero} sees {first}"
                )]
            })
        };
        let images = self.inputs.map(|inputs| inputs.counts.iter().sum());
        let of_split = |split: usize| self.inputs.map(|inputs| inputs.counts[split]);
        let classes = self.inputs.map(|inputs| inputs.classes);
        let found = sees("image", images)
            .or_else(|| sees("training image", of_split(0)))
            .or_else(|| sees("validation image", of_split(1)))
            .or_else(|| sees("test image", of_split(2)))
            .or_else(|| sees("class", classes));
        if let Some(found) = found {
            return Ok(found);
        }
        if let Some([of_first, of_other]) = self.setting(|_| true)? {
            return Ok(message![
                process, " has ", of_other, ", ", zero, " has ", of_first
            ]);
        }
        let [of_first, of_other] = self.inputs.map(|inputs| match &inputs.instructions {
            Some(instructions) => format!("{} ({instructions})", inputs.device),
            None => inputs.device.clone(),
        });
        Ok(message![format!(
            "{process} computes on {of_other}, {zero} on {of_first}"
        )])
    }

    /// Describes a difference in the names of the classes.
    fn in_labels(&self, first: &[String], other: &[String]) -> Message {
        let [zero, process] = self.names();
        let mut labels = first.iter().zip(other);
        let differing = labels.find(|(first, other)| first != other);
        let [of_first, of_other] =
            differing.map_or(["", ""], |(first, other)| [first.as_str(), other]);
        message![format!(
            "{process} sees class `{of_other}` in `{}` where {zero} sees `{of_first}`",
            self.data
        )]
    }

    /// Returns the number of the first of `images` that differs.
    fn first_difference(&self, images: &[HashedImage], processes: &Processes) -> Result<usize> {
        let lengths = processes.gather_values(&images.len())?;
        let (mut same, mut end) = (0, lengths[0].min(lengths[self.rank]));
        while same < end {
            let middle = same.midpoint(end);
            let hashes = processes.gather_values(&images.get(middle).map(|image| image.hash))?;
            if hashes[0] == hashes[self.rank] {
                same = middle + 1;
            } else {
                end = middle;
            }
        }
        Ok(same)
    }

    /// Describes a difference in `property` of an image.
    fn in_image(
        &self,
        property: Property,
        first: Option<&ImageFacts>,
        other: Option<&ImageFacts>,
    ) -> Message {
        let [zero, process] = self.names();
        let data = self.data;
        let (Some(first), Some(other)) = (first, other) else {
            // Images changed meanwhile.
            return message![format!(
                "{process} sees other images in `{data}` than {zero}"
            )];
        };
        let text = match property {
            Property::Name if first.name == other.name => format!(
                "{process} sees image `{}` of `{data}` in class `{}`, {zero} in class `{}`",
                other.name, other.class, first.class
            ),
            Property::Name => format!(
                "{process} sees image `{}` in `{data}` where {zero} sees `{}`",
                other.name, first.name
            ),
            Property::Size => format!(
                "{process} sees {} in the file of image `{}` of `{data}`, {zero} sees {}",
                pluralize(other.bytes, "byte"),
                other.name,
                thousands(first.bytes)
            ),
            Property::Contents => format!(
                "{process} sees other contents of image `{}` of `{data}` than {zero}",
                other.name
            ),
        };
        message![text]
    }
}

/// The facts about an image in one process.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ImageFacts {
    name: String,
    class: String,
    /// Size of its file.
    bytes: u64,
}

impl ImageFacts {
    fn new(image: &HashedImage, data: &Data) -> Self {
        let HashedImage { split, index, .. } = *image;
        Self {
            name: data.set.portable_name(split, index),
            class: data.set.labels[split.classes()[index] as usize].clone(),
            bytes: file_size(split, index).unwrap_or_default(),
        }
    }
}
