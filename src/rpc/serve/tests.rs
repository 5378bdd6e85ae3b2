//! A listener with all that it bounds, over real sockets from several addresses.

use super::*;
use crate::metrics::Metrics;
use axum::{
    Extension,
    body::Bytes,
    http::HeaderMap,
    routing::{get, post},
};
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

struct Server {
    address: SocketAddr,
    guard: Guard,
    tasks: Tasks,
    /// Requests for `/slow` that have come.
    slow: Arc<AtomicUsize>,
}

/// `/`: who asks. `/read`: how long the body is. `/refuse`: an answer without a look at the body. `/slow`: after a while.
async fn server(change: impl FnOnce(&mut node::Config)) -> Server {
    scarce::Files::raise().expect("file descriptors");
    let mut settings = node::Config::default();
    change(&mut settings);
    let slow = Arc::<AtomicUsize>::default();
    let coming = slow.clone();
    let router = Router::new()
        .route("/", get(|Extension(asker): Extension<Asker>| async move { asker.to_string() }))
        .route("/read", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/refuse", post(|| async { (StatusCode::UNAUTHORIZED, "no") }))
        .route(
            "/slow",
            get(move |_: HeaderMap| async move {
                coming.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_secs(30)).await;
                "at last"
            }),
        )
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20));
    let listening = listen_tcp("test", "127.0.0.1:0", "test").await.expect("a port");
    let (address, tasks) = (listening.address().expect("bound"), Tasks::default());
    let guard = Guard::new(&settings, settings.limits.connections).expect("settings");
    Metrics::default().register(|registry| guard.register("test", registry));
    listening.serve(router, guard.clone(), &tasks);
    Server { address, guard, tasks, slow }
}

impl Server {
    fn used(&self) -> usize {
        self.guard.connections.used()
    }

    async fn until_used(&self, count: usize) {
        let begun = Instant::now();
        while self.used() != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{} connections, not {count}", self.used());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for so many requests for `/slow`.
    async fn until_slow(&self, count: usize) {
        let begun = Instant::now();
        while self.slow.load(Relaxed) != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{} requests, not {count}", self.slow.load(Relaxed));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn connect(&self, from: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, from], 0).into()).expect("a loopback address");
        socket.connect(self.address).await.expect("connects")
    }

    /// Is there an answer, and not an end, by a reset too?
    async fn is_served(&self, from: u8) -> bool {
        let mut stream = self.connect(from).await;
        let mut bytes = Vec::new();
        let asked = stream.write_all(GET.as_bytes()).await.is_ok();
        let _ = stream.read_to_end(&mut bytes).await;
        asked && bytes.starts_with(b"HTTP/1.1 200")
    }

    async fn ask(&self, from: u8, request: &str) -> String {
        let mut stream = self.connect(from).await;
        stream.write_all(request.as_bytes()).await.expect("sends");
        answer(&mut stream).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.stop().cancel();
    }
}

/// Reads until the other side ends.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    read.expect("ends in time").expect("no reset");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer of a connection that stays open.
async fn one(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes)).await;
        let count = read.expect("answers in time").expect("no reset");
        text += &String::from_utf8_lossy(&bytes[..count]);
        if count == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| !body.is_empty()) {
            return text;
        }
    }
}

fn is_asker(answer: &str, asker: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("\r\n\r\n{asker}"))
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_address_keeps_nobody_out() {
    let server = server(|_| {}).await;
    let mut held = Vec::new();
    for n in 0..1100 {
        let mut stream = server.connect(1).await;
        let half =
            ["", "GET / HTTP/1.1\r\nhos", "POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"][n % 3];
        let _ = stream.write_all(half.as_bytes()).await; // it may be closed already
        held.push(stream);
    }
    let asked = tokio::time::timeout(Duration::from_secs(1), server.ask(2, GET)).await.expect("within a second");
    assert!(is_asker(&asked, "127.0.0.2"), "{asked}");
    assert!(server.used() <= 129, "{} places are taken", server.used());
    // Those above the share are not left waiting.
    let mut last = held.pop().expect("some");
    let ended = tokio::time::timeout(Duration::from_secs(1), last.read(&mut [0])).await.expect("closed at once");
    assert_eq!(ended.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_headers_and_half_bodies_are_let_go_and_their_places_are_free_again() {
    let server = server(|settings| {
        settings.limits.header_seconds = 1;
        settings.limits.piece_seconds = 1;
        settings.limits.connections_per_address = 64;
    })
    .await;
    let halves = ["", "GET / HTTP/1.1\r\nhos", "POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"];
    let chunked = "POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf";
    let mut held = Vec::new();
    for n in 0..64 {
        let mut stream = server.connect(1).await;
        let half = halves.get(n % 4).copied().unwrap_or(chunked);
        stream.write_all(half.as_bytes()).await.expect("sends");
        held.push(stream);
    }
    server.until_used(64).await;
    assert!(!server.is_served(1).await, "the share is used up");
    server.until_used(0).await;
    assert!(is_asker(&server.ask(1, GET).await, "127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_let_go_and_one_that_comes_steadily_is_not() {
    let server = server(|settings| {
        settings.limits.piece_seconds = 1;
        settings.limits.least_rate = 1000;
    })
    .await;
    let send = async |piece: usize, pieces: usize| {
        let mut stream = server.connect(1).await;
        let head = format!(
            "POST /read HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            piece * pieces
        );
        stream.write_all(head.as_bytes()).await.expect("sends");
        for _ in 0..pieces {
            if stream.write_all(&vec![b'x'; piece]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await; // it may be reset
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (slow, steady) = tokio::join!(send(10, 40), send(400, 30));
    assert!(!slow.starts_with("HTTP/1.1 200"), "{slow}");
    assert!(steady.ends_with("\r\n\r\n12000"), "{steady}");
    server.until_used(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_body_has_come_is_not_lost() {
    let server = server(|_| {}).await;
    for size in [40_000, 300_000, 10 << 20] {
        for _ in 0..30 {
            let mut stream = server.connect(1).await;
            let head = format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("sends");
            let body = vec![b'x'; size];
            for piece in body.chunks(64 << 10) {
                stream.write_all(piece).await.expect("what is refused is read all the same");
            }
            let answered = one(&mut stream).await;
            assert!(answered.starts_with("HTTP/1.1 401") && answered.ends_with("no"), "{answered}");
            let kept = !answered.to_lowercase().contains("connection: close");
            assert_eq!(kept, size <= 64 << 10, "{answered}");
            if kept {
                stream.write_all(GET.as_bytes()).await.expect("the connection is kept");
                assert!(is_asker(&answer(&mut stream).await, "127.0.0.1"));
            } else {
                assert_eq!(stream.read(&mut [0]).await.ok(), Some(0), "an end, and no reset");
            }
        }
    }
    server.until_used(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_at_once_and_what_is_thrown_away_is_bounded() {
    let server = server(|_| {}).await;
    let mut stream = server.connect(1).await;
    let head = "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nxxx";
    stream.write_all(head.as_bytes()).await.expect("sends");
    let answered = tokio::time::timeout(Duration::from_secs(1), one(&mut stream)).await.expect("at once");
    assert!(answered.starts_with("HTTP/1.1 401"), "{answered}");
    let (mut sent, piece) = (0, vec![b'x'; 1 << 20]);
    while stream.write_all(&piece).await.is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "{sent} bytes were taken");
    }
    assert!(sent >= 30 << 20, "{sent} bytes were taken");
    server.until_used(0).await;

    // Who sends nothing more does not hold his place for long either.
    let mut stream = server.connect(1).await;
    stream.write_all(head.as_bytes()).await.expect("sends");
    one(&mut stream).await;
    server.until_used(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_to_go_on_only_when_the_body_is_wanted() {
    let server = server(|_| {}).await;
    let expects = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 5\r\n\r\n"
        )
    };
    let mut stream = server.connect(1).await;
    stream.write_all(expects("/read").as_bytes()).await.expect("sends");
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.expect("an answer");
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.expect("sends");
    assert!(answer(&mut stream).await.ends_with("\r\n\r\n5"));

    let mut stream = server.connect(1).await;
    stream.write_all(expects("/refuse").as_bytes()).await.expect("sends");
    let answered = tokio::time::timeout(Duration::from_secs(1), one(&mut stream)).await.expect("at once");
    assert!(answered.starts_with("HTTP/1.1 401"), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_many_addresses_fill_the_pool_the_one_that_idles_longest_goes() {
    let server = server(|settings| {
        settings.limits.connections = 16;
        settings.limits.connections_per_address = 4;
    })
    .await;
    let mut first = server.connect(10).await;
    first.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sends");
    server.until_slow(1).await;
    let mut silent = Vec::new();
    for n in 0..15 {
        silent.push(server.connect(20 + n).await);
        server.until_used(silent.len() + 1).await;
    }
    assert!(is_asker(&server.ask(2, GET).await, "127.0.0.2"));
    assert_eq!(silent[0].read(&mut [0]).await.ok(), Some(0), "the one that was silent longest");
    let working = tokio::time::timeout(Duration::from_millis(200), first.read(&mut [0])).await;
    assert!(working.is_err(), "one whose request is being answered stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_a_share_of_its_own() {
    let server = server(|settings| {
        settings.limits.connections = 16;
        settings.limits.connections_per_address = 4;
        settings.trusted_proxies = vec!["127.0.0.9".into()];
    })
    .await;
    let via = |path: &str, client: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: {client}\r\n\r\n")
    };
    assert!(is_asker(&server.ask(9, &via("/", "9.9.9.9")).await, "9.9.9.9"));
    assert!(is_asker(&server.ask(1, &via("/", "9.9.9.9")).await, "127.0.0.1"), "nobody's word but the proxy's");
    let mut held = Vec::new();
    for n in 1..=6 {
        let mut stream = server.connect(9).await;
        stream.write_all(via("/slow", "9.9.9.9").as_bytes()).await.expect("sends");
        held.push(stream);
        server.until_used(n.min(4)).await;
        server.until_slow(n.min(4)).await;
    }
    for mut above in held.split_off(4) {
        let answered = answer(&mut above).await;
        assert!(answered.starts_with("HTTP/1.1 503") && answered.contains("retry-after"), "{answered}");
    }
    assert!(is_asker(&server.ask(9, &via("/", "8.8.8.8")).await, "8.8.8.8"), "another client of the same proxy");
}
