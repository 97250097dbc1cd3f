//! Downloads by `hf-hub`, with guarantees that `hf-hub` 1.0 lacks:
//!
//! - It waits forever for a hub that accepts a connection and sends nothing. Here it runs on its
//!   own thread, which is abandoned once no byte has come for [`HubSettings::stall_timeout`].
//! - It renames any response to a GET into the cache, even an error page or a short body without a
//!   length. Here it fills a [`Staging`] folder, and a file moves from there into the cache only if
//!   it has the announced length.
//! - It gives up when a connection breaks within a body, and cannot resume. Here the download is
//!   retried a few times.
//! - It reports each 404 as a missing file. Here the hub's `X-Error-Code` is requested.
//! - It rejects tokens with a line break. Here tokens are trimmed when they are read.
//!
//! Files that the hub offers by its xet protocol (the `X-Xet-Hash` header) are downloaded by it, all
//! others by plain HTTP: `hf-hub` chooses for each file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hf_hub::RepoType;
use hf_hub::progress::{DownloadEvent, ProgressEvent, ProgressHandler};
use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync, HFResult};

use super::failure::DownloadFailure;
use super::staging::{Staging, blob_behind};
use crate::hub::cache::RepoCache;
use crate::hub::name::{FileRequest, RepoKind};
use crate::hub::progress::Progress;
use crate::hub::settings::HubSettings;

/// The number of attempts at a download.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; it doubles each time.
const PAUSE: Duration = Duration::from_millis(200);

/// A client of the hub and its download folder.
#[derive(Debug)]
pub(in crate::hub) struct Connection {
    client: HFClientSync,
    staging: Staging,
}

/// The hub's answer about a file.
#[derive(Debug)]
pub(in crate::hub) enum FetchOutcome {
    /// It is now cached at this path.
    File(PathBuf),
    /// The repository has no such file at that revision.
    NoFile,
    /// The repository has no such revision.
    NoRevision,
}

/// A message of the download thread.
enum WorkerMessage {
    /// The download starts; total bytes, 0 when the hub does not tell.
    Announced(u64),
    /// Bytes received so far.
    Received(u64),
    /// The path in the staged cache.
    Finished(HFResult<PathBuf>),
}

impl Connection {
    /// Prepares downloads; makes no request.
    pub fn open(settings: &HubSettings) -> Result<Self, DownloadFailure> {
        let endpoint = &settings.endpoint;
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(DownloadFailure::Endpoint);
        }
        let staging = Staging::new(&settings.cache).map_err(DownloadFailure::Cache)?;
        let mut builder = HFClient::builder()
            .endpoint(endpoint)
            .cache_dir(staging.cache())
            .user_agent(concat!("resnet/", env!("CARGO_PKG_VERSION")))
            .retry_max_attempts(3);
        if let Some(token) = &settings.token {
            builder = builder.token(token);
        }
        let client = builder.build_sync().map_err(DownloadFailure::Hub)?;
        Ok(Self { client, staging })
    }

    /// Downloads the file into `folder`, or records there that it does not exist.
    pub fn fetch(
        &self,
        request: &FileRequest,
        folder: &RepoCache,
        stall_timeout: Duration,
        progress: &dyn Progress,
    ) -> Result<FetchOutcome, DownloadFailure> {
        let mut attempt = 1;
        loop {
            // A second failure may be due to a damaged linked blob: then do without them.
            let answer = self.attempt(request, folder, attempt == 1, stall_timeout, progress);
            match answer {
                Err(failure) if failure.is_broken_transfer() && attempt < ATTEMPTS => {
                    std::thread::sleep(PAUSE * 2_u32.pow(attempt - 1));
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Returns the paths of the files in a dataset repository.
    pub fn list(
        &self,
        request: &FileRequest,
        stall_timeout: Duration,
    ) -> Result<Vec<String>, DownloadFailure> {
        let (owner, name) = request.owner_and_name();
        let repository = self.client.dataset(owner, name);
        let revision = request.revision.to_owned();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let tree = repository
                .list_tree()
                .revision(revision)
                .recursive(true)
                .send();
            // The receiver is gone if the wait was given up.
            let _ = sender.send(tree);
        });
        let tree = match receiver.recv_timeout(stall_timeout) {
            Ok(tree) => tree.map_err(DownloadFailure::Hub)?,
            Err(RecvTimeoutError::Timeout) => return Err(DownloadFailure::Stalled(stall_timeout)),
            Err(RecvTimeoutError::Disconnected) => return Err(DownloadFailure::ThreadEnded),
        };
        let files = tree.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } => Some(path),
            RepoTreeEntry::Directory { .. } => None,
        });
        Ok(files.collect())
    }

    fn attempt(
        &self,
        request: &FileRequest,
        folder: &RepoCache,
        link_blobs: bool,
        stall_timeout: Duration,
        progress: &dyn Progress,
    ) -> Result<FetchOutcome, DownloadFailure> {
        let staged = RepoCache::new(&self.staging.cache(), request.kind, request.repo);
        self.staging.clear().map_err(DownloadFailure::Cache)?;
        if link_blobs {
            Staging::link_blobs(folder, &staged).map_err(DownloadFailure::Cache)?;
        }

        let messages = self.spawn(request, &staged);
        let mut announced = None;
        let outcome = wait_for_end(
            &messages,
            stall_timeout,
            request.file,
            &mut announced,
            progress,
        );
        if announced.is_some() {
            progress.finish();
        }
        let announced = announced.unwrap_or(0);
        match outcome {
            Ok(file) => self
                .store_complete(&file, announced, request, folder, &staged)
                .map(FetchOutcome::File),
            Err(DownloadFailure::Hub(HFError::EntryNotFound { context, .. })) => {
                if let Some(commit) = absent_commit(&staged) {
                    self.remember_absence(&commit, request, folder)?;
                    return Ok(FetchOutcome::NoFile);
                }
                match context
                    .as_ref()
                    .and_then(|context| context.error_code.as_deref())
                {
                    Some("EntryNotFound") => Ok(FetchOutcome::NoFile),
                    Some("RevisionNotFound") => Ok(FetchOutcome::NoRevision),
                    _ => Err(DownloadFailure::NotFound),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Starts the download on a thread of its own.
    fn spawn(&self, request: &FileRequest, staged: &RepoCache) -> Receiver<WorkerMessage> {
        let (owner, name) = request.owner_and_name();
        match request.kind {
            RepoKind::Model => spawn(self.client.model(owner, name), request, staged),
            RepoKind::Dataset => spawn(self.client.dataset(owner, name), request, staged),
        }
    }

    /// Moves a staged file into the cache if it is complete.
    fn store_complete(
        &self,
        file: &Path,
        announced: u64,
        request: &FileRequest,
        folder: &RepoCache,
        staged: &RepoCache,
    ) -> Result<PathBuf, DownloadFailure> {
        let blob = blob_behind(file, staged).map_err(DownloadFailure::Cache)?;
        let received = fs::metadata(&blob).map_err(DownloadFailure::Cache)?.len();
        if received != announced {
            return Err(DownloadFailure::WrongSize {
                announced,
                received,
            });
        }
        let commit = file
            .strip_prefix(staged.snapshots())
            .ok()
            .and_then(|below| below.iter().next()?.to_str())
            .ok_or_else(|| DownloadFailure::Cache(std::io::ErrorKind::InvalidData.into()))?;
        let path = folder
            .store(&blob, commit, request.file, &self.staging.scratch())
            .map_err(DownloadFailure::Cache)?;
        folder
            .remember_commit(request.revision, commit, &self.staging.scratch())
            .map_err(DownloadFailure::Cache)?;
        Ok(path)
    }

    fn remember_absence(
        &self,
        commit: &str,
        request: &FileRequest,
        folder: &RepoCache,
    ) -> Result<(), DownloadFailure> {
        folder
            .remember_absence(commit, request.file)
            .and_then(|()| {
                folder.remember_commit(request.revision, commit, &self.staging.scratch())
            })
            .map_err(DownloadFailure::Cache)
    }
}

/// Starts the download of a file of `repository` on a thread of its own.
fn spawn<T: RepoType>(
    repository: HFRepositorySync<T>,
    request: &FileRequest,
    staged: &RepoCache,
) -> Receiver<WorkerMessage> {
    let (sender, receiver) = mpsc::channel();
    let (revision, file) = (request.revision.to_owned(), request.file.to_owned());
    let absences = staged.absences();
    std::thread::spawn(move || {
        let mut outcome = repository
            .download_file()
            .filename(&file)
            .revision(&revision)
            .progress(Messenger(sender.clone()))
            .send();
        // Without a marker for the commit, only the hub's message tells what is missing.
        if matches!(outcome, Err(HFError::EntryNotFound { .. })) && !absences.exists() {
            outcome = Err(request_missing_reason(&repository, &revision, &file));
        }
        // The receiver is gone if the wait was given up.
        let _ = sender.send(WorkerMessage::Finished(outcome));
    });
    receiver
}

/// Returns the commit for which `hf-hub` has just recorded that the file does not exist.
fn absent_commit(staged: &RepoCache) -> Option<String> {
    let commit = fs::read_dir(staged.absences()).ok()?.next()?.ok()?;
    commit.file_name().into_string().ok()
}

/// Returns the error of a request for the file's metadata, which keeps the message that the error of the
/// download lacks.
fn request_missing_reason<T: RepoType>(
    repository: &HFRepositorySync<T>,
    revision: &str,
    file: &str,
) -> HFError {
    let description = repository
        .get_file_metadata()
        .filepath(file)
        .revision(revision)
        .send();
    match description {
        Err(error) => error,
        Ok(_) => HFError::malformed_response("the file was not there a moment before"),
    }
}

/// Forwards the messages of the thread until it has ended, or no byte has come for too long.
fn wait_for_end(
    messages: &Receiver<WorkerMessage>,
    stall_timeout: Duration,
    file: &str,
    announced: &mut Option<u64>,
    progress: &dyn Progress,
) -> Result<PathBuf, DownloadFailure> {
    let mut received = 0;
    let mut last_sign = Instant::now();
    loop {
        let left = stall_timeout.saturating_sub(last_sign.elapsed());
        match messages.recv_timeout(left) {
            Ok(WorkerMessage::Announced(total)) => {
                *announced = Some(total);
                last_sign = Instant::now();
                progress.start(file, (total > 0).then_some(total));
            }
            // The xet protocol reports ten times a second, whether bytes came or not.
            Ok(WorkerMessage::Received(bytes)) if bytes > received => {
                received = bytes;
                last_sign = Instant::now();
                progress.advance(bytes);
            }
            Ok(WorkerMessage::Received(_)) => {}
            Ok(WorkerMessage::Finished(outcome)) => return outcome.map_err(DownloadFailure::Hub),
            Err(RecvTimeoutError::Timeout) => return Err(DownloadFailure::Stalled(stall_timeout)),
            Err(RecvTimeoutError::Disconnected) => return Err(DownloadFailure::ThreadEnded),
        }
    }
}

/// Sends the reports of `hf-hub` to the waiting thread.
struct Messenger(Sender<WorkerMessage>);

impl ProgressHandler for Messenger {
    fn on_progress(&self, event: &ProgressEvent) {
        let message = match event {
            ProgressEvent::Download(DownloadEvent::Start { total_bytes, .. }) => {
                WorkerMessage::Announced(*total_bytes)
            }
            ProgressEvent::Download(DownloadEvent::Progress { files }) => {
                WorkerMessage::Received(files.iter().map(|file| file.bytes_completed).sum())
            }
            ProgressEvent::Download(DownloadEvent::AggregateProgress {
                bytes_completed, ..
            }) => WorkerMessage::Received(*bytes_completed),
            ProgressEvent::Download(DownloadEvent::Complete) | ProgressEvent::Upload(_) => return,
        };
        let _ = self.0.send(message);
    }
}
