//! How a passphrase comes to a command: from a file, as a credential of systemd, or typed on a terminal. Never as an argument
//! or in the environment, which others see.

use super::{context::Context, output::aside};
use crate::{
    rpc::control::{Failure, Kind},
    vault::{PASSPHRASE_MAX, Passphrase, Vault, read_short},
};
use anyhow::{Context as _, Error, anyhow};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// The credential's name, in the folder that systemd names.
const CREDENTIAL: &str = "toft-passphrase";
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Brought {
    /// File with the passphrase that opens the keys. Without it: the systemd credential toft-passphrase, or what is typed.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Brought {
    /// What opens these keys, if it takes a passphrase.
    pub fn open(&self, context: &Context, keys: &Vault) -> Result<Option<Passphrase>, Failure> {
        if !keys.needs_passphrase()? {
            return Ok(None);
        }
        match self.file()? {
            Some(bytes) => Ok(Some(Passphrase::given(bytes)?)),
            None if may_ask(context) => Ok(Some(ask("Passphrase of the keys: ")?)),
            None => Ok(None),
        }
    }

    /// What is chosen for new keys, by a file or a credential.
    pub fn chosen(&self) -> Result<Option<Passphrase>, Failure> {
        Ok(self.file()?.map(Passphrase::chosen).transpose()?)
    }

    /// Chosen by a file, or typed twice. Nothing typed: none.
    pub fn choose(&self, context: &Context, prompt: &str) -> Result<Option<Passphrase>, Failure> {
        match self.chosen()? {
            None if may_ask(context) => choose(prompt),
            chosen => Ok(chosen),
        }
    }

    fn file(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let credential = || env::var_os(FOLDER).map(|folder| PathBuf::from(folder).join(CREDENTIAL));
        match (&self.passphrase_file, credential()) {
            (Some(path), _) => {
                let bytes = read_short(path, PASSPHRASE_MAX + 2)?;
                bytes.with_context(|| format!("--passphrase-file {}: there is no such file", path.display())).map(Some)
            }
            (None, Some(path)) => read_short(&path, PASSPHRASE_MAX + 2),
            (None, None) => Ok(None),
        }
    }
}

/// Is there somebody to ask?
pub fn may_ask(context: &Context) -> bool {
    !context.json && io::stdin().is_terminal()
}

/// A passphrase chosen now, typed twice; nothing typed: none.
pub fn choose(prompt: &str) -> Result<Option<Passphrase>, Failure> {
    let first = typed(prompt)?;
    if first.is_empty() {
        return Ok(None);
    }
    let first = Passphrase::chosen(first)?;
    let second = Passphrase::given(typed("Once more: ")?)?;
    if first != second {
        return Err(Failure::new(Kind::Usage, "the two are not the same; nothing was changed"));
    }
    Ok(Some(first))
}

/// A passphrase that there is already.
pub fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    Ok(Passphrase::given(typed(prompt)?)?)
}

/// A line typed on the terminal, which does not show it. It is read past the standard input's buffer, which would keep it.
pub fn typed(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let stdin = io::stdin();
    let _quiet = Quiet::begin().context("the terminal cannot be told not to show what is typed")?;
    aside(prompt.trim_end());
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX + 2));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        let read = rustix::io::read(&stdin, byte.as_mut_slice()).context("reading from the terminal")?;
        match byte[0] {
            b'\n' | b'\r' => return Ok(line),
            // Ctrl-C and Ctrl-D.
            3 | 4 => return Err(anyhow!("nothing was typed")),
            // Backspace: the last character, which may have several bytes.
            8 | 127 => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            _ if read == 0 => return Ok(line),
            other if line.len() <= PASSPHRASE_MAX => line.push(other),
            _ => {}
        }
    }
}

/// While it lives, the terminal shows nothing and hands over every key.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0); // it was the same a moment ago
    }
}
