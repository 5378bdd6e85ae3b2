//! The storage of RGB assets over the RPC: its twelve calls, coins that are spent once, devices that spend one coin while they are apart,
//! and the validator in its cage.

use crate::{
    support::{
        control::{Control, Failed, failed},
        eventually, root,
        toft::{Home, Toft},
    },
    sync::in_step,
};
use serde_json::{Value, json};
use std::{fs, thread, time::Instant};
use toft::{cid, crypto};

const ASSET: &str = "rgb:tide";

fn asset(id: &str) -> Value {
    json!({"asset": {"assetId": id, "schema": "NIA", "network": "regtest", "ticker": "TIDE", "name": "Tide", "precision": 2, "issuedSupply": "1000"}})
}

fn outpoint(n: usize) -> String {
    format!("{}:{n}", "cd".repeat(32))
}

fn transfer(kind: &str, amount: u64, status: &str, spends: &[String]) -> Value {
    json!({"transfer": {"assetId": ASSET, "kind": kind, "amount": amount.to_string(), "status": status, "spends": spends}})
}

fn id(written: &Value) -> &str {
    written["recordId"].as_str().expect("a recordId")
}

/// A node with an asset of which there are 1,000.
fn with_asset(home: Home) -> (Toft, Control) {
    let node = home.up();
    let rpc = Control::of(node.home());
    node.json(&["protocol", "install", "rgb"]);
    rpc.call("rgb.storeAsset", asset(ASSET));
    rpc.call("rgb.storeTransfer", transfer("issue", 1000, "settled", &[]));
    (node, rpc)
}

#[track_caller]
fn held(rpc: &Control, wanted: [u64; 3]) {
    let balance = rpc.call("rgb.getAssetBalance", json!({"assetId": ASSET}));
    let told = ["settled", "future", "spendable"].map(|name| balance[name].as_str().and_then(|it| it.parse().ok()));
    assert_eq!(told, wanted.map(Some), "{balance}");
}

#[test]
fn each_of_the_twelve_does_what_it_says() {
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    let missing = rpc.fails("rgb.storeAsset", asset(ASSET));
    assert!(missing.kind == "not-found" && missing.message.contains("toft protocol install rgb"), "{missing:?}");
    node.json(&["protocol", "install", "rgb"]);

    // asset_exists, store_asset
    let one = json!({"assetId": ASSET});
    assert_eq!(rpc.call("rgb.assetExists", one.clone()), json!({"exists": false}));
    for method in ["rgb.getAssetMetadata", "rgb.getAssetBalance", "rgb.getAssetHistory"] {
        let failed = rpc.fails(method, one.clone());
        assert!(failed.kind == "not-found" && failed.message.contains("rgb.storeAsset"), "{failed:?}");
    }
    let stored = rpc.call("rgb.storeAsset", asset(ASSET));
    assert_eq!(rpc.call("rgb.assetExists", one.clone()), json!({"exists": true}));
    let mut described = asset(ASSET);
    described["metadata"] = json!({"details": "Coins of the harbour."});
    assert_eq!(
        rpc.call("rgb.storeAsset", described)["recordId"],
        stored["recordId"],
        "the same asset is the same record"
    );
    let mut other = asset(ASSET);
    other["asset"]["issuedSupply"] = json!("2000");
    assert_eq!(rpc.fails("rgb.storeAsset", other).kind, "conflict");

    // query_assets, get_asset_metadata
    for n in 0..5 {
        let mut more = asset(&format!("rgb:other-{n}"));
        more["asset"]["network"] = json!("signet");
        rpc.call("rgb.storeAsset", more);
    }
    let query = |params: Value| rpc.call("rgb.queryAssets", params);
    let found = query(json!({"filter": {"network": "regtest", "ticker": "TIDE", "schema": "NIA", "precision": 2}}));
    assert_eq!(
        (&found["assets"][0]["asset"]["assetId"], found["assets"].as_array().map(Vec::len)),
        (&json!(ASSET), Some(1))
    );
    let (mut names, mut cursor, mut pages) = (vec![], Value::Null, 0);
    loop {
        let page = query(json!({"filter": {"network": "signet"}, "limit": 2, "cursor": cursor}));
        names.extend(page["assets"].as_array().expect("a list").iter().map(|it| it["asset"]["assetId"].clone()));
        (cursor, pages) = (page["cursor"].clone(), pages + 1);
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((names, pages), ((0..5).rev().map(|n| json!(format!("rgb:other-{n}"))).collect(), 3));
    let metadata = rpc.call("rgb.getAssetMetadata", one.clone());
    assert_eq!(
        (&metadata["asset"]["name"], &metadata["metadata"]["details"]),
        (&json!("Tide"), &json!("Coins of the harbour."))
    );

    // store_transfer, get_transfer_status, get_asset_balance
    rpc.call("rgb.storeTransfer", transfer("issue", 1000, "settled", &[]));
    held(&rpc, [1000, 1000, 1000]);
    let sent = rpc.call("rgb.storeTransfer", transfer("send", 300, "waitingCounterparty", &[outpoint(0)]));
    held(&rpc, [1000, 700, 700]);
    let status = |id: &str| rpc.call("rgb.getTransferStatus", json!({"transferId": id}));
    assert_eq!(status(id(&sent))["status"], "waitingCounterparty");
    let mut next = transfer("send", 300, "settled", &[outpoint(0)]);
    next["transferId"] = json!(id(&sent));
    next["transfer"]["txid"] = json!("ab".repeat(32));
    assert_eq!(rpc.call("rgb.storeTransfer", next.clone())["recordId"], sent["recordId"]);
    let told = status(id(&sent));
    assert_eq!(
        (&told["status"], &told["counts"], &told["transfer"]["txid"]),
        (&json!("settled"), &json!(true), &json!("ab".repeat(32)))
    );
    held(&rpc, [700, 700, 700]);
    for (name, value, said) in [
        ("status", json!("failed"), "does not become"),
        ("amount", json!("301"), "amount of a transfer does not change"),
        ("spends", json!([outpoint(1)]), "spends of a transfer does not change"),
        ("kind", json!("burn"), "kind of a transfer does not change"),
    ] {
        let mut wrong = next.clone();
        wrong["transfer"][name] = value;
        let failed = rpc.fails("rgb.storeTransfer", wrong);
        assert!(failed.kind == "conflict" && failed.message.contains(said), "{failed:?}");
    }
    rpc.call("rgb.storeTransfer", transfer("receive", 50, "waitingConfirmations", &[]));
    held(&rpc, [700, 750, 700]);
    rpc.call("rgb.storeTransfer", transfer("burn", 100, "settled", &[outpoint(5)]));
    held(&rpc, [600, 650, 600]);
    let poor = rpc.fails("rgb.storeTransfer", transfer("send", 601, "settled", &[]));
    assert!(poor.kind == "conflict" && poor.message.contains("1 fewer"), "{poor:?}");
    let rich = rpc.fails("rgb.storeTransfer", transfer("receive", u64::MAX, "settled", &[]));
    assert!(rich.kind == "conflict" && rich.message.contains("more units"), "{rich:?}");
    for amount in [json!("18446744073709551616"), json!(1.5), json!("0"), json!("-1")] {
        let mut wrong = transfer("send", 1, "settled", &[]);
        wrong["transfer"]["amount"] = amount;
        assert_eq!(rpc.fails("rgb.storeTransfer", wrong).kind, "usage");
    }

    // validate_transfer
    let failed = rpc.fails("rgb.validateTransfer", json!({"transferId": id(&sent)}));
    assert!(failed.kind == "not-found" && failed.message.contains("no validator is set"), "{failed:?}");

    // update_balance
    let declared =
        |settled: u64| json!({"balance": {"assetId": ASSET, "settled": settled, "future": "650", "spendable": 600}});
    let noted = rpc.call("rgb.updateBalance", declared(600));
    assert_eq!(rpc.call("rgb.updateBalance", declared(600))["recordId"], noted["recordId"], "one record holds it");
    let failed = rpc.fails("rgb.updateBalance", declared(590));
    assert!(failed.kind == "conflict" && failed.message.contains("10 too little"), "{failed:?}");
    let record = rpc.call("records.read", json!({"recordId": id(&noted)}));
    let data = crypto::decode(record["data"].as_str().expect("data")).expect("base64url");
    let data: Value = serde_json::from_slice(&data).expect("JSON");
    assert_eq!((&data["settled"], &data["future"], &data["spendable"]), (&json!("600"), &json!("650"), &json!("600")));

    // store_invoice
    let mut invoice = json!({"invoice": {"assetId": ASSET, "invoice": "rgb:tide/~/utxob:x", "amount": 5, "dateExpires": "2030-01-01T00:00:00.000000Z"}});
    let bill = rpc.call("rgb.storeInvoice", invoice.clone());
    invoice["invoice"]["status"] = json!("paid");
    invoice["invoiceId"] = json!(id(&bill));
    assert_eq!(rpc.call("rgb.storeInvoice", invoice)["recordId"], bill["recordId"]);
    let read = rpc.call("records.read", json!({"recordId": id(&bill)}));
    let tags = &read["record"]["descriptor"]["tags"];
    assert_eq!(
        (&tags["status"], &tags["network"], &tags["amount"]),
        (&json!("paid"), &json!("regtest"), &json!("00000000000000000005"))
    );

    // store_history_entry, get_asset_history
    let entry = json!({"entry": {"assetId": ASSET, "kind": "invoice", "amount": "5", "txid": "ef".repeat(32)}});
    rpc.call("rgb.storeHistoryEntry", entry);
    let past = rpc.call("rgb.getAssetHistory", json!({"assetId": ASSET, "ascending": true}));
    let told: Vec<_> = past["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| (it["source"].clone(), it["kind"].clone()))
        .collect();
    let wanted = [
        ("transfer", "issue"),
        ("transfer", "send"),
        ("transfer", "receive"),
        ("transfer", "burn"),
        ("entry", "invoice"),
    ];
    assert_eq!(told, wanted.map(|(source, kind)| (json!(source), json!(kind))));
    assert_eq!(past["entries"][1]["status"], "settled");
    let first = rpc.call("rgb.getAssetHistory", json!({"assetId": ASSET, "limit": 2}));
    let second = rpc.call("rgb.getAssetHistory", json!({"assetId": ASSET, "limit": 2, "cursor": first["cursor"]}));
    assert_eq!((&first["entries"][0]["kind"], &second["entries"][0]["kind"]), (&json!("invoice"), &json!("receive")));

    // All of it is the tenant's own signed records.
    let count = |path: &str| {
        let filter = json!({"protocol": "https://toft.invalid/protocols/rgb", "protocolPath": path});
        rpc.call("records.count", json!({"filter": filter}))["count"].as_u64()
    };
    let paths = ["asset", "asset/metadata", "transfer", "balance", "invoice", "history"];
    assert_eq!(paths.map(count), [6, 1, 4, 1, 1, 1].map(Some));
    let log = node.stop().up();
    held(&Control::of(log.home()), [600, 650, 600]);
}

#[test]
fn of_fifty_that_spend_one_coin_at_once_one_is_taken() {
    let (node, rpc) = with_asset(Home::new().set("rpc.listen", "127.0.0.1:0"));
    let cookie = fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie");
    let url = format!("http://{}/rpc", node.rpc());
    let ask = |params: Value| -> Result<Value, Failed> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "rgb.storeTransfer", "params": params});
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let asked = agent.post(&url).header("authorization", format!("Bearer {cookie}")).send_json(&call);
        let mut answer: Value = asked.expect("answers").body_mut().read_json().expect("JSON");
        match answer.get("error") {
            Some(error) => Err(failed(error)),
            None => Ok(answer["result"].take()),
        }
    };
    let answers: Vec<Result<Value, Failed>> = thread::scope(|scope| {
        let all: Vec<_> = (0..50)
            .map(|n| {
                let wanted = transfer("send", 1, "waitingConfirmations", &[outpoint(7), outpoint(100 + n)]);
                let ask = &ask;
                scope.spawn(move || ask(wanted))
            })
            .collect();
        all.into_iter().map(|one| one.join().expect("it answers")).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let [Ok(first)] = taken.as_slice() else { panic!("{taken:#?}") };
    assert_eq!(refused.len(), 49);
    for failed in refused.into_iter().map(|answer| answer.expect_err("refused")) {
        assert!(failed.kind == "conflict" && failed.message.contains(&outpoint(7)), "{failed:?}");
        assert!(failed.message.contains(id(first)), "{failed:?}");
    }
    held(&rpc, [1000, 999, 999]);
    assert_eq!(rpc.call("rgb.conflicts", json!({})), json!([]));
    // It is given up: the coin is free.
    let coins: Vec<_> = rpc.call("rgb.getTransferStatus", json!({"transferId": id(first)}))["transfer"]["spends"]
        .as_array()
        .expect("coins")
        .iter()
        .map(|coin| coin.as_str().expect("a text").to_owned())
        .collect();
    let mut over = transfer("send", 1, "failed", &coins);
    over["transferId"] = json!(id(first));
    rpc.call("rgb.storeTransfer", over);
    rpc.call("rgb.storeTransfer", transfer("send", 5, "settled", &[outpoint(7)]));
    held(&rpc, [995, 995, 995]);
    drop(node);
}

#[test]
fn two_devices_that_spend_one_coin_apart_agree_on_the_conflict() {
    let (a, of_a) = with_asset(Home::new());
    let b = Home::new().up();
    let of_b = Control::of(b.home());
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", a.did()]);
    }
    of_a.call("grants.give", json!({"device": b.did()}));
    let asked = json!({"assetId": ASSET, "tenant": a.did()});
    eventually("B to act in A's name", || {
        let balance = of_b.ask("rgb.getAssetBalance", asked.clone()).ok()?;
        (balance["settled"] == "1000").then_some(())
    });
    in_step(&a, &b);

    a.json(&["sync", "pause"]);
    let spend = |rpc: &Control, amount: u64, coins: &[String]| {
        let mut wanted = transfer("send", amount, "waitingConfirmations", coins);
        wanted["tenant"] = json!(a.did());
        rpc.call("rgb.storeTransfer", wanted)
    };
    let first = spend(&of_a, 30, &[outpoint(1)]);
    let second = spend(&of_b, 40, &[outpoint(1), outpoint(2)]);
    // It shares a coin with one that will not count.
    let third = spend(&of_a, 50, &[outpoint(2)]);
    a.json(&["sync", "resume"]);
    in_step(&a, &b);

    let whole = |rpc: &Control| {
        let mut balance = rpc.call("rgb.getAssetBalance", asked.clone());
        balance["asOf"].take();
        let conflicts = rpc.call("rgb.conflicts", json!({"tenant": a.did()}));
        let status = [&first, &second, &third]
            .map(|it| rpc.call("rgb.getTransferStatus", json!({"transferId": id(it), "tenant": a.did()})));
        (balance, conflicts, status)
    };
    let agreed = eventually("both to have all", || {
        let (here, there) = (whole(&of_a), whole(&of_b));
        (here == there && here.0["conflicts"] == 1).then_some(here)
    });
    let (balance, conflicts, [one, other, third]) = agreed;
    assert_eq!((&balance["future"], &balance["spendable"]), (&json!("920"), &json!("920")), "{balance}");
    assert_eq!(
        conflicts,
        json!([{"assetId": ASSET, "transferId": id(&second), "conflictsWith": id(&first), "coins": [outpoint(1)], "amount": "40"}])
    );
    assert_eq!(
        (&one["status"], &one["counts"], &third["status"]),
        (&json!("waitingConfirmations"), &json!(true), &json!("waitingConfirmations"))
    );
    assert_eq!(
        (&other["status"], &other["counts"], &other["conflictsWith"]),
        (&json!("conflict"), &json!(false), &json!(id(&first)))
    );
    // A state that comes later does not move its place.
    let mut settled = transfer("send", 30, "settled", &[outpoint(1)]);
    settled["transferId"] = json!(id(&first));
    of_a.call("rgb.storeTransfer", settled);
    let mut late = transfer("send", 40, "settled", &[outpoint(1), outpoint(2)]);
    (late["transferId"], late["tenant"]) = (json!(id(&second)), json!(a.did()));
    let failed = of_b.fails("rgb.storeTransfer", late);
    assert!(failed.kind == "conflict" && failed.message.contains(id(&first)), "{failed:?}");
    eventually("it on both", || {
        let (here, there) = (whole(&of_a), whole(&of_b));
        (here == there && here.0["settled"] == "970" && here.1.as_array().is_some_and(|all| all.len() == 1))
            .then_some(())
    });
}

/// A node with this validator, and a folder in which it puts those of hooks.
fn with_validator(command: &[&str], settings: &[(&str, &str)]) -> (Toft, Control, tempfile::TempDir) {
    let temp = tempfile::tempdir().expect("a temp dir");
    let home = Home::new().env("TMPDIR", &temp.path().display().to_string());
    let home = home.set("hooks.rgb_validator", &json!(command).to_string());
    let (node, rpc) = with_asset(settings.iter().fold(home, |home, (key, value)| home.set(key, value)));
    (node, rpc, temp)
}

fn question(consignment: &[u8]) -> Value {
    let mut asked = transfer("receive", 5, "waitingCounterparty", &[]);
    asked["transfer"]["consignment"] = json!(cid::of(cid::RAW, consignment).to_string());
    asked["consignment"] = json!(crypto::encode(consignment));
    asked
}

/// No process says this of itself any more.
fn nobody_runs(mark: &str) {
    let ran = || {
        fs::read_dir("/proc").expect("processes").flatten().any(|entry| {
            fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
        })
    };
    // Who was killed takes a moment to be gone.
    eventually("all of the hook to be gone", || (!ran()).then_some(()));
}

#[test]
fn the_validator_of_the_examples_takes_what_is_named_and_refuses_what_is_not() {
    let program = root().join("examples/hooks/rgb-validator");
    let (_node, rpc, temp) = with_validator(&[program.to_str().expect("UTF-8")], &[]);
    let good = rpc.call("rgb.validateTransfer", question(b"a consignment"));
    assert_eq!(good, json!({"valid": true, "reason": null}));
    let mut bad = question(b"a consignment");
    bad["consignment"] = json!(crypto::encode(b"another one"));
    let bad = rpc.call("rgb.validateTransfer", bad);
    assert!(
        bad["valid"] == false && bad["reason"].as_str().is_some_and(|it| it.contains("names the consignment")),
        "{bad}"
    );

    // Of a transfer that is kept: a consignment beside its message, and one in blocks.
    for size in [1000, 200_000] {
        let consignment = vec![7; size];
        let mut wanted = transfer("receive", 5, "waitingCounterparty", &[]);
        wanted["transfer"]["consignment"] = json!(cid::of(cid::RAW, &consignment).to_string());
        let written = rpc.call("rgb.storeTransfer", wanted);
        let asked = json!({"transferId": id(&written)});
        let none = rpc.fails("rgb.validateTransfer", asked.clone());
        assert!(none.kind == "not-found" && none.message.contains("no consignment"), "{none:?}");
        let record = json!({
            "protocol": "https://toft.invalid/protocols/rgb", "protocolPath": "transfer/consignment", "parentContextId": id(&written),
            "dataFormat": "application/octet-stream", "data": crypto::encode(&consignment),
        });
        rpc.call("records.write", record);
        assert_eq!(rpc.call("rgb.validateTransfer", asked), json!({"valid": true, "reason": null}));
    }
    assert_eq!(fs::read_dir(temp.path()).expect("a folder").count(), 0, "its folders are gone");
}

#[test]
fn a_hook_finds_an_empty_folder_and_no_environment() {
    let script = r#"cat > in; printf '{"valid": true, "reason": "%s %s %s"}' "$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | tr '\n' ' ')" "$(ls -A | tr '\n' ' ')" "$(head -c 20 in)""#;
    let (_node, rpc, temp) = with_validator(&["/bin/sh", "-c", script], &[]);
    // The first line ends up in the reason: its quotes do not make JSON of that.
    let failed = rpc.fails("rgb.validateTransfer", question(b"x"));
    assert!(failed.kind == "failed" && failed.message.contains("not one JSON object"), "{failed:?}");
    let script = r#"read line; printf '{"valid": true, "reason": "%s|%s|%s"}' "$(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | tr '\n' ' ')" "$(ls -A)" "$(cat)""#;
    let (_node, rpc, _temp) = with_validator(&["/bin/sh", "-c", script], &[]);
    let told = rpc.call("rgb.validateTransfer", question(b"the bytes"));
    assert_eq!(told["reason"], "PATH=/usr/local/bin:/usr/bin:/bin ||the bytes");
    assert_eq!(fs::read_dir(temp.path()).expect("a folder").count(), 0);
}

/// Asks a node whose validator does what the question says.
fn played(cases: &[(&str, &str, &[&str])], timeout: &str) {
    let arms: String = cases.iter().map(|(name, script, _)| format!("*case-{name}-*) {script} ;;\n")).collect();
    let script = format!("read -r line; case \"$line\" in\n{arms}esac");
    let bounds = [
        ("hooks.timeout", timeout),
        ("hooks.processes", "16"),
        ("hooks.file_size", "1000000"),
        ("hooks.memory", "268435456"),
    ];
    let (node, rpc, temp) = with_validator(&["/bin/sh", "-c", &script], &bounds);
    for (name, _, said) in cases {
        let begun = Instant::now();
        let mut asked = question(&vec![7; 300_000]);
        asked["transfer"]["recipientId"] = json!(format!("case-{name}-"));
        let failed = rpc.fails("rgb.validateTransfer", asked);
        assert!(failed.kind == "failed" && said.iter().any(|said| failed.message.contains(said)), "{name}: {failed:?}");
        assert!(begun.elapsed().as_secs() < 10, "{name}: {:?}", begun.elapsed());
        assert_eq!(fs::read_dir(temp.path()).expect("a folder").count(), 0, "{name}");
        // The node is well.
        assert_eq!(rpc.call("node.health", json!({}))["healthy"], true, "{name}");
        held(&rpc, [1000, 1000, 1000]);
    }
    nobody_runs(MARK);
    drop(node);
}

/// How long those sleep who are to be killed: it is found among all processes.
const MARK: &str = "31.41592653";

#[test]
fn a_hook_that_hangs_or_forks_is_cut_off_with_a_sentence() {
    let late = "longer than 700ms (hooks.timeout)";
    // Who is root is counted by the node, all others by the system too.
    let many = ["more than 16 processes (hooks.processes)", "ended with status", late];
    played(
        &[
            ("hang", "sleep 31.41592653", &[late]),
            ("burn", "while :; do :; done", &[late]),
            ("fork", "while :; do sleep 31.41592653 & done", &many),
            ("bomb", "f() { f | f & }; f; sleep 31.41592653", &many),
        ],
        "700ms",
    );
}

#[test]
fn a_hook_that_floods_or_fails_is_cut_off_with_a_sentence() {
    played(
        &[
            ("leave", "sleep 31.41592653 & exit 0", &["said nothing"]),
            ("print", "exec head -c 1000000000 /dev/zero", &["more than 65536 bytes"]),
            ("complain", "exec head -c 1000000000 /dev/zero >&2", &["more than 65536 bytes"]),
            ("fail", "echo why not >&2; exit 3", &["ended with status 3; it said: why not"]),
            ("end", "kill -TERM $$", &["ended by signal 15"]),
            ("no", r#"echo '{"reason": "none"}'"#, &["no \"valid\""]),
            ("yes", "echo yes", &["not one JSON object"]),
            ("fill", "exec head -c 100000000 /dev/zero > file", &["hooks.file_size", "ended with status"]),
            (
                "memory",
                "exec python3 -c 'x = bytearray(1 << 30); print(len(x))'",
                &["ended with status 1; it said: MemoryError"],
            ),
        ],
        "20s",
    );
}

#[test]
fn processor_time_places_and_programs_that_are_not_there() {
    let (_node, rpc, _temp) =
        with_validator(&["/bin/sh", "-c", "while :; do :; done"], &[("hooks.cpu", "1"), ("hooks.at_once", "1")]);
    let answers: Vec<Failed> = thread::scope(|scope| {
        let all = [(); 4].map(|()| scope.spawn(|| rpc.fails("rgb.validateTransfer", question(b"x"))));
        all.into_iter().map(|one| one.join().expect("it answers")).collect()
    });
    let (busy, ran): (Vec<_>, Vec<_>) = answers.into_iter().partition(|failed| failed.kind == "too-many");
    assert!(busy.len() == 3 && busy.iter().all(|failed| failed.message.contains("hooks.at_once")), "{busy:?}");
    assert!(ran.iter().all(|failed| failed.message.contains("1 seconds of processor time")), "{ran:?}");
    let (_node, rpc, _temp) = with_validator(&["/nowhere/validator"], &[]);
    let failed = rpc.fails("rgb.validateTransfer", question(b"x"));
    assert!(failed.message.contains("status 127") && failed.message.contains("/nowhere/validator"), "{failed:?}");
    let Err(said) = Home::new().set("hooks.rgb_validator", r#"["validator"]"#).try_up() else { panic!("it is up") };
    assert!(said.contains("no absolute path"), "{said}");
}
