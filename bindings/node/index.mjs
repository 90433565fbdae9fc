// The same package for `import`: one module behind both, so that an error is of one class whoever loaded it.

/** @typedef {import('./lib/decision.js').EvaluationResponse} EvaluationResponse */
/** @typedef {import('./lib/decision.js').Obligation} Obligation */
/** @typedef {import('./lib/engine.js').Action} Action */
/** @typedef {import('./lib/engine.js').Counters} Counters */
/** @typedef {import('./lib/engine.js').DrillReport} DrillReport */
/** @typedef {import('./lib/engine.js').DrillStep} DrillStep */
/** @typedef {import('./lib/engine.js').EnforceOptions} EnforceOptions */
/** @typedef {import('./lib/engine.js').Event} Event */
/** @typedef {import('./lib/engine.js').Explanation} Explanation */
/** @typedef {import('./lib/engine.js').Limits} Limits */
/** @typedef {import('./lib/engine.js').Now} Now */
/** @typedef {import('./lib/engine.js').ObligationHandler} ObligationHandler */
/** @typedef {import('./lib/engine.js').Observed} Observed */
/** @typedef {import('./lib/engine.js').OpenOptions} OpenOptions */
/** @typedef {import('./lib/engine.js').Options} Options */
/** @typedef {import('./lib/engine.js').Party} Party */
/** @typedef {import('./lib/engine.js').Request} Request */
/** @typedef {import('./lib/engine.js').RuleTrace} RuleTrace */
/** @typedef {import('./lib/engine.js').Status} Status */
/** @typedef {import('./lib/engine.js').Value} Value */
/** @typedef {import('./lib/failures.js').Finding} Finding */
/** @typedef {import('./lib/failures.js').Place} Place */

export { Decision, Denied, Engine, FallgateError } from './index.js'
