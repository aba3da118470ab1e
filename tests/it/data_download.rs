//! Downloads against a server that misbehaves.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hybrid_pipeline::data::download::{Patience, Wanted, download, sha256_of};
use hybrid_pipeline::data::{self, DataError, Sources, registry};
use hybrid_pipeline::progress::{Progress, Silent};

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// All of it, or the rest if a range is asked for.
    Whole,
    /// Promises all of what is asked for, sends so many bytes.
    Cut(usize),
    /// Like `Cut`, but ignores ranges and promises nothing.
    CutWithoutLength(usize),
    /// All of it whatever range is asked for.
    IgnoreRange,
    /// So many bytes, then silence.
    Stall(usize),
    /// All of it, one byte wrong.
    Corrupt,
    Status(u16),
    Redirect,
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Answers each request by the next of `answers`, the last one again and again.
fn serve(answers: &[Answer]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (answers, seen) = (answers.to_vec(), Arc::clone(&requests));
    std::thread::spawn(move || {
        for (n_seen, stream) in listener.incoming().enumerate() {
            let answer = answers[n_seen.min(answers.len() - 1)];
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || respond(stream.unwrap(), answer, &seen));
        }
    });
    Server { url, requests }
}

/// A client that hangs up early is its own business.
fn respond(mut stream: TcpStream, answer: Answer, seen: &Mutex<Vec<String>>) {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut request).unwrap_or(0) > 2 {}
    let start: usize = request
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned))
        .and_then(|range| range.trim_end_matches('-').parse().ok())
        .unwrap_or(0);
    seen.lock().unwrap().push(request);
    let whole = content();
    let n_whole = whole.len();
    let head = |start: usize| match start {
        0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {n_whole}\r\nConnection: close\r\n\r\n"),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{n_whole}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            n_whole - 1,
            n_whole - start
        ),
    };
    let mut send = |head: String, body: &[u8]| {
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body);
    };
    match answer {
        Answer::Whole => send(head(start), &whole[start..]),
        Answer::Cut(n) => send(head(start), &whole[start..(start + n).min(n_whole)]),
        Answer::CutWithoutLength(n) => {
            send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".into(), &whole[..n])
        }
        Answer::IgnoreRange => send(head(0), &whole),
        Answer::Stall(n) => {
            send(head(start), &whole[start..start + n]);
            std::thread::sleep(Duration::from_secs(20));
        }
        Answer::Corrupt => {
            let mut wrong = whole;
            wrong[n_whole / 2] ^= 1;
            send(head(start), &wrong[start..]);
        }
        Answer::Status(status) => send(
            format!("HTTP/1.1 {status} No\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"),
            b"oops",
        ),
        Answer::Redirect => send(
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
                .into(),
            b"",
        ),
    }
}

const HASTY: Patience = Patience {
    n_attempts: 4,
    stall: Duration::from_millis(300),
    backoff: Duration::from_millis(5),
};

struct Fetched {
    result: Result<(), DataError>,
    requests: Vec<String>,
    /// Everything that lies in the directory afterwards.
    left: Vec<PathBuf>,
    intact: bool,
}

fn fetch(answers: &[Answer], progress: &dyn Progress) -> Fetched {
    let server = serve(answers);
    let directory = tempfile::tempdir().unwrap();
    let reference = directory.path().join("reference");
    std::fs::write(&reference, content()).unwrap();
    let sha256 = sha256_of(&reference).unwrap();
    std::fs::remove_file(&reference).unwrap();
    let path = directory.path().join("file.gz");
    let wanted = Wanted { url: &server.url, n_bytes: content().len() as u64, sha256: &sha256 };
    let result = download(&wanted, &path, &HASTY, (0, wanted.n_bytes), progress);
    let left = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let intact = std::fs::read(&path).is_ok_and(|bytes| bytes == content());
    let requests = server.requests.lock().unwrap().clone();
    Fetched { result, requests, left, intact }
}

fn asks_for_a_range(request: &str) -> bool {
    request.to_ascii_lowercase().contains("range: bytes=")
}

#[test]
fn a_file_arrives_whole_after_any_passing_trouble() {
    let cases: [(&[Answer], usize); 9] = [
        (&[Answer::Whole], 1),
        (&[Answer::Cut(70_000), Answer::Whole], 2),
        (&[Answer::Cut(70_000), Answer::Cut(70_000), Answer::Whole], 3),
        (&[Answer::Cut(70_000), Answer::IgnoreRange], 2),
        (&[Answer::CutWithoutLength(70_000), Answer::Whole], 2),
        (&[Answer::Stall(1_000), Answer::Whole], 2),
        (&[Answer::Corrupt, Answer::Whole], 2),
        (&[Answer::Status(500), Answer::Status(503), Answer::Whole], 3),
        (&[Answer::Redirect, Answer::Whole], 2),
    ];
    for (answers, n_requests) in cases {
        let fetched = fetch(answers, &Silent);
        assert!(fetched.result.is_ok(), "{answers:?}: {:?}", fetched.result);
        assert!(fetched.intact, "{answers:?}");
        assert_eq!(fetched.left.len(), 1, "{answers:?}: {:?}", fetched.left);
        assert_eq!(fetched.requests.len(), n_requests, "{answers:?}: {:?}", fetched.requests);
    }
}

#[test]
fn a_cut_download_goes_on_where_it_ended_and_a_corrupt_one_starts_again() {
    let cut = fetch(&[Answer::Cut(70_000), Answer::Whole], &Silent);
    assert!(!asks_for_a_range(&cut.requests[0]));
    assert!(asks_for_a_range(&cut.requests[1]), "{}", cut.requests[1]);
    let corrupt = fetch(&[Answer::Corrupt, Answer::Whole], &Silent);
    assert!(!asks_for_a_range(&corrupt.requests[1]), "{}", corrupt.requests[1]);
}

#[test]
fn what_never_comes_right_is_an_error_and_leaves_nothing_behind() {
    let cases: [(Answer, usize, &str); 5] = [
        (Answer::Corrupt, 4, "SHA-256"),
        (Answer::Status(404), 1, "status 404"),
        (Answer::Status(500), 4, "status 500"),
        (Answer::Stall(0), 4, "failed 4 times"),
        (Answer::CutWithoutLength(10), 4, "after 10 of 200000 bytes"),
    ];
    for (answer, n_requests, expected) in cases {
        let fetched = fetch(&[answer], &Silent);
        let error = fetched.result.unwrap_err();
        assert!(error.to_string().contains(expected), "{answer:?}: {error}");
        assert!(fetched.left.is_empty(), "{answer:?}: {:?}", fetched.left);
        assert_eq!(fetched.requests.len(), n_requests, "{answer:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{gone}/file");
    let wanted = Wanted { url: &url, n_bytes: 1, sha256: "" };
    let path: &Path = &directory.path().join("file");
    let error = download(&wanted, path, &HASTY, (0, 1), &Silent).unwrap_err();
    assert!(matches!(error, DataError::Download { n_attempts: 4, .. }), "{error}");
    assert!(!path.exists());
}

/// Serves the files of a directory by name; returns the address and the names asked for.
fn serve_directory(directory: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mirror/", listener.local_addr().unwrap());
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut request).unwrap_or(0) > 2 {}
            let path = request.split(' ').nth(1).unwrap_or_default();
            let name = path.strip_prefix("/mirror/").unwrap_or_default().to_owned();
            let bytes = std::fs::read(directory.join(&name)).unwrap_or_default();
            seen.lock().unwrap().push(name);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len());
            let _ = write!(stream, "{head}Connection: close\r\n\r\n");
            let _ = stream.write_all(&bytes);
        }
    });
    (url, names)
}

#[test]
fn only_missing_and_damaged_files_are_downloaded_from_the_mirror() {
    let Some(real) = std::env::var_os("PIPELINE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: PIPELINE_DATA is not set");
        return;
    };
    let (url, names) = serve_directory(real.clone());
    let downloads = tempfile::tempdir().unwrap();
    let directory = downloads.path().join("fashion-mnist");
    std::fs::create_dir(&directory).unwrap();
    let [images, labels, _, damaged] = registry::FILE_NAMES.map(|name| format!("{name}.gz"));
    for name in [&images, &labels] {
        std::fs::write(directory.join(name), std::fs::read(real.join(name)).unwrap()).unwrap();
    }
    std::fs::write(directory.join(damaged), "damaged").unwrap();
    let sources = Sources {
        downloads: Some(downloads.path().to_owned()),
        mirror: Some(url),
        ..Sources::default()
    };
    let loaded = data::load("fashion-mnist", Some("garments-small"), &sources, &Silent).unwrap();
    assert!(loaded.from_files && !loaded.fell_back);
    assert_eq!(loaded.dataset.test.len(), 10_000);
    let expected = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];
    assert_eq!(*names.lock().unwrap(), expected);
    data::load("fashion-mnist", None, &sources, &Silent).unwrap();
    assert_eq!(names.lock().unwrap().len(), 2, "the second time nothing is downloaded");
    let checks = registry::verify("fashion-mnist", &sources, &Silent).unwrap();
    assert!(checks.iter().all(|check| check.state() == "ok"), "{checks:?}");
}

/// Interrupts after the first bytes.
#[derive(Default)]
struct Impatient(Mutex<bool>);

impl Progress for Impatient {
    fn update(&self, _done: u64, _total: u64, _note: &str) {
        *self.0.lock().unwrap() = true;
    }

    fn interrupted(&self) -> bool {
        *self.0.lock().unwrap()
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn an_interrupted_download_ends_at_once_and_leaves_nothing_behind() {
    let fetched = fetch(&[Answer::Stall(1_000)], &Impatient::default());
    assert!(matches!(fetched.result, Err(DataError::Interrupted)), "{:?}", fetched.result);
    assert!(fetched.left.is_empty(), "{:?}", fetched.left);
    assert_eq!(fetched.requests.len(), 1);
}
