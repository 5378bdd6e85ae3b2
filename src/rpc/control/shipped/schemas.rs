//! The JSON Schemas of the data of the protocols that come with toft (`protocols/schemas`), by protocol and type.

use serde_json::Value;
use std::collections::BTreeMap;

macro_rules! schemas {
    ($($protocol:literal: $($name:literal),*;)*) => {
        &[$(($protocol, &[$(($name, include_str!(concat!("../../../../protocols/schemas/", $protocol, "/", $name, ".json")))),*])),*]
    };
}

/// Names of types and schemas, by the protocol's name.
type Texts = [(&'static str, &'static [(&'static str, &'static str)])];

const ALL: &Texts = schemas! {
    "commerce": "auditor", "fee", "payment", "payout", "refund";
    "creator": "content", "contentPolicy", "creator", "fan", "fanProfile", "nft", "receipt", "subscription", "tier";
    "credential": "credential", "issuer", "presentation", "result", "revocation", "status", "statusList";
    "dataset": "accessGrant", "accessRequest", "attestation", "citation", "columns", "curator", "dataset", "license", "version";
    "device": "device";
    "governance": "ballot", "execution", "member", "officer", "parameter", "proposal", "result";
    "market": "arbiter", "delivery", "dispute", "listing", "offer", "purchase", "review", "royalty", "royaltyTerms", "ruling", "statement", "taxonomy";
    "message": "contact", "message", "moderator", "participant", "reaction", "thread";
    "metrics": "aggregate", "alert", "operator";
    "notification": "channel", "history", "sender", "subscriber", "subscription", "template";
    "policy": "policy";
    "profile": "contact", "link", "profile", "verification";
    "rgb": "acknowledgement", "asset", "balance", "history", "invoice", "metadata", "transfer";
    "schema-registry": "deprecation", "maintainer", "schema", "version";
    "settings": "config", "setting";
    "trust": "claim", "governor", "report", "slash", "vouch", "withdraw";
};

/// Those of a protocol.
pub(super) fn of(protocol: &str) -> BTreeMap<String, Value> {
    let texts = ALL.iter().find(|(name, _)| *name == protocol).map(|(_, texts)| *texts).unwrap_or_default();
    texts.iter().filter_map(|(name, text)| Some(((*name).to_owned(), serde_json::from_str(text).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn each_is_a_file_and_none_is_left_out() {
        let names = |folder: &Path| -> BTreeSet<String> {
            let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
            entries.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocols/schemas");
        let all: BTreeSet<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder), all);
        for name in all {
            assert_eq!(of(&name).into_keys().collect::<BTreeSet<_>>(), names(&folder.join(&name)), "{name}");
        }
    }
}
