//! As whom, in whose tenant, and by what right a call acts.
//!
//! In the tenant of somebody whose key is on another device, a call acts in that one's name, if a delegated grant lets it: the
//! signer is an identity of this node, the author the one whose records they are. Otherwise it acts in its own name.

use super::{
    call::Call,
    facts::protocol_of,
    failure::{Failure, Kind},
    refusals::{accepted, refused},
};
use crate::{
    content::HEAD_FORMAT,
    crypto::Signer,
    dwn::{
        self, Deed, DelegatedGrant, Granted, Mandate, PERMISSIONS, Refusal, Standing,
        create::{self, Invoked},
    },
    foreign::shown,
    node::{self, Node, Reply},
    rgb::Hand,
};
use anyhow::{Context as _, Error};
use serde_json::Value;
use std::sync::Arc;

/// Who signs, and whose records it is about.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub signer: Arc<Signer>,
    pub tenant: String,
    name: Name,
}

/// In whose name it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// The signer's: the tenant is an identity of this node, or the caller may not act for it.
    Own,
    /// The tenant's, if a grant lets it.
    TenantsIfGranted,
    /// The tenant's: the caller is bound to it.
    Tenants,
}

/// What a call is about, as far as grants tell one thing from another.
#[derive(Debug, Clone)]
pub(super) enum About {
    /// The record that is kept here under this id.
    Kept(String),
    Records {
        protocol: Option<String>,
        /// Of a new record, that of the one it is to stand below.
        context: Option<String>,
        path: Option<String>,
        /// What is written is to be published.
        published: bool,
    },
}

/// By what right it acts.
#[derive(Debug, Clone)]
pub(super) struct Right {
    signer: Arc<Signer>,
    role: Option<String>,
    grant: Option<String>,
    delegated: Option<DelegatedGrant>,
    /// Why it is not in the name of the tenant, where it could be.
    lacking: Option<String>,
}

impl Actor {
    /// In its own tenant. `from`: an identity of this node; if none is named, the one that the caller is bound to, else the node's own.
    pub fn of(call: &Call, from: Option<&str>) -> Result<Self, Failure> {
        let from = from.or(call.caller().tenant()).unwrap_or(call.signer.did());
        let signer = call.identities.signer(from).ok_or_else(|| {
            let message = format!("this node holds no key of {}: see identity.list", shown(from));
            Failure::new(Kind::NotFound, message)
        })?;
        call.caller().may_act_for(signer.did())?;
        let tenant = signer.did().to_owned();
        Ok(Self { signer, tenant, name: Name::Own })
    }

    /// In a tenant that may be somebody else's; its own if none is named. Who is bound to a tenant whose key is not here acts there by
    /// what the node's own identity is granted, and nowhere else.
    pub fn within(call: &Call, from: Option<&str>, tenant: Option<&str>) -> Result<Self, Failure> {
        let bound = call.caller().tenant().filter(|bound| from.is_none() && call.identities.signer(bound).is_none());
        if let Some(bound) = bound {
            call.caller().may_act_for(tenant.unwrap_or(bound))?;
            return Ok(Self { signer: call.signer.clone(), tenant: bound.to_owned(), name: Name::Tenants });
        }
        let own = Self::of(call, from)?;
        let Some(tenant) = tenant else { return Ok(own) };
        let is_here = call.identities.signer(tenant).is_some();
        let name = match is_here || call.caller().may_act_for(tenant).is_err() {
            true => Name::Own,
            false => Name::TenantsIfGranted,
        };
        Ok(Self { tenant: tenant.to_owned(), name, ..own })
    }

    /// By what right it does this. `invoked`: the role and the grant that the caller names; then nothing else is looked for.
    ///
    /// Who holds a delegated grant of the tenant writes, queries and follows in its name or not at all: an own name would give a record
    /// another author, and leave out of a list what is not public, without a word. What is only read is the same in any name.
    pub async fn right(
        &self,
        node: &Node,
        method: &'static str,
        about: About,
        (role, grant): (Option<&str>, Option<&str>),
    ) -> Result<Right, Failure> {
        let (role, grant) = (role.map(str::to_owned), grant.map(str::to_owned));
        let names_one = role.is_some() || grant.is_some();
        let right = Right { signer: self.signer.clone(), role, grant, delegated: None, lacking: None };
        if self.name == Name::Own || names_one && self.name != Name::Tenants {
            return Ok(right);
        }
        let Some((deed, mandate)) = self.mandate(node, method, about).await? else { return Ok(right) };
        if let Mandate::Held(grant) = mandate {
            return Ok(Right { delegated: Some(grant), ..right });
        }
        let lacking = lacking(&self.tenant, self.signer.did(), &deed, &mandate);
        let only = self.name == Name::Tenants || method != "Read" && !matches!(mandate, Mandate::None);
        if only {
            return Err(Failure::new(Kind::Denied, lacking));
        }
        Ok(Right { lacking: Some(lacking), ..right })
    }

    /// Nothing: there is no such record here.
    async fn mandate(
        &self,
        node: &Node,
        method: &'static str,
        about: About,
    ) -> Result<Option<(Deed, Mandate)>, Failure> {
        let (store, tenant, own) = (node.store().clone(), self.tenant.clone(), self.signer.did().to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let view = store.view(&tenant);
            let about = match about {
                About::Kept(id) => match view.record(&id)? {
                    Some(record) => About::record(&record.initial.message),
                    None => return Ok(None),
                },
                about => about,
            };
            let deed = about.deed(method);
            let mandate = dwn::mandate(&tenant, &own, &deed, &*view, &node::now())?;
            Ok::<_, Error>(Some((deed, mandate)))
        });
        Ok(looked.await.context("a look for a grant ended early")??)
    }
}

impl About {
    /// The record that this is a write of.
    pub fn record(write: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let descriptor = &write["descriptor"];
        Self::Records {
            protocol: protocol_of(write).map(str::to_owned),
            context: text(&write["contextId"]),
            path: text(&descriptor["protocolPath"]),
            published: descriptor["published"] == true,
        }
    }

    /// The records that a filter asks for.
    pub fn asked(filter: &serde_json::Map<String, Value>) -> Self {
        let text = |name: &str| filter.get(name).and_then(Value::as_str).map(str::to_owned);
        let (protocol, context, path) = (text("protocol"), text("contextId"), text("protocolPath"));
        Self::Records { protocol, context, path, published: false }
    }

    fn deed(self, method: &'static str) -> Deed {
        match self {
            Self::Records { protocol, context, path, published } => Deed { method, protocol, context, path, published },
            Self::Kept(_) => Deed { method, ..Deed::default() },
        }
    }
}

impl Right {
    /// Whose name what is written bears.
    pub fn author(&self) -> &str {
        self.delegated.as_ref().map_or(self.signer.did(), |grant| &grant.grantor)
    }

    /// The tenant's hand: the tenant itself, or who holds its delegated grant. Nobody else acts on what belongs to it as a whole.
    pub fn hand(self, tenant: String) -> Result<Hand, Failure> {
        let grant = self.delegated.filter(|grant| grant.grantor == tenant);
        if grant.is_none() && self.signer.did() != tenant {
            let message = self.lacking.unwrap_or_else(|| {
                format!("{} acts neither as {} nor by a delegated grant of it", self.signer.did(), shown(&tenant))
            });
            return Err(Failure::new(Kind::Denied, message));
        }
        Ok(Hand { tenant, signer: self.signer, grant })
    }

    /// The same until it is asked for again.
    pub fn without_grant(self) -> Self {
        Self { delegated: None, lacking: None, ..self }
    }

    /// A message as it is to be sent: with what it invokes, if it does.
    pub fn invoking(&self, message: Result<Value, Refusal>) -> Result<Value, Failure> {
        let message = message.map_err(refused)?;
        let (role, grant, delegated) = (self.role.as_deref(), self.grant.as_deref(), self.delegated.as_ref());
        if role.is_none() && grant.is_none() && delegated.is_none() {
            return Ok(message);
        }
        create::invoking(message, Invoked { grant, role, delegated }, &self.signer).map_err(refused)
    }

    /// A reply of success, or why there is none.
    pub fn accepted(&self, reply: Reply) -> Result<Reply, Failure> {
        accepted(reply).map_err(|failure| match &self.lacking {
            Some(lacking) if failure.kind == Kind::Denied => {
                Failure { message: format!("{lacking} (without a grant: {})", failure.message), ..failure }
            }
            _ => failure,
        })
    }
}

/// Which grant is missing, and how to get it.
fn lacking(tenant: &str, own: &str, deed: &Deed, mandate: &Mandate) -> String {
    let (tenant, method) = (shown(tenant), deed.method);
    let Some(protocol) = deed.protocol.as_deref() else {
        return match method {
            "Read" => format!("records under no protocol are read by the device that holds the key of {tenant}"),
            "Write" | "Delete" => {
                format!("records under no protocol are written by the device that holds the key of {tenant}")
            }
            _ => format!(
                "a grant is for one protocol: name it in filter.protocol; records under no protocol are read by the device \
                 that holds the key of {tenant}"
            ),
        };
    };
    let protocol = shown(protocol);
    let again = format!(
        "on the device that holds the key of {tenant}: toft grant create {own} --for Records.{method} --protocol {protocol} \
         --expires 365d --delegated"
    );
    let what = format!("the grant by which {own} acts in the name of {tenant} (Records.{method}, {protocol})");
    match mandate {
        Mandate::Ended(Granted { standing: Standing::Revoked(since), .. }) => {
            format!("{what} was revoked at {since}; for a new one, {again}")
        }
        Mandate::Ended(Granted { standing: Standing::Expired, expires, .. }) => {
            format!("{what} expired at {expires}; for a new one, {again}")
        }
        Mandate::Ended(Granted { granted, .. }) => {
            format!("{what} begins at {granted}, by the clock of the device that gave it")
        }
        _ => format!(
            "{own} has no grant of Records.{method} for {protocol} to act in the name of {tenant}; to give one, {again}"
        ),
    }
}

/// Fails unless the caller may read records under this protocol; `None`: all records, or one under no protocol.
pub(super) fn readable(call: &Call, protocol: Option<&str>) -> Result<(), Failure> {
    let told = |failure: Failure| match protocol {
        None if failure.kind == Kind::Denied => {
            Failure { message: format!("{}; for one protocol: name it in filter.protocol", failure.message), ..failure }
        }
        _ => failure,
    };
    call.caller().may_read(protocol).map_err(|denial| told(denial.into()))
}

/// Fails unless the caller may write and delete records under this protocol; `None`: one under no protocol.
pub(super) fn writable(call: &Call, protocol: Option<&str>) -> Result<(), Failure> {
    // What lets others in is no record like others: who may write records may not thereby give out grants.
    if protocol == Some(PERMISSIONS) {
        let message = "requests, grants and revocations are made by the methods grants.…, not by those of records";
        return Err(Failure::new(Kind::Denied, message));
    }
    Ok(call.caller().may_write(protocol)?)
}

/// Fails if a record of this media type is one that the node signs by itself. Signed heads of the audit log say what was done with
/// tokens, so no token makes, changes or ends one.
pub(super) fn signed_by_node(format: Option<&str>) -> Result<(), Failure> {
    if format == Some(HEAD_FORMAT) {
        let message = "heads of the audit log are signed by the node itself, and stay";
        return Err(Failure::new(Kind::Denied, message));
    }
    Ok(())
}
