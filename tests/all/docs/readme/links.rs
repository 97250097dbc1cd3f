//! Links and images of the documents lead somewhere, and archives are linked as the release workflow names them.

use super::{documents, read, readme, root};
use std::path::{Path, PathBuf};

/// All Markdown that people read.
fn pages() -> Vec<PathBuf> {
    let more = [
        "models/README.md",
        "models/sample/README.md",
        "assets/fonts/README.md",
        "assets/images/README.md",
        "assets/readme/README.md",
        "assets/sample/README.md",
        "benches/README.md",
        ".github/CONTRIBUTING.md",
    ];
    let more = more.map(|page| root().join(page));
    documents().into_iter().chain(more).collect()
}

/// Text outside of code, in which brackets are no links.
fn prose(text: &str) -> String {
    let blocks = text.split("```").step_by(2);
    let spans = blocks.flat_map(|block| block.split('`').step_by(2));
    spans.collect()
}

/// The targets of a page's links and images.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    let after = |opening: &str, closing: char| -> Vec<String> {
        let parts = text.split(opening).skip(1);
        parts
            .filter_map(|part| Some(part.split_once(closing)?.0.to_owned()))
            .collect()
    };
    [
        after("](", ')'),
        after("src=\"", '"'),
        after("srcset=\"", '"'),
    ]
    .concat()
}

/// The name that GitHub gives a heading in addresses.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_anchor(page: &Path, name: &str) -> bool {
    let text = read(page);
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == name)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut followed = 0;
    for page in pages() {
        for target in targets(&read(&page)) {
            if target.starts_with("https://") || target.starts_with("../../releases/") {
                continue;
            }
            let (path, name) = target.split_once('#').unwrap_or((&target, ""));
            let file = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let from = page.display();
            assert!(file.exists(), "{from}: {target}");
            assert!(
                name.is_empty() || has_anchor(&file, name),
                "{from}: {target}"
            );
            followed += 1;
        }
    }
    assert!(followed > 60, "{followed}");
    assert_eq!(anchor("## What is supported?"), "what-is-supported");
    assert_eq!(targets("[a](b#c) `[no](x)` <img src=\"d\">"), ["b#c", "d"]);
}

#[test]
fn archives_are_linked_as_they_are_built() {
    let workflow = read(&root().join(".github/workflows/release.yml"));
    let mut built: Vec<String> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("target: "))
        .map(|target| {
            let ending = if target.contains("windows") {
                "zip"
            } else {
                "tar.gz"
            };
            format!("resnet-{target}.{ending}")
        })
        .collect();
    assert!(workflow.contains("name=\"resnet-${{ matrix.target }}\""));
    let mut linked: Vec<String> = targets(&readme())
        .iter()
        .filter_map(|target| target.strip_prefix("../../releases/latest/download/"))
        .map(str::to_owned)
        .collect();
    built.sort();
    linked.sort();
    assert_eq!((linked.len(), linked), (6, built));
}

/// They show the product's own colors, and do not make a clone of the repository slow.
#[test]
fn images_of_the_readme_are_small_and_have_all_colors() {
    let folder = std::fs::read_dir(root().join("assets/readme")).unwrap();
    let files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let bytes: u64 = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(bytes < 1_500_000, "{bytes}");
    let is_palette = |file: &Path| {
        let bytes = std::fs::read(file).unwrap();
        // The color type of a PNG file.
        file.extension().is_some_and(|ending| ending == "png") && bytes[25] == 3
    };
    assert!(!files.iter().any(|file| is_palette(file)));
    for light in files
        .iter()
        .filter(|file| file.to_string_lossy().contains("-light."))
    {
        let dark = light.to_string_lossy().replace("-light.", "-dark.");
        assert!(Path::new(&dark).is_file(), "{dark}");
    }
}
