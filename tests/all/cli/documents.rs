//! Tests of completion scripts and man pages: they contain every subcommand and flag of the help.

use crate::support::command::Resnet;
use std::collections::BTreeSet;
use std::fs;

const COMMANDS: [&str; 4] = ["train", "eval", "predict", "summary"];

/// Returns the long flags at the start of the entries of a help text.
fn flags(line: &str) -> BTreeSet<String> {
    let help = Resnet::line(line).run().stdout;
    let entries = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'));
    let long = entries.filter_map(|line| {
        let at = line.find("--")?;
        let flag = line[at + 2..]
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .next()?;
        Some(flag.to_owned())
    });
    long.collect()
}

#[test]
fn completions_know_every_subcommand_and_flag() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = Resnet::line(&format!("--completions {shell}")).run();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{shell}");
        for command in COMMANDS {
            assert!(done.stdout.contains(command), "{shell}: {command}");
            let flags = flags(&format!("{command} --help"));
            assert!(flags.contains("log-format") && flags.len() > 8, "{flags:?}");
            for flag in flags {
                let written = match shell {
                    "fish" => format!("-l {flag}"),
                    _ => format!("--{flag}"),
                };
                assert!(
                    done.stdout.contains(&written),
                    "{shell}: {command} {written}"
                );
            }
        }
    }
    assert_eq!(Resnet::line("--completions tcsh").run().status, 2);
}

#[cfg(unix)]
#[test]
fn bash_loads_its_completions_and_completes_by_them() {
    let script = Resnet::line("--completions bash").run().stdout;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet.bash");
    fs::write(&path, script).unwrap();
    let complete = "source \"$0\" && COMP_WORDS=(resnet train --hist) COMP_CWORD=2 && _resnet resnet --hist train && echo \"${COMPREPLY[@]}\"";
    let Ok(output) = std::process::Command::new("bash")
        .args(["-c", complete])
        .arg(&path)
        .output()
    else {
        eprintln!("skipped: there is no bash");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--histograms\n",
        "{stderr}"
    );
}

#[test]
fn a_man_page_is_written_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let done = Resnet::new(["--man-pages".as_ref(), pages.as_os_str()]).run();
    assert_eq!(
        (done.status, done.stdout.as_str()),
        (0, ""),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.starts_with("note: 5 man pages are in "),
        "{}",
        done.stderr
    );
    for command in COMMANDS {
        let page = fs::read_to_string(pages.join(format!("resnet-{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH resnet-{command} 1 ")), "{page}");
        for flag in flags(&format!("{command} --help")) {
            let written = format!("\\fB\\-\\-{}\\fR", flag.replace('-', "\\-"));
            assert!(page.contains(&written), "{command}: {written}");
        }
        // `train` does not offer it.
        assert_eq!(
            page.contains("test\\-size"),
            command != "train" && command != "summary"
        );
    }
    let page = fs::read_to_string(pages.join("resnet.1")).unwrap();
    for command in COMMANDS {
        assert!(page.contains(&format!("resnet\\-{command}(1)")), "{page}");
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), 5);
    // A file is in the place of the folder.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let done = Resnet::new(["--man-pages".as_ref(), file.as_os_str()]).run();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.starts_with("error: cannot create folder `")
            && done.stderr.ends_with("hint: pass a writable folder\n"),
        "{}",
        done.stderr
    );
    for line in [
        "--man-pages",
        "--man-pages pages train",
        "--completions bash summary",
        "train --man-pages pages",
    ] {
        let done = Resnet::line(line).run();
        assert_eq!(done.status, 2, "{line}: {}", done.stderr);
    }
}
