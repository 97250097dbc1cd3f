//! A loopback hub: serves `/{org}/{name}/resolve/{revision}/{file}` as huggingface.co does, records the requests, and
//! can be made to misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A way in which the hub misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection after the given number of bytes of a body, the given number of times.
    Cut { after: usize, times: usize },
    /// Sends bodies that are shorter than announced by HEAD, with a matching `content-length`.
    Shorter(usize),
    /// Answers HEAD correctly, and GET with this status and an HTML page.
    PageForBody(u16),
    /// Answers each request with this status and `x-error-code`.
    Status(u16, Option<&'static str>),
    /// Accepts the connection and never answers.
    Silence,
    /// Sends the start of a body and then nothing more.
    SilenceInBody,
    /// Omits the commit from 404 responses, as some mirrors do.
    ForgetsCommit,
    /// Omits the headers of a hub.
    NoHub,
    /// No fault: serves bodies from another address, as the public hub does for large files.
    Redirect,
}

#[derive(Debug, Default)]
struct HubState {
    /// Commit of each branch or tag, by repository.
    revisions: HashMap<String, HashMap<String, String>>,
    /// Files, by repository and commit.
    files: HashMap<(String, String), HashMap<String, Vec<u8>>>,
    token: Option<&'static str>,
    gated: bool,
    fault: Option<Fault>,
    cuts: usize,
    requests: Vec<String>,
}

/// The server; it stops with the process.
#[derive(Debug, Clone)]
pub struct HubServer {
    address: String,
    state: Arc<Mutex<HubState>>,
}

impl HubServer {
    /// Starts an empty hub on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(HubState::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || drop(answer(&stream, &state)));
            }
        });
        Self { address, state }
    }

    /// Returns the value of `HF_ENDPOINT`.
    pub fn endpoint(&self) -> &str {
        &self.address
    }

    /// Publishes a commit with these files and points the revision at it.
    pub fn publish(&self, repo: &str, revision: &str, commit: &str, files: &[(&str, &[u8])]) {
        assert_eq!(commit.len(), 40, "a commit hash has 40 digits");
        let mut state = self.state.lock().unwrap();
        state
            .revisions
            .entry(repo.to_owned())
            .or_default()
            .insert(revision.to_owned(), commit.to_owned());
        state.files.insert(
            (repo.to_owned(), commit.to_owned()),
            files
                .iter()
                .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
                .collect(),
        );
    }

    /// Answers only requests with this token.
    pub fn require_token(&self, token: &'static str) {
        self.state.lock().unwrap().token = Some(token);
    }

    /// Makes the repositories gated: the response to a request without a token says so.
    pub fn gate(&self) {
        self.state.lock().unwrap().gated = true;
    }

    /// Starts to misbehave, or stops.
    pub fn misbehave(&self, fault: Option<Fault>) {
        let mut state = self.state.lock().unwrap();
        state.fault = fault;
        state.cuts = 0;
    }

    /// Returns the requests so far, such as `GET /org/name/resolve/main/config.json`.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

/// A response: status, further headers, and the body that HEAD announces or GET sends.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn answer(mut stream: &TcpStream, state: &Mutex<HubState>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut parts = request.split(' ');
    let (method, path) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));

    let (reply, fault, is_cut) = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{method} {path}"));
        let reply = reply(&state, path, &headers);
        let fault = state.fault;
        let is_cut = matches!(fault, Some(Fault::Cut { times, .. }) if state.cuts < times)
            && method == "GET";
        state.cuts += usize::from(is_cut);
        (reply, fault, is_cut)
    };
    let Reply {
        mut status,
        headers,
        mut body,
    } = reply;
    match fault {
        Some(Fault::Silence) => loop {
            std::thread::park();
        },
        Some(Fault::Shorter(by)) if method == "GET" => body.truncate(body.len() - by),
        Some(Fault::PageForBody(code)) if method == "GET" => {
            status = code;
            body = b"<html>sorry</html>".to_vec();
        }
        _ => {}
    }

    let mut head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.extend([name, ": ", &value, "\r\n"]);
    }
    stream.write_all((head + "connection: close\r\n\r\n").as_bytes())?;
    if method == "GET" {
        match fault {
            Some(Fault::Cut { after, .. }) if is_cut => stream.write_all(&body[..after])?,
            Some(Fault::SilenceInBody) => loop {
                std::thread::park();
            },
            _ => stream.write_all(&body)?,
        }
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Write)
}

fn reply(state: &HubState, path: &str, request: &HashMap<String, String>) -> Reply {
    if let Some(Fault::Status(status, code)) = state.fault {
        return refusal(status, code, None);
    }
    let shown = request.get("authorization").map(String::as_str);
    let asks = state.token.map(|token| format!("Bearer {token}"));
    if asks.is_some() && shown != asks.as_deref() {
        return refusal(401, state.gated.then_some("GatedRepo"), None);
    }

    let path = path.trim_start_matches('/').replace("%2F", "/");
    if let Some(name) = path.strip_prefix("content/") {
        let mut contents = state.files.values().flat_map(HashMap::values);
        return match contents.find(|bytes| etag(bytes) == name) {
            Some(bytes) => Reply {
                status: 200,
                headers: Vec::new(),
                body: bytes.clone(),
            },
            None => refusal(404, None, None),
        };
    }
    if let Some((repo, rest)) = path
        .strip_prefix("api/")
        .and_then(|path| path.split_once("/tree/"))
    {
        return list(state, repo, rest.split('?').next().unwrap_or_default());
    }
    let Some((repo, rest)) = path.split_once("/resolve/") else {
        return refusal(404, None, None);
    };
    let Some(revisions) = state.revisions.get(repo) else {
        return refusal(404, Some("RepoNotFound"), None);
    };
    // A revision may contain slashes: the longest known one that fits.
    let commits = revisions.values().map(|commit| (commit, commit));
    let known = revisions
        .iter()
        .chain(commits)
        .filter_map(|(name, commit)| Some((rest.strip_prefix(name)?.strip_prefix('/')?, commit)))
        .min_by_key(|(file, _)| file.len());
    let Some((file, commit)) = known else {
        return refusal(404, Some("RevisionNotFound"), None);
    };
    let Some(bytes) = state.files[&(repo.to_owned(), commit.clone())].get(file) else {
        let commit = (state.fault != Some(Fault::ForgetsCommit)).then_some(commit);
        return refusal(404, Some("EntryNotFound"), commit);
    };
    if state.fault == Some(Fault::Redirect) {
        return Reply {
            status: 302,
            headers: vec![
                (
                    "location",
                    format!("http://{}/content/{}", request["host"], etag(bytes)),
                ),
                ("x-linked-etag", format!("\"{}\"", etag(bytes))),
                ("x-linked-size", bytes.len().to_string()),
                ("x-repo-commit", commit.clone()),
            ],
            body: b"elsewhere".to_vec(),
        };
    }
    let mut reply = Reply {
        status: 200,
        headers: vec![
            ("etag", format!("\"{}\"", etag(bytes))),
            ("x-repo-commit", commit.clone()),
            ("accept-ranges", "bytes".to_owned()),
        ],
        body: bytes.clone(),
    };
    if state.fault == Some(Fault::NoHub) {
        reply.headers.clear();
    }
    let range = request.get("range").and_then(|range| {
        let (start, _) = range.strip_prefix("bytes=")?.split_once('-')?;
        start.parse::<usize>().ok()
    });
    if let Some(start) = range {
        let last = bytes.len() - 1;
        let extent = format!("bytes {start}-{last}/{}", bytes.len());
        reply.status = 206;
        reply.headers.push(("content-range", extent));
        reply.body.drain(..start);
    }
    reply
}

/// Lists the files of a revision.
fn list(state: &HubState, repo: &str, revision: &str) -> Reply {
    let Some(revisions) = state.revisions.get(repo) else {
        return refusal(404, Some("RepoNotFound"), None);
    };
    let is_meant = |(name, commit): &(&String, &String)| *name == revision || *commit == revision;
    let Some((_, commit)) = revisions.iter().find(is_meant) else {
        return refusal(404, Some("RevisionNotFound"), None);
    };
    let files = &state.files[&(repo.to_owned(), commit.clone())];
    let entries = files.iter().map(|(path, bytes)| {
        serde_json::json!({"type": "file", "oid": etag(bytes), "size": bytes.len(), "path": path})
    });
    Reply {
        status: 200,
        headers: Vec::new(),
        body: entries
            .collect::<serde_json::Value>()
            .to_string()
            .into_bytes(),
    }
}

fn refusal(status: u16, code: Option<&str>, commit: Option<&String>) -> Reply {
    let code = code.map(|code| ("x-error-code", code.to_owned()));
    let commit = commit.map(|commit| ("x-repo-commit", commit.clone()));
    Reply {
        status,
        headers: code.into_iter().chain(commit).collect(),
        body: Vec::new(),
    }
}

/// Returns a name that depends on the contents (FNV-1a, as long as a git hash).
pub fn etag(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:040x}")
}
