//! Errors of the policy's author: what is wrong with a pack or a bundle, where, and how to repair it.
//!
//! `decide` has no errors: what is wrong with a request is a reason to deny ([`crate::reason::Reason`]).

use std::fmt;
use std::ops::Range;

/// One mistake in a policy.
///
/// The message is one line, lower case: what is wrong and what was expected. It quotes input in backticks, cut to a
/// length, and never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule of the format it breaks.
    pub code: Code,
    /// Where in the bundle's document: a JSON Pointer (RFC 6901), empty for the whole.
    pub pointer: String,
    /// Which bytes of the text at `pointer`, where the text is a condition or a Rego module.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// How to repair it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, pointer: pointer.into(), span: None, message: message.into(), help: None }
    }

    /// The same, with the bytes of the text that it is about.
    #[must_use]
    pub fn with_span(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// The same, with a repair.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        if !self.pointer.is_empty() {
            write!(f, " (at {}", self.pointer)?;
            if let Some(span) = &self.span {
                write!(f, ", byte {}", span.start)?;
            }
            f.write_str(")")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The stable code of a [`Diagnostic`]. A code is never used again for another mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as text: what all faces share.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The bytes are not JSON, or not UTF-8.
    Syntax = "syntax",
    /// A key stands twice in one map.
    DuplicateKey = "duplicate_key",
    /// The bytes are JSON, but not in canonical form (RFC 8785).
    NotCanonical = "not_canonical",
    /// A field that the format does not know.
    UnknownField = "unknown_field",
    /// A field that must be there is not.
    MissingField = "missing_field",
    /// A value that the format does not take at this place.
    InvalidValue = "invalid_value",
    /// A capability of the format that this version does not have.
    Unsupported = "unsupported",
    /// A limit is exceeded.
    LimitExceeded = "limit_exceeded",
    /// A name that is not well formed.
    InvalidName = "invalid_name",
    /// A name that is declared twice, or is reserved.
    DuplicateName = "duplicate_name",
    /// An action that the pack does not declare.
    UnknownAction = "unknown_action",
    /// A signal that the pack does not declare.
    UnknownSignal = "unknown_signal",
    /// An entity type or attribute that the schema does not declare.
    UnknownAttribute = "unknown_attribute",
    /// A value or an operand of the wrong type.
    TypeMismatch = "type_mismatch",
    /// A condition that is not CEL.
    ConditionSyntax = "condition_syntax",
    /// A condition that uses what is not supported.
    ConditionUnsupported = "condition_unsupported",
    /// A condition that is not boolean.
    ConditionNotBoolean = "condition_not_boolean",
    /// A rule that could grant more when it knows less.
    InformationLoss = "information_loss",
    /// A warning: a rule that declares to accept that.
    InformationLossAccepted = "information_loss_accepted",
    /// A Rego module that does not parse.
    RegoSyntax = "rego_syntax",
    /// A Rego module that uses what is refused.
    RegoRefused = "rego_refused",
    /// A Rego entry point that does not exist.
    RegoEntryPoint = "rego_entry_point",
    /// A declaration that would fail open where that is forbidden.
    FailOpenProtected = "fail_open_protected",
    /// Signals that depend on one another in a circle.
    SignalCycle = "signal_cycle",
    /// A posture that the pack does not declare.
    UnknownPosture = "unknown_posture",
    /// Two postures of one rank: neither would be the stricter one.
    PostureRankTie = "posture_rank_tie",
    /// A posture that nobody could leave.
    PostureNoWayOut = "posture_no_way_out",
    /// A posture that escalates to one that is not stricter, and so in a circle at last.
    PostureCycle = "posture_cycle",
    /// A warning: a stricter posture names what a laxer one does not permit.
    PostureWider = "posture_wider",
    /// A key of an approver that is none, or that anybody could use.
    InvalidKey = "invalid_key",
    /// One person under two names, or two under one.
    DuplicateApprover = "duplicate_approver",
    /// A group of approvers that the pack does not declare.
    UnknownGroup = "unknown_group",
    /// A validity that ends before it starts.
    InvalidWindow = "invalid_window",
    /// A warning: no allow rule can match the action.
    ActionNeverAllowed = "action_never_allowed",
    /// A warning: the action declares to fail open.
    FailOpenDeclared = "fail_open_declared",
    /// The bundle's signature or provenance does not satisfy the trust configuration.
    Untrusted = "untrusted",
    /// Something stands behind the document.
    TrailingData = "trailing_data",
    /// A bundle without an envelope, where keys are trusted.
    Unsigned = "unsigned",
    /// An envelope whose signatures are gone.
    Stripped = "stripped",
    /// Fewer keys have signed than the trust root asks for.
    UnderSigned = "under_signed",
    /// One key has signed twice.
    SignedTwice = "signed_twice",
    /// A signature that its key did not make of this payload.
    Altered = "altered",
    /// An envelope with another kind of payload.
    WrongPayloadType = "wrong_payload_type",
    /// A signature of a key that the trust root does not name, and too few others.
    UnknownKey = "unknown_key",
    /// A signature of a key that is revoked, and too few others.
    RevokedKey = "revoked_key",
    /// A signature of a key whose time is over, and too few others.
    KeyExpired = "key_expired",
    /// A signature of a key whose time has not begun, and too few others.
    KeyNotYetValid = "key_not_yet_valid",
    /// A key of an algorithm that is not known here.
    UnknownAlgorithm = "unknown_algorithm",
    /// A key for which anybody could sign.
    WeakKey = "weak_key",
    /// A key under an id that is not its own.
    WrongKeyId = "wrong_key_id",
    /// A bundle that the trust root revokes.
    BundleRevoked = "bundle_revoked",
    /// A trust root that is not newer than the one that is held.
    OlderTrust = "older_trust",
    /// A trust root that no longer revokes what the one before it did.
    RevocationLost = "revocation_lost",
}

/// Everything that is wrong with a bundle; at least one mistake, at most [`BundleError::DIAGNOSTICS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Summary(.diagnostics))]
pub struct BundleError {
    diagnostics: Vec<Diagnostic>,
}

impl BundleError {
    /// How many mistakes are reported at the most.
    pub const DIAGNOSTICS_MAX: usize = 50;

    /// These mistakes, cut to [`Self::DIAGNOSTICS_MAX`].
    #[must_use]
    pub fn new(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.truncate(Self::DIAGNOSTICS_MAX);
        Self { diagnostics }
    }

    /// The stable code of the first mistake.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.diagnostics.as_slice() {
            [first, ..] => first.code.as_str(),
            [] => Code::Untrusted.as_str(),
        }
    }

    /// The mistakes, in the order of the document.
    #[must_use]
    pub const fn diagnostics(&self) -> &[Diagnostic] {
        self.diagnostics.as_slice()
    }
}

impl From<Diagnostic> for BundleError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}

/// The first mistake, and how many more there are.
struct Summary<'a>(&'a [Diagnostic]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("the bundle is refused"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

/// Input as a message quotes it: at most 60 characters, control characters escaped.
#[must_use]
pub fn quoted(input: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut text: String = input.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if input.chars().nth(CHARS_MAX).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

/// The name among `known` that is nearest to `name`, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(name.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
