//! Processes that wait for others that never come: after half a minute they tell.

use super::support::{launcher, scripted};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The time in which the note comes: it is due after 30 s.
const SOON: Duration = Duration::from_secs(90);

#[test]
fn a_process_whose_others_do_not_connect_tells_of_its_wait() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let training =
        "train -d fake:8:2 --depth 20 --width 4 --image-size 8 -b 4 --max-steps 1 -o run";
    // One process ends without a word, in another run it works alone.
    for (absent, script) in [
        (1, "[ $rank = 1 ] && exec sleep 100; exec \"$@\""),
        (
            0,
            "[ $rank = 0 ] && { \"$@\" --distributed none -q; exec sleep 100; }; exec \"$@\"",
        ),
    ] {
        let mpi = (launcher.as_path(), "mpich", 2);
        let mut child = scripted(mpi, folder.path(), script, training)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            lines.for_each(|line| _ = send.send(line));
        });
        let line = lines.recv_timeout(SOON);
        let ended = Command::new("kill").arg(child.id().to_string()).status();
        assert!(ended.unwrap().success());
        child.wait().unwrap();
        let line = line.unwrap();
        let start = format!(
            "note: process {} of 2 has waited 30 s for the others to connect: ",
            1 - absent
        );
        assert!(line.starts_with(&start), "{line}");
    }
}
