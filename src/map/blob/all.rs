//! Operations on all entries: they are visited region by region, and those that nobody wants are removed.

use core::ops::ControlFlow;

use super::shape::BlobShape;
use super::target::Target;
use super::{BlobMap, Done, Elements, Inner, key_of, value_in};
use crate::map::entry::{EntryMap, Intent};
use crate::map::keyed::Keys;

impl<T: Elements> BlobMap<T> {
    /// Calls `visit` with the entries of one region, from `first` on; see [`Engine::region`]. Returns where the next one
    /// begins, and how many entries this one had.
    pub(crate) fn visit_region<B>(
        &self,
        first: u64,
        mut visit: impl FnMut(&[u8], *const u8) -> ControlFlow<B>,
    ) -> ControlFlow<B, (Option<u64>, usize)> {
        let mut visited = 0;
        let next = match &self.inner {
            Inner::Words(map) => {
                let pinned = map.words.engine.pin();
                let region = map.words.engine.region(&pinned, first);
                region.try_for_each(map.words.engine.codec(), |pair| {
                    visited += 1;
                    let key = map.words.engine.codec().mixer.unmix(pair.key);
                    visit(map.key_bytes(&key), value_in(&pair))
                })?;
                region.next()
            }
            Inner::Keyed(map) => {
                let pinned = map.engine.pin();
                let region = map.engine.region(&pinned, first);
                region.try_for_each(map.engine.codec(), |pair| {
                    visited += 1;
                    let entry = Keys::<BlobShape<T>>::entry_of(pair.key);
                    // SAFETY: readable under the pin.
                    visit(unsafe { key_of(map.entries(), entry) }, value_in(&pair))
                })?;
                region.next()
            }
            Inner::Entries(map) => {
                let pinned = map.engine.pin();
                let region = map.engine.region(&pinned, first);
                region.try_for_each(map.entries(), |pair| {
                    visited += 1;
                    let entry = EntryMap::<BlobShape<T>>::entry(pair);
                    // SAFETY: readable under the pin.
                    let key = unsafe { key_of(map.entries(), entry) };
                    // SAFETY: readable under the pin.
                    visit(key, unsafe { map.entries().value_of(entry) })
                })?;
                region.next()
            }
        };
        ControlFlow::Continue((next, visited))
    }

    /// Calls `visit` with the entries of some regions, from `first` on, under one pin. Returns where the next one begins.
    pub(crate) fn visit_some<B>(
        &self,
        first: u64,
        mut visit: impl FnMut(&[u8], *const u8) -> ControlFlow<B>,
    ) -> ControlFlow<B, Option<u64>> {
        match &self.inner {
            Inner::Words(map) => {
                let mixer = map.words.mixer;
                map.words.engine.run_of_regions(first, |pair| {
                    let key = mixer.unmix(pair.key);
                    visit(map.key_bytes(&key), value_in(&pair))
                })
            }
            Inner::Keyed(map) => map.engine.run_of_regions(first, |pair| {
                let entry = Keys::<BlobShape<T>>::entry_of(pair.key);
                // SAFETY: readable under the pin.
                visit(unsafe { key_of(map.entries(), entry) }, value_in(&pair))
            }),
            Inner::Entries(map) => map.engine.run_of_regions(first, |pair| {
                let entry = EntryMap::<BlobShape<T>>::entry(pair);
                // SAFETY: readable under the pin.
                let key = unsafe { key_of(map.entries(), entry) };
                // SAFETY: readable under the pin.
                visit(key, unsafe { map.entries().value_of(entry) })
            }),
        }
    }

    /// Removes the entries for which `keep` is false, each only if its value is still the one that `keep` saw; otherwise
    /// `keep` is asked again. Returns how many there were, and the error that ended it early.
    pub(crate) fn retain(
        &self,
        mut keep: impl FnMut(&[u8], *const u8) -> Result<bool, T::Error>,
    ) -> (usize, Result<(), T::Error>) {
        let mut removed = 0;
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let region = self.visit_region(at, |key, seen| {
                let result = (|| {
                    if keep(key, seen)? {
                        return Ok(());
                    }
                    let plan = |old: Option<*const u8>, _: &mut Target<'_, '_, T>| match old {
                        None => Ok(Intent::Keep),
                        Some(now) if self.is_same(now, seen) => Ok(Intent::Remove),
                        Some(now) => Ok(if keep(key, now)? { Intent::Keep } else { Intent::Remove }),
                    };
                    removed +=
                        self.change(key, plan, |done| usize::from(matches!(done, Done::Removed(_))))?;
                    Ok(())
                })();
                match result {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => ControlFlow::Break(error),
                }
            });
            match region {
                ControlFlow::Continue((next, _)) => cursor = next,
                ControlFlow::Break(error) => return (removed, Err(error)),
            }
        }
        (removed, Ok(()))
    }

    /// Whether two values that were shown under one pin are one: the same entry, or equal words.
    fn is_same(&self, a: *const u8, b: *const u8) -> bool {
        match &self.inner {
            Inner::Words(_) | Inner::Keyed(_) => {
                // SAFETY: it points to a word, of a callback that is still running.
                let a = unsafe { a.cast::<u64>().read() };
                // SAFETY: as above.
                a == unsafe { b.cast::<u64>().read() }
            }
            Inner::Entries(_) => core::ptr::eq(a, b),
        }
    }
}
