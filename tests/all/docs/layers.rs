//! The folders are the architecture: imports only point to lower layers.

use std::collections::BTreeSet;

use super::imports::{Imports, imports};
use super::sources::{crates, files, read, room};

/// The layers from the top, with the modules of each. No module imports from a layer above, nor another module of its own layer.
const LAYERS: [&[&str]; 13] = [
    &["main"],
    &["cli"],
    &["train", "embedding"],
    &["report", "predict"],
    &["eval", "explain"],
    &["pipeline"],
    &["weights", "benchmark"],
    &["data", "infer", "step"],
    &["model"],
    &["nn"],
    &["ops", "hub", "distributed"],
    &["fs", "run_dir"],
    &["error", "random", "text"],
];

/// The crate's root, which re-exports names.
const ROOT: &str = "src/lib.rs";

/// Imports that point up, until they are opened: the importing module and the imported one.
const KNOWN: &[(&str, &str)] = &[];

fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` is in no layer: name its layer in this test"))
}

/// Returns the imports that do not point down, by their modules, each with an example.
fn violations(imports: &Imports) -> Vec<((&str, &str), String)> {
    let mut found = Vec::new();
    for ((from, to), names) in imports {
        let (importer, imported) = (room(from), room(to));
        if from == ROOT || to == ROOT || importer == imported {
            continue;
        }
        if layer_of(importer) >= layer_of(imported) {
            found.push((
                (importer, imported),
                format!("{from} imports {names:?} of {to}"),
            ));
        }
    }
    found
}

#[test]
fn every_import_points_down() {
    let imports = imports(ROOT, &read);
    let (known, found): (Vec<_>, Vec<_>) = violations(&imports)
        .into_iter()
        .partition(|(modules, _)| KNOWN.contains(modules));
    assert!(found.is_empty(), "{found:#?}");
    let known: BTreeSet<_> = known.into_iter().map(|(modules, _)| modules).collect();
    let stale: Vec<_> = KNOWN
        .iter()
        .filter(|modules| !known.contains(*modules))
        .collect();
    assert!(stale.is_empty(), "imports that are no more: {stale:?}");
}

#[test]
fn every_module_has_a_layer_and_every_layer_its_modules() {
    let files = files();
    let modules: BTreeSet<&str> = files
        .iter()
        .filter(|file| file.starts_with("src/") && file.as_str() != ROOT)
        .map(|file| room(file))
        .collect();
    for module in &modules {
        layer_of(module);
    }
    let named = LAYERS.iter().copied().flatten().copied();
    let stale: Vec<&str> = named.filter(|module| !modules.contains(module)).collect();
    assert!(stale.is_empty(), "modules that are no more: {stale:?}");
}

#[test]
fn imports_that_point_up_or_aside_are_found() {
    let code = |path: &str| {
        let code = match path {
            ROOT => "mod nn; mod ops; mod data; mod infer; mod error; pub use nn::Linear;",
            "src/nn.rs" => {
                "use crate::ops::relu; pub struct Linear; fn f() { crate::error::f(relu) }"
            }
            "src/ops.rs" => "use crate::Linear; pub fn relu() {}",
            "src/data.rs" => "use crate::infer::Engine; use crate::nn;",
            "src/infer.rs" => "pub struct Engine;",
            "src/error.rs" => "pub fn f() {}",
            _ => return None,
        };
        Some(code.to_owned())
    };
    let imports = imports(ROOT, &code);
    let found = violations(&imports);
    let found: Vec<_> = found.iter().map(|(modules, _)| *modules).collect();
    assert_eq!(found, [("data", "infer"), ("ops", "nn")]);
}

/// Returns the lines of code of every file, without comments, with the file's path.
fn code_lines() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for file in files() {
        let code = read(&file).unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.extend(code.map(|line| (file.clone(), line.to_owned())));
    }
    lines
}

#[test]
fn crates_know_no_tensors_and_the_command_line_alone_knows_clap_and_prints() {
    for (file, line) in code_lines() {
        let room = room(&file);
        if file.starts_with("crates/") {
            assert!(!line.contains("candle"), "{file}: {line}");
        }
        if room != "cli" {
            for word in ["clap", "println!", "print!(", "io::stdout", "io::stderr"] {
                assert!(!line.contains(word), "{file}: {line}");
            }
        }
    }
}

/// The file that calls MPI, a C library.
const MPI: &str = "src/distributed/mpi/library.rs";

/// Checks that `deny(unsafe_code)` holds everywhere except where unsafe code is expected.
#[test]
fn unsafe_stands_in_the_kernels_and_in_the_file_that_calls_mpi() {
    let expects = code_lines()
        .into_iter()
        .filter(|(_, line)| line.contains("unsafe_code"));
    let files: BTreeSet<String> = expects.map(|(file, _)| file).collect();
    for root in crates() {
        assert!(files.contains(&root), "`{root}` does not deny it");
    }
    let outside = files
        .iter()
        .filter(|file| room(file) != "resnet-kernels" && !file.ends_with("/lib.rs"));
    assert_eq!(outside.collect::<Vec<_>>(), [MPI]);
}
