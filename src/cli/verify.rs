//! `toft verify FILE [FILE.ots]` and `toft verify RECORD`: a time proof against the bytes it is about. The proof is read
//! before anybody is asked; who judges is the own bitcoind, or headers that were imported or given.

use super::{context::Context, output::Output};
use crate::{
    anchor::{
        self,
        chain::Chain,
        config::Network,
        headers::{self, Headers},
        judge::Judge,
        ots::{Claims, FILE_MAX, Hasher},
        verify::{self, Grade, Verdict},
    },
    cid::{self, Cid},
    rpc::control::{
        Failure, Kind,
        anchor::{self as control, Base64},
    },
};
use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a file read at a time.
const PIECE: usize = 1 << 20;
/// Blocks that follow on one before it counts as settled.
const SETTLED: u32 = 6;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file that is said to have existed; or a recordId, message CID or data CID of the running node.
    #[arg(value_name = "FILE|RECORD")]
    what: PathBuf,
    /// The file's OpenTimestamps proof (default: FILE.ots; where there is none, the running node makes it).
    #[arg(value_name = "FILE.ots")]
    proof: Option<PathBuf>,
    /// Judge by this file of block headers, and ask no bitcoind.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
}

/// What is to be judged.
struct Case {
    /// What the bytes are called.
    name: String,
    /// What the proof is called.
    proof: String,
    claims: Claims,
    /// The digest of the bytes, by the hash function that the proof names.
    digest: Vec<u8>,
    hash: String,
}

/// Who judged.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
enum By {
    Bitcoind,
    /// Headers in the home.
    Imported(Range),
    /// Headers that were given.
    Headers(Range),
}

/// Which headers those were.
#[derive(Debug, Clone, Serialize)]
struct Range {
    first: u32,
    tip: u32,
    /// log2 of the hashes that all of them took.
    work: f64,
    #[serde(skip)]
    is_linked: bool,
}

/// What came of it; the fields of `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    proof: &'a str,
    /// The hash function that the proof names, and the digest of the file.
    hash: &'a str,
    digest: String,
    verified: bool,
    /// The verdict; nothing if nobody could judge.
    result: Option<&'a Verdict>,
    grade: Option<Grade>,
    /// The judge's: a proof does not say of which network it is.
    network: Network,
    /// When the block was made that proves it.
    time: Option<String>,
    judge: Option<&'a By>,
    sentence: &'a str,
}

pub async fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let case = find(context, args).await?;
    let config = context.config(&[])?.anchor;
    let network = config.bitcoin.network;
    if case.digest != case.claims.digest {
        return case.told(args, &Ok(Verdict::OtherData), None, network, None);
    }
    if let Some(said) = verify::alone(&case.claims) {
        return case.told(args, &Ok(said), None, network, None);
    }
    if let Some(path) = &args.headers {
        let wrong = |error: headers::Error| Failure::new(Kind::Usage, format!("{}: {error}", path.display()));
        let headers = headers::open(path, &wanted(&case.claims)).map_err(wrong)?;
        // Blocks of a network that costs nothing would prove anything.
        if headers.network != network {
            return Err(wrong(headers::Error::Other { ours: network, theirs: headers.network }));
        }
        return case.told(
            args,
            &Ok(by(&case.claims, &headers)),
            Some(&By::Headers(Range::of(&headers))),
            network,
            None,
        );
    }
    let (claims, asked) = ask(&config, case.claims).await;
    let case = Case { claims, ..case };
    if let Ok(said) = &asked
        && !matches!(said, Verdict::NoSuchBlock { .. })
    {
        return case.told(args, &asked, Some(&By::Bitcoind), network, None);
    }
    // It does not answer, or has not come so far yet.
    let place = headers::place(&context.home, network);
    match headers::open(&place, &wanted(&case.claims)) {
        Ok(headers) => {
            let said = by(&case.claims, &headers);
            let is_settled = asked.is_err() || matches!(said, Verdict::Proven { .. });
            match is_settled {
                true => {
                    let judge = By::Imported(Range::of(&headers));
                    case.told(args, &Ok(said), Some(&judge), network, asked.err().as_deref())
                }
                false => case.told(args, &asked, Some(&By::Bitcoind), network, None),
            }
        }
        Err(error) => {
            let is_there = !matches!(&error, headers::Error::Io(e) if e.kind() == std::io::ErrorKind::NotFound);
            let note = is_there.then(|| format!("{} is not used: {error}", place.display()));
            let judge = asked.is_ok().then_some(&By::Bitcoind);
            case.told(args, &asked, judge, network, note.as_deref())
        }
    }
}

/// The proof and the bytes it is about: from files, or from the running node.
async fn find(context: &Context, args: &Args) -> Result<Case, Failure> {
    let what = args.what.as_path();
    let name = what.display().to_string();
    let is_file = std::fs::metadata(what).is_ok_and(|found| !found.is_dir());
    let beside = args.proof.clone().or_else(|| {
        let mut path = what.as_os_str().to_owned();
        path.push(".ots");
        let path = PathBuf::from(path);
        path.exists().then_some(path)
    });
    if let Some(proof) = beside.filter(|_| is_file || args.proof.is_some()) {
        let claims = read(&proof)?;
        let mut hasher = Hasher::new(&claims.hash).context("a proof names a hash function").map_err(Failure::from)?;
        let hash = hasher.name();
        pour(what, |piece| hasher.update(piece))?;
        return Ok(Case { name, proof: proof.display().to_string(), claims, digest: hasher.finish(), hash });
    }
    let (id, digest) = if is_file {
        let mut hasher = cid::Hasher::default();
        pour(what, |piece| hasher.update(piece))?;
        let digest = hasher.finish();
        (cid::from_digest(cid::RAW, &digest).to_string(), Some(digest))
    } else if Cid::try_from(name.as_str()).is_ok() {
        (name.clone(), None)
    } else {
        let cause = std::fs::metadata(what).err().map_or_else(|| "it is a directory".into(), |e| e.to_string());
        let kind = if what.exists() { Kind::Usage } else { Kind::NotFound };
        return Err(Failure::new(kind, format!("cannot read {name}: {cause}; and it is no CID of a record")));
    };
    let made = context.client()?.call::<control::Proof>(&control::Proven { id: id.clone(), first: false }).await;
    let made = made.map_err(|failure| match is_file {
        true => {
            Failure::new(failure.kind, format!("there is no {name}.ots, and the node has no proof of it: {failure}"))
        }
        false => failure,
    })?;
    let proof = "the proof that the node made".to_owned();
    let claims = Claims::read(&made.ots.0).map_err(|error| junk(&proof, &error))?;
    // Of a record the proof is about its message, which came along unless it is gone; its CID names it too.
    let digest = digest.or_else(|| made.stamped.as_ref().map(|Base64(bytes)| cid::digest(bytes)));
    let of_cid = || Cid::try_from(made.cid.as_str()).ok().and_then(|cid| cid::sha256_of(&cid));
    let digest =
        digest.or_else(of_cid).context("the node's proof is of a CID without sha2-256").map_err(Failure::from)?;
    let name = if is_file || made.cid == id { name } else { format!("{name} (its message {})", made.cid) };
    Ok(Case { name, proof, claims, digest: digest.to_vec(), hash: "sha256".into() })
}

fn read(path: &Path) -> Result<Claims, Failure> {
    let (mut ots, most) = (vec![], FILE_MAX as u64 + 1);
    let file = std::fs::File::open(path).map_err(|e| unreadable(path, &e))?;
    file.take(most).read_to_end(&mut ots).map_err(|e| unreadable(path, &e))?;
    Claims::read(&ots).map_err(|error| junk(&path.display().to_string(), &error))
}

fn junk(proof: &str, why: &anchor::ots::Error) -> Failure {
    Failure::new(Kind::Usage, format!("{proof} is no proof that toft reads: {why}"))
}

/// Asks bitcoind for the blocks that the proof is about.
async fn ask(config: &anchor::Config, claims: Claims) -> (Claims, Result<Verdict, String>) {
    let claims = Arc::new(claims);
    let said = Judge::new(Chain::new(config)).judge(claims.clone()).await.map_err(|error| error.to_string());
    (Arc::unwrap_or_clone(claims), said)
}

fn wanted(claims: &Claims) -> BTreeSet<u32> {
    verify::heights(claims).into_iter().collect()
}

fn by(claims: &Claims, headers: &Headers) -> Verdict {
    let known = |heights: &[u32]| Ok(heights.iter().map(|height| headers.wanted.get(height).copied()).collect());
    match verify::verdict::<std::convert::Infallible>(claims, known) {
        Ok(verdict) => verdict,
    }
}

impl By {
    /// Of which headers he knows; a bitcoind has all.
    fn range(&self) -> Option<&Range> {
        match self {
            Self::Bitcoind => None,
            Self::Imported(range) | Self::Headers(range) => Some(range),
        }
    }
}

impl Range {
    fn of(headers: &Headers) -> Self {
        let is_linked = headers.grade == Grade::Checkpointed;
        let work = (headers.work.log2() * 10.0).round() / 10.0;
        Self { first: headers.first, tip: headers.tip, work, is_linked }
    }
}

impl Case {
    /// For people and for scripts. `said` without a verdict: nobody could judge, for this reason.
    fn told(
        &self,
        args: &Args,
        said: &Result<Verdict, String>,
        judge: Option<&By>,
        network: Network,
        note: Option<&str>,
    ) -> Result<Output, Failure> {
        let grade = match (said, judge) {
            (Ok(Verdict::Pending { .. }), _) => Some(Grade::Pending),
            (Ok(Verdict::Proven { .. }), Some(By::Bitcoind)) => Some(Grade::FullNode),
            (Ok(Verdict::Proven { .. }), Some(By::Imported(range) | By::Headers(range))) => {
                Some(if range.is_linked { Grade::Checkpointed } else { Grade::HeaderWorkOnly })
            }
            _ => None,
        };
        let at = |time: u32| Timestamp::from_second(i64::from(time)).map(|t| t.to_string()).unwrap_or_default();
        let time = match said {
            Ok(Verdict::Proven { time, .. }) => Some(at(*time)),
            _ => None,
        };
        let (kind, sentence) = self.sentence(said, judge, network);
        let report = Report {
            file: &args.what,
            proof: &self.proof,
            hash: &self.hash,
            digest: hex::encode(&self.digest),
            verified: kind.is_none(),
            result: said.as_ref().ok(),
            grade,
            network,
            time,
            judge,
            sentence: &sentence,
        };
        let mut text = vec![format!("{} {sentence}", if kind.is_none() { "✓" } else { "✗" })];
        if let Ok(Verdict::Proven { height, block, .. }) = said {
            text.push(format!("  {network:?} block {height}: {block}"));
            text.push("  Proven: these bytes existed before that time. Not proven: who wrote them.".into());
            text.extend(grade.map(|grade| format!("  {}", explained(grade, judge, *height))));
            text.extend(self.doubt(network, judge));
        }
        text.extend(note.map(|note| format!("  ({note})")));
        let output = Output::told(&report, text.join("\n"))?;
        Ok(match kind {
            Some(kind) => output.failed_as(kind),
            None => output,
        })
    }

    fn sentence(&self, said: &Result<Verdict, String>, judge: Option<&By>, network: Network) -> (Option<Kind>, String) {
        let (name, proof) = (&self.name, &self.proof);
        match said {
            Ok(Verdict::Proven { height, time, .. }) => {
                let when = Timestamp::from_second(i64::from(*time)).map(|t| t.to_string()).unwrap_or_default();
                let text = format!("{name} existed before block {height} was made: {when} (true to about two hours)");
                (None, text)
            }
            Ok(Verdict::OtherData) => (Some(Kind::Failed), format!("{proof} is a proof of other bytes than {name}")),
            Ok(Verdict::NotInBlock { height }) => (
                Some(Kind::Failed),
                format!(
                    "block {height} does not hold what {proof} says: the proof was changed, the block reorganised away, or it is of another network than {network:?}"
                ),
            ),
            Ok(Verdict::NoSuchBlock { height }) => match judge.and_then(By::range) {
                Some(range) if *height < u64::from(range.first) => (
                    Some(Kind::Network),
                    format!(
                        "{name} is not verified: the headers begin with block {}, and {proof} is about block {height}: take some that begin lower (\"toft anchor headers export --from {height} -o FILE\" beside a bitcoind), or start bitcoind",
                        range.first
                    ),
                ),
                Some(range) => (
                    Some(Kind::Pending),
                    format!(
                        "the headers are of blocks {} to {}, and {proof} is about block {height}: take newer ones (toft anchor headers export, import), or start bitcoind",
                        range.first, range.tip
                    ),
                ),
                None => (
                    Some(Kind::Pending),
                    format!("your bitcoind does not have block {height} yet: try again when it has caught up"),
                ),
            },
            Ok(Verdict::Pending { calendars }) => (
                Some(Kind::Pending),
                format!("only calendars vouch for it so far ({}): upgrade the proof first", calendars.join(", ")),
            ),
            Ok(Verdict::Unattested) => (Some(Kind::Failed), format!("{proof} names nothing that could vouch for it")),
            Err(why) => (
                Some(Kind::Network),
                format!(
                    "{name} is not verified: nobody here can judge {proof}. {why}; or bring headers in: \"toft anchor headers export -o FILE\" beside a bitcoind, \"toft anchor headers import FILE\" here"
                ),
            ),
        }
    }

    /// What a judge could not see.
    fn doubt(&self, network: Network, judge: Option<&By>) -> Vec<String> {
        let mut doubts = Vec::new();
        if network == Network::Signet && !matches!(judge, Some(By::Bitcoind)) {
            doubts.push("  Signet's blocks are signed, which headers do not show.".to_owned());
        }
        if self.hash == "sha1" {
            doubts.push("  The proof names the file by its SHA-1, which two files can be made to share.".to_owned());
        }
        doubts
    }
}

fn explained(grade: Grade, judge: Option<&By>, height: u64) -> String {
    let headers = match judge {
        Some(By::Imported(range)) => Some(("imported", range)),
        Some(By::Headers(range)) => Some(("given", range)),
        _ => None,
    };
    let Some((which, range)) = headers else {
        return "Grade full_node: asked of your bitcoind".into();
    };
    let after = u64::from(range.tip).saturating_sub(height);
    let young = if after < u64::from(SETTLED) { ": so few that it may still be reorganised away" } else { "" };
    let of = format!("headers {which}, blocks {} to {}; {after} follow on this one{young}", range.first, range.tip);
    match grade {
        Grade::HeaderWorkOnly => format!(
            "Grade header_work_only: {of}. They have their proof of work (2^{:.1} hashes in all), but the newest block that toft knows is not among them: whoever made them could have made this block too",
            range.work
        ),
        _ => format!(
            "Grade checkpointed: {of}. They keep the rules of the network and are linked to a block that toft knows"
        ),
    }
}

/// Reads a file to its end.
fn pour(path: &Path, mut to: impl FnMut(&[u8])) -> Result<(), Failure> {
    let mut file = std::fs::File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut piece = vec![0; PIECE];
    loop {
        let n = file.read(&mut piece).with_context(|| format!("reading {}", path.display())).map_err(Failure::from)?;
        if n == 0 {
            return Ok(());
        }
        to(piece.get(..n).unwrap_or_default());
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
    Failure::new(kind, format!("cannot read {}: {error}", path.display()))
}
