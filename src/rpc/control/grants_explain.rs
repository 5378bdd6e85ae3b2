//! Who may read and write, and why: `grants.explain`.

use super::{
    actor::Actor,
    call::Call,
    facts::protocol_of,
    failure::{Failure, Kind},
    grants::{check_did, look},
    method::{Entry, Example, Method, Need},
};
use crate::{
    access::{Caller, Denial},
    dwn::{self, Stop, View, normalize_uri},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Explain>()];

#[derive(Debug)]
pub struct Explain;

impl Method for Explain {
    const NAME: &'static str = "grants.explain";
    const SUMMARY: &'static str =
        "Say who may read and write a record, or the records at a path of a protocol, and why.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a record",
            params: r#"{"recordId": "$record"}"#,
            result: r#"{"access": [{"who": "$did", "may": ["read", "query", "update", "delete", "prune"], "by": "owner", "because": "the records here are theirs", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
        Example {
            name: "a record and somebody",
            params: r#"{"recordId": "$record", "did": "$other"}"#,
            result: r#"{"access": [{"who": "$other", "may": [], "by": "nothing", "because": "no rule lets them read it: RecordsReadAuthorizationFailed: message failed authorization", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
        Example {
            name: "a path",
            params: r#"{"protocol": "$protocol", "protocolPath": "note"}"#,
            result: r#"{"access": [{"who": "$did", "may": ["create", "read", "query", "subscribe", "update", "delete", "prune", "co-update", "co-delete", "co-prune"], "by": "owner", "because": "the records here are theirs", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
    ];
    type Params = Question;
    type Result = Explanation;

    async fn run(call: &Call, question: Question) -> Result<Explanation, Failure> {
        let about = question.about()?;
        if let Some(did) = &question.did {
            check_did("did", did)?;
        }
        let Actor { tenant, .. } = Actor::of(call, question.from.as_deref())?;
        let (whose, caller) = (tenant.clone(), call.caller().clone());
        let explained = look(call, &whose, move |view, now| {
            if let Err(denial) = about.check(&caller, view)? {
                return Ok(Err(denial));
            }
            let did = question.did.as_deref();
            match &about {
                About::Record(id) => dwn::explain(id, did, &tenant, view, now),
                About::Path(uri, path) => dwn::explain_path((uri, path), did, &tenant, view, now),
            }
            .map(Ok)
        });
        let dwn::Explained { access, complete } = explained.await??;
        Ok(Explanation { access: access.into_iter().map(Access::from).collect(), complete })
    }
}

/// What is asked about: a record, or a path of a protocol.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "AccessQuestion")]
pub struct Question {
    pub record_id: Option<String>,
    /// URI, together with `protocolPath`.
    pub protocol: Option<String>,
    pub protocol_path: Option<String>,
    /// What this one may, and if they may not read, why not. None: everybody.
    pub did: Option<String>,
    /// Whose records: one of the node's identities; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

enum About {
    Record(String),
    Path(String, String),
}

impl About {
    /// May who asks read what they ask about?
    fn check(&self, caller: &Caller, view: &dyn View) -> Result<Result<(), Denial>, Stop> {
        let protocol = match self {
            Self::Path(uri, _) => Some(uri.clone()),
            Self::Record(id) => {
                view.record(id)?.and_then(|record| protocol_of(&record.initial.message).map(str::to_owned))
            }
        };
        Ok(caller.may_read(protocol.as_deref()))
    }
}

impl Question {
    fn about(&self) -> Result<About, Failure> {
        match (&self.record_id, &self.protocol, &self.protocol_path) {
            (Some(id), None, None) => Ok(About::Record(id.clone())),
            (None, Some(uri), Some(path)) => {
                Ok(About::Path(normalize_uri(uri).unwrap_or_else(|| uri.clone()), path.clone()))
            }
            _ => Err(Failure::new(Kind::Usage, "give a recordId, or a protocol and a protocolPath in it")),
        }
    }
}

/// Who may do what.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AccessExplained")]
pub struct Explanation {
    pub access: Vec<Access>,
    /// False: there are more parties than were looked at.
    pub complete: bool,
}

/// What somebody may do, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// A DID, `anyone`, or whom a rule speaks of.
    pub who: String,
    /// In the words of `$actions`. Empty: nothing, and `because` says why not.
    pub may: Vec<String>,
    /// `owner`, `creator`, `author`, `recipient`, `published`, `rule`, `role`, `grant` or `nothing`.
    pub by: String,
    /// The same in a sentence.
    pub because: String,
    /// recordId of the grant, if one lets them.
    pub grant_id: Option<String>,
    /// When that grant expires.
    pub date_expires: Option<String>,
}

impl From<dwn::Access> for Access {
    fn from(dwn::Access { who, may, by, because, grant }: dwn::Access) -> Self {
        let (grant_id, date_expires) = grant.unzip();
        let may = may.into_iter().map(str::to_owned).collect();
        Self { who, may, by: by.to_owned(), because, grant_id, date_expires }
    }
}
