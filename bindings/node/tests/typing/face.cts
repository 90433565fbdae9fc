// The same package for a CommonJS program.
import fallgate = require('fallgate')
import plugin = require('fallgate/express')

const engine: fallgate.Engine = fallgate.Engine.open('pack')
const decision: fallgate.Decision = engine.decide({ subject: { type: 'user', id: 'ann' }, action: 'x', resource: { type: 'r', id: '1' } })
console.log(decision.allowed, plugin.authorize)
