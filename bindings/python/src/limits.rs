//! The limits of an engine, as Python gives them: by their names in the core.

use fallgate::error::quoted;
use fallgate::limits::Limits;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

macro_rules! limits {
    ($($name:ident),* $(,)?) => {
        /// Sets the limit of that name; false where there is none.
        fn set(limits: &mut Limits, name: &str, count: u64) -> PyResult<bool> {
            match name {
                $(stringify!($name) => {
                    let message = concat!("the limit `", stringify!($name), "` is too large");
                    limits.$name = count.try_into().map_err(|_| PyValueError::new_err(message))?;
                })*
                _ => return Ok(false),
            }
            Ok(true)
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

/// Puts what is given in the place of the defaults.
///
/// # Errors
/// `TypeError` for a name that no limit has, and for what is no count.
pub(crate) fn put(given: &Bound<'_, PyDict>, limits: &mut Limits) -> PyResult<()> {
    for (name, count) in given {
        let name: String = name.extract().map_err(|_| PyTypeError::new_err("`limits` has a name that is no text"))?;
        let count = count.extract::<u64>().map_err(|_| {
            PyTypeError::new_err(format!("the limit {} must be a count: an integer, zero or more", quoted(&name)))
        })?;
        if !set(limits, &name, count)? {
            return Err(PyTypeError::new_err(format!("there is no limit {}", quoted(&name))));
        }
    }
    Ok(())
}
