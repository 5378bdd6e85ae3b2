//! Those who knock: the DWN wire protocol over HTTP, the node's own control socket, the gateway.
//!
//! Only this module (and `web`, later) knows HTTP. Handlers translate and call the door; they decide nothing.

pub mod client;
mod connect;
pub mod control;
pub mod dwn;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod gateway;
mod jsonrpc;
mod read;
pub mod records;
mod registration;
pub mod pkarr;
mod serve;
mod ws;
pub mod storage;

pub use registration::{Config as RegistrationConfig, Registration};
pub use serve::{Listening, listen_tcp, listen_unix};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Unix socket of the control RPC (only this user may open it), relative to the home.
    pub socket: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { socket: "rpc.sock".into() }
    }
}

/// JSON text that survives an HTTP header: everything outside printable ASCII escaped as `\uXXXX`.
fn header_json(text: &str) -> String {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn headers_hold_any_text() {
        let json = serde_json::json!({"a": "ü\u{7f}😀\n"});
        let text = super::header_json(&json.to_string());
        assert_eq!(text, r#"{"a":"\u00fc\u007f\ud83d\ude00\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("still JSON"), json);
    }
}
