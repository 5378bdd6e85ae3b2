//! A passphrase, as its owner has chosen it.

use anyhow::{Error, bail};
use zeroize::Zeroizing;

/// Characters of the shortest: below, trying all of them is no work.
const MIN: usize = 8;
/// Bytes of the longest.
pub const MAX: usize = 1024;

/// A passphrase. Wiped when it is given up, and never shown.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The passphrase in these bytes, as a terminal or a file gives them: one end of line behind it is none of it.
    pub fn given(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        match std::str::from_utf8(&bytes) {
            Err(_) => bail!("the passphrase is no text (UTF-8)"),
            Ok(_) if bytes.len() > MAX => bail!("the passphrase is longer than {MAX} bytes"),
            Ok("") => bail!("the passphrase is empty"),
            Ok(_) => Ok(Self(bytes)),
        }
    }

    /// One that is chosen now must be long enough.
    pub fn chosen(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let passphrase = Self::given(bytes)?;
        if passphrase.text().chars().count() < MIN {
            bail!("a passphrase has {MIN} characters at least; several words are best");
        }
        Ok(passphrase)
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
impl From<&str> for Passphrase {
    fn from(text: &str) -> Self {
        Self::given(Zeroizing::new(text.into())).expect("a passphrase")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_text_of_some_length_without_the_end_of_its_line() {
        let given = |bytes: &[u8]| Passphrase::given(Zeroizing::new(bytes.to_vec())).map_err(|e| e.to_string());
        assert_eq!(given(b"a b \r\n").expect("is one").expose(), b"a b ");
        assert_eq!(given(b"a\n\n").expect("is one").expose(), b"a\n");
        for (bytes, why) in [(&b"\n"[..], "empty"), (&[0xff], "no text"), (&[b'a'; 1025], "longer")] {
            assert!(given(bytes).is_err_and(|e| e.contains(why)), "{why}");
        }
        assert!(Passphrase::chosen(Zeroizing::new(b"seven-7\n".to_vec())).is_err());
        assert_eq!(format!("{:?}", Passphrase::from("secret")), "Passphrase(…)");
    }
}
