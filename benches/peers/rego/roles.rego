package roles

import rego.v1

default allow := false

allow if {
	input.subject.type == "user"
	some role in input.subject.properties.roles
	data.grants[role][input.action.name][input.resource.type]
}
