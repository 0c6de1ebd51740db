//! The number of entries, counted by each thread for itself, so that counting is a load and a store.
//!
//! Each thread has a cell, by the number that its record in the domain has: no two threads that live have the same, and
//! who gets a record after another thread sees the cell as that one left it. So a cell has one writer at a time. The first
//! cells are in the map; more are added in chunks when threads with larger numbers come, and a thread for whose cell there
//! is no memory adds to a shared one.
//!
//! A cell holds a difference that may be negative; only the sum of all means something. It is exact while no operation is
//! under way, and an estimate otherwise. Orderings are Relaxed, but for the publication of chunks: the numbers decide when
//! to resize and what to report, never what memory is safe to touch.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::mem::Allocator;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// Cells in the map itself.
pub(super) const NEAR: usize = if cfg!(any(loom, miri)) { 4 } else { 16 };
/// Chunks of further cells, each as large as all before it together.
const CHUNKS: usize = 12;

/// What one thread has counted.
#[repr(align(64))]
struct Cell {
    entries: AtomicUsize,
    bytes: AtomicUsize,
    ticks: AtomicUsize,
}

impl Cell {
    fn new() -> Self {
        Self { entries: AtomicUsize::new(0), bytes: AtomicUsize::new(0), ticks: AtomicUsize::new(0) }
    }
}

/// See the module's text.
pub(super) struct Count {
    near: [Cell; NEAR],
    far: [AtomicPtr<Cell>; CHUNKS],
    /// For those who have none.
    shared: Cell,
}

/// Adds to a word that only the calling thread writes, or that may lose an addition.
#[inline(always)]
fn add(word: &AtomicUsize, by: isize) -> usize {
    // Relaxed, both: see the module's text.
    let sum = word.load(Ordering::Relaxed).wrapping_add_signed(by);
    word.store(sum, Ordering::Relaxed);
    sum
}

/// Which chunk the cell of a thread is in, where there, and how large the chunk is.
fn place(index: usize) -> (usize, usize, usize) {
    let chunk = (index / NEAR).ilog2() as usize;
    let len = NEAR << chunk;
    (chunk, index - len, len)
}

fn layout(len: usize) -> Layout {
    Layout::array::<Cell>(len).expect("a chunk is small")
}

impl Count {
    pub(super) fn new() -> Self {
        Self {
            near: core::array::from_fn(|_| Cell::new()),
            far: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            shared: Cell::new(),
        }
    }

    /// Counts `by` more entries for the calling thread, whose number is `index`; the result is its new difference, a source
    /// of "from time to time". May run the allocator's hook, the first time.
    #[inline(always)]
    pub(super) fn add(&self, allocator: &Allocator, index: usize, by: isize) -> usize {
        match self.near.get(index) {
            Some(cell) => add(&cell.entries, by),
            None => self.add_far(allocator, index, by, 0),
        }
    }

    /// Counts `by` more bytes of nodes and entries. May run the allocator's hook, the first time.
    #[inline]
    pub(super) fn add_bytes(&self, allocator: &Allocator, index: usize, by: isize) {
        match self.near.get(index) {
            Some(cell) => add(&cell.bytes, by),
            None => self.add_far(allocator, index, 0, by),
        };
    }

    /// Counts what is done from time to time only: roughly, as threads beyond the near ones share the count of one of these.
    #[inline]
    pub(super) fn tick(&self, index: usize) -> usize {
        add(&self.near[index % NEAR].ticks, 1)
    }

    #[cold]
    fn add_far(&self, allocator: &Allocator, index: usize, entries: isize, bytes: isize) -> usize {
        if let Some(cell) = self.far(allocator, index) {
            add(&cell.bytes, bytes);
            return add(&cell.entries, entries);
        }
        // Relaxed, both: see the module's text.
        self.shared.bytes.fetch_add(bytes.cast_unsigned(), Ordering::Relaxed);
        let entries = entries.cast_unsigned();
        // Relaxed: as above.
        self.shared.entries.fetch_add(entries, Ordering::Relaxed).wrapping_add(entries)
    }

    /// The cell of a thread beyond the near ones; `None`: there is no memory for it.
    fn far(&self, allocator: &Allocator, index: usize) -> Option<&Cell> {
        let (chunk, at, len) = place(index);
        let place = self.far.get(chunk)?;
        // (7) Acquire: the cells as they were made.
        let mut cells = place.load(Ordering::Acquire);
        if cells.is_null() {
            cells = Self::put(place, allocator, len)?.as_ptr();
        }
        // SAFETY: a chunk has `len` cells, and `at` is below that.
        let cell = unsafe { cells.add(at) };
        // SAFETY: made before the chunk was published, and freed with the map only.
        Some(unsafe { &*cell })
    }

    /// Makes a chunk, or finds that another thread was faster.
    fn put(place: &AtomicPtr<Cell>, allocator: &Allocator, len: usize) -> Option<NonNull<Cell>> {
        let fresh = allocator.allocate(layout(len)).ok()?.cast::<Cell>();
        for index in 0..len {
            // SAFETY: in bounds.
            let cell = unsafe { fresh.add(index) };
            // SAFETY: fresh memory, aligned as the layout is.
            unsafe { cell.write(Cell::new()) };
        }
        // (7) Release publishes the cells. Acquire on failure: those of the other thread.
        match place.compare_exchange(ptr::null_mut(), fresh.as_ptr(), Ordering::Release, Ordering::Acquire) {
            Ok(_) => Some(fresh),
            Err(theirs) => {
                // SAFETY: made just now, seen by nobody; atomics need no drop.
                unsafe { allocator.release(fresh.cast(), layout(len)) };
                NonNull::new(theirs)
            }
        }
    }

    /// Gives the chunks back.
    ///
    /// # Safety
    /// Nobody counts any more, and this is the last call.
    pub(super) unsafe fn free(&self, allocator: &Allocator) {
        for (chunk, place) in self.far.iter().enumerate() {
            // Relaxed: whoever ended the use of the map synchronised with all threads.
            if let Some(cells) = NonNull::new(place.load(Ordering::Relaxed)) {
                // SAFETY: made by `put` with this layout; nobody uses it any more.
                unsafe { allocator.release(cells.cast(), layout(NEAR << chunk)) };
            }
        }
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        let far = self.far.iter().enumerate().flat_map(|(chunk, place)| {
            // (7) Acquire: as in `far`.
            let cells = place.load(Ordering::Acquire).cast_const();
            let len = if cells.is_null() { 0 } else { NEAR << chunk };
            // SAFETY: in bounds of the chunk.
            (0..len).map(move |index| unsafe { cells.add(index) })
        });
        // SAFETY: as in `far`.
        self.near.iter().chain(far.map(|cell| unsafe { &*cell })).chain([&self.shared])
    }

    pub(super) fn entries(&self) -> usize {
        // Relaxed: see the module's text.
        total(self.cells().map(|cell| cell.entries.load(Ordering::Relaxed)))
    }

    pub(super) fn bytes(&self) -> usize {
        // Relaxed: see the module's text.
        total(self.cells().map(|cell| cell.bytes.load(Ordering::Relaxed)))
    }
}

/// The sum, or 0 when the additions and subtractions of running operations were seen in an order that makes it negative.
fn total(cells: impl Iterator<Item = usize>) -> usize {
    let sum = cells.fold(0_usize, usize::wrapping_add);
    if sum > usize::MAX / 2 { 0 } else { sum }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_thread_has_a_cell_of_its_own() {
        let mut next = NEAR;
        for chunk in 0..CHUNKS {
            let len = NEAR << chunk;
            for at in [0, 1, len - 1] {
                assert_eq!(place(next + at), (chunk, at, len));
            }
            next += len;
        }
    }

    #[test]
    fn far_cells_count_like_near_ones() {
        let allocator = Allocator::process();
        let count = Count::new();
        for index in [0, 1, NEAR - 1, NEAR, 3 * NEAR, 100 * NEAR, NEAR << CHUNKS] {
            assert_eq!(count.add(&allocator, index, 5), 5);
            count.add_bytes(&allocator, index, 100);
            assert_eq!(count.add(&allocator, index, -2), 3);
        }
        assert_eq!((count.entries(), count.bytes()), (7 * 3, 700));
        // SAFETY: the last call.
        unsafe { count.free(&allocator) };
    }
}
