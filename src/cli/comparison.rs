//! A comparison of models as text for people, in 80 columns.

use super::predictions::printable;
use crate::eval::comparison::{LEVEL, Pair};
use crate::eval::{Compared, Comparison};
use console::{Alignment, measure_text_width, pad_str, truncate_str};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// Columns of a model's name in the tables, at most.
const NAME: usize = 18;
/// Pairs that are listed; where there are more, those whose difference is clearest.
const PAIRS: usize = 10;

/// The figures of each model, what its pictures had to do with it, and the pairs.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let data = format!("{}, {}", printable(&comparison.data), comparison.split);
    // Writing into a string cannot fail.
    let _ = writeln!(text, "data    {}", truncate_str(&data, 72, "…"));
    let skipped = match comparison.skipped {
        0 => String::new(),
        skipped => format!(", and {skipped} that cannot be read for all models"),
    };
    let _ = writeln!(text, "images  {}{skipped}\n", comparison.images);
    let models = &comparison.models;
    let names: Vec<String> = models.iter().map(|model| printable(&model.model)).collect();
    let names = short_names(&names);
    figures(&mut text, models, &names);
    text.push('\n');
    pairs(&mut text, comparison, &names);
    text
}

/// A row a model, and below them what its pictures had to do with it.
fn figures(text: &mut String, models: &[Compared], names: &[String]) {
    let mut line = |name: &str, cells: [&str; 7]| {
        let [parameters, mult_adds, top1, interval, top5, loss, speed] = cells;
        let name = pad_str(name, NAME, Alignment::Left, None);
        let _ = writeln!(
            text,
            "{name}{parameters:>8}{mult_adds:>10}{top1:>8}{interval:>13}{top5:>7}{loss:>7}{speed:>9}"
        );
    };
    let titles = [
        "params",
        "mult-adds",
        "top-1 ",
        "95 % ",
        "top-5",
        "loss",
        "images/s",
    ];
    line("model", titles);
    let best = models.iter().map(|model| model.top1).fold(0.0, f64::max);
    for (model, name) in models.iter().zip(names) {
        let mark = if model.top1 >= best { '*' } else { ' ' };
        let top5 = model.top5.map(|top5| format!("{top5:.2}"));
        line(
            name,
            [
                &amount(model.parameters),
                &amount(model.mult_adds),
                &format!("{:.2}{mark}", model.top1),
                &format!("{:.2}-{:.2}", model.top1_low, model.top1_high),
                top5.as_deref().unwrap_or("-"),
                &number(model.loss),
                &number(model.images_per_second),
            ],
        );
    }
    text.push_str("* the best top-1, in percent; images a second are those of this one pass\n");
    for (model, name) in models.iter().zip(names) {
        if let Some(mark) = model.mark {
            let _ = writeln!(text, "{}: {mark}", name.trim_end());
        }
    }
}

/// A row a pair, and what their last word means.
fn pairs(text: &mut String, comparison: &Comparison, names: &[String]) {
    let models = comparison.models.iter().map(|model| &model.model);
    let names: HashMap<&String, &str> = models.zip(names.iter().map(String::as_str)).collect();
    let mut shown: Vec<&Pair> = comparison.pairs.iter().collect();
    let several = shown.len() > 1;
    let left_out = shown.len().saturating_sub(PAIRS);
    if left_out > 0 {
        shown.sort_by(|a, b| a.p.total_cmp(&b.p));
        shown.truncate(PAIRS);
    }
    let mut line = |models: [&str; 2], cells: [&str; 5]| {
        let [first, second] = models.map(|name| pad_str(name, NAME, Alignment::Left, None));
        let [only_first, only_second, p, holm, verdict] = cells;
        // Of one pair it is the same.
        let holm = if several {
            format!("{holm:>8}")
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "{first} {second}{only_first:>9}{only_second:>9}{p:>8}{holm}{verdict:>7}"
        );
    };
    let titles = ["only 1st", "only 2nd", "p", "Holm's", "differ"];
    line(["first", "second"], titles);
    for pair in shown {
        let [only_first, only_second] = [pair.only_first, pair.only_second].map(|n| n.to_string());
        let [p, holm] = [pair.p, pair.p_holm].map(probability);
        let verdict = if pair.differs() { "yes" } else { "no" };
        line(
            pair.models.each_ref().map(|model| names[model]),
            [&only_first, &only_second, &p, &holm, verdict],
        );
    }
    if left_out > 0 {
        let _ = writeln!(text, "and {left_out} more of larger p, all in json");
    }
    let adjusted = match comparison.pairs.len() {
        1 => String::new(),
        pairs => format!(", and adjusted for {pairs} pairs by Holm"),
    };
    let _ = writeln!(
        text,
        "only: pictures that one recognises and the other does not; p: McNemar's exact\ntest of them{adjusted}"
    );
    if comparison.pairs.iter().any(|pair| !pair.differs()) {
        let _ = writeln!(
            text,
            "no: no difference that these pictures show (p from {LEVEL} on)"
        );
    }
}

/// A count in at most seven columns: `272.5 K`, `25.56 M`, `4.09 G`.
fn amount(count: u64) -> String {
    let count = count as f64;
    let (scaled, unit) = match count {
        small if small < 1e3 => return format!("{small}"),
        small if small < 999_950.0 => (small / 1e3, "K"),
        middle if middle < 999.95e6 => (middle / 1e6, "M"),
        large => (large / 1e9, "G"),
    };
    format!("{scaled:.1} {unit}")
}

/// A number in at most seven columns.
fn number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.4}"),
        middle if middle < 10_000.0 => format!("{middle:.1}"),
        large if large < 1e7 => format!("{large:.0}"),
        large => format!("{large:.0e}"),
    }
}

/// A p value in at most seven columns.
fn probability(p: f64) -> String {
    match p {
        none if none < 1e-300 => "<1e-300".to_owned(),
        small if small < 0.001 => format!("{small:.0e}"),
        p => format!("{p:.4}"),
    }
}

/// The names by their ends, each in [`NAME`] columns and no two alike: as few of a path's parts as tell them apart.
fn short_names(names: &[String]) -> Vec<String> {
    let each = |short: &dyn Fn(&String) -> String, names: &[String]| -> Option<Vec<String>> {
        let short: Vec<String> = names.iter().map(short).collect();
        distinct(&short).then_some(short)
    };
    let parts = |name: &String| name.trim_end_matches('/').split('/').count();
    let most = names.iter().map(parts).max().unwrap_or(1);
    let ends = (1..=most).find_map(|count| each(&|name| end(name, count), names));
    let names = ends.unwrap_or_else(|| names.to_vec());
    let first_columns = |name: &String| truncate_str(name, NAME, "…").into_owned();
    each(&|name| last_columns(name), &names)
        .or_else(|| each(&first_columns, &names))
        .unwrap_or_else(|| {
            let numbered = names.iter().zip(1..);
            let numbered = numbered.map(|(name, number)| format!("{number}: {name}"));
            numbered.map(|name| first_columns(&name)).collect()
        })
}

fn distinct(names: &[String]) -> bool {
    let set: HashSet<&String> = names.iter().collect();
    set.len() == names.len()
}

/// The last `count` parts of a path.
fn end(name: &str, count: usize) -> String {
    let name = name.trim_end_matches('/');
    let mut starts = name.rmatch_indices('/').map(|(at, _)| at + 1);
    let start = starts.nth(count - 1).unwrap_or(0);
    name[start..].to_owned()
}

/// The end of `name` in [`NAME`] columns.
fn last_columns(name: &str) -> String {
    if measure_text_width(name) <= NAME {
        return name.to_owned();
    }
    let starts = name.char_indices().map(|(at, _)| &name[at..]);
    let mut ends = starts.filter(|end| measure_text_width(end) < NAME);
    format!("…{}", ends.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let short = short_names(&names);
        assert!(short.iter().all(|name| measure_text_width(name) <= NAME));
        assert!(distinct(&short), "{short:?}");
        short
    }

    #[test]
    fn names_are_as_short_as_they_can_be_told_apart() {
        assert_eq!(shortened(&["runs/a-1", "runs/b-1/"]), ["a-1", "b-1"]);
        assert_eq!(
            shortened(&["runs/a/best", "runs/b/best", "sample"]),
            ["a/best", "b/best", "sample"]
        );
        assert_eq!(shortened(&["a/x", "x"]), ["a/x", "x"]);
        assert_eq!(
            shortened(&["fashion-mnist-resnet20-1", "fashion-mnist-resnet20-2"]),
            ["…-mnist-resnet20-1", "…-mnist-resnet20-2"]
        );
        let same_ends = [
            "first-of-two-long-long-names",
            "other-of-two-long-long-names",
        ];
        assert_eq!(
            shortened(&same_ends),
            ["first-of-two-long…", "other-of-two-long…"]
        );
        let middle = [
            "one-beginning-of-names-1-one-end-of-names",
            "one-beginning-of-names-2-one-end-of-names",
        ];
        assert_eq!(shortened(&middle)[1], "2: one-beginning-…");
        shortened(&[
            "고양이고양이고양이고양이/강아지",
            "강아지강아지강아지강아지",
        ]);
    }

    #[test]
    fn numbers_fit_their_columns() {
        for (count, shown) in [
            (0, "0"),
            (999, "999"),
            (272_474, "272.5 K"),
            (999_950, "1.0 M"),
            (25_557_032, "25.6 M"),
            (4_089_184_256, "4.1 G"),
        ] {
            assert_eq!(amount(count), shown);
        }
        let shown = [0.5489, 123.456, 3625.5, 98_765.4, 1e9].map(number);
        assert_eq!(shown, ["0.5489", "123.5", "3625.5", "98765", "1e9"]);
        let shown = [1.0, 0.05, 0.000_33, 1.2e-55, 0.0].map(probability);
        assert_eq!(shown, ["1.0000", "0.0500", "3e-4", "1e-55", "<1e-300"]);
    }
}
