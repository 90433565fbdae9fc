//! A bundle: the one canonical document that an engine loads, its digest, and how it is known who wrote it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::compile::{Policy, compile};
use super::format::{Case, Pack};
use super::trust::envelope::{self, Envelope};
use super::trust::whole;
pub use super::trust::{Provenance, Trust};
use crate::error::{BundleError, Code, Diagnostic, nearest, quoted};
use crate::limits::Limits;
use crate::name::Name;
use crate::time::Wall;

/// A policy that is ready to decide, with the bytes that it came from.
#[derive(Clone)]
pub struct Bundle {
    policy: Arc<Policy>,
    bytes: Arc<[u8]>,
    id: BundleId,
    provenance: Provenance,
    tests: Arc<[Case]>,
    /// What of the tests fails, once they were asked: for every copy of this bundle.
    failed_tests: Arc<OnceLock<Option<FailedTests>>>,
}

/// What of a bundle's own cases does not come out as they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedTests {
    /// The name of the first that fails, or its beginning.
    pub first: Name,
    /// How many others do.
    pub more: usize,
}

/// The SHA-256 of a bundle's canonical bytes; shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId([u8; 32]);

impl BundleId {
    /// The id of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads an id: 64 lower-case hexadecimal digits, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

/// Bytes as people read them: two lower-case digits each.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// What it is called, and its digest, which says all of it.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("name", &self.policy.name)
            .field("revision", &self.policy.revision)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Bundle {
    /// Loads a bundle from its bytes, within the default [`Limits`].
    ///
    /// # Errors
    /// Every mistake found: bytes that are not the canonical form (RFC 8785) of their document, and all that
    /// [`Bundle::from_document`] refuses. `unsigned` where keys are trusted: see [`Bundle::from_signed`].
    pub fn from_json(bytes: &[u8], trust: &Trust) -> Result<Self, BundleError> {
        Self::from_json_within(bytes, trust, &Limits::DEFAULT)
    }

    /// Loads a bundle from its bytes, within limits.
    ///
    /// # Errors
    /// As [`Bundle::from_json`]; `untrusted` for a signed bundle, of which nobody said who may have signed it.
    pub fn from_json_within(bytes: &[u8], trust: &Trust, limits: &Limits) -> Result<Self, BundleError> {
        let provenance = unsigned(trust)?;
        Self::read(bytes, provenance, limits).map_err(|error| match Envelope::from_json(bytes, limits) {
            Ok(_) => {
                let message = "a signed bundle, and nobody said whom to trust";
                let help = "name the trust root whose keys have signed it";
                Diagnostic::new(Code::Untrusted, "", message).with_help(help).into()
            }
            Err(_) => error,
        })
    }

    /// Loads a signed bundle: an envelope (DSSE) whose signatures are verified before a byte of what is in it is parsed.
    /// `now` is the time at which the keys must be valid.
    ///
    /// Where the host trusts anybody, a bundle without an envelope is taken too, and signatures are not looked at.
    ///
    /// # Errors
    /// What [`TrustRoot::verify`](super::trust::root::TrustRoot::verify) refuses; `unsigned` for a bundle without an
    /// envelope, `bundle_revoked`; and all that [`Bundle::from_json`] refuses.
    pub fn from_signed(bytes: &[u8], trust: &Trust, limits: &Limits, now: Wall) -> Result<Self, BundleError> {
        let envelope = match Envelope::from_json(bytes, limits) {
            Ok(envelope) => envelope,
            Err(_) if is_bare(bytes) => return Self::from_json_within(bytes, trust, limits),
            Err(error) => return Err(error.into()),
        };
        let Trust::Keys(root) = trust else {
            if envelope.payload_type() != envelope::BUNDLE {
                let message = format!("a payload of type {}", quoted(envelope.payload_type()));
                return Err(Diagnostic::new(Code::WrongPayloadType, "/payloadType", message).into());
            }
            return Self::read(envelope.payload(), Provenance::Unsigned, limits);
        };
        let signers = root.verify(&envelope, envelope::BUNDLE, now)?;
        if root.revokes_bytes(envelope.payload()) {
            let message = format!("the bundle {} is revoked", BundleId::of(envelope.payload()));
            let help = "build a newer revision, and sign that";
            return Err(Diagnostic::new(Code::BundleRevoked, "", message).with_help(help).into());
        }
        let provenance = Provenance::Signed { signers: signers.into(), threshold: root.threshold() };
        Self::read(envelope.payload(), provenance, limits)
    }

    /// A bundle that was active before, as it was: who had signed it was verified then.
    pub(crate) fn replayed(bytes: &[u8], provenance: Provenance, limits: &Limits) -> Result<Self, BundleError> {
        Self::read(bytes, provenance, limits)
    }

    fn read(bytes: &[u8], provenance: Provenance, limits: &Limits) -> Result<Self, BundleError> {
        within(bytes, limits)?;
        let help = "build the bundle again with `fallgate build`";
        let document = whole(bytes).map_err(|error| error.with_help(help))?;
        let bundle = Self::build(document, bytes, provenance, limits)?;
        if *bundle.bytes != *bytes {
            let message = "the bytes are not the canonical form of their document (a key twice, space, order, numbers)";
            let help = "build the bundle with `fallgate build`";
            return Err(Diagnostic::new(Code::NotCanonical, "", message).with_help(help).into());
        }
        Ok(bundle)
    }

    /// Builds a bundle from the document of a pack; the pointers of its errors lead into this document.
    ///
    /// # Errors
    /// Every mistake found: in the form, in names and types, in conditions, or beyond a limit. `unsigned` where keys are
    /// trusted: a document carries no signature.
    pub fn from_document(document: &serde_json::Value, trust: &Trust, limits: &Limits) -> Result<Self, BundleError> {
        let provenance = unsigned(trust)?;
        refuse_inexact(document, &mut String::new(), DEPTH_MAX)?;
        // What its bytes say is compiled, else `1.0` would be a double here and, read from the bytes, an int.
        let canonical = canonical(document)?;
        within(&canonical, limits)?;
        Self::build(whole(&canonical)?, &canonical, provenance, limits)
    }

    /// Builds a bundle from a document, which was read from `source`.
    fn build(
        document: serde_json::Value,
        source: &[u8],
        provenance: Provenance,
        limits: &Limits,
    ) -> Result<Self, BundleError> {
        refuse_lists(&document, &PACK_MAPS)?;
        let bytes = canonical(&document)?;
        // The document goes into the pack, text by text. Only where it does not fit is it looked at where.
        let pack = match Pack::deserialize(document) {
            Ok(pack) => pack,
            Err(_) => {
                let document = whole(source)?;
                serde_path_to_error::deserialize(&document).map_err(|error| misfit(&error, &document))?
            }
        };
        within(&bytes, limits)?;
        let policy = compile(&pack, limits)?;
        let id = BundleId::of(&bytes);
        let (policy, bytes, tests) = (Arc::new(policy), bytes.into(), pack.tests.into());
        Ok(Self { policy, bytes, id, provenance, tests, failed_tests: Arc::default() })
    }

    /// How it is known who wrote the bundle.
    #[must_use]
    pub const fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The compiled policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The cases that the bundle carries.
    #[must_use]
    pub fn tests(&self) -> &[Case] {
        &self.tests
    }

    /// The same bundle for a tool that looks at what it decides, whatever its own cases come to. No host that enforces what
    /// is decided has a use for it.
    #[must_use]
    pub fn without_tests(self) -> Self {
        Self { tests: Arc::new([]), failed_tests: Arc::default(), ..self }
    }

    /// What of the bundle's own cases fails, as `ask` finds it out: once, since it depends on the bundle alone.
    pub(crate) fn failed_tests(&self, ask: impl FnOnce(&[Case]) -> Option<FailedTests>) -> Option<FailedTests> {
        *self.failed_tests.get_or_init(|| ask(&self.tests))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the bytes.
    #[must_use]
    pub const fn id(&self) -> BundleId {
        self.id
    }

    /// The pack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.policy.name
    }

    /// The pack's revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.policy.revision
    }

    /// What is allowed, but should be looked at.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.policy.warnings
    }
}

/// What a bundle without a signature is worth under this trust.
fn unsigned(trust: &Trust) -> Result<Provenance, Diagnostic> {
    match trust {
        Trust::UnsignedForDevelopment => Ok(Provenance::Unsigned),
        Trust::Keys(_) => {
            Err(Diagnostic::new(Code::Unsigned, "", "a bundle without a signature, where keys are trusted")
                .with_help("sign it with `fallgate sign`, and load the envelope"))
        }
    }
}

/// Whether these bytes are a document that has nothing of an envelope.
pub(super) fn is_bare(bytes: &[u8]) -> bool {
    let document: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
    let parts = ["payload", "payloadType", "signatures"];
    document.is_ok_and(|document| document.is_object() && parts.iter().all(|part| document.get(part).is_none()))
}

/// The canonical form of a document (RFC 8785). One that is plain has the form that it is written in anyhow.
fn canonical(document: &serde_json::Value) -> Result<Vec<u8>, Diagnostic> {
    let bytes =
        if is_plain(document) { serde_json::to_vec(document) } else { serde_json_canonicalizer::to_vec(document) };
    bytes.map_err(|_| Diagnostic::new(Code::Syntax, "", "the document has no canonical form"))
}

/// Whether every number is a whole one that a double holds, and every map has names of ASCII alone, in their order: so that
/// nothing is left of RFC 8785 but to leave out white space and to escape as JSON demands.
fn is_plain(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => {
            members.keys().zip(members.keys().skip(1)).all(|(before, name)| before < name)
                && members.iter().all(|(name, value)| name.is_ascii() && is_plain(value))
        }
        serde_json::Value::Array(items) => items.iter().all(is_plain),
        serde_json::Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            size.is_some_and(|size| size <= EXACT_MAX)
        }
        _ => true,
    }
}

/// The whole numbers up to here, and their negatives, each have a double of their own: 2^53 - 1 (RFC 8785, appendix D).
const EXACT_MAX: u64 = (1 << 53) - 1;

/// How deep a document may be: what the reader of a bundle's bytes goes down to.
const DEPTH_MAX: u32 = 127;

/// Refuses what would not be read back as it was written: depth without end, and a whole number that the canonical form
/// would round, so that two documents would share one digest.
fn refuse_inexact(value: &serde_json::Value, pointer: &mut String, depth: u32) -> Result<(), Diagnostic> {
    let Some(deeper) = depth.checked_sub(1) else {
        let message = format!("more than {DEPTH_MAX} maps and lists in each other");
        return Err(Diagnostic::new(Code::LimitExceeded, pointer.as_str(), message));
    };
    let length = pointer.len();
    let mut below = |name: &str, value| {
        pointer.push('/');
        pointer.push_str(&escape(name));
        let refused = refuse_inexact(value, pointer, deeper);
        pointer.truncate(length);
        refused
    };
    match value {
        serde_json::Value::Object(members) => members.iter().try_for_each(|(name, value)| below(name, value)),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(at, value)| below(&at.to_string(), value))
        }
        serde_json::Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_none_or(|size| size <= EXACT_MAX) {
                return Ok(());
            }
            let message = format!("the whole number {number} is beyond 2^53 - 1, and a bundle would round it");
            let help = "write it in a condition, or as a text; a test's request can be written as the text of its JSON";
            Err(Diagnostic::new(Code::InvalidValue, pointer.as_str(), message).with_help(help))
        }
        _ => Ok(()),
    }
}

fn within(bytes: &[u8], limits: &Limits) -> Result<(), Diagnostic> {
    if bytes.len() <= limits.bundle_bytes_max {
        return Ok(());
    }
    let message = format!("{} bytes, more than the limit of {}", bytes.len(), limits.bundle_bytes_max);
    Err(Diagnostic::new(Code::LimitExceeded, "", message))
}

/// Where a pack has maps with named fields; `*` stands for every member.
const PACK_MAPS: [&str; 42] = [
    "",
    "valid",
    "schema",
    "signals/*",
    "signals/*/recover",
    "signals/*/quorum",
    "signals/*/heartbeat",
    "signals/*/breaker",
    "signals/*/bulkhead",
    "signals/*/limiter",
    "signals/*/retry",
    "signals/*/replay_guard",
    "actions/*",
    "actions/*/cache",
    "actions/*/on_failure/*",
    "postures/*",
    "postures/*/permits",
    "postures/*/enter",
    "postures/*/leave",
    "postures/*/leave/approvals",
    "postures/*/leave/back_off",
    "postures/*/escalate",
    "control",
    "control/recover",
    "failover",
    "rollout",
    "rollout/approvals",
    "rollout/roll_back_when",
    "slo",
    "slo/*",
    "approvers/*",
    "approvers/*/*",
    "overrides",
    "overrides/review",
    "flags/*",
    "flags/*/approvals",
    "rules/*",
    "rules/*/when",
    "rules/*/obligations/*",
    "candidates",
    "tests/*",
    "tests/*/expect",
];

/// Refuses a list where a map with named fields belongs. The reader would take its items for the fields in their order:
/// a second spelling, which no check of names would see.
pub(crate) fn refuse_lists(document: &serde_json::Value, patterns: &[&str]) -> Result<(), Diagnostic> {
    let found = patterns.iter().find_map(|pattern| {
        let steps: Vec<&str> = pattern.split('/').filter(|step| !step.is_empty()).collect();
        list_at(document, &steps)
    });
    match found {
        None => Ok(()),
        Some(pointer) => {
            let message = "a list stands where a map with named fields belongs";
            Err(Diagnostic::new(Code::InvalidValue, pointer, message).with_help("name each field, as in `id: …`"))
        }
    }
}

/// Where the first such list is. The way there is written on the way back: most of what is looked at is none.
fn list_at(value: &serde_json::Value, steps: &[&str]) -> Option<String> {
    let Some((step, rest)) = steps.split_first() else {
        return value.is_array().then(String::new);
    };
    let below = |name: &str, value| list_at(value, rest).map(|below| format!("/{}{below}", escape(name)));
    match (*step, value) {
        ("*", serde_json::Value::Object(members)) => members.iter().find_map(|(name, value)| below(name, value)),
        ("*", serde_json::Value::Array(items)) => {
            items.iter().enumerate().find_map(|(at, value)| list_at(value, rest).map(|below| format!("/{at}{below}")))
        }
        (name, value) => value.get(name).and_then(|value| below(name, value)),
    }
}

/// A name as one step of a JSON Pointer (RFC 6901).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A mistake in the form of a document, with its place and the field that may have been meant.
pub(crate) fn misfit(
    error: &serde_path_to_error::Error<serde_json::Error>,
    document: &serde_json::Value,
) -> Diagnostic {
    let mut pointer = pointer_of(error.path());
    let text = error.inner().to_string();
    let words: Vec<&str> = text.split('`').collect();
    let field = words.get(1).copied().unwrap_or_default();
    if text.starts_with("unknown field") {
        let parent = document.pointer(&pointer);
        if parent.is_some_and(|parent| parent.get(field).is_some()) {
            pointer = format!("{pointer}/{}", escape(field));
        }
        let known = words.iter().skip(3).step_by(2).copied();
        let help = match nearest(field, known.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Diagnostic::new(Code::UnknownField, pointer, format!("unknown field {}", quoted(field)))
            .with_help(help);
    }
    if text.starts_with("missing field") {
        let message = format!("the field {} is missing", quoted(field));
        return Diagnostic::new(Code::MissingField, pointer, message).with_help(format!("add `{field}:`"));
    }
    if text.starts_with("duplicate field") {
        let message = format!("the field {} stands twice", quoted(field));
        return Diagnostic::new(Code::DuplicateKey, pointer, message).with_help("keep one of them");
    }
    // A word of the input stands in it as it came: with the ends of its lines, and as long as it is.
    let variant = text.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "));
    let text = match variant {
        Some((variant, expected)) => format!("unknown variant {}, expected {expected}", quoted(variant)),
        None => text.replace(char::is_control, " "),
    };
    let mut message: String = text.chars().take(200).collect();
    if message.starts_with("data did not match any variant") {
        "this has none of the forms that it can have".clone_into(&mut message);
    }
    Diagnostic::new(Code::InvalidValue, pointer, message)
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            Segment::Enum { variant } => Some(format!("/{variant}")),
            Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{canonical, is_plain};

    #[test]
    fn what_is_plain_is_written_as_the_canonical_form_has_it() {
        let letters: String = (0..=0x2FF).filter_map(char::from_u32).chain(['\u{2028}', '\u{FFFD}', '😀']).collect();
        let plain =
            json!({ "a": [letters, true, null, -7, 9_007_199_254_740_991_u64], "b": { "": {}, "Z": [[]], "z": "é" } });
        assert!(is_plain(&plain));
        assert_eq!(canonical(&plain).unwrap(), serde_json_canonicalizer::to_vec(&plain).unwrap());
        assert!(canonical(&plain).unwrap().starts_with(br#"{"a":["\u0000\u0001"#));
    }

    #[test]
    fn what_the_canonical_form_writes_in_another_way_is_not_plain() {
        // 1e21 and 1.0 have other digits there; U+FFFD sorts behind U+1F600 by UTF-16, and before it by UTF-8.
        for other in [json!(1.0), json!([1e21]), json!(9_007_199_254_740_992_u64), json!({ "😀": 1, "\u{FFFD}": 2 })]
        {
            assert!(!is_plain(&other), "{other}");
        }
        assert_eq!(canonical(&json!({ "\u{FFFD}": 2, "😀": 1.0 })).unwrap(), "{\"😀\":1,\"\u{FFFD}\":2}".as_bytes());
    }
}
