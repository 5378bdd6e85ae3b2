//! What a node is to hold at once and stay small: figures, printed. Long (`TOFT_LONG=1`); short, a hundredth of it.

use crate::{
    node::{Attacked as _, alone, guarded, is_long},
    stranger::{self, HONEST, Person, answer, ask, code, frame, head},
    support::{connect_from, toft::Toft},
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::{Duration, Instant},
};
use toft::{dwn::create, node::now};

/// Loopback addresses that load comes from: each has a share of its own.
fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, 1 + n as u8)
}

/// Nearest rank, of a hundred.
fn percentile(times: &mut [Duration], rank: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * rank / 100]
}

fn note() -> Value {
    json!({"dataFormats": ["text/plain"]})
}

fn definition(n: usize) -> Value {
    let uri = format!("https://width.example/{n}");
    json!({"protocol": uri, "published": true, "types": {"note": note()},
        "structure": {"note": {"$actions": [{"who": "anyone", "can": ["create", "read"]}]}}})
}

#[test]
fn records_of_one_tenant_over_many_protocols() {
    let _alone = alone();
    let (protocols, records, writers) = if is_long() { (40, 50_000, 16) } else { (40, 800, 4) };
    let node = guarded(&[]).up();
    let before = node.memory_mib();
    let tenant = Person::at(HONEST);
    for n in 0..protocols {
        let message = create::protocols_configure(definition(n), &now(), &tenant.signer).expect("a message");
        let answer = ask(HONEST, node.socket(), &tenant.head(&message, 0)).expect("an answer");
        assert_eq!(code(&answer), 202, "{answer}");
    }
    let begun = Instant::now();
    let mut took: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|writer| {
                let (node, tenant) = (&node, &tenant);
                scope.spawn(move || {
                    let mut stream = connect_from(address(writer), node.socket()).expect("connects");
                    let write = |n: usize| {
                        let uri = format!("https://width.example/{}", n % protocols);
                        let data = format!("note {n}");
                        let write = create::Write {
                            protocol: Some((&uri, "note")),
                            data_format: "text/plain",
                            ..Default::default()
                        };
                        let cid = toft::cid::of(toft::cid::RAW, data.as_bytes());
                        let data_of = (&cid, data.len() as u64);
                        let message = create::records_write(&write, data_of, &now(), &tenant.signer).expect("signs");
                        let begun = Instant::now();
                        let request = [tenant.head(&message, data.len()), data.into_bytes()].concat();
                        stream.write_all(&request).expect("sends");
                        let answer = answer(&mut stream).expect("an answer");
                        assert_eq!(code(&answer), 202, "{answer}");
                        begun.elapsed()
                    };
                    (writer..records).step_by(writers).map(write).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect()
    });
    let rate = records as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{records} records over {protocols} protocols: {rate:.0} writes/s with {writers} clients, p50 {:?}, p99 {:?}; memory {before} MiB before, {} MiB after",
        percentile(&mut took, 50),
        percentile(&mut took, 99),
        node.memory_mib()
    );
    let mut took: Vec<_> = (0..200)
        .map(|n| {
            let filter = json!({"protocol": format!("https://width.example/{}", n % protocols)});
            let more = json!({"pagination": {"limit": 20}, "dateSort": "createdDescending"});
            let message = create::records_query(filter, more, &now(), Some(&tenant.signer)).expect("a message");
            let begun = Instant::now();
            let answer = ask(HONEST, node.socket(), &tenant.head(&message, 0)).expect("an answer");
            assert_eq!(code(&answer), 200, "{answer}");
            begun.elapsed()
        })
        .collect();
    println!(
        "the newest 20 of one protocol, each on a connection of its own: p50 {:?}, p99 {:?}",
        percentile(&mut took, 50),
        percentile(&mut took, 99)
    );
}

#[test]
fn subscriptions_from_many_addresses() {
    let _alone = alone();
    let (addresses, each) = if is_long() { (80, 63) } else { (8, 16) };
    let node = guarded(&[]).up();
    let before = node.memory_mib();
    let sockets: Vec<_> = (0..addresses).map(|n| subscribe(&node, address(n), each)).collect();
    println!(
        "{} subscriptions from {addresses} addresses: memory {before} MiB before, {} MiB with them",
        addresses * each,
        node.memory_mib()
    );
    let owner = node.home().path().join("said");
    std::fs::write(&owner, "for all").expect("writes");
    let begun = Instant::now();
    node.json(&["add", owner.to_str().expect("UTF-8"), "--publish", "--format", "text/plain"]);
    let mut heard: Vec<_> = thread::scope(|scope| {
        let readers: Vec<_> =
            sockets.into_iter().map(|socket| scope.spawn(move || hear(socket, each, begun))).collect();
        readers.into_iter().map(|reader| reader.join().expect("no panic")).collect()
    });
    println!(
        "one record heard by all of an address: p50 {:?}, the last {:?} after `toft add` began; memory {} MiB",
        percentile(&mut heard, 50),
        percentile(&mut heard, 100),
        node.memory_mib()
    );
}

/// A socket with so many subscriptions that are answered.
fn subscribe(node: &Toft, from: Ipv4Addr, count: usize) -> TcpStream {
    let mut socket = stranger::websocket(from, node.socket()).expect("a WebSocket");
    for id in 0..count {
        socket.write_all(&frame(&stranger::anonymous_subscription(node.did(), id))).expect("sends");
    }
    read_until(&mut socket, "\"subscription\"", count).expect("answers");
    socket
}

/// How long after `begun` every subscription of this socket has had its event.
fn hear(mut socket: TcpStream, count: usize, begun: Instant) -> Duration {
    read_until(&mut socket, "\"event\"", count).expect("events");
    begun.elapsed()
}

/// Reads until `word` was there so often; or what came instead.
pub fn read_until(socket: &mut TcpStream, word: &str, count: usize) -> Result<(), String> {
    socket.set_read_timeout(Some(Duration::from_secs(30))).map_err(|e| e.to_string())?;
    let (mut seen, mut text, mut piece) = (0, String::new(), vec![0; 64 << 10]);
    while seen < count {
        let got = socket.read(&mut piece).map_err(|e| format!("{seen} of {count} {word}: {e}: {text}"))?;
        if got == 0 {
            return Err(format!("the socket ended after {seen} of {count} {word}: {text}"));
        }
        text.push_str(&String::from_utf8_lossy(&piece[..got]));
        seen += text.matches(word).count();
        // What may be the beginning of the word stays.
        let rest = text.rfind(word).map_or(0, |at| at + word.len());
        let keep = text.len().saturating_sub(word.len() - 1).max(rest);
        text = text[text.ceil_char_boundary(keep)..].to_owned();
    }
    Ok(())
}

#[test]
fn a_large_record_with_stalled_readers() {
    let _alone = alone();
    let size: u64 = if is_long() { 1 << 30 } else { 16 << 20 };
    let node = guarded(&[]).up();
    let before = node.memory_mib();
    let file = node.home().path().join("large");
    let mut seed = vec![0; size as usize];
    for (n, chunk) in seed.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[..chunk.len()]);
    }
    std::fs::write(&file, &seed).expect("writes");
    drop(seed);
    let begun = Instant::now();
    let added = node.json(&["add", file.to_str().expect("UTF-8"), "--publish"]);
    println!(
        "{} MiB added in {:?}; memory {before} MiB before, {} MiB after",
        size >> 20,
        begun.elapsed(),
        node.memory_mib()
    );
    let read = create::records_read(json!({"recordId": added["record"]}), &now(), None).expect("a message");
    let request = head(node.did(), &read, 0);
    let readers: Vec<_> = (0..20)
        .map(|n| {
            let mut stream = connect_from(address(n), node.socket()).expect("connects");
            stream.write_all(&request).expect("sends");
            let mut piece = [0; 4096];
            assert!(stream.read(&mut piece).expect("begins") > 0);
            stream
        })
        .collect();
    thread::sleep(Duration::from_secs(3));
    println!("20 readers that stall in it: memory {} MiB", node.memory_mib());
    let begun = Instant::now();
    let mut stream = connect_from(HONEST, node.socket()).expect("connects");
    stream.write_all(&request).expect("sends");
    let (mut got, mut piece) = (0u64, vec![0; 1 << 20]);
    while got < size {
        let count = stream.read(&mut piece).expect("goes on");
        assert!(count > 0, "it ended after {got} bytes");
        got += count as u64;
    }
    println!("an honest reader has it in {:?}; memory {} MiB", begun.elapsed(), node.memory_mib());
    drop(readers);
    node.serves_others().expect("served");
}
