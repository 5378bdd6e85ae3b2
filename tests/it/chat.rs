//! `examples/chat`: two people, two nodes, two pages, and nothing else; one writes, the other sees it and answers.

use crate::support::{
    chromium::{Chromium, Page},
    clients::{compiled, typescript},
    eventually, root,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::fs;
use toft::{
    rpc::control::shipped,
    typed::{Language, module},
};

const LINES_MAX: usize = 150;

/// Types into a field of the page.
fn typed(chromium: &mut Chromium, page: Page, field: &str, text: &str) {
    chromium.eval(page, &format!("document.getElementById('{field}').value = {}", json!(text)));
}

fn send(chromium: &mut Chromium, page: Page, text: &str) {
    typed(chromium, page, "text", text);
    chromium.eval(page, "document.getElementById('say').requestSubmit()");
}

/// Lets the page in at its node, as the owner does who reads the code there.
#[track_caller]
fn approved(chromium: &mut Chromium, page: Page, node: &Toft) {
    let code = eventually("the code", || {
        let said = chromium.eval(page, "document.getElementById('status').textContent");
        said.as_str()?.strip_prefix("Type this at your node: toft wallet approve ").map(str::to_owned)
    });
    node.json(&["wallet", "approve", &code]);
}

/// Waits until the page shows exactly this: who wrote it, and what.
#[track_caller]
fn shows(chromium: &mut Chromium, page: Page, lines: &[(&str, &str)]) {
    let script = "[[...document.querySelectorAll('#said li')].map((line) => [line.className, line.textContent]),
        document.getElementById('status').textContent]";
    let mut last = Value::Null;
    eventually(&format!("{lines:?}"), || {
        last = chromium.eval(page, script);
        (last[1] != "" || last[0] == json!(lines)).then_some(())
    });
    assert_eq!(last, json!([lines, ""]));
}

#[test]
fn two_people_chat_with_two_nodes_and_two_pages() {
    let example = root().join("examples/chat");
    let lines = fs::read_to_string(example.join("chat.ts")).expect("the example").lines().count();
    assert!(lines <= LINES_MAX, "the example has {lines} lines");

    let [alice, bob] = [(); 2].map(|()| Home::new().set("rpc.listen", "127.0.0.1:0").up());
    // Plain: the friend's node holds no key of what she writes.
    alice.json(&["protocol", "install", "message", "--plain"]);
    alice.json(&["friend", "add", bob.did(), "--at", &bob.address("/tcp/")]);
    bob.json(&["friend", "add", alice.did(), "--at", &alice.address("/tcp/")]);

    let folder = tempfile::tempdir().expect("a temp dir");
    let definition = shipped::named("message").expect("it comes with toft");
    let code = module(Language::TypeScript, &definition, &shipped::schemas_of("message")).expect("fit");
    fs::write(folder.path().join("message.ts"), code).expect("writes");
    fs::copy(example.join("chat.ts"), folder.path().join("chat.ts")).expect("copies");
    let built = compiled(folder.path());
    let mut files = json!({"/": {"file": example.join("index.html")}});
    for name in ["chat.js", "message.js"] {
        files[format!("/{name}")] = json!({"file": built.join(name)});
    }
    let mut chromium = Chromium::start();
    let port = chromium.serve_also(Some(typescript()), files);

    let [here, there] = [(&alice, "alice"), (&bob, "bob")].map(|(node, name)| {
        let page = chromium.open(&format!("http://{name}.example:{port}/"));
        typed(&mut chromium, page, "node", &format!("http://{}", node.rpc()));
        page
    });
    typed(&mut chromium, here, "friend", bob.did());
    chromium.eval(here, "document.getElementById('begin').click()");
    approved(&mut chromium, here, &alice);
    let invitation = eventually("the invitation", || {
        let text = chromium.eval(here, "document.getElementById('invitation').textContent");
        text.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    });
    typed(&mut chromium, there, "invited", &invitation);
    chromium.eval(there, "document.getElementById('join').click()");
    approved(&mut chromium, there, &bob);
    for page in [here, there] {
        eventually("the talk", || {
            let said = chromium
                .eval(page, "[document.getElementById('talk').hidden, document.getElementById('status').textContent]");
            let status = said[1].as_str().unwrap_or_default();
            assert!(["", "Type", "Waiting"].contains(&status.split(' ').next().unwrap_or_default()), "{said}");
            (said[0] == false).then_some(())
        });
    }

    send(&mut chromium, here, "Are you there? <b>");
    shows(&mut chromium, there, &[("other", "Are you there? <b>")]);
    send(&mut chromium, there, "Yes.");
    shows(&mut chromium, here, &[("own", "Are you there? <b>"), ("other", "Yes.")]);
    shows(&mut chromium, there, &[("other", "Are you there? <b>"), ("own", "Yes.")]);
}
