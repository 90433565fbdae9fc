//! How an engine is set up. The defaults are the core's: a caller asks for them and changes what it wants otherwise.

use std::ffi::c_char;

use fallgate::Config;
use fallgate::audit::chain::Head;
use fallgate::limits::Limits;
use fallgate::name::{Name, name};
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::state::document::StateKey;
use fallgate::time::Ttl;

use crate::boundary::{Fault, bytes, contained, copied, writable};
use crate::status::fallgate_status;

/// The limits of an engine: counts, never times. What exceeds one is refused or denied. Zero allows nothing of its
/// kind, so that a zeroed struct refuses everything.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fallgate_limits {
    /// Bytes of a bundle.
    pub bundle_bytes_max: u64,
    /// Signatures of one envelope.
    pub signatures_max: u64,
    /// Bytes of a trust root.
    pub trust_bytes_max: u64,
    /// Keys of a trust root.
    pub trust_keys_max: u64,
    /// Keys and bundles that a trust root revokes, together.
    pub revocations_max: u64,
    /// Rules of a bundle.
    pub rules_max: u64,
    /// Actions that a bundle declares.
    pub actions_max: u64,
    /// Signals that a bundle declares.
    pub signals_max: u64,
    /// Postures that a bundle declares.
    pub postures_max: u64,
    /// Kinds of scopes that a bundle declares.
    pub scopes_max: u64,
    /// Scopes with a posture of their own; beyond, one is entered everywhere.
    pub scope_instances_max: u64,
    /// Quarantines at a time, and as many revocations; beyond, all is quarantined.
    pub quarantines_max: u64,
    /// Bytes of an exported state.
    pub state_bytes_max: u64,
    /// Approvers that a bundle declares; and secrets whose used codes are remembered.
    pub approvers_max: u64,
    /// Flags that a bundle declares.
    pub flags_max: u64,
    /// Proposals that are remembered; beyond, none is taken.
    pub proposals_max: u64,
    /// Overrides that are remembered; beyond, none is granted.
    pub overrides_max: u64,
    /// Bundles that were active before and can be gone back to; beyond, the oldest is forgotten.
    pub former_bundles_max: u64,
    /// Quarantines by a condition at a time; beyond, all is quarantined.
    pub quarantine_conditions_max: u64,
    /// Calls under way that one guard remembers; beyond, the oldest counts as failed.
    pub permits_max: u64,
    /// Attributes that a bundle reads.
    pub slots_max: u64,
    /// Bytes of one condition.
    pub condition_bytes_max: u64,
    /// Nodes of one condition.
    pub condition_nodes_max: u64,
    /// Depth to which one condition nests.
    pub condition_depth_max: u64,
    /// Bytes of a compiled regular expression.
    pub regex_bytes_max: u64,
    /// Bytes of one Rego module.
    pub rego_bytes_max: u64,
    /// Rego modules of a bundle.
    pub rego_modules_max: u64,
    /// Depth to which Rego nests.
    pub rego_nesting_max: u64,
    /// Depth of the graph of Rego rules.
    pub rego_rule_depth_max: u64,
    /// Steps of one Rego evaluation.
    pub rego_steps_max: u64,
    /// Bytes of a request.
    pub request_bytes_max: u64,
    /// Depth of a request.
    pub request_depth_max: u64,
    /// Values in a request, at every depth.
    pub request_values_max: u64,
    /// Bytes of an id, a type or an action's name.
    pub id_bytes_max: u64,
    /// Steps that the conditions of one decision may take. At most 2^32 - 1.
    pub steps_max: u64,
    /// Bytes that the conditions of one decision may build.
    pub arena_bytes_max: u64,
    /// Cached decisions; 0 switches the cache off.
    pub cache_entries_max: u64,
    /// Bytes of the keys of cached decisions.
    pub cache_bytes_max: u64,
    /// Bytes of one such key.
    pub cache_key_bytes_max: u64,
    /// Events not yet polled; beyond, the oldest is dropped and counted.
    pub events_max: u64,
    /// Causes of events that last at a time; beyond, each event of a cause keeps its severity.
    pub causes_max: u64,
    /// Actions that are counted each by its name; beyond, they are counted together.
    pub counted_actions_max: u64,
    /// Decisions, and events of postures, that operators have labelled; beyond, a label is refused.
    pub labels_max: u64,
    /// Audit records that the host has not confirmed; beyond, they are counted as missing, and what demands one is denied.
    pub audit_entries_max: u64,
    /// About how many bytes of memory they may take.
    pub audit_bytes_max: u64,
    /// Entries of the journal of inputs that the host has not confirmed; beyond, a gap stands in their place. 0, the default,
    /// switches the journal off.
    pub journal_entries_max: u64,
    /// About how many bytes of memory they may take. 0, the default, switches the journal off.
    pub journal_bytes_max: u64,
    /// Steps of a drill.
    pub drill_steps_max: u64,
    /// Items of a batch.
    pub batch_max: u64,
    /// Bytes of a batch.
    pub batch_bytes_max: u64,
    /// Values in a batch, at every depth.
    pub batch_values_max: u64,
    /// Candidates for searches that a bundle declares.
    pub candidates_max: u64,
    /// Results on one page of a search.
    pub search_page_max: u64,
}

/// How an engine is set up. Let fallgate_config_defaults fill it, then change what should be otherwise. A zeroed one is
/// refused with FALLGATE_STATUS_OUT_OF_RANGE.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fallgate_config {
    /// The bytes of this struct, as fallgate_config_defaults sets them.
    pub size: usize,
    /// How far the two clocks may part before the signal `clock` fails, in milliseconds.
    pub clock_skew_max_ms: u64,
    /// A secret that keys the cache's hashes and the identifiers of decisions. Hosts that take requests from strangers
    /// supply 16 random bytes.
    pub key: [u8; 16],
    /// A secret that seals exported state, shared by the engines that restore each other's; zeros for none: then nothing is
    /// exported or restored.
    pub state_key: [u8; 32],
    /// The name that other engines know this one by, with a NUL at its end; no two have the same. Empty: it takes no part in
    /// failovers.
    pub instance: [c_char; 64],
    /// A secret that keys what audit records say in place of redacted values; zeros for none: then a redacted value is gone
    /// without a trace.
    pub audit_key: [u8; 32],
    /// How many audit records the host has on disk: the chain goes on behind them. 0: a new chain.
    pub audit_count: u64,
    /// The hash of the last of them; zeros for a new chain.
    pub audit_head: [u8; 32],
    /// The JSON of the trust root whose keys must sign bundles, as `fallgate keys trust` writes it; NULL for none. It is read
    /// by fallgate_engine_new and not kept. With a root, no bundle is taken but by fallgate_engine_activate_signed.
    pub trust_root: *const c_char,
    /// How many bytes it has. 0 with a pointer is an empty file, and refused.
    pub trust_root_length: usize,
    /// The limits.
    pub limits: fallgate_limits,
}

/// Does something for each limit that is a `usize` in the core: all but two.
macro_rules! for_each_limit {
    ($each:ident) => {
        $each!(
            bundle_bytes_max,
            signatures_max,
            trust_bytes_max,
            trust_keys_max,
            revocations_max,
            rules_max,
            actions_max,
            signals_max,
            postures_max,
            scopes_max,
            scope_instances_max,
            quarantines_max,
            state_bytes_max,
            approvers_max,
            flags_max,
            proposals_max,
            overrides_max,
            former_bundles_max,
            quarantine_conditions_max,
            permits_max,
            slots_max,
            condition_bytes_max,
            condition_nodes_max,
            condition_depth_max,
            regex_bytes_max,
            rego_bytes_max,
            rego_modules_max,
            rego_nesting_max,
            rego_rule_depth_max,
            request_bytes_max,
            request_depth_max,
            request_values_max,
            id_bytes_max,
            arena_bytes_max,
            cache_entries_max,
            cache_bytes_max,
            cache_key_bytes_max,
            events_max,
            causes_max,
            counted_actions_max,
            labels_max,
            audit_entries_max,
            audit_bytes_max,
            journal_entries_max,
            journal_bytes_max,
            drill_steps_max,
            batch_max,
            batch_bytes_max,
            batch_values_max,
            candidates_max,
            search_page_max
        )
    };
}

fn defaults() -> fallgate_config {
    let config = Config::default();
    let core = &config.limits;
    let mut limits = fallgate_limits {
        rego_steps_max: core.rego_steps_max,
        steps_max: core.steps_max.into(),
        ..fallgate_limits::default()
    };
    macro_rules! take {
        ($($name:ident),*) => { $(limits.$name = u64::try_from(core.$name).unwrap_or(u64::MAX);)* };
    }
    for_each_limit!(take);
    fallgate_config {
        size: size_of::<fallgate_config>(),
        clock_skew_max_ms: config.clock_skew_max.as_millis(),
        key: config.key,
        // The defaults have none of these.
        state_key: [0; 32],
        instance: [0; 64],
        audit_key: [0; 32],
        audit_count: config.audit_head.count,
        audit_head: config.audit_head.hash,
        trust_root: std::ptr::null(),
        trust_root_length: 0,
        limits,
    }
}

/// The name of an engine, up to its NUL.
fn instance(room: &[c_char; 64]) -> Result<Name, Fault> {
    let bytes: Vec<u8> = room.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect();
    let text = str::from_utf8(&bytes)
        .map_err(|_| Fault::new(fallgate_status::FALLGATE_STATUS_NOT_UTF8, "`config->instance` is not UTF-8"))?;
    name(text).ok_or_else(|| {
        Fault::new(fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, "`config->instance` has no NUL at its end")
    })
}

/// Where the audit chain goes on: a hash and a count say together that there is one, or that there is none.
fn head(given: &fallgate_config) -> Result<Head, Fault> {
    let head = Head { count: given.audit_count, hash: given.audit_head };
    if (head.count == 0) != (head.hash == [0; 32]) {
        let message = "`config->audit_count` and `config->audit_head` do not fit: both are zero, or neither";
        return Err(Fault::new(fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, message));
    }
    Ok(head)
}

/// Whose bundles the engine takes.
///
/// # Safety
/// The root of `given` is NULL, or points to as many bytes as its length says.
unsafe fn trust(given: &fallgate_config, limits: &Limits) -> Result<Trust, Fault> {
    if given.trust_root.is_null() && given.trust_root_length == 0 {
        // Each activation says it again: FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT.
        return Ok(Trust::unsigned_for_development());
    }
    // SAFETY: this function's contract.
    let root =
        unsafe { bytes(given.trust_root, given.trust_root_length, limits.trust_bytes_max, "config->trust_root")? };
    Ok(Trust::keys(TrustRoot::from_json(root, limits)?))
}

fn out_of_range(name: &str) -> Fault {
    let message = format!("the limit `{name}` is beyond what this machine can count; lower it");
    Fault::new(fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, message)
}

/// The core's configuration.
///
/// # Safety
/// `config` is NULL, or points to a struct that can be read, whose trust root is NULL or can be read too.
pub(crate) unsafe fn chosen(config: *const fallgate_config) -> Result<Config, Fault> {
    // SAFETY: this function's contract; the size comes first and says whether the rest is there.
    let size = unsafe { copied(config.cast::<usize>(), "config")? };
    if size.is_some_and(|size| size != size_of::<fallgate_config>()) {
        let message = "`config->size` is not that of this version; let fallgate_config_defaults fill the struct first";
        return Err(Fault::new(fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, message));
    }
    // SAFETY: this function's contract, and the size is that of the struct.
    let Some(given) = (unsafe { copied(config, "config")? }) else { return Ok(Config::default()) };
    let mut limits = Limits::DEFAULT;
    macro_rules! put {
        ($($name:ident),*) => {
            $(limits.$name = given.limits.$name.try_into().map_err(|_| out_of_range(stringify!($name)))?;)*
        };
    }
    for_each_limit!(put);
    limits.rego_steps_max = given.limits.rego_steps_max;
    limits.steps_max = given.limits.steps_max.try_into().map_err(|_| out_of_range("steps_max"))?;
    let mut config = Config::default();
    // SAFETY: this function's contract.
    config.trust = unsafe { trust(&given, &limits)? };
    config.limits = limits;
    config.clock_skew_max = Ttl::from_millis(given.clock_skew_max_ms);
    config.key = given.key;
    config.state_key = StateKey::new(given.state_key);
    config.instance = instance(&given.instance)?;
    config.audit_key = Some(given.audit_key).filter(|key| *key != [0; 32]);
    config.audit_head = head(&given)?;
    Ok(config)
}

/// Fills a configuration with the defaults, which are those of every face of Fallgate.
///
/// `size` is sizeof(fallgate_config): a header of another version is refused with FALLGATE_STATUS_ABI_MISMATCH.
/// Ownership: the struct is the caller's. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any, on structs of their own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_config_defaults(config: *mut fallgate_config, size: usize) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contract of out-parameters.
        unsafe { writable(config, "config")? };
        if size != size_of::<fallgate_config>() {
            let message = "`size` is not sizeof(fallgate_config) of this version; build with its header";
            return Err(Fault::new(fallgate_status::FALLGATE_STATUS_ABI_MISMATCH, message));
        }
        // SAFETY: looked at above.
        unsafe { config.write(defaults()) };
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the fields in the text that `Debug` makes of a struct.
    fn fields(debug: &str) -> Vec<String> {
        let words = debug.split([' ', '{', '}', ',']).filter_map(|word| word.strip_suffix(':'));
        words.map(str::to_owned).collect()
    }

    #[test]
    fn every_limit_of_the_core_is_in_the_struct() {
        assert_eq!(fields(&format!("{:?}", fallgate_limits::default())), fields(&format!("{:?}", Limits::DEFAULT)));
    }

    #[test]
    fn the_defaults_come_back_as_they_went() {
        let given = defaults();
        // SAFETY: the pointer is to a variable.
        let config = unsafe { chosen(&raw const given) }.unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn what_was_changed_arrives() {
        let mut given = defaults();
        (given.limits.batch_max, given.limits.steps_max, given.key[15]) = (7, 8, 9);
        (given.state_key, given.instance[0]) = ([5; 32], b'a' as c_char);
        // SAFETY: the pointer is to a variable.
        let config = unsafe { chosen(&raw const given) }.unwrap();
        assert_eq!((config.limits.batch_max, config.limits.steps_max, config.key[15]), (7, 8, 9));
        assert_eq!((config.state_key, config.instance.as_str()), (StateKey::new([5; 32]), "a"));
        (given.audit_key, given.audit_count, given.audit_head) = ([6; 32], 7, [8; 32]);
        // SAFETY: the pointer is to a variable.
        let config = unsafe { chosen(&raw const given) }.unwrap();
        assert_eq!((config.audit_key, config.audit_head), (Some([6; 32]), Head { count: 7, hash: [8; 32] }));
        for (count, hash) in [(0, [8; 32]), (7, [0; 32])] {
            (given.audit_count, given.audit_head) = (count, hash);
            // SAFETY: the pointer is to a variable.
            assert!(unsafe { chosen(&raw const given) }.is_err(), "half a head is none");
        }
        (given.audit_count, given.audit_head) = (0, [0; 32]);
        given.instance = [b'a' as c_char; 64];
        // SAFETY: the pointer is to a variable.
        assert!(unsafe { chosen(&raw const given) }.is_err(), "a name without an end is none");
        given.instance = [0; 64];
        let root = include_bytes!("../../signed/root.json");
        for (length, version) in [(root.len(), Some(1)), (root.len() - 1, None), (0, None)] {
            (given.trust_root, given.trust_root_length) = (root.as_ptr().cast(), length);
            // SAFETY: the pointers are to variables, and the length is at most that of the root.
            let config = unsafe { chosen(&raw const given) }.ok();
            assert_eq!(config.and_then(|config| Some(config.trust.root()?.version())), version, "{length}");
        }
    }
}
