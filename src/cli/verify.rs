//! `toft verify FILE [PROOF]`: a time proof against the file it is about. Needs bitcoind, no running node.

use super::{context::Context, output::Output};
use crate::{
    anchor::{
        self,
        chain::Chain,
        proof::{self, Verdict as V},
    },
    cid,
    rpc::control::{Failure, Kind},
};
use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use std::{io::Read as _, path::PathBuf};

/// Bytes of a file read at a time.
const PIECE: usize = 1 << 20;
/// A proof is a few hundred bytes; more is none.
const PROOF_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file that is said to have existed.
    file: PathBuf,
    /// Its OpenTimestamps proof (default: FILE.ots).
    proof: Option<PathBuf>,
}

pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let config = context.config(&[])?.anchor;
    let name = args.file.display();
    let proof = args.proof.clone().unwrap_or_else(|| {
        let mut path = args.file.clone().into_os_string();
        path.push(".ots");
        path.into()
    });
    let digest = digest(&args.file)?;
    let mut ots = vec![];
    let file = std::fs::File::open(&proof).map_err(|e| unreadable(&proof, &e))?;
    file.take(PROOF_MAX + 1).read_to_end(&mut ots).map_err(|e| unreadable(&proof, &e))?;

    let junk = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Usage, format!("{} is no proof that toft reads: {why}", proof.display()))
    };
    if ots.len() as u64 > PROOF_MAX {
        return Err(junk(&format!("it is longer than {PROOF_MAX} bytes")));
    }
    // What the proof says by itself is said before anybody is asked.
    let verdict = proof::verify::<proof::Error>(&ots, &digest, |_| Ok(None)).map_err(|error| junk(&error))?;
    let network = config.bitcoin.network;
    let verdict = match verdict {
        V::Proven { .. } | V::NotInBlock { .. } | V::NoSuchBlock { .. } => ask(&config, ots, digest).await?,
        said => said,
    };
    let refuse = |message: String| Err(Failure::new(Kind::Failed, message));
    match &verdict {
        V::Proven { height, time, block } => {
            let when = Timestamp::from_second(i64::from(*time)).map(|t| t.to_string()).unwrap_or_default();
            let text = format!(
                "✓ {name} existed before block {height} was made: {when} (true to about two hours)\n  {network:?} block {block}, asked of your bitcoind"
            );
            Ok(Output::new(json!({"file": args.file, "network": network, "result": verdict, "time": when}), text))
        }
        V::OtherData => refuse(format!("{} is a proof of other bytes than {name}", proof.display())),
        V::NotInBlock { height } => refuse(format!(
            "block {height} does not hold what {} says: the proof was changed, the block reorganised away, or it is of another network than {network:?}",
            proof.display()
        )),
        V::NoSuchBlock { height } => Err(Failure::new(
            Kind::Pending,
            format!("your bitcoind does not have block {height} yet: try again when it has caught up"),
        )),
        V::Pending { calendars } => Err(Failure::new(
            Kind::Pending,
            format!("only calendars vouch for it so far ({}): upgrade the proof first", calendars.join(", ")),
        )),
        V::Unattested => refuse(format!("{} names nothing that could vouch for it", proof.display())),
    }
}

/// Asks bitcoind for the headers that the proof is about.
async fn ask(config: &anchor::Config, ots: Vec<u8>, digest: cid::Digest) -> Result<V, Failure> {
    let chain = Chain::new(config);
    let asked = chain.run(move |chain| {
        chain.tip()?; // a header of another network proves nothing here
        proof::verify(&ots, &digest, |height| chain.header_at(height))
    });
    asked.await.map_err(|e| Failure::new(Kind::Network, format!("the block cannot be asked for: {e}")))
}

fn digest(path: &std::path::Path) -> Result<cid::Digest, Failure> {
    let mut file = std::fs::File::open(path).map_err(|e| unreadable(path, &e))?;
    let (mut hasher, mut piece) = (cid::Hasher::default(), vec![0; PIECE]);
    loop {
        let n = file.read(&mut piece).with_context(|| format!("reading {}", path.display())).map_err(Failure::from)?;
        if n == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..n).unwrap_or_default());
    }
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
    Failure::new(kind, format!("cannot read {}: {error}", path.display()))
}
