# Who may work on the case files of a support desk.
package support.authz

import rego.v1

default allow := false

allow if {
	"agent" in input.subject.properties.roles
	input.action.name in {"case:read", "case:write"}
	input.context.device.jailbroken == false
	count(deny) == 0
}

deny contains "the account is suspended" if not input.subject.properties.suspended == false

deny contains "the case is sealed" if {
	not input.resource.properties.sealed == false
	not "supervisor" in input.subject.properties.roles
}
