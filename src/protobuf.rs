//! Protobuf, as far as Bitswap messages and the nodes of files need it.
//!
//! Both formats are a handful of small messages, and their bytes come from strangers: reading never panics, copies
//! nothing and takes no memory.

use unsigned_varint::encode::{self, u64_buffer};

/// Bytes of the longest varint of 64 bits.
const VARINT_MAX: usize = 10;

/// Wire types.
const NUMBER: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it ends inside a field")]
    Truncated,
    #[error("a varint exceeds 64 bits")]
    Varint,
    #[error("wire type {0} does not exist or is obsolete")]
    WireType(u8),
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A number of 32 or 64 bits of fixed width. No field that is read here has one.
    Fixed,
}

/// Iterates over the fields of a message: each field's number and value. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Error> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            NUMBER => Value::Number(varint(&mut self.0)?),
            BYTES => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Error::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED_32 => self.take(4).map(|_| Value::Fixed)?,
            FIXED_64 => self.take(8).map(|_| Value::Fixed)?,
            other => return Err(Error::WireType(other as u8)),
        };
        Ok((key >> 3, value))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let field = (!self.0.is_empty()).then(|| self.field())?;
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes a varint off the front. Longer spellings than the shortest are read too, as protobuf readers do and the reader of
/// `unsigned_varint` does not.
pub fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0;
    for (at, byte) in bytes.iter().copied().enumerate().take(VARINT_MAX) {
        if at + 1 == VARINT_MAX && byte > 1 {
            return Err(Error::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = bytes.get(at + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(Error::Truncated)
}

/// Writes a varint.
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(encode::u64(value, &mut u64_buffer()));
}

/// How many bytes [`put_varint`] writes.
pub fn varint_len(value: u64) -> usize {
    encode::u64(value, &mut u64_buffer()).len()
}

/// Writes a field that is a number, also if it is zero.
pub fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, field << 3 | NUMBER);
    put_varint(out, value);
}

/// Writes a field that is bytes or a message, also if it is empty.
pub fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes what stands before the `length` bytes of a field, which the caller writes next.
pub fn put_head(out: &mut Vec<u8>, field: u64, length: usize) {
    put_varint(out, field << 3 | BYTES);
    put_varint(out, length as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_message_is_refused_once() {
        for (bytes, error) in [
            (&[0x0a, 5, 0][..], Error::Truncated),
            (&[0x0d, 0, 0, 0], Error::Truncated),
            (&[0x80], Error::Truncated),
            (&[0xff; 32], Error::Varint),
            (&[0x0b], Error::WireType(3)),
        ] {
            assert_eq!(Fields::new(bytes).collect::<Vec<_>>(), [Err(error)], "{bytes:?}");
        }
    }

    #[test]
    fn long_spellings_and_fixed_numbers_are_read() {
        let message = [0x08, 0x81, 0x80, 0x00, 0x15, 1, 2, 3, 4, 0x19, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields = [Ok((1, Value::Number(1))), Ok((2, Value::Fixed)), Ok((3, Value::Fixed))];
        assert_eq!(Fields::new(&message).collect::<Vec<_>>(), fields);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<u64>(), shift in 0u32..64, bytes: Vec<u8>) {
            let value = value >> shift;
            let mut out = vec![];
            put_number(&mut out, 1, value);
            prop_assert_eq!(out.len(), 1 + varint_len(value));
            put_bytes(&mut out, 200, &bytes);
            let fields = [Ok((1, Value::Number(value))), Ok((200, Value::Bytes(&bytes)))];
            prop_assert_eq!(Fields::new(&out).collect::<Vec<_>>(), fields);
        }

        #[test]
        fn nobodys_bytes_panic(bytes: Vec<u8>) {
            let _ = Fields::new(&bytes).count();
        }
    }
}
