//! The live view of a run on a terminal.

use super::{SMALL, write_images};
use std::process::{Command, Stdio};

/// Returns the output of `resnet train` on a terminal of `columns`; `None` if the system has no `script`.
fn on_a_terminal(columns: u32, line: &str, variables: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let resnet = env!("CARGO_BIN_EXE_resnet");
    let line =
        format!("stty cols {columns} rows 24; exec '{resnet}' train {SMALL} --device cpu {line}");
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder.path())
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("CI")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: the system has no `script`");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    Some(text)
}

#[test]
fn a_terminal_shows_the_way_the_figures_and_the_curve() {
    for columns in [80, 40] {
        let line = "-d fake:400:4 --val-split 0.1 --epochs 2 -o run";
        let Some(text) = on_a_terminal(columns, line, &[]) else {
            return;
        };
        let plain = console::strip_ansi_codes(&text);
        // A narrow terminal wraps lines at words.
        let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(" (best); lr "), "{columns}\n{plain}");
        for part in [
            "epoch 1/2  ",
            "epoch 2/2  ",
            "/90",
            "  ETA 0:0",
            " to 1.",
            "train loss ",
            "best ",
            " (epoch 1)",
            "epoch 1/2: loss ",
        ] {
            assert!(plain.contains(part), "{columns} {part}\n{plain}");
        }
        // Where the bar stands when it is drawn depends on the machine: one of the eighths, or a full step, before the rest.
        let partly_filled = |pair: (char, char)| "▏▎▍▌▋▊▉█".contains(pair.0) && pair.1 == '░';
        assert!(
            plain.chars().zip(plain.chars().skip(1)).any(partly_filled),
            "{columns}\n{plain}"
        );
        assert!(plain.contains(" img/s") || columns < 80, "{plain}");
        assert!(
            text.contains("\u{1b}[32mbest ") && text.contains("\u{1b}[32m(best)"),
            "{text}"
        );
        // The view is gone in the end.
        assert!(
            plain
                .trim_end()
                .ends_with("saved to run; open its report.html"),
            "{plain}"
        );
    }
}

#[test]
fn a_terminal_shows_the_progress_of_the_inspection_before_the_table() {
    let data = tempfile::tempdir().unwrap();
    write_images(data.path(), &[("a", 9), ("b", 9)]);
    let line = format!("-d '{}' --dry-run", data.path().display());
    let Some(text) = on_a_terminal(80, &line, &[]) else {
        return;
    };
    let plain = console::strip_ansi_codes(&text);
    let progress = plain.find("inspecting images").unwrap();
    assert!(progress < plain.find("total (").unwrap(), "{plain}");
}

#[test]
fn a_terminal_that_wants_none_of_it_has_lines() {
    let line = "-d fake:40:4 --val-split 0.1 --epochs 2 --dry-run";
    for (flags, variables, has_view, has_colors) in [
        ("", &[("NO_COLOR", "1")] as &[_], true, false),
        ("--color never", &[], true, false),
        ("", &[("TERM", "dumb")], false, false),
        ("", &[("TERM", "dumb"), ("CI", "true")], false, false),
        (
            "--color always",
            &[("TERM", "dumb"), ("CI", "true")],
            false,
            true,
        ),
        (
            "",
            &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")],
            false,
            true,
        ),
        ("--log-format json", &[], false, false),
        ("--format json", &[], false, true),
        ("", &[], true, true),
        ("", &[("CI", "true")], true, true),
    ] {
        let Some(text) = on_a_terminal(80, &format!("{line} {flags}"), variables) else {
            return;
        };
        // Colors and weights end in m; a view moves the cursor.
        let is_colored = text.contains("\u{1b}[36m") || text.contains("\u{1b}[32m");
        assert_eq!(is_colored, has_colors, "{flags} {variables:?}\n{text:?}");
        assert_eq!(
            text.contains("train loss "),
            has_view,
            "{flags} {variables:?}\n{text:?}"
        );
    }
    let quiet = on_a_terminal(80, &format!("{line} --quiet"), &[]);
    assert!(quiet.is_none_or(|text| text.is_empty()));
}
