// The same package for `import`: one module behind both, so that an error is of one class whoever loaded it.

/** @typedef {import('./lib/decision.js').EvaluationResponse} EvaluationResponse */
/** @typedef {import('./lib/decision.js').Obligation} Obligation */
/** @typedef {import('./lib/words.js').Action} Action */
/** @typedef {import('./lib/words.js').Approved} Approved */
/** @typedef {import('./lib/words.js').AuditBatch} AuditBatch */
/** @typedef {import('./lib/words.js').PendingAnswer} PendingAnswer */
/** @typedef {import('./lib/words.js').Applied} Applied */
/** @typedef {import('./lib/words.js').JournalBatch} JournalBatch */
/** @typedef {import('./lib/words.js').CallOutcome} CallOutcome */
/** @typedef {import('./lib/words.js').Counters} Counters */
/** @typedef {import('./lib/words.js').DecisionLabel} DecisionLabel */
/** @typedef {import('./lib/words.js').DrillReport} DrillReport */
/** @typedef {import('./lib/words.js').DrillStep} DrillStep */
/** @typedef {import('./lib/words.js').EnforceOptions} EnforceOptions */
/** @typedef {import('./lib/words.js').Event} Event */
/** @typedef {import('./lib/words.js').Explanation} Explanation */
/** @typedef {import('./lib/words.js').Head} Head */
/** @typedef {import('./lib/words.js').InScope} InScope */
/** @typedef {import('./lib/words.js').Limits} Limits */
/** @typedef {import('./lib/words.js').Metrics} Metrics */
/** @typedef {import('./lib/words.js').Named} Named */
/** @typedef {import('./lib/words.js').Now} Now */
/** @typedef {import('./lib/words.js').ObligationHandler} ObligationHandler */
/** @typedef {import('./lib/words.js').Observed} Observed */
/** @typedef {import('./lib/words.js').OpenOptions} OpenOptions */
/** @typedef {import('./lib/words.js').Operation} Operation */
/** @typedef {import('./lib/words.js').Options} Options */
/** @typedef {import('./lib/words.js').Overview} Overview */
/** @typedef {import('./lib/words.js').Party} Party */
/** @typedef {import('./lib/words.js').Proof} Proof */
/** @typedef {import('./lib/words.js').QuarantineTerms} QuarantineTerms */
/** @typedef {import('./lib/words.js').Quarry} Quarry */
/** @typedef {import('./lib/words.js').Request} Request */
/** @typedef {import('./lib/words.js').Restored} Restored */
/** @typedef {import('./lib/words.js').RuleTrace} RuleTrace */
/** @typedef {import('./lib/words.js').Status} Status */
/** @typedef {import('./lib/words.js').TriggerLabel} TriggerLabel */
/** @typedef {import('./lib/words.js').Value} Value */
/** @typedef {import('./lib/failures.js').Finding} Finding */
/** @typedef {import('./lib/failures.js').Place} Place */

export { Decision, Denied, Engine, FallgateError } from './index.js'
