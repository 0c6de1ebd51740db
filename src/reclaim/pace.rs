//! Stepping aside: two threads at one counter do better in turns than in step.
//!
//! When two threads add to one counter alternately, its cache line travels for each addition, and so do the lines of
//! what the numbers stand for. If one of them steps aside for some microseconds instead, the other does hundreds of
//! operations on lines that stay where they are; then they change over. No thread waits *for* another: the pause has a
//! fixed end, comes after the thread's own operation is complete (of a map: after its change), and is made only while it pays.
//!
//! The signal is free: a number that does not follow this thread's last one shows that another thread came in between.
//! Whether a pause paid is seen from the next number: by how far the others got in the meantime. Threads that have other
//! work to do get nowhere in a pause, and are then left alone for a growing number of operations. Whether turns are faster
//! at all is another question, to which [`gain`] has the answer: threads of one core, between which a line hardly has to
//! move, may be faster side by side, and so may those with some work of their own.
//!
//! Where numbers are not given but *won*, by exchanges that can fail, a thread that has the lines wins all the time, and one
//! that must fetch them loses all the time and cannot even be noticed. So a thread steps aside only when it has had a turn
//! of some length, or others would never have theirs; and one that has lost several times says so, upon which the one
//! that has had its turn gives way: the sooner and the longer, the more often it is asked without having to ask itself.
//!
//! A map has such numbers too, in each bucket the version that every change raises. They say something only if this thread's
//! last change was of the same bucket, as it nearly always is where all threads count one key. Only buckets are asked that have
//! a value in the spare lane, where one that several threads change at once comes to stand. Inserts and removals of this thread
//! raise the version of the bucket as well, and look like another's: then turns turn out to be no gain.
//!
//! The other signal is an empty container. A popper that polls takes the lines away from the pusher that it waits for,
//! and so gets one element at a time, each at the price of several moves of lines. If a pause lets the pusher get ahead,
//! it is worth it; if the next pop gets one element again, as in a conversation of two threads, it is not. So a pause is
//! tried now and then, less and less often, and made longer as long as it brings many elements for its length. Where a
//! popper is some lines behind the pusher it still takes lines away, those that its processor fetches ahead of need: in a
//! queue, pauses of 8 microseconds make a flow from one thread to another twice as fast as such of 1 (`queue/flow-1+1` of the
//! benchmark, with `EMPTY_LONGEST_GIVEN` the one or the other). A stack's pusher and popper meet at the top however far they
//! are apart, and there longer pauses bring nothing.
//!
//! All fields belong to one thread; they are atomics because the record that they are in is shared. Every access is
//! Relaxed for that reason.

mod gain;

use gain::Gain;

use super::domain::clock;
use crate::sync::{AtomicU32, Ordering, spin_loop};

/// Pause instructions of the first pause, and of the longest one. One takes 5 to 50 nanoseconds, as the processor's
/// maker pleased.
const SHORTEST: u32 = if cfg!(miri) { 1 } else { 16 };
const LONGEST: u32 = if cfg!(miri) { 1 } else { 256 };
/// A pause paid if the others did an operation in every so many nanoseconds of it.
const PAYS: u32 = 250;
/// How many signals are passed over after a pause that did not pay: this many at first, then twice as many each time.
const PASS_OVER: u32 = 16;
const PASS_OVER_MOST: u32 = 1024;

/// The counters of a container, a bit for each: of a queue, and of a stack.
const GIVEN: u32 = 0b11;
const WON: u32 = 0b01;

/// How many numbers a thread wins, where it must win them, before it steps aside; and before it does so for one that asks.
const FEW: u32 = 8;
const TURN: u32 = 512;

/// Pause instructions for a thread that asked for a turn.
const WAY: u32 = if cfg!(miri) { 1 } else { 128 };
/// How often the turn is halved at most, and the pause doubled, for one that keeps asking.
const SHORTER: u32 = 3;
const LONGER: u32 = 1;

/// Nanoseconds of pause after an "empty": the first, and the longest where numbers are given, and where they are won.
const EMPTY_SHORTEST: u32 = if cfg!(miri) { 1 } else { 128 };
const EMPTY_LONGEST_GIVEN: u32 = if cfg!(miri) { 1 } else { 8192 };
const EMPTY_LONGEST_WON: u32 = if cfg!(miri) { 1 } else { 1024 };
/// A pause was not too long if it and what came before it brought an element in every so many nanoseconds of it. An element
/// may have to wait for the end of the pause, so where they come slowly, pauses are short.
const FLOWS: u32 = 128;
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
    /// Nanoseconds of the pause after the last "empty", how many single elements are to come before the next one is tried, and
    /// how many came.
    empty_pause: AtomicU32,
    tries: AtomicU32,
    singles: AtomicU32,
    /// For each counter, where this thread's last run of numbers began; and how many it got in earlier runs since its last
    /// pause.
    run: [AtomicU32; 2],
    turn: AtomicU32,
    /// Whether taking turns is faster than going side by side.
    gain: Gain,
    /// How often it gave way, since it last asked for a turn itself.
    gave_way: AtomicU32,
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
            self.others_came(counter, expected, number, n as u32, GIVEN);
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
            self.others_came(0, expected, number, 1, WON);
        }
    }

    /// [`Pace::won`], where the container has a counter at each of many places, of which two seldom have one name.
    #[inline(always)]
    pub(super) fn won_at(&self, place: u16, number: u16) {
        let number = u32::from(place) << 16 | u32::from(number);
        let expected = get(&self.next[0]);
        set(&self.next[0], number.wrapping_add(1));
        if number == expected {
            return;
        }
        if (number ^ expected) >> 16 == 0 {
            self.others_came(0, expected, number, 1, WON);
        } else {
            // Elsewhere than before, which says nothing of others.
            set(&self.run[0], number);
            set(&self.open, 0);
        }
    }

    /// This thread has asked for a turn, and has won this number.
    #[cold]
    pub(super) fn begin_turn(&self, number: usize) {
        set(&self.next[0], (number as u32).wrapping_add(1));
        set(&self.run[0], number as u32);
        set(&self.turn, 0);
        set(&self.open, 0);
        set(&self.gave_way, 0);
    }

    /// Another thread asks for a turn. Says whether it got one: whether this thread has had its own.
    #[cold]
    pub(super) fn give_way(&self) -> bool {
        let expected = get(&self.next[0]);
        let gave_way = get(&self.gave_way);
        if get(&self.turn).saturating_add(expected.wrapping_sub(get(&self.run[0]))) < TURN >> gave_way {
            return false;
        }
        set(&self.run[0], expected);
        set(&self.turn, 0);
        set(&self.open, 0);
        // Whether the other one can keep what it gets shows later: then this thread is the next one to ask.
        set(&self.gave_way, (gave_way + 1).min(SHORTER));
        for _ in 0..WAY << gave_way.min(LONGER) {
            spin_loop();
        }
        true
    }

    /// Others got the numbers of a counter from `expected` on, and then this thread `n` from `number` on. If there is a
    /// pause, the next number of each of the `counters` tells whether it paid.
    #[cold]
    fn others_came(&self, counter: usize, expected: u32, number: u32, n: u32, counters: u32) {
        let next = number.wrapping_add(n);
        let turn = get(&self.turn).saturating_add(expected.wrapping_sub(get(&self.run[counter])));
        set(&self.run[counter], number);
        set(&self.turn, turn);
        // Too far for one pause, or backwards: the counter is another one now.
        let numbers = next.wrapping_sub(expected);
        if numbers <= n || numbers > u32::from(u16::MAX) {
            return;
        }
        let open = get(&self.open);
        if open & (1 << counter) != 0 {
            set(&self.open, open & !(1 << counter));
            // Its turn now, until others come in between again.
            return self.judge(numbers - n, numbers);
        }
        let pass = get(&self.pass);
        if pass > 0 {
            return set(&self.pass, pass - 1);
        }
        if counters == WON && turn < FEW && !self.gain.is_measuring() {
            return;
        }
        if !self.gain.is_known() {
            // What is open would be judged by another beginning.
            set(&self.open, 0);
            if let Some(useless) = self.gain.measure(counter, expected, next, numbers) {
                set(&self.pass, useless);
            }
            return;
        }
        set(&self.turn, 0);
        let pause = (2 * get(&self.pause)).clamp(SHORTEST, LONGEST);
        set(&self.pause, pause);
        self.gain.begin_pause();
        for _ in 0..pause {
            spin_loop();
        }
        let took = self.gain.took();
        set(&self.took, took.unwrap_or(0));
        // Who lost the processor meanwhile learns nothing from the next number.
        set(&self.open, if took.is_some() { counters } else { 0 });
    }

    /// A pause is over, in which others got `theirs` of `numbers`.
    fn judge(&self, theirs: u32, numbers: u32) {
        if theirs * PAYS >= get(&self.took) {
            set(&self.passed, 0);
        } else {
            let pass = (2 * get(&self.passed)).clamp(PASS_OVER, PASS_OVER_MOST);
            set(&self.passed, pass);
            set(&self.pass, pass);
            set(&self.pause, 0);
        }
        if let Some(useless) = self.gain.end_pause(numbers) {
            set(&self.pass, useless);
            set(&self.pause, 0);
        }
    }

    /// [`Pace::found_nothing`], where `counter` is not the container's, but counts what this thread has got.
    pub(super) fn found_nothing_after(&self, counter: usize, got: usize) {
        set(&self.next[counter], got as u32);
        self.nothing(counter, EMPTY_LONGEST_WON);
    }

    /// This thread found nothing at the end that `counter` counts.
    #[cold]
    pub(super) fn found_nothing(&self, counter: usize) {
        self.nothing(counter, EMPTY_LONGEST_GIVEN);
    }

    fn nothing(&self, counter: usize, longest: u32) {
        let next = get(&self.next[counter]);
        let got = next.wrapping_sub(get(&self.drained));
        set(&self.drained, next);
        let pause = self.pause_after(got, longest);
        set(&self.empty_pause, pause);
        if pause == 0 {
            return;
        }
        let begin = clock() as u32;
        // A look at the clock takes a nanosecond at least; so many are enough, and end the pause should the clock stand still.
        for _ in 0..pause {
            if (clock() as u32).wrapping_sub(begin) >= pause {
                break;
            }
            spin_loop();
        }
    }

    /// How long to pause after an "empty", before which this thread has got so many elements since the last one.
    fn pause_after(&self, got: u32, longest: u32) -> u32 {
        let last = get(&self.empty_pause);
        match got {
            // Nobody is pushing.
            0 => 0,
            1 => {
                let tries = get(&self.tries).max(TRY);
                let tries = if last > 0 { (2 * tries).min(TRY_MOST) } else { tries };
                set(&self.tries, tries);
                let singles = get(&self.singles) + 1;
                set(&self.singles, singles % tries);
                if singles >= tries { 2 * EMPTY_SHORTEST } else { 0 }
            }
            _ if got.saturating_mul(FLOWS) < last => last / 2,
            _ => {
                set(&self.tries, TRY);
                (2 * last).clamp(EMPTY_SHORTEST, longest)
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_place_tell_of_others() {
        let pace = Pace::default();
        (1..20).for_each(|n| pace.won_at(7, n));
        assert!(!pace.gain.is_measuring(), "this thread's own numbers");
        pace.won_at(7, 30);
        assert!(pace.gain.is_measuring());
    }

    #[test]
    fn numbers_of_other_places_tell_nothing() {
        let pace = Pace::default();
        (1..20).for_each(|n| pace.won_at(n % 3, 30 * n));
        assert!(!pace.gain.is_measuring());
        // The versions of two places that differ by nothing but the place.
        pace.won_at(4, 5);
        pace.won_at(5, 5);
        assert!(!pace.gain.is_measuring());
    }

    /// The pauses of a queue's popper that gets so many elements after each. They are made, not only said.
    fn pauses<const N: usize>(got: [u32; N]) -> [u32; N] {
        let pace = Pace::default();
        let mut next = 0;
        let begin = std::time::Instant::now();
        let pauses = got.map(|got| {
            if got > 0 {
                pace.step(0, next, got as usize);
                next += got as usize;
            }
            pace.found_nothing(0);
            get(&pace.empty_pause)
        });
        let all = std::time::Duration::from_nanos(pauses.iter().copied().map(u64::from).sum());
        assert!(begin.elapsed() >= all, "pauses are cut short");
        pauses
    }

    #[test]
    #[cfg_attr(miri, ignore = "pauses are of one length there")]
    fn pauses_grow_while_elements_flow() {
        assert_eq!(pauses([5, 20, 20, 20, 20, 40, 80, 80]), [128, 256, 512, 1024, 2048, 4096, 8192, 8192]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "pauses are of one length there")]
    fn pauses_shrink_where_elements_come_slowly_and_end_where_none_come() {
        assert_eq!(pauses([9, 9, 9, 9, 7, 3, 0, 0, 9]), [128, 256, 512, 1024, 512, 256, 0, 0, 128]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "pauses are of one length there")]
    fn a_stacks_popper_pauses_for_a_microsecond_at_most() {
        let pace = Pace::default();
        let longest = (1..=20).map(|n| {
            pace.found_nothing_after(1, 100 * n);
            get(&pace.empty_pause)
        });
        assert_eq!(longest.max(), Some(1024));
    }

    #[test]
    #[cfg_attr(miri, ignore = "pauses are of one length there")]
    fn a_conversation_pauses_less_and_less_often() {
        let paused = pauses([1; 1000]).iter().filter(|pause| **pause > 0).count();
        assert_eq!(paused, 4, "after 64, 128, 256 and 512 single elements");
    }

    /// What a bucket's version is after all that fit the low bits.
    #[test]
    fn numbers_that_begin_anew_are_another_places() {
        let pace = Pace::default();
        pace.won_at(7, u16::MAX);
        pace.won_at(7, 0);
        assert!(!pace.gain.is_measuring());
    }
}
