//! Many operations on words, one after the other, whose buckets are asked for ahead of time.
//!
//! A lookup in a large map waits for one cache line, most of the time. With the keys known beforehand the lines can be
//! under way while the operations before are done: the hash of a key is computed, and its line asked for, [`AHEAD`]
//! operations early.

use super::plan::{Change, Plan};
use super::words::{Word, WordMap};
use crate::mem::NoMemory;
use crate::reclaim::Lane;

/// How many lines are asked for ahead: the latency of the memory divided by the time of an operation, and less than a
/// processor's first cache holds.
const AHEAD: usize = 16;

/// See the module's text. Each operation is one of its own.
pub(crate) struct WordBatch<'a> {
    map: &'a WordMap,
    lane: Lane<'a>,
    words: [Word; AHEAD],
}

impl<'a> WordBatch<'a> {
    pub(crate) fn new(map: &'a WordMap) -> Self {
        Self { map, lane: map.engine.hazards.lane(), words: [Word(0); AHEAD] }
    }

    /// Calls `one` with each of the numbers below `n`, in order, and the word of its key, until it breaks.
    #[inline(always)]
    pub(crate) fn run<E>(
        mut self,
        n: usize,
        key: impl Fn(usize) -> u64,
        mut one: impl FnMut(&Self, usize, Word) -> Result<(), E>,
    ) -> Result<(), E> {
        (0..n.min(AHEAD)).for_each(|i| self.words[i] = self.ask_for(key(i)));
        for i in 0..n {
            let word = self.words[i % AHEAD];
            if i + AHEAD < n {
                self.words[i % AHEAD] = self.ask_for(key(i + AHEAD));
            }
            one(&self, i, word)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn ask_for(&self, key: u64) -> Word {
        let word = self.map.word(key);
        self.map.engine.prefetch_by(&self.lane, word.0);
        word
    }

    /// As [`WordMap::get`].
    #[inline(always)]
    pub(crate) fn get(&self, word: Word) -> Option<u64> {
        self.map.engine.get_word_by(&self.lane, &word).map(|pair| pair.value)
    }

    /// As [`WordMap::insert`]; true if it was not there.
    #[inline(always)]
    pub(crate) fn insert(&self, word: Word, value: u64) -> Result<bool, NoMemory> {
        let mut plan = |old: Option<_>| if old.is_some() { Plan::Keep } else { Plan::Store(value) };
        Ok(matches!(self.map.engine.change_word_by(&self.lane, &word, &mut plan)?, Change::Inserted))
    }

    /// As [`WordMap::remove`]; true if it was there.
    #[inline(always)]
    pub(crate) fn remove(&self, word: Word) -> Result<bool, NoMemory> {
        let change = self.map.engine.change_word_by(&self.lane, &word, &mut |_| Plan::Remove)?;
        Ok(matches!(change, Change::Removed(_)))
    }
}
