//! Tests of the matching of classes.

use super::*;
use crate::error::one_line;
use crate::weights::imagenet_labels;

fn mapping(model: &[&str], count: usize, data: &[&str]) -> Result<ClassMapping> {
    ClassMapping::new(&owned(model), &[], count, &owned(data))
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn equal_names_need_no_note_and_another_order_is_matched() {
    let same = mapping(&["a", "b"], 2, &["a", "b"]).unwrap();
    assert_eq!((same.classes, same.note), (vec![0, 1], None));
    let turned = mapping(&["a", "b"], 2, &["b", "a"]).unwrap();
    assert_eq!(turned.classes, [1, 0]);
    assert_eq!(turned.labels, ["a", "b"]);
    assert!(turned.note.unwrap().contains("another order"));
}

#[test]
fn fewer_classes_are_found_by_any_of_their_names() {
    let model = [
        "tench, Tinca tinca",
        "tabby, tabby cat",
        "crane",
        "crane, machine",
    ];
    let some = mapping(&model, 4, &["Tabby_Cat", "tinca-tinca"]).unwrap();
    assert_eq!(some.classes, [1, 0]);
    assert_eq!(
        some.note.unwrap(),
        "the data has 2 of the model's 4 classes, matched by name"
    );
    // A whole label wins over a part of another.
    assert_eq!(mapping(&model, 4, &["crane"]).unwrap().classes, [2]);
    // The order alone is no match: the first of four is not the only class.
    assert!(mapping(&model, 4, &["tench"]).unwrap().note.is_some());
}

#[test]
fn numbered_names_are_matched_by_position_with_a_note() {
    for (model, data, example) in [
        (["cat", "dog"], ["0", "1"], "`0` as `cat`"),
        (["cat", "dog"], ["class 1", "class_2"], "`class 1` as `cat`"),
        (["cat", "dog"], ["n02121808", "dog"], "`n02121808` as `cat`"),
        (["LABEL_0", "LABEL_1"], ["cat", "dog"], "`cat` as `LABEL_0`"),
        (["cat", "1"], ["cat", "dog"], "`dog` as `1`"),
    ] {
        let other = mapping(&model, 2, &data).unwrap();
        assert_eq!(other.classes, [0, 1]);
        let note = other.note.unwrap();
        assert!(
            note.ends_with(&format!("matched by position, {example}")),
            "{note}"
        );
    }
    let unnamed = mapping(&[], 2, &["x", "y"]).unwrap();
    assert_eq!(unnamed.labels, ["x", "y"]);
    assert!(unnamed.note.unwrap().contains("has no class names"));
}

#[test]
fn numbers_in_alphabetical_order_are_never_matched_by_position() {
    let sorted_as_text = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"];
    // A model trained on such folders has their names, in their order.
    let same = mapping(&sorted_as_text, 12, &sorted_as_text).unwrap();
    assert_eq!((same.classes[2], same.note), (2, None));
    let fewer = mapping(&sorted_as_text, 12, &["10", "2"]).unwrap();
    assert_eq!(fewer.classes, [2, 4]);
    // One that counts has the same numbers elsewhere.
    for name in [
        |n: usize| n.to_string(),
        |n| format!("{n:02}"),
        |n| format!("class_{n}"),
    ] {
        let counted: Vec<String> = (0..12).map(name).collect();
        let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
        let by_number = mapping(&counted, 12, &sorted_as_text).unwrap();
        assert_eq!(by_number.classes, [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(by_number.note.unwrap().contains("another order"));
        let back = mapping(&sorted_as_text, 12, &counted).unwrap();
        assert_eq!(back.classes, [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]);
    }
    // Whether a model without these names counts cannot be told.
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for model in [&letters[..], &[]] {
        let error = mapping(model, 12, &sorted_as_text).unwrap_err();
        assert!(one_line(&error).contains("`11` before `2`"), "{error}");
        let padded = sorted_as_text.map(|name| format!("{name:0>2}"));
        let mut padded = padded.each_ref().map(String::as_str);
        padded.sort_unstable();
        let padded = mapping(model, 12, &padded).unwrap();
        assert_eq!(padded.classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
    assert!(mapping(&sorted_as_text, 12, &letters).is_err());
}

#[test]
fn classes_that_cannot_be_identified_are_rejected() {
    for (model, data, message) in [
        // As many names, but others.
        (
            &["cat", "dog"][..],
            &["cats", "dog"][..],
            "`cats` is unknown to it (2 classes in the data, 2 in the model)",
        ),
        (
            &["dots", "rings", "stripes"],
            &["circle", "class", "square"],
            "`circle`, `class`, `square` are unknown to it (3 classes in the data, 3 in the model)",
        ),
        // A known name in another place: the order means nothing.
        (
            &["cat", "dog", "bird"],
            &["bird", "cat", "hound"],
            "`hound` is unknown to it (3 classes in the data, 3 in the model)",
        ),
        (
            &["a", "b"],
            &["c", "d", "e", "f", "g"],
            "`c`, `d`, `e` and 2 more are unknown to it (5 classes in the data, 2 in the model)",
        ),
        (
            &["a", "b", "c"],
            &["A", "a"],
            "two classes of the data match the same class of the model (2 classes in the data, 3 in the model)",
        ),
        (
            &["crane", "crane", "x"],
            &["crane"],
            "`crane` is unknown to it (1 class in the data, 3 in the model)",
        ),
    ] {
        let error = one_line(&mapping(model, model.len(), data).unwrap_err());
        assert_eq!(
            error,
            format!("the classes of the data are not those of the model: {message}")
        );
    }
    assert!(mapping(&[], 2, &["a"]).is_err());
}

#[test]
fn wordnet_ids_are_imagenets_classes_in_any_part_of_them() {
    let model = imagenet_labels();
    let of = |data: &[&str]| ClassMapping::new(&model, &[], 1000, &owned(data));
    let part = of(&["n01440764", "n02102040", "n02979186"]).unwrap();
    assert_eq!(part.classes, [0, 217, 482]);
    assert_eq!(part.labels, model);
    assert_eq!(
        part.note.unwrap(),
        "the data has 3 of the model's 1,000 classes, matched by WordNet id"
    );
    // Beside words, and in the order of another list.
    let mixed = of(&["goldfish", "n01440764"]).unwrap();
    assert_eq!(mixed.classes, [1, 0]);
    let ids = include_str!("../../../assets/imagenet_wordnet_ids.txt");
    let mut ids: Vec<&str> = ids.lines().collect();
    let whole = of(&ids).unwrap();
    assert!(whole.classes.iter().copied().eq(0..1000));
    let note = "the 1,000 classes of the data are matched by WordNet id";
    assert_eq!(whole.note.as_deref(), Some(note));
    ids.remove(1);
    let lacking = of(&ids).unwrap();
    assert_eq!((lacking.classes[1], lacking.classes[998]), (2, 999));
    // No class of ImageNet's thousand, and one class twice.
    let error = one_line(&of(&["n01440764", "n02121808"]).unwrap_err());
    assert!(error.contains("`n02121808` is unknown to it"), "{error}");
    let error = one_line(&of(&["n01440764", "tench"]).unwrap_err());
    assert!(error.contains("two classes of the data"), "{error}");
}

#[test]
fn class_numbers_are_those_of_a_model_of_imagenets_classes() {
    let model = imagenet_labels();
    let of = |data: &[&str]| ClassMapping::new(&model, &[], 1000, &owned(data));
    for data in [
        ["000", "217", "482"],
        ["0", "217", "482"],
        ["class_0", "217", "482"],
    ] {
        let part = of(&data).unwrap();
        assert_eq!(part.classes, [0, 217, 482]);
        let note = "the data has 3 of the model's 1,000 classes, matched by class number";
        assert_eq!(part.note.as_deref(), Some(note));
    }
    // ImageNet-V2, whose folders are in alphabetical order.
    let mut all: Vec<String> = (0..1000).map(|class: usize| class.to_string()).collect();
    all.sort_unstable();
    let all = ClassMapping::new(&model, &[], 1000, &all).unwrap();
    assert_eq!(all.classes[..4], [0, 1, 10, 100]);
    assert!(all.note.unwrap().ends_with("matched by class number"));
    for data in [["1", "1000"], ["0", "cat"]] {
        assert!(of(&data).is_err(), "{data:?}");
    }
}

#[test]
fn ids_and_words_of_a_part_of_imagenet_stand_for_each_other() {
    let ids = ["n01440764", "n02102040", "n02979186"];
    let words = ["cassette player", "English_springer", "tench"];
    let by_word = mapping(&words, 3, &ids).unwrap();
    assert_eq!(by_word.classes, [2, 1, 0]);
    assert_eq!(mapping(&ids, 3, &words).unwrap().classes, [2, 1, 0]);
    // A word of two classes tells neither.
    assert!(mapping(&["crane", "tench", "x"], 3, &["n03126707"]).is_err());
    // Labels that describe ids keep these.
    let labels = owned(&["the fish", "the dog"]);
    let named = ClassMapping::new(&labels, &owned(&ids[..2]), 2, &owned(&ids[..2])).unwrap();
    assert_eq!((named.classes, named.note), (vec![0, 1], None));
    let turned = ClassMapping::new(&labels, &owned(&ids[..2]), 2, &owned(&["the_dog", ids[0]]));
    assert_eq!(turned.unwrap().classes, [1, 0]);
}
