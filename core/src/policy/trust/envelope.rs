//! A signed document: DSSE, the envelope that in-toto and Sigstore use.
//!
//! The signatures are over the type and the very bytes of the payload, so nothing is parsed before they are verified, and
//! what was signed as one kind of document is never taken for another. The reader is stricter than DSSE asks: a field that
//! it does not know is refused, and base64 has one spelling, so that no byte of an envelope can change unnoticed.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::key::KeyId;
use super::read;
use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;

/// The type of a payload that is a bundle.
pub const BUNDLE: &str = "application/vnd.fallgate.bundle+json";
/// The type of a payload that is a trust root.
pub const TRUST: &str = "application/vnd.fallgate.trust+json";

/// The type of a payload that is a control message.
pub const CONTROL: &str = "application/vnd.fallgate.control+json";

/// The bytes that are signed: DSSE's pre-authentication encoding of the type and the payload. Both have their lengths before
/// them, so that no byte can move from one to the other.
#[must_use]
pub fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// A payload, what it is, and who has signed it. Nothing here is verified: see
/// [`TrustRoot::verify`](super::root::TrustRoot::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload_type: Box<str>,
    payload: Vec<u8>,
    signatures: Vec<Signed>,
}

/// A signature, and the key that it says it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What the envelope calls the key.
    pub key_id: Box<str>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The envelope as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Envelope"))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct EnvelopeForm {
    /// The signed bytes, in base64 with padding.
    payload: String,
    /// What they are: `application/vnd.fallgate.bundle+json`, `application/vnd.fallgate.trust+json` or
    /// `application/vnd.fallgate.control+json`.
    payload_type: String,
    /// Who has signed them.
    #[serde(default)]
    signatures: Vec<SignatureForm>,
}

/// A signature of the type and the payload, as DSSE's pre-authentication encoding joins them.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Signature"))]
#[serde(deny_unknown_fields)]
struct SignatureForm {
    /// The key's id: the SHA-256 of its 32 bytes, in lower-case hexadecimal.
    keyid: String,
    /// The signature, in base64 with padding.
    sig: String,
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    #[must_use]
    pub fn new(payload_type: &str, payload: Vec<u8>) -> Self {
        Self { payload_type: payload_type.into(), payload, signatures: Vec::new() }
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// What is malformed, unknown, twice, or beyond a limit.
    pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Self, Diagnostic> {
        // Base64 lengthens by a third; the rest is for the signatures.
        let bytes_max = limits.bundle_bytes_max.saturating_mul(2);
        let form: EnvelopeForm = read(bytes, bytes_max, &["", "signatures/*"])?;
        if form.signatures.len() > limits.signatures_max {
            let message =
                format!("{} signatures, more than the limit of {}", form.signatures.len(), limits.signatures_max);
            return Err(Diagnostic::new(Code::LimitExceeded, "/signatures", message));
        }
        let decode = |pointer: String, text: &str| {
            BASE64.decode(text.as_bytes()).map_err(|_| {
                Diagnostic::new(Code::InvalidValue, pointer, "this is not base64 with padding")
                    .with_help("use the alphabet with `+` and `/`, without line breaks")
            })
        };
        let payload = decode("/payload".to_owned(), &form.payload)?;
        let signatures = form.signatures.into_iter().enumerate().map(|(at, one)| {
            let signature = decode(format!("/signatures/{at}/sig"), &one.sig)?;
            Ok(Signed { key_id: one.keyid.into(), signature })
        });
        let signatures = signatures.collect::<Result<_, Diagnostic>>()?;
        Ok(Self { payload_type: form.payload_type.into(), payload, signatures })
    }

    /// The envelope in canonical JSON (RFC 8785).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let signatures = self.signatures.iter();
        let form = EnvelopeForm {
            payload: BASE64.encode(&self.payload),
            payload_type: self.payload_type.clone().into(),
            signatures: signatures
                .map(|one| SignatureForm { keyid: one.key_id.to_string(), sig: BASE64.encode(&one.signature) })
                .collect(),
        };
        serde_json_canonicalizer::to_vec(&form).unwrap_or_default()
    }

    /// The type of the payload.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload. Whoever reads it before it is verified trusts whoever wrote the envelope.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[Signed] {
        &self.signatures
    }

    /// The bytes to sign.
    #[must_use]
    pub fn encoding(&self) -> Vec<u8> {
        encoding(&self.payload_type, &self.payload)
    }

    /// Adds a signature of [`Envelope::encoding`], made wherever the private key is.
    ///
    /// # Errors
    /// `signed_twice`: the key has signed already.
    pub fn add(&mut self, key: KeyId, signature: [u8; 64]) -> Result<(), Diagnostic> {
        let key_id = key.to_string();
        if self.signatures.iter().any(|one| *one.key_id == *key_id) {
            return Err(twice("/signatures", &key_id));
        }
        self.signatures.push(Signed { key_id: key_id.into(), signature: signature.into() });
        Ok(())
    }
}

/// What an envelope calls a key, as a message quotes it: an id whole, anything else cut.
pub(super) fn named(key_id: &str) -> String {
    KeyId::parse(key_id).map_or_else(|| quoted(key_id), |id| format!("`{id}`"))
}

/// One key has signed twice.
pub(super) fn twice(pointer: &str, key_id: &str) -> Diagnostic {
    let message = format!("the key {} has signed twice", named(key_id));
    Diagnostic::new(Code::SignedTwice, pointer, message).with_help("a key counts once: let another one sign")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_one_of_dsse() {
        // The example of the DSSE protocol, version 1.
        let signed = encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(encoding("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let mut envelope = Envelope::new(BUNDLE, b"{}".to_vec());
        let key = KeyId::parse(&"0a".repeat(32)).unwrap();
        envelope.add(key, [7; 64]).unwrap();
        let twice = envelope.add(key, [8; 64]).unwrap_err();
        assert_eq!((twice.code, twice.message), (Code::SignedTwice, format!("the key `{key}` has signed twice")));
        let text = envelope.to_json();
        let expected = format!(
            r#"{{"payload":"e30=","payloadType":"{BUNDLE}","signatures":[{{"keyid":"{}","sig":"{}Bw=="}}]}}"#,
            "0a".repeat(32),
            "BwcH".repeat(21),
        );
        assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
        assert_eq!(Envelope::from_json(&text, &Limits::DEFAULT).unwrap(), envelope);
        let one = Limits { signatures_max: 1, ..Limits::DEFAULT };
        assert_eq!(Envelope::from_json(&text, &one).unwrap(), envelope, "the limit itself is within it");
    }

    /// A key that is called by anything but an id is quoted, and cut.
    #[test]
    fn a_key_is_called_by_its_id_whole() {
        let id = "0a".repeat(32);
        assert_eq!(named(&id), format!("`{id}`"));
        assert_eq!(named(&id.to_uppercase()), quoted(&id.to_uppercase()));
        assert_eq!(named("a"), "`a`");
    }

    #[test]
    fn what_is_not_exactly_an_envelope_is_refused() {
        let limits = Limits { signatures_max: 1, ..Limits::DEFAULT };
        for (text, code) in [
            ("", Code::Syntax),
            ("{", Code::Syntax),
            ("[]", Code::InvalidValue),
            ("null", Code::InvalidValue),
            (r#"["e30=","a",[]]"#, Code::InvalidValue),
            ("{}", Code::MissingField),
            (r#"{"payload":"e30="}"#, Code::MissingField),
            (r#"{"payload":"e30=","payloadType":"a","signatures":null}"#, Code::InvalidValue),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[["a","e30="]]}"#, Code::InvalidValue),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[{"sig":"e30="}]}"#, Code::MissingField),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[{"keyid":null,"sig":"e30="}]}"#, Code::InvalidValue),
            (
                r#"{"payload":"e30=","payloadType":"a","signatures":[{"keyid":"a","sig":"e30=","alg":"none"}]}"#,
                Code::UnknownField,
            ),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[],"extra":1}"#, Code::UnknownField),
            (r#"{"payload":"e30=","payload":"e30=","payloadType":"a","signatures":[]}"#, Code::DuplicateKey),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[]} x"#, Code::TrailingData),
            (r#"{"payload":"e30=","payloadType":"a","signatures":[]}{}"#, Code::TrailingData),
            (r#"{"payload":"e30","payloadType":"a","signatures":[]}"#, Code::InvalidValue),
            (r#"{"payload":"e31=","payloadType":"a","signatures":[]}"#, Code::InvalidValue),
            (r#"{"payload":"e30=\n","payloadType":"a","signatures":[]}"#, Code::InvalidValue),
            (r#"{"payload":"_w==","payloadType":"a","signatures":[]}"#, Code::InvalidValue),
            (
                r#"{"payload":"","payloadType":"a","signatures":[{"keyid":"a","sig":""},{"keyid":"b","sig":""}]}"#,
                Code::LimitExceeded,
            ),
        ] {
            let error = Envelope::from_json(text.as_bytes(), &limits).unwrap_err();
            assert_eq!(error.code, code, "{text}: {error}");
        }
        let small = Limits { bundle_bytes_max: 10, ..Limits::DEFAULT };
        let error = Envelope::from_json(&[b' '; 21], &small).unwrap_err();
        assert_eq!(error.code, Code::LimitExceeded);
    }
}
