//! The server as a browser, a program and a fool use it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use hybrid_pipeline::data::{self, Rng, Sources, png_bytes};
use hybrid_pipeline::progress::Silent;
use serde_json::{Value, json};

use crate::project::Project;

const PIPELINE: &str = r#"
name = "one"

[stage.data]
kind = "dataset"
name = "garments-small"

[stage.tree]
kind = "decision_tree"
title = "A tree"
inputs = { data = "data" }
max_depth = 8

[stage.naive]
kind = "gaussian_nb"
inputs = { data = "data" }

[stage.evaluation]
kind = "evaluate"
inputs = { data = "data", models = ["tree", "naive"] }
"#;

/// A running server, ended with the test.
struct Server {
    child: Child,
    address: String,
    _project: Project,
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The message of an error of this status.
    fn refuses(&self, status: u16) -> String {
        let document = self.json();
        assert_eq!(self.status, status, "{document}");
        assert_eq!(document["error"]["status"], status);
        document["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// Waits until a server says its address, and ends it.
pub fn until_ready(mut child: Child) {
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.contains("http://127.0.0.1:"), "{line}");
}

impl Server {
    fn start(args: &[&str]) -> Server {
        let project = Project::empty();
        project.write("one.toml", PIPELINE);
        project.run(&["run", "./one.toml"]).ok();
        let all = [&["serve", "one", "--port", "0"], args].concat();
        let mut child = project.command(&all).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Server { child, address, _project: project }
    }

    /// Sends bytes and reads one response, or what came of it before the connection ended; then
    /// nothing more is sent, if `ends`.
    fn raw(&self, bytes: &[u8], ends: bool) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A server that refuses early may close while bytes are sent.
        let _ = stream.write_all(bytes);
        if ends {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut found = Vec::new();
        let _ = stream.read_to_end(&mut found);
        found
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let found = self.raw(&[head.as_bytes(), body].concat(), false);
        let end = found.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole response");
        let head = String::from_utf8(found[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head: head.to_lowercase(), body: found[end + 4..].to_vec() }
    }

    fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Response {
        self.send("POST", path, &[("content-type", kind)], body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first test image, as pixels and as a PNG file, with its label.
fn image() -> (Vec<u8>, Vec<u8>) {
    let data = data::load("garments-small", None, &Sources::default(), &Silent).unwrap().dataset;
    let pixels = data.test.pixels.row(0).to_vec();
    let png = png_bytes(&pixels, data.test.shape).unwrap();
    (pixels, png)
}

#[test]
fn an_image_is_answered_by_every_model_the_same_in_every_form() {
    let server = Server::start(&[]);
    let (pixels, png) = image();
    let as_png = server.post("/predict", "image/png", &png).json();
    let answers = as_png["results"][0]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0]["model"], &answers[0]["title"]), (&json!("tree"), &json!("A tree")));
    assert_eq!(answers[0]["scores"].as_object().unwrap().len(), 10);
    let document = json!({ "images": [{ "pixels": pixels, "height": 28, "width": 28 }] });
    let as_json = server.post("/predict", "application/json", document.to_string().as_bytes());
    assert_eq!(as_json.json(), as_png);
    let two = json!({ "images": [document["images"][0], document["images"][0]] });
    let two = server.post("/predict?model=naive", "application/json", two.to_string().as_bytes());
    let two = two.json();
    assert_eq!(two["results"].as_array().unwrap().len(), 2);
    // Products over two rows may round other than those over one.
    for result in two["results"].as_array().unwrap() {
        assert_eq!(result["answers"].as_array().unwrap().len(), 1);
        assert_eq!(result["answers"][0]["model"], "naive");
        assert_eq!(result["answers"][0]["label"], answers[1]["label"]);
    }
}

#[test]
fn similar_images_and_heat_maps_are_given_where_they_are_asked_for() {
    let server = Server::start(&[]);
    let (_, png) = image();
    let found = server.post("/predict?similar=3&heat=true", "image/png", &png).json();
    let similar = found["results"][0]["similar"].as_array().unwrap().clone();
    assert_eq!(similar.len(), 3);
    let distance = |nth: usize| similar[nth]["distance"].as_f64().unwrap();
    assert!(distance(0) <= distance(1) && distance(1) <= distance(2));
    let picture = |value: &Value| value.as_str().unwrap().starts_with("data:image/png;base64,");
    assert!(picture(&similar[0]["image"]));
    for answer in found["results"][0]["answers"].as_array().unwrap() {
        assert!(picture(&answer["heat_map"]["image"]), "{answer}");
    }
    let plain = Server::start(&["--no-similar"]);
    plain.post("/predict?similar=3", "image/png", &png).refuses(400);
}

#[test]
fn the_other_addresses_answer_too() {
    let server = Server::start(&["--model", "tree"]);
    assert_eq!(server.get("/healthz").json(), json!({ "status": "ok" }));
    let models = server.get("/models").json();
    assert_eq!(models["models"].as_array().unwrap().len(), 1);
    assert_eq!(models["models"][0]["shape"]["height"], 28);
    let description = server.get("/openapi.json").json();
    for path in ["/predict", "/models", "/healthz"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
    let page = server.get("/");
    assert!(page.head.contains("content-security-policy"), "{}", page.head);
    assert!(String::from_utf8(page.body).unwrap().contains("<canvas"));
}

#[test]
fn what_is_wrong_with_a_request_is_said_as_json() {
    let server = Server::start(&["--max-body-mib", "1"]);
    let (pixels, png) = image();
    let post = |path: &str, kind: &str, body: &[u8]| server.post(path, kind, body);
    assert!(post("/predict?model=tre", "image/png", &png).refuses(404).contains("tree"));
    post("/predict?similar=7000", "image/png", &png).refuses(400);
    post("/predict?modle=tree", "image/png", &png).refuses(400);
    post("/predict", "text/plain", b"hello").refuses(415);
    post("/predict", "image/png", b"").refuses(422);
    post("/predict", "image/png", &png[..40]).refuses(422);
    post("/predict", "image/png", &vec![0; 2 << 20]).refuses(413);
    post("/predict", "application/json", b"{").refuses(400);
    post("/predict", "application/json", b"{\"images\": []}").refuses(400);
    let short = json!({ "images": [{ "pixels": pixels, "height": 28, "width": 27 }] });
    let message = post("/predict", "application/json", short.to_string().as_bytes()).refuses(400);
    assert!(message.contains("784") && message.contains("28 x 27"), "{message}");
    let huge = json!({ "images": [{ "pixels": [], "height": u64::MAX, "width": 2 }] });
    post("/predict", "application/json", huge.to_string().as_bytes()).refuses(400);
    server.get("/predict").refuses(405);
    server.get("/nothing").refuses(404);
    let elsewhere = [("content-type", "image/png"), ("origin", "http://example.org")];
    server.send("POST", "/predict", &elsewhere, &png).refuses(403);
    assert_eq!(server.get("/healthz").status, 200);
}

/// 10,000 with `PIPELINE_FUZZ=10000`.
#[test]
fn random_and_mutated_requests_do_not_end_it() {
    let server = Server::start(&[]);
    let (_, png) = image();
    let n_requests: usize =
        std::env::var("PIPELINE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let mut rng = Rng::new(1, &["requests"]);
    let head = format!(
        "POST /predict?similar=1 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         content-type: image/png\r\ncontent-length: {}\r\n\r\n",
        server.address,
        png.len()
    );
    let whole = [head.as_bytes(), &png].concat();
    for nth in 0..n_requests {
        let mut request = whole.clone();
        match nth % 4 {
            // Noise.
            0 => request = (0..rng.below(600)).map(|_| rng.next_u32() as u8).collect(),
            // The head is whole, the image is not.
            1 => (0..1 + rng.below(20)).for_each(|_| {
                let at = head.len() + rng.below(png.len());
                request[at] = rng.next_u32() as u8;
            }),
            2 => request.truncate(rng.below(whole.len())),
            _ => (0..1 + rng.below(8)).for_each(|_| {
                let at = rng.below(whole.len());
                request[at] = rng.next_u32() as u8;
            }),
        }
        let answer = server.raw(&request, true);
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).map(str::to_owned);
        assert!(!status.is_some_and(|status| status.starts_with('5')), "request {nth}");
    }
    assert_eq!(server.post("/predict", "image/png", &png).status, 200);
}

#[cfg(unix)]
#[test]
fn it_ends_when_asked_to_and_says_where_it_cannot_listen() {
    let mut server = Server::start(&[]);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let taken = server._project.run(&["serve", "one", "--port", &port]);
    taken.fails(1, &["cannot listen", "--port"]);
    let id = server.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(server.child.wait().unwrap().success(), "a clean end");
}

/// Chromium runs the page's script, which asks the server for its models.
#[test]
fn a_browser_shows_the_page_and_its_script_reaches_the_server() {
    let server = Server::start(&["--model", "tree"]);
    let mut last = String::new();
    // A busy machine may not have the answer when the page is read.
    for _ in 0..3 {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = std::process::Command::new("chromium");
        browser
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
            .args(["--disable-background-networking", "--virtual-time-budget=20000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("http://{}/", server.address));
        let Ok(found) = browser.output() else {
            eprintln!("skipped: there is no Chromium");
            return;
        };
        last = String::from_utf8_lossy(&found.stdout).into_owned();
        if last.contains("28 × 28 pixels and know T-shirt/top") {
            return;
        }
    }
    panic!("{last}");
}
