package many_rules

import rego.v1

default allow := false

allow if {
	input.subject.type == "user"
	input.resource.type == "file"
	true in effects
	not false in effects
}

# The rules are data, by group and action, so that only those that can match are visited.
effects contains rule.allow if {
	some group in input.subject.properties.groups
	some rule in data.rules[group][input.action.name]
	startswith(input.resource.properties.path, rule.prefix)
}
