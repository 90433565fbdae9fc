"""The limits of an engine, by their names."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Limits"]


class Limits(TypedDict, total=False):
    """Limits on what an engine takes in: counts, never times. What is left out is the core's default."""

    bundle_bytes_max: int
    signatures_max: int
    trust_bytes_max: int
    trust_keys_max: int
    revocations_max: int
    rules_max: int
    actions_max: int
    signals_max: int
    postures_max: int
    scopes_max: int
    scope_instances_max: int
    quarantines_max: int
    state_bytes_max: int
    approvers_max: int
    flags_max: int
    proposals_max: int
    overrides_max: int
    former_bundles_max: int
    quarantine_conditions_max: int
    permits_max: int
    slots_max: int
    condition_bytes_max: int
    condition_nodes_max: int
    condition_depth_max: int
    regex_bytes_max: int
    rego_bytes_max: int
    rego_modules_max: int
    rego_nesting_max: int
    rego_rule_depth_max: int
    rego_steps_max: int
    request_bytes_max: int
    request_depth_max: int
    request_values_max: int
    id_bytes_max: int
    steps_max: int
    arena_bytes_max: int
    cache_entries_max: int
    cache_bytes_max: int
    cache_key_bytes_max: int
    events_max: int
    causes_max: int
    counted_actions_max: int
    labels_max: int
    audit_entries_max: int
    audit_bytes_max: int
    journal_entries_max: int
    journal_bytes_max: int
    drill_steps_max: int
    batch_max: int
    batch_bytes_max: int
    batch_values_max: int
    candidates_max: int
    search_page_max: int
