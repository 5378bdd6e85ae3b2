//! Tokens from their making to their end, on a disk.

use super::*;
use jiff::SignedDuration;

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temp dir")
}

fn open(home: &tempfile::TempDir) -> Access {
    Access::open(home.path(), audit(home)).expect("opens")
}

fn audit(home: &tempfile::TempDir) -> Audit {
    Audit::open(home.path(), now()).expect("opens")
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn tcp() -> Way {
    Way::Tcp(Asker::at([127, 0, 0, 1].into()))
}

fn wanted(scopes: &[&str]) -> Wanted {
    let scopes = scopes.iter().map(|scope| scope.parse().expect("a scope")).collect();
    Wanted { name: "a wallet".to_owned(), scopes, ..Default::default() }
}

fn make(access: &Access, scopes: &[&str]) -> Created {
    access.create(&Caller::owner(), wanted(scopes), now()).expect("is made")
}

fn shows(access: &Access, text: &str) -> Result<Caller, Denial> {
    access.authenticate(text, tcp(), None, now())
}

#[test]
fn a_token_lets_in_what_its_scopes_name_also_after_a_restart() {
    let home = home();
    let made = make(&open(&home), &["info", "records:read:https://a.example/p"]);
    for _ in 0..2 {
        let access = open(&home);
        let caller = shows(&access, &made.token).expect("it is known");
        assert_eq!(access.admit(&caller, Need::Info, now()), Ok(()));
        assert_eq!(access.admit(&caller, Need::ReadRecords, now()), Ok(()));
        assert_eq!(access.admit(&caller, Need::Pins, now()), Err(Denial::Scope("pins".to_owned())));
        assert_eq!(caller.may_read(Some("https://a.example/p")), Ok(()));
        assert!(caller.may_read(Some("https://b.example/p")).is_err() && caller.may_read(None).is_err());
        assert!(caller.may_write(Some("https://a.example/p")).is_err());
        assert!(!caller.is_owner() && !caller.is_local());
        let listed = access.list(&Caller::owner(), now());
        assert_eq!((listed.len(), &listed[0].token, listed[0].state), (1, &made.about, State::Live));
        assert!(listed[0].last_used.is_some());
        access.close().expect("closes");
    }
    assert!(open(&home).list(&Caller::owner(), now())[0].last_used.is_some(), "also after a restart");
    let kept = fs::read_to_string(home.path().join(DIR).join(TOKENS)).expect("a file");
    let secret = made.token.split_once('.').expect("a secret").1;
    assert!(kept.contains(&made.about.id) && !kept.contains(secret), "of the secret its hash alone");
}

#[test]
fn what_is_no_token_is_not_let_in() {
    let home = home();
    let access = open(&home);
    let made = make(&access, &["admin"]);
    let other = make(&access, &["admin"]);
    let (id, secret) = made.token.split_once('.').expect("a secret");
    let last = if secret.ends_with('A') { "E" } else { "A" };
    for wrong in [
        String::new(),
        made.about.id.clone(),
        format!("{id}."),
        format!("{id}.{}", &secret[1..]),
        format!("{id}.{}{last}", &secret[..42]),
        format!("{id}.{secret}="),
        format!("{}.{secret}", other.token.split_once('.').expect("a secret").0),
        format!("toft_000000000000.{secret}"),
        format!("{COOKIE_NAME}.{secret}"),
        format!("{id}.{}", secret.repeat(100_000)),
    ] {
        assert_eq!(shows(&access, &wrong).map(drop), Err(Denial::Unknown), "{}", crate::foreign::shown(&wrong));
    }
    assert!(shows(&access, &made.token).is_ok());
    assert_eq!(access.admit(&Caller::nobody(tcp(), None), Need::Info, now()), Err(Denial::NoToken));
    assert_eq!(access.admit(&Caller::nobody(tcp(), None), Need::Any, now()), Err(Denial::NoToken));
    assert_eq!(access.admit(&Caller::nobody(tcp(), None), Need::Nobody, now()), Ok(()));
}

#[test]
fn the_cookie_is_the_owners_for_this_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let file = home.path().join(COOKIE);
    let access = open(&home);
    let first = fs::read_to_string(&file).expect("a cookie");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let caller = shows(&access, &format!("{first}\n")).expect("as a file has it");
    assert!(caller.allows(Need::Admin) && !caller.is_owner());
    let page = "https://a.example".parse().expect("an origin");
    assert_eq!(access.authenticate(&first, tcp(), Some(&page), now()).map(drop), Err(Denial::Origin));
    access.close().expect("closes");
    assert!(!file.exists());
    let next = open(&home);
    assert_eq!(shows(&next, &first).map(drop), Err(Denial::Unknown));
    assert!(shows(&next, &fs::read_to_string(&file).expect("a cookie")).is_ok());
}

#[test]
fn a_token_is_over_after_a_day_to_the_second() {
    let home = home();
    let access = open(&home);
    let made = make(&access, &["info"]);
    let created = made.about.created.0;
    let after = |seconds| created + SignedDuration::from_secs(seconds);
    let day = 24 * 3600;
    let shows = |at| access.authenticate(&made.token, tcp(), None, at);
    let caller = shows(after(day - 1)).expect("it is good still");
    assert_eq!(access.admit(&caller, Need::Info, after(day - 1)), Ok(()));
    assert_eq!(shows(after(day + 1)).map(drop), Err(Denial::Expired));
    assert_eq!(access.admit(&caller, Need::Info, after(day + 1)), Err(Denial::Expired), "on an open connection too");
    assert_eq!(access.list(&Caller::owner(), after(day + 1))[0].state, State::Expired);
}

#[tokio::test]
async fn who_has_something_open_hears_that_the_token_is_over() {
    let home = home();
    let access = open(&home);
    let (made, soon) = (make(&access, &["info"]), Wanted { expires_in: Some(1), ..wanted(&["info"]) });
    let soon = access.create(&Caller::owner(), soon, now()).expect("is made");
    let callers = [&made, &soon].map(|made| shows(&access, &made.token).expect("it is known"));
    let revoke = access.clone();
    let id = made.about.id.clone();
    let (first, second, done) = tokio::join!(callers[0].ended(), callers[1].ended(), async move {
        blocking(move || Ok(revoke.revoke(&Caller::owner(), &id, now())?)).await
    });
    assert!(done.is_ok());
    assert_eq!((first, second), (Denial::Revoked, Denial::Expired));
}

#[test]
fn a_revoked_token_stays_revoked_and_so_do_its_children() {
    let home = home();
    let access = open(&home);
    let parent = make(&access, &["records:read", "info"]);
    let by = shows(&access, &parent.token).expect("it is known");
    let child = access.create(&by, wanted(&["info"]), now()).expect("is made");
    let by_child = shows(&access, &child.token).expect("it is known");
    let heard = access.revoked(&child.about.id);
    assert!(!heard.is_cancelled());
    assert!(matches!(access.revoke(&by_child, &parent.about.id, now()), Err(Refused::NotFound(_))), "not its own");
    assert_eq!(access.list(&by_child, now()).len(), 1);
    access.revoke(&Caller::owner(), &parent.about.id, now()).expect("is revoked");
    assert!(heard.is_cancelled() && access.revoked("no such").is_cancelled());
    assert!(matches!(access.create(&by, wanted(&["info"]), now()), Err(Refused::Denied(Denial::Revoked))));
    // The node is killed: nothing is closed.
    drop(access);
    let access = open(&home);
    for made in [&parent, &child] {
        assert_eq!(shows(&access, &made.token).map(drop), Err(Denial::Revoked));
    }
    assert!(access.list(&Caller::owner(), now()).iter().all(|listed| listed.state == State::Revoked));
    assert!(matches!(access.revoke(&Caller::owner(), "0123456789ab", now()), Err(Refused::NotFound(_))));
}

#[test]
fn a_rate_is_the_tokens_and_its_parents_together() {
    let home = home();
    let access = open(&home);
    let parent = Wanted { rate: Some(4), ..wanted(&["info"]) };
    let parent = access.create(&Caller::owner(), parent, now()).expect("is made");
    let by = shows(&access, &parent.token).expect("it is known");
    let child = access.create(&by, wanted(&["info"]), now()).expect("is made");
    assert_eq!(child.about.rate, 4, "no more than its parent's");
    let by_child = shows(&access, &child.token).expect("it is known");
    let calls = [&by, &by_child, &by_child, &by].map(|caller| access.admit(caller, Need::Info, now()));
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    let denied = access.admit(&by_child, Need::Info, now()).expect_err("too many");
    assert!((1..=15).contains(&denied.retry_after().expect("when to come again")), "{denied:?}");
    assert!(access.admit(&Caller::owner(), Need::Info, now()).is_ok());
}

#[test]
fn who_shows_many_wrong_tokens_waits_and_a_right_one_is_let_in_all_the_same() {
    let home = home();
    let access = open(&home);
    let made = make(&access, &["info"]);
    let outcomes: Vec<_> = (0..WRONG.share + 1).map(|n| shows(&access, &format!("wrong {n}")).map(drop)).collect();
    let waits = |outcome: &&Result<(), Denial>| matches!(outcome, Err(Denial::TooMany(_)));
    assert_eq!(outcomes.iter().filter(waits).count(), 1, "{outcomes:?}");
    assert!(shows(&access, &made.token).is_ok());
}

#[test]
fn pages_use_the_tokens_of_their_origin() {
    let home = home();
    let access = open(&home);
    let page: Origin = "https://wallet.example".parse().expect("an origin");
    let other: Origin = "https://other.example".parse().expect("an origin");
    let bound = Wanted { origin: Some(page.clone()), ..wanted(&["info"]) };
    let bound = access.create(&Caller::owner(), bound, now()).expect("is made");
    let free = make(&access, &["info"]);
    let shows = |made: &Created, origin| access.authenticate(&made.token, tcp(), origin, now()).map(drop);
    assert_eq!(shows(&bound, Some(&page)), Ok(()));
    assert_eq!(shows(&bound, Some(&other)), Err(Denial::Origin));
    assert_eq!(shows(&bound, None), Err(Denial::Origin));
    assert_eq!(shows(&free, Some(&page)), Err(Denial::Origin));
    assert!(access.knows(&page, now()) && !access.knows(&other, now()));
    access.revoke(&Caller::owner(), &bound.about.id, now()).expect("is revoked");
    assert!(!access.knows(&page, now()));
}

#[test]
fn damage_is_named_and_a_tail_cut_short_is_cut_off() {
    let home = home();
    let access = open(&home);
    let made = make(&access, &["info"]);
    access.revoke(&Caller::owner(), &made.about.id, now()).expect("is revoked");
    drop(access);
    let path = home.path().join(DIR).join(TOKENS);
    let (whole, audit) = (fs::read(&path).expect("a file"), audit(&home));
    fs::write(&path, [whole.as_slice(), b"0123"].concat()).expect("writes");
    assert_eq!(shows(&open(&home), &made.token).map(drop), Err(Denial::Revoked));
    let lines = || whole.iter().enumerate().filter(|(_, byte)| **byte != b'\n');
    for (at, _) in lines() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("writes");
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let error = format!("{:#}", Access::open(home.path(), audit.clone()).expect_err("it is damaged"));
        assert!(error.contains(&format!("damaged in line {line}")), "byte {at}: {error}");
    }
}

fn wish(origin: Option<&str>, scopes: &[&str]) -> Wish {
    let origin = origin.map(|origin| origin.parse().expect("an origin"));
    Wish { name: "Wallet".to_owned(), origin, scopes: wanted(scopes).scopes }
}

fn page(n: u8, origin: &str) -> Caller {
    Caller::nobody(Way::Tcp(Asker::at([127, 0, 0, n].into())), Some(origin.parse().expect("an origin")))
}

const WALLET: &str = "https://wallet.example";

#[test]
fn a_wallet_is_let_in_by_the_code_it_shows_and_fetches_its_token_once() {
    let home = home();
    let access = open(&home);
    let caller = page(1, WALLET);
    let asked = access.ask_pairing(&caller, wish(Some(WALLET), &["records:read"]), now()).expect("waits");
    assert!(asked.code.len() == 6 && asked.code.bytes().all(|digit| digit.is_ascii_digit()));
    let fetch = |secret: &str| access.fetch_pairing(&caller, &asked.id, secret, now());
    assert!(matches!(fetch(&asked.secret), Err(NoPairing::NotYet)));
    let shown = access.pairings(now());
    assert_eq!((shown.len(), shown[0].words[0].as_str(), shown[0].from_page), (1, "read all records", true));
    assert!(!format!("{shown:?}{asked:?}").contains(&asked.code), "the owner looks at the wallet");
    let approve = |id, code: &str| access.approve_pairing(&Caller::owner(), (id, code), Some(3600), now());
    assert!(matches!(approve(Some("no such"), &asked.code), Err(NoPairing::NotFound)));
    approve(None, &asked.code).expect("is let in");
    assert!(matches!(approve(None, &asked.code), Err(NoPairing::NotFound)), "once");
    assert!(matches!(fetch(&crypto_text(7)), Err(NoPairing::NotFound)), "only who asked");
    let made = fetch(&asked.secret).expect("its token");
    assert!(matches!(fetch(&asked.secret), Err(NoPairing::NotFound)));
    assert_eq!(made.about.origin, Some(WALLET.parse().expect("an origin")));
    let life = made.about.expires.expect("it ends").0.duration_since(made.about.created.0);
    assert_eq!(life.as_secs(), 3600);
    let origin = WALLET.parse().expect("an origin");
    assert!(access.authenticate(&made.token, tcp(), Some(&origin), now()).is_ok());
    let entries = access.0.audit.newest(2, |_| true).expect("reads");
    assert_eq!([&entries[0].what, &entries[1].what], ["pairing.approved", "token.made"]);
}

/// A secret, spelled right, of somebody else.
fn crypto_text(byte: u8) -> String {
    crate::crypto::encode(&[byte; 32])
}

#[test]
fn a_pairing_ends_by_wrong_codes_by_time_and_by_the_owner() {
    let home = home();
    let access = open(&home);
    let ask = |n| access.ask_pairing(&page(n, WALLET), wish(Some(WALLET), &["info"]), now()).expect("waits");
    let wrong = |asked: &Asked| if asked.code == "000000" { "000001" } else { "000000" };
    let approve =
        |asked: &Asked, code: &str, at| access.approve_pairing(&Caller::owner(), (Some(&asked.id), code), None, at);
    let asked = ask(1);
    for _ in 0..5 {
        assert!(matches!(approve(&asked, wrong(&asked), now()), Err(NoPairing::WrongCode)));
    }
    assert!(matches!(approve(&asked, &asked.code, now()), Err(NoPairing::NotFound)));
    let asked = ask(2);
    let later = now() + SignedDuration::from_secs(301);
    assert!(matches!(approve(&asked, &asked.code, later), Err(NoPairing::NotFound)));
    let asked = ask(3);
    access.reject_pairing(&Caller::owner(), &asked.id, now()).expect("is rejected");
    let fetched = access.fetch_pairing(&page(3, WALLET), &asked.id, &asked.secret, now());
    assert!(matches!(fetched, Err(NoPairing::NotFound)));
}

#[test]
fn strangers_ask_three_times_a_minute_one_at_a_time_and_for_themselves() {
    let home = home();
    let access = open(&home);
    let ask = |n, from: &str, origin| access.ask_pairing(&page(n, from), wish(Some(origin), &["info"]), now());
    assert!(matches!(ask(1, "https://evil.example", WALLET), Err(NoPairing::Wrong(_))), "another's origin");
    let first = ask(1, WALLET, WALLET).expect("waits");
    let other = ask(1, "https://other.example", "https://other.example");
    assert!(matches!(other, Err(NoPairing::TooMany(denial)) if denial.retry_after() > Some(200)), "one at a time");
    let again = ask(1, WALLET, WALLET).expect("the same anew");
    assert!(first.id != again.id && access.pairings(now()).len() == 1);
    assert!(matches!(ask(1, WALLET, WALLET), Err(NoPairing::TooMany(_))), "the fourth in a minute");
    assert!(ask(2, WALLET, WALLET).is_ok(), "from elsewhere");
    let none = Wish { scopes: Scopes::default(), ..wish(Some(WALLET), &[]) };
    assert!(matches!(access.ask_pairing(&page(3, WALLET), none, now()), Err(NoPairing::Wrong(_))));
    let many = (10..=255).filter(|n| ask(*n, WALLET, WALLET).is_ok()).count();
    assert!(many <= 64, "{many} wait");
}

mod narrower {
    //! Whatever a child may do, its parent may.

    use super::*;
    use proptest::prelude::*;

    fn scope() -> impl Strategy<Value = Scope> {
        let texts = [
            "info",
            "records:read",
            "records:read:a",
            "records:read:b",
            "records:write",
            "records:write:a",
            "blocks:read",
            "identity:sign:message",
            "identity:sign:login",
            "sync",
            "admin",
        ];
        prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().expect("a scope"))
    }

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        let protocols = prop::collection::vec(prop::sample::select(vec!["a".to_owned(), "b".to_owned()]), 0..3);
        let tenant = prop::option::of(prop::sample::select(vec!["did:x:a".to_owned(), "did:x:b".to_owned()]));
        let origin = prop::option::of(prop::sample::select(vec!["https://a.example", "https://b.example"]));
        let rate = prop::option::of(1_u32..1000);
        let scopes = prop::collection::vec(scope(), 1..4);
        (scopes, protocols, tenant, origin, rate, prop::option::of(1_u64..200_000)).prop_map(
            |(scopes, protocols, tenant, origin, rate, expires_in)| Wanted {
                name: "one".to_owned(),
                scopes: scopes.into_iter().collect(),
                protocols,
                tenant,
                origin: origin.map(|origin| origin.parse().expect("an origin")),
                rate,
                expires_in,
                never_expires: false,
            },
        )
    }

    proptest! {
        #[test]
        fn a_child_may_nothing_that_its_parent_may_not((parent, child) in (any_wanted(), any_wanted())) {
            let at = now();
            let new = |id: &str, wanted| Token::new(id.to_owned(), wanted, false, at);
            let (Ok(parent), Ok(child)) = (new("p", parent), new("c", child)) else { return Ok(()) };
            let Ok(child) = child.child_of(&parent) else { return Ok(()) };
            for need in Need::ALL {
                prop_assert!(parent.scopes.allows(need) || !child.scopes.allows(need), "{need}");
            }
            for protocol in [None, Some("http://a"), Some("http://b"), Some("http://c")] {
                prop_assert!(parent.may_read(protocol) || !child.may_read(protocol));
                prop_assert!(parent.may_write(protocol) || !child.may_write(protocol));
            }
            prop_assert!(parent.tenant.is_none() || parent.tenant == child.tenant);
            prop_assert!(parent.origin == child.origin || parent.scopes.allows(Need::Admin));
            prop_assert!(child.rate <= parent.rate && child.expires.map(|at| at.0) <= parent.expires.map(|at| at.0));
            prop_assert_eq!(child.parent.as_deref(), Some("p"));
        }
    }
}

#[test]
fn a_token_for_good_and_one_that_only_looks_bounded_are_not_made() {
    let home = home();
    let access = open(&home);
    let good = Wanted { never_expires: true, ..wanted(&["info"]) };
    let made = access.create(&Caller::owner(), good.clone(), now()).expect("by the owner");
    assert_eq!(made.about.expires, None);
    let cookie = fs::read_to_string(home.path().join(COOKIE)).expect("a cookie");
    let cookie = shows(&access, &cookie).expect("it is known");
    assert!(matches!(access.create(&cookie, good, now()), Err(Refused::Unfit(_))));
    for (scopes, tenant, protocol) in [
        (["sync"], Some("did:x:a"), None),
        (["admin"], Some("did:x:a"), None),
        (["admin"], None, Some("a")),
        (["identity:sign:message"], None, Some("a")),
        (["blocks:read"], None, Some("a")),
    ] {
        let tenant = tenant.map(str::to_owned);
        let wanted = Wanted { tenant, protocols: protocol.map(str::to_owned).into_iter().collect(), ..wanted(&scopes) };
        assert!(matches!(access.create(&Caller::owner(), wanted, now()), Err(Refused::Unfit(_))), "{scopes:?}");
    }
}
