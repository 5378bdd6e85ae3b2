//! What is derived is what the records say, whatever is done to them and by whom.

use super::{
    hand::Hand,
    kept::{is, row},
    *,
};
use crate::{
    blocks::{self, Blocks},
    cid::{self, Digest},
    crypto::Signer,
    dwn::{Select, create, record_id, testing::person},
    hook::{self, Runner},
    metrics::Metrics,
    node::{self, Node, RetentionConfig, Tenants, now, one_chunk},
    resolve::{self, Resolver},
    store::{self, Store},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, sync::Arc};

fn node(dir: &Path) -> Node {
    let config = store::Config { segment_size: 1 << 20, cache: 4 << 20, min_free: 0, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config).expect("the store opens");
    let blocks = Blocks::open(&dir.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
    let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &Metrics::default()).expect("a resolver");
    let door = node::Config { tenants: Tenants::Open, ..node::Config::default() };
    let who = ("did:example:none", None, &RetentionConfig::default());
    Node::new(&door, who, store, blocks, resolver, &Metrics::default()).expect("a node")
}

async fn install(node: &Node, who: &Signer) {
    let definition = serde_json::from_str(include_str!("../../protocols/rgb.json")).expect("JSON");
    let message = create::protocols_configure(definition, &now(), who).expect("made");
    assert_eq!(node.process(who.did(), message, None).await.expect("answered").code, 202);
}

fn rgb(node: &Node) -> Rgb {
    Rgb::new(node.clone(), Runner::new(&hook::Config::default()), &Metrics::default())
}

fn asset(id: &str) -> Asset {
    serde_json::from_value(json!({
        "assetId": id, "schema": "NIA", "network": "regtest", "name": "Tide", "precision": 0, "issuedSupply": "1000"
    }))
    .expect("an asset")
}

fn transfer(json: Value) -> Transfer {
    serde_json::from_value(json).expect("a transfer")
}

fn outpoint(n: u64) -> String {
    format!("{}:{n}", "cd".repeat(32))
}

/// What clients can send to the door themselves: a transfer with these tags.
async fn raw(node: &Node, tenant: &str, who: &Signer, to: &str, tags: &Value) -> Option<Value> {
    let data = b"{}".to_vec();
    let write = create::Write {
        protocol: Some((PROTOCOL, "transfer")),
        schema: Some("https://toft.invalid/schemas/rgb/transfer"),
        data_format: "application/json",
        recipient: Some(to),
        tags: tags.as_object().cloned(),
        ..Default::default()
    };
    let message = create::records_write(&write, (&cid::of(cid::RAW, &data), 2), &now(), who).expect("made");
    let reply = node.process(tenant, message.clone(), Some(one_chunk(data.into()))).await.expect("answered");
    (reply.code == 202).then_some(message)
}

/// By every record that there is.
fn by_looking(node: &Node, tenant: &str, id: &str) -> (Amount, Amount, Amount, Vec<Digest>) {
    let view = node.store().view(tenant);
    let filter = [is("protocol", PROTOCOL), is("protocolPath", "transfer")].into();
    let all = view.select(&Select { any_of: vec![filter], ..Select::default() }).expect("records").entries;
    let mut rows = BTreeMap::new();
    for stored in &all {
        if let Some((asset, row)) = row(&*view, tenant, stored).expect("a row")
            && asset == id
        {
            let id = record_id(&stored.message).expect("an id").parse().expect("a CID");
            rows.insert(cid::sha256_of(&id).expect("a digest"), row);
        }
    }
    let (sums, lost) = super::book::by_looking(&rows);
    let balance = super::balance::Balance::of(id, sums, (rows.len(), lost.len()), now()).expect("a balance");
    (balance.settled, balance.future, balance.spendable, lost.into_keys().collect())
}

/// Numbers that only look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_what_the_records_say_whatever_is_done_to_them() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)), person(2));
    let node = node(dir.path());
    install(&node, &alice).await;
    let (rgb, hand, did) = (rgb(&node), Hand::own(alice.clone()), alice.did().to_owned());
    let assets = ["rgb:a", "rgb:b", "rgb:c"];
    for id in assets {
        rgb.store_asset(&hand, asset(id), None).await.expect("stored");
    }
    let (mut dice, mut kept, mut taken, mut fought) = (Dice(7), Vec::<Value>::new(), 0, 0);
    for step in 0..400 {
        let id = assets[dice.below(3) as usize];
        let status = ["waitingCounterparty", "waitingConfirmations", "settled", "failed"][dice.below(4) as usize];
        let kind = ["send", "receive", "issue", "burn"][dice.below(4) as usize];
        let coins: Vec<_> = (0..dice.below(3)).map(|_| outpoint(dice.below(12))).collect();
        let coins: Vec<_> =
            coins.iter().enumerate().filter(|(n, coin)| !coins[..*n].contains(coin)).map(|(_, c)| c).collect();
        let tags = json!({"assetId": id, "kind": kind, "status": status, "amount": Amount(dice.below(50) + 1).tag(), "spends": coins});
        match dice.below(10) {
            // As the storage writes it.
            0..4 => {
                let wanted = json!({"assetId": id, "kind": kind, "status": status, "amount": dice.below(50) + 1, "spends": coins});
                taken += usize::from(rgb.store_transfer(&hand, transfer(wanted), None).await.is_ok());
            }
            // As a client writes it that asks nobody, or a stranger.
            4..6 => kept.extend(raw(&node, &did, &alice, &did, &tags).await),
            6 => kept.extend(raw(&node, &did, &bob, &did, &tags).await),
            // Another state, by the tenant or by whoever began it.
            7..9 if !kept.is_empty() => {
                let before = kept[dice.below(kept.len() as u64) as usize].clone();
                let who = if dice.below(3) == 0 { &bob } else { &*alice };
                let message = create::records_update(&before, &json!({"tags": tags}), &now(), who).expect("made");
                node.process(&did, message, None).await.expect("answered");
            }
            _ if !kept.is_empty() => {
                let gone = kept.swap_remove(dice.below(kept.len() as u64) as usize);
                let message =
                    create::records_delete(record_id(&gone).expect("an id"), true, &now(), &alice).expect("made");
                node.process(&did, message, None).await.expect("answered");
            }
            _ => {}
        }
        // Books are brought up to date from one step, or from many.
        if step % 7 < 5 {
            continue;
        }
        for id in assets {
            let balance = rgb.get_asset_balance(&did, id).await.expect("a balance");
            let (settled, future, spendable, lost) = by_looking(&node, &did, id);
            assert_eq!(
                (balance.settled, balance.future, balance.spendable),
                (settled, future, spendable),
                "{step} {id}"
            );
            let conflicts = rgb.conflicts(&did, Some(id)).await.expect("conflicts");
            let mut ids: Vec<_> = conflicts.iter().map(|it| it.transfer_id.clone()).collect();
            let mut wanted: Vec<_> = lost.iter().map(|key| cid::from_digest(cid::DAG_CBOR, key).to_string()).collect();
            ids.sort();
            wanted.sort();
            assert_eq!(ids, wanted, "{step} {id}");
            fought += lost.len();
        }
    }
    assert!(
        taken > 20 && fought > 20,
        "{taken} transfers were taken, {fought} times there was a conflict: too few to mean anything"
    );
    // What leaves without a message leaves the books too.
    assert!(node.remove_tenant(&did).await.expect("removed").messages > 0);
    assert!(matches!(rgb.get_asset_balance(&did, "rgb:a").await, Err(Problem::NotInstalled(_))));
    install(&node, &alice).await;
    rgb.store_asset(&hand, asset("rgb:a"), None).await.expect("stored");
    assert_eq!(rgb.get_asset_balance(&did, "rgb:a").await.expect("a balance").future, Amount(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_writes_counts_when_it_is_accepted_and_not_before() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)), person(2));
    let node = node(dir.path());
    install(&node, &alice).await;
    let (rgb, hand, did) = (rgb(&node), Hand::own(alice.clone()), alice.did().to_owned());
    rgb.store_asset(&hand, asset("rgb:a"), None).await.expect("stored");
    let tags = |kind: &str, amount: u64| json!({"assetId": "rgb:a", "kind": kind, "status": "settled", "amount": Amount(amount).tag()});
    let future = async || rgb.get_asset_balance(&did, "rgb:a").await.expect("a balance").future;

    let sent = raw(&node, &did, &bob, &did, &tags("send", 50)).await.expect("taken");
    let id = record_id(&sent).expect("an id");
    assert_eq!(future().await, Amount(0));
    let told = rgb.get_transfer_status(&did, id).await.expect("told");
    assert!(!told.counts && told.status == Standing::Settled, "{told:?}");
    let wanted = transfer(json!({"assetId": "rgb:a", "kind": "send", "amount": 50, "status": "settled"}));
    rgb.store_transfer(&hand, wanted.clone(), Some(id)).await.expect("accepted");
    assert!(rgb.get_transfer_status(&did, id).await.expect("told").counts);
    assert_eq!(future().await, Amount(50));
    // What is accepted the sender does not change.
    let message = create::records_update(&sent, &json!({"tags": tags("send", 5000)}), &now(), &bob).expect("made");
    let reply = node.process(&did, message, Some(one_chunk(b"{}".to_vec().into()))).await.expect("answered");
    assert_eq!(reply.code, 401, "{reply:?}");
    assert_eq!(future().await, Amount(50));

    // Nobody issues or receives in somebody else's name, accepted or not.
    let forged = raw(&node, &did, &bob, &did, &tags("issue", 9)).await.expect("taken");
    let forged = record_id(&forged).expect("an id");
    let wanted = transfer(json!({"assetId": "rgb:a", "kind": "issue", "amount": 9, "status": "settled"}));
    rgb.store_transfer(&hand, wanted, Some(forged)).await.expect("a state of it");
    assert_eq!(future().await, Amount(50));
}
