//! How an engine is set up. What the caller leaves out is the core's default: this face has none of its own.

use fallgate::Config;
use fallgate::audit::chain::Head;
use fallgate::limits::{Limits, NAME_BYTES_MAX};
use fallgate::name::name;
use fallgate::state::document::StateKey;
use fallgate::time::Ttl;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Result, misuse};
use crate::source::{Said, TrustOption, trust};

/// The options of an engine, as the JavaScript side hands them over.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    clock_skew_max_ms: Option<u64>,
    key: Option<[u8; 16]>,
    state_key: Option<[u8; 32]>,
    instance: Option<String>,
    audit_key: Option<[u8; 32]>,
    audit_head: Option<Value>,
    trust: Option<TrustOption>,
    #[serde(default)]
    limits: LimitOptions,
}

macro_rules! limits {
    ($($name:ident),* $(,)?) => {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase", default)]
        struct LimitOptions { $($name: Option<u64>,)* }

        impl LimitOptions {
            fn over(self, mut limits: Limits) -> Result<Limits> {
                $(if let Some(count) = self.$name {
                    limits.$name = count.try_into().map_err(|_| misuse("a limit is too large"))?;
                })*
                Ok(limits)
            }
        }
    };
}

limits! {
    bundle_bytes_max, signatures_max, trust_bytes_max, trust_keys_max, revocations_max, rules_max, actions_max,
    signals_max, postures_max, scopes_max, scope_instances_max, quarantines_max, state_bytes_max, approvers_max,
    flags_max, proposals_max, overrides_max, former_bundles_max, quarantine_conditions_max, permits_max, slots_max, condition_bytes_max,
    condition_nodes_max, condition_depth_max, regex_bytes_max, rego_bytes_max, rego_modules_max, rego_nesting_max,
    rego_rule_depth_max, rego_steps_max, request_bytes_max, request_depth_max, request_values_max, id_bytes_max,
    steps_max, arena_bytes_max, cache_entries_max, cache_bytes_max, cache_key_bytes_max, events_max, causes_max,
    counted_actions_max, labels_max, audit_entries_max, audit_bytes_max, journal_entries_max, journal_bytes_max,
    drill_steps_max, batch_max, batch_bytes_max, batch_values_max, candidates_max, search_page_max,
}

/// The configuration that the options, as JSON, ask for, and whom the host said to trust; `root` has the bytes of a trust
/// root, where it was given so.
pub(crate) fn configuration(options: &str, root: Option<&[u8]>) -> Result<(Config, Said)> {
    let options: Options =
        serde_json::from_str(options).map_err(|error| misuse(&format!("the engine's options: {error}")))?;
    let mut config = Config::default();
    if let Some(millis) = options.clock_skew_max_ms {
        config.clock_skew_max = Ttl::from_millis(millis);
    }
    if let Some(key) = options.key {
        config.key = key;
    }
    if let Some(key) = options.state_key {
        config.state_key = Some(StateKey::new(key).ok_or_else(|| misuse("`stateKey` must not be all zeros"))?);
    }
    if let Some(text) = &options.instance {
        let message = format!("`instance` must be a name of at most {NAME_BYTES_MAX} bytes");
        config.instance = name(text).ok_or_else(|| misuse(&message))?;
    }
    config.audit_key = options.audit_key;
    if let Some(head) = &options.audit_head {
        let message = "`auditHead` must have a `count` and the `head` in hexadecimal, as a sink or `checkpoint` gives";
        config.audit_head = Head::from_json(head).ok_or_else(|| misuse(message))?;
    }
    config.limits = options.limits.over(config.limits)?;
    let (trust, said) = trust(options.trust.as_ref(), root, &config.limits)?;
    config.trust = trust;
    Ok((config, said))
}
