//! The CLI's side of the control socket.

use super::control::{Failure, Kind};
use anyhow::{Context as _, Error, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::net::UnixStream;

/// A connection to the running node of a home.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    home: PathBuf,
}

/// What a request carries.
pub type Out = UnsyncBoxBody<Bytes, io::Error>;

impl Client {
    pub fn new(home: &Path, socket: &str) -> Self {
        Self { socket: home.join(socket), home: home.to_owned() }
    }

    /// One JSON-RPC call.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let response = self.send(Method::POST, "/rpc", whole(call.into())).await?;
        let mut reply: Value = body_json(response).await?;
        match reply.get_mut("error").map(Value::take) {
            Some(error) => Err(failure(&error)),
            None => Ok(reply.get_mut("result").map(Value::take).unwrap_or_default()),
        }
    }

    /// A request with a body, answered with JSON.
    pub async fn post(&self, path: &str, body: Out) -> Result<Value, Failure> {
        let response = self.send(Method::POST, path, body).await?;
        body_json(response).await
    }

    /// A request answered with bytes.
    pub async fn get(&self, path: &str) -> Result<Incoming, Failure> {
        let response = self.send(Method::GET, path, whole(Bytes::new())).await?;
        Ok(response.into_body())
    }

    /// Sends one request; an answer that is no success is a failure.
    async fn send(&self, method: Method, path: &str, body: Out) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.not_running(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::new)?;
        tokio::spawn(connection); // ends with the exchange; an error shows at the request
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "toft")
            .header("content-type", "application/json")
            .body(body)
            .context("building a request")?;
        let response = sender.send_request(request).await.context("the node broke off the call")?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let mut json = body_json(response).await.map_err(|_| anyhow!("the node answered {status}"))?;
        Err(failure(&json["error"].take()))
    }

    fn not_running(&self, error: &io::Error) -> Failure {
        let home = self.home.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
                Kind::Network,
                format!("this needs a running node, and none runs on {home}; start it with: toft up --home {home}"),
            ),
            _ => Failure::new(Kind::Failed, format!("cannot open {}: {error}", self.socket.display())),
        }
    }
}

/// A body that is all there.
pub fn whole(bytes: Bytes) -> Out {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

async fn body_json(response: Response<Incoming>) -> Result<Value, Failure> {
    let bytes = response.into_body().collect().await.context("reading the node's answer")?.to_bytes();
    Ok(serde_json::from_slice(&bytes).context("the node's answer is not JSON")?)
}

fn failure(error: &Value) -> Failure {
    let kind = serde_json::from_value(error["data"]["kind"].clone()).unwrap_or(Kind::Failed);
    Failure::new(kind, error["message"].as_str().unwrap_or("the node gave no reason"))
}
