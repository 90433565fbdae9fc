//! Keys and trust roots in files: the private key that signs, the public one beside it, and the chain of roots that a host
//! follows.

use std::path::{Path, PathBuf};

use data_encoding::{BASE32_NOPAD, BASE64};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use fallgate::error::{Code, Diagnostic, quoted};
use fallgate::limits::Limits;
use fallgate::policy::trust::envelope::Envelope;
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::state::statement::Purpose;
use fallgate::state::totp;
use fallgate::time::Wall;

use crate::finding::Finding;
use crate::reading::{bytes_of, shown};

/// How large a file with a key may be.
const KEY_BYTES_MAX: usize = 16 << 10;

/// A private key, and its public half. It is wiped from memory when it is dropped, and never shown.
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key, from the randomness of the system.
    ///
    /// # Errors
    ///
    /// A system without randomness.
    pub fn random() -> Result<Self, Finding> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        fill(&mut *secret)?;
        Self::of(SigningKey::from_bytes(&secret))
    }

    /// Reads a private key: PKCS#8 in PEM, as `fallgate keys new` and `openssl genpkey -algorithm ed25519` write it.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or holds no such key.
    pub fn read(path: &Path) -> Result<Self, Finding> {
        let text = zeroize::Zeroizing::new(key_text(path)?);
        Self::from_pem(&text, path)
    }

    fn from_pem(text: &str, path: &Path) -> Result<Self, Finding> {
        let key = SigningKey::from_pkcs8_pem(text).map_err(|_| {
            Finding::unreadable(format!("{} holds no Ed25519 private key in PKCS#8 and PEM", quoted(&shown(path))))
                .help("make one with `fallgate keys new`")
        })?;
        Self::of(key)
    }

    fn of(key: SigningKey) -> Result<Self, Finding> {
        let public = PublicKey::from_bytes(&key.verifying_key().to_bytes());
        Ok(Self { public: public.map_err(|error| refusal("the key", &error))?, key })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key in PKCS#8 and PEM, without the public half: the form that every library reads.
    ///
    /// # Errors
    ///
    /// A key that cannot be encoded.
    pub fn to_pem(&self) -> Result<impl AsRef<str> + use<>, Finding> {
        let pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        let pem = pair.to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF);
        pem.map_err(|_| Finding::unreadable("the key cannot be encoded"))
    }

    /// Adds this key's signature to an envelope.
    ///
    /// # Errors
    ///
    /// A key that has signed it already.
    pub fn sign(&self, envelope: &mut Envelope) -> Result<(), Finding> {
        let signature = self.key.sign(&envelope.encoding()).to_bytes();
        envelope.add(self.public.id(), signature).map_err(|error| refusal("the envelope", &error))
    }

    /// This key's signature of a canonical proposal for a purpose, in base64.
    #[must_use]
    pub fn sign_for(&self, purpose: Purpose, proposal: &[u8]) -> String {
        BASE64.encode(&self.key.sign(&purpose.encoding(proposal)).to_bytes())
    }
}

/// The secret of an approver's one-time codes. It is wiped from memory when it is dropped.
pub struct OneTimeSecret(zeroize::Zeroizing<Vec<u8>>);

impl OneTimeSecret {
    /// 160 bits from the randomness of the system, as RFC 4226 recommends.
    ///
    /// # Errors
    ///
    /// A system without randomness.
    pub fn random() -> Result<Self, Finding> {
        let mut secret = zeroize::Zeroizing::new(vec![0; 20]);
        fill(&mut secret)?;
        Ok(Self(secret))
    }

    /// The line that a pack has for the approver, and that a file of the secret holds.
    #[must_use]
    pub fn to_line(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("totp:{}", BASE32_NOPAD.encode(&self.0)))
    }

    /// The code of a time; nothing before 1970.
    #[must_use]
    pub fn code_at(&self, at: Wall) -> Option<String> {
        totp::step(at).map(|step| totp::code(&self.0, step))
    }
}

/// What an approver signs with.
pub enum ApproverKey {
    /// A private key.
    Private(Box<PrivateKey>),
    /// A secret of one-time codes.
    Secret(OneTimeSecret),
}

impl ApproverKey {
    /// Reads a private key as [`PrivateKey::read`] does, or a secret of one-time codes: `totp:` and base32, in one line.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or holds neither.
    pub fn read(path: &Path) -> Result<Self, Finding> {
        let text = zeroize::Zeroizing::new(key_text(path)?);
        let Some(secret) = text.strip_prefix("totp:") else {
            return PrivateKey::from_pem(&text, path).map(|key| Self::Private(Box::new(key)));
        };
        let secret = BASE32_NOPAD.decode(secret.trim_end().trim_end_matches('=').as_bytes());
        let secret = secret.ok().filter(|secret| !secret.is_empty()).ok_or_else(|| {
            Finding::unreadable(format!("{} holds no secret in base32 behind `totp:`", quoted(&shown(path))))
                .help("make one with `fallgate keys new --totp`")
        })?;
        Ok(Self::Secret(OneTimeSecret(zeroize::Zeroizing::new(secret))))
    }
}

/// Fills with randomness of the system.
///
/// # Errors
///
/// A system without randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), Finding> {
    getrandom::fill(bytes).map_err(|error| Finding::unreadable(format!("the system has no randomness: {error}")))
}

/// Reads a public key: `ed25519:…` as `fallgate keys new` writes it, or SPKI in PEM.
///
/// # Errors
///
/// A file that cannot be read, or holds no such key.
pub fn read_public(path: &Path) -> Result<PublicKey, Finding> {
    let text = key_text(path)?;
    let key = match text.contains("-----BEGIN PUBLIC KEY-----") {
        true => VerifyingKey::from_public_key_pem(&text)
            .map_err(|_| Diagnostic::new(Code::UnknownAlgorithm, "", "this is no Ed25519 public key"))
            .and_then(|key| PublicKey::from_bytes(&key.to_bytes())),
        false => PublicKey::parse(text.trim_end()),
    };
    key.map_err(|error| refusal(&quoted(&shown(path)), &error))
}

fn key_text(path: &Path) -> Result<String, Finding> {
    let bytes = bytes_of(path)?;
    let text = (bytes.len() <= KEY_BYTES_MAX).then(|| String::from_utf8(bytes).ok()).flatten();
    text.ok_or_else(|| Finding::unreadable(format!("{} is no key", quoted(&shown(path)))))
}

/// Follows a chain of trust roots: the first is taken as it is, each further one is signed by the one before it.
///
/// # Errors
///
/// The first file that cannot be read, or root that is refused.
pub fn follow(roots: &[PathBuf], now: Wall) -> Result<Option<TrustRoot>, Finding> {
    let Some((first, further)) = roots.split_first() else { return Ok(None) };
    let refused = |path: &Path, error: &Diagnostic| refusal(&quoted(&shown(path)), error);
    let bytes = bytes_of(first)?;
    let mut root = TrustRoot::from_json(&bytes, &Limits::DEFAULT).map_err(|error| {
        if Envelope::from_json(&bytes, &Limits::DEFAULT).is_err() {
            return refused(first, &error);
        }
        let message = format!("{} is signed: it counts by the trust root that it follows", quoted(&shown(first)));
        Finding::error(Code::WrongPayloadType, message).help("name the one that it follows before it")
    })?;
    for path in further {
        root = root.rotate(&bytes_of(path)?, &Limits::DEFAULT, now).map_err(|error| refused(path, &error))?;
    }
    Ok(Some(root))
}

/// A refusal of the core, as a finding about something that has no lines to point at.
#[must_use]
pub fn refusal(what: &str, error: &Diagnostic) -> Finding {
    let place = if error.pointer.is_empty() { String::new() } else { format!(" (at {})", error.pointer) };
    let finding = Finding::error(error.code, format!("{what}: {}{place}", error.message));
    match &error.help {
        Some(help) => finding.help(help.clone()),
        None => finding,
    }
}
