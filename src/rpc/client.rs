//! A program's side of the node's own RPC: by the control socket, as the command line calls it, or over TCP with a token.

use super::control::{Failure, Kind, Method, content::AddQuery};
use crate::content::Added;
use anyhow::{Context as _, Error, anyhow};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use http_body_util::{BodyDataStream, BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    http::request,
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

/// A running node.
#[derive(Debug, Clone)]
pub struct Client {
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    /// The node of a home.
    Home { socket: PathBuf, home: PathBuf },
    /// Where `rpc.listen` is, and who calls.
    Tcp { address: String, token: Token },
}

/// What says who calls; never shown.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a request carries.
type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Client {
    pub fn new(home: &Path, socket: &str) -> Self {
        Self { at: At::Home { socket: home.join(socket), home: home.to_owned() } }
    }

    /// The node whose `rpc.listen` is this address, such as `127.0.0.1:3002`. `token`: as `toft token create` prints it.
    pub fn over_tcp(address: impl Into<String>, token: impl Into<String>) -> Self {
        Self { at: At::Tcp { address: address.into(), token: Token(token.into()) } }
    }

    /// Where its WebSocket is, and the token that it wants first.
    pub(super) fn web_socket(&self) -> Option<(&str, &Token)> {
        match &self.at {
            At::Home { .. } => None,
            At::Tcp { address, token } => Some((address, token)),
        }
    }

    /// Calls a method.
    pub async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Result, Failure> {
        let params = serde_json::to_value(params).context("writing the call")?;
        read(self.call_named(M::NAME, &params).await?)
    }

    /// Calls whatever method has that name.
    pub async fn call_named(&self, method: &str, params: &Value) -> Result<Value, Failure> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let response = self.send("POST", "/rpc", whole(call.into())).await?;
        let mut reply: Value = body_json(response).await?;
        match reply.get_mut("error").map(Value::take) {
            Some(error) => Err(failure(&error)),
            None => Ok(reply.get_mut("result").map(Value::take).unwrap_or_default()),
        }
    }

    /// Writes a record with these bytes as its data.
    pub async fn add(
        &self,
        query: &AddQuery,
        data: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<Added, Failure> {
        let AddQuery { format, published } = query;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("format", format)
            .append_pair("published", if *published { "true" } else { "false" })
            .finish();
        let body = StreamBody::new(data.map_ok(Frame::data)).boxed_unsync();
        let response = self.send("POST", &format!("/add?{query}"), body).await?;
        read(body_json(response).await?)
    }

    /// The file under `cid`, which must be fit for a path. `timeout`: seconds for a block that nobody sends.
    pub async fn get(
        &self,
        cid: &str,
        timeout: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + use<>, Failure> {
        let response = self.send("GET", &format!("/get/{cid}?timeout={timeout}"), whole(Bytes::new())).await?;
        let cid = cid.to_owned();
        let broken = move |e| Failure::new(Kind::Network, format!("{cid} broke off: {:#}", Error::new(e)));
        Ok(BodyDataStream::new(response.into_body()).map_err(broken))
    }

    /// Sends data to a one-time address; what that answers.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        data: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<T, Failure> {
        let body = StreamBody::new(data.map_ok(Frame::data)).boxed_unsync();
        let response = self.send("PUT", path, body).await?;
        read(body_json(response).await?)
    }

    /// The data at a one-time address.
    pub async fn download(&self, path: &str) -> Result<impl Stream<Item = Result<Bytes, Failure>> + use<>, Failure> {
        let response = self.send("GET", path, whole(Bytes::new())).await?;
        let broken = |e| Failure::new(Kind::Network, format!("the data broke off: {:#}", Error::new(e)));
        Ok(BodyDataStream::new(response.into_body()).map_err(broken))
    }

    /// Sends one request; an answer that is no success is a failure.
    async fn send(&self, verb: &str, path: &str, body: Body) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder().method(verb).uri(path).header("content-type", "application/json");
        let response = match &self.at {
            At::Home { socket, home } => {
                let stream = UnixStream::connect(socket).await.map_err(|e| not_running(&e, socket, home))?;
                exchange(stream, request.header("host", "toft"), body).await?
            }
            At::Tcp { address, token: Token(token) } => {
                let stream = TcpStream::connect(address).await.map_err(|e| unreachable(&e, address))?;
                let request = request.header("host", address).header("authorization", format!("Bearer {token}"));
                exchange(stream, request, body).await?
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let mut json = body_json(response).await.map_err(|_| anyhow!("the node answered {status}"))?;
        Err(failure(&json["error"].take()))
    }
}

/// One request on a connection of its own.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: request::Builder,
    body: Body,
) -> Result<Response<Incoming>, Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::new)?;
    tokio::spawn(connection); // ends with the exchange; an error shows at the request
    let request = request.body(body).context("building a request")?;
    Ok(sender.send_request(request).await.context("the node broke off the call")?)
}

fn not_running(error: &io::Error, socket: &Path, home: &Path) -> Failure {
    let home = home.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
            Kind::Network,
            format!("this needs a running node, and none runs on {home}; start it with: toft up --home {home}"),
        ),
        _ => Failure::new(Kind::Failed, format!("cannot open {}: {error}", socket.display())),
    }
}

pub(super) fn unreachable(error: &io::Error, address: &str) -> Failure {
    let message = format!("no node answers at {address}: {error}; rpc.listen in its node.toml says where it does");
    Failure::new(Kind::Network, message)
}

/// A body that is all there.
fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// An answer as what the method declares.
fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    let why =
        |e| format!("the node's answer is not understood: {e}; if it runs another version of toft, start it again");
    serde_json::from_value(answer).map_err(|e| Failure::new(Kind::Failed, why(e)))
}

async fn body_json(response: Response<Incoming>) -> Result<Value, Failure> {
    let bytes = response.into_body().collect().await.context("reading the node's answer")?.to_bytes();
    Ok(serde_json::from_slice(&bytes).context("the node's answer is not JSON")?)
}

/// An error object of JSON-RPC.
pub(super) fn failure(error: &Value) -> Failure {
    let kind = serde_json::from_value(error["data"]["kind"].clone()).unwrap_or(Kind::Failed);
    let message = error["message"].as_str().unwrap_or("the node gave no reason");
    Failure { retry_after: error["data"]["retryAfter"].as_u64(), ..Failure::new(kind, message) }
}
