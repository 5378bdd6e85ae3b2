//! What a manifest says, and who may have signed it.

use super::*;

#[test]
fn a_snapshot_of_a_newer_version_is_refused_with_a_sentence() {
    let (home, to) = (home(), tempfile::tempdir().expect("a directory"));
    let name = home.source.take(to.path(), Check::All).expect("takes").snapshot;
    let path = to.path().join("snapshots").join(name);
    let signed = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("JSON");
    let mut manifest = crate::crypto::jws::payload(&signed).expect("a manifest");
    manifest["version"] = json!(VERSION + 1);
    let signed = Jws::sign(manifest.to_string().as_bytes(), &home.source.signer).expect("signs");
    fs::write(&path, signed.to_string()).expect("writes");
    let found = seen(to.path(), None).expect("looks");
    assert!(found.damaged.len() == 1 && found.damaged[0].contains("this toft reads 1"), "{found:?}");
    let into = tempfile::tempdir().expect("a directory");
    let why = restored(to.path(), &into.path().join("home"), None, None).expect_err("cannot read it");
    assert!(format!("{why:#}").contains("it has version 2; this toft reads 1"), "{why:#}");
}

#[test]
fn a_manifest_is_signed_as_one_and_those_of_before_are_still_read() {
    let (home, to) = (home(), tempfile::tempdir().expect("a directory"));
    let name = home.source.take(to.path(), Check::All).expect("takes").snapshot;
    let path = to.path().join("snapshots").join(&name);
    let signed: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("JSON");
    let jws = Jws::parse(&signed).expect("a JWS");
    assert_eq!(jws.purpose(), Some(PURPOSE));
    let key = |kid: &str| crate::did::key_of(kid).ok();
    assert!(jws.verify(&key).is_err(), "it authorizes no message");
    let whole = manifest(to.path(), &name).expect("reads");
    // As it was before the signature said what it was for.
    plant(to.path(), &name, &whole, &home.source.signer);
    assert_eq!(manifest(to.path(), &name).expect("reads"), whole);
    let mut json = serde_json::to_value(&whole).expect("JSON");
    json["descriptorCid"] = "bafyrei".into();
    let signer = &home.source.signer;
    for (forged, why) in [
        (Jws::sign(json.to_string().as_bytes(), signer).expect("signs"), "it is the signature of a message"),
        (Jws::sign_as("toft/other", json.to_string().as_bytes(), signer).expect("signs"), "another purpose"),
    ] {
        let error = format!("{:#}", parse(forged.to_string().as_bytes()).expect_err("refused"));
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_snapshot_that_another_has_signed_is_not_this_homes() {
    let (home, other) = (home(), home());
    home.commit("r", Some(&bytes(1, 70_000)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    let taken = home.source.take(target.path(), Check::All).expect("taken");
    let own = home.source.signer.did();
    let whole = manifest(target.path(), &taken.snapshot).expect("reads");
    assert_eq!(seen(target.path(), Some(own)).expect("verifies").damaged, Vec::<String>::new());

    // Signed by a key that is not the DID's in it; then soundly, by another identity.
    let stranger = &other.source.signer;
    plant(target.path(), "29990101T000000.000000Z.json", &whole, stranger);
    let found = seen(target.path(), None).expect("verifies");
    assert!(
        matches!(&found.damaged[..], [one] if one.contains("29990101") && one.contains("is not signed by")),
        "{found:?}"
    );
    let theirs = Manifest { did: stranger.did().to_owned(), ..whole };
    plant(target.path(), "29990101T000000.000000Z.json", &theirs, stranger);
    for whose in [None, Some(own)] {
        let found = seen(target.path(), whose).expect("verifies");
        assert!(
            matches!(&found.damaged[..], [one] if one.contains("29990101") && one.contains("whose backup")),
            "{found:?}"
        );
        let to = tempfile::tempdir().expect("a directory");
        let said = restored(target.path(), to.path(), None, whose).expect_err("refused").to_string();
        assert!(said.contains(stranger.did()) && said.contains(own), "{said}");
        assert!(drilled(target.path(), whose).is_err());
    }
    let found = seen(target.path(), Some(stranger.did())).expect("verifies");
    assert!(matches!(&found.damaged[..], [one] if one.contains(&taken.snapshot)), "{found:?}");
    fs::remove_file(target.path().join("snapshots/29990101T000000.000000Z.json")).expect("removes");
    let said = other.source.take(target.path(), Check::All).expect_err("refused").to_string();
    assert!(said.contains(own) && said.contains("another directory"), "{said}");
    home.source.take(target.path(), Check::All).expect("goes on");
}
