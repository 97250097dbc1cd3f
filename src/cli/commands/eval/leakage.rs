//! Reasons for optimistic metrics: the model was trained on the images, or they selected its best epoch.

use crate::text::pluralize;
use crate::weights::provenance::Exposure;

/// The reason why the metrics of a model are optimistic.
#[derive(Debug, Clone, PartialEq)]
pub struct LeakageNote {
    /// Short form.
    pub short: &'static str,
    /// Long form, with the epoch and its top-1.
    pub long: String,
    /// True if the images selected the epoch.
    pub chose_best: bool,
    /// True if the model was trained on the images, or on most of them.
    pub trained_on: bool,
}

impl LeakageNote {
    /// Returns the remark on metrics of `count` images with the role `seen` for the model; `None` if they are new to
    /// it.
    pub fn of(seen: &Exposure, count: usize) -> Option<Self> {
        let (short, long) = match seen {
            Exposure::Never => return None,
            Exposure::Trained => {
                let short = "the model was trained on these images";
                (short, short.to_owned())
            }
            Exposure::Selected(by) => {
                let short = if by.images < count {
                    "some of these images selected the best epoch"
                } else {
                    "the same images selected the best epoch"
                };
                let images = pluralize(by.images, "image");
                let long = format!(
                    "{short} (epoch {}: {:.2} % top-1 on {images})",
                    by.epoch, by.val_top1
                );
                (short, long)
            }
            Exposure::TrainedAndSelected(by) => {
                let short = "the model was trained on most of these images, and the others selected the best epoch";
                let images = pluralize(by.images, "image");
                let long = format!(
                    "{short} (epoch {}: {:.2} % top-1 on {images})",
                    by.epoch, by.val_top1
                );
                (short, long)
            }
        };
        Some(Self {
            short,
            long,
            chose_best: matches!(
                seen,
                Exposure::Selected(_) | Exposure::TrainedAndSelected(_)
            ),
            trained_on: matches!(seen, Exposure::Trained | Exposure::TrainedAndSelected(_)),
        })
    }
}
