//! One question to a server, and what its answer means.

use super::{
    kept::Part,
    line::{Begun, Line, NoAnswer, Outgoing},
    signing::Hand,
    wire::{Answer, Request, Taken, digest_of},
};
use crate::{
    cid::{self, Digest},
    crypto,
    dwn::{self, Refusal},
    node::{Body, one_chunk},
};
use anyhow::Error;
use bytes::Bytes;
use serde_json::Value;

/// Bytes of a list of CIDs: about a million messages.
const LIST_MAX: usize = 64 << 20;
/// Bytes of any other answer: a message of up to 1 MiB, as text.
const ANSWER_MAX: usize = 4 << 20;

/// Why something was not done.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing more can be done now: the server is away, or nobody can sign. A sentence.
    Away(String),
    /// This one thing was refused, or not answered as it should be: a code, as HTTP has them, and why.
    Refused(u16, String),
    /// Of this node.
    Fault(Error),
}

impl From<Error> for Trouble {
    fn from(fault: Error) -> Self {
        Self::Fault(fault)
    }
}

impl From<NoAnswer> for Trouble {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Away(why) => Self::Away(why),
            NoAnswer::Broken(why) => Self::Refused(BAD_ANSWER, why),
        }
    }
}

/// Our own signing.
impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Away(refusal.detail)
    }
}

impl Trouble {
    /// In a sentence.
    pub fn said(&self) -> String {
        match self {
            Self::Away(why) => why.clone(),
            Self::Refused(code, why) => format!("{code} {why}"),
            Self::Fault(fault) => format!("{fault:#}"),
        }
    }
}

/// What stands for the code where the server's answer has none that counts.
const BAD_ANSWER: u16 = 502;

/// What a server has, as it says.
#[derive(Debug)]
pub struct Listed {
    pub entries: Vec<Digest>,
    pub cursor: Option<Value>,
}

/// A message that a server gave out. Its CID is the one that was asked for.
pub struct Fetched {
    pub message: Value,
    /// The message says that it has data, and the server sends none.
    pub lacks_data: bool,
    pub data: Option<Body>,
}

/// Questions about one part, by who signs for it.
#[derive(Clone, Copy)]
pub struct Talk<'a> {
    pub line: &'a Line,
    pub part: &'a Part,
    pub hand: &'a Hand,
}

impl Talk<'_> {
    /// What came there after the cursor; everything, if there is none.
    pub async fn list(&self, cursor: Option<&Value>) -> Result<Listed, Trouble> {
        let message = self.hand.query(self.part.protocol.as_deref(), cursor.cloned())?;
        let begun = post(self.line, &self.part.tenant, &message, (false, None), Outgoing::None).await?;
        let Answer { code, detail, entries, cursor, .. } = whole(begun, LIST_MAX).await?;
        match code {
            200 => Ok(Listed { entries, cursor }),
            code => Err(Trouble::Refused(code, detail)),
        }
    }

    /// Does the server still have this message? What is no CID of one it does not have.
    pub async fn still_has(&self, cid: &str) -> Result<bool, Trouble> {
        let Some(digest) = cid.parse::<cid::Cid>().ok().as_ref().and_then(cid::sha256_of) else { return Ok(false) };
        match self.read(&digest).await {
            // Its data is not wanted: it is dropped with its connection.
            Ok(_) => Ok(true),
            Err(Trouble::Refused(..)) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Fetches a message. Its data comes as it is read.
    pub async fn read(&self, digest: &Digest) -> Result<Fetched, Trouble> {
        let message = self.hand.read(&cid::from_digest(cid::DAG_CBOR, digest).to_string())?;
        let mut begun = post(self.line, &self.part.tenant, &message, (false, None), Outgoing::None).await?;
        let (answer, rest) = match begun.header.take() {
            Some(header) => (Answer::in_header(&header, digest).map_err(bad)?, Some(begun)),
            None => (whole(begun, ANSWER_MAX).await?, None),
        };
        if answer.code != 200 {
            return Err(Trouble::Refused(answer.code, answer.detail));
        }
        let mut message = answer.message.ok_or_else(|| bad("the answer has no message".into()))?;
        let beside = message.as_object_mut().and_then(|message| message.remove("encodedData"));
        if digest_of(&message).as_ref() != Some(digest) {
            return Err(bad("the server sent another message than the one that was asked for".into()));
        }
        let declared = dwn::declared_data(&message).filter(|_| dwn::is_method(&message, "Write"));
        let Some((_, size)) = declared else { return Ok(Fetched { message, lacks_data: false, data: None }) };
        let data = match (rest, beside.as_ref().and_then(Value::as_str).and_then(crypto::decode)) {
            (Some(body), _) => Some(body.data(size)),
            (None, Some(bytes)) => Some(one_chunk(bytes.into())),
            // Data of no bytes is sent by no body.
            (None, None) => (size == 0).then(|| one_chunk(Bytes::new())),
        };
        Ok(Fetched { message, lacks_data: data.is_none(), data })
    }
}

/// Sends a message, with its data.
pub async fn push(line: &Line, tenant: &str, message: &Value, data: Outgoing) -> Result<(), Trouble> {
    let (has_data, small) = match &data {
        Outgoing::None => (false, None),
        Outgoing::Whole(bytes) => (true, Some(bytes.clone())),
        Outgoing::Stream(..) => (true, None),
    };
    let begun = post(line, tenant, message, (has_data, small.as_deref()), data).await?;
    let answer = whole(begun, ANSWER_MAX).await?;
    match Taken::of(answer.code, message) {
        Taken::Yes => Ok(()),
        Taken::No => Err(Trouble::Refused(answer.code, answer.detail)),
    }
}

async fn post(
    line: &Line,
    tenant: &str,
    message: &Value,
    (has_data, small): (bool, Option<&[u8]>),
    data: Outgoing,
) -> Result<Begun, Trouble> {
    Ok(line.post(&Request::new(tenant, message, has_data, small), data).await?)
}

/// Reads an answer without data. The DWN's own status is inside; that of HTTP says whether there is one.
async fn whole(begun: Begun, most: usize) -> Result<Answer, Trouble> {
    let status = begun.status;
    if status.is_redirection() {
        let why = "the server points elsewhere, and is not followed: add the URL that it points to instead";
        return Err(Trouble::Refused(status.as_u16(), why.into()));
    }
    // An error's text is short.
    let most = if status.is_success() { most } else { ANSWER_MAX };
    let bytes = begun.bytes(most).await?;
    match Answer::in_body(&bytes) {
        Ok(answer) if status.is_success() => Ok(answer),
        Ok(_) => Err(Trouble::Refused(status.as_u16(), format!("the server answered {status}"))),
        Err(why) if status.is_success() => Err(bad(why)),
        Err(why) if why.starts_with("the server says") => Err(Trouble::Refused(status.as_u16(), why)),
        Err(_) => Err(Trouble::Refused(status.as_u16(), format!("the server answered {status}"))),
    }
}

fn bad(why: String) -> Trouble {
    Trouble::Refused(BAD_ANSWER, why)
}
