//! The own full node as a judge of proofs: each height is asked once, many in one question, and what lies deep is kept.

use super::{
    chain::{Chain, Error},
    ots::{Claims, Op},
    proof,
    verify::{self, Verdict},
};
use crate::cid::Digest;
use bitcoin::block::Header;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Blocks above a header that is kept.
const DEEP: u32 = 100;
/// Headers kept at most, of some 100 bytes each.
const KEPT_MAX: usize = 20_000;

/// Handle to the judge; cheap to clone.
#[derive(Debug, Clone)]
pub struct Judge {
    chain: Chain,
    kept: Arc<Mutex<BTreeMap<u32, Header>>>,
}

impl Judge {
    pub fn new(chain: Chain) -> Self {
        Self { chain, kept: Arc::default() }
    }

    /// Checks an `.ots` file against the sha256 of some data. The file is read before anybody is asked.
    pub async fn verify(&self, ots: Vec<u8>, digest: Digest) -> Result<Verdict, Error> {
        let claims = Claims::read(&ots).map_err(proof::Error::from)?;
        if claims.hash != Op::Sha256 {
            return Err(proof::Error::FileHash(claims.hash).into());
        }
        if claims.digest != digest {
            return Ok(Verdict::OtherData);
        }
        self.judge(Arc::new(claims)).await
    }

    /// The verdict on claims that are about the right data.
    pub async fn judge(&self, claims: Arc<Claims>) -> Result<Verdict, Error> {
        let this = self.clone();
        self.chain.run(move |chain| verify::verdict(&claims, |heights| this.headers(chain, heights))).await
    }

    /// The headers at these heights of the best chain. Where all of them are kept, one question shows that the highest
    /// kept is still in the chain, and with it all below.
    fn headers(&self, chain: &Chain, heights: &[u32]) -> Result<Vec<Option<Header>>, Error> {
        let (kept, highest) = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let of: Vec<Option<Header>> = heights.iter().map(|height| kept.get(height).copied()).collect();
            (of, kept.last_key_value().map(|(height, header)| (*height, *header)))
        };
        let lacking = heights.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(height, _)| *height);
        let question: Vec<u32> = lacking.chain(highest.map(|(height, _)| height)).collect();
        let (end, mut asked) = chain.headers_at(&question)?;
        if let Some((_, before)) = highest
            && asked.pop().flatten() != Some(before)
        {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let (end, asked) = chain.headers_at(heights)?;
            self.keep(end, heights.iter().zip(&asked));
            return Ok(asked);
        }
        self.keep(end, question.iter().zip(&asked));
        let mut asked = asked.into_iter();
        Ok(kept.into_iter().map(|kept| kept.or_else(|| asked.next().flatten())).collect())
    }

    fn keep<'a>(&self, end: u32, headers: impl Iterator<Item = (&'a u32, &'a Option<Header>)>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let deep = headers.filter_map(|(height, header)| Some((*height, (*header)?)));
        kept.extend(deep.filter(|(height, _)| height.saturating_add(DEEP) <= end));
        while kept.len() > KEPT_MAX {
            kept.pop_first();
        }
    }
}
