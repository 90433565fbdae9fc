//! Why a decision is what it is: the effects, and every reason with its stable code.

/// What a decision does. Deny is zero, first and default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Effect {
    /// The request is refused.
    #[default]
    Deny = 0,
    /// The request is granted.
    Allow = 1,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $effect:ident;)*) => {
        /// Why a decision is what it is. The effect follows from the reason, never the other way round.
        ///
        /// Codes and numbers are stable and shared by all faces; none is ever used again for another reason.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name = $number,)* }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as text.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What a decision with this reason does.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $(Self::$name => Effect::$effect,)* }
            }
        }
    };
}

reasons! {
    /// The engine itself failed; also the reason of a decision that was never made.
    #[default]
    InternalError = 0, "internal_error", Deny;
    /// No bundle is active.
    NoPolicy = 1, "no_policy", Deny;
    /// The active bundle's validity is over, or the clock that measures it is not to be trusted.
    PolicyExpired = 2, "policy_expired", Deny;
    /// The active bundle's validity has not begun.
    PolicyNotYetValid = 3, "policy_not_yet_valid", Deny;
    /// The request exceeds a limit.
    LimitExceeded = 4, "limit_exceeded", Deny;
    /// The request is malformed or does not fit the schema.
    InvalidRequest = 5, "invalid_request", Deny;
    /// The pack declares no such action.
    UnknownAction = 6, "unknown_action", Deny;
    /// The request demands a newer revision than the active one.
    RevisionTooOld = 7, "revision_too_old", Deny;
    /// The action demands a record and there is no room for one.
    AuditUnavailable = 8, "audit_unavailable", Deny;
    /// The subject, the resource or a scope is quarantined.
    Quarantined = 9, "quarantined", Deny;
    /// The posture does not permit the action.
    Posture = 10, "posture", Deny;
    /// A signal that the action requires, or that alone would have decided, is not ok.
    SignalUnavailable = 11, "signal_unavailable", Deny;
    /// A deny rule is true.
    DeniedByRule = 12, "denied_by_rule", Deny;
    /// A rule that would have decided could not be established.
    Indeterminate = 13, "indeterminate", Deny;
    /// No allow rule is true.
    NoMatchingRule = 14, "no_matching_rule", Deny;
    /// The action answers only once its record is confirmed (`audit: confirmed`), and this one is not, or not yet.
    AuditPending = 15, "audit_pending", Deny;
    /// An allow rule is true, and every deny rule is false.
    AllowedByRule = 100, "allowed_by_rule", Allow;
    /// An earlier allow, under `on_failure: serve_cached`.
    AllowedStale = 101, "allowed_stale", Allow;
    /// A rule of the safe-mode set, under `on_failure: minimal`.
    AllowedMinimal = 102, "allowed_minimal", Allow;
    /// The action's declared fail-open, under `on_failure: allow`.
    AllowedFailOpen = 103, "allowed_fail_open", Allow;
    /// An approved override of a deny.
    AllowedByOverride = 104, "allowed_by_override", Allow;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_default_are_a_deny() {
        assert_eq!(Effect::default() as u8, 0);
        assert_eq!(Reason::default() as u8, 0);
        assert_eq!(Reason::default().effect(), Effect::Deny);
    }

    #[test]
    fn every_reason_says_its_effect_in_its_code() {
        for reason in Reason::ALL {
            assert_eq!(reason.effect() == Effect::Allow, reason.code().starts_with("allowed_"), "{reason:?}");
            assert_eq!(reason.effect() == Effect::Allow, *reason as u8 >= 100, "{reason:?}");
        }
    }
}
