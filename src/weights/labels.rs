//! `ImageNet`'s thousand class names, for models that name none of theirs.

/// One name a class, in the order of the classes, as transformers and timm write them: `tabby, tabby cat`.
const IMAGENET: &str = include_str!("../../assets/imagenet_classes.txt");

/// The names of `ImageNet`'s 1000 classes, by index.
pub fn imagenet_labels() -> Vec<String> {
    IMAGENET.lines().map(str::to_owned).collect()
}

/// `labels`, or none where all of them are transformers' `LABEL_7`, which it writes where there is no name.
pub fn named(labels: Vec<String>) -> Vec<String> {
    let mut numbered = (0..).zip(&labels);
    if numbered.all(|(class, label)| *label == format!("LABEL_{class}")) {
        Vec::new()
    } else {
        labels
    }
}

/// The labels to show for a net of `classes` classes whose configuration names `named`.
pub fn or_imagenet(named: Vec<String>, classes: usize) -> Vec<String> {
    if named.is_empty() && classes == 1000 {
        imagenet_labels()
    } else {
        named
    }
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
    fn only_nets_of_a_thousand_unnamed_classes_get_them() {
        assert_eq!(or_imagenet(Vec::new(), 1000).len(), 1000);
        assert!(or_imagenet(Vec::new(), 10).is_empty());
        assert_eq!(or_imagenet(vec!["a".into()], 1000), ["a"]);
    }
}
