//! `toft id`: who this node is, and its other identities. With a running node the changes are its own; else they are made here.

use super::{
    context::Context,
    file::Target,
    init::tell_words,
    output::Output,
    passphrase::{self, Brought},
};
use crate::{
    audit::{Audit, What},
    crypto::phrase::Phrase,
    daemon::Lock,
    identity::{self, Content, Made, Method, Shown},
    rpc::control::{
        Failure, Kind, NoParams,
        identity::{Come, Create, Exported, List, New, One, Rotate, Rotation, Sealing, Use, Which},
    },
    vault::{self, Closed, Keys, PASSPHRASE_MAX, Passphrase, Secrets, Vault, read_short},
};
use anyhow::{Context as _, Error};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the identities of this node.
    Ls {
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Make another identity.
    New {
        #[arg(long, value_name = "METHOD", default_value = "dht")]
        method: Method,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Let the node itself be this identity, from its next start on.
    Use {
        did: String,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Show an identity (without a DID: the node's own).
    Show {
        did: Option<String>,
        /// As a QR code, to be read off the screen.
        #[arg(long)]
        qr: bool,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Let a next key sign for a did:dht. What the one before has signed still verifies.
    Rotate {
        did: Option<String>,
        /// Somebody else may have the key: do not publish it any more.
        #[arg(long)]
        compromised: bool,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Write an identity with its keys to a file, under a passphrase of its own.
    Export {
        did: Option<String>,
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        file: OfFile,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Add an identity that was exported.
    Import {
        file: PathBuf,
        #[command(flatten)]
        of_file: OfFile,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Add the identity of a recovery phrase: one of toft, or one of a web5 agent.
    Recover {
        #[command(flatten)]
        words: Words,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Check that a recovery phrase is that of an identity of this node.
    VerifyPhrase {
        #[command(flatten)]
        words: Words,
        #[command(flatten)]
        passphrase: Brought,
    },
    /// Lock the keys with a passphrase, change it, or go back to a key file. Needs a stopped node.
    Passphrase {
        /// File with the new passphrase.
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// No passphrase any more: a key file opens the keys (identity.key_file).
        #[arg(long, conflicts_with = "new_passphrase_file")]
        none: bool,
        #[command(flatten)]
        passphrase: Brought,
    },
}

/// The passphrase of an exported file.
#[derive(Debug, clap::Args)]
pub struct OfFile {
    /// File with the passphrase of the exported file. Without it: what is typed.
    #[arg(long, value_name = "FILE")]
    export_passphrase_file: Option<PathBuf>,
}

/// A recovery phrase.
#[derive(Debug, clap::Args)]
pub struct Words {
    /// File with the words. Without it: what is typed.
    #[arg(long, value_name = "FILE")]
    phrase_file: Option<PathBuf>,
}

pub async fn run(context: &Context, command: Option<Command>) -> Result<Output, Failure> {
    let keys = keys(context)?;
    let Some(command) = command else {
        let own = keys.own()?;
        return Ok(Output::new(json!({"did": own.did, "kid": own.kid, "home": context.home}), own.did));
    };
    let home = Home { context, keys };
    match command {
        Command::Ls { passphrase } => {
            Output::of(&home.list(&passphrase).await?, |all| all.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Command::New { method, passphrase } => new(&home, method, &passphrase).await,
        Command::Use { did, passphrase } => choose(&home, did, &passphrase).await,
        Command::Show { did, qr, passphrase } => show(home.one(did, &passphrase).await?, qr),
        Command::Rotate { did, compromised, passphrase } => rotate(&home, did, compromised, &passphrase).await,
        Command::Export { did, output, file, passphrase } => export(&home, did, &output, &file, &passphrase).await,
        Command::Import { file, of_file, passphrase } => import(&home, &file, &of_file, &passphrase).await,
        Command::Recover { words, passphrase } => {
            let recovered = identity::of_phrase(&words.read(context)?, &identity::now())?;
            let added = home.add(recovered, &passphrase, Come::Recovered).await?;
            let text = format!(
                "✓ Recovered  {}\n  It signs with the first key of the phrase. Had it rotated, bring back the exported file or a backup \
                 instead\n→ To be it: {}",
                added.did,
                context.next(&format!("id use {}", added.did))
            );
            Output::told(&added, text)
        }
        Command::VerifyPhrase { words, passphrase } => verify(&home, &words, &passphrase).await,
        Command::Passphrase { new_passphrase_file, none, passphrase } => {
            protect(&home, new_passphrase_file, none, &passphrase)
        }
    }
}

/// The sealed keys of the home.
fn keys(context: &Context) -> Result<Vault, Failure> {
    let keys = context.config(&[])?.identity.vault(&context.home)?;
    if !keys.exists() {
        let message =
            format!("{} is no toft home yet; make one with: {}", context.home.display(), context.next("init"));
        return Err(Failure::new(Kind::NotFound, message));
    }
    Ok(keys)
}

struct Home<'a> {
    context: &'a Context,
    keys: Vault,
}

/// Who changes the keys.
enum Way {
    /// This process, which holds the home.
    Here(Lock),
    /// The node that does.
    Node,
}

impl Home<'_> {
    fn way(&self) -> Result<Way, Failure> {
        match Lock::take(&self.context.home) {
            Ok(lock) => Ok(Way::Here(lock)),
            // Whoever else holds the home has no socket, and says so.
            Err(_) if self.context.home.join(self.context.config(&[])?.rpc.socket).exists() => Ok(Way::Node),
            Err(error) => Err(Failure::new(Kind::Conflict, format!("{error:#}"))),
        }
    }

    async fn list(&self, brought: &Brought) -> Result<Vec<Shown>, Failure> {
        if let Way::Node = self.way()? {
            return self.context.client()?.call::<List>(&NoParams {}).await;
        }
        let secrets = self.open(brought)?;
        let shown = secrets.identities.iter().map(|keys| Shown::of(keys, &secrets.default));
        Ok(shown.collect::<Result<_, _>>()?)
    }

    /// The identity that is meant.
    async fn one(&self, did: Option<String>, brought: &Brought) -> Result<Shown, Failure> {
        let all = self.list(brought).await?;
        let is_meant = |shown: &Shown| did.as_ref().map_or(shown.default, |did| shown.did == *did);
        all.into_iter().find(is_meant).ok_or_else(|| missing(&did.unwrap_or_default()))
    }

    fn open(&self, brought: &Brought) -> Result<Secrets, Failure> {
        self.keys.open(brought.open(self.context, &self.keys)?.as_ref()).map_err(closed)
    }

    /// Changes the keys here.
    fn change<T>(
        &self,
        brought: &Brought,
        change: impl FnOnce(&mut Secrets) -> Result<T, Error>,
    ) -> Result<(Secrets, T), Failure> {
        let passphrase = brought.open(self.context, &self.keys)?;
        self.keys.change(passphrase.as_ref(), change).map_err(closed)
    }

    /// Hands the passphrase, if it takes one, and keys to the running node.
    async fn hand(&self, brought: &Brought, keys: Option<Keys>) -> Result<Option<identity::Handed>, Failure> {
        let passphrase = brought.open(self.context, &self.keys)?;
        if passphrase.is_none() && keys.is_none() {
            return Ok(None);
        }
        let key = self.context.client()?.call::<Sealing>(&NoParams {}).await?;
        Ok(Some(Content { passphrase, keys }.seal(&key)?))
    }

    async fn add(&self, keys: Keys, brought: &Brought, come: Come) -> Result<Shown, Failure> {
        match self.way()? {
            Way::Node => {
                let handed = self.hand(brought, Some(keys)).await?;
                self.context.client()?.call::<Create>(&New { method: None, handed, come: Some(come) }).await
            }
            Way::Here(lock) => {
                let did = keys.did.clone();
                let (secrets, ()) = self.change(brought, |secrets| secrets.add(keys))?;
                self.note(&lock, come.what(), json!({"did": did})).context("the identity is added")?;
                shown(&secrets, &did)
            }
        }
    }

    /// Writes down what was done here; a running node does so itself.
    fn note(&self, _held: &Lock, what: What, about: Value) -> Result<(), Error> {
        Audit::open(&self.context.home, Timestamp::now())?.write(what, "owner", about)
    }
}

async fn new(home: &Home<'_>, method: Method, brought: &Brought) -> Result<Output, Failure> {
    let Made { keys, phrase } = identity::new(method, &identity::now())?;
    let added = home.add(keys, brought, Come::Made).await?;
    let mut text = format!("✓ Identity   {}\n", added.did);
    let mut json = serde_json::to_value(&added).context("the result as JSON")?;
    if let Some(words) = phrase.map(|phrase| phrase.words()) {
        text += &format!("{}\n", tell_words(&words));
        json["recovery_phrase"] = words.as_str().into();
    }
    text += &format!("→ Its records are kept here. To be it: {}", home.context.next(&format!("id use {}", added.did)));
    Ok(Output::new(json, text))
}

async fn choose(home: &Home<'_>, did: String, brought: &Brought) -> Result<Output, Failure> {
    let used = match home.way()? {
        Way::Node => {
            let handed = home.hand(brought, None).await?;
            home.context.client()?.call::<Use>(&One { did, handed }).await?
        }
        Way::Here(lock) => {
            let (secrets, found) = home.change(brought, |secrets| {
                let found = secrets.keys(&did).is_some();
                if found {
                    secrets.default.clone_from(&did);
                }
                Ok(found)
            })?;
            if !found {
                return Err(missing(&did));
            }
            home.note(&lock, What::IdentityUsed, json!({"did": did})).context("the identity is chosen")?;
            shown(&secrets, &did)?
        }
    };
    let text = format!(
        "✓ The node is {} from its next start on. Records stay under the DID that they are under; devices and others who knew the one \
         before are told by you",
        used.did
    );
    Output::told(&used, text)
}

fn show(shown: Shown, qr: bool) -> Result<Output, Failure> {
    let mut text = line(&shown);
    text += &format!("\n  signs with {}{}", shown.kid, if shown.locked { ", locked" } else { "" });
    for past in &shown.past {
        let why = if past.compromised { ", given up" } else { "" };
        text += &format!("\n  until {} with {}{why}", past.until, past.kid);
    }
    if qr {
        let code =
            qrcode::QrCode::new(&shown.did).map_err(|e| Failure::new(Kind::Failed, format!("no QR code: {e}")))?;
        text += &format!("\n\n{}", code.render::<qrcode::render::unicode::Dense1x2>().build());
    }
    Output::told(&shown, text)
}

async fn rotate(home: &Home<'_>, did: Option<String>, compromised: bool, brought: &Brought) -> Result<Output, Failure> {
    let did = did.map_or_else(|| home.keys.own().map(|own| own.did), Ok)?;
    if Method::of(&did) != Some(Method::Dht) {
        return Err(Failure::new(Kind::Conflict, identity::cannot_rotate(&did)));
    }
    let rotated = match home.way()? {
        Way::Node => {
            let handed = home.hand(brought, None).await?;
            home.context.client()?.call::<Rotate>(&Rotation { did, compromised, handed }).await?
        }
        Way::Here(lock) => {
            let (secrets, ()) = home.change(brought, |secrets| {
                let keys = secrets.identities.iter_mut().find(|keys| keys.did == did);
                let keys = keys.with_context(|| format!("{did} is no identity of this node"))?;
                identity::rotate(keys, compromised, &identity::now())
            })?;
            let rotated = shown(&secrets, &did)?;
            let about = json!({"did": did, "kid": rotated.kid, "compromised": compromised});
            home.note(&lock, What::IdentityRotated, about).context("the next key signs")?;
            rotated
        }
    };
    let text = format!("✓ {} signs from now on; what was signed before still verifies", rotated.kid);
    Output::told(&rotated, text)
}

async fn export(
    home: &Home<'_>,
    did: Option<String>,
    output: &Path,
    of_file: &OfFile,
    brought: &Brought,
) -> Result<Output, Failure> {
    let to = match Target::find(output, false)? {
        Target::File { path, .. } => path,
        _ => return Err(Failure::new(Kind::Usage, "an identity is exported to a file, which is yours alone")),
    };
    let way = home.way()?;
    let secrets = home.open(brought)?;
    let did = did.unwrap_or_else(|| secrets.default.clone());
    let keys = secrets.keys(&did).ok_or_else(|| missing(&did))?;
    let passphrase = match &of_file.export_passphrase_file {
        Some(path) => Passphrase::chosen(file(path, PASSPHRASE_MAX + 2)?)?,
        None if passphrase::may_ask(home.context) => passphrase::choose("Passphrase for the file: ")?
            .ok_or_else(|| Failure::new(Kind::Usage, "a file with keys has a passphrase"))?,
        None => return Err(Failure::new(Kind::Usage, "give the file's passphrase with --export-passphrase-file FILE")),
    };
    let exported = identity::export(keys, &passphrase)?;
    // First: what cannot be written down does not leave.
    match &way {
        Way::Here(lock) => home.note(lock, What::IdentityExported, json!({"did": did}))?,
        Way::Node => {
            home.context.client()?.call::<Exported>(&Which { did: Some(did.clone()) }).await?;
        }
    }
    vault::write_private(&to, exported.as_bytes())?;
    let text =
        format!("✓ {did}\n  with its keys is in {}; with that and its passphrase, who has it is you", to.display());
    Ok(Output::new(json!({"did": did, "file": to}), text))
}

async fn import(home: &Home<'_>, from: &Path, of_file: &OfFile, brought: &Brought) -> Result<Output, Failure> {
    let text = file(from, identity::FILE_MAX)?;
    let text = std::str::from_utf8(&text).context("the file is no text")?;
    let passphrase = match &of_file.export_passphrase_file {
        Some(path) => Passphrase::given(file(path, PASSPHRASE_MAX + 2)?)?,
        None if passphrase::may_ask(home.context) => passphrase::ask("Passphrase of the file: ")?,
        None => return Err(Failure::new(Kind::Usage, "give the file's passphrase with --export-passphrase-file FILE")),
    };
    let keys = identity::import(text, &passphrase);
    let keys = keys.map_err(|error| Failure::new(Kind::Denied, format!("{}: {error:#}", from.display())))?;
    let added = home.add(keys, brought, Come::Imported).await?;
    let text =
        format!("✓ Imported   {}\n→ To be it: {}", added.did, home.context.next(&format!("id use {}", added.did)));
    Output::told(&added, text)
}

async fn verify(home: &Home<'_>, words: &Words, brought: &Brought) -> Result<Output, Failure> {
    let did = identity::of_phrase(&words.read(home.context)?, "")?.did;
    let all = home.list(brought).await?;
    if !all.iter().any(|shown| shown.did == did) {
        let message = format!("the words are those of {did}, which is no identity of this node");
        return Err(Failure::new(Kind::NotFound, message));
    }
    Ok(Output::new(json!({"did": did}), format!("✓ The words bring back {did}")))
}

fn protect(home: &Home<'_>, new_file: Option<PathBuf>, none: bool, brought: &Brought) -> Result<Output, Failure> {
    let Way::Here(lock) = home.way()? else {
        return Err(Failure::new(Kind::Conflict, "the node runs: stop it first, then change what opens its keys"));
    };
    let passphrase = brought.open(home.context, &home.keys)?;
    let next = match new_file {
        _ if none => None,
        Some(path) => Some(Passphrase::chosen(file(&path, PASSPHRASE_MAX + 2)?)?),
        None if passphrase::may_ask(home.context) => Some(
            passphrase::choose("New passphrase: ")?
                .ok_or_else(|| Failure::new(Kind::Usage, "nothing was typed, and nothing changed; see --none"))?,
        ),
        None => return Err(Failure::new(Kind::Usage, "give the new one with --new-passphrase-file FILE, or --none")),
    };
    home.keys.protect(passphrase.as_ref(), next.as_ref()).map_err(closed)?;
    let about = json!({"passphrase": next.is_some()});
    home.note(&lock, What::PassphraseChanged, about).context("the keys are sealed anew")?;
    let what = if next.is_some() {
        "Your passphrase opens the keys, and nothing else does"
    } else {
        "A key file opens the keys"
    };
    let text =
        format!("✓ {what}\n! Backups that were taken before still open as they did: remove them where that matters");
    Ok(Output::new(json!({"passphrase": next.is_some()}), text))
}

impl Words {
    fn read(&self, context: &Context) -> Result<Phrase, Failure> {
        let text = match &self.phrase_file {
            Some(path) => file(path, PASSPHRASE_MAX)?,
            None if passphrase::may_ask(context) => passphrase::typed("The words, with spaces (they are not shown): ")?,
            None => return Err(Failure::new(Kind::Usage, "give the words with --phrase-file FILE")),
        };
        let text = std::str::from_utf8(&text).context("the phrase is no text")?;
        Phrase::parse(text).map_err(|error| Failure::new(Kind::Usage, error.to_string()))
    }
}

fn file(path: &Path, most: usize) -> Result<zeroize::Zeroizing<Vec<u8>>, Failure> {
    read_short(path, most)?
        .ok_or_else(|| Failure::new(Kind::NotFound, format!("{}: there is no such file", path.display())))
}

fn shown(secrets: &Secrets, did: &str) -> Result<Shown, Failure> {
    let keys = secrets.keys(did).ok_or_else(|| missing(did))?;
    Ok(Shown::of(keys, &secrets.default)?)
}

fn line(shown: &Shown) -> String {
    format!("{}{}", shown.did, if shown.default { "  (the node itself)" } else { "" })
}

fn missing(did: &str) -> Failure {
    Failure::new(Kind::NotFound, format!("{did} is no identity of this node; see: toft id ls"))
}

fn closed(error: Error) -> Failure {
    match error.downcast_ref() {
        Some(Closed::Wrong) => Failure::new(Kind::Denied, error.to_string()),
        Some(Closed::Needed) => Failure::new(Kind::Usage, error.to_string()),
        None => error.into(),
    }
}
