//! The stack: last in, first out, for any number of threads.
//!
//! This module is also the tutorial of the code base: it has every device that the other containers use, once and
//! small. Read it with `reclaim` at hand.
//!
//! # Problem
//!
//! A linked stack is a pointer to its top node. To push, make a node that points at the old top and put it in the old
//! top's place; to pop, put the top's successor in its place. Both are one compare-and-swap on one word, repeated when
//! another thread came first (Treiber 1986). Two things make it difficult:
//!
//! - *Use after free*: a thread that has read the top and is about to read its `next` may find that another thread has
//!   popped and freed the node.
//! - *ABA*: a thread reads top `A` and its successor `B`, sleeps, and wakes when `A` was popped, `B` was popped, and `A`
//!   was pushed again. Its exchange `A → B` succeeds and brings back a node that is gone.
//!
//! Both disappear when a popped node is neither freed nor used again while a thread that might have read it is still at
//! work. That is what [`reclaim`](crate::reclaim) is for: an operation *pins*, and a popped node is *retired*.
//!
//! # Shape
//!
//! ```text
//!  head ──► Node { link.next ─┐ depth 3 | payload }         one node an element, the payload inline
//!            ┌────────────────┘
//!            └► Node { link.next ─┐ depth 2 | payload }
//!                ┌────────────────┘
//!                └► Node { link.next = null, depth 1 | payload }
//! ```
//!
//! `depth` makes the length one load: it is written while the node is private, for the node it will stand on, and the
//! exchange that publishes the node makes it true.
//!
//! # Invariants
//!
//! 1. A node that can be reached from `head` is not written to.
//! 2. A node leaves the stack by exactly one successful exchange, whose thread owns it from then on: moves the element
//!    out and retires the node.
//! 3. A node that left does not come back before every pin of that time has ended.
//!
//! # Linearization points
//!
//! | operation | takes effect at |
//! |---|---|
//! | `push`, `push_n` | the successful exchange of `head` (1) |
//! | `pop`, `pop_n` | the successful exchange of `head` (3); empty: the load of a null `head` (2) |
//! | `pop_all` | the swap of `head` (4) |
//! | `len`, `is_empty` | the load of `head` |
//!
//! The exchange of `pop_n` takes the whole walk at once: by invariant 3 an unchanged head means that nothing below it
//! changed either.
//!
//! # Ordering pairs
//!
//! - (1) the Release exchange of a push → (2) the Acquire load of `head` by a pop, a push (for the depth) or `len`, and
//!   → (4) the Acquire swap of `pop_all`. The reader of a node sees its payload, depth and link as the pusher wrote them.
//! - (1) → (3) → (2): a pop's exchange continues the release sequence of the pushes before it, being a
//!   read-modify-write of the same word, so that who reads the node it left on top sees that node's push as well; its
//!   own AcqRel makes the same true on paper without the release-sequence rule.
//! - the Release store of a retired node's link (pair (7) of the limbo) → (5) the Acquire load of a link by a walk: a
//!   walk that strayed into a limbo finds the head changed and follows the link no further.
//! - retire → dispose: in [`reclaim`](crate::reclaim).
//!
//! # Progress
//!
//! Lock-free: an exchange fails only because another one succeeded. The back-off between tries is a bounded number of
//! pause instructions. `is_empty` is wait-free; so is `len` but for its pin, which now and then collects. Pushes allocate,
//! so they are as lock-free as the allocator.
//!
//! # Reclamation
//!
//! Popped nodes go to the stack's [`Limbo`](crate::reclaim), elements go to the popper at once: no destructor of an
//! element is ever delayed. A stalled pin holds back the nodes that are popped meanwhile.
//!
//! # References
//!
//! R. K. Treiber, *Systems programming: coping with parallelism*, IBM RJ 5118, 1986. D. Hendler, N. Shavit,
//! L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004 (on what limits this one).

mod cache;
mod chunk;
mod depot;
mod raw;

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

pub(crate) use raw::RawStack;

use crate::mem::{NoMemory, Typed};
use crate::options::Options;

/// A lock-free stack of `T`, shared by any number of threads.
///
/// ```
/// let stack = conex::Stack::new();
/// stack.push(1);
/// stack.push(2);
/// assert_eq!(stack.pop(), Some(2));
/// assert_eq!(stack.pop(), Some(1));
/// assert_eq!(stack.pop(), None);
/// ```
pub struct Stack<T> {
    raw: RawStack<Typed<T>>,
    elements: PhantomData<T>,
}

// SAFETY: a stack hands elements from thread to thread by value and never lends them, so `T: Send` is enough.
unsafe impl<T: Send> Send for Stack<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Stack<T> {}

impl<T> Stack<T> {
    /// An empty stack in the default domain.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Stack::with_options`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(&Options::new()).expect("no memory for a stack")
    }

    /// An empty stack as `options` say.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_options(options: &Options) -> Result<Self, NoMemory> {
        Ok(Self { raw: RawStack::new(Typed::new(), options)?, elements: PhantomData })
    }

    /// Puts `element` on top.
    ///
    /// Progress: lock-free if the allocator is. Allocates one node.
    ///
    /// # Panics
    /// If there is no memory for the node; see [`Stack::try_push`].
    pub fn push(&self, element: T) {
        assert!(self.try_push(element).is_ok(), "no memory for a stack's node");
    }

    /// Puts `element` on top, or gives it back if there is no memory.
    ///
    /// Progress: lock-free if the allocator is. Allocates one node.
    ///
    /// # Errors
    /// The element, if there is no memory for its node.
    pub fn try_push(&self, element: T) -> Result<(), T> {
        let element = MaybeUninit::new(element);
        // SAFETY: readable; after a success its bytes belong to the stack, and `MaybeUninit` does not drop them.
        match unsafe { self.raw.push(element.as_ptr().cast()) } {
            Ok(()) => Ok(()),
            // SAFETY: initialised above, and the failed push did not take it.
            Err(NoMemory) => Err(unsafe { element.assume_init() }),
        }
    }

    /// Puts all `elements` on the stack in one atomic step; the last of them ends on top.
    ///
    /// Progress: lock-free if the allocator is. Allocates one node an element.
    ///
    /// # Errors
    /// The elements, if there is no memory for all of their nodes.
    pub fn push_n(&self, mut elements: Vec<T>) -> Result<(), Vec<T>> {
        // SAFETY: readable for `len` elements.
        match unsafe { self.raw.push_n(elements.as_ptr().cast(), elements.len()) } {
            Ok(()) => {
                // SAFETY: their bytes belong to the stack now; the vector keeps its buffer and no element.
                unsafe { elements.set_len(0) };
                Ok(())
            }
            Err(NoMemory) => Err(elements),
        }
    }

    /// Takes the top element.
    ///
    /// Progress: lock-free. Allocates for the bookkeeping of the reclamation only.
    pub fn pop(&self) -> Option<T> {
        let mut element = MaybeUninit::<T>::uninit();
        // SAFETY: writable for one element.
        let popped = unsafe { self.raw.pop(element.as_mut_ptr().cast()) };
        // SAFETY: written by a successful pop, which made it ours.
        popped.then(|| unsafe { element.assume_init() })
    }

    /// Takes up to `n` elements in one atomic step and appends them to `to`, the top one first. Returns how many.
    ///
    /// Progress: lock-free. Reserves room in `to` before the step.
    pub fn pop_n(&self, n: usize, to: &mut Vec<T>) -> usize {
        let at = to.len();
        let room = |len: usize| {
            to.reserve(len);
            to.spare_capacity_mut().as_mut_ptr().cast()
        };
        // SAFETY: room for as many as there are.
        let popped = unsafe { self.raw.pop_n(n, room) };
        // SAFETY: that many were written, behind the old ones.
        unsafe { to.set_len(at + popped) };
        popped
    }

    /// Takes everything in one atomic step and gives it to `take`, from the top down, on this thread. Returns how many
    /// there were. If `take` panics, the remaining elements are dropped.
    ///
    /// Progress: the step is wait-free; then one call of `take` an element. Allocates for the bookkeeping of the
    /// reclamation only.
    pub fn pop_all(&self, mut take: impl FnMut(T)) -> usize {
        self.raw.pop_all(
            // SAFETY: the element's bytes are the callback's, which reads them once.
            |element| take(unsafe { element.cast::<T>().read() }),
            // SAFETY: as above.
            |element| unsafe { element.cast::<T>().drop_in_place() },
        )
    }

    /// How many elements there were at a moment during the call.
    ///
    /// Progress: lock-free, because it pins; one load then.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the stack was empty at a moment during the call.
    ///
    /// Progress: wait-free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        self.pop_all(drop);
    }
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<T> for Stack<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

impl<T> FromIterator<T> for Stack<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut stack = Self::new();
        stack.extend(elements);
        stack
    }
}

impl<T> fmt::Debug for Stack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("len", &self.len()).finish_non_exhaustive()
    }
}
