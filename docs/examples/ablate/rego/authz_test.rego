package support.authz_test

import rego.v1

import data.support.authz

agent := {"id": "ann", "properties": {"roles": ["agent"], "suspended": false}}

request(subject, device, sealed) := {
	"subject": subject,
	"action": {"name": "case:write"},
	"resource": {"id": "case-7", "properties": {"sealed": sealed}},
	"context": {"device": device},
}

test_an_agent_works_on_cases if {
	authz.allow with input as request(agent, {"jailbroken": false}, false)
}

test_a_suspended_agent_does_not if {
	suspended := {"id": "ann", "properties": {"roles": ["agent"], "suspended": true}}
	not authz.allow with input as request(suspended, {"jailbroken": false}, false)
}

test_a_jailbroken_device_is_kept_out if {
	not authz.allow with input as request(agent, {"jailbroken": true}, false)
}

test_a_sealed_case_is_for_supervisors if {
	not authz.allow with input as request(agent, {"jailbroken": false}, true)
}
