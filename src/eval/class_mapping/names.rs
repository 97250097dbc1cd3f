//! The names of a model's classes, among which those of the data are looked up.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::weights::imagenet::{
    are_imagenet_labels, class_of_wordnet_id, imagenet_labels, is_wordnet_id, names_of,
};

/// The class of each of the names of `ImageNet`'s classes; `None` for a name of two classes, such as `crane`.
static IMAGENET: LazyLock<HashMap<String, Option<usize>>> = LazyLock::new(|| {
    let mut classes = HashMap::new();
    for (class, label) in imagenet_labels().iter().enumerate() {
        for name in names_in(label) {
            let known = classes.entry(name).or_insert(Some(class));
            *known = known.filter(|&known| known == class);
        }
    }
    classes
});

/// The classes that each name may stand for.
pub struct Names {
    whole: HashMap<String, Vec<u32>>,
    parts: HashMap<String, Vec<u32>>,
    numbers: HashMap<u64, Vec<u32>>,
    /// True if the classes are `ImageNet`'s thousand.
    are_imagenet: bool,
}

/// The property by which classes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    Name,
    WordnetId,
    ClassNumber,
}

impl FoundBy {
    /// Returns the words of a note.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::WordnetId => "WordNet id",
            Self::ClassNumber => "class number",
        }
    }
}

impl Names {
    /// Collects the names of classes with these `labels`, which describe the `names` of a configuration, if any.
    pub fn of(labels: &[String], names: &[String]) -> Self {
        let mut all = Self {
            whole: HashMap::new(),
            parts: HashMap::new(),
            numbers: HashMap::new(),
            are_imagenet: are_imagenet_labels(labels),
        };
        for (class, label) in (0..).zip(labels) {
            all.add(class, label);
        }
        for (class, name) in (0..).zip(names) {
            all.add(class, name);
        }
        all
    }

    fn add(&mut self, class: u32, label: &str) {
        fn insert<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<u32>>, key: K, class: u32) {
            let classes = map.entry(key).or_default();
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        let name = plain(label);
        if let Some(number) = number(&name) {
            insert(&mut self.numbers, number, class);
        }
        // The words of an id stand for its class, too.
        let words = class_of_wordnet_id(&name).and_then(names_of);
        insert(&mut self.whole, name, class);
        for label in [label].into_iter().chain(words) {
            for name in names_in(label) {
                insert(&mut self.parts, name, class);
            }
        }
    }

    /// Returns the class that each name of `data` stands for, and by what they are found.
    pub fn find_all(&self, data: &[String]) -> (Vec<Option<u32>>, FoundBy) {
        let data: Vec<String> = data.iter().map(|name| plain(name)).collect();
        let found: Vec<Option<u32>> = data.iter().map(|name| self.find(name)).collect();
        if data.iter().all(|name| is_wordnet_id(name)) {
            return (found, FoundBy::WordnetId);
        }
        if self.are_imagenet && found.iter().all(Option::is_none) {
            let numbers = data.iter().map(|name| number(name));
            if let Some(numbers) = numbers.collect::<Option<Vec<u64>>>() {
                let class = |number: u64| (number < 1000).then_some(number as u32);
                let classes = numbers.into_iter().map(class);
                return (classes.collect(), FoundBy::ClassNumber);
            }
        }
        (found, FoundBy::Name)
    }

    /// Returns the only class that a [`plain`] `name` stands for: by its whole label, by one of the names in the label, by its
    /// number, or as a `WordNet` id.
    fn find(&self, name: &str) -> Option<u32> {
        let by_number = || self.numbers.get(&number(name)?);
        let named = self.whole.get(name).or_else(|| self.parts.get(name));
        match named.or_else(by_number).map(Vec::as_slice) {
            Some(&[class]) => Some(class),
            Some(_) => None,
            None => self.find_wordnet_id(name),
        }
    }

    /// Returns the class of a `WordNet` id, by `ImageNet`'s names for it.
    fn find_wordnet_id(&self, id: &str) -> Option<u32> {
        let class = class_of_wordnet_id(id)?;
        if self.are_imagenet {
            return Some(class as u32);
        }
        let names = names_in(names_of(class)?).into_iter();
        let own = names.filter(|name| IMAGENET.get(name) == Some(&Some(class)));
        let classes = own.filter_map(|name| self.parts.get(&name)).flatten();
        let classes: BTreeSet<&u32> = classes.collect();
        match classes.len() {
            1 => classes.first().map(|&&class| class),
            _ => None,
        }
    }
}

/// Returns true if a name is only a number: `3`, `class 3`, `LABEL_3`, or `n01440764`, as `ImageNet`'s folders are
/// called.
pub fn is_number(name: &str) -> bool {
    let name = plain(name);
    is_wordnet_id(&name) || number(&name).is_some()
}

/// Returns the number that a [`plain`] name stands for, after `class` or a similar word.
pub fn number(name: &str) -> Option<u64> {
    let words = ["class", "label", "category"];
    let word = words.iter().find_map(|word| name.strip_prefix(word));
    let rest = word.unwrap_or(name).trim();
    let is_of_digits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    rest.parse().ok().filter(|_| is_of_digits)
}

/// Returns a name in lower case, without surrounding space, and with words separated by one space: folder names often
/// contain `_`.
pub fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace(['_', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the [`plain`] names between the commas of a label, each once.
fn names_in(label: &str) -> BTreeSet<String> {
    label.split(',').map(plain).collect()
}
