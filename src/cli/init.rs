//! `toft init`: a home with identity, sealed keys and node.toml.

use super::{
    context::Context,
    output::{Output, aside},
    passphrase::{Brought, may_ask},
};
use crate::{
    anchor::{
        self,
        config::{Mode, Path},
    },
    audit::{Audit, What},
    config::{self, Config},
    daemon::Lock,
    identity::{self, Made, Method},
    rpc::control::{Failure, Kind},
    vault::{self, Passphrase, Secrets},
};
use anyhow::{Context as _, Error, bail};
use jiff::Timestamp;
use serde_json::json;
use std::{fs, io::Write as _};
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kind of the identity (default: key, or dht with --publish).
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
    /// Consent to publishing: a did:dht whose document others can look up (identity.publish = true).
    #[arg(long)]
    publish: bool,
    /// May public OpenTimestamps calendars be asked for time proofs? calendar: yes; off: nothing is anchored. Without it this is
    /// asked on a terminal; no terminal means no.
    #[arg(long, value_name = "WHO")]
    anchor: Option<Anchor>,
    #[command(flatten)]
    passphrase: Brought,
}

/// Who brings time proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Anchor {
    /// OpenTimestamps calendars, which get one hash every few hours and nothing else.
    Calendar,
    /// Nobody.
    Off,
}

/// What kind of home is made.
#[derive(Debug, Clone, Copy)]
pub struct New {
    method: Method,
    publish: bool,
    /// What was answered; nobody was asked: no, until the owner says otherwise.
    anchor: Option<Anchor>,
}

impl New {
    /// What the settings say.
    pub fn default_of(settings: &Config) -> Self {
        let publish = settings.identity.publish;
        Self { method: if publish { Method::Dht } else { Method::Key }, publish: false, anchor: None }
    }
}

/// A home that has just been made.
#[derive(Debug)]
pub struct Home {
    pub did: String,
    /// The recovery phrase, to be told once.
    pub words: Option<Zeroizing<String>>,
}

pub fn run(context: &Context, args: &Args) -> Result<Output, Failure> {
    let settings = context.config(&[])?;
    let home = context.home.display();
    if settings.identity.vault(&context.home)?.exists() {
        let message = format!("{home} is a toft home already; nothing was changed. Next: {}", context.next("up"));
        return Err(Failure::new(Kind::Conflict, message));
    }
    let file = context.home.join(config::FILE);
    let is_set = file.exists();
    if is_set {
        agree(context, args)?;
    }
    let passphrase = args
        .passphrase
        .choose(context, "Passphrase to lock the keys with (Enter: none; a key file beside them opens them then): ")?;
    // An answer could not be written: the file is the owner's.
    let answer = if is_set { args.anchor } else { args.anchor.map_or_else(|| ask(context), |a| Ok(Some(a)))? };
    vault::make_private_dir(&context.home)?;
    let _lock = Lock::take(&context.home)?;
    let default = New::default_of(&settings);
    let publish = args.publish;
    let method = args.method.unwrap_or(if publish { Method::Dht } else { default.method });
    let made = prepare(&context.home, &settings, New { method, publish, anchor: answer }, passphrase.as_ref())?;
    let opened = match &passphrase {
        Some(_) => "sealed, opened by your passphrase alone",
        None => "sealed, readable by you alone",
    };
    let mut text = format!(
        "✓ Identity   {}\n✓ Keys       {home}/{}   {opened}\n✓ Settings   {home}/{}\n",
        made.did,
        settings.identity.keys,
        config::FILE
    );
    // What counts is what is in force, whoever has said it.
    let now = context.config(&[])?.anchor;
    text += &format!("{}\n", tell_anchor(context, &now));
    if let Some(words) = &made.words {
        text += &format!("{}\n", tell_words(words));
    }
    text += &format!("→ Next: {}", context.next("up"));
    let calendars = now.path() == Some(Path::Calendars);
    let mut json = json!({"did": made.did, "home": context.home, "calendars": calendars});
    if let Some(words) = made.words {
        json["recovery_phrase"] = words.as_str().into();
    }
    Ok(Output::new(json, text))
}

/// Asked once, where there is somebody to ask. Whatever is not a yes is a no.
fn ask(context: &Context) -> Result<Option<Anchor>, Error> {
    if !may_ask(context) {
        return Ok(None);
    }
    aside(
        "May toft ask public OpenTimestamps calendars for time proofs? They get one hash every few hours, nothing else. [y/N]",
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("reading from the terminal")?;
    let yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    Ok(yes.then_some(Anchor::Calendar))
}

/// Settings that are there already are not changed: do they say what was asked for?
fn agree(context: &Context, args: &Args) -> Result<(), Failure> {
    let written = Config::load(&context.home, [], &[])?;
    let path = written.anchor.path();
    let lacking = match args.anchor {
        Some(Anchor::Calendar) if path != Some(Path::Calendars) => {
            "mode = \"auto\" below [anchor] and consent = true below [anchor.calendar]"
        }
        Some(Anchor::Off) if path.is_some() => "mode = \"off\" below [anchor]",
        _ if args.publish && !written.identity.publish => "publish = true below [identity]",
        _ => return Ok(()),
    };
    let file = context.home.join(config::FILE);
    let message = format!(
        "{} is there already and says otherwise; nothing was made. Write {lacking} there, or leave that option out",
        file.display()
    );
    Err(Failure::new(Kind::Conflict, message))
}

/// What is so, plainly.
fn tell_anchor(context: &Context, settings: &anchor::Config) -> String {
    let yes = context.next("config set anchor.calendar.consent true");
    let told = match (settings.path(), settings.mode) {
        (Some(Path::Calendars), mode) => {
            let why = if mode == Mode::Auto { "anchor.calendar.consent = true" } else { "anchor.mode = \"calendar\"" };
            format!("by OpenTimestamps calendars, which get one hash every few hours and nothing else ({why})")
        }
        (Some(Path::Wallet), _) => {
            format!("from the wallet \"{}\" of your bitcoind (anchor.mode = \"wallet\")", settings.bitcoin.wallet)
        }
        (Some(Path::Psbt), _) => "by transactions that you sign (anchor.mode = \"psbt\")".to_owned(),
        (None, Mode::Auto) => {
            format!(
                "off until you say so: no time proofs, nothing is sent. To have OpenTimestamps calendars asked: {yes}"
            )
        }
        (None, Mode::Wallet) => format!("off: {}", settings.warning().unwrap_or_default()),
        (None, _) => format!(
            "off: no time proofs, nothing is sent (anchor.mode = \"off\"). To change that: {} and {yes}",
            context.next("config set anchor.mode auto")
        ),
    };
    format!("✓ Anchoring  {told}")
}

/// The recovery phrase, as it is shown once.
pub fn tell_words(words: &str) -> String {
    format!(
        "✓ Recovery   {words}\n             Twelve words that bring this identity back, shown this once. Write them down on paper; \
         check them with: toft id verify-phrase"
    )
}

/// Makes the home, which the caller has locked. Keys come last: a home with keys is a whole one.
pub fn prepare(
    home: &std::path::Path,
    settings: &Config,
    new: New,
    passphrase: Option<&Passphrase>,
) -> Result<Home, Error> {
    let keys = settings.identity.vault(home)?;
    if keys.exists() {
        bail!("{} has been made a home by another process just now; run the command again", home.display());
    }
    if home.join("store").exists() {
        bail!(
            "{} holds records and {} no keys: put the keys back, or move the records away; no new identity is made over them",
            home.display(),
            home.join(&settings.identity.keys).display()
        );
    }
    let file = home.join(config::FILE);
    let mut text = match new.publish {
        true => config::DEFAULT.replacen("publish = false", "publish = true", 1),
        false => config::DEFAULT.to_owned(),
    };
    match new.anchor {
        Some(Anchor::Calendar) => text = text.replacen("consent = false", "consent = true", 1),
        Some(Anchor::Off) => text = text.replacen("mode = \"auto\"", "mode = \"off\"", 1),
        None => {}
    }
    match fs::File::create_new(&file) {
        Ok(mut new) => new
            .write_all(text.as_bytes())
            .and_then(|()| new.sync_all())
            .with_context(|| format!("writing {}", file.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => {
            let hint = "choose another home with --home or TOFT_HOME";
            return Err(e).with_context(|| format!("cannot write {}: {hint}", file.display()));
        }
    }
    let Made { keys: first, phrase } = identity::new(new.method, &identity::now())?;
    let did = first.did.clone();
    keys.create(&Secrets::new(first)?, passphrase)?;
    let about = json!({"did": did, "method": new.method});
    Audit::open(home, Timestamp::now())?.write(What::HomeMade, "owner", about).context("the home is made")?;
    Ok(Home { did, words: phrase.map(|phrase| phrase.words()) })
}
