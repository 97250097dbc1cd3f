//! The images that a report shows: of each cell of the confusion matrix, and of different classes.

use std::collections::BTreeMap;

use crate::eval::Record;

/// Mistakes that are explained, and as many correct images.
pub const EXPLAINED: usize = 3;
/// Images of a cell of the confusion matrix off its diagonal, and on it.
pub const OF_CELL: [usize; 2] = [6, 3];

/// Returns [`EXPLAINED`] of some images with their classes: one of each class before a second of any, for those of a folder come
/// class by class.
pub fn varied<T>(images: impl Iterator<Item = (u32, T)>) -> impl Iterator<Item = T> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, T)> = images
        .map(|(class, image)| {
            let count = counts.entry(class).or_default();
            *count += 1;
            (*count, image)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, image)| image).take(EXPLAINED)
}

/// Returns the images to show of each cell, in the order of [`EvaluationReport::cells`](super::evaluation_report::EvaluationReport::cells).
pub fn by_cell(records: &[Record]) -> Vec<((u32, u32), Vec<Record>)> {
    let mut cells: BTreeMap<(u32, u32), Vec<Record>> = BTreeMap::new();
    for record in records {
        let cell = cells.entry((record.class, record.predicted)).or_default();
        cell.push(*record);
    }
    let mut cells: Vec<_> = cells.into_iter().collect();
    cells.sort_by_key(|((class, predicted), records)| {
        (
            class == predicted,
            std::cmp::Reverse(records.len()),
            *class,
            *predicted,
        )
    });
    for ((class, predicted), records) in &mut cells {
        // The most confident mistakes, and the least confident correct images.
        records.sort_by(|a, b| a.probability.total_cmp(&b.probability));
        if class != predicted {
            records.reverse();
        }
        records.truncate(OF_CELL[usize::from(class == predicted)]);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_images_are_of_different_classes_first() {
        let of_a_folder = [(0, 'a'), (0, 'b'), (0, 'c'), (1, 'd'), (1, 'e')];
        let chosen: Vec<char> = varied(of_a_folder.into_iter()).collect();
        assert_eq!(chosen, ['a', 'd', 'b']);
    }
}
