//! Steps that are made of others: ways to what single steps seldom lead to.

use crate::controller::BEAT;
use crate::records::ROOM;
use crate::steps::Step::{self, *};
use crate::world::{Asked, SIGNALS};

/// How often everybody is asked while a bundle goes through its steps.
pub(crate) const ROUNDS: usize = 3;

/// The number of no signal.
const NONE: usize = SIGNALS.len();

fn propose(change: usize, by: usize) -> Step {
    Propose { change, by, age_ms: 0, life_ms: 3_600_000, code: 0 }
}

fn approve(by: usize) -> Step {
    Approve { back: 0, by, code: 0 }
}

fn fails(signal: usize) -> Step {
    Observe { signal, status: 0, at: None }
}

/// What a step is made of; nothing where it is made of nothing else.
pub(crate) fn parts(step: Step) -> Option<Vec<Step>> {
    Some(match step {
        AskTwice(asked) => {
            vec![ObserveAll { but: NONE }, Begin(asked), Drain { confirm: true }, Confirm { back: 0 }]
        }
        ObserveAll { but } => {
            let seen = (0..SIGNALS.len()).filter(|signal| *signal != but);
            let seen = seen.map(|signal| Observe { signal, status: 3, at: None });
            seen.chain([Call { outcome: 0 }, Control(BEAT)]).collect()
        }
        AskAndFail { asked, signal } => {
            let pass = Pass { ms: 500, nanos: 0 };
            vec![ObserveAll { but: NONE }, Ask(asked), pass, fails(signal), AskAgain { back: 0 }]
        }
        Fill(asked) => vec![Ask(asked); ROOM],
        Call { outcome } => vec![Acquire, Report { back: 0, outcome }],
        Carry { change } => vec![propose(change, 1), approve(0), approve(2)],
        Succeed { change, genes } => vec![Carry { change }, Activate(genes), Advance],
        Guess { times, code } => {
            // Until it began to remember is so long ago that the code before the one of now counts.
            let mut said = vec![Pass { ms: 31_000, nanos: 0 }, propose(3, 0)];
            said.extend(vec![Approve { back: 0, by: 2, code: 10 }; times]);
            said.push(Approve { back: 0, by: 2, code });
            said
        }
        Roll { genes, asked, approved_after, fails: signal } => {
            let everybody = |asked| (0..6).map(move |subject| Ask(Asked { subject, flaw: 99, ..asked }));
            let round = |asked| [ObserveAll { but: NONE }].into_iter().chain(everybody(asked));
            let mut all = vec![Stage(genes)];
            for number in 0..ROUNDS {
                all.extend((number == approved_after).then_some(Carry { change: 7 }));
                // Or nobody comes to approve it.
                all.extend((number + ROUNDS == approved_after).then_some(propose(7, 1)));
                all.extend(round(asked[number.min(1)]).chain([Pass { ms: 1_500, nanos: 0 }, Advance]));
            }
            // What stands in, stands in on its own side.
            all.extend(round(asked[1]).chain([fails(signal)]).chain(everybody(asked[1])));
            let waits = (ROUNDS..2 * ROUNDS).contains(&approved_after);
            all.extend(waits.then_some([RollBack, Advance]).into_iter().flatten());
            all
        }
        Clear { genes, parts } => {
            let mut all = vec![Activate(genes), Carry { change: 8 }];
            all.extend(parts.then_some([PutWall { ms: 9_000 }, Advance, Anchor]).into_iter().flatten());
            // It is let in once.
            all.extend([Activate(genes), Return { back: 1 }, Activate(genes)]);
            all
        }
        Back { genes } => {
            let restart = Restart { down_ms: 100, genes: None, spoil: None };
            vec![Activate(genes), Return { back: 1 }, restart, Activate(genes), Advance]
        }
        Fence { posture, rival, restart, signal } => {
            let leave = Leave { posture, scope: 0 };
            // What was proposed before is void.
            let mut all = vec![propose(5, 1), TakeOver, approve(0)];
            all.extend(rival.then_some(Witness { above: 0, other: true }));
            all.extend(restart.then_some(Restart { down_ms: 100, genes: None, spoil: None }));
            let recover = [ObserveAll { but: NONE }, Pass { ms: 2_500, nanos: 0 }].repeat(3);
            all.extend(recover.iter().chain(&[ObserveAll { but: NONE }, fails(signal), leave]));
            all.extend(recover.iter().chain(&[ObserveAll { but: NONE }, leave]));
            // Entered by an operator it is left without the checks of a failover.
            all.extend([Enter { posture, scope: 0 }, Pass { ms: 4_000, nanos: 0 }, ObserveAll { but: signal }]);
            all.extend([fails(signal), leave]);
            all
        }
        _ => return None,
    })
}
