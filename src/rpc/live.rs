//! A program's subscription: a WebSocket of its own to the node's RPC, on which one call subscribes and its events follow.

use super::{
    client::{Client, Token, failure, unreachable},
    control::{EVENT, Failure, Kind},
};
use futures::{SinkExt as _, Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error as WsError, Message},
};

type Line = WebSocketStream<TcpStream>;

/// Calls a method that subscribes; its events as they come. It ends with a failure that says why; dropping it ends it too.
pub async fn subscribe(
    client: &Client,
    method: &str,
    params: &Value,
) -> Result<impl Stream<Item = Result<Value, Failure>> + Send + use<>, Failure> {
    let Some((address, Token(token))) = client.web_socket() else {
        let message = "the node's socket has no subscriptions: use a client over TCP, at what rpc.listen says";
        return Err(Failure::new(Kind::Usage, message));
    };
    let stream = TcpStream::connect(address).await.map_err(|e| unreachable(&e, address))?;
    let (mut line, _) = client_async(format!("ws://{address}/rpc"), stream).await.map_err(broken)?;
    call(&mut line, "rpc.authenticate", &json!({"token": token})).await?;
    call(&mut line, method, params).await?;
    Ok(stream::unfold(Some(line), async |line| {
        let mut line = line?;
        match event(&mut line).await {
            Ok(event) => Some((Ok(event), Some(line))),
            Err(ended) => Some((Err(ended), None)),
        }
    }))
}

/// The result of a call; there is no other one on the line, and no subscription yet.
async fn call(line: &mut Line, method: &str, params: &Value) -> Result<Value, Failure> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    line.send(Message::text(call.to_string())).await.map_err(broken)?;
    let mut answer = next(line).await?;
    while answer["id"] != 1 {
        answer = next(line).await?;
    }
    match answer.get_mut("error").map(Value::take) {
        Some(error) => Err(failure(&error)),
        None => Ok(answer["result"].take()),
    }
}

async fn event(line: &mut Line) -> Result<Value, Failure> {
    loop {
        let mut message = next(line).await?;
        let params = &mut message["params"];
        if let Some(why) = params["ended"].as_str() {
            return Err(Failure::new(Kind::Failed, format!("the node has ended the subscription: {why}")));
        }
        let event = params["event"].take();
        if message["method"] == EVENT && !event.is_null() {
            return Ok(event);
        }
    }
}

async fn next(line: &mut Line) -> Result<Value, Failure> {
    loop {
        let message = line.next().await.unwrap_or(Err(WsError::ConnectionClosed)).map_err(broken)?;
        if let Message::Text(text) = message {
            let unread = |e| Failure::new(Kind::Failed, format!("the node's answer is not JSON: {e}"));
            return serde_json::from_str(&text).map_err(unread);
        }
    }
}

fn broken(error: WsError) -> Failure {
    Failure::new(Kind::Network, format!("the connection to the node broke off: {error}"))
}
