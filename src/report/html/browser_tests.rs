//! The page in a real browser, where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{page, policy};
use crate::report::{RunOutput, example};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// What every page of a full run has.
const SECTIONS: [&str; 16] = [
    "summary",
    "cost",
    "reported",
    "comparisons",
    "pairs",
    "search",
    "training",
    "confusion",
    "classes",
    "models",
    "scatter",
    "samples",
    "axes",
    "mistakes",
    "stages",
    "provenance",
];

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .flat_map(|dir| BROWSERS.map(|name| dir.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: none of {BROWSERS:?} is in PATH");
    }
    found
}

/// The page's elements after its scripts ran, and what the browser's console said.
fn shown(browser: &Path, html: &str, width: usize) -> (String, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.html");
    std::fs::write(&file, html).unwrap();
    let shown = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .args(["--virtual-time-budget=4000", "--hide-scrollbars"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", place.path().join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let [dom, log] = [&shown.stdout, &shown.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(shown.status.success(), "{log}");
    assert!(dom.contains("id=\"provenance\""), "the page was not read to its end: {log}");
    let messages = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    (dom.into_owned(), messages.collect())
}

/// A copy of the page that tries itself out.
fn with_self_test(output: &RunOutput) -> String {
    let html = page(output);
    let policy = html_escaped(&policy());
    assert!(html.contains(&policy), "the policy is not in the page");
    let open = policy.split("script-src").next().unwrap().to_owned() + "script-src 'unsafe-inline'";
    let script = format!(
        "<script>const SECTIONS = {SECTIONS:?};</script><script>{}</script></body>",
        include_str!("self_test.js")
    );
    html.replace(&policy, &open).replace("</body>", &script)
}

fn html_escaped(text: &str) -> String {
    maud::html! { (text) }.into_string()
}

/// What the self-test wrote.
fn verdict(dom: &str) -> String {
    let (_, from) = dom.split_once("<pre id=\"self-test\">").expect("the self-test did not end");
    from.split_once("</pre>").unwrap().0.to_owned()
}

#[test]
fn page_opens_under_its_own_policy_without_a_console_message() {
    let Some(browser) = browser() else { return };
    let (dom, messages) = shown(&browser, &page(&example::run_output()), 1200);
    assert!(messages.is_empty(), "{messages:?}");
    assert!(dom.contains("<html lang=\"en\" class=\"js\">"), "the script did not run");
}

#[test]
fn tables_sort_and_filter_and_disagreements_can_be_browsed() {
    let Some(browser) = browser() else { return };
    let (dom, messages) = shown(&browser, &with_self_test(&example::run_output()), 1200);
    assert!(messages.is_empty(), "{messages:?}");
    let verdict = verdict(&dom);
    assert!(verdict.ends_with(" 0 failed: "), "{verdict}");
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let Some(browser) = browser() else { return };
    let (dom, messages) = shown(&browser, &with_self_test(&example::run_output()), 390);
    assert!(messages.is_empty(), "{messages:?}");
    let verdict = verdict(&dom);
    assert!(verdict.ends_with(" 0 failed: "), "{verdict}");
}

#[test]
fn twenty_models_make_a_page_of_less_than_15_mib() {
    let output = example::many_models(20);
    assert_eq!(output.results.models.len(), 20);
    let began = Instant::now();
    let html = page(&output);
    eprintln!("{} KiB in {:.2} s", html.len() / 1024, began.elapsed().as_secs_f64());
    assert!(html.len() < 15 << 20, "{} bytes", html.len());
    let Some(browser) = browser() else { return };
    let began = Instant::now();
    let (_, messages) = shown(&browser, &html, 1200);
    eprintln!(
        "opened in {:.2} s, the start of the browser included",
        began.elapsed().as_secs_f64()
    );
    assert!(messages.is_empty(), "{messages:?}");
}

/// Set `REPORT_OUT`, `REPORT_SEEDS_OUT` or `REPORT_MANY_OUT` to a path to look at the page of a
/// made-up example.
#[test]
fn example_page_is_written_where_asked() {
    let write = |name: &str, output: fn() -> RunOutput| {
        if let Some(path) = std::env::var_os(name) {
            std::fs::write(path, page(&output())).unwrap();
        }
    };
    write("REPORT_OUT", example::run_output);
    write("REPORT_SEEDS_OUT", example::seeds_output);
    write("REPORT_MANY_OUT", || example::many_models(20));
}
