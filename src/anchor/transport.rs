//! One request to bitcoind and its answer over HTTP/1.1: as narrow as the JSON-RPC needs it.
//!
//! Who answers at `anchor.bitcoin.rpc` may be anything. An answer has a longest length and a deadline over all of it. A
//! redirect is never followed: our credentials stay with the host they are meant for. What is no answer is not quoted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoincore_rpc::jsonrpc::{self, Request, Response};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    io::{self, BufReader, Read, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};
use url::Url;
use zeroize::Zeroizing;

/// All headers of an answer.
const HEADERS_MAX: u64 = 16 << 10;
/// An answer: the longest that is asked for names all transactions of a block, or the coins of a wallet.
const BODY_MAX: u64 = 8 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Io(String),
    #[error("it answers with HTTP status {0}")]
    Status(u16),
    #[error("it answers with a redirect (HTTP status {0}), which is not followed")]
    Redirect(u16),
    #[error("its answer is longer than {BODY_MAX} bytes")]
    TooLong,
    #[error("what answers does not speak HTTP")]
    NotHttp,
    #[error("{0} is no http:// URL")]
    Url(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Io("no whole answer in time".into()),
            _ => Self::Io(error.to_string()),
        }
    }
}

/// The way to one URL.
pub(super) struct Transport {
    url: Url,
    /// `Basic …`
    authorization: Zeroizing<String>,
    deadline: Duration,
}

impl Transport {
    pub fn new(url: &str, (user, password): (&str, &str), deadline: Duration) -> Result<Self, Failure> {
        let parsed = Url::parse(url).ok().filter(|url| url.scheme() == "http" && url.host_str().is_some());
        let url = parsed.ok_or_else(|| Failure::Url(url.to_owned()))?;
        let secret = Zeroizing::new(format!("{user}:{password}"));
        let authorization = Zeroizing::new(format!("Basic {}", STANDARD.encode(secret.as_bytes())));
        Ok(Self { url, authorization, deadline })
    }

    fn request<T: DeserializeOwned>(&self, request: &impl Serialize) -> Result<T, jsonrpc::Error> {
        let body = serde_json::to_vec(request)?;
        let (status, answer) = self.exchange(&body).map_err(|why| jsonrpc::Error::Transport(why.into()))?;
        // bitcoind says what is wrong in JSON, whatever the status.
        serde_json::from_slice(&answer).map_err(|error| match status {
            200 => error.into(),
            status => jsonrpc::Error::Transport(Failure::Status(status).into()),
        })
    }

    fn exchange(&self, body: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let end = Instant::now() + self.deadline;
        let mut stream = self.connect(end)?;
        let authority = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        let head = Zeroizing::new(format!(
            "POST {} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: \
             {}\r\nConnection: close\r\n\r\n",
            self.url.path(),
            *self.authorization,
            body.len()
        ));
        stream.set_write_timeout(Some(self.deadline))?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        read(BufReader::new(Timed { stream, end }))
    }

    fn connect(&self, end: Instant) -> Result<TcpStream, Failure> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let mut failure = Failure::Io("its name has no address".into());
        for address in (host, self.url.port_or_known_default().unwrap_or(80)).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(end)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }
}

impl jsonrpc::client::Transport for Transport {
    fn send_request(&self, request: Request<'_>) -> Result<Response, jsonrpc::Error> {
        self.request(&request)
    }

    fn send_batch(&self, requests: &[Request<'_>]) -> Result<Vec<Response>, jsonrpc::Error> {
        self.request(&requests)
    }

    fn fmt_target(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

/// Reads until one moment, however the bytes are spread over the time.
struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.end)?))?;
        self.stream.read(into)
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Status and body of an answer.
fn read(mut from: BufReader<impl Read>) -> Result<(u16, Vec<u8>), Failure> {
    let mut head = from.by_ref().take(HEADERS_MAX);
    let status = status(&line(&mut head)?).ok_or(Failure::NotHttp)?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = line(&mut head)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(Failure::NotHttp)?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse::<u64>().map_err(|_| Failure::NotHttp)?),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    if (300..400).contains(&status) {
        return Err(Failure::Redirect(status));
    }
    let mut body = Vec::new();
    match length {
        _ if chunked => chunks(&mut from, &mut body)?,
        Some(length) if length > BODY_MAX => return Err(Failure::TooLong),
        Some(length) => exactly(&mut from, length, &mut body)?,
        None => {
            from.take(BODY_MAX + 1).read_to_end(&mut body)?;
        }
    }
    if body.len() as u64 > BODY_MAX { Err(Failure::TooLong) } else { Ok((status, body)) }
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// A line without its end.
fn line(from: &mut impl io::BufRead) -> Result<String, Failure> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(Failure::NotHttp);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| Failure::NotHttp)
}

fn exactly(from: &mut impl Read, length: u64, body: &mut Vec<u8>) -> Result<(), Failure> {
    match from.take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(Failure::Io("its answer broke off".into())),
    }
}

fn chunks(from: &mut impl io::BufRead, body: &mut Vec<u8>) -> Result<(), Failure> {
    loop {
        let size = line(&mut from.by_ref().take(HEADERS_MAX))?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| Failure::NotHttp)?;
        if size == 0 {
            return Ok(());
        }
        if size.saturating_add(body.len() as u64) > BODY_MAX {
            return Err(Failure::TooLong);
        }
        exactly(from, size, body)?;
        line(&mut from.by_ref().take(2))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    fn said(answer: &[u8]) -> Result<(u16, String), Failure> {
        read(BufReader::new(answer)).map(|(status, body)| (status, String::from_utf8(body).expect("text")))
    }

    #[test]
    fn answers_are_read_whatever_their_framing_and_bounded() {
        let ok = |status: u16| Ok((status, "{}".to_owned()));
        assert_eq!(said(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}rest"), ok(200));
        assert_eq!(
            said(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\n\r\n"),
            ok(500)
        );
        assert_eq!(said(b"HTTP/1.0 401 No\r\n\r\n{}"), ok(401));
        assert_eq!(said(b"HTTP/1.1 302 Found\r\nLocation: http://evil\r\n\r\n"), Err(Failure::Redirect(302)));
        assert_eq!(said(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"), Err(Failure::TooLong));
        let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n";
        assert_eq!(said(chunk), Err(Failure::TooLong));
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'{'; BODY_MAX as usize + 9]].concat();
        assert_eq!(said(&endless), Err(Failure::TooLong));
        let headers = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; HEADERS_MAX as usize]].concat();
        assert_eq!(said(&headers), Err(Failure::NotHttp));
        for broken in
            ["", "SSH-2.0\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n"]
        {
            assert_eq!(said(broken.as_bytes()), Err(Failure::NotHttp), "{broken:?}");
        }
        assert!(matches!(said(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"), Err(Failure::Io(_))));
    }

    /// What a host does with our request: `answer` is sent, then nothing more until we go.
    fn asked(answer: &'static [u8], piece: usize, pause: Duration) -> Result<(u16, Vec<u8>), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let url = format!("http://{}/wallet/x", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepts");
            for piece in answer.chunks(piece) {
                if stream.write_all(piece).is_err() {
                    return;
                }
                thread::sleep(pause);
            }
            let _ = stream.read_to_end(&mut Vec::new()); // until the client has gone
        });
        let transport = Transport::new(&url, ("u", "p"), Duration::from_millis(400)).expect("a URL");
        transport.exchange(b"{}")
    }

    #[test]
    fn the_deadline_is_for_all_of_an_answer() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(asked(answer, 99, Duration::ZERO), Ok((200, b"{}".to_vec())));
        let late = Err(Failure::Io("no whole answer in time".into()));
        assert_eq!(asked(answer, 1, Duration::from_millis(50)), late, "a byte now and then does not keep us");
        assert_eq!(asked(b"", 1, Duration::ZERO), late);
        assert!(Transport::new("https://x", ("", ""), Duration::ZERO).is_err());
    }
}
