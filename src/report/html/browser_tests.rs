//! The page in a real browser, where there is one.

use std::path::PathBuf;
use std::process::Command;

use super::page;
use crate::report::example;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|dir| BROWSERS.map(|name| dir.join(name)))
        .find(|file| file.is_file())
}

#[test]
fn page_opens_without_a_console_message() {
    let Some(browser) = browser() else {
        eprintln!("skipped: none of {BROWSERS:?} is in PATH");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.html");
    std::fs::write(&file, page(&example::run_output())).unwrap();
    let shown = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", place.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let [dom, log] = [&shown.stdout, &shown.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(shown.status.success(), "{log}");
    assert!(dom.contains("id=\"provenance\""), "the page was not read to its end: {log}");
    let messages: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(messages.is_empty(), "{messages:?}");
}

/// Set `REPORT_OUT` or `REPORT_SEEDS_OUT` to a path to look at the page of a made-up example.
#[test]
fn example_page_is_written_where_asked() {
    if let Some(path) = std::env::var_os("REPORT_OUT") {
        std::fs::write(path, page(&example::run_output())).unwrap();
    }
    if let Some(path) = std::env::var_os("REPORT_SEEDS_OUT") {
        std::fs::write(path, page(&example::seeds_output())).unwrap();
    }
}
