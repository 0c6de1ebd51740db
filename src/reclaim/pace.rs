//! Stepping aside: two threads at one counter do better in turns than in step.
//!
//! When two threads add to one counter alternately, its cache line travels for each addition, and so do the lines of
//! what the numbers stand for. If one of them steps aside for some microseconds instead, the other does hundreds of
//! operations on lines that stay where they are; then they change over. No thread waits *for* another: the pause has a
//! fixed end, comes after the thread's own operation is complete, and is made only while it pays.
//!
//! The signal is free: a number that does not follow this thread's last one shows that another thread came in between.
//! Whether a pause paid is seen from the next number: by how far the others got in the meantime. Threads that have other
//! work to do get nowhere in a pause, and are then left alone for a growing number of operations.
//!
//! Where numbers are not given but *won*, by exchanges that can fail, a thread that has the lines wins all the time, and one
//! that must fetch them loses all the time and cannot even be noticed. So a thread steps aside only when it has had a turn
//! of some length, or others would never have theirs; and one that has lost several times says so, upon which the one
//! that has had its turn gives way.
//!
//! The other signal is an empty container. A popper that polls takes the lines away from the pusher that it waits for,
//! and so gets one element at a time, each at the price of several moves of lines. If a pause lets the pusher get ahead,
//! it is worth it; if the next pop gets one element again, as in a conversation of two threads, it is not. So a pause is
//! tried now and then, less and less often, and made longer as long as it brings more than one element.
//!
//! All fields belong to one thread; they are atomics because the record that they are in is shared. Every access is
//! Relaxed for that reason.

use std::time::Instant;

use crate::sync::{AtomicU32, Ordering, spin_loop};

/// Pause instructions of the first pause, and of the longest one. One takes 5 to 50 nanoseconds, as the processor's
/// maker pleased.
const SHORTEST: u32 = if cfg!(miri) { 1 } else { 16 };
const LONGEST: u32 = if cfg!(miri) { 1 } else { 256 };
/// A pause paid if the others did an operation in every so many nanoseconds of it.
const PAYS: u32 = 250;
/// A pause of so many nanoseconds was longer than any pause is.
const UNDISTURBED: u32 = 50_000;
/// How many signals are passed over after a pause that did not pay: this many at first, then twice as many each time.
const PASS_OVER: u32 = 16;
const PASS_OVER_MOST: u32 = 1024;

/// How many numbers a thread wins, where it must win them, before it steps aside.
const TURN: u32 = 512;

/// Pause instructions for a thread that asked for a turn.
const WAY: u32 = if cfg!(miri) { 1 } else { 128 };

/// Pause instructions after an "empty": of the first pause, and of the longest.
const EMPTY_SHORTEST: u32 = if cfg!(miri) { 1 } else { 8 };
const EMPTY_LONGEST: u32 = if cfg!(miri) { 1 } else { 64 };
/// After how many single elements a pause is tried: at first, and at most. The number doubles each time that it was no use.
const TRY: u32 = 64;
const TRY_MOST: u32 = 4096;

/// One thread's pace at one container's counters.
#[derive(Default)]
pub(super) struct Pace {
    /// For each counter, the number that follows this thread's last one.
    next: [AtomicU32; 2],
    /// Pause instructions of the last pause.
    pause: AtomicU32,
    /// What it took, in nanoseconds.
    took: AtomicU32,
    /// Counters whose next number is yet to tell whether the pause paid: a bit for each.
    open: AtomicU32,
    /// Signals still to be passed over.
    pass: AtomicU32,
    /// How many were to be passed over the last time.
    passed: AtomicU32,
    /// Of the counter of pops: the number after the last element before the last "empty".
    drained: AtomicU32,
    /// Pause instructions after the last "empty", how many single elements are to come before the next one is tried, and
    /// how many came.
    empty_pause: AtomicU32,
    tries: AtomicU32,
    singles: AtomicU32,
    /// Where numbers are exchanges that can fail: where this thread's last run of numbers began, and how many it got in
    /// earlier runs since its last pause.
    run: AtomicU32,
    turn: AtomicU32,
}

fn get(field: &AtomicU32) -> u32 {
    // Relaxed: this thread's own.
    field.load(Ordering::Relaxed)
}

fn set(field: &AtomicU32, value: u32) {
    // Relaxed: this thread's own.
    field.store(value, Ordering::Relaxed);
}

impl Pace {
    /// This thread, having completed its operation, got the `n` numbers from `number` on of a counter.
    #[inline(always)]
    pub(super) fn step(&self, counter: usize, number: usize, n: usize) {
        // The low bits are enough to tell neighbours from others.
        let number = number as u32;
        let expected = get(&self.next[counter]);
        set(&self.next[counter], number.wrapping_add(n as u32));
        if number != expected {
            self.others_came(counter, number.wrapping_sub(expected), PASS_OVER_MOST);
        }
    }

    /// [`Pace::step`] for the one counter of a container whose numbers are not given but won: see the module's text.
    #[inline(always)]
    pub(super) fn won(&self, number: usize) {
        // The low bits are enough to tell neighbours from others.
        let number = number as u32;
        let expected = get(&self.next[0]);
        set(&self.next[0], number.wrapping_add(1));
        if number != expected {
            self.others_won(number, expected);
        }
    }

    /// This thread has asked for a turn, and has won this number.
    #[cold]
    pub(super) fn begin_turn(&self, number: usize) {
        set(&self.next[0], (number as u32).wrapping_add(1));
        set(&self.run, number as u32);
        set(&self.turn, 0);
        set(&self.open, 0);
    }

    /// Another thread asks for a turn. Says whether it got one: whether this thread has had its own.
    #[cold]
    pub(super) fn give_way(&self) -> bool {
        let expected = get(&self.next[0]);
        if get(&self.turn).saturating_add(expected.wrapping_sub(get(&self.run))) < TURN {
            return false;
        }
        set(&self.run, expected);
        set(&self.turn, 0);
        set(&self.open, 0);
        for _ in 0..WAY {
            spin_loop();
        }
        true
    }

    #[cold]
    fn others_won(&self, number: u32, expected: u32) {
        let turn = get(&self.turn).saturating_add(expected.wrapping_sub(get(&self.run)));
        set(&self.run, number);
        set(&self.turn, turn);
        let may = get(&self.open) != 0 || turn >= TURN;
        if may && self.others_came(0, number.wrapping_sub(expected), PASS_OVER) {
            set(&self.turn, 0);
        }
    }

    /// Others got `numbers` of a counter since this thread's last one. After a pause that does not pay, up to `most` such
    /// signals are passed over. Says whether there was a pause.
    #[cold]
    fn others_came(&self, counter: usize, numbers: u32, most: u32) -> bool {
        // Too far for one pause, or backwards: the counter is another one now.
        let Ok(numbers) = u16::try_from(numbers) else { return false };
        let open = get(&self.open);
        if open & (1 << counter) != 0 {
            set(&self.open, open & !(1 << counter));
            if u32::from(numbers) * PAYS < get(&self.took) {
                let pass = (2 * get(&self.passed)).clamp(PASS_OVER, most);
                set(&self.passed, pass);
                set(&self.pass, pass);
                set(&self.pause, 0);
            } else {
                set(&self.passed, 0);
            }
            // Its turn now, until others come in between again.
            return false;
        }
        let pass = get(&self.pass);
        if pass > 0 {
            set(&self.pass, pass - 1);
            return false;
        }
        let pause = (2 * get(&self.pause)).clamp(SHORTEST, LONGEST);
        let begin = Instant::now();
        for _ in 0..pause {
            spin_loop();
        }
        let took = u32::try_from(begin.elapsed().as_nanos()).unwrap_or(u32::MAX);
        set(&self.pause, pause);
        set(&self.took, took);
        // Who lost the processor meanwhile learns nothing from the next number.
        set(&self.open, if took < UNDISTURBED { 0b11 } else { 0 });
        true
    }

    /// [`Pace::found_nothing`], where `counter` is not the container's, but counts what this thread has got.
    pub(super) fn found_nothing_after(&self, counter: usize, got: usize) {
        set(&self.next[counter], got as u32);
        self.found_nothing(counter);
    }

    /// This thread found nothing at the end that `counter` counts.
    #[cold]
    pub(super) fn found_nothing(&self, counter: usize) {
        let next = get(&self.next[counter]);
        let got = next.wrapping_sub(get(&self.drained));
        set(&self.drained, next);
        let last = get(&self.empty_pause);
        let pause = match got {
            // Nobody is pushing.
            0 => return,
            1 => {
                let tries = get(&self.tries).max(TRY);
                let tries = if last > 0 { (2 * tries).min(TRY_MOST) } else { tries };
                set(&self.tries, tries);
                let singles = get(&self.singles) + 1;
                set(&self.singles, singles % tries);
                if singles >= tries { 2 * EMPTY_SHORTEST } else { 0 }
            }
            _ => {
                set(&self.tries, TRY);
                (2 * last).clamp(EMPTY_SHORTEST, EMPTY_LONGEST)
            }
        };
        set(&self.empty_pause, pause);
        for _ in 0..pause {
            spin_loop();
        }
    }
}
