//! A Chromium, driven line by line.

use super::{fetched, root};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

static CHROMIUM: OnceLock<PathBuf> = OnceLock::new();

/// A running `tests/interop/browser/chromium.mjs`, which says what each command does.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A page that is open.
#[derive(Debug, Clone, Copy)]
pub struct Page(u64);

impl Chromium {
    pub fn start() -> Self {
        let mut child = Command::new("node")
            .arg(root().join("tests/interop/browser/chromium.mjs"))
            .arg(fetched("fetch-chromium", &CHROMIUM))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs (install node 20 or later)");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    #[track_caller]
    fn call(&mut self, command: Value) -> Value {
        writeln!(self.input.as_ref().expect("open until it is dropped"), "{command}").expect("the driver reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the driver answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("the driver said {line:?}: {e}"));
        assert!(answer["failed"].is_null(), "{command}: {}", answer["failed"]);
        answer
    }

    /// A web server with an empty page at `/` and all files of a folder below `/client/`; its port.
    #[track_caller]
    pub fn serve(&mut self, folder: Option<&Path>) -> u64 {
        self.serve_also(folder, json!({"/": {"text": "<!doctype html><title>a page</title>"}}))
    }

    /// The same with these files: `{"/path": {"file": …}}`.
    #[track_caller]
    pub fn serve_also(&mut self, folder: Option<&Path>, mut files: Value) -> u64 {
        for entry in folder.into_iter().flat_map(|folder| folder.read_dir().expect("a folder")) {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            files[format!("/client/{name}")] = json!({"file": path});
        }
        self.call(json!({"op": "serve", "files": files}))["port"].as_u64().expect("a port")
    }

    #[track_caller]
    pub fn open(&mut self, url: &str) -> Page {
        Page(self.call(json!({"op": "open", "url": url}))["page"].as_u64().expect("a page"))
    }

    /// A page that came from elsewhere when its host's name was another machine's.
    #[track_caller]
    pub fn open_rebound(&mut self, url: &str) -> Page {
        Page(self.call(json!({"op": "open", "url": url, "body": "<p>"}))["page"].as_u64().expect("a page"))
    }

    /// What an expression comes to in a page, or the error it throws.
    #[track_caller]
    pub fn try_eval(&mut self, page: Page, script: &str) -> Result<Value, String> {
        let mut answer = self.call(json!({"op": "eval", "page": page.0, "script": script}));
        match answer["thrown"].as_str() {
            Some(thrown) => Err(thrown.to_owned()),
            None => Ok(answer["value"].take()),
        }
    }

    #[track_caller]
    pub fn eval(&mut self, page: Page, script: &str) -> Value {
        self.try_eval(page, script).unwrap_or_else(|thrown| panic!("{script}: {thrown}"))
    }

    #[track_caller]
    pub fn close(&mut self, page: Page) {
        self.call(json!({"op": "close", "page": page.0}));
    }

    /// What the page's requests to an address came to: `POST 403`, `OPTIONS 204`, `POST PreflightMissingAllowOriginHeader`, …
    #[track_caller]
    pub fn answers(&mut self, page: Page, url: &str) -> Vec<String> {
        let answers = self.call(json!({"op": "answers", "page": page.0}))["answers"].take();
        let mut found = Vec::new();
        for answer in answers.as_array().into_iter().flatten().filter(|answer| answer["url"] == url) {
            let end = match (&answer["status"], &answer["failed"]) {
                (Value::Number(status), _) => status.to_string(),
                (_, Value::String(failed)) => failed.clone(),
                _ => "-".to_owned(),
            };
            found.push(format!("{} {end}", answer["method"].as_str().unwrap_or_default()));
        }
        found
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends Chromium and removes its profile.
        self.input = None;
        let _ = self.child.wait();
    }
}
