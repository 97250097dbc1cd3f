//! The recipes under `models/` run, each for two steps on tiny data.

use super::super::command::root;
use super::{data, losses, trained};
use std::fs;

#[test]
fn every_recipe_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line =
        "-d fake:8 --depth 50 --width 8 --stem imagenet --image-size 32 -b 4 --max-steps 1 -o base";
    trained(folder, line);
    let mut recipes: Vec<_> = fs::read_dir(root().join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("recipe.toml"))
        .filter(|recipe| recipe.is_file())
        .collect();
    recipes.sort();
    for recipe in recipes {
        let shown = recipe.display();
        let text = fs::read_to_string(&recipe).unwrap();
        let starts_from_model = text.lines().any(|line| line.starts_with("model"));
        let model = if starts_from_model { "-m base" } else { "" };
        let line = format!(
            "--recipe {shown} -d data {model} --image-size 32 -b 4 --grad-accumulation 1 --max-steps 2 --workers 1 --dry-run --format json"
        );
        let done = trained(folder, &line);
        let losses = losses(&done.stdout);
        assert_eq!(losses.len(), 2, "{shown}: {}", done.stderr);
        assert!(
            losses.iter().all(|loss| loss.is_finite()),
            "{shown}: {losses:?}"
        );
    }
}
