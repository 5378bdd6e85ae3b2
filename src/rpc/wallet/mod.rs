//! The wallet RPC: the methods of [`super::control`] over loopback TCP, for programs and pages of this machine that hold a token.
//!
//! Guards stand in this order: the host's name (421), the page's origin (403), the content's type (415), the size (413), the token (401);
//! then for each call its scope, and the token's rate (429). `POST /rpc`, a WebSocket at `/rpc`, one-time addresses for large data that calls have given, and `POST /pair`, which alone answers
//! pages that hold no token.

mod guard;
mod post;
mod session;

use super::{
    control::{Call, transfer},
    hosts::{Hosts, Page},
    websocket,
};
use crate::{asker::Asker, task::Tasks};
use anyhow::Error;
use axum::{
    Extension, Router,
    extract::{FromRef, Request, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post as posting},
};
use guard::Guarded;
use std::net::SocketAddr;

/// What the routes share.
#[derive(Clone)]
struct Shared {
    call: Call,
    tasks: Tasks,
}

impl FromRef<Shared> for Call {
    fn from_ref(shared: &Shared) -> Self {
        shared.call.clone()
    }
}

/// The routes. `address`: where they are served. `hosts`: other names under which that may be reached.
pub fn router(call: Call, address: SocketAddr, hosts: &[String], tasks: &Tasks) -> Result<Router, Error> {
    let hosts = Hosts::new(address, hosts, "rpc.hosts")?;
    let rpc = Guarded::new(call.clone(), hosts.clone(), guard::Pages::WithToken);
    let pair = Guarded::new(call.clone(), hosts, guard::Pages::All);
    let shared = Shared { call, tasks: tasks.clone() };
    let pairing =
        Router::new().route("/pair", posting(post::pair)).layer(middleware::from_fn_with_state(pair, guard::stand));
    Ok(Router::new()
        .route("/rpc", get(socket).post(post::rpc))
        .merge(transfer::router())
        .layer(middleware::from_fn_with_state(rpc, guard::stand))
        .merge(pairing)
        .with_state(shared))
}

/// A WebSocket for those who ask for one.
async fn socket(
    State(shared): State<Shared>,
    Extension(asker): Extension<Asker>,
    Extension(page): Extension<Page>,
    mut request: Request,
) -> Response {
    if !request.headers().contains_key(header::UPGRADE) {
        let message = "calls are posted here, or sent over a WebSocket: docs/rpc.md\n";
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], message).into_response();
    }
    let (response, coming) = match websocket::upgrade(&mut request) {
        Ok(upgrade) => upgrade,
        Err(wrong) => return wrong.into_response(),
    };
    let (call, stop) = (shared.call.clone(), shared.tasks.stop());
    tokio::spawn(shared.tasks.track(async move {
        if let Ok(socket) = websocket::open(coming).await {
            session::converse(socket, call, (asker, page), stop).await;
        }
    }));
    response
}
