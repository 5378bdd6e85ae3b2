//! What it costs to look at a token that a call shows, by how many there are: one that is right, and one that is wrong.

use super::Outcome;
use jiff::Timestamp;
use std::{path::Path, time::Instant};
use toft::{
    access::{Access, Caller, Wanted, Way},
    asker::Asker,
    audit::Audit,
};

const WRONG: u32 = 20_000;

/// Prints a line for each number of tokens. Each is made as `toft token create` makes it, durably, before the clock runs.
pub fn figures(dir: &Path) -> Outcome<()> {
    for count in [10_u32, 100, 1000, 10_000] {
        let home = dir.join(count.to_string());
        std::fs::create_dir_all(&home)?;
        let access = Access::open(&home, Audit::open(&home, Timestamp::now())?)?;
        let make = |n: u32| -> Outcome<String> {
            let scopes = ["info".parse()?].into_iter().collect();
            let wanted = Wanted { name: format!("wallet {n}"), scopes, ..Wanted::default() };
            Ok(access.create(&Caller::owner(), wanted, Timestamp::now())?.token.to_string())
        };
        let texts = (0..count).map(make).collect::<Outcome<Vec<_>>>()?;
        let way = Way::Tcp(Asker::at([127, 0, 0, 1].into()));
        let shows = |text: &str| access.authenticate(text, way, None, Timestamp::now());
        // As many looks for each number of tokens.
        let rounds = 10_000 / count;
        let start = Instant::now();
        for _ in 0..rounds {
            for text in &texts {
                shows(text)?;
            }
        }
        let right = start.elapsed() / (rounds * count);
        // The id of one, with the secret of another.
        let (id, _) = texts[0].split_once('.').ok_or("a token has two parts")?;
        let (_, secret) = texts[1].split_once('.').ok_or("a token has two parts")?;
        let wrong = format!("{id}.{secret}");
        let start = Instant::now();
        if (0..WRONG).any(|_| shows(&wrong).is_ok()) {
            return Err("a wrong token is let in".into());
        }
        println!("{count:>6} tokens: a right one {right:?}, a wrong one {:?}", start.elapsed() / WRONG);
    }
    Ok(())
}
