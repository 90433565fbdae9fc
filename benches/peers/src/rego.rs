//! regorus: its interpreter and its bytecode VM, both strict.

use std::cell::RefCell;
use std::sync::Arc;

use fallgate_benches::contest::{Contest, Label};
use fallgate_benches::{admission, many_rules, roles};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::json;

use crate::Failure;

const VERSION: &str = "0.14.1";

/// The VM's own limit is 25,000 instructions; this one is never met, so that only speed is compared.
const INSTRUCTIONS_MAX: usize = 10_000_000;

/// A Rego module, its data and its entry point.
#[derive(Debug)]
pub struct Policy {
    module: &'static str,
    data: serde_json::Value,
    entry_point: &'static str,
}

impl Policy {
    /// W1 or W2.
    #[must_use]
    pub fn roles(kind: roles::Kind, grants: &roles::Grants) -> Self {
        let mut table = json!({});
        for (role, permissions) in &grants.roles {
            for (action, resource) in permissions {
                table[role][roles::ACTIONS[*action]][roles::RESOURCES[*resource]] = json!(true);
            }
        }
        match kind {
            roles::Kind::Roles => Self {
                module: include_str!("../rego/roles.rego"),
                data: json!({ "grants": table }),
                entry_point: "data.roles.allow",
            },
            roles::Kind::Attributes => {
                let blocked: Vec<String> =
                    roles::BLOCKED.iter().map(|(network, length)| format!("{network}/{length}")).collect();
                let mut reads = json!({});
                for action in &roles::ACTIONS[..roles::READS] {
                    reads[*action] = json!(true);
                }
                let (open, close) = roles::BUSINESS;
                Self {
                    module: include_str!("../rego/attributes.rego"),
                    data: json!({ "grants": table, "reads": reads, "blocked": blocked, "open": open, "close": close }),
                    entry_point: "data.attributes.allow",
                }
            }
        }
    }

    /// W3.
    #[must_use]
    pub fn many_rules(rules: &[many_rules::Rule]) -> Self {
        let mut table = json!({});
        for rule in rules {
            let listed = &mut table[&rule.group][many_rules::ACTIONS[rule.action]];
            if listed.is_null() {
                *listed = json!([]);
            }
            if let Some(listed) = listed.as_array_mut() {
                listed.push(json!({ "prefix": rule.prefix, "allow": rule.allow }));
            }
        }
        Self {
            module: include_str!("../rego/many_rules.rego"),
            data: json!({ "rules": table }),
            entry_point: "data.many_rules.allow",
        }
    }

    /// W4: the very module that Fallgate's Rego pack holds.
    #[must_use]
    pub fn admission() -> Self {
        Self { module: admission::REGO, data: json!({}), entry_point: "data.admission.allow" }
    }

    fn engine(&self) -> Result<Engine, Failure> {
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(true);
        engine.add_policy("policy.rego".into(), self.module.into())?;
        engine.add_data(Value::from_json_str(&self.data.to_string())?)?;
        Ok(engine)
    }

    fn machine(&self) -> Result<RegoVM, Failure> {
        let mut engine = self.engine()?;
        let compiled = engine.compile_with_entrypoint(&Arc::from(self.entry_point))?;
        let program = Compiler::compile_from_policy(&compiled, &[self.entry_point])
            .map_err(|error| format!("regorus VM: {error}"))?;
        let mut machine = RegoVM::new_with_policy(compiled);
        machine.load_program(program);
        machine.set_data(engine.get_data()).map_err(|error| format!("regorus VM: {error}"))?;
        machine.set_strict_builtin_errors(true);
        machine.set_max_instructions(INSTRUCTIONS_MAX);
        Ok(machine)
    }

    /// Adds the lanes of the interpreter and of the VM, each with the input built before and with JSON in.
    ///
    /// # Errors
    ///
    /// Where the module does not load, or an input is no JSON.
    pub fn lanes<'a>(&self, contest: &mut Contest<'a>, requests: &'a [Vec<u8>]) -> Result<(), Failure> {
        let parse =
            |bytes: &Vec<u8>| -> Result<Value, Failure> { Ok(Value::from_json_str(std::str::from_utf8(bytes)?)?) };
        let inputs: std::rc::Rc<Vec<Value>> =
            std::rc::Rc::new(requests.iter().map(parse).collect::<Result<_, Failure>>()?);
        let label = |engine, variant, timed| Label::new(engine, VERSION, variant, timed);
        let prepared = "setting the prepared input, and the evaluation; the engine is reused";
        let bytes = "parsing the JSON, setting the input, and the evaluation; the engine is reused";

        let machine = RefCell::new(self.machine()?);
        let prepared_inputs = std::rc::Rc::clone(&inputs);
        contest.lane(label("regorus VM", "prepared", prepared), move |at| {
            run(&mut machine.borrow_mut(), prepared_inputs[at].clone())
        });
        let machine = RefCell::new(self.machine()?);
        contest.lane(label("regorus VM", "bytes", bytes), move |at| {
            let input = parse(&requests[at]);
            input.is_ok_and(|input| run(&mut machine.borrow_mut(), input))
        });
        let rule = self.entry_point;
        let engine = RefCell::new(self.engine()?);
        contest.lane(label("regorus interpreter", "prepared", prepared), move |at| {
            interpret(&mut engine.borrow_mut(), rule, inputs[at].clone())
        });
        let engine = RefCell::new(self.engine()?);
        contest.lane(label("regorus interpreter", "bytes", bytes), move |at| {
            let input = parse(&requests[at]);
            input.is_ok_and(|input| interpret(&mut engine.borrow_mut(), rule, input))
        });
        Ok(())
    }
}

fn run(machine: &mut RegoVM, input: Value) -> bool {
    machine.set_input(input);
    matches!(machine.execute_entry_point_by_index(0), Ok(Value::Bool(true)))
}

fn interpret(engine: &mut Engine, rule: &str, input: Value) -> bool {
    engine.set_input(input);
    matches!(engine.eval_rule(rule.to_owned()), Ok(Value::Bool(true)))
}
