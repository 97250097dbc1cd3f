//! Reports in a real browser: a headless Chromium opens them, and a script of this test presses, types and reads.
//!
//! `RESNET_CHROMIUM` names the browser, else it is looked for on the path; without one these tests say that they were skipped.

use super::{HOSTILE, trained};
use resnet::eval::{Calibration, ClassMetrics, Evaluation};
use resnet::report::examined::{Cell, Examined, Shown};
use resnet::report::page::Page;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Catches what goes wrong while the page comes up.
const BEFORE: &str = "<script>window.wrong = [];
addEventListener('error', (event) => wrong.push(String(event.message)));
addEventListener('securitypolicyviolation', (event) => wrong.push('policy: ' + event.violatedDirective));
console.error = console.warn = (...words) => wrong.push(words.join(' '));</script>";

/// What the test's own script may use.
const TOOLS: &str = "
const $ = (what) => document.querySelector(what);
const $$ = (what) => Array.from(document.querySelectorAll(what));
const column = (table, place) => $$(`#${table} tbody tr`).filter((row) => !row.hidden).map((row) => row.cells[place].textContent);
const press = (table, place) => $$(`#${table} th button`)[place].click();
const type = (table, text) => { const input = $(`input[data-table=${table}]`); input.value = text; input.dispatchEvent(new Event('input')); };
const key = (name) => $('.curves').dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
const wide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
";

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

/// Opens `page` in a window of so many pixels and gives what `script` returns, with `wrong` for all that went wrong.
fn opened(browser: &Path, page: &str, width: u32, script: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let after = format!(
        "<script>{TOOLS}const done = (() => {{ {script} }})(); done.wrong = wrong;
         const out = document.createElement('pre'); out.id = 'outcome';
         out.textContent = JSON.stringify(done).replace(/[<>&]/g, (c) => '\\\\u00' + c.charCodeAt().toString(16));
         document.body.replaceChildren(out);</script></body>"
    );
    let page = page
        .replacen(
            "<meta charset=\"utf-8\">",
            &format!("<meta charset=\"utf-8\">{BEFORE}"),
            1,
        )
        .replacen("</body>", &after, 1);
    fs::write(&file, page).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args(["--no-first-run", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let outcome = dom.split_once("<pre id=\"outcome\">");
    let outcome = outcome
        .unwrap_or_else(|| panic!("no outcome: {dom} {said}"))
        .1;
    let outcome = outcome.split_once("</pre>").unwrap().0;
    let outcome: Value = serde_json::from_str(outcome).unwrap();
    assert_eq!(outcome["wrong"], Value::Array(Vec::new()), "{said}");
    outcome
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
        const out = { title: document.title, heading: $('h1').textContent, wide: wide() };
        press('class-table', 3); out.rising = column('class-table', 3);
        press('class-table', 3); out.falling = column('class-table', 3);
        out.sorted = $$('#class-table th')[3].getAttribute('aria-sort');
        press('class-table', 0); out.names = column('class-table', 0);
        type('class-table', '고양이'); out.found = column('class-table', 0);
        out.counted = $('#classes output').textContent;
        key('End'); out.last = $('#reading').textContent;
        key('ArrowLeft'); out.before = $('#reading').textContent;
        const plot = $('.curves svg').getBoundingClientRect();
        const point = { clientX: plot.left + plot.width * 0.47, clientY: plot.top + plot.height * 0.3, bubbles: true };
        $('.curves').dispatchEvent(new PointerEvent('pointermove', point)); out.pointed = $('#reading').textContent;
        const button = $('.matrix [data-cell]'); button.click();
        out.label = button.getAttribute('aria-label');
        out.count = Number(button.textContent);
        out.behind = $('#behind h3').textContent;
        out.pictures = $$('#behind img').filter((image) => image.complete && image.naturalWidth > 0).length;
        out.owned = $$('main img[src=x], main script, main b').length;
        out.broken = $$('img').filter((image) => image.complete && image.naturalWidth === 0).length;
        return out;";
    let out = opened(&browser, &page, 1280, script);
    assert_eq!(out["title"], "resnet20_custom trained on data");
    assert_eq!(out["heading"], out["title"]);
    assert_eq!(out["wide"], false);
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
    assert_eq!(out["found"], serde_json::json!([HOSTILE[1]]));
    assert_eq!(out["counted"], "1 of 4");
    let reading = |key: &str| out[key].as_str().unwrap().to_owned();
    assert!(reading("last").starts_with("epoch 2: loss "), "{out}");
    assert!(reading("before").starts_with("epoch 1: loss "), "{out}");
    assert!(reading("pointed").starts_with("epoch 2: loss "), "{out}");
    assert!(out["pictures"].as_u64() > Some(0), "{out}");
    assert!(out["pictures"].as_u64() <= out["count"].as_u64());
    let label = reading("label");
    let truth = label
        .split_once(" of ")
        .unwrap()
        .1
        .split_once(" taken for ")
        .unwrap()
        .0;
    assert!(reading("behind").starts_with(truth), "{out}");
    assert_eq!((&out["owned"], &out["broken"]), (&0.into(), &0.into()));
}

/// An evaluation of so many classes, each with a mistake.
fn examined(classes: usize) -> Examined {
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
    let cell = |class: usize, predicted: usize| Cell {
        class: class as u32,
        predicted: predicted as u32,
        images: confusion[class][predicted],
        pictures: vec![0],
    };
    let wrong = (0..classes).map(|class| cell(class, (class * 7 + 1) % classes));
    let wrong = wrong.filter(|cell| cell.class != cell.predicted);
    let right = (0..classes).map(|class| cell(class, class));
    let cells = wrong.chain(right).collect();
    Examined {
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
        pictures: vec![Shown {
            index: 0,
            uri: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=".to_owned(),
            size: [1, 1],
            name: "a picture".to_owned(),
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
    for (classes, width) in [(2, 1280), (10, 500), (1000, 1280), (1000, 500)] {
        let examined = examined(classes);
        let page = Page {
            title: "many".to_owned(),
            examined: Some(&examined),
            ..Page::default()
        };
        let script = "
            const out = { wide: wide(), rows: $$('#class-table tbody tr').length };
            press('class-table', 2); out.first = column('class-table', 0)[0];
            type('class-table', ' 1 '); out.shown = column('class-table', 0).length;
            const button = $('[data-cell]'); button.click();
            out.behind = $('#behind').hidden;
            return out;";
        let out = opened(&browser, &page.html().unwrap(), width, script);
        assert_eq!(out["wide"], false, "{classes} classes, {width} px");
        assert_eq!(out["rows"], classes);
        assert_eq!(out["behind"], false);
        let last = &examined.labels[classes - 1];
        assert_eq!(out["first"], last.as_str());
        let matching = examined
            .labels
            .iter()
            .filter(|label| label.contains('1'))
            .count();
        assert_eq!(out["shown"], matching);
    }
}
