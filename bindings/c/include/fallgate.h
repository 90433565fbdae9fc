// fallgate.h: Fallgate for C11 and C++17. A policy decision point that a program links, and that fails closed.
//
// Made from bindings/c/src by `make generate`; changes belong there.
//
// What holds for every function, where its own words do not say otherwise:
//
// - Deny is zero. FALLGATE_EFFECT_DENY is 0, a zeroed fallgate_decision is a deny, and whatever fails is one.
// - Success is not zero. A fallgate_status is compared with FALLGATE_STATUS_OK; zero is FALLGATE_STATUS_INTERNAL_ERROR.
// - Handles (fallgate_engine, fallgate_details, fallgate_text, fallgate_error) are opaque. Each has one function that makes
//   it and one that frees it, which takes the address of the caller's variable and sets it to NULL. A handle of another
//   kind, a misaligned one and, while the memory still shows it, a freed one is FALLGATE_STATUS_BAD_HANDLE or _MISALIGNED.
// - Texts come in as a pointer and a length in bytes, need no NUL at their end, and are read during the call only. Length 0
//   is an empty text, whatever the pointer. What goes out ends with a NUL, which no length counts.
// - Structs and arrays that are passed in are read during the call only. Out-parameters are written, never read; where a
//   call fails a handle there is NULL. None may overlap another argument.
// - A pointer that is not NULL must lead to memory that is there: that alone the library cannot look at.
// - No panic leaves a function and no thread is started. Engines share nothing. One small record is kept for each thread
//   that decides, and another thread takes it over when that one ends: a library that was loaded stays loaded.

#ifndef FALLGATE_H
#define FALLGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Marks a function whose result must be looked at.
#if defined(__cplusplus) && __cplusplus >= 201703L
#define FALLGATE_MUST_USE [[nodiscard]]
#elif defined(__GNUC__)
#define FALLGATE_MUST_USE __attribute__((warn_unused_result))
#else
#define FALLGATE_MUST_USE
#endif

// The initialiser of a fallgate_str from a literal.
#define FALLGATE_STR(literal) { (literal), sizeof(literal) - 1 }

// The initialiser of a fallgate_attributes, a fallgate_map or a fallgate_list from an array; not from a pointer.
#define FALLGATE_ARRAY(array) { (array), sizeof(array) / sizeof((array)[0]) }

// Takes any bundle, signed or not. For development: whoever can write the file writes the policy. There is no default:
// a host says what it trusts, and zero is refused with FALLGATE_STATUS_UNTRUSTED.
#define FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT 1

// The version of this header's ABI. Pass it to fallgate_engine_new, which refuses any other than the library's own.
#define FALLGATE_ABI_VERSION 1

// What became of a call that is no decision. Compare with FALLGATE_STATUS_OK: zero is no success, so that memory which
// nobody wrote is none. From 100 on these are the codes of docs/errors.md; fallgate_status_code gives their text.
enum fallgate_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The library itself failed. Nothing was changed, or an engine denies until a bundle is activated.
    FALLGATE_STATUS_INTERNAL_ERROR = 0,
    // The call did what its name says.
    FALLGATE_STATUS_OK = 1,
    // There is none: no event to poll, nothing due, no active bundle, no signal of that name.
    FALLGATE_STATUS_NONE = 2,
    // A pointer that must not be NULL is.
    FALLGATE_STATUS_NULL_POINTER = 10,
    // A pointer is not aligned for what it points to.
    FALLGATE_STATUS_MISALIGNED = 11,
    // A handle is of another kind, was freed, or is overwritten.
    FALLGATE_STATUS_BAD_HANDLE = 12,
    // A text is not UTF-8.
    FALLGATE_STATUS_NOT_UTF8 = 13,
    // A length is beyond what can be, or beyond the engine's limit.
    FALLGATE_STATUS_TOO_LONG = 14,
    // The header is of another ABI version than the library.
    FALLGATE_STATUS_ABI_MISMATCH = 15,
    // A number that must be one of an enumeration, or within a range, is not.
    FALLGATE_STATUS_OUT_OF_RANGE = 16,
    // An observation is older than what is known, or says better at the same time.
    FALLGATE_STATUS_OBSERVATION_OLDER = 30,
    // An observation lies in the future.
    FALLGATE_STATUS_OBSERVATION_FUTURE = 31,
    // The signal is built in, or follows others.
    FALLGATE_STATUS_NOT_OBSERVABLE = 32,
    // A bundle of this name with a higher revision was active.
    FALLGATE_STATUS_OLDER_REVISION = 40,
    // A bundle of another name is active.
    FALLGATE_STATUS_OTHER_NAME = 41,
    // The bundle may not decide now, and the active one may.
    FALLGATE_STATUS_OUTSIDE_VALIDITY = 42,
    // A posture is entered that the bundle has not, or in a scope that it has not.
    FALLGATE_STATUS_LOSES_POSTURE = 43,
    // A flag is set that the bundle has not.
    FALLGATE_STATUS_LOSES_FLAG = 44,
    // Another bundle of this name and revision was active.
    FALLGATE_STATUS_SAME_REVISION = 45,
    // Something is quarantined by a condition that the bundle cannot keep.
    FALLGATE_STATUS_LOSES_QUARANTINE = 46,
    // A case that the bundle itself carries does not come out as it says.
    FALLGATE_STATUS_FAILS_TESTS = 47,
    // The active bundle lets its successor in by a rollout alone: stage it.
    FALLGATE_STATUS_ROLLOUT_REQUIRED = 48,
    // An operation was not done; fallgate_error_code has the code that says why.
    FALLGATE_STATUS_OPERATION_REFUSED = 50,
    // A policy is refused for a cause that this header has no number for; the message has the code.
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
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fallgate_status fallgate_status;
#else
typedef uint32_t fallgate_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a signal is.
enum fallgate_signal_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Never observed, or not lately enough. Counts as not ok.
    FALLGATE_SIGNAL_UNKNOWN = 0,
    // Failed, or not yet recovered.
    FALLGATE_SIGNAL_FAILED = 1,
    // Working in part. Counts as not ok.
    FALLGATE_SIGNAL_DEGRADED = 2,
    // Working, and seen to lately enough.
    FALLGATE_SIGNAL_OK = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fallgate_signal_status fallgate_signal_status;
#else
typedef uint32_t fallgate_signal_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a decision does. Deny is zero, so that memory which nobody wrote denies.
enum fallgate_effect
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The request is refused.
    FALLGATE_EFFECT_DENY = 0,
    // The request is granted.
    FALLGATE_EFFECT_ALLOW = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fallgate_effect fallgate_effect;
#else
typedef uint32_t fallgate_effect;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a decision is what it is: below 100 a deny, from 100 on an allow. docs/errors.md explains each code.
enum fallgate_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // `internal_error`: the engine failed, or no decision was made at all.
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
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fallgate_reason fallgate_reason;
#else
typedef uint32_t fallgate_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a value is. A number that is none of these makes the request invalid.
enum fallgate_value_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // JSON's `null`.
    FALLGATE_VALUE_NULL = 0,
    // `boolean`: 0 or 1.
    FALLGATE_VALUE_BOOL = 1,
    // `integer`.
    FALLGATE_VALUE_INT = 2,
    // `natural`: the same number as an integer is the same value.
    FALLGATE_VALUE_UINT = 3,
    // `number`: finite.
    FALLGATE_VALUE_DOUBLE = 4,
    // `text`.
    FALLGATE_VALUE_TEXT = 5,
    // `list`.
    FALLGATE_VALUE_LIST = 6,
    // `map`.
    FALLGATE_VALUE_MAP = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum fallgate_value_kind fallgate_value_kind;
#else
typedef uint32_t fallgate_value_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A place for the particulars of a decision: its obligations, the signals that were not ok, what was wrong with a
// request, the whole as JSON. Make one for each thread and pass it to every decision; each replaces what was in it.
typedef struct fallgate_details fallgate_details;

// An engine: it denies everything with `no_policy` until a bundle is activated. Every function that takes a const
// engine may be called by any number of threads at once.
typedef struct fallgate_engine fallgate_engine;

// What is wrong with a call, for people and for programs; the caller frees it with fallgate_error_free.
typedef struct fallgate_error fallgate_error;

// A text that the library made and the caller frees with fallgate_text_free: UTF-8, with a NUL behind its last byte.
typedef struct fallgate_text fallgate_text;

// The limits of an engine: counts, never times. What exceeds one is refused or denied. Zero allows nothing of its
// kind, so that a zeroed struct refuses everything.
typedef struct fallgate_limits {
    // Bytes of a bundle.
    uint64_t bundle_bytes_max;
    // Signatures of one envelope.
    uint64_t signatures_max;
    // Bytes of a trust root.
    uint64_t trust_bytes_max;
    // Keys of a trust root.
    uint64_t trust_keys_max;
    // Keys and bundles that a trust root revokes, together.
    uint64_t revocations_max;
    // Feeds of control messages that a trust root names, and that an engine remembers; beyond, none of another is taken.
    uint64_t control_feeds_max;
    // Of how many messages of each feed the digests are remembered.
    uint64_t control_digests_max;
    // Rules of a bundle.
    uint64_t rules_max;
    // Actions that a bundle declares.
    uint64_t actions_max;
    // Signals that a bundle declares.
    uint64_t signals_max;
    // Postures that a bundle declares.
    uint64_t postures_max;
    // Kinds of scopes that a bundle declares.
    uint64_t scopes_max;
    // Scopes with a posture of their own; beyond, one is entered everywhere.
    uint64_t scope_instances_max;
    // Quarantines at a time, and as many revocations; beyond, all is quarantined.
    uint64_t quarantines_max;
    // Bytes of an exported state.
    uint64_t state_bytes_max;
    // Approvers that a bundle declares; and secrets whose used codes are remembered.
    uint64_t approvers_max;
    // Flags that a bundle declares.
    uint64_t flags_max;
    // Proposals that are remembered; beyond, none is taken.
    uint64_t proposals_max;
    // Overrides that are remembered; beyond, none is granted.
    uint64_t overrides_max;
    // Bundles that were active before and can be gone back to; beyond, the oldest is forgotten.
    uint64_t former_bundles_max;
    // Quarantines by a condition at a time; beyond, all is quarantined.
    uint64_t quarantine_conditions_max;
    // Calls under way that one guard remembers; beyond, the oldest counts as failed.
    uint64_t permits_max;
    // Attributes that a bundle reads.
    uint64_t slots_max;
    // Bytes of one condition.
    uint64_t condition_bytes_max;
    // Nodes of one condition.
    uint64_t condition_nodes_max;
    // Depth to which one condition nests.
    uint64_t condition_depth_max;
    // Bytes of a compiled regular expression.
    uint64_t regex_bytes_max;
    // Bytes of one Rego module.
    uint64_t rego_bytes_max;
    // Rego modules of a bundle.
    uint64_t rego_modules_max;
    // Depth to which Rego nests.
    uint64_t rego_nesting_max;
    // Depth of the graph of Rego rules.
    uint64_t rego_rule_depth_max;
    // Steps of one Rego evaluation.
    uint64_t rego_steps_max;
    // Bytes of a request.
    uint64_t request_bytes_max;
    // Depth of a request.
    uint64_t request_depth_max;
    // Values in a request, at every depth.
    uint64_t request_values_max;
    // Bytes of an id, a type or an action's name.
    uint64_t id_bytes_max;
    // Steps that the conditions of one decision may take. At most 2^32 - 1.
    uint64_t steps_max;
    // Bytes that the conditions of one decision may build.
    uint64_t arena_bytes_max;
    // Cached decisions; 0 switches the cache off.
    uint64_t cache_entries_max;
    // Bytes of the keys of cached decisions.
    uint64_t cache_bytes_max;
    // Bytes of one such key.
    uint64_t cache_key_bytes_max;
    // Events not yet polled; beyond, the oldest is dropped and counted.
    uint64_t events_max;
    // Causes of events that last at a time; beyond, each event of a cause keeps its severity.
    uint64_t causes_max;
    // Actions that are counted each by its name; beyond, they are counted together.
    uint64_t counted_actions_max;
    // Decisions, and events of postures, that operators have labelled; beyond, a label is refused.
    uint64_t labels_max;
    // Audit records that the host has not confirmed; beyond, they are counted as missing, and what demands one is denied.
    uint64_t audit_entries_max;
    // About how many bytes of memory they may take.
    uint64_t audit_bytes_max;
    // Entries of the journal of inputs that the host has not confirmed; beyond, a gap stands in their place. 0, the default,
    // switches the journal off.
    uint64_t journal_entries_max;
    // About how many bytes of memory they may take. 0, the default, switches the journal off.
    uint64_t journal_bytes_max;
    // Steps of a drill.
    uint64_t drill_steps_max;
    // Items of a batch.
    uint64_t batch_max;
    // Bytes of a batch.
    uint64_t batch_bytes_max;
    // Values in a batch, at every depth.
    uint64_t batch_values_max;
    // Candidates for searches that a bundle declares.
    uint64_t candidates_max;
    // Results on one page of a search.
    uint64_t search_page_max;
} fallgate_limits;

// How an engine is set up. Let fallgate_config_defaults fill it, then change what should be otherwise. A zeroed one is
// refused with FALLGATE_STATUS_OUT_OF_RANGE.
typedef struct fallgate_config {
    // The bytes of this struct, as fallgate_config_defaults sets them.
    size_t size;
    // How far the two clocks may part before the signal `clock` fails, in milliseconds.
    uint64_t clock_skew_max_ms;
    // A secret that keys the cache's hashes and the identifiers of decisions. Hosts that take requests from strangers
    // supply 16 random bytes.
    uint8_t key[16];
    // A secret that seals exported state, shared by the engines that restore each other's; zeros for none: then nothing is
    // exported or restored.
    uint8_t state_key[32];
    // The name that other engines know this one by, with a NUL at its end; no two have the same. Empty: it takes no part in
    // failovers.
    char instance[64];
    // A secret that keys what audit records say in place of redacted values; zeros for none: then a redacted value is gone
    // without a trace.
    uint8_t audit_key[32];
    // How many audit records the host has on disk: the chain goes on behind them. 0: a new chain.
    uint64_t audit_count;
    // The hash of the last of them; zeros for a new chain.
    uint8_t audit_head[32];
    // The JSON of the trust root whose keys must sign bundles, as `fallgate keys trust` writes it; NULL for none. It is read
    // by fallgate_engine_new and not kept. With a root, no bundle is taken but by fallgate_engine_activate_signed.
    const char *trust_root;
    // How many bytes it has. 0 with a pointer is an empty file, and refused.
    size_t trust_root_length;
    // The limits.
    struct fallgate_limits limits;
} fallgate_config;

// A reading of the two clocks. Wherever a function takes one, NULL lets the library read them; a test passes its own.
// Keep to one way for each engine: a clock that seems to go back is held at its highest reading.
typedef struct fallgate_now {
    // Nanoseconds on a clock that never goes back, since a start of its own. Measures every time to live.
    uint64_t monotonic_ns;
    // Nanoseconds since 1970-01-01T00:00:00Z. For validity dates and conditions that read `now`.
    int64_t wall_ns;
} fallgate_now;

// What an engine has counted since it was made.
typedef struct fallgate_counters {
    // Readings of the monotonic clock that were earlier than one before.
    uint64_t clock_went_back;
    // Events dropped because nobody polled.
    uint64_t events_dropped;
    // Cached decisions now held.
    uint64_t cached_decisions;
} fallgate_counters;

// The active bundle. Texts end with a NUL.
typedef struct fallgate_bundle {
    // Its revision.
    uint64_t revision;
    // Its name.
    char name[64];
    // The SHA-256 of its canonical bytes, in hexadecimal.
    char id[65];
} fallgate_bundle;

// A text that the caller owns: UTF-8, with its length in bytes; NUL is a character like any other, and none is needed
// at the end.
typedef struct fallgate_str {
    // The first byte; anything where the length is 0.
    const char *data;
    // How many bytes.
    size_t length;
} fallgate_str;

// Values in order, that the caller owns.
typedef struct fallgate_list {
    // The first one; anything where the count is 0.
    const struct fallgate_value *items;
    // How many.
    size_t count;
} fallgate_list;

// Values by name inside a value, in any order, that the caller owns.
typedef struct fallgate_map {
    // The first one; anything where the count is 0.
    const struct fallgate_attribute *entries;
    // How many.
    size_t count;
} fallgate_map;

// The value itself: the member that the kind names.
typedef union fallgate_value_data {
    // 0 or 1.
    uint8_t boolean;
    // A whole number.
    int64_t integer;
    // A whole number, zero or more.
    uint64_t natural;
    // A finite number.
    double number;
    // A text.
    struct fallgate_str text;
    // Values in order.
    struct fallgate_list list;
    // Values by name.
    struct fallgate_map map;
} fallgate_value_data;

// A value of an attribute, as JSON has them.
typedef struct fallgate_value {
    // One of fallgate_value_kind.
    uint32_t kind;
    // What it is.
    union fallgate_value_data of;
} fallgate_value;

// A value with its name.
typedef struct fallgate_attribute {
    // The name, as the pack's schema declares it.
    struct fallgate_str name;
    // The value.
    struct fallgate_value value;
} fallgate_attribute;

// What is known of a part of a request: values by name in any order, that the caller owns. A name that stands twice makes
// the request invalid.
typedef struct fallgate_attributes {
    // The first one; anything where the count is 0.
    const struct fallgate_attribute *entries;
    // How many.
    size_t count;
} fallgate_attributes;

// A subject or a resource.
typedef struct fallgate_party {
    // The kind of thing, as the pack's schema declares it.
    struct fallgate_str party_type;
    // Which one of its kind. Compared byte by byte.
    struct fallgate_str id;
    // What is known of it.
    struct fallgate_attributes properties;
} fallgate_party;

// What the subject asks to do.
typedef struct fallgate_action {
    // The action's name, as the pack declares it.
    struct fallgate_str name;
    // What is known of it.
    struct fallgate_attributes properties;
} fallgate_action;

// A request in arrays of the caller's: decided exactly as the same request in JSON. A zeroed one is denied.
typedef struct fallgate_request {
    // Who asks.
    struct fallgate_party subject;
    // What they ask to do.
    struct fallgate_action action;
    // What they ask to do it to.
    struct fallgate_party resource;
    // The circumstances.
    struct fallgate_attributes context;
} fallgate_request;

// The answer to a request: plain memory without pointers, which the caller owns and may copy. A zeroed one is a deny.
// Texts are UTF-8 and end with a NUL.
typedef struct fallgate_decision {
    // What the decision does; the same as the function returned.
    fallgate_effect effect;
    // Why.
    fallgate_reason reason;
    // FALLGATE_STATUS_OK where the engine decided; else what was wrong with the call, and the effect is a deny.
    fallgate_status status;
    // How many obligations go with it. A host that cannot fulfil one of them must deny; fallgate_details_obligations
    // has them.
    uint32_t obligations;
    // How many required signals were not ok.
    uint32_t degraded;
    // How many messages a deny set of Rego gave.
    uint32_t messages;
    // Whether an earlier evaluation was used again.
    bool cached;
    // Whether the rule that decided declares that it may grant more when it knows less.
    bool information_loss;
    // The revision of the bundle that decided; 0 if there was none.
    uint64_t revision;
    // For how long from `decided_at` the host may keep it, in whole milliseconds; 0 for not at all.
    uint64_t expires_in_ms;
    // When it was decided; the monotonic reading is rounded up to whole milliseconds.
    struct fallgate_now decided_at;
    // The identifier, for logs.
    char id[27];
    // The reason's stable code.
    char reason_code[32];
    // The rule that decided; empty if none did.
    char rule[64];
    // The bundle that decided; empty if there was none.
    char bundle[64];
    // The posture that the request was under; empty if there was no bundle.
    char posture[64];
    // The override that allowed it, by the id of its proposal; empty if none did.
    char override_id[65];
} fallgate_decision;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The stable text of a status, such as "not_canonical": what all faces of Fallgate share.
//
// Gives static text with a NUL at its end, never NULL; "unknown" for a number that names no status.
// Threads: any. Cannot fail.
const char *fallgate_status_code(uint32_t status);

// The stable text of a reason, such as "allowed_by_rule".
//
// Gives static text with a NUL at its end, never NULL; "unknown" for a number that names no reason.
// Threads: any. Cannot fail.
const char *fallgate_reason_code(uint32_t reason);

// The bytes of a text, with a NUL behind the last one.
//
// Ownership: the bytes are the text's and go with it. NULL or no text: NULL.
// Threads: any number at once, while none frees the text.
const char *fallgate_text_data(const struct fallgate_text *text);

// How many bytes a text has, without the NUL.
//
// NULL or no text: 0. Threads: any number at once, while none frees the text.
size_t fallgate_text_length(const struct fallgate_text *text);

// Frees a text and sets the caller's variable to NULL.
//
// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
// Threads: no other may use the text.
fallgate_status fallgate_text_free(struct fallgate_text **text);

// The status that the failed call returned.
//
// NULL or no error: FALLGATE_STATUS_INTERNAL_ERROR. Threads: any number at once, while none frees the error.
fallgate_status fallgate_error_status(const struct fallgate_error *error);

// The stable code of what is wrong, such as "not_stable": that of the status, or, where the status stands for many, as
// FALLGATE_STATUS_OPERATION_REFUSED does, the particular one. docs/errors.md explains each. It ends with a NUL.
//
// Ownership: the text is the error's and goes with it. NULL or no error: "internal_error", never NULL.
// Threads: any number at once, while none frees the error.
const char *fallgate_error_code(const struct fallgate_error *error);

// One line for people: what is wrong, where, and how to repair it. It ends with a NUL.
//
// Ownership: the text is the error's and goes with it. NULL or no error: a static text that says so, never NULL.
// Threads: any number at once, while none frees the error.
const char *fallgate_error_message(const struct fallgate_error *error);

// Every mistake in a policy as a JSON array of objects with code, pointer, span, message and help; empty where the
// error is of another kind. It ends with a NUL.
//
// Ownership: the text is the error's and goes with it. NULL or no error: "[]", never NULL.
// Threads: any number at once, while none frees the error.
const char *fallgate_error_json(const struct fallgate_error *error);

// Frees an error and sets the caller's variable to NULL.
//
// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
// Threads: no other may use the error.
fallgate_status fallgate_error_free(struct fallgate_error **error);

// Fills a configuration with the defaults, which are those of every face of Fallgate.
//
// `size` is sizeof(fallgate_config): a header of another version is refused with FALLGATE_STATUS_ABI_MISMATCH.
// Ownership: the struct is the caller's. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any, on structs of their own.
fallgate_status fallgate_config_defaults(struct fallgate_config *config, size_t size);

// Reads the two clocks as the library does where NULL is passed for `now`: for a host that makes several calls of one
// moment, or that counts down fallgate_engine_next_deadline.
//
// Ownership: the struct is the caller's. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any.
fallgate_status fallgate_now_read(struct fallgate_now *now);

// Makes a place for particulars.
//
// Ownership: `*details` becomes the caller's, who frees it with fallgate_details_free; `*error` too, where `error` is not
// NULL and the call fails. NULL for `details`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_details_new(struct fallgate_details **details,
                                     struct fallgate_error **error);

// Frees a place for particulars and sets the caller's variable to NULL.
//
// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
// Threads: no other may use it.
fallgate_status fallgate_details_free(struct fallgate_details **details);

// The whole decision as the JSON of an AuthZEN evaluation response.
//
// Gives how many bytes the text has without its NUL, and writes it where `capacity` is greater than that; where it is
// not, an empty text, never a part. 0 where `details` is NULL or no details, or holds no decision.
// Ownership: the buffer is the caller's; NULL with any capacity only asks for the length. Threads: one at a time.
size_t fallgate_details_json(const struct fallgate_details *details, char *buffer, size_t capacity);

// What the host has to do along with the decision, as a JSON array of objects with id, type and properties.
//
// Gives and writes as fallgate_details_json does. Threads: one at a time.
size_t fallgate_details_obligations(const struct fallgate_details *details, char *buffer, size_t capacity);

// The name of a required signal that was not ok; `index` counts from 0 and is less than `degraded` of the decision.
//
// Gives and writes as fallgate_details_json does; 0 where there is none of that index. Threads: one at a time.
size_t fallgate_details_degraded(const struct fallgate_details *details, size_t index, char *buffer, size_t capacity);

// A message that a deny set of Rego gave; `index` counts from 0 and is less than `messages` of the decision.
//
// Gives and writes as fallgate_details_json does; 0 where there is none of that index. Threads: one at a time.
size_t fallgate_details_message(const struct fallgate_details *details, size_t index, char *buffer, size_t capacity);

// What exactly was wrong with the request: names of attributes, never their values.
//
// Gives and writes as fallgate_details_json does; 0 where there is nothing to say. Threads: one at a time.
size_t fallgate_details_detail(const struct fallgate_details *details, char *buffer, size_t capacity);

// The ABI version of the library that the program runs with, to be compared with FALLGATE_ABI_VERSION.
//
// Threads: any. Cannot fail.
FALLGATE_MUST_USE uint32_t fallgate_abi_version(void);

// The version of the library, such as "0.1.0": static text with a NUL at its end.
//
// Threads: any. Cannot fail.
const char *fallgate_version(void);

// Makes an engine.
//
// `abi_version` is FALLGATE_ABI_VERSION: a library with another one refuses with FALLGATE_STATUS_ABI_MISMATCH.
// Ownership: `*engine` becomes the caller's, who frees it with fallgate_engine_free. The configuration is read and not
// kept. NULL for `config`: the defaults. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. NULL for `error`: no message.
// Failure: `*engine` is NULL. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_new(uint32_t abi_version,
                                    const struct fallgate_config *config,
                                    struct fallgate_engine **engine,
                                    struct fallgate_error **error);

// Frees an engine and sets the caller's variable to NULL.
//
// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER. A
// copy of the pointer is found out later where the memory still shows it, which nobody can promise.
// Threads: no other may use the engine, now or later.
fallgate_status fallgate_engine_free(struct fallgate_engine **engine);

// Makes a bundle the active one, from its canonical bytes as `fallgate build` writes them.
//
// Decisions that are under way finish with the bundle before; none waits and none sees half of each. `trust` is
// FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT. NULL for `now`: the library reads the clocks.
// Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL for `bundle`: FALLGATE_STATUS_NULL_POINTER,
// or FALLGATE_STATUS_SYNTAX where its length is 0.
// Failure: the bundle before stays active, and the status is the code of the first mistake. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_activate_bundle(const struct fallgate_engine *engine,
                                                const char *bundle,
                                                size_t bundle_length,
                                                uint32_t trust,
                                                const struct fallgate_now *now,
                                                struct fallgate_error **error);

// Makes a bundle the active one, from the JSON of a pack's document: what a pack's files say, as one object with name,
// revision, schema, signals, actions and rules. A key that stands twice is refused.
//
// All else is as with fallgate_engine_activate_bundle.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_activate_document(const struct fallgate_engine *engine,
                                                  const char *document,
                                                  size_t document_length,
                                                  uint32_t trust,
                                                  const struct fallgate_now *now,
                                                  struct fallgate_error **error);

// Takes a report about a signal: `status` is one of fallgate_signal_status.
//
// `observed_at_ns` points to the monotonic time at which it was seen; NULL for now. NULL for `now`: the library reads the
// clocks. Ownership: everything is read and not kept. NULL for `engine` or `signal`: FALLGATE_STATUS_NULL_POINTER.
// Failure: nothing is refreshed. FALLGATE_STATUS_OBSERVATION_OLDER, _OBSERVATION_FUTURE, FALLGATE_STATUS_UNKNOWN_SIGNAL and
// _NOT_OBSERVABLE are events too; FALLGATE_STATUS_OUT_OF_RANGE for a status that is none. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_observe(const struct fallgate_engine *engine,
                                        const char *signal,
                                        size_t signal_length,
                                        uint32_t status,
                                        const uint64_t *observed_at_ns,
                                        const struct fallgate_now *now);

// Lets time alone do what is due: signals expire, a validity ends, clocks that have parted are found. A decision does
// this by itself; a host calls it at fallgate_engine_next_deadline, so that events come in time.
//
// NULL for `now`: the library reads the clocks. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_advance(const struct fallgate_engine *engine,
                                        const struct fallgate_now *now);

// Takes the two clocks as they stand for right: the way out after they have parted.
//
// NULL for `now`: the library reads the clocks. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_anchor_clocks(const struct fallgate_engine *engine,
                                              const struct fallgate_now *now);

// When fallgate_engine_advance is due at the latest, on the monotonic clock.
//
// FALLGATE_STATUS_NONE, and nothing written, while time alone changes nothing. NULL: FALLGATE_STATUS_NULL_POINTER.
// Ownership: the variable is the caller's. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_next_deadline(const struct fallgate_engine *engine,
                                              uint64_t *monotonic_ns);

// What an engine has counted since it was made.
//
// NULL: FALLGATE_STATUS_NULL_POINTER. Ownership: the struct is the caller's. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_counters(const struct fallgate_engine *engine,
                                         struct fallgate_counters *counters);

// What a signal is, as of the last call that told the engine the time.
//
// FALLGATE_STATUS_NONE, and FALLGATE_SIGNAL_UNKNOWN written, where the active bundle has no such signal. NULL:
// FALLGATE_STATUS_NULL_POINTER. Ownership: the name is read and not kept, the variable is the caller's. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_signal(const struct fallgate_engine *engine,
                                       const char *signal,
                                       size_t signal_length,
                                       fallgate_signal_status *status);

// The active bundle.
//
// FALLGATE_STATUS_NONE, and nothing written, where none is active. NULL: FALLGATE_STATUS_NULL_POINTER.
// Ownership: the struct is the caller's. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_bundle(const struct fallgate_engine *engine,
                                       struct fallgate_bundle *bundle);

// Makes a signed bundle the active one: an envelope (DSSE) as `fallgate sign` writes it, which enough keys of the engine's
// trust root have signed. Its signatures are verified before a byte of the bundle is parsed.
//
// NULL for `now`: the library reads the clocks. Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL
// for `envelope`: FALLGATE_STATUS_NULL_POINTER, or FALLGATE_STATUS_SYNTAX where its length is 0.
// Failure: the bundle before stays active, and the status says why: FALLGATE_STATUS_UNSIGNED, _STRIPPED, _UNDER_SIGNED,
// _ALTERED, _OLDER_REVISION and their like; FALLGATE_STATUS_UNTRUSTED where the engine was made without `trust_root`.
// Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_activate_signed(const struct fallgate_engine *engine,
                                                const char *envelope,
                                                size_t envelope_length,
                                                const struct fallgate_now *now,
                                                struct fallgate_error **error);

// Takes a new trust root, which as many keys of the held one have signed as that asks for: an envelope as
// `fallgate keys trust --follow` writes it.
//
// Where it revokes the active bundle, or too many of its signers, everything is denied from now on, until another bundle is
// activated. `*version` is the version of the root that is held then; NULL: it is not told. NULL for `now`: the library reads
// the clocks. Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL for `envelope`:
// FALLGATE_STATUS_NULL_POINTER, or FALLGATE_STATUS_SYNTAX where its length is 0.
// Failure: the root before is still held, nothing is written to `*version`, and the status says why:
// FALLGATE_STATUS_OLDER_TRUST, _UNDER_SIGNED, _REVOCATION_LOST and their like; FALLGATE_STATUS_UNTRUSTED where the engine was
// made without `trust_root`, or its clock is not to be trusted. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_rotate_trust(const struct fallgate_engine *engine,
                                             const char *envelope,
                                             size_t envelope_length,
                                             const struct fallgate_now *now,
                                             uint64_t *version,
                                             struct fallgate_error **error);

// The version of the trust root that the engine holds.
//
// FALLGATE_STATUS_NONE, and nothing written, where it was made without `trust_root`. NULL: FALLGATE_STATUS_NULL_POINTER.
// Ownership: the variable is the caller's. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_trust_version(const struct fallgate_engine *engine,
                                              uint64_t *version);

// Does an operation: a JSON object with one member, named after what is done, such as
// `{"enter_posture": {"posture": "read-only"}}`. docs/formats/operation.schema.json has them all.
//
// What it came to is a JSON object in `*outcome`: empty where there is nothing to say but that it was done.
// Ownership: `*outcome` becomes the caller's, who frees it with fallgate_text_free; `*error` too, where `error` is not NULL
// and the call fails. The operation is read and not kept. NULL for `outcome`: what it came to is not told. NULL for `engine`
// or `operation`: FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads the clocks.
// Failure: `*outcome` is NULL, and nothing was done, but that a state which does not verify puts the strictest posture in
// force. FALLGATE_STATUS_OPERATION_REFUSED, and the cause from fallgate_error_code: "malformed_operation" for bytes that
// are no operation. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_operate(const struct fallgate_engine *engine,
                                        const char *operation,
                                        size_t operation_length,
                                        const struct fallgate_now *now,
                                        struct fallgate_text **outcome,
                                        struct fallgate_error **error);

// The posture that is in force, as of the last call that told the engine the time: everywhere where `scope_length` is 0,
// else in a scope such as "tenant:acme".
//
// Ownership: `*posture` becomes the caller's, who frees it with fallgate_text_free; the scope is read and not kept.
// FALLGATE_STATUS_NONE, and NULL in `*posture`, where no bundle is active. NULL for `engine` or `posture`:
// FALLGATE_STATUS_NULL_POINTER. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_posture(const struct fallgate_engine *engine,
                                        const char *scope,
                                        size_t scope_length,
                                        struct fallgate_text **posture);

// How things stand, for people who have to act: a JSON object with the posture, the scopes that have one of their own, the
// proposals that wait, the overrides in force and the flags that are set. What is due by now is done first.
//
// Ownership: `*overview` becomes the caller's, who frees it with fallgate_text_free. NULL for `engine` or `overview`:
// FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads the clocks. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_overview(const struct fallgate_engine *engine,
                                         const struct fallgate_now *now,
                                         struct fallgate_text **overview);

// Decides on a request in arrays of the caller's, and returns the effect: FALLGATE_EFFECT_DENY is 0.
//
// There is no error to handle: whatever goes wrong is a deny, with `reason` and `status` in `*decision`. An answer from the
// cache allocates nothing, with details or without, while the request has at most 32 attributes.
// Ownership: the request is read and not kept; the struct is the caller's, and what was in it is not looked at.
// NULL for `decision`: a deny. NULL for `details`: no particulars are kept. NULL for `now`: the library reads the clocks.
// Threads: any number at once, each with a decision and details of its own.
FALLGATE_MUST_USE
fallgate_effect fallgate_engine_decide(const struct fallgate_engine *engine,
                                       const struct fallgate_request *request,
                                       const struct fallgate_now *now,
                                       struct fallgate_decision *decision,
                                       struct fallgate_details *details);

// Decides on the JSON of an AuthZEN evaluation request, and returns the effect: FALLGATE_EFFECT_DENY is 0.
//
// There is no error to handle: bytes that are no request are a deny with the reason invalid_request, and more than the
// limit are one with limit_exceeded. Reading JSON allocates; all else is as with fallgate_engine_decide.
FALLGATE_MUST_USE
fallgate_effect fallgate_engine_decide_json(const struct fallgate_engine *engine,
                                            const char *request,
                                            size_t request_length,
                                            const struct fallgate_now *now,
                                            struct fallgate_decision *decision,
                                            struct fallgate_details *details);

// Answers the JSON of an AuthZEN evaluation request with that of an evaluation response, and returns the effect.
//
// Ownership: `*response` becomes the caller's, who frees it with fallgate_text_free; the request is read and not kept.
// Failure: a deny. Where the engine itself could not be asked (NULL or no engine), `*response` is NULL. NULL for
// `response`: a deny. NULL for `now`: the library reads the clocks. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_effect fallgate_engine_evaluate(const struct fallgate_engine *engine,
                                         const char *request,
                                         size_t request_length,
                                         const struct fallgate_now *now,
                                         struct fallgate_text **response);

// Answers a request of the AuthZEN Authorization API 1.0 as a server would: an evaluation, a batch or a search, by the
// path that HTTP has for it, such as "/access/v1/evaluations".
//
// Returns the HTTP status that goes with the JSON in `*answer`: 200; 400 or 413 for a request that is none, 404 for a path
// that is none, 500 where the engine failed, each with a text that says what is wrong. What is allowed is in the body
// alone. 0, and NULL in `*answer`, where the engine could not be asked: NULL or no engine, a pointer that cannot be read.
// Ownership: `*answer` becomes the caller's, who frees it with fallgate_text_free; the request is read and not kept.
// NULL for `now`: the library reads the clocks. Threads: any number at once.
FALLGATE_MUST_USE
uint16_t fallgate_engine_authzen(const struct fallgate_engine *engine,
                                 const char *path,
                                 size_t path_length,
                                 const char *request,
                                 size_t request_length,
                                 const struct fallgate_now *now,
                                 struct fallgate_text **answer);

// What an AuthZEN decision point at this address says of itself, as JSON: what a server has at
// "/.well-known/authzen-configuration". The address, such as `https://pdp.example.com`, is never to be taken from a request.
//
// Ownership: `*metadata` becomes the caller's, who frees it with fallgate_text_free. FALLGATE_STATUS_INVALID_VALUE, and NULL
// in `*metadata`, for what is no http or https address. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any.
FALLGATE_MUST_USE
fallgate_status fallgate_authzen_metadata(const char *address,
                                          size_t address_length,
                                          struct fallgate_text **metadata);

// Explains what a decision on the JSON of a request would be, without an effect on anything: a JSON object with the
// rules considered, the value of each part of their conditions, the signals, and what bounds the answer's life.
//
// Ownership: `*explanation` becomes the caller's, who frees it with fallgate_text_free. A request that cannot be read has
// an explanation too. NULL for `engine` or `explanation`: FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads
// the clocks. Failure: `*explanation` is NULL. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_explain(const struct fallgate_engine *engine,
                                        const char *request,
                                        size_t request_length,
                                        const struct fallgate_now *now,
                                        struct fallgate_text **explanation);

// Takes the oldest event that was not polled yet: a JSON object with `event`, `at` and the event's particulars.
//
// FALLGATE_STATUS_NONE, and NULL in `*event`, where there is none. NULL for `engine` or `event`:
// FALLGATE_STATUS_NULL_POINTER, and no event is lost. Ownership: `*event` becomes the caller's, who frees it with
// fallgate_text_free. Threads: any number at once; each event goes to one of them.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_poll_event(const struct fallgate_engine *engine,
                                           struct fallgate_text **event);

// Runs a drill, given as the JSON of its document, with the active bundle on an engine of its own: the one that is
// passed decides nothing and hears nothing. The report is a JSON object with drill, passed, steps and decisions_hash.
//
// FALLGATE_STATUS_OK says that the drill ran; whether it passed is in the report. FALLGATE_STATUS_NONE: no bundle is active.
// Ownership: `*report` becomes the caller's, who frees it with fallgate_text_free; `*error` too, where `error` is not NULL
// and the call fails. NULL for `engine` or `report`: FALLGATE_STATUS_NULL_POINTER. Failure: `*report` is NULL, and the
// status is the code of the mistake. Threads: any number at once.
FALLGATE_MUST_USE
fallgate_status fallgate_engine_drill(const struct fallgate_engine *engine,
                                      const char *drill,
                                      size_t drill_length,
                                      struct fallgate_text **report,
                                      struct fallgate_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FALLGATE_H */
