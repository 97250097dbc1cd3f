//! The validation split: a part of the training images that is held out.

use anyhow::Result;

use super::Dataset;
use crate::error::{Limit, limit, setting, usage_error};
use crate::message;
use crate::random::Random;

/// The limit of the part that is held out.
pub const FRACTION: Limit = limit(|n| n > 0.0 && n < 1.0, "above 0 and below 1");

/// Divides examples of `classes` into those that are kept and those that are held out, both in ascending order.
///
/// Of each class, `fraction` is held out, rounded: at least one and not all of two or more examples, none of a single one.
/// The choice depends on the seed and the class alone.
pub fn stratified(classes: &[u32], fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = classes.iter().max().map_or(0, |&last| last as usize + 1);
    let mut members = vec![Vec::new(); count];
    for (index, &class) in classes.iter().enumerate() {
        members[class as usize].push(index);
    }
    let mut is_held_out = vec![false; classes.len()];
    for (class, members) in members.iter_mut().enumerate() {
        if members.len() < 2 {
            continue;
        }
        let part = (fraction * members.len() as f64).round() as usize;
        let part = part.clamp(1, members.len() - 1);
        Random::at(seed, "held out", &[class as u64]).shuffle(members);
        for &index in &members[..part] {
            is_held_out[index] = true;
        }
    }
    (0..classes.len()).partition(|&index| !is_held_out[index])
}

impl Dataset {
    /// Holds out a stratified part of the training images as the validation set, which replaces an existing one.
    ///
    /// # Errors
    /// When the fraction is not between 0 and 1, there are no training images, or all classes have too few images.
    pub fn hold_out(&mut self, fraction: f64, seed: u64) -> Result<()> {
        if !(FRACTION.allows)(fraction) {
            return Err(usage_error(
                message![
                    "cannot hold out ",
                    setting("val-split").to(fraction),
                    " of the training images",
                ],
                message![
                    setting("val-split"),
                    " must be ",
                    FRACTION.is,
                    ", such as 0.1; without it, a dataset with val/ or test/ holds out none",
                ],
            ));
        }
        let Some(train) = &self.train else {
            return Err(usage_error(
                format!("`{}` has no training images to hold out", self.name),
                message![
                    "leave out ",
                    setting("val-split"),
                    ", or pass a dataset with training images",
                ],
            ));
        };
        let (kept, held_out) = stratified(train.classes(), fraction, seed);
        if held_out.is_empty() {
            return Err(usage_error(
                format!(
                    "no class of `{}` has two images, so none can be held out",
                    self.name
                ),
                "add images: each class needs one for training and one for validation",
            ));
        }
        let (val, train) = (train.select(&held_out), train.select(&kept));
        if self.val.is_some() {
            self.notes.push(message![
                format!("val/ of `{}` is not used: ", self.name),
                setting("val-split"),
                " holds out a part of its training images instead",
            ]);
        }
        self.val = Some(val);
        self.train = Some(train);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(classes: &[u32], indices: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; 5];
        for &index in indices {
            counts[classes[index] as usize] += 1;
        }
        counts
    }

    #[test]
    fn each_class_gives_its_part_and_every_example_is_on_one_side() {
        // 100, 1, 2, 0 and 7 images.
        let sizes = [100, 1, 2, 0, 7];
        let mut classes: Vec<u32> = (0..5)
            .flat_map(|class| vec![class; sizes[class as usize]])
            .collect();
        Random::new(0, "order").shuffle(&mut classes);
        let (kept, held_out) = stratified(&classes, 0.1, 3);
        assert!(kept.is_sorted() && held_out.is_sorted());
        let mut all = [kept.clone(), held_out.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..110));
        assert_eq!(counts(&classes, &held_out), [10, 0, 1, 0, 1]);
        assert_eq!(stratified(&classes, 0.1, 3), (kept, held_out.clone()));
        assert_ne!(stratified(&classes, 0.1, 4).1, held_out);
        // Some of each class is left to train on.
        let (kept, _) = stratified(&classes, 0.999, 3);
        assert_eq!(counts(&classes, &kept), [1, 1, 1, 0, 1]);
        assert_eq!(stratified(&[], 0.5, 0), (vec![], vec![]));
    }
}
