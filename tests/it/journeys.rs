//! The manuals in `docs/journeys` are run as they stand: each `console` block is what a person types and sees.
//!
//! A line that begins with `$ ` is typed into one shell (and goes on while lines end with `\`); what follows is what it prints, where
//! `…` stands for any text in a line, and a line of `…` alone for any number of lines. `toft up … &` is waited for until it is ready. A
//! second `console` block goes on in the same shell.

use crate::support::toft::Home;
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

/// Printed after each command, with its exit code.
const MARK: &str = "--8<-- the command has ended:";

struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// The commands of a manual, in order.
fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut inside) = (Vec::<Step>::new(), false);
    for (number, line) in text.lines().enumerate() {
        match line {
            _ if line.starts_with("```") => inside = line == "```console",
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { line: number + 1, command: command.to_owned(), expected: Vec::new() });
                }
                (None, Some(step)) if step.command.ends_with('\\') => step.command += &format!("\n{line}"),
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => panic!("line {number}: a block begins with a command"),
            },
        }
    }
    steps
}

/// Is `said` what was expected?
fn fits(expected: &[String], said: &[String]) -> bool {
    match expected.split_first() {
        None => said.is_empty(),
        Some((line, rest)) if line.trim() == "…" => (0..=said.len()).any(|from| fits(rest, &said[from..])),
        Some((line, rest)) => {
            said.split_first().is_some_and(|(first, said)| line_fits(line, first) && fits(rest, said))
        }
    }
}

fn line_fits(expected: &str, said: &str) -> bool {
    let mut parts = expected.trim_end().split('…');
    let Some(rest) = said.trim_end().strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Types a manual into a shell, and compares.
fn walk(name: &str) {
    let file = crate::support::root().join("docs/journeys").join(name);
    let text = fs::read_to_string(&file).expect("the manual");
    let steps = steps(&text);
    assert!(steps.len() > 3, "{name} has few commands");
    let home = Home::new();
    let bin = home.path().parent().expect("a folder").join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_toft"), bin.join("toft")).expect("a link");
    // The machine may have no curl: what stands in for it then reads the same options.
    if Command::new("curl").arg("--version").output().is_err() {
        let stand_in = crate::support::root().join("tests/interop/curl.py");
        std::os::unix::fs::symlink(stand_in, bin.join("curl")).expect("a link");
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash")
        .current_dir(home.path().parent().expect("a folder"))
        .envs(home.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let mut input = shell.stdin.take().expect("piped");
    let (send, lines) = std::sync::mpsc::channel();
    let output = shell.stdout.take().expect("piped");
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    writeln!(input, "exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null' EXIT").expect("bash reads");
    for step in &steps {
        let is_server = step.command.trim_end().ends_with('&');
        // A server's own lines are its log's; the step ends when it says that it runs.
        let typed = if is_server {
            let command = step.command.trim_end().trim_end_matches('&');
            format!(
                "{command} > up.log & until grep -q 'Runs in this terminal' up.log; do sleep 0.05; kill -0 $! || break; done; cat up.log"
            )
        } else {
            step.command.clone()
        };
        writeln!(input, "{typed}\necho '{MARK}'$?").expect("bash reads");
        let mut said = Vec::new();
        let code = loop {
            let line = lines.recv_timeout(Duration::from_secs(120));
            let line = line.unwrap_or_else(|_| panic!("{name}:{}: {} does not end: {said:?}", step.line, step.command));
            match line.strip_prefix(MARK) {
                Some(code) => break code.to_owned(),
                None => said.push(line),
            }
        };
        let expected = &step.expected;
        assert!(
            fits(expected, &said),
            "{name}:{}: $ {}\nprinted (exit code {code}):\n{}\n\ninstead of:\n{}",
            step.line,
            step.command,
            said.join("\n"),
            expected.join("\n"),
        );
    }
    drop(input);
    let _ = shell.wait();
}

#[test]
fn wallet() {
    walk("wallet.md");
}

#[test]
fn what_is_expected_is_compared() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let fit = |expected: &str, said: &str| fits(&lines(expected), &lines(said));
    assert!(fit("a…c", "a b c") && fit("…", "") && fit("…\nend", "a\nb\nend") && fit("", "") && fit("x…y…z", "x1y2z"));
    assert!(
        !fit("a…c", "a b") && !fit("a", "a\nb") && !fit("a\nb", "a") && !fit("…\nend", "a") && !fit("x…y…z", "x1z")
    );
    let steps =
        steps("text\n```console\n$ one \\\n  two\nprinted\n```\n```json\n$ no\n```\n```console\n$ three\n```\n");
    let read: Vec<_> = steps.iter().map(|step| (step.command.as_str(), step.expected.len())).collect();
    assert_eq!(read, [("one \\\n  two", 1), ("three", 0)]);
}
