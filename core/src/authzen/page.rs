//! The pages of a search: what the caller asks for, and the token that leads to the next one.
//!
//! A token is a place in the list of candidates and the size of the page, bound by a keyed digest to the policy, the
//! endpoint and the whole request. The engine keeps nothing: the same search gives the same token. It grants nothing
//! either, since every candidate is decided again on every page; but a token of another search, of another policy or made
//! by hand is refused, so that nobody is shown half a list as the whole.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use super::{Endpoint, Refusal};
use crate::engine::Config;
use crate::policy::bundle::BundleId;
use crate::request::{Request, RequestError};
use crate::value::Value;

const TAG_BYTES: usize = 16;

/// What the caller asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    token: Option<Box<str>>,
    limit: Option<u32>,
}

/// A page: where in the list of candidates it begins, and how many results it has at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) start: u32,
    pub(super) limit: u32,
}

impl Wanted {
    /// Reads the member `page`.
    pub(super) fn read(page: Option<Value>) -> Result<Self, RequestError> {
        let mut page = match page {
            None => return Ok(Self::default()),
            Some(Value::Map(page)) => page,
            Some(_) => return Err(RequestError::Member { member: "page", expected: "an object, or left out" }),
        };
        let token = match page.remove("token") {
            None => None,
            Some(Value::String(token)) => Some(token),
            Some(_) => return Err(RequestError::Member { member: "page.token", expected: "text, or left out" }),
        };
        let limit = match page.remove("limit") {
            None => None,
            Some(Value::Int(limit)) if limit >= 0 => Some(u32::try_from(limit).unwrap_or(u32::MAX)),
            Some(Value::UInt(_)) => Some(u32::MAX),
            Some(_) => {
                let expected = "a whole number, zero or more, or left out";
                return Err(RequestError::Member { member: "page.limit", expected });
            }
        };
        Ok(Self { token, limit })
    }

    /// The page that is asked for. A later page may repeat the limit or leave it out, and not change it.
    pub(super) fn page(&self, seal: &Seal, limit_max: usize) -> Result<Page, Refusal> {
        let limit_max = u32::try_from(limit_max).unwrap_or(u32::MAX);
        let limit = self.limit.map(|limit| limit.min(limit_max));
        let Some(token) = &self.token else {
            return Ok(Page { start: 0, limit: limit.unwrap_or(limit_max) });
        };
        let page = seal.open(token).ok_or(Refusal::Token)?;
        if limit.is_some_and(|limit| limit != page.limit) {
            return Err(Refusal::Token);
        }
        Ok(page)
    }
}

/// What makes and reads the tokens of one search.
pub(super) struct Seal {
    key: [u8; 16],
    search: [u8; 32],
}

impl Seal {
    pub(super) fn new(config: &Config, bundle: BundleId, endpoint: Endpoint, request: &Request) -> Self {
        let mut search = Sha256::new();
        // The identifier and the path have no line feed, so the three parts cannot run into each other.
        search.update(format!("fallgate page token\n{bundle}\n{}\n", endpoint.path()));
        search.update(request.to_json().to_string());
        Self { key: config.key, search: search.finalize().into() }
    }

    pub(super) fn token(&self, page: Page) -> String {
        let mut bytes = plain(page).to_vec();
        bytes.extend(self.tag(page));
        BASE64URL_NOPAD.encode(&bytes)
    }

    fn open(&self, token: &str) -> Option<Page> {
        let bytes: [u8; 8 + TAG_BYTES] = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?.try_into().ok()?;
        let [a, b, c, d, e, f, g, h, tag @ ..] = bytes;
        let page = Page { start: u32::from_be_bytes([a, b, c, d]), limit: u32::from_be_bytes([e, f, g, h]) };
        // All of the tag is compared, so that the time tells nothing about where it differs.
        let differs = self.tag(page).iter().zip(tag).fold(0, |differs, (made, given)| differs | (made ^ given));
        (differs == 0).then_some(page)
    }

    fn tag(&self, page: Page) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        // Every part has a fixed length; the digest is cut, so nothing can be appended to what it covers.
        let digest =
            Sha256::new().chain_update(self.key).chain_update(self.search).chain_update(plain(page)).finalize();
        tag.iter_mut().zip(digest).for_each(|(byte, made)| *byte = made);
        tag
    }
}

fn plain(page: Page) -> [u8; 8] {
    (u64::from(page.start) << 32 | u64::from(page.limit)).to_be_bytes()
}
