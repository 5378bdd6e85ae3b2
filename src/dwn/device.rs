//! What a device of a person needs to be granted: it has a key of its own, and acts in the person's name.
//!
//! | interface | for | so that it |
//! |---|---|---|
//! | Records | each protocol, each of the five methods, delegated | reads and writes in the person's name |
//! | Messages | all protocols | is in step with nodes that know it by its own name only |
//! | Protocols | all | learns which protocols there are |
//!
//! Records under no protocol cannot be granted in this dialect, and who may grant is not for devices: the protocol of
//! permissions is none of those that are granted.

use super::{
    fields::PERMISSIONS,
    granted::{Granted, Standing},
};

const RECORDS: [&str; 5] = ["Read", "Query", "Subscribe", "Write", "Delete"];
const MESSAGES: [&str; 3] = ["Read", "Query", "Subscribe"];

/// A grant that a device needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceGrant {
    pub interface: &'static str,
    pub method: &'static str,
    /// Nothing: all.
    pub protocol: Option<String>,
    /// The device acts in the grantor's name. (As web5 has it: of what only reads messages or protocols, the SDK makes no
    /// delegated form.)
    pub delegated: bool,
}

/// The grants that a device needs while these protocols are installed.
pub fn device_grants(protocols: &[String]) -> Vec<DeviceGrant> {
    let all = |interface, method| DeviceGrant { interface, method, protocol: None, delegated: false };
    let protocols = protocols.iter().filter(|uri| *uri != PERMISSIONS);
    let records = protocols.flat_map(|uri| {
        RECORDS.map(|method| DeviceGrant { interface: "Records", method, protocol: Some(uri.clone()), delegated: true })
    });
    let others = MESSAGES.map(|method| all("Messages", method)).into_iter().chain([all("Protocols", "Query")]);
    others.chain(records).collect()
}

impl DeviceGrant {
    /// Does this grant allow all of it, and until after then (as messages write times)?
    pub fn is_met_by(&self, granted: &Granted, until: &str) -> bool {
        granted.standing == Standing::Active
            && granted.expires.as_str() > until
            && (granted.interface.as_str(), granted.method.as_str()) == (self.interface, self.method)
            && granted.protocol == self.protocol
            && granted.delegated == self.delegated
            && granted.context_id.is_none()
            && granted.protocol_path.is_none()
            && granted.publication.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(needed: &DeviceGrant) -> Granted {
        Granted {
            id: "id".into(),
            grantee: Some("did:key:device".into()),
            interface: needed.interface.into(),
            method: needed.method.into(),
            protocol: needed.protocol.clone(),
            context_id: None,
            protocol_path: None,
            granted: "2026-01-01T00:00:00.000000Z".into(),
            expires: "2027-01-01T00:00:00.000000Z".into(),
            delegated: needed.delegated,
            publication: None,
            standing: Standing::Active,
        }
    }

    #[test]
    fn a_device_needs_five_grants_for_each_protocol_and_four_for_all() {
        let uris = ["http://a.example".to_owned(), PERMISSIONS.to_owned(), "http://b.example".to_owned()];
        let needed = device_grants(&uris);
        let told: Vec<_> = needed
            .iter()
            .map(|it| (it.interface, it.method, it.protocol.as_deref().unwrap_or_default(), it.delegated))
            .collect();
        let all = [
            ("Messages", "Read", "", false),
            ("Messages", "Query", "", false),
            ("Messages", "Subscribe", "", false),
            ("Protocols", "Query", "", false),
        ];
        let each = |uri: &'static str| RECORDS.map(|method| ("Records", method, uri, true));
        assert_eq!(told, [&all[..], &each("http://a.example"), &each("http://b.example")].concat());
    }

    #[test]
    fn what_is_narrower_or_over_soon_does_not_do() {
        let needed = &device_grants(&["http://a.example".into()])[7];
        assert_eq!((needed.interface, needed.method), ("Records", "Write"));
        let soon = "2026-12-31T00:00:00.000000Z";
        let good = granted(needed);
        assert!(needed.is_met_by(&good, soon) && !needed.is_met_by(&good, "2027-01-01T00:00:00.000000Z"));
        for narrower in [
            Granted { context_id: Some("x".into()), ..good.clone() },
            Granted { protocol_path: Some("x".into()), ..good.clone() },
            Granted { publication: Some("Required".into()), ..good.clone() },
            Granted { protocol: Some("http://b.example".into()), ..good.clone() },
            Granted { method: "Read".into(), ..good.clone() },
            Granted { delegated: false, ..good.clone() },
            Granted { standing: Standing::Expired, ..good.clone() },
            Granted { standing: Standing::Revoked(soon.into()), ..good.clone() },
        ] {
            assert!(!needed.is_met_by(&narrower, soon), "{narrower:?}");
        }
    }
}
