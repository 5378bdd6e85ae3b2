//! The CLI's side of the control socket.

use super::control::{Failure, Kind, Method, content::AddQuery};
use crate::content::Added;
use anyhow::{Context as _, Error, anyhow};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use http_body_util::{BodyDataStream, BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
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
type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Client {
    pub fn new(home: &Path, socket: &str) -> Self {
        Self { socket: home.join(socket), home: home.to_owned() }
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
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.not_running(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::new)?;
        tokio::spawn(connection); // ends with the exchange; an error shows at the request
        let request = Request::builder()
            .method(verb)
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

fn failure(error: &Value) -> Failure {
    let kind = serde_json::from_value(error["data"]["kind"].clone()).unwrap_or(Kind::Failed);
    let message = error["message"].as_str().unwrap_or("the node gave no reason");
    Failure { retry_after: error["data"]["retryAfter"].as_u64(), ..Failure::new(kind, message) }
}
