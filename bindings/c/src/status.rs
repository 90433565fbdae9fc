//! The numbers that cross the boundary: effects, reasons, statuses of signals, and what became of a call.
//!
//! They are written out, because the header is made from this text. Tests hold them equal to the core's.

use std::ffi::{CStr, c_char};

use fallgate::condition::Status;
use fallgate::reason::{Effect, Reason};

/// What a decision does. Deny is zero, so that memory which nobody wrote denies.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fallgate_effect {
    /// The request is refused.
    FALLGATE_EFFECT_DENY = 0,
    /// The request is granted.
    FALLGATE_EFFECT_ALLOW = 1,
}

impl From<Effect> for fallgate_effect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Deny => Self::FALLGATE_EFFECT_DENY,
            Effect::Allow => Self::FALLGATE_EFFECT_ALLOW,
        }
    }
}

/// Why a decision is what it is: below 100 a deny, from 100 on an allow. docs/errors.md explains each code.
#[allow(missing_docs, reason = "the names are the codes, which docs/errors.md explains")]
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fallgate_reason {
    /// `internal_error`: the engine failed, or no decision was made at all.
    FALLGATE_REASON_INTERNAL_ERROR = 0,
    FALLGATE_REASON_NO_POLICY = 1,
    FALLGATE_REASON_POLICY_EXPIRED = 2,
    FALLGATE_REASON_POLICY_NOT_YET_VALID = 3,
    FALLGATE_REASON_LIMIT_EXCEEDED = 4,
    FALLGATE_REASON_INVALID_REQUEST = 5,
    FALLGATE_REASON_UNKNOWN_ACTION = 6,
    FALLGATE_REASON_REVISION_TOO_OLD = 7,
    FALLGATE_REASON_AUDIT_UNAVAILABLE = 8,
    FALLGATE_REASON_QUARANTINED = 9,
    FALLGATE_REASON_POSTURE = 10,
    FALLGATE_REASON_SIGNAL_UNAVAILABLE = 11,
    FALLGATE_REASON_DENIED_BY_RULE = 12,
    FALLGATE_REASON_INDETERMINATE = 13,
    FALLGATE_REASON_NO_MATCHING_RULE = 14,
    FALLGATE_REASON_AUDIT_PENDING = 15,
    FALLGATE_REASON_ALLOWED_BY_RULE = 100,
    FALLGATE_REASON_ALLOWED_STALE = 101,
    FALLGATE_REASON_ALLOWED_MINIMAL = 102,
    FALLGATE_REASON_ALLOWED_FAIL_OPEN = 103,
    FALLGATE_REASON_ALLOWED_BY_OVERRIDE = 104,
}

use fallgate_reason::{
    FALLGATE_REASON_ALLOWED_BY_OVERRIDE, FALLGATE_REASON_ALLOWED_BY_RULE, FALLGATE_REASON_ALLOWED_FAIL_OPEN,
    FALLGATE_REASON_ALLOWED_MINIMAL, FALLGATE_REASON_ALLOWED_STALE, FALLGATE_REASON_AUDIT_PENDING,
    FALLGATE_REASON_AUDIT_UNAVAILABLE, FALLGATE_REASON_DENIED_BY_RULE, FALLGATE_REASON_INDETERMINATE,
    FALLGATE_REASON_INTERNAL_ERROR, FALLGATE_REASON_INVALID_REQUEST, FALLGATE_REASON_LIMIT_EXCEEDED,
    FALLGATE_REASON_NO_MATCHING_RULE, FALLGATE_REASON_NO_POLICY, FALLGATE_REASON_POLICY_EXPIRED,
    FALLGATE_REASON_POLICY_NOT_YET_VALID, FALLGATE_REASON_POSTURE, FALLGATE_REASON_QUARANTINED,
    FALLGATE_REASON_REVISION_TOO_OLD, FALLGATE_REASON_SIGNAL_UNAVAILABLE, FALLGATE_REASON_UNKNOWN_ACTION,
};

const REASONS: &[(Reason, fallgate_reason, &CStr)] = &[
    (Reason::InternalError, FALLGATE_REASON_INTERNAL_ERROR, c"internal_error"),
    (Reason::NoPolicy, FALLGATE_REASON_NO_POLICY, c"no_policy"),
    (Reason::PolicyExpired, FALLGATE_REASON_POLICY_EXPIRED, c"policy_expired"),
    (Reason::PolicyNotYetValid, FALLGATE_REASON_POLICY_NOT_YET_VALID, c"policy_not_yet_valid"),
    (Reason::LimitExceeded, FALLGATE_REASON_LIMIT_EXCEEDED, c"limit_exceeded"),
    (Reason::InvalidRequest, FALLGATE_REASON_INVALID_REQUEST, c"invalid_request"),
    (Reason::UnknownAction, FALLGATE_REASON_UNKNOWN_ACTION, c"unknown_action"),
    (Reason::RevisionTooOld, FALLGATE_REASON_REVISION_TOO_OLD, c"revision_too_old"),
    (Reason::AuditUnavailable, FALLGATE_REASON_AUDIT_UNAVAILABLE, c"audit_unavailable"),
    (Reason::Quarantined, FALLGATE_REASON_QUARANTINED, c"quarantined"),
    (Reason::Posture, FALLGATE_REASON_POSTURE, c"posture"),
    (Reason::SignalUnavailable, FALLGATE_REASON_SIGNAL_UNAVAILABLE, c"signal_unavailable"),
    (Reason::DeniedByRule, FALLGATE_REASON_DENIED_BY_RULE, c"denied_by_rule"),
    (Reason::Indeterminate, FALLGATE_REASON_INDETERMINATE, c"indeterminate"),
    (Reason::NoMatchingRule, FALLGATE_REASON_NO_MATCHING_RULE, c"no_matching_rule"),
    (Reason::AuditPending, FALLGATE_REASON_AUDIT_PENDING, c"audit_pending"),
    (Reason::AllowedByRule, FALLGATE_REASON_ALLOWED_BY_RULE, c"allowed_by_rule"),
    (Reason::AllowedStale, FALLGATE_REASON_ALLOWED_STALE, c"allowed_stale"),
    (Reason::AllowedMinimal, FALLGATE_REASON_ALLOWED_MINIMAL, c"allowed_minimal"),
    (Reason::AllowedFailOpen, FALLGATE_REASON_ALLOWED_FAIL_OPEN, c"allowed_fail_open"),
    (Reason::AllowedByOverride, FALLGATE_REASON_ALLOWED_BY_OVERRIDE, c"allowed_by_override"),
];

/// The number of a reason; nothing for one that this header does not have.
pub(crate) fn reason_number(reason: Reason) -> Option<fallgate_reason> {
    REASONS.iter().find(|(known, ..)| *known == reason).map(|(_, number, _)| *number)
}

/// What a signal is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fallgate_signal_status {
    /// Never observed, or not lately enough. Counts as not ok.
    FALLGATE_SIGNAL_UNKNOWN = 0,
    /// Failed, or not yet recovered.
    FALLGATE_SIGNAL_FAILED = 1,
    /// Working in part. Counts as not ok.
    FALLGATE_SIGNAL_DEGRADED = 2,
    /// Working, and seen to lately enough.
    FALLGATE_SIGNAL_OK = 3,
}

impl From<Status> for fallgate_signal_status {
    fn from(status: Status) -> Self {
        match status {
            Status::Unknown => Self::FALLGATE_SIGNAL_UNKNOWN,
            Status::Failed => Self::FALLGATE_SIGNAL_FAILED,
            Status::Degraded => Self::FALLGATE_SIGNAL_DEGRADED,
            Status::Ok => Self::FALLGATE_SIGNAL_OK,
        }
    }
}

/// The status that a number of [`fallgate_signal_status`] names.
pub(crate) fn signal_status(number: u32) -> Option<Status> {
    [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok]
        .into_iter()
        .find(|status| fallgate_signal_status::from(*status) as u32 == number)
}

/// What became of a call that is no decision. Compare with FALLGATE_STATUS_OK: zero is no success, so that memory which
/// nobody wrote is none. From 100 on these are the codes of docs/errors.md; fallgate_status_code gives their text.
#[allow(missing_docs, reason = "the names are the codes, which docs/errors.md explains")]
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fallgate_status {
    /// The library itself failed. Nothing was changed, or an engine denies until a bundle is activated.
    FALLGATE_STATUS_INTERNAL_ERROR = 0,
    /// The call did what its name says.
    FALLGATE_STATUS_OK = 1,
    /// There is none: no event to poll, nothing due, no active bundle, no signal of that name.
    FALLGATE_STATUS_NONE = 2,
    /// A pointer that must not be NULL is.
    FALLGATE_STATUS_NULL_POINTER = 10,
    /// A pointer is not aligned for what it points to.
    FALLGATE_STATUS_MISALIGNED = 11,
    /// A handle is of another kind, was freed, or is overwritten.
    FALLGATE_STATUS_BAD_HANDLE = 12,
    /// A text is not UTF-8.
    FALLGATE_STATUS_NOT_UTF8 = 13,
    /// A length is beyond what can be, or beyond the engine's limit.
    FALLGATE_STATUS_TOO_LONG = 14,
    /// The header is of another ABI version than the library.
    FALLGATE_STATUS_ABI_MISMATCH = 15,
    /// A number that must be one of an enumeration, or within a range, is not.
    FALLGATE_STATUS_OUT_OF_RANGE = 16,
    /// An observation is older than what is known, or says better at the same time.
    FALLGATE_STATUS_OBSERVATION_OLDER = 30,
    /// An observation lies in the future.
    FALLGATE_STATUS_OBSERVATION_FUTURE = 31,
    /// The signal is built in, or follows others.
    FALLGATE_STATUS_NOT_OBSERVABLE = 32,
    /// A bundle of this name with a higher revision was active.
    FALLGATE_STATUS_OLDER_REVISION = 40,
    /// A bundle of another name is active.
    FALLGATE_STATUS_OTHER_NAME = 41,
    /// The bundle may not decide now, and the active one may.
    FALLGATE_STATUS_OUTSIDE_VALIDITY = 42,
    /// A posture is entered that the bundle has not, or in a scope that it has not.
    FALLGATE_STATUS_LOSES_POSTURE = 43,
    /// A flag is set that the bundle has not.
    FALLGATE_STATUS_LOSES_FLAG = 44,
    /// Another bundle of this name and revision was active.
    FALLGATE_STATUS_SAME_REVISION = 45,
    /// Something is quarantined by a condition that the bundle cannot keep.
    FALLGATE_STATUS_LOSES_QUARANTINE = 46,
    /// A case that the bundle itself carries does not come out as it says.
    FALLGATE_STATUS_FAILS_TESTS = 47,
    /// The active bundle lets its successor in by a rollout alone: stage it.
    FALLGATE_STATUS_ROLLOUT_REQUIRED = 48,
    /// An operation was not done; fallgate_error_code has the code that says why.
    FALLGATE_STATUS_OPERATION_REFUSED = 50,
    /// A policy is refused for a cause that this header has no number for; the message has the code.
    FALLGATE_STATUS_REFUSED = 99,
    FALLGATE_STATUS_SYNTAX = 100,
    FALLGATE_STATUS_DUPLICATE_KEY = 101,
    FALLGATE_STATUS_NOT_CANONICAL = 102,
    FALLGATE_STATUS_UNKNOWN_FIELD = 103,
    FALLGATE_STATUS_MISSING_FIELD = 104,
    FALLGATE_STATUS_INVALID_VALUE = 105,
    FALLGATE_STATUS_UNSUPPORTED = 106,
    FALLGATE_STATUS_LIMIT_EXCEEDED = 107,
    FALLGATE_STATUS_INVALID_NAME = 108,
    FALLGATE_STATUS_DUPLICATE_NAME = 109,
    FALLGATE_STATUS_UNKNOWN_ACTION = 110,
    FALLGATE_STATUS_UNKNOWN_SIGNAL = 111,
    FALLGATE_STATUS_UNKNOWN_ATTRIBUTE = 112,
    FALLGATE_STATUS_TYPE_MISMATCH = 113,
    FALLGATE_STATUS_CONDITION_SYNTAX = 114,
    FALLGATE_STATUS_CONDITION_UNSUPPORTED = 115,
    FALLGATE_STATUS_CONDITION_NOT_BOOLEAN = 116,
    FALLGATE_STATUS_INFORMATION_LOSS = 117,
    FALLGATE_STATUS_INFORMATION_LOSS_ACCEPTED = 118,
    FALLGATE_STATUS_REGO_SYNTAX = 119,
    FALLGATE_STATUS_REGO_REFUSED = 120,
    FALLGATE_STATUS_REGO_ENTRY_POINT = 121,
    FALLGATE_STATUS_FAIL_OPEN_PROTECTED = 122,
    FALLGATE_STATUS_SIGNAL_CYCLE = 123,
    FALLGATE_STATUS_INVALID_WINDOW = 124,
    FALLGATE_STATUS_ACTION_NEVER_ALLOWED = 125,
    FALLGATE_STATUS_FAIL_OPEN_DECLARED = 126,
    FALLGATE_STATUS_UNTRUSTED = 127,
    FALLGATE_STATUS_UNKNOWN_POSTURE = 128,
    FALLGATE_STATUS_POSTURE_RANK_TIE = 129,
    FALLGATE_STATUS_POSTURE_NO_WAY_OUT = 130,
    FALLGATE_STATUS_POSTURE_CYCLE = 131,
    FALLGATE_STATUS_POSTURE_WIDER = 132,
    FALLGATE_STATUS_INVALID_KEY = 133,
    FALLGATE_STATUS_DUPLICATE_APPROVER = 134,
    FALLGATE_STATUS_UNKNOWN_GROUP = 135,
    FALLGATE_STATUS_TRAILING_DATA = 136,
    FALLGATE_STATUS_UNSIGNED = 137,
    FALLGATE_STATUS_STRIPPED = 138,
    FALLGATE_STATUS_UNDER_SIGNED = 139,
    FALLGATE_STATUS_SIGNED_TWICE = 140,
    FALLGATE_STATUS_ALTERED = 141,
    FALLGATE_STATUS_WRONG_PAYLOAD_TYPE = 142,
    FALLGATE_STATUS_UNKNOWN_KEY = 143,
    FALLGATE_STATUS_REVOKED_KEY = 144,
    FALLGATE_STATUS_KEY_EXPIRED = 145,
    FALLGATE_STATUS_KEY_NOT_YET_VALID = 146,
    FALLGATE_STATUS_UNKNOWN_ALGORITHM = 147,
    FALLGATE_STATUS_WEAK_KEY = 148,
    FALLGATE_STATUS_WRONG_KEY_ID = 149,
    FALLGATE_STATUS_BUNDLE_REVOKED = 150,
    FALLGATE_STATUS_OLDER_TRUST = 151,
    FALLGATE_STATUS_REVOCATION_LOST = 152,
    FALLGATE_STATUS_CONTROL_UNTRUSTED = 160,
}

const STATUSES: &[(fallgate_status, &CStr)] = &[
    (fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR, c"internal_error"),
    (fallgate_status::FALLGATE_STATUS_OK, c"ok"),
    (fallgate_status::FALLGATE_STATUS_NONE, c"none"),
    (fallgate_status::FALLGATE_STATUS_NULL_POINTER, c"null_pointer"),
    (fallgate_status::FALLGATE_STATUS_MISALIGNED, c"misaligned"),
    (fallgate_status::FALLGATE_STATUS_BAD_HANDLE, c"bad_handle"),
    (fallgate_status::FALLGATE_STATUS_NOT_UTF8, c"not_utf8"),
    (fallgate_status::FALLGATE_STATUS_TOO_LONG, c"too_long"),
    (fallgate_status::FALLGATE_STATUS_ABI_MISMATCH, c"abi_mismatch"),
    (fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, c"out_of_range"),
    (fallgate_status::FALLGATE_STATUS_OBSERVATION_OLDER, c"older"),
    (fallgate_status::FALLGATE_STATUS_OBSERVATION_FUTURE, c"future"),
    (fallgate_status::FALLGATE_STATUS_NOT_OBSERVABLE, c"not_observable"),
    (fallgate_status::FALLGATE_STATUS_OLDER_REVISION, c"older_revision"),
    (fallgate_status::FALLGATE_STATUS_OTHER_NAME, c"other_name"),
    (fallgate_status::FALLGATE_STATUS_OUTSIDE_VALIDITY, c"outside_validity"),
    (fallgate_status::FALLGATE_STATUS_LOSES_POSTURE, c"loses_posture"),
    (fallgate_status::FALLGATE_STATUS_LOSES_FLAG, c"loses_flag"),
    (fallgate_status::FALLGATE_STATUS_SAME_REVISION, c"same_revision"),
    (fallgate_status::FALLGATE_STATUS_LOSES_QUARANTINE, c"loses_quarantine"),
    (fallgate_status::FALLGATE_STATUS_FAILS_TESTS, c"fails_tests"),
    (fallgate_status::FALLGATE_STATUS_ROLLOUT_REQUIRED, c"rollout_required"),
    (fallgate_status::FALLGATE_STATUS_OPERATION_REFUSED, c"operation_refused"),
    (fallgate_status::FALLGATE_STATUS_REFUSED, c"refused"),
    (fallgate_status::FALLGATE_STATUS_SYNTAX, c"syntax"),
    (fallgate_status::FALLGATE_STATUS_DUPLICATE_KEY, c"duplicate_key"),
    (fallgate_status::FALLGATE_STATUS_NOT_CANONICAL, c"not_canonical"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_FIELD, c"unknown_field"),
    (fallgate_status::FALLGATE_STATUS_MISSING_FIELD, c"missing_field"),
    (fallgate_status::FALLGATE_STATUS_INVALID_VALUE, c"invalid_value"),
    (fallgate_status::FALLGATE_STATUS_UNSUPPORTED, c"unsupported"),
    (fallgate_status::FALLGATE_STATUS_LIMIT_EXCEEDED, c"limit_exceeded"),
    (fallgate_status::FALLGATE_STATUS_INVALID_NAME, c"invalid_name"),
    (fallgate_status::FALLGATE_STATUS_DUPLICATE_NAME, c"duplicate_name"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_ACTION, c"unknown_action"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_SIGNAL, c"unknown_signal"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_ATTRIBUTE, c"unknown_attribute"),
    (fallgate_status::FALLGATE_STATUS_TYPE_MISMATCH, c"type_mismatch"),
    (fallgate_status::FALLGATE_STATUS_CONDITION_SYNTAX, c"condition_syntax"),
    (fallgate_status::FALLGATE_STATUS_CONDITION_UNSUPPORTED, c"condition_unsupported"),
    (fallgate_status::FALLGATE_STATUS_CONDITION_NOT_BOOLEAN, c"condition_not_boolean"),
    (fallgate_status::FALLGATE_STATUS_INFORMATION_LOSS, c"information_loss"),
    (fallgate_status::FALLGATE_STATUS_INFORMATION_LOSS_ACCEPTED, c"information_loss_accepted"),
    (fallgate_status::FALLGATE_STATUS_REGO_SYNTAX, c"rego_syntax"),
    (fallgate_status::FALLGATE_STATUS_REGO_REFUSED, c"rego_refused"),
    (fallgate_status::FALLGATE_STATUS_REGO_ENTRY_POINT, c"rego_entry_point"),
    (fallgate_status::FALLGATE_STATUS_FAIL_OPEN_PROTECTED, c"fail_open_protected"),
    (fallgate_status::FALLGATE_STATUS_SIGNAL_CYCLE, c"signal_cycle"),
    (fallgate_status::FALLGATE_STATUS_INVALID_WINDOW, c"invalid_window"),
    (fallgate_status::FALLGATE_STATUS_ACTION_NEVER_ALLOWED, c"action_never_allowed"),
    (fallgate_status::FALLGATE_STATUS_FAIL_OPEN_DECLARED, c"fail_open_declared"),
    (fallgate_status::FALLGATE_STATUS_UNTRUSTED, c"untrusted"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_POSTURE, c"unknown_posture"),
    (fallgate_status::FALLGATE_STATUS_POSTURE_RANK_TIE, c"posture_rank_tie"),
    (fallgate_status::FALLGATE_STATUS_POSTURE_NO_WAY_OUT, c"posture_no_way_out"),
    (fallgate_status::FALLGATE_STATUS_POSTURE_CYCLE, c"posture_cycle"),
    (fallgate_status::FALLGATE_STATUS_POSTURE_WIDER, c"posture_wider"),
    (fallgate_status::FALLGATE_STATUS_INVALID_KEY, c"invalid_key"),
    (fallgate_status::FALLGATE_STATUS_DUPLICATE_APPROVER, c"duplicate_approver"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_GROUP, c"unknown_group"),
    (fallgate_status::FALLGATE_STATUS_TRAILING_DATA, c"trailing_data"),
    (fallgate_status::FALLGATE_STATUS_UNSIGNED, c"unsigned"),
    (fallgate_status::FALLGATE_STATUS_STRIPPED, c"stripped"),
    (fallgate_status::FALLGATE_STATUS_UNDER_SIGNED, c"under_signed"),
    (fallgate_status::FALLGATE_STATUS_SIGNED_TWICE, c"signed_twice"),
    (fallgate_status::FALLGATE_STATUS_ALTERED, c"altered"),
    (fallgate_status::FALLGATE_STATUS_WRONG_PAYLOAD_TYPE, c"wrong_payload_type"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_KEY, c"unknown_key"),
    (fallgate_status::FALLGATE_STATUS_REVOKED_KEY, c"revoked_key"),
    (fallgate_status::FALLGATE_STATUS_KEY_EXPIRED, c"key_expired"),
    (fallgate_status::FALLGATE_STATUS_KEY_NOT_YET_VALID, c"key_not_yet_valid"),
    (fallgate_status::FALLGATE_STATUS_UNKNOWN_ALGORITHM, c"unknown_algorithm"),
    (fallgate_status::FALLGATE_STATUS_WEAK_KEY, c"weak_key"),
    (fallgate_status::FALLGATE_STATUS_WRONG_KEY_ID, c"wrong_key_id"),
    (fallgate_status::FALLGATE_STATUS_BUNDLE_REVOKED, c"bundle_revoked"),
    (fallgate_status::FALLGATE_STATUS_OLDER_TRUST, c"older_trust"),
    (fallgate_status::FALLGATE_STATUS_REVOCATION_LOST, c"revocation_lost"),
    (fallgate_status::FALLGATE_STATUS_CONTROL_UNTRUSTED, c"control_untrusted"),
];

impl fallgate_status {
    /// The status whose text is that code; a refusal without a number of its own for a code that is not known here.
    pub(crate) fn of_code(code: &str) -> Self {
        let found = STATUSES.iter().find(|(_, text)| text.to_bytes() == code.as_bytes());
        found.map_or(Self::FALLGATE_STATUS_REFUSED, |(status, _)| *status)
    }

    /// The text of the status.
    pub(crate) fn code(self) -> &'static CStr {
        STATUSES.iter().find(|(known, _)| *known == self).map_or(c"unknown", |(_, text)| text)
    }
}

/// The stable text of a status, such as "not_canonical": what all faces of Fallgate share.
///
/// Gives static text with a NUL at its end, never NULL; "unknown" for a number that names no status.
/// Threads: any. Cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn fallgate_status_code(status: u32) -> *const c_char {
    let found = STATUSES.iter().find(|(known, _)| *known as u32 == status);
    found.map_or(c"unknown", |(_, text)| text).as_ptr()
}

/// The stable text of a reason, such as "allowed_by_rule".
///
/// Gives static text with a NUL at its end, never NULL; "unknown" for a number that names no reason.
/// Threads: any. Cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn fallgate_reason_code(reason: u32) -> *const c_char {
    let found = REASONS.iter().find(|(_, known, _)| *known as u32 == reason);
    found.map_or(c"unknown", |(.., text)| text).as_ptr()
}

#[cfg(test)]
mod tests {
    use fallgate::error::Code;

    use super::*;

    #[test]
    fn every_reason_has_the_number_and_the_text_of_the_core() {
        assert_eq!(REASONS.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(reason_number(*reason).map(|number| number as u32), Some(*reason as u32), "{reason:?}");
            // SAFETY: the text is static and ends with a NUL.
            let text = unsafe { CStr::from_ptr(fallgate_reason_code(*reason as u32)) };
            assert_eq!(text.to_str(), Ok(reason.code()));
        }
    }

    #[test]
    fn every_code_of_the_core_has_a_status() {
        for code in Code::ALL {
            let status = fallgate_status::of_code(code.as_str());
            assert_ne!(status, fallgate_status::FALLGATE_STATUS_REFUSED, "add FALLGATE_STATUS_… for {}", code.as_str());
        }
        assert_eq!(fallgate_status::of_code("of tomorrow"), fallgate_status::FALLGATE_STATUS_REFUSED);
    }

    #[test]
    fn no_number_and_no_text_stands_twice() {
        for (at, (status, text)) in STATUSES.iter().enumerate() {
            for (other, other_text) in &STATUSES[..at] {
                assert!(*status as u32 != *other as u32 && text != other_text, "{text:?}");
            }
        }
    }

    #[test]
    fn zero_is_neither_an_allow_nor_a_success() {
        assert_eq!(fallgate_effect::from(Effect::default()) as u32, 0);
        assert_eq!(reason_number(Reason::default()).map(|reason| reason as u32), Some(0));
        assert_ne!(fallgate_status::FALLGATE_STATUS_OK as u32, 0);
        assert_eq!(fallgate_signal_status::from(Status::default()) as u32, 0);
    }
}
