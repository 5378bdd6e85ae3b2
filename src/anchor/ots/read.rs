//! Reading: what a file says is handed on piece by piece, and who takes it decides what is kept. Whether a file is one
//! does not hang on any hash: of each step only the length of its result matters, so reading computes none.

use super::form::{
    ATTEST, Attestation, BITCOIN, Branch, DEPTH_MAX, ETHEREUM, Error, FORK, LITECOIN, MSG_MAX, Op, PAYLOAD_MAX,
    PENDING, Stamp, TAG_LEN, URI_MAX,
};

/// Who takes what is read, in the order of the file.
pub(super) trait Sink {
    /// A step on from where we are.
    fn step(&mut self, op: Op);
    /// Back to before the last step.
    fn back(&mut self);
    /// An attestation of the message here, which has `len` bytes.
    fn attest(&mut self, attestation: Attestation, len: usize);
}

/// Keeps all, as a tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    here: Vec<Branch>,
    /// Where we came from: what stood there, and the step on.
    above: Vec<(Vec<Branch>, Op)>,
}

impl Tree {
    pub fn stamp(self) -> Stamp {
        Stamp(self.here)
    }

    fn push(&mut self, branch: Branch) {
        // Most messages lead on in one way: a file of nothing but steps takes 56 bytes of memory a byte.
        if self.here.is_empty() {
            self.here.reserve_exact(1);
        }
        self.here.push(branch);
    }
}

impl Sink for Tree {
    fn step(&mut self, op: Op) {
        self.above.push((std::mem::take(&mut self.here), op));
    }

    fn back(&mut self) {
        if let Some((above, op)) = self.above.pop() {
            let rest = Stamp(std::mem::replace(&mut self.here, above));
            self.push(Branch::Then(op, rest));
        }
    }

    fn attest(&mut self, attestation: Attestation, _: usize) {
        self.push(Branch::Attest(attestation));
    }
}

#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub rest: &'a [u8],
    /// Length of the whole file, to say where we are.
    pub len: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// A stamp of a message of `len` bytes, up to the end of the bytes.
    pub fn last(&mut self, len: usize, sink: &mut impl Sink) -> Result<(), Error> {
        self.stamp(len, DEPTH_MAX, sink)?;
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Trailing(self.rest.len())) }
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Error::Truncated(self.len))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        let (first, rest) = self.rest.split_first().ok_or(Error::Truncated(self.len))?;
        self.rest = rest;
        Ok(*first)
    }

    /// LEB128 of any length; nothing if the value has more than 64 bits. It may be written longer than it needs.
    pub fn number(&mut self) -> Result<Option<u64>, Error> {
        let (mut value, mut shift) = (Some(0_u64), 0_u32);
        loop {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if part != 0 {
                let shifted = part.checked_shl(shift).filter(|shifted| shifted >> shift == part);
                value = value.zip(shifted).map(|(value, shifted)| value | shifted);
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
    }

    fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], Error> {
        let at = self.at();
        let size = self.number()?.unwrap_or(u64::MAX);
        let n = usize::try_from(size).ok().filter(|n| *n <= max).ok_or(Error::Limit { at, what, size, max })?;
        self.take(n)
    }

    fn stamp(&mut self, len: usize, depth: usize, sink: &mut impl Sink) -> Result<(), Error> {
        if depth == 0 {
            return Err(Error::Depth(self.at()));
        }
        loop {
            let tag = self.byte()?;
            if tag != FORK {
                return self.branch(tag, len, depth, sink);
            }
            let tag = self.byte()?;
            self.branch(tag, len, depth, sink)?;
        }
    }

    fn branch(&mut self, tag: u8, len: usize, depth: usize, sink: &mut impl Sink) -> Result<(), Error> {
        if tag == ATTEST {
            sink.attest(self.attestation()?, len);
            return Ok(());
        }
        let at = self.at() - 1;
        let op = self.op(tag, at)?;
        let size = op.result_len(len);
        if size > MSG_MAX {
            return Err(Error::Limit { at, what: "a result", size: size as u64, max: MSG_MAX });
        }
        sink.step(op);
        self.stamp(size, depth - 1, sink)?;
        sink.back();
        Ok(())
    }

    fn op(&mut self, tag: u8, at: usize) -> Result<Op, Error> {
        Ok(match tag {
            0x02 => Op::Sha1,
            0x03 => Op::Ripemd160,
            0x08 => Op::Sha256,
            0x67 => Op::Keccak256,
            0xf0 => Op::Append(self.argument()?),
            0xf1 => Op::Prepend(self.argument()?),
            0xf2 => Op::Reverse,
            0xf3 => Op::Hexlify,
            _ => return Err(Error::Op { at, tag }),
        })
    }

    fn argument(&mut self) -> Result<Vec<u8>, Error> {
        let at = self.at();
        let arg = self.bytes("an argument", MSG_MAX)?;
        if arg.is_empty() { Err(Error::Empty(at)) } else { Ok(arg.to_vec()) }
    }

    fn attestation(&mut self) -> Result<Attestation, Error> {
        let tag = *self.take(TAG_LEN)?.first_chunk::<TAG_LEN>().expect("take gives as many as asked for");
        let at = self.at();
        let payload = self.bytes("an attestation", PAYLOAD_MAX)?;
        let unknown = || Attestation::Unknown { tag, payload: payload.to_vec() };
        let mut inner = Reader { rest: payload, len: self.at() };
        let attestation = match tag {
            BITCOIN => inner.number()?.map_or_else(unknown, Attestation::Bitcoin),
            LITECOIN => inner.number()?.map_or_else(unknown, Attestation::Litecoin),
            // The reference reads a height here, which says nothing to us.
            ETHEREUM => {
                inner.number()?;
                unknown()
            }
            PENDING => Attestation::Pending(inner.uri()?),
            _ => return Ok(unknown()),
        };
        if inner.rest.is_empty() { Ok(attestation) } else { Err(Error::Payload(at)) }
    }

    fn uri(&mut self) -> Result<String, Error> {
        let at = self.at();
        let uri = self.bytes("an address", URI_MAX)?;
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._/:".contains(b);
        if !uri.iter().all(allowed) {
            return Err(Error::Uri(at));
        }
        Ok(uri.iter().map(|b| char::from(*b)).collect())
    }
}
