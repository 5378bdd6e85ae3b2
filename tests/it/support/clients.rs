//! The clients in `clients/`, and programs that call a node through them, driven line by line.

use super::{fetched, root};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

static COMPILER: OnceLock<PathBuf> = OnceLock::new();
static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// The folder with the TypeScript compiler and the types of node.
fn modules() -> PathBuf {
    fetched("fetch-typescript", &COMPILER).join("node_modules")
}

/// A folder of TypeScript as JavaScript, by the settings of the client and more. It imports the client as apps do, and the SDK.
#[track_caller]
pub fn compiled(folder: &Path) -> PathBuf {
    let place = |name: &str| {
        let place = folder.join("node_modules").join(name);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        place
    };
    std::os::unix::fs::symlink(typescript(), place("@toft/client")).expect("links");
    let sdk = super::sdk::folder().join("node_modules/@tbd54566975");
    std::os::unix::fs::symlink(sdk, place("@tbd54566975")).expect("links");
    std::fs::write(folder.join("package.json"), r#"{"type":"module"}"#).expect("writes");
    let options = json!({"rootDir": folder, "outDir": folder.join("js"), "typeRoots": [modules().join("@types")], "declaration": false,
        "skipLibCheck": true, "noPropertyAccessFromIndexSignature": true});
    let settings = json!({"extends": root().join("clients/ts/tsconfig.json"), "compilerOptions": options, "include": [folder.join("*.ts")]});
    std::fs::write(folder.join("tsconfig.json"), settings.to_string()).expect("writes");
    let output = Command::new("node").arg(modules().join("typescript/bin/tsc")).arg("-p").arg(folder).output();
    let output = output.expect("node runs (install node 20 or later)");
    assert!(output.status.success(), "it does not compile:\n{}", String::from_utf8_lossy(&output.stdout));
    folder.join("js")
}

/// The TypeScript client as JavaScript: a folder with `index.js`.
pub fn typescript() -> &'static Path {
    BUILT.get_or_init(|| {
        let modules = modules();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client-ts");
        let _ = std::fs::remove_dir_all(&folder);
        let output = Command::new("node")
            .arg(modules.join("typescript/bin/tsc"))
            .arg("-p")
            .arg(root().join("clients/ts"))
            .arg("--outDir")
            .arg(&folder)
            .arg("--typeRoots")
            .arg(modules.join("@types"))
            .output()
            .expect("node runs (install node 20 or later)");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "the TypeScript client does not compile:\n{said}");
        std::fs::write(folder.join("package.json"), r#"{"type":"module","exports":"./index.js"}"#).expect("writes");
        folder
    })
}

/// A running program in `tests/interop/clients`, which has one of the clients.
#[derive(Debug)]
pub struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// `address`: `{"socket": path}` or `{"url": …, "token": …}`.
    pub fn typescript(address: &Value) -> Self {
        let mut command = Command::new("node");
        command.arg(root().join("tests/interop/clients/typescript.mjs")).arg(typescript());
        Self::start(command, address)
    }

    pub fn python(address: &Value) -> Self {
        let mut command = Command::new("python3");
        command.arg(root().join("tests/interop/clients/python.py")).env("PYTHONPATH", root().join("clients/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Self::start(command, address)
    }

    fn start(mut command: Command, address: &Value) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs (node 20, python 3.11 or later)");
        let mut input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        writeln!(input, "{address}").expect("the client reads");
        Self { child, input, output }
    }

    #[track_caller]
    pub fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").expect("the client reads");
        self.next()
    }

    /// The next thing it says.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the client answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("the client said {line:?}: {e}"))
    }

    /// `{"result": …}` or `{"error": {"code", "kind", "message"}}`.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.ask(&json!({"op": "call", "method": method, "params": params}))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call over a node's socket, as the command line makes it: `{"result": …}` or `{"error": {"code", "kind", "message"}}`.
#[track_caller]
pub fn over_the_socket(socket: &Path, method: &str, params: &Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let head = "POST /rpc HTTP/1.1\r\nhost: toft\r\nconnection: close\r\ncontent-type: application/json";
    let mut stream = UnixStream::connect(socket).expect("the node's socket");
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("the node reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the node answers");
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let mut answer: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{method}: {text:?}: {e}"));
    match &mut answer["error"] {
        Value::Null => json!({"result": answer["result"].take()}),
        error => json!({"error": {"code": error["code"], "kind": error["data"]["kind"], "message": error["message"]}}),
    }
}
