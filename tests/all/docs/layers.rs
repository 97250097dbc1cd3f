//! The folders are the architecture: imports only point to lower layers.

use std::path::{Path, PathBuf};

/// The layers from the top, with the modules of each.
const LAYERS: [(&str, &[&str]); 8] = [
    ("command line", &["cli", "main"]),
    (
        "work",
        &[
            "benchmark",
            "datasets",
            "embedding",
            "eval",
            "explain",
            "hub",
            "predict",
            "report",
            "train",
            "weights",
        ],
    ),
    ("data", &["data"]),
    ("inference and training steps", &["infer", "step"]),
    ("architecture", &["model"]),
    ("layers", &["nn"]),
    ("operations", &["ops"]),
    ("kernels", &["kernels"]),
];

/// Errors with hints, random numbers and the words of messages are available to every layer.
const FOR_ALL: [&str; 3] = ["error", "random", "words"];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS
        .iter()
        .position(|(_, modules)| modules.contains(&module))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the top-level modules that a line of code names after `crate::`, including those in braces.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => names.push(
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            ),
            Some(list) => {
                let mut depth = 0;
                let mut name = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                        c if depth == 0 => name.push(c),
                        _ => {}
                    }
                }
                names.push(name);
            }
        }
    }
    let first = |path: &String| {
        path.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    names
        .iter()
        .map(first)
        .filter(|name| !name.is_empty())
        .collect()
}

fn violations(module: &str, code: &str) -> Vec<String> {
    let layer = layer_of(module);
    // Links in documentation may point anywhere.
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let above = imports(&code)
        .into_iter()
        .filter(|name| match (layer, layer_of(name)) {
            (Some(own), Some(other)) => other < own,
            _ => false,
        });
    above
        .map(|name| format!("`{module}` imports `{name}`"))
        .collect()
}

#[test]
fn no_import_points_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || FOR_ALL.contains(&module) {
            continue;
        }
        assert!(
            layer_of(module).is_some(),
            "`{module}` is in no layer: name its layer in this test"
        );
        let code = std::fs::read_to_string(&file).unwrap();
        found.extend(
            violations(module, &code)
                .into_iter()
                .map(|found| format!("{}: {found}", relative.display())),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_import_that_points_up_is_found_in_every_spelling() {
    assert_eq!(
        violations("ops", "use crate::model::ResNet;"),
        ["`ops` imports `model`"]
    );
    assert_eq!(
        violations(
            "nn",
            "use crate::{ops::relu, data::{decode, Loader}, error};"
        ),
        ["`nn` imports `data`"]
    );
    assert_eq!(
        violations("kernels", "let x = crate::nn::Linear::new();"),
        ["`kernels` imports `nn`"]
    );
    assert!(violations("cli", "use crate::{model, predict::Predictor};").is_empty());
}

/// Returns the lines of code of every file without comments, with the file's path below `src/`.
fn code_lines() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut lines = Vec::new();
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap().to_owned();
        let code = std::fs::read_to_string(&file).unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.extend(code.map(|line| (relative.clone(), line.to_owned())));
    }
    lines
}

#[test]
fn kernels_know_no_tensors_and_the_command_line_alone_knows_clap_and_prints() {
    for (file, line) in code_lines() {
        let at = file.display();
        if file.starts_with("kernels") {
            assert!(!line.contains("candle"), "{at}: {line}");
        }
        if !file.starts_with("cli") {
            for word in ["clap", "println!", "print!(", "io::stdout", "io::stderr"] {
                assert!(!line.contains(word), "{at}: {line}");
            }
        }
    }
}

/// Checks that `deny(unsafe_code)` holds everywhere except where unsafe code is expected.
#[test]
fn unsafe_stands_in_the_kernels_alone() {
    let expects = code_lines()
        .into_iter()
        .filter(|(_, line)| line.contains("unsafe_code"));
    let files: Vec<String> = expects
        .map(|(file, _)| file.display().to_string().replace('\\', "/"))
        .collect();
    assert!(files.contains(&"lib.rs".to_owned()));
    let outside = files
        .iter()
        .filter(|file| !file.starts_with("kernels/") && *file != "lib.rs");
    assert_eq!(outside.collect::<Vec<_>>(), [""; 0]);
}
