//! What the page says that is the same whatever is measured.

pub(super) const HEAD: &str = "\
# Benchmarks

Machines are shared and noisy: only ratios within one run count. The engines of a workload run in turn in one process, in
rounds, on the same seeded requests, after all of them gave the same answers to every one. A figure is the median of the
rounds. This page is written by the runs (`make bench-report`, which each of them calls): nothing on it is typed by hand.

## The goals

";

pub(super) const WORKLOADS: &str = "
`make bench-all` runs all of them, `QUICK=1` tries whether they run. The engines of others run beside the same floors in a
program of their own, since Fallgate takes regorus without its feature `std` and its peers take it with. The two are joined
by the floors: a peer's time is its multiple of the floor in its own program, times the floor in Fallgate's. The goals that
`make bench-peers` measures rest on that; every other goal compares lanes of one run.

## The workloads

*Time ÷ floor* is how much longer a decision takes than the same policy written by hand in Rust for this one purpose; *time ÷
Fallgate* is how much longer than Fallgate's uncached decision on the same form of request. The workloads are in
`benches/src`: W1 roles, W2 attributes, W3 many rules, W4 an admission review of 5 KB with ten checks, W5 a system under
failure: W2 with five signals, three postures, cached decisions and audit on denies, a millisecond a decision; refreshing the
signals each second and turning the postures each ten is in its time, draining the records is not: that is done on another
core, as a host does it.

";

pub(super) const LOAD: &str = "
## Load

W3's bundle, from its bytes to an engine that decides; and the memory that it holds from then on, beyond the bytes of its
text, by a counting allocator. By hand: parsing the same bytes into the floor's own table.

";

pub(super) const ALLOCATIONS: &str = "\
How often one decision asks the heap for memory, at most, over the 2,048 seeded requests of a path, dropping the decision
included; counted by the allocator of the program. That a native decision allocates nothing is held by tests too
(`benches/tests/allocations.rs`, and one for each face), and that it makes no system call by `benches/tests/system_calls.rs`.
";

pub(super) const C: &str = "
## Through C

Rust is the same library asked from Rust in the same run, in turn with the program in C; an empty call of the library is
beside them.

";

pub(super) const PYTHON: &str = "\
*Floor* is what the language itself asks for: a native function that reads the same fields of the same dicts and gives back a
frozen object. `fallgate in Rust` is the same library asked from Rust within the same process, on the same JSON.
";

pub(super) const NODE: &str = "\
*Floor* is the cheaper of two ways to hand a request over: reading its fields one by one, and `JSON.stringify` with a typed
parse.
";

pub(super) const INSTRUCTIONS: &str = "
## Instructions

How many instructions one decision takes on each path, counted by callgrind: `make bench-budget`. These are the figures that
are repeatable, and that CI holds: a path that takes 5 % more than `benches/budget.txt` says fails. The paths are those of
the tables above, each walked over its seeded requests; `allow` and `deny` are the requests with that answer.

";

pub(super) const RECORDS: &str = "
What is kept on the path for a record is a copy of the decision and of the declared attributes; JSON, redaction and hashes are
made by the drain.
";

pub(super) const TAIL: &str = "
## Traps

- `RUST_BACKTRACE=1` makes the regorus interpreter several times slower, because each internal error captures a
  backtrace: the benches refuse to start with it.
- The regorus bytecode VM stops after 25,000 instructions and is lenient by default; here it is strict, as the
  interpreter is. It swallows errors in rule bodies all the same: it is timed as a peer, Fallgate does not use it.
- cedar-policy, casbin and a CEL expression are linear in the rules: the sizes at which the agreement alone would take minutes
  are left out. cedar-policy and casbin have no iteration over a list of records, so W4 cannot be written in them.
- casbin's cached enforcer takes the hash of a request for the request: two requests with one hash share an answer.
- The peers and their floors are built without link-time optimisation, which would take longest of all; Fallgate and its
  floors with the thin kind.
- The same program is a few per cent faster or slower after any change, by the layout of its code alone. Read no more
  than one digit into a ratio near 1.
";
