//! What an identity signs when it is asked to: a message, a credential, or a login. Never bytes as they are given.
//!
//! Each use has its own shape, so that a signature of one is none of another, here and with those who do not know of this:
//!
//! | use | payload | header |
//! |---|---|---|
//! | message | `descriptorCid` and what belongs to it, no claims | no `typ` |
//! | credential | JWT claims, what is asserted under `vc`; no `descriptorCid`, no `nonce` | `vc+jwt` |
//! | login | JWT claims with `aud` (the origin) and `nonce`; no `descriptorCid`, no `vc` | `toft/login` |

use crate::{
    crypto::{Signer, jws::Jws},
    dwn::{Refusal, create},
    foreign::shown,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const CREDENTIAL: &str = "vc+jwt";
const LOGIN: &str = "toft/login";
/// Seconds that a login is good for.
const LOGIN_FOR: i64 = 300;
/// Bytes of what is asked of a login.
const TEXT_MAX: usize = 1024;

/// What is to be signed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", tag = "use", deny_unknown_fields)]
pub enum Wanted {
    /// A DWN message without its authorization: `descriptor`, and of a RecordsWrite `recordId` and `contextId`.
    Message { message: Value },
    /// A verifiable credential, whose issuer is who signs.
    Credential { credential: Value },
    /// The answer to the challenge of a site.
    Login {
        /// Who asks: scheme and host, as a browser says it.
        origin: String,
        challenge: String,
    },
}

/// What was signed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// The message with its authorization.
    Message(Value),
    /// A compact JWS.
    Jwt(String),
}

/// Signs for one use.
pub fn sign(wanted: Wanted, signer: &Signer) -> Result<Signed, Refusal> {
    match wanted {
        Wanted::Message { message } => create::sign_message(message, signer).map(Signed::Message),
        Wanted::Credential { credential } => self::credential(credential, signer).map(Signed::Jwt),
        Wanted::Login { origin, challenge } => login(&origin, &challenge, signer).map(Signed::Jwt),
    }
}

fn credential(credential: Value, signer: &Signer) -> Result<String, Refusal> {
    let bad = |why: &str| Refusal::bad("CredentialInvalid", why);
    let kinds = credential.get("type").and_then(Value::as_array);
    if !kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "VerifiableCredential")) {
        return Err(bad("its type is a list with VerifiableCredential in it"));
    }
    let issuer = credential.get("issuer").map(|issuer| issuer.get("id").unwrap_or(issuer));
    if issuer.and_then(Value::as_str) != Some(signer.did()) {
        return Err(bad("its issuer is not the DID that is to sign it"));
    }
    if !credential.get("credentialSubject").is_some_and(|subject| subject.is_object() || subject.is_array()) {
        return Err(bad("it says nothing of anybody: credentialSubject is missing"));
    }
    let now = Timestamp::now().as_second();
    let mut claims = json!({"iss": signer.did(), "iat": now, "nbf": now});
    for (claim, value) in [("jti", credential.get("id")), ("sub", credential.pointer("/credentialSubject/id"))] {
        if let Some(Value::String(text)) = value {
            claims[claim] = text.as_str().into();
        }
    }
    let expires = ["validUntil", "expirationDate"].into_iter().find_map(|name| credential.get(name)?.as_str());
    if let Some(expires) = expires {
        let time: Timestamp = expires.parse().map_err(|_| bad("the time at which it ends is none"))?;
        claims["exp"] = time.as_second().into();
    }
    claims["vc"] = credential;
    compact(CREDENTIAL, &claims, signer)
}

fn login(origin: &str, challenge: &str, signer: &Signer) -> Result<String, Refusal> {
    let bad = |why: String| Refusal::bad("LoginInvalid", why);
    let url = url::Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    if origin.len() > TEXT_MAX || url.is_none_or(|url| url.origin().ascii_serialization() != origin) {
        return Err(bad(format!("`{}` is no origin: it is written as https://host, or with a port", shown(origin))));
    }
    if challenge.is_empty() || challenge.len() > TEXT_MAX {
        return Err(bad(format!("a challenge has 1 to {TEXT_MAX} bytes")));
    }
    let now = Timestamp::now().as_second();
    let claims = json!({"iss": signer.did(), "aud": origin, "nonce": challenge, "iat": now, "exp": now + LOGIN_FOR});
    compact(LOGIN, &claims, signer)
}

fn compact(typ: &'static str, claims: &Value, signer: &Signer) -> Result<String, Refusal> {
    Jws::sign_compact(typ, claims.to_string().as_bytes(), signer)
        .map_err(|locked| Refusal::new(423, locked.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::decode, did, dwn::Message};

    fn signer() -> Signer {
        Signer::of(&[7; 32].into(), |public| did::key::kid(&did::key::from_ed25519(public)))
    }

    fn jwt(signed: Signed) -> (Value, Value, String) {
        let Signed::Jwt(text) = signed else { panic!("a JWT") };
        let parts: Vec<_> = text.split('.').collect();
        let json = |part: &str| serde_json::from_slice(&decode(part).expect("base64url")).expect("JSON");
        assert_eq!(parts.len(), 3);
        (json(parts[0]), json(parts[1]), text)
    }

    fn a_credential(signer: &Signer) -> Value {
        json!({
            "@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential"],
            "issuer": signer.did(), "credentialSubject": {"id": "did:example:a", "descriptorCid": "bafy"},
            "validUntil": "2030-01-01T00:00:00Z", "descriptorCid": "bafy", "nonce": "n", "aud": "https://a.example",
        })
    }

    fn a_login() -> Wanted {
        Wanted::Login { origin: "https://a.example".into(), challenge: "descriptorCid".into() }
    }

    #[test]
    fn a_message_is_one_that_the_door_takes() {
        let signer = signer();
        let message = json!({"descriptor": {
            "interface": "Records", "method": "Query", "messageTimestamp": "2026-11-29T09:00:00.000000Z",
            "filter": {"schema": "http://s.example"},
        }});
        let Signed::Message(signed) = sign(Wanted::Message { message: message.clone() }, &signer).expect("signs")
        else {
            panic!("a message")
        };
        let parsed = Message::parse(signer.did(), signed).expect("it is one");
        assert_eq!(parsed.verify(&|kid: &str| did::key_of(kid).ok()), Ok(()));
        for wrong in [
            json!({}),
            json!({"descriptor": {"interface": "Nothing", "method": "Query"}}),
            json!({"descriptor": message["descriptor"], "authorization": {}}),
            json!({"descriptor": message["descriptor"], "iss": "x"}),
            json!([]),
        ] {
            assert!(sign(Wanted::Message { message: wrong.clone() }, &signer).is_err(), "{wrong}");
        }
    }

    /// What one is asked to sign may be made to look like another use: the signature is still of the one.
    #[test]
    fn no_signature_of_one_use_serves_another() {
        let signer = signer();
        let credential = sign(Wanted::Credential { credential: a_credential(&signer) }, &signer).expect("signs");
        let login = sign(a_login(), &signer).expect("signs");
        for (signed, typ, has, lacks) in [
            (credential, CREDENTIAL, &["iss", "vc", "exp", "sub"][..], &["descriptorCid", "nonce", "aud"][..]),
            (login, LOGIN, &["iss", "aud", "nonce", "exp"], &["descriptorCid", "vc", "sub"]),
        ] {
            let (header, claims, text) = jwt(signed);
            assert_eq!((&header["typ"], &header["kid"]), (&json!(typ), &json!(signer.kid())));
            has.iter().for_each(|claim| assert!(claims.get(claim).is_some(), "{typ} lacks {claim}"));
            lacks.iter().for_each(|claim| assert!(claims.get(claim).is_none(), "{typ} has {claim}"));
            // As the signature of a message, by whoever rearranges it.
            let parts: Vec<_> = text.split('.').collect();
            let signature =
                json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
            let message = json!({
                "descriptor": {"interface": "Records", "method": "Query", "messageTimestamp": "2026-11-29T09:00:00.000000Z", "filter": {"schema": "http://s.example"}},
                "authorization": {"signature": signature},
            });
            let judged = Message::parse(signer.did(), message)
                .map_err(drop)
                .and_then(|message| message.verify(&|kid: &str| did::key_of(kid).ok()).map_err(drop));
            assert!(judged.is_err(), "{typ} passes for a message");
        }
        // A message's payload has none of the claims that the others are known by.
        let message = json!({"descriptor": {
            "interface": "Records", "method": "Read", "messageTimestamp": "2026-11-29T09:00:00.000000Z",
            "filter": {"recordId": "bafy"}, "iss": signer.did(), "aud": "https://a.example", "nonce": "n", "vc": {},
        }});
        if let Ok(Signed::Message(signed)) = sign(Wanted::Message { message }, &signer) {
            let payload = crate::crypto::jws::payload(&signed["authorization"]["signature"]).expect("JSON");
            for claim in ["iss", "aud", "nonce", "vc", "exp"] {
                assert!(payload.get(claim).is_none(), "{payload}");
            }
        }
    }

    #[test]
    fn what_is_no_credential_and_no_login_is_refused() {
        let signer = signer();
        let refused = |wanted: Wanted| assert!(sign(wanted.clone(), &signer).is_err(), "{wanted:?}");
        for (pointer, value) in [
            ("/issuer", json!("did:example:other")),
            ("/type", json!("VerifiableCredential")),
            ("/credentialSubject", json!(null)),
            ("/validUntil", json!("never")),
        ] {
            let mut credential = a_credential(&signer);
            *credential.pointer_mut(pointer).expect("it is there") = value;
            refused(Wanted::Credential { credential });
        }
        for origin in [
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "ftp://a.example",
            "null",
            "https://A.example",
        ] {
            refused(Wanted::Login { origin: origin.into(), challenge: "c".into() });
        }
        for challenge in [String::new(), "x".repeat(TEXT_MAX + 1)] {
            refused(Wanted::Login { origin: "https://a.example".into(), challenge });
        }
        signer.lock();
        assert_eq!(sign(a_login(), &signer).map_err(|refusal| refusal.code).err(), Some(423));
    }
}
