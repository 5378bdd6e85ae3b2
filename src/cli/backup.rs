//! `toft backup create | verify | restore | drill`: copies of the home, and the proof that they are good.

use super::{
    context::Context,
    output::{Output, bytes},
    passphrase::Brought,
    stop::interruptible,
};
use crate::{
    backup::{self, Check, Restored, Source, Wish},
    blocks::Blocks,
    config,
    daemon::Lock,
    identity,
    rpc::control::{
        Failure, Kind,
        backup::{self as control, Target},
    },
    store::Store,
};
use anyhow::{Context as _, Error};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a snapshot of this home to a backup, whether or not the node runs. It holds the keys as well.
    Create { dir: PathBuf },
    /// Check signatures and hashes of all that a backup holds, and read all that is in the newest snapshot.
    Verify {
        dir: PathBuf,
        #[command(flatten)]
        whose: Whose,
    },
    /// Put the newest snapshot into this home (--home), which must be empty. What is damaged in the backup is listed (1),
    /// and all else restored.
    Restore {
        dir: PathBuf,
        /// What came after this moment is left out, e.g. 2026-11-21T09:00:00Z.
        #[arg(long, value_name = "TIME")]
        at: Option<jiff::Timestamp>,
        /// Into a home that exists and whose node does not run: put back what it lacks, and blocks that are damaged.
        #[arg(long, conflicts_with = "at")]
        only_missing: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Restore the newest snapshot for trial, compare it with the home as it was, read everything in it, and take it
    /// away again.
    Drill {
        dir: PathBuf,
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Debug, clap::Args)]
pub struct Whose {
    /// Whose backup it is; snapshots that somebody else has signed are no good. Without it: this home's, or, where there is
    /// none, that of who signed the oldest snapshot.
    #[arg(long, value_name = "DID")]
    did: Option<String>,
}

impl Whose {
    fn or_this_home(self, context: &Context) -> Option<String> {
        let of_home = || {
            let keys = context.config(&[]).ok()?.identity.vault(&context.home).ok()?;
            Some(keys.own().ok()?.did)
        };
        self.did.or_else(of_home)
    }
}

pub async fn run(context: &Context, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Create { dir } => create(context, &absolute(&dir)?).await,
        Command::Verify { dir, whose } => {
            let whose = whose.or_this_home(context);
            let found = backup::verify(&dir, whose.as_deref(), &interruptible()?).await?;
            if !found.damaged.is_empty() {
                return Err(Failure::new(Kind::Failed, found.damaged.join("\n  ")));
            }
            let text = format!(
                "✓ {}: {} snapshots, {} objects, {}: all whole",
                found.did,
                found.snapshots,
                found.objects,
                bytes(found.bytes)
            );
            Output::told(&found, text)
        }
        Command::Restore { dir, only_missing: true, whose, .. } => {
            let done = mend(context, &dir, whose.or_this_home(context)).await?;
            let mut text = format!(
                "{} {} from {}: {} files, {}, and {} blocks put back",
                if done.missing.is_empty() { "✓" } else { "!" },
                done.did,
                done.snapshot,
                done.files,
                bytes(done.bytes),
                done.healed
            );
            text += &still_missing(&done.missing);
            text += &format!("\n→ Next: {}", context.next("up"));
            let failed = !done.missing.is_empty();
            Ok(Output::told(&done, text)?.failed_if(failed))
        }
        Command::Restore { dir, at, whose, .. } => {
            let (home, stop) = (context.home.clone(), interruptible()?);
            let wish = Wish { at, whose: whose.did };
            let done = blocking(move || backup::restore(&dir, &home, &wish, &stop)).await?;
            let mark = if done.missing.is_empty() { "✓" } else { "!" };
            let mut text = format!(
                "{mark} {} restored from {}: {} files, {}",
                done.did,
                done.snapshot,
                done.files,
                bytes(done.bytes)
            );
            text += &still_missing(&done.missing);
            if done.messages_gone + done.data_gone > 0 {
                text += &format!(
                    "\n! Compaction had taken some of what was there then: {} messages (their records stand at their first \
                     state) and the data of {} more are missing",
                    done.messages_gone, done.data_gone
                );
            }
            text += &format!("\n→ Next: {}", context.next("up"));
            let failed = !done.missing.is_empty();
            Ok(Output::told(&done, text)?.failed_if(failed))
        }
        Command::Drill { dir, whose } => {
            let done = backup::drill(&dir, whose.or_this_home(context).as_deref(), &interruptible()?).await?;
            let found = &done.scrubbed;
            if found.damaged > 0 {
                return Err(Failure::new(Kind::Failed, found.named.join("\n  ")));
            }
            let text = format!(
                "✓ {} restores in {:.1} s: {} messages, {} blocks, {}, all whole; {}",
                done.restored.snapshot,
                done.took.as_secs_f64(),
                found.messages,
                found.blocks,
                bytes(found.bytes),
                match done.compared {
                    true => format!("the home it was taken of, by fingerprint {:.16}…", done.fingerprint),
                    false => "the snapshot has no fingerprint to compare with".into(),
                }
            );
            Output::told(&done, text)
        }
    }
}

async fn create(context: &Context, dir: &Path) -> Result<Output, Failure> {
    let taken = match context.client()?.call::<control::Create>(&Target { dir: dir.to_owned() }).await {
        Err(failure) if failure.kind == Kind::Network => offline(context, dir).await?,
        answer => answer?,
    };
    let mut text = format!(
        "{} {}: {} files, {}; new: {} files, {}{}{}\n! It holds the keys: who has {} has this identity",
        if taken.damaged.is_empty() { "✓" } else { "!" },
        taken.snapshot,
        taken.files,
        bytes(taken.bytes),
        taken.new_files,
        bytes(taken.new_bytes),
        match taken.linked {
            0 => String::new(),
            linked => format!(" ({linked} of them links to this home's)"),
        },
        match taken.mended {
            0 => String::new(),
            mended => format!("; {mended} objects were damaged in the backup and are whole again"),
        },
        dir.display()
    );
    if !taken.damaged.is_empty() {
        text += &format!("\n✗ Damaged in this home, and so not in the backup:\n  {}", taken.damaged.join("\n  "));
    }
    Ok(Output::told(&taken, text)?.failed_if(!taken.damaged.is_empty()))
}

/// A snapshot of a home whose node does not run.
async fn offline(context: &Context, dir: &Path) -> Result<backup::Taken, Failure> {
    let (home, config, dir) = (context.home.clone(), context.config(&[])?, dir.to_owned());
    let passphrase = Brought::default().open(context, &config.identity.vault(&home)?)?;
    let take = move || {
        let secrets = config.identity.vault(&home)?.open(passphrase.as_ref())?;
        let _lock = Lock::take(&home)?;
        let store = Store::open(&home.join("store"), &config.store)?;
        let blocks = Blocks::open(&home.join("blocks"), &config.blocks, store.clone())?;
        let (keys, settings, signer) =
            (config.identity.keys, config::FILE.to_owned(), Arc::new(identity::signer(secrets.own())));
        Source { home, keys, settings, store, blocks, signer, link: config.backup.link }.take(&dir, Check::All)
    };
    blocking(take).await
}

/// What this home lacks, from a backup.
async fn mend(context: &Context, dir: &Path, whose: Option<String>) -> Result<Restored, Failure> {
    let (home, config, stop) = (context.home.clone(), context.config(&[])?, interruptible()?);
    if !home.is_dir() {
        let message = format!("{} is no home: leave out --only-missing to make one", home.display());
        return Err(Failure::new(Kind::NotFound, message));
    }
    let lock = Lock::take(&home)?;
    let done = backup::mend(dir, &home, (&config.store, &config.blocks), whose.as_deref(), &stop).await;
    drop(lock);
    Ok(done?)
}

fn still_missing(missing: &[String]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    format!("\n✗ {} missing or damaged; all the rest is there:\n  {}", missing.len(), missing.join("\n  "))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Failure> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(Error::new)??)
}

fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(dir).with_context(|| format!("the directory {}", dir.display()));
    absolute.map_err(|e| Failure::new(Kind::Usage, format!("{e:#}")))
}
