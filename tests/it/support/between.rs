//! Stands between a node and a DWN server, counts what is asked, and spoils answers that a test chooses.

use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// A status of HTTP, and a page.
    Status(u16),
    /// Other bytes than there were, at its end.
    Bytes,
    /// Half of it, and the connection ends.
    Half,
}

/// A message that was sent: interface and method, and what it is about (a messageCid or recordId).
pub type Asked = (String, String);

type Choose = Box<dyn Fn(&Asked) -> Option<Spoil> + Send + Sync>;

/// Runs until dropped.
pub struct Between {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    choose: Arc<Mutex<Choose>>,
    gone: Arc<AtomicBool>,
}

impl Drop for Between {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Between {
    /// In front of the server at `target` ("http://127.0.0.1:port").
    pub fn start(target: &str) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let none: Choose = Box::new(|_| None);
        let (choose, gone) = (Arc::new(Mutex::new(none)), Arc::new(AtomicBool::new(false)));
        let (kept, chosen, ended) = (asked.clone(), choose.clone(), gone.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(caller) = stream else { continue };
                let (target, kept, chosen) = (target.clone(), kept.clone(), chosen.clone());
                thread::spawn(move || serve(caller, &target, &kept, &chosen));
            }
        });
        Self { url, asked, choose, gone }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on answers to these are spoiled.
    pub fn spoil(&self, choose: impl Fn(&Asked) -> Option<Spoil> + Send + Sync + 'static) {
        *self.choose.lock().expect("no panic") = Box::new(choose);
    }

    /// What was asked since the last call of this.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

/// One request; then both connections end.
fn serve(mut caller: TcpStream, target: &str, kept: &Mutex<Vec<Asked>>, choose: &Mutex<Choose>) {
    let request = request(&mut caller);
    let Some(end) = head_end(&request) else { return };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let asked = head.lines().find_map(|line| line.strip_prefix("dwn-request: ")).map(asked_of);
    let mut spoil = None;
    if let Some(asked) = asked {
        spoil = choose.lock().expect("no panic")(&asked);
        kept.lock().expect("no panic").push(asked);
    }
    if let Some(Spoil::Status(code)) = spoil {
        let page = "<html>not now</html>";
        let _ =
            write!(caller, "HTTP/1.1 {code} No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
        return;
    }
    let Ok(mut server) = TcpStream::connect(target) else { return };
    // The server ends the connection behind its answer.
    let first = head.find("\r\n").expect("a line") + 2;
    let _ = server.write_all(&request[..first]);
    let _ = server.write_all(b"connection: close\r\n");
    let _ = server.write_all(&request[first..]);
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer);
    match spoil {
        Some(Spoil::Half) => answer.truncate(answer.len() / 2),
        // Before the end of a last chunk ("\r\n0\r\n\r\n"), or of a body with a length.
        Some(Spoil::Bytes) => {
            let back = if answer.ends_with(b"\r\n0\r\n\r\n") { 8 } else { 1 };
            let at = answer.len() - back;
            answer[at] ^= 1;
        }
        Some(Spoil::Status(_)) | None => {}
    }
    let _ = caller.write_all(&answer);
}

fn asked_of(json: &str) -> Asked {
    let request: Value = serde_json::from_str(json).expect("a request");
    let message = &request["params"]["message"];
    let descriptor = &message["descriptor"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let about = [&descriptor["messageCid"], &message["recordId"], &descriptor["recordId"]];
    let about = about.into_iter().find(|value| value.is_string()).map(text).unwrap_or_default();
    (text(&descriptor["interface"]) + &text(&descriptor["method"]), about)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
}

/// A request with the body that it announces.
fn request(caller: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if let Some(end) = head_end(&bytes) {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0_usize) {
                return bytes;
            }
        }
        match caller.read(&mut piece) {
            Ok(n @ 1..) => bytes.extend_from_slice(&piece[..n]),
            _ => return bytes,
        }
    }
}
