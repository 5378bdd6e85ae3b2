//! A stand-in between the node and bitcoind that loses one message, as a crash at that moment would.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// What is lost of the calls of the watched method.
#[derive(Debug, Clone, Copy)]
pub enum Lose {
    /// The request: bitcoind never sees it.
    Request,
    /// The answer: bitcoind has done it, and the caller does not learn it.
    Answer,
    /// Nothing: the answer waits for [`Proxy::pass`].
    Nothing,
}

/// Passes everything on to bitcoind but what it is to lose; the caller then waits in vain until this is dropped.
pub struct Proxy {
    url: String,
    lost: mpsc::Receiver<String>,
    gone: Arc<AtomicBool>,
    passes: Arc<AtomicBool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Proxy {
    /// In front of the bitcoind at `target` ("http://127.0.0.1:port").
    pub fn start(target: &str, method: &'static str, lose: Lose) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, lost) = mpsc::channel();
        let gone = Arc::new(AtomicBool::new(false));
        let (ended, passes) = (gone.clone(), Arc::new(AtomicBool::new(false)));
        let may_pass = passes.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut caller) = stream else { continue };
                let (target, sender, gone) = (target.clone(), sender.clone(), ended.clone());
                let may_pass = may_pass.clone();
                thread::spawn(move || {
                    let request = message(&mut caller);
                    let body = String::from_utf8_lossy(&request).into_owned();
                    let watched = body.contains(&format!("\"{method}\""));
                    let mut held = None;
                    if !(watched && matches!(lose, Lose::Request)) {
                        let mut bitcoind = TcpStream::connect(target).expect("bitcoind is there");
                        bitcoind.write_all(&request).expect("bitcoind reads");
                        let answer = message(&mut bitcoind);
                        if !watched {
                            let _ = caller.write_all(&answer); // the caller may have gone
                            return;
                        }
                        held = matches!(lose, Lose::Nothing).then_some(answer);
                    }
                    let _ = sender.send(body);
                    while !gone.load(Ordering::Relaxed) {
                        if let Some(answer) = held.as_ref().filter(|_| may_pass.load(Ordering::Relaxed)) {
                            let _ = caller.write_all(answer);
                            return;
                        }
                        thread::sleep(Duration::from_millis(20));
                    }
                });
            }
        });
        Self { url, lost, gone, passes }
    }

    /// From now on answers of the watched method are handed on, also the one that waits.
    pub fn pass(&self) {
        self.passes.store(true, Ordering::Relaxed);
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a message was lost; the request.
    pub fn lost(&self) -> String {
        self.lost.recv_timeout(Duration::from_secs(60)).expect("the watched method is called")
    }
}

/// One HTTP message: its head, and as much body as it announces.
fn message(stream: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let announced = text.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
            if bytes.len() >= head + 4 + announced.unwrap_or(0_usize) {
                return bytes;
            }
        }
        match stream.read(&mut piece) {
            Ok(n @ 1..) => bytes.extend_from_slice(&piece[..n]),
            _ => return bytes,
        }
    }
}
