//! The file `.signatures.json`: one token, and the digests of the files that it vouches for.
//!
//! Where a key was named, the absence of the file is an error, and so is a file of the archive that the token does not name,
//! or one that it names and the archive lacks.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use fallgate::error::{Code, quoted};
use ring::digest::{self, SHA256, SHA384, SHA512};
use serde_json::Value;

use super::archive::File;
use super::jws::{VerificationKey, claims};
use super::{parsed, text};
use crate::finding::Finding;

/// What the file is called.
pub const NAME: &str = ".signatures.json";

/// Whether the token vouches for exactly these files.
///
/// # Errors
///
/// The first reason why it does not.
pub fn verify(
    signatures: Option<&File>,
    files: &[File],
    key: &VerificationKey,
    scope: Option<&str>,
) -> Result<(), Finding> {
    let stripped = || {
        Finding::error(Code::Stripped, format!("the archive has no signature in `{NAME}`, and a key was named"))
            .help("get the archive again; find out who took the signature away")
    };
    let Some(signatures) = signatures else { return Err(stripped()) };
    let fields = claims(&signatures.bytes, &format!("`{NAME}`"), &["signatures"])?;
    let tokens = fields.get("signatures").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let token = match tokens {
        [] => return Err(stripped()),
        [Value::String(token)] => token,
        [_] => return Err(Finding::error(Code::InvalidValue, format!("`{NAME}`: a signature is a text"))),
        _ => return Err(Finding::error(Code::InvalidValue, format!("`{NAME}`: more than one signature"))),
    };
    let payload = key.payload(token)?;
    let payload = claims(&payload, "the token", &["files", "iat", "iss", "keyid", "scope"])?;
    let stated = payload.get("scope").and_then(Value::as_str);
    if stated != scope {
        let shown = |scope: Option<&str>| scope.map_or("none".to_owned(), quoted);
        let message = format!("the signature is for the scope {}, and {} was named", shown(stated), shown(scope));
        return Err(Finding::error(Code::Untrusted, message).help("name the scope with `--scope`"));
    }
    let mut vouched = digests(payload.get("files"))?;
    for file in files {
        let Some((algorithm, expected)) = vouched.remove(&file.name) else {
            let message = format!("the signature does not name {}", quoted(&file.name));
            return Err(Finding::error(Code::Altered, message).help("somebody has added it: get the archive again"));
        };
        if digest::digest(algorithm, &hashed(file)?).as_ref() != expected {
            let message = format!("{} is not what was signed", quoted(&file.name));
            return Err(Finding::error(Code::Altered, message).help("somebody has changed it: get the archive again"));
        }
    }
    match vouched.keys().next() {
        None => Ok(()),
        Some(name) => {
            let message = format!("the signature names {}, and the archive lacks it", quoted(name));
            Err(Finding::error(Code::Altered, message).help("somebody has taken it away: get the archive again"))
        }
    }
}

/// By file: with which algorithm, and to what, it was hashed.
type Digests = BTreeMap<String, (&'static digest::Algorithm, Vec<u8>)>;

fn digests(files: Option<&Value>) -> Result<Digests, Finding> {
    let invalid = |message: String| Finding::error(Code::InvalidValue, format!("the token: {message}"));
    let files = files.and_then(Value::as_array).ok_or_else(|| invalid("`files` is no list".to_owned()))?;
    let mut digests = Digests::new();
    for file in files {
        let field = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = field("name");
        let name = name.strip_prefix('/').unwrap_or(name);
        let algorithm = match field("algorithm") {
            "SHA-256" => &SHA256,
            "SHA-384" => &SHA384,
            "SHA-512" => &SHA512,
            other => {
                let message = format!("{} is hashed with {}", quoted(name), quoted(other));
                return Err(Finding::error(Code::UnknownAlgorithm, message).help("use SHA-256, SHA-384 or SHA-512"));
            }
        };
        let hash = HEXLOWER_PERMISSIVE.decode(field("hash").as_bytes());
        let hash = hash.map_err(|_| invalid(format!("the digest of {} is not hexadecimal", quoted(name))))?;
        if digests.insert(name.to_owned(), (algorithm, hash)).is_some() {
            let message = format!("the token names {} twice", quoted(name));
            return Err(Finding::error(Code::DuplicateName, message));
        }
    }
    Ok(digests)
}

/// What OPA hashes of a file: its bytes, or of JSON the values alone, so that white space and the order of keys do not
/// matter.
fn hashed(file: &File) -> Result<Vec<u8>, Finding> {
    let is_json = file.name == ".manifest" || file.name.ends_with(".json");
    if !is_json {
        return Ok(file.bytes.clone());
    }
    // The strict reader has seen it first: what the walk meets is JSON, within its depth, with no key twice.
    parsed(file)?;
    let mut walk = Walk { text: text(file)?, at: 0 };
    Ok(walk.value())
}

/// A walk over text that is known to be JSON, which keeps numbers as they were written.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&mut self) -> u8 {
        let blank = self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at = self.at.saturating_add(blank);
        self.rest().bytes().next().unwrap_or_default()
    }

    /// The recursion is bounded by the depth that the strict reader lets through.
    fn value(&mut self) -> Vec<u8> {
        match self.peek() {
            b'{' => {
                let mut members = BTreeMap::new();
                self.items(b'}', |walk| {
                    let key = walk.string();
                    walk.peek();
                    walk.at = walk.at.saturating_add(1);
                    members.insert(key, walk.value());
                });
                let members = members.into_iter().map(|(key, value)| [encoded(&key), vec![b':'], value].concat());
                [b"{".to_vec(), members.collect::<Vec<_>>().join(&b','), b"}".to_vec()].concat()
            }
            b'[' => {
                let mut items = Vec::new();
                self.items(b']', |walk| items.push(walk.value()));
                [b"[".to_vec(), items.join(&b','), b"]".to_vec()].concat()
            }
            b'"' => encoded(&self.string()),
            _ => {
                let plain = |letter: char| !matches!(letter, ',' | ']' | '}' | ' ' | '\t' | '\r' | '\n');
                let length = self.rest().chars().take_while(|letter| plain(*letter)).map(char::len_utf8).sum();
                let word = self.rest().get(..length).unwrap_or_default().as_bytes().to_vec();
                self.at = self.at.saturating_add(length);
                word
            }
        }
    }

    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self)) {
        self.at = self.at.saturating_add(1);
        while !matches!(self.peek(), 0) {
            match self.peek() {
                byte if byte == end => break,
                b',' => self.at = self.at.saturating_add(1),
                _ => item(self),
            }
        }
        self.at = self.at.saturating_add(1);
    }

    fn string(&mut self) -> String {
        self.peek();
        let mut escaped = false;
        let inner = self.rest().bytes().skip(1).take_while(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            !ends
        });
        let length = inner.count().saturating_add(2);
        let text = serde_json::from_str(self.rest().get(..length).unwrap_or_default()).unwrap_or_default();
        self.at = self.at.saturating_add(length);
        text
    }
}

/// A text as Go's encoder writes it, which escapes the two line separators besides what JSON demands.
fn encoded(text: &str) -> Vec<u8> {
    let text = serde_json::to_string(text).unwrap_or_default();
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn of_json_the_values_are_hashed() {
        let hashed = |text: &str| {
            let file = File { name: "data.json".to_owned(), bytes: text.as_bytes().to_vec() };
            String::from_utf8(hashed(&file).unwrap()).unwrap()
        };
        assert_eq!(
            hashed(" { \"b\" : [ 1.0 , 1e3, -0, true,null ], \"a\\u0041\": \"x\\/\\\"\\\\\" } "),
            r#"{"aA":"x/\"\\","b":[1.0,1e3,-0,true,null]}"#
        );
        assert_eq!(hashed("{}"), "{}");
        assert_eq!(hashed("[ ]"), "[]");
        assert_eq!(hashed("[[],{\"k\":{}},\"],}\"]"), "[[],{\"k\":{}},\"],}\"]");
        assert_eq!(hashed("\"<a>&\\u2028\\u0001\\b\""), "\"<a>&\\u2028\\u0001\\b\"");
        assert_eq!(hashed("[\"\u{e9}\",  7 ]"), "[\"\u{e9}\",7]");
    }
}
