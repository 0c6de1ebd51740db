//! Whether threads at one counter are faster in turns than side by side.
//!
//! Both are measured, in the same unit: nanoseconds for a number, whoever gets it. In turns: from the beginning of a pause
//! to this thread's next number, over many pauses, because once the other thread may just have stepped aside itself. Side
//! by side: from one signal to the next one of the same counter, if no number of this thread came in between. Where
//! another thread steps aside meanwhile, it does not come in between, and there is no second signal; where it has a turn,
//! there are many numbers. So what is measured is not mixed with what it is compared with.
//!
//! Where turns are no gain, signals are passed over for a growing while, and then both are measured anew.

use super::{clock, get, set};
use crate::sync::AtomicU32;

/// How many numbers after pauses are judged together.
const JUDGED: u32 = 64;
/// And while no gain is expected.
const JUDGED_IN_DOUBT: u32 = 2;
/// From how many signals the speed side by side is taken, and for how many pauses it is good.
const SIGNALS: u32 = 16;
const FRESH: u32 = 1024;
/// If more numbers were given from one signal to the next, another thread had a turn; or there are many threads, which is
/// believed after so many such signals, and once more each time that it is doubled, up to `MANY` times.
const INTERLEAVED: u32 = 8;
const DOUBTED: u32 = 32;
const MANY: u32 = 5;
/// How many signals of the other counter are passed over while one is measured, before it is given up.
const PATIENCE: u32 = 8;
/// What took more nanoseconds was disturbed: the thread lost the processor.
const UNDISTURBED: u32 = 50_000;
/// How many signals are passed over where turns are no gain: this many at first, then four times as many each time. At the
/// most, so that in a conversation of two threads less than one message in a thousand meets a pause.
const USELESS: u32 = 256;
const USELESS_MOST: u32 = 16384;

#[derive(Default)]
pub(super) struct Gain {
    /// When the last pause began, or the signal that `mark` is about, in nanoseconds.
    begin: AtomicU32,
    /// One more than the counter that is being measured, or 0; the number that followed this thread's at the last signal;
    /// and how many signals of the other counter may still come.
    measured: AtomicU32,
    mark: AtomicU32,
    patience: AtomicU32,
    /// From how many signals on, in the low half, and from how many not because of their numbers, in the high one; and what has
    /// been measured, in nanoseconds and numbers.
    signals: AtomicU32,
    nanoseconds: AtomicU32,
    numbers: AtomicU32,
    /// What came of it: sixteenths of a nanosecond that a number takes side by side, and for how many pauses that is good.
    beside: AtomicU32,
    fresh: AtomicU32,
    /// Of the pauses since the last judgement: how many numbers have told of them, what they took, and how many came.
    judged: AtomicU32,
    in_turns: AtomicU32,
    in_turns_numbers: AtomicU32,
    /// How many signals were passed over the last time, because turns were no gain.
    useless: AtomicU32,
}

impl Gain {
    /// Whether it is known how fast the threads are side by side.
    pub(super) fn is_known(&self) -> bool {
        get(&self.fresh) > 0
    }

    pub(super) fn is_measuring(&self) -> bool {
        get(&self.measured) != 0
    }

    /// One signal more of the measurement side by side: `numbers` of the counter since this thread's last one, which was
    /// before `expected`; `next` follows this one. If it comes to nothing: how many signals are to be passed over.
    pub(super) fn measure(&self, counter: usize, expected: u32, next: u32, numbers: u32) -> Option<u32> {
        let this = counter as u32 + 1;
        let measured = get(&self.measured);
        if measured == this && expected == get(&self.mark) {
            let signals = get(&self.signals);
            let doubted = signals >> 16;
            if numbers > INTERLEAVED << (doubted / DOUBTED) {
                if doubted == MANY * DOUBTED {
                    // They have long turns without a pause of this thread's.
                    self.measure_anew(0);
                    return Some(USELESS_MOST);
                }
                set(&self.signals, signals + (1 << 16));
            } else if let Some(took) = self.took() {
                set(&self.signals, signals + 1);
                set(&self.nanoseconds, get(&self.nanoseconds) + took);
                set(&self.numbers, get(&self.numbers) + numbers);
            }
            if get(&self.signals) & 0xffff == SIGNALS {
                set(&self.beside, 16 * get(&self.nanoseconds) / get(&self.numbers));
                set(&self.fresh, FRESH);
                self.measure_anew(0);
                return None;
            }
        } else if measured != this {
            let patience = get(&self.patience);
            if patience > 0 {
                set(&self.patience, patience - 1);
                return None;
            }
            self.measure_anew(this);
        }
        set(&self.mark, next);
        set(&self.patience, PATIENCE);
        set(&self.begin, clock() as u32);
        None
    }

    fn measure_anew(&self, measured: u32) {
        set(&self.measured, measured);
        for sum in [&self.signals, &self.nanoseconds, &self.numbers, &self.patience] {
            set(sum, 0);
        }
    }

    pub(super) fn begin_pause(&self) {
        set(&self.fresh, get(&self.fresh) - 1);
        set(&self.begin, clock() as u32);
    }

    /// This thread's first number since a pause has come, and is one of `numbers` since then. If turns turn out to be no
    /// gain: how many signals are to be passed over.
    pub(super) fn end_pause(&self, numbers: u32) -> Option<u32> {
        let took = get(&self.in_turns) + self.took()?;
        let numbers = get(&self.in_turns_numbers) + numbers;
        let most = if get(&self.useless) > 0 { JUDGED_IN_DOUBT } else { JUDGED };
        let judged = get(&self.judged) + 1;
        if judged < most {
            set(&self.judged, judged);
            set(&self.in_turns, took);
            set(&self.in_turns_numbers, numbers);
            return None;
        }
        for sum in [&self.judged, &self.in_turns, &self.in_turns_numbers] {
            set(sum, 0);
        }
        // A gain of a quarter makes up for what both measure too well or too badly.
        if 4 * u64::from(get(&self.beside)) * u64::from(numbers) >= 5 * 16 * u64::from(took) {
            set(&self.useless, 0);
            return None;
        }
        let useless = (4 * get(&self.useless)).clamp(USELESS, USELESS_MOST);
        set(&self.useless, useless);
        set(&self.fresh, 0);
        Some(useless)
    }

    /// Nanoseconds since the last pause or signal began. None: so many that the thread must have lost the processor.
    pub(super) fn took(&self) -> Option<u32> {
        // The low bits are enough for times that count.
        let took = (clock() as u32).wrapping_sub(get(&self.begin));
        (took < UNDISTURBED).then_some(took)
    }
}
