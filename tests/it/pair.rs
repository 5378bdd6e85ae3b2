//! A new device comes in: `toft pair`, `toft join`, six digits on both, and what is not let in.

use crate::support::{
    eventually,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use toft::devices::Code;

fn offer(node: &Toft) -> String {
    node.json(&["pair", "--offer"])["code"].as_str().expect("a code").to_owned()
}

/// `toft join`, which waits for the owner of the other device.
fn join(node: &Toft, args: &[&str]) -> Child {
    let mut command = node.home().command(&[&["join"], args].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// How it ended: whether well, and what it said.
fn ended(child: Child) -> (bool, String) {
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// What the offer's owner sees when a device has come.
fn asked(node: &Toft) -> Value {
    eventually("a device to ask", || {
        let standing = node.json(&["device", "confirm"]);
        (standing["state"] == "asks").then_some(standing)
    })
}

#[track_caller]
fn in_step(a: &Toft, b: &Toft) {
    eventually("both to be in step", || {
        [a, b].iter().all(|node| node.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(())
    });
}

fn peers(node: &Toft) -> usize {
    node.json(&["peer", "ls"]).as_array().expect("a list").len()
}

fn names(node: &Toft) -> Vec<(String, bool)> {
    let devices = node.json(&["device", "ls"]);
    let name = |device: &Value| (device["name"].as_str().unwrap_or_default().to_owned(), device["in_sync"] == true);
    devices.as_array().expect("a list").iter().map(name).collect()
}

#[test]
fn a_device_comes_in_by_a_code_and_both_keep_the_same() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let (desk_name, phone_name) = ("desk", "phone");
    for (node, name) in [(&desk, desk_name), (&phone, phone_name)] {
        assert_eq!(node.json(&["device", "rename", node.did(), name])["name"], name);
    }
    let code = offer(&desk);
    let joining = join(&phone, &[&code, "--share"]);
    let standing = asked(&desk);
    assert_eq!((&standing["device"]["did"], &standing["device"]["name"]), (&json!(phone.did()), &json!("phone")));
    assert!(peers(&desk) == 0 && peers(&phone) == 0, "nobody has said yes");
    let digits = standing["digits"].as_str().expect("digits");
    let confirmed = desk.json(&["device", "confirm", &format!("{} {}", &digits[..3], &digits[3..])]);
    assert_eq!(confirmed["state"], "paired");
    let (well, said) = ended(joining);
    assert!(well && said.contains(&format!("{} {}", &digits[..3], &digits[3..])), "{said}");

    // Each keeps what the other has.
    let record = desk.json(&["call", "records.write", r#"{"data": "aGVsbG8", "dataFormat": "text/plain"}"#]);
    eventually("the record on the phone", || {
        let why = desk.json(&["sync", "why", record["recordId"].as_str().expect("an id")]);
        (why[0]["same"] == true).then_some(())
    });
    eventually("both in step", || {
        let all = |node: &Toft| names(node).iter().all(|(_, in_sync)| *in_sync);
        (all(&desk) && all(&phone)).then_some(())
    });
    assert_eq!(names(&desk).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["desk", "phone"]);
    assert_eq!(names(&phone).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["phone", "desk"]);

    // The phone writes in the desk's name, also under a protocol that is installed later.
    for n in 0..2 {
        let protocol = format!("https://toft.example/notes{n}");
        let types = json!({"note": {"dataFormats": ["text/plain"]}});
        let definition = json!({"protocol": protocol, "published": false, "types": types, "structure": {"note": {}}});
        desk.json(&["call", "protocols.install", &json!({"definition": definition}).to_string()]);
        let note = json!({"tenant": desk.did(), "protocol": protocol, "protocolPath": "note", "data": "aGVsbG8", "dataFormat": "text/plain"});
        let written = eventually("the phone to have its grants", || {
            let output = phone.home().run(&["call", "records.write", &note.to_string(), "--json"]);
            output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).expect("JSON"))
        });
        let read = json!({"recordId": written["recordId"]}).to_string();
        eventually("the note on the desk", || {
            let output = desk.home().run(&["call", "records.read", &read, "--json"]);
            output.status.success().then_some(())
        });
    }

    // The code was good once.
    let (well, said) = ended(join(&phone, &[&code]));
    assert!(!well && said.contains("no offer there"), "{said}");

    // Both remember it over a start, and the owner ends it by its name.
    let desk = desk.stop().up();
    assert_eq!(desk.json(&["device", "rename", "phone", "old phone"])["did"], phone.did());
    assert_eq!(desk.json(&["device", "rm", "old phone"])["did"], phone.did());
    assert_eq!(peers(&desk), 0);
    let in_force = json!({"grantedTo": phone.did(), "active": true}).to_string();
    assert_eq!(desk.json(&["call", "grants.list", &in_force])["grants"], json!([]), "what it was granted is revoked");
    let audit = desk.json(&["audit", "ls"]);
    let done = |what: &str| audit.to_string().contains(what);
    assert!(done("peer.added") && done("peer.removed"), "{audit}");
}

/// Lets a device in, as its owner does.
fn let_in(desk: &Toft, device: &Toft) {
    let joining = join(device, &[&offer(desk)]);
    let standing = asked(desk);
    desk.json(&["device", "confirm", standing["digits"].as_str().expect("digits")]);
    let (well, said) = ended(joining);
    assert!(well, "{said}");
}

fn has_peer(node: &Toft, other: &Toft) -> bool {
    node.json(&["peer", "ls"]).to_string().contains(&format!("\"did\":\"{}\"", other.did()))
}

#[test]
fn devices_hear_of_one_another_by_the_persons_records() {
    let (desk, phone, tablet) = (Home::new().up(), Home::new().up(), Home::new().up());
    tablet.json(&["device", "rename", tablet.did(), "tablet"]);
    let_in(&desk, &phone);
    let_in(&desk, &tablet);
    // Both are the desk's, and meet.
    eventually("the phone and the tablet to meet", || {
        let meets = |node: &Toft, other: &Toft| {
            let peers = node.json(&["peer", "ls"]);
            let peers = peers.as_array().expect("a list");
            peers.iter().any(|peer| peer["did"] == other.did() && peer["in_sync"] == true)
        };
        (meets(&phone, &tablet) && meets(&tablet, &phone)).then_some(())
    });
    assert!(names(&phone).iter().any(|(name, _)| name == "tablet"), "{:?}", names(&phone));
    // What is lost on the desk is lost everywhere.
    desk.json(&["device", "rm", "tablet"]);
    assert!(!has_peer(&desk, &tablet));
    eventually("the phone to share nothing with it any more", || (!has_peer(&phone, &tablet)).then_some(()));
    assert!(has_peer(&phone, &desk));
}

#[test]
fn a_wrong_code_ends_the_offer_and_the_right_one_is_worth_nothing_then() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let code = offer(&desk);
    let mut wrong: Code = code.parse().expect("a code");
    wrong.secret[0] ^= 1;
    let (well, said) = ended(join(&phone, &[&wrong.to_string()]));
    assert!(!well && said.contains("not the code of the offer there"), "{said}");
    let over = desk.home().run(&["device", "confirm"]);
    assert!(String::from_utf8_lossy(&over.stdout).contains("wrong code"), "{over:?}");
    let (well, said) = ended(join(&phone, &[&code]));
    assert!(!well && said.contains("no offer there"), "{said}");
    assert_eq!((peers(&desk), peers(&phone)), (0, 0));

    let (well, said) = ended(join(&phone, &["abcdefgh"]));
    assert!(!well && said.contains("a letter of the code is wrong or missing"), "{said}");
}

#[test]
fn other_digits_and_a_no_let_nobody_in() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    for (args, why) in
        [(["device", "confirm", "000 00x"], "other digits"), (["device", "confirm", "--no"], "not let in")]
    {
        let joining = join(&phone, &[&offer(&desk)]);
        asked(&desk);
        let output = desk.home().run(&args);
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
        let (well, said) = ended(joining);
        assert!(!well, "{said}");
        assert_eq!((peers(&desk), peers(&phone)), (0, 0));
    }
    let nobody = desk.home().run(&["device", "confirm", "123456"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no device waits"), "{nobody:?}");
}

/// The code says where the device is, and where it says wrong, its owner does.
#[test]
fn a_device_is_found_where_its_owner_says_it_is() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let mut code: Code = offer(&desk).parse().expect("a code");
    let id = desk.address("/tcp/").rsplit_once("/p2p/").expect("an id").1.to_owned();
    code.addresses = vec![format!("/ip4/127.0.0.1/tcp/9/p2p/{id}")];
    let code = code.to_string();
    let at = desk.address("/tcp/");
    let at = at.rsplit_once("/p2p/").expect("an id").0;
    let (well, said) = ended(join(&phone, &[&code, "--at", "127.0.0.1"]));
    assert!(!well && said.contains("is no multiaddr"), "{said}");
    let joining = join(&phone, &[&code, "--at", at]);
    let digits = asked(&desk)["digits"].as_str().expect("digits").to_owned();
    // Two that wait at a terminal: this one is let in by another command.
    desk.json(&["device", "confirm", &digits]);
    assert!(ended(joining).0);
    assert_eq!((peers(&desk), peers(&phone)), (1, 1));
    let desk_on_phone = &phone.json(&["device", "ls"])[1];
    assert_eq!(desk_on_phone["address"], desk.address("/tcp/"), "where it was found");

    // The code may be anybody's: what is the phone's own it does not share for a code alone.
    let tenants = |node: &Toft| node.json(&["peer", "ls"])[0]["tenants"].clone();
    assert_eq!((tenants(&phone), tenants(&desk)), (json!([desk.did()]), json!([desk.did(), phone.did()])));
    phone.json(&["call", "records.write", r#"{"data": "aGVsbG8", "dataFormat": "text/plain"}"#]);
    in_step(&desk, &phone);
    let scopes = desk.json(&["sync", "status"]);
    assert!(!scopes[0]["scopes"].to_string().contains(phone.did()), "{scopes}");
    let refused = desk.home().run(&["peer", "rm", phone.did()]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("toft device rm"), "{refused:?}");
}

/// Who has a code for a phone's own records gets none by it.
#[test]
fn a_code_that_asks_for_the_joiners_records_alone_is_refused() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let offered = desk.json(&["pair", "--offer", "--tenant", phone.did()]);
    let joining = join(&phone, &[offered["code"].as_str().expect("a code")]);
    let digits = asked(&desk)["digits"].as_str().expect("digits").to_owned();
    desk.home().run(&["device", "confirm", &digits]);
    let (well, said) = ended(joining);
    assert!(!well && said.contains("this one's own records alone"), "{said}");
    assert_eq!(peers(&phone), 0);
}

#[test]
fn a_new_offer_takes_the_place_of_the_old_one_and_a_new_join_of_the_old_one() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let old = join(&phone, &[&offer(&desk)]);
    asked(&desk);
    for _ in 0..5 {
        offer(&desk);
    }
    assert!(!ended(old).0, "its offer is gone");
    let first = join(&phone, &[&offer(&desk)]);
    asked(&desk);
    let code = offer(&desk);
    let second = join(&phone, &[&code]);
    let digits = asked(&desk)["digits"].as_str().expect("digits").to_owned();
    desk.json(&["device", "confirm", &digits]);
    assert!(!ended(first).0 && ended(second).0);
}

#[test]
fn who_stops_joining_waits_no_more() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let joining = join(&phone, &[&offer(&desk)]);
    asked(&desk);
    assert_eq!(phone.json(&["call", "devices.joining", "{}"])["state"], "waits");
    let pid = joining.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let (well, said) = ended(joining);
    assert!(!well && said.contains("given up"), "{said}");
    eventually("the node to have given it up", || {
        (phone.json(&["call", "devices.joining", "{}"])["state"] == "failed").then_some(())
    });
    assert_eq!(phone.json(&["call", "devices.leave", "{}"])["left"], false);
    eventually("the offer to have ended", || (desk.json(&["device", "confirm"])["state"] != "asks").then_some(()));
    assert_eq!((peers(&desk), peers(&phone)), (0, 0));
}

/// Who has no code meets a node that knows of no pairing, unless an offer stands.
#[test]
fn there_is_nothing_to_come_to_without_an_offer() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let code = offer(&desk);
    assert_eq!(desk.json(&["call", "devices.withdraw", "{}"])["withdrawn"], true);
    let (well, said) = ended(join(&phone, &[&code]));
    assert!(!well && said.contains("there is no offer there"), "{said}");
    assert_eq!(desk.json(&["call", "devices.withdraw", "{}"])["withdrawn"], false);
}
