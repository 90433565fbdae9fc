/** @typedef {import('./decision.js').Decision} Decision */
/** @typedef {import('./decision.js').Obligation} Obligation */
/**
 * A value of a request. Integers beyond `2 ** 53 - 1` come as a bigint; a date becomes its RFC 3339 text.
 *
 * @typedef {null | boolean | number | bigint | string | Date | readonly Value[] | { readonly [name: string]: Value }} Value
 */
/**
 * A subject or a resource.
 *
 * @typedef {object} Party
 * @property {string} type The kind of thing, as the schema declares it.
 * @property {string} id Which one of its kind.
 * @property {{ readonly [name: string]: Value }} [properties] What is known of it.
 */
/**
 * What the subject asks to do.
 *
 * @typedef {object} Action
 * @property {string} name The action's name, as the pack declares it.
 * @property {{ readonly [name: string]: Value }} [properties] What is known of it.
 */
/**
 * One question: may this subject do this to that, under these circumstances?
 *
 * @typedef {object} Request
 * @property {Party} subject Who asks.
 * @property {string | Action} action What they ask to do: its name alone, or with properties.
 * @property {Party} resource What they ask to do it to.
 * @property {{ readonly [name: string]: Value }} [context] The circumstances.
 */
/**
 * Readings of the two clocks. A test brings its own; left out, they are read here.
 *
 * @typedef {object} Now
 * @property {bigint} monotonicNs Nanoseconds of a clock that never goes back and goes on while the machine sleeps.
 * @property {bigint} wallNs Nanoseconds since 1970.
 */
/** @typedef {{ now?: Now }} Timed */
/** @typedef {'ok' | 'degraded' | 'failed' | 'unknown'} Status */
/** @typedef {'taken' | 'older' | 'future' | 'unknown_signal' | 'not_observable'} Observed */
/**
 * Limits on what an engine takes in. What is left out is the core's default.
 *
 * @typedef {Partial<Record<'bundleBytesMax' | 'signaturesMax' | 'trustBytesMax' | 'trustKeysMax' | 'revocationsMax' | 'controlFeedsMax' | 'controlDigestsMax' | 'rulesMax'
 *   | 'actionsMax' | 'signalsMax' | 'posturesMax' | 'scopesMax' | 'scopeInstancesMax' | 'quarantinesMax'
 *   | 'stateBytesMax' | 'approversMax' | 'flagsMax' | 'proposalsMax' | 'overridesMax' | 'formerBundlesMax' | 'quarantineConditionsMax'
 *   | 'permitsMax' | 'slotsMax' | 'conditionBytesMax' | 'conditionNodesMax' | 'conditionDepthMax' | 'regexBytesMax'
 *   | 'regoBytesMax' | 'regoModulesMax' | 'regoNestingMax' | 'regoRuleDepthMax' | 'regoStepsMax'
 *   | 'requestBytesMax' | 'requestDepthMax' | 'requestValuesMax' | 'idBytesMax' | 'stepsMax' | 'arenaBytesMax'
 *   | 'cacheEntriesMax' | 'cacheBytesMax' | 'cacheKeyBytesMax' | 'eventsMax' | 'causesMax' | 'countedActionsMax'
 *   | 'labelsMax' | 'auditEntriesMax' | 'auditBytesMax' | 'drillStepsMax' | 'batchMax' | 'batchBytesMax'
 *   | 'batchValuesMax' | 'candidatesMax' | 'searchPageMax', number>>} Limits
 */
/**
 * How an engine is set up. What is left out is the core's default.
 *
 * @typedef {object} Options
 * @property {number} [clockSkewMaxMs] How far the two clocks may part before the signal `clock` fails.
 * @property {Uint8Array} [key] 16 secret bytes that key the hashes of the cache and the identifiers of decisions.
 * @property {Uint8Array} [stateKey] 32 secret bytes that seal exported state, shared by the engines that restore each other's.
 * @property {string} [instance] The name that other engines know this one by; no two have the same.
 * @property {Uint8Array} [auditKey] 32 secret bytes that key what audit records say in place of redacted values; without them
 *   such a value is gone without a trace.
 * @property {Head} [auditHead] Behind what the audit chain goes on, as a sink of `fallgate/audit` says; left out, a new chain.
 * @property {'unsigned' | string | Uint8Array | object} [trust] The trust root whose keys must sign bundles: its file, its
 *   bytes or its document; with it nothing unsigned is taken. Left out, bundles without a signature are taken, which is for
 *   development, and signed ones are refused; `'unsigned'` takes both.
 * @property {Limits} [limits] The limits on all that comes in.
 */
/** @typedef {Options & Timed} OpenOptions */
/**
 * Where an audit chain has come to.
 *
 * @typedef {object} Head
 * @property {bigint} count How many records there are: the `seq` of the last.
 * @property {string} head The hash of the last record, in hexadecimal; zeros before the first.
 */
/**
 * A decision in two calls.
 *
 * @typedef {object} PendingAnswer
 * @property {boolean} allowed Whether it allows.
 * @property {Readonly<Record<string, any>>} decision The decision, as an AuthZEN response.
 * @property {string} [pending] Where an allow waits: what to ask `confirmDecision` for.
 * @property {bigint} [seq] Where an allow waits: the `seq` of its record.
 */
/**
 * What a control message came to.
 *
 * @typedef {object} Applied
 * @property {string} applied `done`; `heard` for a heartbeat; `again` for one that was taken before; or `not_done`.
 * @property {Readonly<Record<string, any>>} [outcome] What its operation came to.
 * @property {string} [because] The code of why its operation was not done.
 */
/**
 * Audit records to be written, oldest first. They stay in the engine until `acknowledgeAudit` confirms them.
 *
 * @typedef {object} AuditBatch
 * @property {readonly string[]} lines Each a record: one line of canonical JSON, without the end of the line.
 * @property {bigint} lastSeq The `seq` of the last, to be acknowledged once all are written; zero where there is none.
 */
/**
 * Entries of the journal of inputs to be written, oldest first. They stay in the engine until `acknowledgeJournal` confirms
 * them.
 *
 * @typedef {object} JournalBatch
 * @property {readonly string[]} lines Each an entry: one line of JSON, without the end of the line.
 * @property {bigint} lastN The `n` of the last, to be acknowledged once all are written; zero where there is none.
 */
/** @typedef {'legitimate' | 'malicious'} DecisionLabel What the request of a decision turned out to be. */
/** @typedef {'valid' | 'false'} TriggerLabel Whether there was a reason to enter a posture. */
/**
 * What was measured so far.
 *
 * @typedef {object} Metrics
 * @property {{ readonly [name: string]: number }} metrics Each value, by its name with its labels.
 * @property {string} openmetrics The same as OpenMetrics text, for a scrape.
 */
/**
 * Something that happened.
 *
 * @typedef {object} Event
 * @property {string} code A stable name.
 * @property {Readonly<Now>} at When.
 * @property {number} id Which event of this engine it is, from 1: what `labelTrigger` names it by.
 * @property {'info' | 'ticket' | 'page'} severity Who has to know: nobody, somebody in working hours, somebody now.
 * @property {number} count How many events its cause has had so far, this one among them.
 * @property {string} [runbook] Where it is written what to do, where the pack says so.
 * @property {string} [bundle] Of an activation: the bundle's name.
 * @property {number} [revision] Of an activation: the bundle's revision.
 * @property {string} [cause] Of a refused bundle, of a posture that was entered, or was not left: why.
 * @property {string} [signal] Of a signal: its name.
 * @property {Status} [from] Of a signal that changed: what it was.
 * @property {Status} [to] Of a signal that changed: what it is.
 * @property {Observed} [outcome] Of an observation that was not taken: why.
 * @property {string} [guard] Of a signal that is a guard: where that stands.
 * @property {string} [posture] Of a posture: its name.
 * @property {string} [scope] Of a posture: where, unless it is everywhere.
 * @property {string} [selector] Of a quarantine or a revocation: what it selects.
 * @property {string} [reason] Of a quarantine: why.
 */
/**
 * What is done to an engine: an object with one member, named after what is done, as in
 * `{ enter_posture: { posture: 'read-only' } }`.
 *
 * @typedef {{ readonly [name: string]: Value }} Operation
 */
/**
 * A type of subjects or resources, and which one of it; without an `id`, every one.
 *
 * @typedef {{ readonly type: string, readonly id?: string }} Named
 */
/**
 * What is quarantined.
 *
 * @typedef {{ readonly subject: Named } | { readonly resource: Named } | { readonly scope: string } | { readonly when: string } | 'everything'} Quarry
 *   `when` is a CEL condition.
 */
/**
 * Where a posture is meant; left out, everywhere.
 *
 * @typedef {Timed & { scope?: string }} InScope `scope`: as in `tenant:acme`.
 */
/**
 * What shows who proposes, approves or withdraws: one of the two. What is signed is DSSE's encoding of the canonical proposal
 * (RFC 8785) with the payload type `application/vnd.fallgate.proposal+json`; or `approval`, `withdrawal` in its place.
 *
 * @typedef {object} Proof
 * @property {string | Uint8Array} [signature] An Ed25519 signature: its 64 bytes, or their base64 or hexadecimal.
 * @property {string} [code] A one-time code.
 */
/**
 * How far a proposal is.
 *
 * @typedef {object} Approved
 * @property {number} approvals How many approvals there are.
 * @property {number} need How many it takes.
 * @property {string | null} waits_for What it still waits for, by its code; null once it was carried out.
 */
/**
 * What was restored.
 *
 * @typedef {object} Restored
 * @property {bigint} sequence The sequence of the state.
 * @property {bigint} epoch Its epoch.
 * @property {string} instance The engine that wrote it.
 * @property {number | null} elapsedMs How many milliseconds have passed since at the most; null where the clocks cannot tell.
 */
/** @typedef {'success' | 'failure' | 'ignored'} CallOutcome */
/**
 * How things stand, for people who have to act.
 *
 * @typedef {object} Overview
 * @property {string | null} posture That of the whole system; null where no bundle is active.
 * @property {{ readonly [scope: string]: string }} scopes The scopes that have a posture of their own, and which.
 * @property {readonly Readonly<Record<string, any>>[]} proposals Those that wait: `proposal` (the id), `operation`, `by`, `reason`, `approvals`, `need`, `from`, `expires_in_ms`.
 * @property {readonly { override: string, uses_left: number, expires_in_ms: number }[]} overrides Those in force.
 * @property {readonly { flag: string, posture: string, owner: string, expires_in_ms: number, expired: boolean }[]} flags Those that are set.
 * @property {readonly Readonly<Record<string, any>>[]} guards How it stands with each: `signal`, `kind`, `state`, `status` and what it counted.
 * @property {readonly { feed: string, epoch: number, sequence: number, missing: number, contradicted: boolean, heard_ms_ago: number | null }[]} feeds Where each control feed has come to.
 * @property {Readonly<Record<string, any>> | null} rollout The bundle that is staged: `bundle`, `revision`, `step`, `share`, `waits_for` and what was compared; null where none is.
 * @property {readonly { bundle: string, revision: number }[]} former_bundles Those that were active here before, and can be gone back to.
 */
/**
 * How a quarantine is begun.
 *
 * @typedef {object} QuarantineTerms
 * @property {string} [reason] Why, for the event.
 * @property {string} [for] For how long, as in `5m`; left out, until it is lifted.
 * @property {boolean} [absolute] Whether no override may ever get past it.
 */
/**
 * What was counted since the engine was made.
 *
 * @typedef {object} Counters
 * @property {number} clockWentBack Readings of the monotonic clock that were earlier than one before.
 * @property {number} eventsDropped Events dropped because nobody polled.
 * @property {number} cachedDecisions Cached decisions now held.
 */
/**
 * Why a decision would be what it is.
 *
 * @typedef {object} Explanation
 * @property {string} [stopped] What was wrong before any rule was looked at.
 * @property {readonly (readonly [signal: string, status: Status])[]} degraded The required signals that are not ok.
 * @property {readonly (readonly [signal: string, status: Status])[]} signals The signals that the action requires or its rules read.
 * @property {readonly RuleTrace[]} rules The rules that could match, in order of their ids.
 * @property {readonly (readonly [fact: string, ms: number])[]} expiry What bounds the life of the answer, the earliest first.
 */
/**
 * What one rule came to.
 *
 * @typedef {object} RuleTrace
 * @property {string} rule Its id.
 * @property {'allow' | 'deny'} effect What it does where it is true.
 * @property {string} matched Whether its match part holds: `true`, `false`, or a cause.
 * @property {string} truth Whether the whole holds.
 * @property {string} [detail] What Rego says of a result that is neither true nor false.
 * @property {readonly (readonly [start: number, end: number, value: string])[]} [expressions] The sub-expressions that were evaluated.
 */
/**
 * What a drill came to.
 *
 * @typedef {object} DrillReport
 * @property {string} drill What the drill shows.
 * @property {boolean} passed Whether every step is as expected.
 * @property {readonly DrillStep[]} steps What each step came to, repetitions one by one.
 * @property {string} decisionsHash The SHA-256 of all decisions: equal in every language.
 */
/**
 * What one step of a drill came to.
 *
 * @typedef {object} DrillStep
 * @property {number} step Which step of the drill it is, from zero.
 * @property {Readonly<Now>} at When it was.
 * @property {string | null} note What the step is for.
 * @property {readonly string[]} told What the engine was told.
 * @property {string | null} asked The request's subject, action and resource.
 * @property {Decision | null} decision What was decided.
 * @property {readonly Event[]} events What happened since the step before.
 * @property {boolean} expects Whether the step expects anything.
 * @property {readonly string[]} failures In what the step is not as expected.
 */
/**
 * The answer to a request of the AuthZEN Authorization API.
 *
 * @typedef {object} Answer
 * @property {number} status The HTTP status.
 * @property {string} body The body: JSON.
 * @property {readonly string[]} reasons The reasons of the decisions in the answer, in their order; none for a search.
 */
/**
 * Fulfils an obligation; throws where it cannot.
 *
 * @typedef {(obligation: Obligation, decision: Decision) => unknown} ObligationHandler
 */
/** @typedef {Timed & { obligations?: { readonly [type: string]: ObligationHandler } }} EnforceOptions */
declare const _exports: {};
export = _exports;
export type Decision = import('./decision.js').Decision;
export type Obligation = import('./decision.js').Obligation;
export type Value = null | boolean | number | bigint | string | Date | readonly Value[] | {
    readonly [name: string]: Value;
};
export type Party = {
    /**
     * The kind of thing, as the schema declares it.
     */
    type: string;
    /**
     * Which one of its kind.
     */
    id: string;
    /**
     * What is known of it.
     */
    properties?: {
        readonly [name: string]: Value;
    };
};
export type Action = {
    /**
     * The action's name, as the pack declares it.
     */
    name: string;
    /**
     * What is known of it.
     */
    properties?: {
        readonly [name: string]: Value;
    };
};
export type Request = {
    /**
     * Who asks.
     */
    subject: Party;
    /**
     * What they ask to do: its name alone, or with properties.
     */
    action: string | Action;
    /**
     * What they ask to do it to.
     */
    resource: Party;
    /**
     * The circumstances.
     */
    context?: {
        readonly [name: string]: Value;
    };
};
export type Now = {
    /**
     * Nanoseconds of a clock that never goes back and goes on while the machine sleeps.
     */
    monotonicNs: bigint;
    /**
     * Nanoseconds since 1970.
     */
    wallNs: bigint;
};
export type Timed = {
    now?: Now;
};
export type Status = 'ok' | 'degraded' | 'failed' | 'unknown';
export type Observed = 'taken' | 'older' | 'future' | 'unknown_signal' | 'not_observable';
export type Limits = Partial<Record<'bundleBytesMax' | 'signaturesMax' | 'trustBytesMax' | 'trustKeysMax' | 'revocationsMax' | 'controlFeedsMax' | 'controlDigestsMax' | 'rulesMax' | 'actionsMax' | 'signalsMax' | 'posturesMax' | 'scopesMax' | 'scopeInstancesMax' | 'quarantinesMax' | 'stateBytesMax' | 'approversMax' | 'flagsMax' | 'proposalsMax' | 'overridesMax' | 'formerBundlesMax' | 'quarantineConditionsMax' | 'permitsMax' | 'slotsMax' | 'conditionBytesMax' | 'conditionNodesMax' | 'conditionDepthMax' | 'regexBytesMax' | 'regoBytesMax' | 'regoModulesMax' | 'regoNestingMax' | 'regoRuleDepthMax' | 'regoStepsMax' | 'requestBytesMax' | 'requestDepthMax' | 'requestValuesMax' | 'idBytesMax' | 'stepsMax' | 'arenaBytesMax' | 'cacheEntriesMax' | 'cacheBytesMax' | 'cacheKeyBytesMax' | 'eventsMax' | 'causesMax' | 'countedActionsMax' | 'labelsMax' | 'auditEntriesMax' | 'auditBytesMax' | 'drillStepsMax' | 'batchMax' | 'batchBytesMax' | 'batchValuesMax' | 'candidatesMax' | 'searchPageMax', number>>;
export type Options = {
    /**
     * How far the two clocks may part before the signal `clock` fails.
     */
    clockSkewMaxMs?: number;
    /**
     * 16 secret bytes that key the hashes of the cache and the identifiers of decisions.
     */
    key?: Uint8Array;
    /**
     * 32 secret bytes that seal exported state, shared by the engines that restore each other's.
     */
    stateKey?: Uint8Array;
    /**
     * The name that other engines know this one by; no two have the same.
     */
    instance?: string;
    /**
     * 32 secret bytes that key what audit records say in place of redacted values; without them
     * such a value is gone without a trace.
     */
    auditKey?: Uint8Array;
    /**
     * Behind what the audit chain goes on, as a sink of `fallgate/audit` says; left out, a new chain.
     */
    auditHead?: Head;
    /**
     * The trust root whose keys must sign bundles: its file, its
     * bytes or its document; with it nothing unsigned is taken. Left out, bundles without a signature are taken, which is for
     * development, and signed ones are refused; `'unsigned'` takes both.
     */
    trust?: 'unsigned' | string | Uint8Array | object;
    /**
     * The limits on all that comes in.
     */
    limits?: Limits;
};
export type OpenOptions = Options & Timed;
export type Head = {
    /**
     * How many records there are: the `seq` of the last.
     */
    count: bigint;
    /**
     * The hash of the last record, in hexadecimal; zeros before the first.
     */
    head: string;
};
export type PendingAnswer = {
    /**
     * Whether it allows.
     */
    allowed: boolean;
    /**
     * The decision, as an AuthZEN response.
     */
    decision: Readonly<Record<string, any>>;
    /**
     * Where an allow waits: what to ask `confirmDecision` for.
     */
    pending?: string;
    /**
     * Where an allow waits: the `seq` of its record.
     */
    seq?: bigint;
};
export type Applied = {
    /**
     * `done`; `heard` for a heartbeat; `again` for one that was taken before; or `not_done`.
     */
    applied: string;
    /**
     * What its operation came to.
     */
    outcome?: Readonly<Record<string, any>>;
    /**
     * The code of why its operation was not done.
     */
    because?: string;
};
export type AuditBatch = {
    /**
     * Each a record: one line of canonical JSON, without the end of the line.
     */
    lines: readonly string[];
    /**
     * The `seq` of the last, to be acknowledged once all are written; zero where there is none.
     */
    lastSeq: bigint;
};
export type JournalBatch = {
    /**
     * Each an entry: one line of JSON, without the end of the line.
     */
    lines: readonly string[];
    /**
     * The `n` of the last, to be acknowledged once all are written; zero where there is none.
     */
    lastN: bigint;
};
export type DecisionLabel = 'legitimate' | 'malicious';
export type TriggerLabel = 'valid' | 'false';
export type Metrics = {
    /**
     * Each value, by its name with its labels.
     */
    metrics: {
        readonly [name: string]: number;
    };
    /**
     * The same as OpenMetrics text, for a scrape.
     */
    openmetrics: string;
};
export type Event = {
    /**
     * A stable name.
     */
    code: string;
    /**
     * When.
     */
    at: Readonly<Now>;
    /**
     * Which event of this engine it is, from 1: what `labelTrigger` names it by.
     */
    id: number;
    /**
     * Who has to know: nobody, somebody in working hours, somebody now.
     */
    severity: 'info' | 'ticket' | 'page';
    /**
     * How many events its cause has had so far, this one among them.
     */
    count: number;
    /**
     * Where it is written what to do, where the pack says so.
     */
    runbook?: string;
    /**
     * Of an activation: the bundle's name.
     */
    bundle?: string;
    /**
     * Of an activation: the bundle's revision.
     */
    revision?: number;
    /**
     * Of a refused bundle, of a posture that was entered, or was not left: why.
     */
    cause?: string;
    /**
     * Of a signal: its name.
     */
    signal?: string;
    /**
     * Of a signal that changed: what it was.
     */
    from?: Status;
    /**
     * Of a signal that changed: what it is.
     */
    to?: Status;
    /**
     * Of an observation that was not taken: why.
     */
    outcome?: Observed;
    /**
     * Of a signal that is a guard: where that stands.
     */
    guard?: string;
    /**
     * Of a posture: its name.
     */
    posture?: string;
    /**
     * Of a posture: where, unless it is everywhere.
     */
    scope?: string;
    /**
     * Of a quarantine or a revocation: what it selects.
     */
    selector?: string;
    /**
     * Of a quarantine: why.
     */
    reason?: string;
};
export type Operation = {
    readonly [name: string]: Value;
};
export type Named = {
    readonly type: string;
    readonly id?: string;
};
export type Quarry = {
    readonly subject: Named;
} | {
    readonly resource: Named;
} | {
    readonly scope: string;
} | {
    readonly when: string;
} | 'everything';
export type InScope = Timed & {
    scope?: string;
};
export type Proof = {
    /**
     * An Ed25519 signature: its 64 bytes, or their base64 or hexadecimal.
     */
    signature?: string | Uint8Array;
    /**
     * A one-time code.
     */
    code?: string;
};
export type Approved = {
    /**
     * How many approvals there are.
     */
    approvals: number;
    /**
     * How many it takes.
     */
    need: number;
    /**
     * What it still waits for, by its code; null once it was carried out.
     */
    waits_for: string | null;
};
export type Restored = {
    /**
     * The sequence of the state.
     */
    sequence: bigint;
    /**
     * Its epoch.
     */
    epoch: bigint;
    /**
     * The engine that wrote it.
     */
    instance: string;
    /**
     * How many milliseconds have passed since at the most; null where the clocks cannot tell.
     */
    elapsedMs: number | null;
};
export type CallOutcome = 'success' | 'failure' | 'ignored';
export type Overview = {
    /**
     * That of the whole system; null where no bundle is active.
     */
    posture: string | null;
    /**
     * The scopes that have a posture of their own, and which.
     */
    scopes: {
        readonly [scope: string]: string;
    };
    /**
     * Those that wait: `proposal` (the id), `operation`, `by`, `reason`, `approvals`, `need`, `from`, `expires_in_ms`.
     */
    proposals: readonly Readonly<Record<string, any>>[];
    /**
     * Those in force.
     */
    overrides: readonly {
        override: string;
        uses_left: number;
        expires_in_ms: number;
    }[];
    /**
     * Those that are set.
     */
    flags: readonly {
        flag: string;
        posture: string;
        owner: string;
        expires_in_ms: number;
        expired: boolean;
    }[];
    /**
     * How it stands with each: `signal`, `kind`, `state`, `status` and what it counted.
     */
    guards: readonly Readonly<Record<string, any>>[];
    /**
     * Where each control feed has come to.
     */
    feeds: readonly {
        feed: string;
        epoch: number;
        sequence: number;
        missing: number;
        contradicted: boolean;
        heard_ms_ago: number | null;
    }[];
    /**
     * The bundle that is staged: `bundle`, `revision`, `step`, `share`, `waits_for` and what was compared; null where none is.
     */
    rollout: Readonly<Record<string, any>> | null;
    /**
     * Those that were active here before, and can be gone back to.
     */
    former_bundles: readonly {
        bundle: string;
        revision: number;
    }[];
};
export type QuarantineTerms = {
    /**
     * Why, for the event.
     */
    reason?: string;
    /**
     * For how long, as in `5m`; left out, until it is lifted.
     */
    for?: string;
    /**
     * Whether no override may ever get past it.
     */
    absolute?: boolean;
};
export type Counters = {
    /**
     * Readings of the monotonic clock that were earlier than one before.
     */
    clockWentBack: number;
    /**
     * Events dropped because nobody polled.
     */
    eventsDropped: number;
    /**
     * Cached decisions now held.
     */
    cachedDecisions: number;
};
export type Explanation = {
    /**
     * What was wrong before any rule was looked at.
     */
    stopped?: string;
    /**
     * The required signals that are not ok.
     */
    degraded: readonly (readonly [signal: string, status: Status])[];
    /**
     * The signals that the action requires or its rules read.
     */
    signals: readonly (readonly [signal: string, status: Status])[];
    /**
     * The rules that could match, in order of their ids.
     */
    rules: readonly RuleTrace[];
    /**
     * What bounds the life of the answer, the earliest first.
     */
    expiry: readonly (readonly [fact: string, ms: number])[];
};
export type RuleTrace = {
    /**
     * Its id.
     */
    rule: string;
    /**
     * What it does where it is true.
     */
    effect: 'allow' | 'deny';
    /**
     * Whether its match part holds: `true`, `false`, or a cause.
     */
    matched: string;
    /**
     * Whether the whole holds.
     */
    truth: string;
    /**
     * What Rego says of a result that is neither true nor false.
     */
    detail?: string;
    /**
     * The sub-expressions that were evaluated.
     */
    expressions?: readonly (readonly [start: number, end: number, value: string])[];
};
export type DrillReport = {
    /**
     * What the drill shows.
     */
    drill: string;
    /**
     * Whether every step is as expected.
     */
    passed: boolean;
    /**
     * What each step came to, repetitions one by one.
     */
    steps: readonly DrillStep[];
    /**
     * The SHA-256 of all decisions: equal in every language.
     */
    decisionsHash: string;
};
export type DrillStep = {
    /**
     * Which step of the drill it is, from zero.
     */
    step: number;
    /**
     * When it was.
     */
    at: Readonly<Now>;
    /**
     * What the step is for.
     */
    note: string | null;
    /**
     * What the engine was told.
     */
    told: readonly string[];
    /**
     * The request's subject, action and resource.
     */
    asked: string | null;
    /**
     * What was decided.
     */
    decision: Decision | null;
    /**
     * What happened since the step before.
     */
    events: readonly Event[];
    /**
     * Whether the step expects anything.
     */
    expects: boolean;
    /**
     * In what the step is not as expected.
     */
    failures: readonly string[];
};
export type Answer = {
    /**
     * The HTTP status.
     */
    status: number;
    /**
     * The body: JSON.
     */
    body: string;
    /**
     * The reasons of the decisions in the answer, in their order; none for a search.
     */
    reasons: readonly string[];
};
export type ObligationHandler = (obligation: Obligation, decision: Decision) => unknown;
export type EnforceOptions = Timed & {
    obligations?: {
        readonly [type: string]: ObligationHandler;
    };
};
