//! Shows that a native decision makes no system call, cached or not, on one thread and on two that share an engine.
//!
//! Each path is walked in a process of its own under `SECCOMP_MODE_STRICT`: from then on the kernel kills a thread at any
//! call but `read`, `write`, its own end, and the return from a signal. So neither a lock that waits (`futex`), nor memory
//! that is asked for or given back (`brk`, `mmap`, `madvise`), nor a clock, a yield or a source of chance that the kernel
//! would be asked for, is on the path. It needs two calls that are no safe Rust, and so it lives outside the core.

#[cfg(not(target_os = "linux"))]
fn main() {
    panic!("the proof rests on seccomp, which is Linux's: run this test there");
}

#[cfg(target_os = "linux")]
fn main() {
    match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [mark, path, threads] if mark == linux::CHILD => linux::walked(path, threads.parse().unwrap()),
        _ => linux::all(),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::hint::{black_box, spin_loop};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use fallgate::{Engine, Request};
    use fallgate_benches::engine::{NOW, engine, prepared, warm};
    use fallgate_benches::floors::bytes;
    use fallgate_benches::{admission, many_rules, roles};
    use serde_json::Value;

    /// The first argument of a process that walks a path.
    pub(super) const CHILD: &str = "--under-seccomp";

    /// Decisions of each thread.
    const DECISIONS: usize = 10_000;

    /// What must end in death, or the others' survival would show nothing.
    const CONTROL: &str = "a system call";

    const PATHS: [&str; 7] = ["W1", "W1 cached", "W2", "W2 cached", "W3", "W3 cached", "W4"];

    /// How a process says that all went well, that a thread did not come back, or that there is no seccomp.
    const DONE: i32 = 0;
    const LOST: i32 = 3;
    const UNAVAILABLE: i32 = 4;

    pub(super) fn all() {
        let control = run(CONTROL, 1);
        assert_ne!(
            control.code(),
            Some(UNAVAILABLE),
            "this kernel does not offer SECCOMP_MODE_STRICT: nothing can be shown"
        );
        assert_eq!(control.signal(), Some(libc::SIGKILL), "a system call was not punished: {control}");
        for path in PATHS {
            for threads in [1, 2] {
                let ended = run(path, threads);
                assert_eq!(ended.code(), Some(DONE), "{path} on {threads} threads made a system call: {ended}");
                println!("{path}: {DECISIONS} decisions on each of {threads} threads, and no system call");
            }
        }
    }

    fn run(path: &str, threads: usize) -> std::process::ExitStatus {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args([CHILD, path, &threads.to_string()]).stdin(Stdio::null());
        command.status().unwrap()
    }

    /// What is decided on, by the path's name.
    fn world(path: &str) -> (Engine, Vec<Request>) {
        let (workload, cached) = path.split_once(' ').map_or((path, false), |(workload, _)| (workload, true));
        let (document, bytes): (Value, Vec<Vec<u8>>) = match workload {
            "W1" | "W2" => {
                let kind = if workload == "W1" { roles::Kind::Roles } else { roles::Kind::Attributes };
                let bytes = bytes(&roles::Request::seeded(), |request| request.to_json(kind));
                (roles::document(kind, &roles::Grants::seeded(), cached), bytes)
            }
            "W3" => {
                let rules = many_rules::Rule::seeded(1_000);
                let bytes = bytes(&many_rules::Request::seeded(1_000), many_rules::Request::to_json);
                (many_rules::document(&rules, cached), bytes)
            }
            "W4" => (admission::document(), bytes(&admission::requests(), Clone::clone)),
            _ => panic!("there is no path `{path}`"),
        };
        let (engine, requests) = (engine(&document).unwrap(), prepared(&bytes).unwrap());
        if cached {
            warm(&engine, &requests).unwrap();
        }
        (engine, requests)
    }

    /// Walks a path under seccomp, and ends the process with what came of it.
    pub(super) fn walked(path: &str, threads: usize) {
        if path == CONTROL {
            strict();
            black_box(std::process::id());
            end(DONE);
        }
        let (engine, requests) = world(path);
        let (ready, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let walk = |from: usize| {
            // What a thread's first decision sets up, it sets up before.
            let _first = engine.decide(&requests[from], NOW);
            ready.fetch_add(1, Ordering::SeqCst);
            while ready.load(Ordering::SeqCst) < threads {
                spin_loop();
            }
            strict();
            for at in from..from + DECISIONS {
                black_box(engine.decide(black_box(&requests[at % requests.len()]), NOW));
            }
            done.fetch_add(1, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            for thread in 1..threads {
                let walk = &walk;
                scope.spawn(move || {
                    walk(thread * 1_000);
                    end(DONE);
                });
            }
            walk(0);
            // A thread that was killed is never done. Without a clock, many turns are a long time.
            for _turn in 0..100_000_000_u64 {
                if done.load(Ordering::SeqCst) == threads {
                    end(DONE);
                }
                spin_loop();
            }
            end(LOST);
        });
    }

    /// From here on, this thread reads, writes and ends, or dies.
    fn strict() {
        // SAFETY: the call takes two numbers and changes what the kernel lets this thread do; it touches no memory.
        let refused = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
        if refused != 0 {
            end(UNAVAILABLE);
        }
    }

    /// Ends this thread, and with the last one the process: the one call for it that strict mode permits.
    fn end(code: i32) -> ! {
        loop {
            // SAFETY: the call takes a number and does not come back; what the thread holds is the kernel's to take back.
            unsafe { libc::syscall(libc::SYS_exit, code) };
        }
    }
}
