//! Registration of tenants, as in the reference: a tenant agrees to the terms of service and does a proof of work.
//!
//! The door remembers who is registered. This module owns the challenge, its difficulty and the used nonces. They live in memory:
//! after a restart there is a new challenge, and old work is void.
//!
//! The difficulty follows the rate of registrations. Above [`SOLVES_PER_MINUTE`] it rises at once; below, it falls back to its start
//! within ten minutes. Stricter than the reference: a nonce is good for one registration, not for one a minute.

use super::jsonrpc::FAULT;
use crate::{
    asker::Asker,
    budget::{Budget, For, Rate},
    cid,
    did::Did,
    dwn::{Fault, json::or_undefined},
    foreign,
    node::{self, Limits, Node, Registered, Tenants},
};
use anyhow::{Context as _, anyhow, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Extension, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::json;
use std::{
    collections::{HashSet, VecDeque},
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What the reference aims at.
const SOLVES_PER_MINUTE: f64 = 10.0;
/// How long a challenge is handed out; it is accepted for as long again.
const CHALLENGE_EVERY: Duration = Duration::from_secs(600);
/// How often the difficulty is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks from the hardest back to where it began: ten minutes of them.
const LOOKS_BACK: f64 = 60.0;
/// Looks in a minute.
const LOOKS_PER_MINUTE: f64 = 6.0;
/// The hardest it gets, as a part of where it began: from there the way back takes ten minutes all the same.
const EASE_MIN: f64 = 1e-9;
/// Nonces kept until their challenge lapses; each has cost work. When they are this many, nobody registers until
/// the next challenge.
const USED_MAX: usize = 100_000;
const HOUR: Duration = Duration::from_secs(3600);
/// Terms of service are a text that people read.
const TERMS_MAX: usize = 1 << 20;

/// A registration request is a DID and three hashes.
const REQUEST_MAX: usize = 16 << 10;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// File with the terms of service, relative to the home. Empty: there are none to agree to.
    pub terms: String,
    /// Must who registers spend some work?
    pub proof_of_work: bool,
    /// The easiest the work may be: its hash, 64 hex digits, must not be above this.
    pub max_hash: String,
}

impl Default for Config {
    fn default() -> Self {
        // The reference's: seconds to a minute of one core.
        Self { terms: String::new(), proof_of_work: true, max_hash: format!("000000{}", "f".repeat(58)) }
    }
}

/// Takes registrations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registration(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The terms of service and their SHA-256 in hex.
    terms: Option<(String, String)>,
    work: Option<Mutex<Work>>,
    /// Registrations: each is remembered for good, whether it has cost work or not.
    taken: Budget,
}

impl Registration {
    pub fn new(config: &Config, limits: &Limits, home: &Path) -> Result<Self, Fault> {
        let terms = match config.terms.as_str() {
            "" => None,
            name => {
                let path = home.join(name);
                let text = std::fs::read_to_string(&path).with_context(|| {
                    format!("the terms of service cannot be read from {} (registration.terms)", path.display())
                })?;
                ensure!(text.len() <= TERMS_MAX, "{} is longer than {TERMS_MAX} bytes", path.display());
                let hash = hex::encode(cid::digest(text.as_bytes()));
                Some((text, hash))
            }
        };
        let mut initial = [0; 32];
        hex::decode_to_slice(&config.max_hash, &mut initial)
            .map_err(|e| anyhow!("registration.max_hash must be 64 hex digits: {e}"))?;
        let work = config.proof_of_work.then(|| Work::new(initial, Instant::now())).transpose()?.map(Mutex::new);
        let (most, share) = (limits.registrations, limits.registrations_per_address);
        let taken = Budget::new(Rate { most, share, reserved: 0, over: HOUR });
        Ok(Self(Arc::new(Inner { terms, work, taken })))
    }

    /// SHA-256 of the terms of service in force, in hex.
    pub fn terms(&self) -> Option<String> {
        self.0.terms.as_ref().map(|(_, hash)| hash.clone())
    }

    /// What `/info` says is asked of a new tenant.
    pub(super) fn requirements(&self, node: &Node) -> Vec<&'static str> {
        let asked = node.tenants() == Tenants::Registration;
        let work = self.0.work.as_ref().map(|_| "proof-of-work-sha256-v0");
        let terms = self.0.terms.as_ref().map(|_| "terms-of-service");
        work.into_iter().chain(terms).filter(|_| asked).collect()
    }

    async fn register(&self, asker: Asker, node: &Node, body: &[u8]) -> Result<(), Refused> {
        let wrong =
            |e| Refused::new("RegistrationRequestInvalid", format!("not a registration request: {}", foreign::said(e)));
        let request: Request = serde_json::from_slice(body).map_err(wrong)?;
        let Given { did, terms, text } = request.data;
        if did.parse::<Did>().is_err() {
            return Err(Refused::new("RegistrationRequestInvalid", format!("not a DID: {}", foreign::shown(&did))));
        }
        let expected = self.terms();
        if expected.is_some() && terms != expected {
            let expected = expected.unwrap_or_default();
            let message = format!(
                "Expecting terms-of-service hash {expected}, but got {}.",
                foreign::shown(or_undefined(terms.as_deref()))
            );
            return Err(Refused::new("RegistrationManagerInvalidOrOutdatedTermsOfServiceHash", message));
        }
        if let Some(work) = &self.0.work {
            let Proof { challenge, response } = request.work.unwrap_or_default();
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            work.check(&challenge, &response, &text, Instant::now())?;
        }
        if !self.0.taken.take_one(For::Asker(asker)) {
            return Err(Refused::TooMany);
        }
        let registered = Registered { terms: expected, since: node::now() };
        node.register(&did, registered).await.map_err(Refused::Fault)
    }
}

/// The routes, if this node takes registrations.
pub(super) fn router(node: Node, registration: Registration) -> Router {
    let mut router = Router::new();
    if node.tenants() != Tenants::Registration {
        return Router::new();
    }
    if registration.0.work.is_some() {
        router = router.route("/registration/proof-of-work", get(challenge));
    }
    if registration.0.terms.is_some() {
        router = router.route("/registration/terms-of-service", get(terms));
    }
    let limit = DefaultBodyLimit::max(REQUEST_MAX);
    router.route("/registration", post(register).layer(limit)).with_state((node, registration))
}

type Shared = State<(Node, Registration)>;

async fn challenge(State((_, registration)): Shared) -> Response {
    let Some(work) = &registration.0.work else { return StatusCode::NOT_FOUND.into_response() };
    let challenge = work.lock().unwrap_or_else(PoisonError::into_inner).challenge(Instant::now());
    match challenge {
        Ok((nonce, max)) => {
            let max = hex::encode_upper(max);
            axum::Json(json!({"challengeNonce": nonce, "maximumAllowedHashValue": max})).into_response()
        }
        Err(fault) => failed(&fault),
    }
}

async fn terms(State((_, registration)): Shared) -> String {
    registration.0.terms.as_ref().map(|(text, _)| text.clone()).unwrap_or_default()
}

async fn register(State((node, registration)): Shared, Extension(asker): Extension<Asker>, body: Bytes) -> Response {
    match registration.register(asker, &node, &body).await {
        Ok(()) => axum::Json(json!({"success": true})).into_response(),
        Err(Refused::No { code, message }) => {
            let body = json!({"code": code, "message": format!("{code}: {message}")});
            (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
        }
        Err(Refused::TooMany) => {
            let message = "too many have registered from your address, or from all together: try again in an hour";
            (StatusCode::TOO_MANY_REQUESTS, axum::Json(json!({"success": false, "message": message}))).into_response()
        }
        Err(Refused::Fault(fault)) => failed(&fault),
    }
}

fn failed(fault: &Fault) -> Response {
    tracing::error!("registering a tenant: {fault:#}");
    let body = json!({"success": false, "message": FAULT});
    (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(body)).into_response()
}

/// Why a registration did not come about.
#[derive(Debug)]
enum Refused {
    /// The reference's code, and why.
    No {
        code: &'static str,
        message: String,
    },
    /// Of late.
    TooMany,
    Fault(Fault),
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::No { code, message: message.into() }
    }
}

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "registrationData")]
    data: Given,
    #[serde(rename = "proofOfWork")]
    work: Option<Proof>,
}

#[derive(Deserialize, Default)]
struct Proof {
    #[serde(rename = "challengeNonce")]
    challenge: String,
    #[serde(rename = "responseNonce")]
    response: String,
}

/// `registrationData`, and its JSON as JavaScript writes it: the work is done over that text, so the order in
/// which the client gave the members counts.
struct Given {
    did: String,
    terms: Option<String>,
    text: String,
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with did and termsOfServiceHash")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Given, M::Error> {
                let (mut did, mut terms, mut members) = (None, None, Vec::new());
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    members.push(format!("{}:{}", json!(name), json!(value)));
                    let place = match name.as_str() {
                        "did" => &mut did,
                        "termsOfServiceHash" => &mut terms,
                        _ => return Err(M::Error::unknown_field(&name, &["did", "termsOfServiceHash"])),
                    };
                    if place.replace(value).is_some() {
                        return Err(M::Error::custom(format!("{name} is given twice")));
                    }
                }
                let did = did.ok_or_else(|| M::Error::missing_field("did"))?;
                Ok(Given { did, terms, text: format!("{{{}}}", members.join(",")) })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Seam for fuzzing: the text that work is done over, and the DID in it.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzzed(body: &[u8]) -> Option<(String, String)> {
    serde_json::from_slice::<Request>(body).ok().map(|request| (request.data.text, request.data.did))
}

/// The challenge, its difficulty, and what was spent on it.
#[derive(Debug)]
struct Work {
    initial: [u8; 32],
    /// The allowed hash as a part of `initial`: 1 at first, smaller when it is to be harder.
    ease: f64,
    /// What `ease` gains with each look on its way back.
    gain: Option<f64>,
    looked: Instant,
    /// Registrations of the last minute.
    solved: VecDeque<Instant>,
    current: Challenge,
    previous: Option<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    nonce: String,
    since: Instant,
    used: HashSet<String>,
}

impl Challenge {
    fn new(now: Instant) -> Result<Self, Fault> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
        Ok(Self { nonce: hex::encode_upper(bytes), since: now, used: HashSet::new() })
    }
}

impl Work {
    fn new(initial: [u8; 32], now: Instant) -> Result<Self, Fault> {
        let current = Challenge::new(now)?;
        Ok(Self { initial, ease: 1.0, gain: None, looked: now, solved: VecDeque::new(), current, previous: None })
    }

    /// The challenge of now, and the highest hash that meets it.
    fn challenge(&mut self, now: Instant) -> Result<(String, [u8; 32]), Fault> {
        self.advance(now)?;
        Ok((self.current.nonce.clone(), scaled(&self.initial, self.ease)))
    }

    /// Takes a proof of work, once.
    fn check(&mut self, challenge: &str, response: &str, data: &str, now: Instant) -> Result<(), Refused> {
        self.advance(now).map_err(Refused::Fault)?;
        let max = scaled(&self.initial, self.ease);
        let challenges = self.previous.iter_mut().chain([&mut self.current]);
        let known = challenges.into_iter().find(|known| known.nonce == challenge);
        // Reused before anything else, as the reference has it. In upper case: hex has two spellings.
        let nonce = response.to_ascii_uppercase();
        if known.as_ref().is_some_and(|known| known.used.contains(&nonce)) {
            let message = format!("Not allowed to reused response nonce: {}.", foreign::shown(response));
            return Err(Refused::new("ProofOfWorkManagerResponseNonceReused", message));
        }
        if response.len() != 64 || !response.bytes().all(|b| b.is_ascii_hexdigit()) {
            let message =
                format!("Response nonce not a HEX string representing a 256 bit value: {}.", foreign::shown(response));
            return Err(Refused::new("ProofOfWorkManagerInvalidResponseNonceFormat", message));
        }
        let Some(known) = known else {
            let message = format!("Unknown or expired challenge nonce: {}.", foreign::shown(challenge));
            return Err(Refused::new("ProofOfWorkManagerInvalidChallengeNonce", message));
        };
        let hash = cid::digest([challenge, response, data].concat().as_bytes());
        if hash > max {
            let (hash, max) = (hex::encode(hash), hex::encode(max));
            let message = format!("Insufficient computed hash 0x{hash}, needs to be <= 0x{max}.");
            return Err(Refused::new("ProofOfWorkInsufficientSolutionNonce", message));
        }
        if known.used.len() >= USED_MAX {
            let message = "too many have registered lately: try again in ten minutes";
            return Err(Refused::new("ProofOfWorkManagerInvalidChallengeNonce", message));
        }
        known.used.insert(nonce);
        self.solved.push_back(now);
        Ok(())
    }

    /// Catches up with the clock.
    fn advance(&mut self, now: Instant) -> Result<(), Fault> {
        let age = |challenge: &Challenge| now.saturating_duration_since(challenge.since);
        if age(&self.current) >= CHALLENGE_EVERY {
            self.previous = Some(std::mem::replace(&mut self.current, Challenge::new(now)?));
        }
        if self.previous.as_ref().is_some_and(|previous| age(previous) >= 2 * CHALLENGE_EVERY) {
            self.previous = None;
        }
        // Untouched for so long, it is back where it began anyway.
        if now.saturating_duration_since(self.looked) > 2 * CHALLENGE_EVERY {
            (self.ease, self.gain, self.looked) = (1.0, None, now);
        }
        while now.saturating_duration_since(self.looked) >= LOOK_EVERY {
            self.looked += LOOK_EVERY;
            self.look(self.looked);
        }
        Ok(())
    }

    /// The reference's rule, on a part of the initial value.
    fn look(&mut self, at: Instant) {
        let minute_ago = |solved: &Instant| at.saturating_duration_since(*solved) >= Duration::from_secs(60);
        while self.solved.front().is_some_and(minute_ago) {
            self.solved.pop_front();
        }
        let rate = self.solved.len() as f64 / SOLVES_PER_MINUTE;
        if rate > 1.0 {
            self.ease = (self.ease - (self.ease - self.ease / rate) / LOOKS_PER_MINUTE).max(EASE_MIN);
            self.gain = None;
        } else if self.ease < 1.0 {
            let gain = *self.gain.get_or_insert((1.0 - self.ease) / LOOKS_BACK);
            self.ease = (self.ease + gain).min(1.0);
        }
    }
}

/// A 256-bit number times a part of 1.
fn scaled(number: &[u8; 32], part: f64) -> [u8; 32] {
    if part >= 1.0 {
        return *number;
    }
    // In units of 2^-63: exact enough, and a byte times it with carry fits 128 bits.
    let part = (part * (1u64 << 63) as f64) as u128;
    let mut product = [0u8; 40];
    let mut carry = 0u128;
    for (at, byte) in number.iter().enumerate().rev() {
        carry += u128::from(*byte) * part;
        product[at + 8] = carry as u8;
        carry >>= 8;
    }
    product[..8].copy_from_slice(&(carry as u64).to_be_bytes());
    // The product is in units of 2^-63 too: one bit to the left, and the first 256 bits are whole.
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = product[at] << 1 | product[at + 1] >> 7;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn initial() -> [u8; 32] {
        let mut initial = [0xff; 32];
        initial[0] = 0x0f; // every sixteenth hash
        initial
    }

    /// Finds a response nonce.
    fn solve(challenge: &str, data: &str, max: &[u8; 32]) -> String {
        let found = (0u64..).map(|n| format!("{n:064X}"));
        let mut found = found.filter(|response| cid::digest([challenge, response, data].concat().as_bytes()) <= *max);
        found.next().expect("there is one")
    }

    fn code(outcome: Result<(), Refused>) -> &'static str {
        match outcome {
            Ok(()) => "ok",
            Err(Refused::No { code, .. }) => code,
            Err(Refused::TooMany) => "too many",
            Err(Refused::Fault(fault)) => panic!("{fault:#}"),
        }
    }

    #[test]
    fn work_is_accepted_once_and_only_for_what_it_was_done_for() {
        let start = Instant::now();
        let mut work = Work::new(initial(), start).expect("starts");
        let (challenge, max) = work.challenge(start).expect("a challenge");
        let response = solve(&challenge, "data", &max);
        let mut check = |challenge: &str, response: &str, data: &str, after: u64| {
            code(work.check(challenge, response, data, start + Duration::from_secs(after)))
        };
        assert_eq!(check(&challenge, "12", "data", 1), "ProofOfWorkManagerInvalidResponseNonceFormat");
        assert_eq!(check("00", &response, "data", 1), "ProofOfWorkManagerInvalidChallengeNonce");
        let enough = |data: &str| cid::digest([&*challenge, &response, data].concat().as_bytes()) <= max;
        let other = (0..).map(|n| format!("other {n}")).find(|data| !enough(data)).expect("most are");
        assert_eq!(check(&challenge, &response, &other, 1), "ProofOfWorkInsufficientSolutionNonce");
        assert_eq!(check(&challenge, &response, "data", 2), "ok");
        assert_eq!(check(&challenge, &response.to_lowercase(), "data", 90), "ProofOfWorkManagerResponseNonceReused");
        assert_eq!(check(&challenge, &response, "data", 1_100), "ProofOfWorkManagerResponseNonceReused");
        assert_eq!(check(&challenge, &response, "data", 1_201), "ProofOfWorkManagerInvalidChallengeNonce");
    }

    #[test]
    fn it_gets_harder_while_many_register_and_easier_again() {
        let start = Instant::now();
        let mut work = Work::new(initial(), start).expect("starts");
        let easiest = work.challenge(start).expect("a challenge").1;
        for n in 0..60u32 {
            work.solved.push_back(start + SECOND / 2 * n);
        }
        let hard = work.challenge(start + 91 * SECOND).expect("a challenge").1;
        assert!(hard < easiest);
        let later = work.challenge(start + 300 * SECOND).expect("a challenge").1;
        assert!(hard < later && later < easiest);
        assert_eq!(work.challenge(start + 900 * SECOND).expect("a challenge").1, easiest);
    }

    #[test]
    fn a_part_of_a_256_bit_number() {
        let number = initial();
        assert_eq!(scaled(&number, 1.0), number);
        let mut half = number;
        half[0] = 0x07;
        assert_eq!(scaled(&number, 0.5), half);
        assert_eq!(scaled(&[0xff; 32], 1.0 / 256.0), {
            let mut expected = [0xff; 32];
            expected[0] = 0;
            expected
        });
        assert!(scaled(&[0xff; 32], EASE_MIN) > [0; 32]);
    }

    #[test]
    fn the_text_worked_on_keeps_the_members_in_their_order() {
        let given = |text: &str| serde_json::from_str::<Given>(text).map(|given| given.text).ok();
        let text = r#"{"termsOfServiceHash":"ab","did":"did:x:\u00fc"}"#;
        assert_eq!(given(text).as_deref(), Some(r#"{"termsOfServiceHash":"ab","did":"did:x:ü"}"#));
        assert_eq!(given(r#"{ "did" : "did:x:y" }"#).as_deref(), Some(r#"{"did":"did:x:y"}"#));
        assert_eq!(given(r#"{"did":"a","did":"b"}"#), None);
        assert_eq!(given(r#"{"did":"a","more":"b"}"#), None);
    }
}
