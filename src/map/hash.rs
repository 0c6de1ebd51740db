//! Hashing: a bijection for words, a seed for everything.

use core::fmt;
use core::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// A number that differs from run to run and from call to call, from the operating system's randomness by way of the
/// standard library's per-process keys.
pub(crate) fn random_seed() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// A seeded bijection of the 64-bit words whose top bits are well mixed.
///
/// Being invertible it lets a cell hold one word that is key and hash at once: equal images are equal keys, and the key
/// can be had back. The secret multiplier is odd, so that it has an inverse modulo 2^64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixer {
    add: u64,
    secret: u64,
    inverse: u64,
}

/// The multiplier of the second round: odd, with its bits in no pattern (the golden ratio's).
const SECOND: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND_INVERSE: u64 = inverse(SECOND);

impl Mixer {
    pub(crate) fn new(seed: u64) -> Self {
        // The finaliser of splitmix64, so that close seeds give unrelated secrets.
        let stretch = |n: u64| {
            let z = seed.wrapping_add(n.wrapping_mul(SECOND));
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let secret = stretch(1) | 1;
        Self { add: stretch(2), secret, inverse: inverse(secret) }
    }

    #[inline(always)]
    pub(crate) const fn mix(&self, key: u64) -> u64 {
        let x = (key ^ self.add).wrapping_mul(self.secret);
        (x ^ (x >> 32)).wrapping_mul(SECOND)
    }

    #[inline(always)]
    pub(crate) const fn unmix(&self, mixed: u64) -> u64 {
        let x = mixed.wrapping_mul(SECOND_INVERSE);
        (x ^ (x >> 32)).wrapping_mul(self.inverse) ^ self.add
    }
}

/// A key of at most eight bytes as a word, padded with zeros.
#[inline(always)]
pub(crate) fn word_of(key: &[u8]) -> u64 {
    fn short(key: &[u8]) -> u64 {
        let mut bytes = [0; 8];
        bytes[..key.len()].copy_from_slice(key);
        u64::from_ne_bytes(bytes)
    }
    <[u8; 8]>::try_from(key).map_or_else(|_| short(key), u64::from_ne_bytes)
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration: each step doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut step = 0;
    while step < 6 {
        x = x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// Spreads a hash that we did not make over all bits, the top ones among them: some hash functions return small numbers.
/// Different hashes stay different.
#[inline(always)]
pub(crate) const fn spread(hash: u64) -> u64 {
    (hash ^ (hash >> 32)).wrapping_mul(SECOND)
}

/// A hash as a key word that can stand in a cell.
#[inline(always)]
pub(super) const fn as_key_word(hash: u64) -> u64 {
    if hash < 2 { hash | 2 } else { hash }
}

/// Whether no other hash has the same key word as this one.
#[inline(always)]
pub(super) const fn has_its_own_key_word(hash: u64) -> bool {
    hash > 3
}

/// The seeded hash of byte strings.
pub(crate) struct ByteHash {
    seed: u64,
    shared: SharedSeed,
}

impl ByteHash {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, shared: SharedSeed::from_u64(seed) }
    }

    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// The default `BuildHasher` of [`Map`](crate::Map): fast, and seeded at random for each map.
#[derive(Clone)]
pub struct RandomState(SeedableRandomState);

impl RandomState {
    /// A state with a random seed.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(random_seed())
    }

    /// A state with this seed. Two with the same seed, in one process, hash alike.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_random()))
    }
}

impl Default for RandomState {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildHasher for RandomState {
    type Hasher = MapHasher;

    #[inline]
    fn build_hasher(&self) -> MapHasher {
        MapHasher(self.0.build_hasher())
    }
}

impl fmt::Debug for RandomState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomState").finish_non_exhaustive()
    }
}

/// The hasher of [`RandomState`].
#[derive(Clone)]
pub struct MapHasher(FoldHasher<'static>);

macro_rules! forward {
    ($($method:ident: $number:ty),*) => {
        $(
            #[inline]
            fn $method(&mut self, number: $number) {
                self.0.$method(number);
            }
        )*
    };
}

impl Hasher for MapHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    forward!(write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128, write_usize: usize);
}

impl fmt::Debug for MapHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapHasher").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_a_bijection() {
        for seed in [0, 1, u64::MAX, random_seed()] {
            let mixer = Mixer::new(seed);
            for key in (0..1000).chain([u64::MAX, 1 << 63, 0xdead_beef]) {
                assert_eq!(mixer.unmix(mixer.mix(key)), key);
            }
        }
    }

    /// Buckets are the top bits: keys in the patterns that programs have must spread over them.
    #[test]
    fn patterns_spread() {
        type Pattern = (&'static str, fn(u64) -> u64);
        let patterns: [Pattern; 5] = [
            ("counting", |i| i),
            ("aligned", |i| i << 12),
            ("high", |i| i << 48),
            ("reversed", u64::reverse_bits),
            ("squares", |i| i * i),
        ];
        for (name, pattern) in patterns {
            let mixer = Mixer::new(random_seed());
            let mut buckets = vec![0_u32; 1 << 10];
            for i in 0..1 << 12 {
                buckets[(mixer.mix(pattern(i)) >> 54) as usize] += 1;
            }
            // Four a bucket on average; a Poisson distribution has more than 20 once in 10^9 buckets.
            let worst = buckets.iter().max().copied().unwrap_or(0);
            assert!(worst <= 40, "{name}: {worst} keys in one bucket");
        }
    }
}
