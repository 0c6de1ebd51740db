//! Parks one thread before its k-th step, and has others at work meanwhile.
//!
//! Each case begins with a fresh container. The victim's operation is run once for each k, until it ends before its k-th
//! step; once more with a thread that has used the container before; and in a *walk*: parked before each of its steps
//! in turn, with the others at work each time, so that it goes through its retries and through help for others.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::sites;
use crate::stop::{Park, Plan, armed};
use crate::watch::Watch;

/// The others that go on, and how often each does everything while the victim is parked.
const OTHERS: usize = 2;
const ROUNDS: usize = 2;
/// How often a walk is parked at most: with others in its way at each step, an operation need not end.
const WALK: u64 = 100;

/// Beside another parked thread, k goes on by this, from a first one that depends on where the other stands.
/// `CONEX_PARK_STRIDE` sets it.
fn stride() -> u64 {
    std::env::var("CONEX_PARK_STRIDE").map_or(4, |stride| stride.parse().expect("a number"))
}

/// Steps up to which each k has its turn; of those beyond, about forty: a walk over a large table has thousands.
/// `CONEX_PARK_EACH` sets it.
fn each() -> u64 {
    std::env::var("CONEX_PARK_EACH").map_or(300, |each| each.parse().expect("a number"))
}

/// One thread's part in a case.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) id: u64,
    sequence: u64,
    /// What it put in, and took out: for the oracles of stacks and queues.
    pub(crate) put: Vec<u64>,
    pub(crate) took: Vec<u64>,
}

impl Worker {
    /// A number that no other call of any worker returns, and that grows from call to call.
    pub(crate) fn token(&mut self) -> u64 {
        self.sequence += 1;
        self.id << 32 | self.sequence
    }

    /// A number below `n`, of a fixed series.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.sequence += 1;
        let mut x = (self.id << 32 | self.sequence).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 29;
        (x.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) % n
    }
}

/// A container, what it holds, and the oracles.
pub(crate) trait Subject: Send + Sync {
    /// Runs an operation, given by its place in the suite's list.
    fn run(&self, worker: &mut Worker, operation: usize);
    /// What more the others have to get done while a thread is parked. Run by one of them.
    fn demand(&self, _worker: &mut Worker) {}
    /// After all: says what is wrong, if anything is.
    fn verify(&self, workers: &[Worker]) -> Result<(), String>;
}

pub(crate) type Maker = Box<dyn Fn(&mut Worker) -> Box<dyn Subject> + Sync>;

pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) operations: &'static [&'static str],
    /// The victim's operations; all of them unless some are named.
    pub(crate) victims: Option<&'static [&'static str]>,
    /// Whether another thread has been parked before, in which operation, and where.
    pub(crate) beside: Option<(&'static str, Where)>,
    /// Makes the container, in the state that the suite is about.
    pub(crate) make: Maker,
    pub(crate) watchdog: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    LockFree,
    /// With the place at which the thread was parked.
    Blocking(String),
    Wrong(String),
}

pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) operation: &'static str,
    pub(crate) verdict: Verdict,
    /// Steps of the operation: of a new thread, and of one that has used the container.
    steps: [u64; 2],
    every: bool,
    parks: u64,
    walked: u64,
    completed: u64,
}

impl Row {
    pub(crate) fn cases(&self) -> u64 {
        self.parks + self.walked
    }

    pub(crate) fn print(&self) {
        let verdict = match &self.verdict {
            Verdict::LockFree => "lock-free".to_string(),
            Verdict::Blocking(at) => format!("BLOCKING, parked at {at}"),
            Verdict::Wrong(what) => format!("WRONG: {what}"),
        };
        println!(
            "  {:<48} {:<18} {:>5} {:>5} {:>6} {:<6} {:>6} {:>9}  {verdict}",
            self.suite,
            self.operation,
            self.steps[0],
            self.steps[1],
            self.parks,
            if self.every { "all k" } else { "" },
            self.walked,
            self.completed
        );
    }
}

pub(crate) fn print_head() {
    println!(
        "\n  {:<48} {:<18} {:>5} {:>5} {:>6} {:<6} {:>6} {:>9}  verdict",
        "container", "operation", "new", "used", "parks", "", "walked", "completed"
    );
}

/// Where the other parked thread of a case is.
#[derive(Clone, Copy)]
pub(crate) enum Where {
    /// Before each of its steps in turn.
    Each,
    /// Before the access at this place, given by the file and by what its line says.
    At(&'static str, &'static str),
}

// --- The others

/// Has the others at work, one after the other, on this thread: each runs all operations `ROUNDS` times. Says what stood
/// still, if anything did. No two threads run at once in all of this, so that a case is the same each time.
fn others_complete(
    suite: &Suite,
    subject: &dyn Subject,
    workers: &mut [Worker],
    park: &Arc<[Park; 2]>,
) -> Result<u64, &'static str> {
    let operations = suite.operations.len();
    let watch = Watch::over(park, suite.watchdog);
    for (n, worker) in workers.iter_mut().enumerate() {
        for i in 0..ROUNDS * operations {
            let operation = (i + n * operations / OTHERS) % operations;
            subject.run(worker, operation);
            if watch.barked() {
                return Err(suite.operations[operation]);
            }
        }
    }
    subject.demand(&mut workers[0]);
    if watch.barked() { Err("what is demanded") } else { Ok((OTHERS * ROUNDS * operations) as u64) }
}

// --- The cases

#[derive(Default)]
struct Outcome {
    /// Whether the thread that was to be parked before the victim has been.
    beside: bool,
    parks: u64,
    steps: u64,
    completed: u64,
}

struct Case<'a> {
    suite: &'a Suite,
    operation: usize,
    plan: Plan,
    /// Whether the thread that will be parked has made the container, and so used it.
    used: bool,
    beside: Option<(usize, Plan)>,
}

impl Case<'_> {
    fn run(&self) -> Result<Outcome, Verdict> {
        let suite = self.suite;
        let mut workers: Vec<_> =
            (0..3 + OTHERS).map(|n| Worker { id: n as u64, ..Worker::default() }).collect();
        let (parked, others) = workers.split_at_mut(3);
        let [maker, first, victim] = parked else { unreachable!("three") };
        let park = Arc::new([Park::default(), Park::default()]);
        let subject = OnceLock::new();
        if !self.used {
            subject.get_or_init(|| (suite.make)(maker));
        }
        let mut outcome = Outcome::default();
        let mut blocked = None;
        thread::scope(|scope| {
            let (park, subject) = (&park, &subject);
            let mut running = Vec::new();
            if let Some((operation, plan)) = self.beside {
                running.push(scope.spawn(move || {
                    let subject = subject.get().expect("made already");
                    let steps = armed(&park[0], plan, || subject.run(first, operation));
                    park[0].end();
                    steps
                }));
                outcome.beside = park[0].next().is_some();
            }
            running.push(scope.spawn(move || {
                let subject = subject.get_or_init(|| (suite.make)(maker));
                let steps = armed(&park[1], self.plan, || subject.run(victim, self.operation));
                park[1].end();
                steps
            }));
            while let Some(at) = park[1].next() {
                outcome.parks += 1;
                let subject: &dyn Subject = &**subject.get().expect("made before the first step");
                match others_complete(suite, subject, others, park) {
                    Ok(completed) => outcome.completed += completed,
                    Err(stuck) => {
                        blocked = Some(format!("{}:{}: no {stuck} ended", at.file(), at.line()));
                        break;
                    }
                }
                park[1].release();
            }
            park.iter().for_each(Park::open);
            for running in running {
                outcome.steps = running.join().expect("a victim does not panic");
            }
        });
        if let Some(at) = blocked {
            return Err(Verdict::Blocking(at));
        }
        let subject = subject.into_inner().expect("made by then");
        subject.verify(&workers).map_err(Verdict::Wrong)?;
        Ok(outcome)
    }
}

impl Row {
    fn new(suite: &Suite, operation: usize) -> Self {
        Self {
            suite: suite.name.clone(),
            operation: suite.operations[operation],
            verdict: Verdict::LockFree,
            steps: [0; 2],
            every: true,
            parks: 0,
            walked: 0,
            completed: 0,
        }
    }

    /// One case for each k of the series. Returns whether a thread was parked beside, if one was to be.
    fn each_step(&mut self, case: &mut Case<'_>, first: u64, stride: u64) -> Result<bool, Verdict> {
        let each = each();
        let mut k = first;
        self.every &= stride == 1;
        loop {
            case.plan = Plan::only(k);
            let outcome = case.run()?;
            self.completed += outcome.completed;
            if outcome.parks == 0 {
                let steps = &mut self.steps[usize::from(case.used)];
                *steps = outcome.steps.max(*steps);
                return Ok(outcome.beside);
            }
            self.parks += 1;
            k += stride;
            if k > each {
                // At distances that are odd, up to the end.
                self.every = false;
                k += (outcome.steps.saturating_sub(each) / 40) | 1;
            }
        }
    }

    fn fill(&mut self, suite: &Suite, operation: usize) -> Result<(), Verdict> {
        let mut case = Case { suite, operation, plan: Plan::only(1), used: false, beside: None };
        let Some((beside, at)) = suite.beside else {
            self.each_step(&mut case, 1, 1)?;
            case.used = true;
            self.each_step(&mut case, 1, 1)?;
            case.plan = Plan::Steps(1, WALK);
            let outcome = case.run()?;
            self.completed += outcome.completed;
            self.walked = outcome.parks;
            return Ok(());
        };
        let beside = suite.operations.iter().position(|&name| name == beside).expect("one of the suite's");
        match at {
            Where::At(file, text) => {
                case.beside = Some((beside, Plan::At(file, sites::line_of(file, text))));
                if !self.each_step(&mut case, 1, 1)? {
                    return Err(Verdict::Wrong(format!("no thread came to {text:?} of {file}")));
                }
            }
            Where::Each => {
                let (mut j, stride) = (1, stride());
                loop {
                    case.beside = Some((beside, Plan::only(j)));
                    if !self.each_step(&mut case, 1 + j % stride, stride)? {
                        break;
                    }
                    j += 1;
                }
            }
        }
        Ok(())
    }
}

fn row(suite: &Suite, operation: usize) -> Row {
    let mut row = Row::new(suite, operation);
    if let Err(verdict) = row.fill(suite, operation) {
        row.verdict = verdict;
    }
    row
}

/// All cases of a suite, a row an operation.
pub(crate) fn run(suite: &Suite) -> Vec<Row> {
    (0..suite.operations.len())
        .filter(|&n| suite.victims.is_none_or(|victims| victims.contains(&suite.operations[n])))
        .map(|operation| row(suite, operation))
        .collect()
}
