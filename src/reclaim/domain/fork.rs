//! The child of `fork`: domains begin anew there.
//!
//! # Problem
//!
//! The child has the thread that forked, and of the others nothing but what they left in memory: pins that never end, hazards
//! that nobody clears, chains that were being disposed of, counts of work that is under way. The containers can live with
//! that, as with threads that are suspended for ever. But a domain would never free anything again: its clock waits for every
//! pin, its barrier for all work, the end of a container for those who are inside.
//!
//! # What is done
//!
//! `pthread_atfork` calls [`in_child`] in the child before `fork` returns there. It is the only thread, so it can look at
//! everything and change it, without order and without a lock; and what other threads did halfway is as consistent as a
//! lock-free structure is at every instruction. In every domain that had other members:
//!
//! - **A new era.** The collector is left behind, with its registrations and deferred calls: nothing of it is touched any
//!   more, for a thread may have been in the middle of it. The first thread that comes makes a new one.
//! - **Thread records** of the others are given back, and protect nothing. They get new numbers, because what a stack keeps
//!   for a number may be half changed.
//! - **Sealed chains** whose grace period the old collector had are put among the ready ones with the mark that it is to be
//!   asked for again ([`AGAIN`](super::super::limbo)). Those whose grace period is over stay ready.
//! - **Counts** of threads that are inside, of marks, and of what is under way begin with what is really there: what lies
//!   among the ready chains, and what the forking thread itself is in the middle of, if it forks in a destructor.
//! - **All limbos** go on the dirty list.
//!
//! The forking thread keeps its own record and its hazards. If it has a pin of the old era (a session, or the operation
//! whose callback forks), that goes on protecting what it did, although the new collector knows nothing of it: as long as
//! it lasts, the domain is *held*. Nothing is sealed and nothing disposed of meanwhile, in the whole domain. The thread lets
//! go at its next operation after the pin's end, for which it looks its handle up anew each time.
//!
//! # What is lost
//!
//! What a vanished thread had in its hands: the block that it was about to retire, the chain or the share that it was
//! disposing of, free nodes that it had taken. The collector: about 2 KiB for each registration and for each batch of deferred
//! calls. If a vanished thread was inside a limbo, that one's own memory. All of this for each vanished thread, once.
//!
//! A user's hazard pointer may be anybody's, so those that vanished threads had go on protecting what they protected.
//!
//! # What the handler does
//!
//! It reads and writes memory of the library and thread-local storage. It allocates nothing, takes no lock, and makes no
//! system call, so it needs nothing that POSIX does not allow in the child of a process with threads. It is not called by
//! `vfork`, `posix_spawn` and `_Fork`, nor by a bare `clone`. The shared library is never unmapped (see `build.rs`); if a
//! plug-in contains the static one, glibc forgets the handler when the plug-in is closed.

use core::ptr;

use super::{Core, Shared};
use crate::mem::{NoMemory, Once, Roll};
use crate::reclaim::limbo::{Bins, Disposing};
use crate::reclaim::thread::{self, ThreadRecord};
use crate::sync::{AtomicBool, Ordering};

/// All domains of the process.
static DOMAINS: Roll<Core> = Roll::new();

/// Sees to it that [`in_child`] will be called.
fn watch() -> Result<(), NoMemory> {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    // Acquire: pairs with the Release below.
    if !WATCHED.load(Ordering::Acquire) {
        // SAFETY: a function that lives as long as the library. Two threads may both do it: the handler may run twice.
        if unsafe { libc::pthread_atfork(None, None, Some(in_child)) } != 0 {
            return Err(NoMemory);
        }
        // Release: the handler is there.
        WATCHED.store(true, Ordering::Release);
    }
    Ok(())
}

/// Called in the child, by its only thread.
extern "C" fn in_child() {
    let mut begun = false;
    // SAFETY: there is no other thread.
    let begin = |core: &Core| begun |= unsafe { core.shared.after_fork(&core.collector) };
    // SAFETY: as above, and domains of the roll are alive.
    unsafe { DOMAINS.each(begin) };
    if begun {
        thread::forget_last();
    }
}

impl Core {
    /// Enters a domain that is complete.
    pub(super) fn enlist(&self) -> Result<(), NoMemory> {
        watch()?;
        self.entry.set(DOMAINS.enlist(self)?);
        Ok(())
    }

    pub(super) fn strike(&self) {
        let entry = self.entry.replace(ptr::null());
        if !entry.is_null() {
            // SAFETY: from `enlist`, struck once.
            unsafe { DOMAINS.strike(entry) };
        }
    }
}

impl Shared {
    /// Begins a new era, if there were other members. Says whether.
    ///
    /// # Safety
    /// There is no other thread.
    unsafe fn after_fork(&self, collector: &Once<crossbeam_epoch::Collector>) -> bool {
        let me = thread::id();
        // Relaxed: nobody else is there. So below, throughout.
        let owner = |record: &ThreadRecord| record.owner.load(Ordering::Relaxed);
        let taken = || self.threads.iter().filter(|record| record.is_taken());
        if taken().all(|record| owner(&record.value) == me) {
            return false;
        }
        let mine = || taken().filter(|record| owner(&record.value) == me);
        let pinned = mine().next().is_some() && thread::is_pinned(self);
        // SAFETY: the caller's promise.
        unsafe { self.begin_era(pinned.then_some(me)) };
        // Not freed: threads were in the middle of it.
        collector.take();

        // What this thread has retired so far stays counted in its record, as what the others have.
        for record in taken().filter(|record| owner(&record.value) != me) {
            // SAFETY: the caller's promise.
            unsafe { self.threads.renumber(record) };
            record.value.vanish();
            thread::give_back(record);
        }

        let mut under_way = [0; 2];
        for disposing in Disposing::of_this_thread().filter(|disposing| disposing.is_of(self)) {
            under_way[disposing.phase()] += 1;
        }
        // SAFETY: the caller's promise.
        let ready = unsafe { self.ready.renew() };
        let (mut objects, mut bytes) = (0, 0);
        let put_in_order = |bins: &Bins| {
            // SAFETY: the caller's promise.
            let (more, larger) = unsafe { bins.after_fork(ready) };
            objects += more;
            bytes += larger;
        };
        // SAFETY: as above; the roll's limbos are alive.
        unsafe { self.limbos.each(put_in_order) };
        // SAFETY: the caller's promise.
        unsafe { self.ready.each(|slot| under_way[slot.leave_fork()] += 1) };
        // SAFETY: as above.
        unsafe { self.phases.begin_with(under_way) };
        // SAFETY: as above.
        unsafe { self.marks.begin_with([0; 2]) };
        // SAFETY: as above.
        unsafe { self.renew_dirty() };
        // If this thread is in the middle of a scan, its chain is where nobody sees it.
        if !mine().any(|record| record.value.collecting.load(Ordering::Relaxed)) {
            // SAFETY: as above.
            let (more, larger) = unsafe { self.hazards.after_fork() };
            objects += more;
            bytes += larger;
            // What vanished is not pending.
            let retired = self.retired();
            self.disposed_objects.store(retired.0.wrapping_sub(objects as usize), Ordering::Relaxed);
            self.disposed_bytes.store(retired.1.wrapping_sub(bytes as usize), Ordering::Relaxed);
        }
        true
    }
}
