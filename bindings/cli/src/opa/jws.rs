//! A signed token (JWS, RFC 7515) in its compact form, and the public keys that it is verified with.
//!
//! The key says which algorithm it is for, and the token has to agree: a header that chose the algorithm could choose none,
//! or take a public key for a shared secret.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::pkcs8::spki::SubjectPublicKeyInfoRef;
use ed25519_dalek::pkcs8::spki::der::asn1::ObjectIdentifier;
use ed25519_dalek::pkcs8::spki::der::{Decode as _, Document};
use fallgate::error::{Code, quoted};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use crate::budget::Budget;
use crate::finding::Finding;
use crate::json;
use crate::source::{FileId, SourceFile};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A public key, and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub struct VerificationKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::EdDsa => &ED25519,
        }
    }
}

impl VerificationKey {
    /// Reads a public key: SPKI in PEM, of RSA (2048 bits or more), P-256 or Ed25519.
    ///
    /// # Errors
    ///
    /// Text that is no such key.
    pub fn from_pem(text: &str) -> Result<Self, Finding> {
        let refused = |message: &str| {
            Finding::error(Code::UnknownAlgorithm, message).help("use a public key in PEM: RSA, P-256 or Ed25519")
        };
        let (label, document) = Document::from_pem(text).map_err(|_| refused("this is no PEM"))?;
        if label != "PUBLIC KEY" {
            return Err(refused("this is no public key"));
        }
        let key =
            SubjectPublicKeyInfoRef::from_der(document.as_bytes()).map_err(|_| refused("this is no public key"))?;
        let algorithm = match key.algorithm.oid {
            RSA => Algorithm::Rs256,
            ELLIPTIC if key.algorithm.parameters_oid() == Ok(P256) => Algorithm::Es256,
            ED25519_KEY => Algorithm::EdDsa,
            _ => return Err(refused("a key of an algorithm that is not known here")),
        };
        let bytes = key.subject_public_key.as_bytes().ok_or_else(|| refused("this is no public key"))?;
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// The payload of a token that this key has signed.
    ///
    /// # Errors
    ///
    /// A token that is malformed, of another algorithm, has what is not known in its header, or was signed by nobody or by
    /// somebody else.
    pub fn payload(&self, token: &str) -> Result<Vec<u8>, Finding> {
        let malformed = || Finding::error(Code::Syntax, "the signature is no token of three parts in base64url");
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else { return Err(malformed()) };
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| malformed());
        let (head, body, mark) = (decode(header)?, decode(payload)?, decode(signature)?);
        let head = claims(&head, "the header of the token", &["alg", "kid", "typ"])?;
        let named = head.get("alg").and_then(Value::as_str).unwrap_or_default();
        if named != self.algorithm.name() {
            let message =
                format!("the token is signed with {}, and the key is for {}", quoted(named), self.algorithm.name());
            return Err(Finding::error(Code::UnknownAlgorithm, message).help("sign it with the key that is named here"));
        }
        let signed = token.rsplit_once('.').map(|(signed, _)| signed).unwrap_or_default();
        let key = UnparsedPublicKey::new(self.algorithm.verification(), &self.bytes);
        key.verify(signed.as_bytes(), &mark).map_err(|_| {
            Finding::error(Code::Altered, "the key did not sign this archive, or its signature was changed")
                .help("get the archive again, or name the key that signed it")
        })?;
        Ok(body)
    }
}

/// The members of a map in JSON that may be there, and no others.
///
/// # Errors
///
/// What is no such map, has a key twice, or a member that is not known.
pub(super) fn claims(bytes: &[u8], what: &str, known: &[&str]) -> Result<serde_json::Map<String, Value>, Finding> {
    let malformed = |why: &str| Finding::error(Code::Syntax, format!("{what} {why}"));
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("is not UTF-8"))?;
    let parsed = json::parse(&SourceFile::new(what, text), FileId::new(0), &mut Budget::default());
    let parsed = parsed.map_err(|finding| Finding { places: Vec::new(), ..finding })?;
    let Value::Object(members) = parsed.value else { return Err(malformed("is no map")) };
    match members.keys().find(|member| !known.contains(&member.as_str())) {
        None => Ok(members),
        Some(member) => {
            Err(Finding::error(Code::UnknownField, format!("{what} has an unknown member {}", quoted(member)))
                .help(format!("known here: {}", known.join(", "))))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// RFC 7515, A.2: the key, and its token.
    const RS256: (&str, &str) = (
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\nNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\nP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\nEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\nFvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\noQIDAQAB\n-----END PUBLIC KEY-----\n",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    /// RFC 7515, A.3.
    const ES256: (&str, &str) = (
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n",
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    /// RFC 8037, A.4.
    const EDDSA: (&str, &str) = (
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );

    #[test]
    fn the_tokens_of_the_standards_verify_and_nothing_else() {
        for (pem, token) in [RS256, ES256, EDDSA] {
            let key = VerificationKey::from_pem(pem).unwrap();
            let payload = key.payload(token).unwrap();
            let text = String::from_utf8(payload).unwrap();
            assert!(text == "Example of Ed25519 signing" || text.contains("\"joe\""), "{text}");
            for at in 0..token.len() {
                for other in [b'A', b'Q', b'_', b'.', b'+', b'='] {
                    let mut changed = token.as_bytes().to_vec();
                    if std::mem::replace(&mut changed[at], other) != other {
                        let changed = String::from_utf8(changed).unwrap();
                        assert!(key.payload(&changed).is_err(), "byte {at}: {changed}");
                    }
                }
                assert!(key.payload(&token[..at]).is_err(), "cut at {at}");
            }
            assert!(key.payload(&format!("{token}.")).is_err());
            for (other, _) in [RS256, ES256, EDDSA].into_iter().filter(|(other, _)| *other != pem) {
                let error = VerificationKey::from_pem(other).unwrap().payload(token).unwrap_err();
                assert_eq!(error.code, "unknown_algorithm");
            }
        }
    }

    #[test]
    fn the_header_chooses_nothing() {
        let key = VerificationKey::from_pem(RS256.0).unwrap();
        let (rest, signature) = RS256.1.rsplit_once('.').unwrap();
        let payload = rest.split_once('.').unwrap().1;
        for (header, code) in [
            (r#"{"alg":"none"}"#, "unknown_algorithm"),
            (r#"{"alg":"HS256"}"#, "unknown_algorithm"),
            (r#"{"alg":"rs256"}"#, "unknown_algorithm"),
            ("{}", "unknown_algorithm"),
            (r#"{"alg":"RS256","alg":"RS256"}"#, "duplicate_key"),
            (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, "unknown_field"),
            (r#"{"alg":"RS256","jwk":{}}"#, "unknown_field"),
            (r#"["alg"]"#, "syntax"),
        ] {
            let header = BASE64URL_NOPAD.encode(header.as_bytes());
            for signature in [signature, ""] {
                let error = key.payload(&format!("{header}.{payload}.{signature}")).unwrap_err();
                assert_eq!(error.code, code, "{header}");
            }
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        for text in ["", "secret", &RS256.0.replace("PUBLIC KEY", "PRIVATE KEY"), &RS256.0.replace("MII", "MIJ")] {
            assert_eq!(VerificationKey::from_pem(text).unwrap_err().code, "unknown_algorithm");
        }
    }
}
