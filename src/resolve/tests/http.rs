//! TLS: a certificate counts only from an authority that is trusted, and only for the host that was asked.

use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

#[tokio::test]
async fn a_certificate_must_be_of_the_host_and_from_somebody_we_trust() {
    let CertifiedKey { cert, key_pair } = generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
            let _ = stream.shutdown().await;
        }
    });
    let target = |host: &str| Target {
        tls: true,
        host: host.into(),
        port,
        authority: format!("{host}:{port}"),
        path: "/".into(),
        trusted: true,
        body_max: 5,
    };
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let trusting = Client::trusting(roots).expect("a client");
    assert_eq!(trusting.get(&target("localhost")).await, Ok("hello".into()));
    let stranger = Client::new().expect("a client");
    for (client, host) in [(&trusting, "127.0.0.1"), (&stranger, "localhost")] {
        let failure = client.get(&target(host)).await.expect_err("refused");
        assert!(failure.to_string().starts_with("TLS: "), "{failure}");
    }
}
