//! The inspection that several processes, which are threads here, share out: the survey of one process in all of them.

use super::{flawed, write_image};
use resnet::data::DecodeOptions;
use resnet::data::dataset::{DatasetName, open};
use resnet::data::survey::{DatasetSurvey, Inspection};
use resnet::distributed::{Processes, threads};
use resnet::hub::Silent;
use std::fs;
use std::path::Path;

/// Adds images with bytes behind their end and images that are cut, all of which look truncated, more than are decoded.
fn add_suspects(photos: &Path) {
    for number in 0..24 {
        let path = photos.join(format!("train/dog/suspect{number:02}.png"));
        write_image(&path, 100 + number);
        let mut bytes = fs::read(&path).unwrap();
        if number % 3 == 0 {
            bytes.truncate(bytes.len() / 2);
        } else {
            bytes.extend([7; 3000]);
        }
        fs::write(&path, bytes).unwrap();
    }
}

/// Returns the survey as JSON, and the numbers of inspected images that were reported.
fn surveyed(photos: &Path, inspection: Inspection, processes: &Processes) -> (String, Vec<usize>) {
    let name = DatasetName::Folder(photos.to_owned());
    let data = open(&name, "photos", &Silent).unwrap();
    let mut done = Vec::new();
    let survey = DatasetSurvey::shared(
        &data,
        inspection,
        DecodeOptions::default(),
        2,
        processes,
        &mut |count| done.push(count),
    );
    (serde_json::to_string(&survey.unwrap()).unwrap(), done)
}

#[test]
fn all_processes_have_the_survey_of_one() {
    let folder = tempfile::tempdir().unwrap();
    flawed(folder.path());
    let photos = folder.path().join("photos");
    add_suspects(&photos);
    for inspection in [Inspection::Headers, Inspection::Full] {
        let alone = surveyed(&photos, inspection, &Processes::alone());
        let survey: DatasetSurvey = serde_json::from_str(&alone.0).unwrap();
        let unreadable = if inspection == Inspection::Headers {
            // Of the suspects, the first ones are decoded; the cut image of val is one of its own split.
            2 + 16_usize.div_ceil(3)
        } else {
            2 + 8
        };
        assert_eq!(survey.unreadable.len(), unreadable, "{inspection:?}");
        assert_eq!(survey.duplicates.len(), 3);
        assert!(alone.1.iter().copied().eq(1..=43));
        for size in 2..=4 {
            let all =
                threads::in_processes(size, |processes| surveyed(&photos, inspection, processes));
            assert!(all.unwrap() == vec![alone.clone(); size], "{size}");
        }
    }
}
