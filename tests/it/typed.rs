//! `toft protocol gen`: code for the records of each protocol that comes with toft compiles in each language, and apps use it against
//! a node.

use crate::{
    generated::{
        governance::{
            GovernanceProtocol, ProposalBallotData, ProposalBallotDataChoice, ProposalBallotTagFilter,
            ProposalBallotTags, ProposalBallotTagsChoice, ProposalData, ProposalDataKind, ProposalTags,
            ProposalTagsKind, ProposalTagsStatus,
        },
        message::{MessageProtocol, ThreadData, ThreadMessageData, ThreadMessageTags, ThreadTags, ThreadTagsKind},
        profile::{
            Link, LinkData, LinkDataKind, LinkTagFilter, LinkTags, LinkTagsKind, ProfileAvatarTags, ProfileData,
            ProfileProtocol, ProfileTags,
        },
    },
    support::{
        clients::compiled,
        root,
        toft::{Home, Toft},
    },
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    pin::pin,
    process::Command,
    sync::OnceLock,
};
use toft::{
    repo::{Access, Blob, Change, Client, Event, Kind, New, NumberFilter, Query, Range, Sort, TextFilter, Times},
    rpc::control::shipped,
    typed::{Language, module},
};

/// Names that are no names, words of all three languages, and texts that end texts and comments.
const HOSTILE: &str = r#"{
  "protocol": "https://a.example/class", "published": true,
  "types": {"class": {}, "self": {}, "constructor": {"schema": "https://a.example/c"}, "\"* x\n'''": {}, "String": {}, "日本": {"dataFormats": ["a\"/*", "b\\"]}},
  "structure": {
    "class": {"$tags": {"$requiredTags": ["type", "\"\n*/"], "type": {"type": "string", "enum": ["\"", "\\", "\n", "*/", "'''", "\u2028"]}, "self": {"type": "number"}, "__proto__": {"type": "boolean"}, "日": {"type": "string"}},
      "self": {"constructor": {"$role": true}}},
    "constructor": {"$tags": {"$allowUndefinedTags": true, "def": {"type": "string"}}}, "\"* x\n'''": {}, "String": {"日本": {}}, "日本": {}
  }
}"#;
const HOSTILE_SCHEMA: &str = r##"{"type": "object", "description": "*/ \"\"\" \n ``` \\", "required": ["type", "*/"], "additionalProperties": false,
  "properties": {"type": {"enum": ["self", "Self", "none", "None"]}, "*/": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"fn": {"type": "null"}}}]},
    "more": {"type": "array", "items": {"type": ["integer", "boolean"]}}, "__class__": {"type": "number"}, "def": {"$ref": "#/properties/type"}}}"##;

fn code(name: &str, language: Language) -> String {
    let definition = shipped::named(name).expect("it comes with toft");
    module(language, &definition, &shipped::schemas_of(name)).expect("fit")
}

fn hostile(language: Language) -> String {
    let schemas = [("constructor".to_owned(), serde_json::from_str(HOSTILE_SCHEMA).expect("JSON"))].into();
    module(language, &serde_json::from_str(HOSTILE).expect("JSON"), &schemas).expect("fit")
}

/// `schema-registry` → `schema_registry`.
fn module_name(name: &str) -> String {
    name.replace('-', "_")
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The code of all protocols, and the programs of `tests/interop/typed`, in JavaScript.
fn typescript() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = fresh("typed-ts");
        for name in shipped::all() {
            fs::write(folder.join(name).with_extension("ts"), code(name, Language::TypeScript)).expect("writes");
        }
        fs::write(folder.join("hostile.ts"), hostile(Language::TypeScript)).expect("writes");
        fs::copy(root().join("tests/interop/typed/typed.ts"), folder.join("typed.ts")).expect("copies");
        compiled(&folder)
    })
}

fn python() -> &'static Path {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = fresh("typed-python");
        for name in shipped::all() {
            let file = folder.join(module_name(name)).with_extension("py");
            fs::write(file, code(name, Language::Python)).expect("writes");
        }
        fs::write(folder.join("hostile.py"), hostile(Language::Python)).expect("writes");
        fs::copy(root().join("tests/interop/typed/typed.py"), folder.join("typed.py")).expect("copies");
        folder
    })
}

/// Runs a program to its end; it must say that it is done.
#[track_caller]
fn done(mut command: Command) {
    let output = command.output().expect("it runs (node 20, python 3.11 or later)");
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success() && said.starts_with("done"), "{command:?}: {said}");
}

/// A node with three protocols, and an app's token.
fn node() -> (Toft, String) {
    let node = Home::new().set("rpc.listen", "127.0.0.1:0").set("dwn.tenants", "open").up();
    for name in ["message", "profile", "governance"] {
        node.json(&["protocol", "install", name]);
    }
    let token = node.json(&["token", "create", "app", "--scope", "records:read", "--scope", "records:write"]);
    let token = token["token"].as_str().expect("a token").to_owned();
    (node, token)
}

#[test]
fn the_code_for_each_protocol_compiles() {
    for name in shipped::all() {
        let (path, made) = (format!("tests/it/generated/{}.rs", module_name(name)), code(name, Language::Rust));
        if std::env::var_os("TOFT_WRITE_DOCS").is_some() {
            fs::write(root().join(&path), &made).expect("writes");
        }
        let held = fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(held == made, "{path} is behind its definition: TOFT_WRITE_DOCS=1 cargo test --test it typed");
    }
    let path = "tests/it/generated/hostile.rs";
    if std::env::var_os("TOFT_WRITE_DOCS").is_some() {
        fs::write(root().join(path), hostile(Language::Rust)).expect("writes");
    }
    assert!(fs::read_to_string(root().join(path)).unwrap_or_default() == hostile(Language::Rust), "{path} is behind");

    assert!(typescript().join("typed.js").exists());
    let modules: Vec<_> = shipped::all().map(module_name).chain(["hostile".to_owned()]).collect();
    let mut command = Command::new("python3");
    command.args(["-W", "error", "-c", &format!("import {}; print('done')", modules.join(", "))]);
    command.current_dir(python()).env("PYTHONPATH", root().join("clients/python"));
    done(command);
}

#[test]
fn apps_use_it_in_typescript_and_python() {
    let (node, token) = node();
    let (also, other) = self::node();
    let by_rpc =
        |node: &Toft, token: &str| json!({"url": format!("http://{}", node.rpc()), "token": token}).to_string();
    let definitions = ["message", "profile", "governance"].map(shipped::named);
    let by_messages = json!({"dwn": node.url(), "definitions": definitions}).to_string();
    for whose in [by_rpc(&node, &token), by_messages] {
        let mut command = Command::new("node");
        command.arg("--no-warnings").arg(typescript().join("typed.js")).arg(whose);
        done(command);
    }
    let mut command = Command::new("python3");
    command.arg(python().join("typed.py")).arg(by_rpc(&also, &other)).env("PYTHONPATH", root().join("clients/python"));
    done(command);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_use_it_in_rust() {
    let (node, token) = node();
    let access = Access::from(Client::over_tcp(node.rpc().to_string(), token));
    profile(&ProfileProtocol::new(access.clone())).await;
    message(&MessageProtocol::new(access.clone())).await;
    governance(&GovernanceProtocol::new(access)).await;

    let own = ProfileProtocol::new(Client::new(&node.home().path(), "rpc.sock"));
    assert_eq!(own.link().query(Query::default()).await.expect("by the socket").records.len(), 1);
    let refused = own.link().subscribe(Query::default()).await.map(drop).expect_err("no WebSocket");
    assert!(refused.kind == Kind::Usage && refused.message.contains("rpc.listen"), "{refused}");
    let nobody = ProfileProtocol::new(Client::over_tcp("127.0.0.1:1", "x"));
    let refused = nobody.link().get("x").await.expect_err("no node");
    assert!(refused.kind == Kind::Network && refused.message.contains("no node answers"), "{refused}");
}

fn link(kind: LinkDataKind, url: &str) -> LinkData {
    LinkData { url: Some(url.to_owned()), ..LinkData::new(kind) }
}

/// Each kind of call, on one type.
async fn profile(profile: &ProfileProtocol) {
    let links = profile.link();
    let websites = LinkTagFilter { kind: Some(LinkTagsKind::Website), ..LinkTagFilter::default() };
    let mut events = pin!(links.subscribe(Query::tagged(websites.clone())).await.expect("subscribes"));
    let data = link(LinkDataKind::Website, "https://a.example/");
    let made = links.create(New::of(data.clone(), LinkTags::new(LinkTagsKind::Website), ())).await.expect("written");
    let tags = LinkTags { network: Some("fediverse".into()), ..LinkTags::new(LinkTagsKind::Social) };
    let other = New::of(link(LinkDataKind::Social, "https://b.example/"), tags, ()).published();
    links.create(other).await.expect("written");

    let got = links.get(&made.record_id).await.expect("read").expect("it is there");
    assert_eq!((got.tags().expect("fit").kind, got.data().await.expect("fit")), (LinkTagsKind::Website, data));
    assert_eq!(Some(&got.context_id), made.context_id.as_ref());
    assert!(profile.profile().get(&made.record_id).await.expect("read").is_none(), "a link is no profile");

    let count = async |query: Query<LinkTagFilter>| links.query(query).await.expect("an answer").records.len();
    assert_eq!(count(Query::tagged(websites)).await, 1);
    let network = Some(TextFilter::StartsWith { prefix: "fedi".into() });
    assert_eq!(count(Query::tagged(LinkTagFilter { network, ..LinkTagFilter::default() })).await, 1);
    let old = Some(Times { to: Some("2000-01-01T00:00:00.000000Z".into()), ..Times::default() });
    assert_eq!(count(Query { date_created: old, ..Query::default() }).await, 0);
    let page = Query { sort: Some(Sort::CreatedDescending), limit: Some(1), ..Query::default() };
    let first = links.query(page.clone()).await.expect("a page");
    assert_eq!(first.records[0].tags().expect("fit").kind, LinkTagsKind::Social);
    let second = links.query(Query { cursor: first.cursor, ..page }).await.expect("a page");
    assert_eq!(second.records[0].record_id, made.record_id);

    let tags = LinkTags { network: Some("web".into()), ..LinkTags::new(LinkTagsKind::Website) };
    let change: Change<Link> = Change { tags: Some(tags.clone()), ..Change::default() };
    links.update(&made.record_id, change).await.expect("updated");
    let data = link(LinkDataKind::Website, "https://c.example/");
    links.update(&made.record_id, Change { data: Some(data.clone()), ..Change::default() }).await.expect("updated");
    let now = links.get(&made.record_id).await.expect("read").expect("it is there");
    assert_eq!((now.tags().expect("fit"), now.data().await.expect("fit"), now.creator), (tags, data, got.author));
    profile.profile().update(&made.record_id, Change::default()).await.expect_err("a link is no profile");
    links.delete(&made.record_id, false).await.expect("deleted");
    assert!(links.get(&made.record_id).await.expect("read").is_none());
    for _ in 0..3 {
        let event = events.next().await.expect("an event").expect("goes on");
        assert!(matches!(&event, Event::Written(record) if record.record_id == made.record_id), "{event:?}");
    }
    let event = events.next().await.expect("an event").expect("goes on");
    assert!(matches!(&event, Event::Deleted(id) if *id == made.record_id), "{event:?}");

    // Bytes, and more than a call carries.
    let new = New::of(ProfileData::new("Alice"), ProfileTags::default(), ());
    let owner = profile.profile().create(new).await.expect("written").context_id.expect("its place");
    let photo = Blob { format: "image/png".into(), bytes: vec![7; 900_000] };
    let new = New::of(photo.clone(), ProfileAvatarTags::default(), owner.clone());
    profile.profile_avatar().create(new).await.expect("written");
    let kept = profile.profile_avatar().query(Query::below(owner)).await.expect("an answer").records;
    assert_eq!(kept[0].data().await.expect("fetched"), photo);
}

/// Records below others.
async fn message(chat: &MessageProtocol) {
    let mut threads = vec![];
    for text in ["Good morning.", "Elsewhere"] {
        let thread = New::of(ThreadData::new("A"), ThreadTags::new(ThreadTagsKind::Direct), ());
        let thread = chat.thread().create(thread).await.expect("written");
        let parent = thread.context_id.clone().expect("its place");
        let message = New::of(ThreadMessageData::new(text), ThreadMessageTags::default(), parent);
        chat.thread_message().create(message).await.expect("written");
        threads.push(thread);
    }
    let parent = threads[0].context_id.clone().expect("its place");
    let said = chat.thread_message().query(Query::below(parent.clone())).await.expect("an answer").records;
    assert_eq!((said.len(), said[0].data().await.expect("fit").content.as_str()), (1, "Good morning."));
    chat.thread().delete(&threads[0].record_id, true).await.expect("deleted");
    assert!(chat.thread_message().query(Query::below(parent)).await.expect("an answer").records.is_empty());
}

/// Tags that are numbers.
async fn governance(votes: &GovernanceProtocol) {
    let [opens, closes] = ["2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"];
    let proposal = New::of(
        ProposalData::new(closes, opens, ProposalDataKind::Text, "A", "B"),
        ProposalTags::new(ProposalTagsKind::Text, ProposalTagsStatus::Open),
        (),
    );
    let proposal = votes.proposal().create(proposal).await.expect("written").context_id.expect("its place");
    for weight in [1, 5, 9] {
        let tags =
            ProposalBallotTags { weight: Some(weight), ..ProposalBallotTags::new(ProposalBallotTagsChoice::For) };
        let ballot = New::of(ProposalBallotData::new(ProposalBallotDataChoice::For), tags, proposal.clone());
        votes.proposal_ballot().create(ballot).await.expect("written");
    }
    let weight = Some(NumberFilter::Within(Range { gte: Some(5), ..Range::default() }));
    let heavy = Query::tagged(ProposalBallotTagFilter { weight, ..ProposalBallotTagFilter::default() });
    let heavy = votes.proposal_ballot().query(heavy).await.expect("an answer").records;
    let mut weights: Vec<_> = heavy.iter().map(|ballot| ballot.tags().expect("fit").weight).collect();
    weights.sort_unstable();
    assert_eq!(weights, [Some(5), Some(9)]);
}

#[test]
fn the_command_writes_it_or_says_why_not() {
    let home = Home::new();
    let folder = tempfile::tempdir().expect("a temp dir");
    let at = |name: &str| folder.path().join(name).display().to_string();
    // No node runs, and none has to.
    let made = home.run(&["protocol", "gen", "message", "--lang", "ts"]);
    assert_eq!(String::from_utf8_lossy(&made.stdout), code("message", Language::TypeScript));
    let file = at("message.py");
    let written = home.json(&["protocol", "gen", "message", "--lang", "python", "-o", &file]);
    assert_eq!(
        (&written["file"], fs::read_to_string(&file).expect("written")),
        (&json!(file), code("message", Language::Python))
    );

    let definition = root().join("protocols/profile.json").display().to_string();
    let schemas = root().join("protocols/schemas/profile").display().to_string();
    let made = home.run(&["protocol", "gen", &definition, "--lang", "rust", "--schemas", &schemas]);
    assert_eq!(String::from_utf8_lossy(&made.stdout), code("profile", Language::Rust));
    let made = home.run(&["protocol", "gen", &definition, "--lang", "ts"]);
    assert!(String::from_utf8_lossy(&made.stdout).contains("export type LinkData = repo.Json;"), "without schemas");

    let slash =
        json!({"protocol": "https://a.example", "published": true, "types": {"a/b": {}}, "structure": {"a/b": {}}});
    for (name, text) in [("slash.json", slash.to_string()), ("list.json", "[]".into()), ("empty.json", "{}".into())] {
        fs::write(at(name), text).expect("writes");
    }
    fs::create_dir(at("none")).expect("a folder");
    fs::create_dir(at("broken")).expect("a folder");
    fs::write(at("broken/profile.json"), "{").expect("writes");
    for (args, status, said) in [
        (vec![at("slash.json")], 2, "rename the type"),
        (vec![at("list.json")], 2, "a protocol's definition is a JSON object"),
        (vec![at("empty.json")], 2, "no node would take this definition"),
        (vec!["nobody".into()], 2, "none of these comes with toft"),
        (vec!["profile".into(), "--schemas".into(), at("none")], 2, "no file here is called TYPE.json"),
        (vec!["profile".into(), "--schemas".into(), at("broken")], 2, "a JSON Schema is JSON"),
        (vec!["profile".into(), "--schemas".into(), at("nowhere")], 2, "No such file"),
        (vec!["profile".into(), "-o".into(), file.clone()], 5, "--force"),
    ] {
        let args: Vec<_> =
            ["protocol", "gen", "--lang", "ts"].into_iter().chain(args.iter().map(String::as_str)).collect();
        let output = home.run(&args);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(status) && why.contains(said), "{args:?}: {output:?}");
    }
    let _: Value = home.json(&["protocol", "gen", "profile", "--lang", "rust", "-o", &file, "--force"]);
}
