//! Every limit in one place.
//!
//! A limit is a count, never a time, so that the same input meets it on every machine (spec 1.3). What exceeds one is
//! refused: a pack with an error that names its place, a request with a deny that has the reason `limit_exceeded`, a
//! condition by being indeterminate.

use serde::{Deserialize, Serialize};

/// Limits on what an engine takes in. The defaults suit a service; a host may set lower ones, or higher.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a bundle. Default 64 MiB.
    pub bundle_bytes_max: usize,
    /// Signatures of one envelope. Default 64.
    pub signatures_max: usize,
    /// Bytes of a trust root. Default 16 MiB.
    pub trust_bytes_max: usize,
    /// Keys of a trust root. Default 256.
    pub trust_keys_max: usize,
    /// Keys and bundles that a trust root revokes, together. Default 100,000.
    pub revocations_max: usize,
    /// Rules of a bundle. Default 1,000,000.
    pub rules_max: usize,
    /// Actions a bundle declares. Default 10,000.
    pub actions_max: usize,
    /// Signals a bundle declares, members of quorums and built-in ones included. Default 1,024.
    pub signals_max: usize,
    /// Postures a bundle declares, the normal one included. Default 32.
    pub postures_max: usize,
    /// Kinds of scopes a bundle declares. Default 8.
    pub scopes_max: usize,
    /// Scopes that have a posture of their own, or had one lately. Beyond, a posture is entered everywhere. Default 10,000.
    pub scope_instances_max: usize,
    /// Quarantines at a time, and as many revocations. Beyond, everything is quarantined, or everybody's answers are void.
    /// Default 200,000.
    pub quarantines_max: usize,
    /// Bytes of an exported state. Default 16 MiB.
    pub state_bytes_max: usize,
    /// Approvers a bundle declares, over all groups; and secrets whose used codes are remembered. Default 1,000.
    pub approvers_max: usize,
    /// Flags a bundle declares. Default 64.
    pub flags_max: usize,
    /// Proposals that are remembered, pending or over, until they expire. Beyond, none is taken. Default 1,000.
    pub proposals_max: usize,
    /// Overrides that are remembered: in force, or so lately that they count against another. Beyond, none is granted.
    /// Default 256.
    pub overrides_max: usize,
    /// Bundles that were active before and can be gone back to. Beyond, the oldest is forgotten. Default 4.
    pub former_bundles_max: usize,
    /// Quarantines by a condition at a time. Beyond, everything is quarantined. Default 64.
    pub quarantine_conditions_max: usize,
    /// Calls under way that one guard remembers, besides the places of a bulkhead. Beyond, the oldest counts as failed.
    /// Default 10,000.
    pub permits_max: usize,
    /// Attributes that the conditions and match parts of a bundle read, over all entities. Default 1,024.
    pub slots_max: usize,
    /// Bytes of one condition. Default 64 KiB.
    pub condition_bytes_max: usize,
    /// Nodes of one condition. Default 20,000.
    pub condition_nodes_max: usize,
    /// Depth to which one condition may nest; chains of `&&`, `||` and `+` count once. Default 64.
    pub condition_depth_max: usize,
    /// Bytes of a compiled regular expression. Default 256 KiB.
    pub regex_bytes_max: usize,
    /// Bytes of one Rego module. Default 256 KiB.
    pub rego_bytes_max: usize,
    /// Rego modules of a bundle. Default 256.
    pub rego_modules_max: usize,
    /// Depth to which literals, calls and blocks of Rego may nest. Default 8 (spec 1.10).
    pub rego_nesting_max: usize,
    /// Depth of the graph of Rego rules. Default 32 (spec 1.10).
    pub rego_rule_depth_max: usize,
    /// Steps of one Rego evaluation. Default 1,000,000.
    pub rego_steps_max: u64,
    /// Bytes of a request. Default 1 MiB.
    pub request_bytes_max: usize,
    /// Depth of a request. Default 32.
    pub request_depth_max: usize,
    /// Values in a request, at every depth. Default 10,000.
    pub request_values_max: usize,
    /// Bytes of an `id`, a `type` or an action's name. Default 1,024.
    pub id_bytes_max: usize,
    /// Steps that one condition may take: each has a budget of its own, so that none depends on another. Default 100,000.
    pub steps_max: u32,
    /// Bytes that one condition may build. Default 1 MiB.
    pub arena_bytes_max: usize,
    /// Cached decisions. Default 10,000. Zero switches the cache off.
    pub cache_entries_max: usize,
    /// Bytes of the keys of cached decisions. Default 8 MiB.
    pub cache_bytes_max: usize,
    /// Bytes of one key; a decision with a longer one is not cached. Default 4,096.
    pub cache_key_bytes_max: usize,
    /// Events not yet polled; beyond, the oldest is dropped and counted. Default 1,024.
    pub events_max: usize,
    /// Causes of events that last at a time. Beyond, each event of a cause keeps its severity. Default 1,024.
    pub causes_max: usize,
    /// Actions that are counted each by its name; beyond, they are counted together. Default 1,000.
    pub counted_actions_max: usize,
    /// Decisions, and events of postures, that operators have labelled. Beyond, a label is refused. Default 10,000.
    pub labels_max: usize,
    /// Audit records that the host has not confirmed. Default 100,000.
    pub audit_entries_max: usize,
    /// About how many bytes of memory they may take. Default 64 MiB.
    pub audit_bytes_max: usize,
    /// Entries of the journal of inputs that the host has not confirmed. Default zero, which switches the journal off.
    pub journal_entries_max: usize,
    /// About how many bytes of memory they may take. Default zero, which switches the journal off.
    pub journal_bytes_max: usize,
    /// Steps of a drill, repetitions counted. Default 1,000,000.
    pub drill_steps_max: usize,
    /// Items of a batch. Default 1,000.
    pub batch_max: usize,
    /// Bytes of a batch. Default 4 MiB.
    pub batch_bytes_max: usize,
    /// Values in a batch, at every depth. Default 100,000.
    pub batch_values_max: usize,
    /// Candidates for searches that a bundle declares, subjects and resources together: what one search may cost at the
    /// most. Default 10,000.
    pub candidates_max: usize,
    /// Results on one page of a search; a request that asks for more gets this many. Default 1,000.
    pub search_page_max: usize,
}

impl Limits {
    /// The defaults, as a constant.
    pub const DEFAULT: Self = Self {
        bundle_bytes_max: 64 << 20,
        signatures_max: 64,
        trust_bytes_max: 16 << 20,
        trust_keys_max: 256,
        revocations_max: 100_000,
        rules_max: 1_000_000,
        actions_max: 10_000,
        signals_max: 1_024,
        postures_max: 32,
        scopes_max: 8,
        scope_instances_max: 10_000,
        quarantines_max: 200_000,
        state_bytes_max: 16 << 20,
        approvers_max: 1_000,
        flags_max: 64,
        proposals_max: 1_000,
        overrides_max: 256,
        former_bundles_max: 4,
        quarantine_conditions_max: 64,
        permits_max: 10_000,
        slots_max: 1_024,
        condition_bytes_max: 64 << 10,
        condition_nodes_max: 20_000,
        condition_depth_max: 64,
        regex_bytes_max: 256 << 10,
        rego_bytes_max: 256 << 10,
        rego_modules_max: 256,
        rego_nesting_max: 8,
        rego_rule_depth_max: 32,
        rego_steps_max: 1_000_000,
        request_bytes_max: 1 << 20,
        request_depth_max: 32,
        request_values_max: 10_000,
        id_bytes_max: 1_024,
        steps_max: 100_000,
        arena_bytes_max: 1 << 20,
        cache_entries_max: 10_000,
        cache_bytes_max: 8 << 20,
        cache_key_bytes_max: 4_096,
        events_max: 1_024,
        causes_max: 1_024,
        counted_actions_max: 1_000,
        labels_max: 10_000,
        audit_entries_max: 100_000,
        audit_bytes_max: 64 << 20,
        journal_entries_max: 0,
        journal_bytes_max: 0,
        drill_steps_max: 1_000_000,
        batch_max: 1_000,
        batch_bytes_max: 4 << 20,
        batch_values_max: 100_000,
        candidates_max: 10_000,
        search_page_max: 1_000,
    };
}

impl Limits {
    /// Bytes of an operation: as many as a request may have, and for one that restores a state or brings a bundle twice as
    /// many as that, since it holds it as text.
    #[must_use]
    pub const fn operation_bytes_max(&self) -> usize {
        let longest =
            if self.bundle_bytes_max > self.state_bytes_max { self.bundle_bytes_max } else { self.state_bytes_max };
        let longest = longest.saturating_mul(2);
        if longest > self.request_bytes_max { longest } else { self.request_bytes_max }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Bytes of a name: of a pack, a rule, an action, a signal, a posture. As long as a DNS label, and short enough that a
/// decision carries its names by value, without an allocation.
pub const NAME_BYTES_MAX: usize = 63;

/// Bytes of what names one scope, as `acme` of the scope `tenant:acme`. A request with a longer one is denied with the
/// reason `limit_exceeded`.
pub const SCOPE_BYTES_MAX: usize = 256;
