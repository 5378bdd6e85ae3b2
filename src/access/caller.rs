//! Who calls, by what way, and what they may do.

use super::{
    origin::Origin,
    scope::{Need, Scope, Use},
    table::Held,
    token::Token,
};
use crate::{asker::Asker, foreign::shown};
use jiff::Timestamp;
use std::{fmt, sync::Arc, time::Duration};

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    who: Who,
    way: Way,
    origin: Option<Origin>,
}

#[derive(Debug, Clone)]
enum Who {
    /// Who can open the control socket.
    Owner,
    /// Who can read the cookie's file.
    Cookie,
    Token(Arc<Held>),
    /// No token was shown.
    Nobody,
}

/// By what way a call comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The control socket.
    Socket,
    /// A TCP connection from there.
    Tcp(Asker),
}

/// Why a call is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("this call needs a token: give one as Authorization: Bearer <token> (toft token create makes one)")]
    NoToken,
    #[error("the token is not known here: it was mistyped, or it is of another node (toft token ls)")]
    Unknown,
    #[error("the token has expired: make a new one (toft token create)")]
    Expired,
    #[error("the token is revoked")]
    Revoked,
    /// It is bound to another origin, or to none.
    #[error("the token is not for pages of this origin")]
    Origin,
    #[error("the token lacks the scope {0}")]
    Scope(String),
    #[error("the token is not for {0}")]
    Beyond(String),
    #[error("too many calls: wait {} s", seconds(.0))]
    TooMany(Duration),
}

impl Denial {
    /// As the audit log counts them.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::Unknown => "wrong token",
            Self::Expired => "expired token",
            Self::Revoked => "revoked token",
            Self::Origin => "token of another origin",
            Self::Scope(_) | Self::Beyond(_) => "beyond the token",
            Self::TooMany(_) => "too many",
        }
    }

    /// Is something wrong with the token itself?
    pub fn is_of_the_token(&self) -> bool {
        matches!(self, Self::NoToken | Self::Unknown | Self::Expired | Self::Revoked | Self::Origin)
    }

    /// When to try again, in whole seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait) => Some(seconds(wait)),
            _ => None,
        }
    }
}

/// Whole seconds, one at least.
fn seconds(wait: &Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

impl Caller {
    fn new(who: Who, way: Way, origin: Option<Origin>) -> Self {
        Self { who, way, origin }
    }

    /// Who can open the control socket.
    pub fn owner() -> Self {
        Self::new(Who::Owner, Way::Socket, None)
    }

    /// Somebody without a token.
    pub fn nobody(way: Way, origin: Option<Origin>) -> Self {
        Self::new(Who::Nobody, way, origin)
    }

    pub(super) fn cookie(way: Way) -> Self {
        Self::new(Who::Cookie, way, None)
    }

    pub(super) fn with_token(held: Arc<Held>, way: Way, origin: Option<Origin>) -> Self {
        Self::new(Who::Token(held), way, origin)
    }

    pub fn way(&self) -> Way {
        self.way
    }

    /// By the control socket?
    pub fn is_local(&self) -> bool {
        self.way == Way::Socket
    }

    /// The page that calls, if it is one.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The owner himself: by the socket, and without a token that would allow less.
    pub fn is_owner(&self) -> bool {
        matches!(self.who, Who::Owner)
    }

    pub fn token(&self) -> Option<&Token> {
        match &self.who {
            Who::Token(held) => Some(&held.token),
            _ => None,
        }
    }

    /// Whose share they take of what there is a bounded number of: that of the token from which theirs descends. `None`: of the owner, who
    /// has no share.
    pub fn share(&self) -> Option<&str> {
        self.held().and_then(|held| held.line().last()).map(|first| first.token.id.as_str())
    }

    pub(super) fn held(&self) -> Option<&Arc<Held>> {
        match &self.who {
            Who::Token(held) => Some(held),
            _ => None,
        }
    }

    /// May they call a method with that need? What it is about ([`Caller::may_read`] and the like), the method asks itself.
    pub fn allows(&self, need: Need) -> bool {
        match &self.who {
            Who::Owner | Who::Cookie => true,
            Who::Token(held) => held.token.scopes.allows(need),
            Who::Nobody => need == Need::Nobody,
        }
    }

    /// Fails unless they may call a method with that need.
    pub fn check(&self, need: Need) -> Result<(), Denial> {
        match (self.allows(need), &self.who) {
            (true, _) => Ok(()),
            (false, Who::Nobody) => Err(Denial::NoToken),
            (false, _) => Err(Denial::Scope(need.to_string())),
        }
    }

    /// Fails unless they may read the records under `protocol`; `None`: those under none, or under whichever.
    pub fn may_read(&self, protocol: Option<&str>) -> Result<(), Denial> {
        self.may(Scope::ReadRecords, Token::may_read, protocol)
    }

    /// Fails unless they may write and delete them.
    pub fn may_write(&self, protocol: Option<&str>) -> Result<(), Denial> {
        self.may(Scope::WriteRecords, Token::may_write, protocol)
    }

    fn may(
        &self,
        scope: fn(Option<String>) -> Scope,
        token_may: fn(&Token, Option<&str>) -> bool,
        protocol: Option<&str>,
    ) -> Result<(), Denial> {
        match &self.who {
            Who::Owner | Who::Cookie => Ok(()),
            Who::Nobody => Err(Denial::NoToken),
            Who::Token(held) if token_may(&held.token, protocol) => Ok(()),
            Who::Token(held) => match protocol {
                Some(protocol) if !held.token.is_for_protocol(Some(protocol)) => {
                    Err(Denial::Beyond(format!("protocol {}", shown(protocol))))
                }
                protocol => Err(Denial::Scope(scope(protocol.map(|text| shown(text).to_string())).to_string())),
            },
        }
    }

    /// The only tenant that they may act for.
    pub fn tenant(&self) -> Option<&str> {
        self.token()?.tenant.as_deref()
    }

    /// Fails unless they may act for this tenant.
    pub fn may_act_for(&self, tenant: &str) -> Result<(), Denial> {
        match (self.tenant(), &self.who) {
            (_, Who::Nobody) => Err(Denial::NoToken),
            (Some(own), _) if own != tenant => Err(Denial::Beyond(format!("tenant {}", shown(tenant)))),
            _ => Ok(()),
        }
    }

    /// Fails unless they may have something signed for that use, by that tenant.
    pub fn may_sign(&self, wanted: Use, tenant: &str) -> Result<(), Denial> {
        self.check(Need::Sign(wanted))?;
        self.may_act_for(tenant)
    }

    /// Fails when their token is revoked or over.
    pub fn check_live(&self, now: Timestamp) -> Result<(), Denial> {
        let Some(held) = self.held() else { return Ok(()) };
        if held.revoked.is_cancelled() {
            return Err(Denial::Revoked);
        }
        if held.token.is_over(now) { Err(Denial::Expired) } else { Ok(()) }
    }

    /// Comes back when their token is revoked or over, and says which: whatever they have open ends then.
    pub async fn ended(&self) -> Denial {
        /// The clock may be set meanwhile.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        let Some(held) = self.held() else { return std::future::pending().await };
        loop {
            let now = Timestamp::now();
            if let Err(denial) = self.check_live(now) {
                return denial;
            }
            let left = held.token.expires.map(|at| at.0.duration_since(now).unsigned_abs());
            let wait = left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN));
            tokio::select! {
                () = held.revoked.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// As the audit log names them.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Owner => f.write_str("owner"),
            Who::Cookie => f.write_str("cookie"),
            Who::Token(held) => write!(f, "token {}", held.token.id),
            Who::Nobody => f.write_str("nobody"),
        }
    }
}
