//! `ImageNet`'s thousand classes: their names, and their `WordNet` ids, by which the folders of its images are called.

use std::sync::LazyLock;

/// One name per class, in class order, as transformers and timm write them: `tabby, tabby cat`.
const NAMES: &str = include_str!("../../../assets/imagenet_classes.txt");

/// One `WordNet` id per class, in class order, which is the order of the ids: `n02123045`.
const IDS: &str = include_str!("../../../assets/imagenet_wordnet_ids.txt");

/// The classes of a model that must have a name in common with `ImageNet`'s: lists of names differ in a few.
const MOST: usize = 900;

/// Returns the names of `ImageNet`'s 1,000 classes, by index.
pub fn imagenet_labels() -> Vec<String> {
    NAMES.lines().map(str::to_owned).collect()
}

/// Returns the names of the class with this index, separated by commas.
pub fn names_of(class: usize) -> Option<&'static str> {
    static LINES: LazyLock<Vec<&str>> = LazyLock::new(|| NAMES.lines().collect());
    LINES.get(class).copied()
}

/// Returns the index of the class with this `WordNet` id, such as `n02123045`; `None` for ids beyond `ImageNet`'s 1,000 classes.
pub fn class_of_wordnet_id(id: &str) -> Option<usize> {
    static LINES: LazyLock<Vec<&str>> = LazyLock::new(|| IDS.lines().collect());
    LINES.binary_search(&id).ok()
}

/// Returns true if these are the `WordNet` ids of all classes in their order, as folders of `ImageNet`'s images are called.
pub fn are_wordnet_ids(names: &[String]) -> bool {
    IDS.lines().eq(names.iter().map(String::as_str))
}

/// Returns true for a name of the form of a `WordNet` id: `n` and eight digits.
pub fn is_wordnet_id(name: &str) -> bool {
    let digits = name.strip_prefix('n').unwrap_or_default();
    digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns true if a model with these labels has `ImageNet`'s classes in their order. Other lists of their names, such as
/// torchvision's, differ in some.
pub fn are_imagenet_labels(labels: &[String]) -> bool {
    let shared = NAMES.lines().zip(labels).filter(|(names, label)| {
        let has = |name: &str| {
            let mut names = names.split(',');
            names.any(|own| own.trim().eq_ignore_ascii_case(name.trim()))
        };
        label.split(',').any(has)
    });
    labels.len() == 1000 && shared.count() >= MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenets_classes_are_a_thousand_in_their_order() {
        let labels = imagenet_labels();
        assert_eq!(labels.len(), 1000);
        assert!(labels.iter().all(|label| !label.trim().is_empty()));
        assert_eq!(labels[0], "tench, Tinca tinca");
        assert_eq!(labels[281], "tabby, tabby cat");
        assert_eq!(labels[999], "toilet tissue, toilet paper, bathroom tissue");
    }

    #[test]
    fn wordnet_ids_are_sorted_and_stand_beside_the_names() {
        let ids: Vec<&str> = IDS.lines().collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| is_wordnet_id(id)));
        assert!(ids.is_sorted_by(|first, second| first < second));
        for (id, class, names) in [
            ("n01440764", 0, "tench, Tinca tinca"),
            (
                "n02102040",
                217,
                "English springer, English springer spaniel",
            ),
            ("n02123045", 281, "tabby, tabby cat"),
            (
                "n15075141",
                999,
                "toilet tissue, toilet paper, bathroom tissue",
            ),
        ] {
            assert_eq!(class_of_wordnet_id(id), Some(class));
            assert_eq!(names_of(class), Some(names));
        }
        // Of the 22,000 classes beyond, and no id.
        for id in ["n02121808", "n1", "", "tench"] {
            assert_eq!(class_of_wordnet_id(id), None, "{id}");
        }
        let owned: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
        assert!(are_wordnet_ids(&owned) && !are_wordnet_ids(&owned[1..]));
        assert!(!is_wordnet_id("n0144076") && !is_wordnet_id("x01440764"));
    }

    #[test]
    fn labels_are_imagenets_if_most_have_a_name_in_common() {
        // As torchvision has them: one name each, some of them others.
        let first = |names: String| names.split(',').next().unwrap_or_default().to_owned();
        let mut labels: Vec<String> = imagenet_labels().into_iter().map(first).collect();
        labels[4] = "hammerhead shark head".to_owned();
        assert!(are_imagenet_labels(&labels));
        assert!(!are_imagenet_labels(&labels[1..]));
        labels.rotate_left(1);
        assert!(!are_imagenet_labels(&labels));
        assert!(!are_imagenet_labels(&[]));
    }
}
