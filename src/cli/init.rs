//! `toft init`: a home with identity, sealed keys and node.toml.

use super::{context::Context, output::Output};
use crate::{
    config,
    daemon::{Identity, Lock},
    rpc::control::{Failure, Kind},
    vault,
};
use anyhow::{Context as _, Error, bail};
use serde_json::json;
use std::{fs, io::Write as _, path::Path};

pub fn run(context: &Context) -> Result<Output, Failure> {
    let settings = context.config(&[])?;
    let home = context.home.display();
    if vault::exists(&context.home.join(&settings.identity.keys)) {
        let message = format!("{home} is a toft home already; nothing was changed. Next: {}", context.next("up"));
        return Err(Failure::new(Kind::Conflict, message));
    }
    vault::make_private_dir(&context.home)?;
    let _lock = Lock::take(&context.home)?;
    let did = prepare(&context.home, &settings)?;
    let text = format!(
        "✓ Identity   {did}\n✓ Keys       {home}/{}   sealed, readable by you alone\n✓ Settings   {home}/{}\n→ Next: {}",
        settings.identity.keys,
        config::FILE,
        context.next("up"),
    );
    Ok(Output::new(json!({"did": did, "home": context.home}), text))
}

/// Makes the home, which the caller has locked. Keys come last: a home with keys is a whole one.
pub fn prepare(home: &Path, settings: &config::Config) -> Result<String, Error> {
    if vault::exists(&home.join(&settings.identity.keys)) {
        bail!("{} has been made a home by another process just now; run the command again", home.display());
    }
    if home.join("store").exists() {
        let keys = home.join(&settings.identity.keys);
        bail!(
            "{} holds records and {} no keys: put the keys back, or move the records away; no new identity is made over them",
            home.display(),
            keys.display()
        );
    }
    let file = home.join(config::FILE);
    match fs::File::create_new(&file) {
        Ok(mut new) => new
            .write_all(config::DEFAULT.as_bytes())
            .and_then(|()| new.sync_all())
            .with_context(|| format!("writing {}", file.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => {
            let hint = "choose another home with --home or TOFT_HOME";
            return Err(e).with_context(|| format!("cannot write {}: {hint}", file.display()));
        }
    }
    let secrets = vault::create(&home.join(&settings.identity.keys))?;
    Ok(Identity::of(&secrets).did)
}
