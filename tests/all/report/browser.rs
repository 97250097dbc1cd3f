//! Reports in a real browser: a headless Chromium opens them, and a script of this test presses, types and reads.
//!
//! `RESNET_CHROMIUM` names the browser, else it is looked for on the path; without one these tests say that they were skipped.

use super::{HOSTILE, SMALL, ran, trained};
use resnet::eval::{Calibration, ClassMetrics, Evaluation};
use resnet::report::evaluation_report::{ConfusionCell, EvaluationReport, Thumbnail};
use resnet::report::page::{Heading, Page};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Catches what goes wrong while the page comes up.
const BEFORE: &str = "<script>window.wrong = [];
addEventListener('error', (event) => wrong.push(String(event.message)));
addEventListener('securitypolicyviolation', (event) => wrong.push('policy: ' + event.violatedDirective));
console.error = console.warn = (...words) => wrong.push(words.join(' '));</script>";

/// Functions for the tests' scripts.
const TOOLS: &str = "
const $ = (what) => document.querySelector(what);
const $$ = (what) => Array.from(document.querySelectorAll(what));
const whole = (cell) => cell.querySelector('bdi[title]')?.title ?? cell.textContent;
const column = (table, place) => $$(`#${table} tbody tr`).filter((row) => !row.hidden).map((row) => whole(row.cells[place]));
const press = (table, place) => $$(`#${table} th button`)[place].click();
const type = (table, text) => { const input = $(`input[data-table=${table}]`); input.value = text; input.dispatchEvent(new Event('input')); };
const key = (what, name) => $(what).dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
";
/// The function `looks`, which says what is cut off, small or faint.
const CHECKS: &str = include_str!("checks.js");

/// A screen that a page is opened on.
#[derive(Debug, Clone, Copy)]
struct Viewport {
    /// Pixels across.
    width: u32,
    is_dark: bool,
}

/// A phone, a laptop and a large screen, light and dark.
fn screens() -> impl Iterator<Item = Viewport> {
    [390, 1280, 1920]
        .into_iter()
        .flat_map(|width| [false, true].map(|is_dark| Viewport { width, is_dark }))
}

fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("RESNET_CHROMIUM") {
        return Some(named.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no Chromium; RESNET_CHROMIUM names one");
    }
    found
}

/// Opens `page` on a screen and gives what `script` returns; nothing may go wrong meanwhile.
///
/// The page is in a frame, which can be narrower than any window.
fn opened(browser: &Path, page: &str, screen: Viewport, script: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let after = format!(
        "<script>{TOOLS}{CHECKS}addEventListener('load', () => {{
           const done = (() => {{ {script} }})();
           done.wrong = wrong; done.dark = matchMedia('(prefers-color-scheme: dark)').matches; done.across = innerWidth;
           parent.postMessage(JSON.stringify(done), '*');
         }});</script></body>"
    );
    let page = page
        .replacen(
            "<meta charset=\"utf-8\">",
            &format!("<meta charset=\"utf-8\">{BEFORE}"),
            1,
        )
        .replacen("</body>", &after, 1);
    fs::write(&file, page).unwrap();
    let frame = folder.path().join("frame.html");
    let scheme = if screen.is_dark { "dark" } else { "light" };
    let outer = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"{scheme}\">
         <iframe src=\"page.html\" style=\"color-scheme: {scheme}; width: {}px; height: 900px; border: 0\"></iframe>
         <script>addEventListener('message', (event) => {{
           const out = document.createElement('pre'); out.id = 'outcome';
           out.textContent = event.data.replace(/[<>&]/g, (c) => '\\\\u00' + c.charCodeAt().toString(16));
           document.body.replaceChildren(out);
         }});</script>",
        screen.width
    );
    fs::write(&frame, outer).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args(["--no-first-run", "--virtual-time-budget=5000", "--dump-dom"])
        .args(["--window-size=2000,1000", "--hide-scrollbars"])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", frame.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let outcome = dom.split_once("<pre id=\"outcome\">");
    let outcome = outcome
        .unwrap_or_else(|| panic!("no outcome: {dom} {stderr}"))
        .1;
    let outcome = outcome.split_once("</pre>").unwrap().0;
    let outcome: Value = serde_json::from_str(outcome).unwrap();
    assert_eq!(outcome["wrong"], Value::Array(Vec::new()), "{stderr}");
    assert_eq!(outcome["dark"], screen.is_dark);
    assert_eq!(outcome["across"], screen.width);
    outcome
}

/// Fails where something is cut off, smaller than 11 px or fainter than AA.
#[track_caller]
fn assert_legible(browser: &Path, page: &str, screen: Viewport) {
    let script = "
        $$('details').forEach((details) => (details.open = true));
        const out = { page: looks() };
        const button = $('[data-cell], [data-image]');
        if (button) { button.click(); out.opened = $('#viewer').open; out.viewer = looks(); key('#viewer', 'Escape'); out.closed = !$('#viewer').open; }
        return out;";
    let out = opened(browser, page, screen, script);
    for seen in ["page", "viewer"] {
        for (what, found) in out[seen].as_object().into_iter().flatten() {
            let is_none = *found == 0 || *found == Value::Array(Vec::new());
            assert!(is_none, "{screen:?}, {seen}, {what}: {found}");
        }
    }
    for done in ["opened", "closed"] {
        assert_ne!(out[done], false, "{screen:?}: the images are not {done}");
    }
}

#[test]
fn the_report_of_a_run_answers_to_pointer_keys_and_words() {
    let Some(browser) = chromium() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &HOSTILE, 2);
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    let script = "
        const out = { title: document.title, heading: $('h1').textContent };
        out.links = $$('nav a').map((link) => [link.textContent, $(link.hash + ' > h2')?.textContent]);
        press('class-table', 3); out.rising = column('class-table', 3);
        press('class-table', 3); out.falling = column('class-table', 3);
        out.sorted = $$('#class-table th')[3].getAttribute('aria-sort');
        press('class-table', 0); out.names = column('class-table', 0);
        key('.charts', 'End'); out.last = $('#reading').textContent;
        key('.charts', 'ArrowLeft'); out.before = $('#reading').textContent;
        const point = (part) => {
          const plot = $('.plot'); const box = plot.getBoundingClientRect();
          const at = { clientX: box.left + box.width * part, clientY: box.top + 20, bubbles: true };
          plot.dispatchEvent(new PointerEvent('pointermove', at)); return $('#reading').textContent;
        };
        out.pointed = point(1); out.step = point(0.1);
        const button = $('.matrix [data-cell]'); button.click();
        out.label = button.getAttribute('aria-label');
        out.count = Number(button.textContent);
        out.behind = $('#viewer-title').textContent;
        out.images = $$('#viewer img').filter((image) => image.complete && image.naturalWidth > 0).length;
        out.file = $('#viewer .file').textContent;
        key('#viewer', 'Escape'); out.closed = !$('#viewer').open;
        $('[data-image]').click(); out.enlarged = $$('#viewer img.zoom').length;
        out.copy = $('.copy').hidden;
        out.owned = $$('img[src=x], main script, bdi *').length;
        out.broken = $$('img').filter((image) => image.complete && image.naturalWidth === 0).length;
        return out;";
    let screen = Viewport {
        width: 1280,
        is_dark: false,
    };
    let out = opened(&browser, &page, screen, script);
    let year = "20";
    for name in ["title", "heading"] {
        let text = out[name].as_str().unwrap();
        assert!(text.starts_with("run ") && text.contains(year), "{text}");
    }
    let links = out["links"].as_array().unwrap();
    assert!(links.len() >= 9, "{links:?}");
    for link in &links[1..] {
        assert_eq!(link[0], link[1]);
    }
    let numbers = |key: &str| -> Vec<f64> {
        let texts = out[key].as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().parse().unwrap())
            .collect()
    };
    let (rising, falling) = (numbers("rising"), numbers("falling"));
    assert!(
        rising.is_sorted() && rising.len() == HOSTILE.len(),
        "{rising:?}"
    );
    assert!(falling.is_sorted_by(|a, b| a >= b), "{falling:?}");
    assert_eq!(out["sorted"], "descending");
    let mut names: Vec<_> = out["names"].as_array().unwrap().clone();
    names.sort_by_key(|name| HOSTILE.iter().position(|other| name == other));
    assert_eq!(names, HOSTILE);
    let reading = |key: &str| out[key].as_str().unwrap().to_owned();
    assert!(
        reading("last").starts_with("epoch 2: training loss "),
        "{out}"
    );
    assert!(
        reading("before").starts_with("epoch 1: training loss "),
        "{out}"
    );
    assert!(
        reading("pointed").starts_with("epoch 2: training loss "),
        "{out}"
    );
    assert!(
        reading("step").starts_with("step 1 (epoch 1): batch loss "),
        "{out}"
    );
    assert!(reading("file").contains(".png"), "{out}");
    assert_eq!(
        (&out["closed"], &out["enlarged"]),
        (&true.into(), &1.into())
    );
    assert_eq!(out["copy"], false);
    assert!(out["images"].as_u64() > Some(0), "{out}");
    assert!(out["images"].as_u64() <= out["count"].as_u64());
    let label = reading("label");
    let truth = label
        .split_once(" of ")
        .unwrap()
        .1
        .split_once(" predicted as ")
        .unwrap()
        .0;
    assert!(reading("behind").starts_with(truth), "{out}");
    assert_eq!((&out["owned"], &out["broken"]), (&0.into(), &0.into()));
}

#[test]
fn the_report_of_a_run_can_be_read_on_any_screen() {
    let Some(browser) = chromium() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), &HOSTILE, 2);
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    for screen in screens() {
        assert_legible(&browser, &page, screen);
    }
}

#[test]
fn a_comparison_can_be_read_on_any_screen() {
    let Some(browser) = chromium() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &HOSTILE, 2);
    let long = "a-run-with-a-name-that-is-longer-than-most";
    let other = format!("train -d data {SMALL} --epochs 3 --seed 1 -o {long}");
    ran(folder, &other.split(' ').collect::<Vec<_>>());
    ran(
        folder,
        &["eval", "--compare", "run", long, "--output", "out"],
    );
    let page = fs::read_to_string(folder.join("out/comparison.html")).unwrap();
    let script = "
        const out = { title: document.title, rows: $$('#model-table tbody tr').length, settings: column('settings-table', 0) };
        press('model-table', 1); out.sorted = $$('#model-table th')[1].getAttribute('aria-sort');
        key('.charts', 'End'); out.last = $('#reading').textContent;
        out.owned = $$('img[src=x], main script, bdi *').length;
        return out;";
    let screen = Viewport {
        width: 1280,
        is_dark: false,
    };
    let out = opened(&browser, &page, screen, script);
    let title = out["title"].as_str().unwrap();
    assert!(title.starts_with("Comparison of 2 models"), "{title}");
    assert_eq!((&out["rows"], &out["owned"]), (&2.into(), &0.into()));
    assert_eq!(out["sorted"], "ascending");
    let last = out["last"].as_str().unwrap();
    assert!(
        last.starts_with("epoch 3 ") && last.contains("a-run-with"),
        "{last}"
    );
    for screen in screens() {
        assert_legible(&browser, &page, screen);
    }
}

/// An evaluation of `classes` classes, each with a mistake.
fn evaluation_report(classes: usize) -> EvaluationReport {
    let labels: Vec<String> = (0..classes)
        .map(|class| format!("{} {class}", HOSTILE[class % HOSTILE.len()]))
        .collect();
    let mut confusion = vec![vec![0; classes]; classes];
    for (class, row) in confusion.iter_mut().enumerate() {
        row[class] = 40;
        row[(class * 7 + 1) % classes] += 1 + (class % 5) as u64;
    }
    let figures = |(class, label): (usize, &String)| ClassMetrics {
        label: label.clone(),
        images: 45,
        precision: 1.0 / (1 + class) as f64,
        recall: 0.9,
        f1: 0.5,
    };
    let cell = |class: usize, predicted: usize| ConfusionCell {
        class: class as u32,
        predicted: predicted as u32,
        images: confusion[class][predicted],
        thumbnails: vec![0],
    };
    let wrong = (0..classes).map(|class| cell(class, (class * 7 + 1) % classes));
    let wrong = wrong.filter(|cell| cell.class != cell.predicted);
    let right = (0..classes).map(|class| cell(class, class));
    let cells = wrong.chain(right).collect();
    EvaluationReport {
        evaluation: Evaluation {
            images: 45 * classes,
            skipped: 1,
            loss: 0.5,
            top1: 90.0,
            top5: None,
            seconds: 1.0,
            images_per_second: 45.0,
            classes: labels.iter().enumerate().map(figures).collect(),
            confusion,
            records: Vec::new(),
        },
        calibration: Calibration::default(),
        thumbnails: vec![Thumbnail {
            index: 0,
            uri: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=".to_owned(),
            size: [1, 1],
            name: "an image".to_owned(),
            class: 0,
            predicted: 0,
            probability: 0.5,
        }],
        spread: Vec::new(),
        mistakes: Vec::new(),
        explained: Vec::new(),
        cells,
        labels,
    }
}

#[test]
fn reports_of_two_and_of_a_thousand_classes_can_be_used_on_any_screen() {
    let Some(browser) = chromium() else {
        return;
    };
    for (classes, width) in [(2, 390), (10, 1920), (32, 390), (1000, 1280), (1000, 390)] {
        let evaluation_report = evaluation_report(classes);
        let page = Page {
            heading: Heading {
                name: "many".to_owned(),
                ..Heading::default()
            },
            evaluation_report: Some(&evaluation_report),
            ..Page::default()
        };
        let page = page.html().unwrap();
        let screen = Viewport {
            width,
            is_dark: classes == 10,
        };
        assert_legible(&browser, &page, screen);
        if classes < 1000 {
            continue;
        }
        let script = "
            const out = { rows: $$('#class-table tbody tr').length };
            press('class-table', 2); out.first = column('class-table', 0)[0];
            type('class-table', ' 1 '); out.shown = column('class-table', 0).length;
            out.counted = $('#classes output').textContent;
            return out;";
        let out = opened(&browser, &page, screen, script);
        assert_eq!(out["rows"], classes);
        let last = &evaluation_report.labels[classes - 1];
        assert_eq!(out["first"], last.as_str());
        let matching = evaluation_report
            .labels
            .iter()
            .filter(|label| label.contains('1'))
            .count();
        assert_eq!(out["shown"], matching);
        assert_eq!(out["counted"], format!("{matching} of {classes}"));
    }
}
