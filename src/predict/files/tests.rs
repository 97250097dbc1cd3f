use super::*;
use crate::distributed::Stopped;
use crate::distributed::threads::in_processes;
use crate::error::one_line;
use anyhow::bail;
use image::{Rgb, RgbImage};

/// Returns the paths of seven images, of which the fourth is none.
fn images(folder: &Path) -> Vec<PathBuf> {
    let paths = (0..7).map(|number| {
        let path = folder.join(format!("{number}.png"));
        if number == 3 {
            std::fs::write(&path, "text").unwrap();
        } else {
            let color = |x: u32, y: u32| Rgb([(x * y) as u8, (x * number) as u8, 200]);
            let image = RgbImage::from_fn(30, 28 + number, color);
            image.save(&path).unwrap();
        }
        path
    });
    paths.collect()
}

/// Predicts `paths` in `size` processes, which are threads; `each` of process 0 fails at the image `stop`. Returns the lines that each
/// process received, and its error.
fn predicted(
    model: &Model,
    paths: &[PathBuf],
    size: usize,
    maps: Option<&Path>,
    stop: Option<usize>,
) -> Vec<(Vec<String>, Option<anyhow::Error>)> {
    let results = in_processes(size, |processes| {
        let folder = maps.filter(|_| processes.is_first());
        let folder = folder.map(|folder| Folder::create(folder, paths).unwrap());
        let options = PredictOptions {
            top: 3,
            batch: 2,
            workers: 2,
            features: true,
            explain: maps.map(|_| Explain {
                class: None,
                folder: folder.as_ref(),
            }),
            processes,
        };
        let mut lines = Vec::new();
        let done = model.predict_files(paths, &options, |path, result| {
            if stop == Some(lines.len()) {
                bail!("full");
            }
            let name = path.file_name().unwrap().display().to_string();
            lines.push(match result {
                Ok(predicted) => format!("{name}: {predicted:?}"),
                Err(error) => format!("{name}: {}", one_line(&error)),
            });
            Ok(())
        });
        processes.barrier().unwrap();
        (lines, done.err())
    });
    results.unwrap()
}

#[test]
fn the_first_of_several_processes_receives_and_draws_what_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::builder("sample").load().unwrap();
    let paths = images(folder.path());
    let maps = folder.path().join("maps");
    let drawn = || -> Vec<Option<Vec<u8>>> {
        let files = (0..7).map(|number| std::fs::read(maps.join(format!("{number}.png"))).ok());
        files.collect()
    };
    let alone = predicted(&model, &paths, 1, Some(&maps), None).remove(0);
    assert!(alone.1.is_none() && alone.0.len() == 7);
    let files = drawn();
    assert!(files.iter().filter(|file| file.is_some()).count() == 6 && files[3].is_none());
    for size in 2..=5 {
        std::fs::remove_dir_all(&maps).unwrap();
        let results = predicted(&model, &paths, size, Some(&maps), None);
        assert_eq!(results[0].0, alone.0, "{size}");
        assert!(drawn() == files, "{size}");
        for (lines, error) in &results[1..] {
            assert!(lines.is_empty() && error.is_none());
        }
    }
}

#[test]
fn an_error_in_the_first_process_stops_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::builder("sample").load().unwrap();
    let paths = images(folder.path());
    for stop in [0, 4, 6] {
        let results = predicted(&model, &paths, 3, None, Some(stop));
        assert_eq!(results[0].0.len(), stop);
        let error = results[0].1.as_ref().unwrap();
        assert_eq!(error.to_string(), "full");
        for (_, error) in &results[1..] {
            assert!(error.as_ref().unwrap().is::<Stopped>());
        }
    }
}
