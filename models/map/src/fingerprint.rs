//! The hash that stands for a state.

/// Packs small writes into words and mixes each word into two lanes.
#[derive(Default)]
pub struct Mix {
    word: u64,
    bytes: u32,
    lanes: [u64; 2],
}

impl Mix {
    fn word(&mut self, word: u64) {
        for (lane, factor) in self.lanes.iter_mut().zip([0x9e37_79b9_7f4a_7c15_u64, 0xd6e8_feb8_6659_fd93]) {
            let wide = u128::from(*lane ^ word ^ factor) * u128::from(factor);
            *lane = (wide as u64) ^ ((wide >> 64) as u64) ^ lane.rotate_left(23);
        }
    }

    /// The 128 bits.
    pub fn end(mut self) -> u128 {
        let (word, bytes) = (self.word, self.bytes);
        self.word(word);
        self.word(u64::from(bytes));
        u128::from(self.lanes[0]) << 64 | u128::from(self.lanes[1])
    }
}

impl std::hash::Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u8(b));
    }

    fn write_u8(&mut self, b: u8) {
        self.word = self.word << 8 | u64::from(b);
        self.bytes += 1;
        if self.bytes.is_multiple_of(8) {
            self.word(self.word);
        }
    }

    fn write_u16(&mut self, w: u16) {
        w.to_le_bytes().into_iter().for_each(|b| self.write_u8(b));
    }

    fn write_u32(&mut self, w: u32) {
        w.to_le_bytes().into_iter().for_each(|b| self.write_u8(b));
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.write_u8(discriminant as u8);
    }

    fn write_usize(&mut self, _length: usize) {
        // Lengths of arrays: always the same.
    }

    fn finish(&self) -> u64 {
        self.lanes[0]
    }
}
