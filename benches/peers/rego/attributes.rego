package attributes

import rego.v1

default allow := false

allow if {
	input.subject.type == "user"
	granted
	input.subject.properties.clearance >= input.resource.properties.sensitivity
	owner_where_it_writes
	not blocked
	not outside_business_hours
}

granted if {
	some role in input.subject.properties.roles
	data.grants[role][input.action.name][input.resource.type]
}

owner_where_it_writes if data.reads[input.action.name]

owner_where_it_writes if input.resource.properties.owner == input.subject.id

blocked if {
	some network in data.blocked
	net.cidr_contains(network, input.context.ip)
}

outside_business_hours if input.context.hour < data.open

outside_business_hours if input.context.hour >= data.close
