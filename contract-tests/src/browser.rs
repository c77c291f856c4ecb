//! Pages in a real browser, judged by axe-core: WCAG 2.2 AA, no scrolling sideways on a phone, keyboard order.
//!
//! Only where `SILTA_CHROMIUM` names a Chromium and `SILTA_AXE` the `axe.min.js` of axe-core; `scripts/test.sh` sets both.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::process::{Command, Stdio};

const RUNNER: &str = include_str!("../browser.html");

/// Asserts that nothing is wrong with pages: each with its name and its HTML, whose stylesheets are inside. Without a
/// browser it says so and asserts nothing.
///
/// # Panics
/// If something is wrong with a page, or the browser fails.
pub fn assert_accessible(pages: &[(String, String)]) {
    let (Some(chromium), Some(axe)) = (std::env::var_os("SILTA_CHROMIUM"), std::env::var_os("SILTA_AXE")) else {
        eprintln!("not looked at in a browser: SILTA_CHROMIUM and SILTA_AXE are not set");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let axe = std::fs::canonicalize(axe).expect("axe-core");
    let pages_json = serde_json::to_string(pages).expect("JSON").replace('<', "\\u003c");
    let runner = RUNNER.replace("AXE", &format!("file://{}", axe.display())).replace("PAGES", &pages_json);
    let file = folder.path().join("runner.html");
    std::fs::write(&file, runner).expect("writes");
    let mut command = Command::new(chromium);
    // The pages are our own; a container has no sandbox to offer. Time is the browser's own and runs as fast as it can.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    command.args(["--no-first-run", "--virtual-time-budget=600000", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    command.arg(format!("file://{}", file.display())).stdin(Stdio::null());
    let done = command.output().expect("the browser starts");
    let dom = String::from_utf8_lossy(&done.stdout);
    let told = dom.rsplit("<pre id=\"found\">").next().and_then(|rest| rest.split("</pre>").next());
    let told = told.filter(|_| dom.contains("<pre id=\"found\">")).map(|text| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    });
    let told = told.unwrap_or_else(|| panic!("the browser says nothing: {}", String::from_utf8_lossy(&done.stderr)));
    let found: Vec<&str> = told["found"].as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
    assert!(found.is_empty(), "{} things are wrong:\n{}", found.len(), found.join("\n"));
    assert_eq!(told["runs"], pages.len() * 4, "each page in two widths and two colour schemes");
}
