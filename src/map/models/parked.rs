//! Tables that are unlinked and still named: none is retired under a reader, and none is forgotten.

use super::*;
use crate::map::parked::Parked;
use crate::map::table::{MIN_LOG2, Table};

/// A table that was parked because a slot named it is retired when that thread has moved on, by one side or the other.
#[test]
fn parked_tables_are_not_overlooked() {
    // In how many executions a table was parked. Not loom's own mutex.
    static PARKED: std::sync::Mutex<usize> = std::sync::Mutex::new(0);
    model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        let other = spawn_unpinned(&map, |map| {
            get_word(map, C);
            get_word(map, C);
            let lane = map.hazards.lane();
            // SAFETY: used here only.
            unsafe { map.table_by(&lane) }.log2()
        });
        assist(&map);
        let parked = map.parked().any();
        if other.join().unwrap() == 2 {
            assert!(!map.parked().any(), "nobody has used the old table since");
        }
        *PARKED.lock().unwrap() += usize::from(parked);
    });
    assert!(*PARKED.lock().unwrap() > 0, "else this tests nothing");
}

/// A sweep of the domain looks for parked tables while a reader moves on: it retires none under the reader, and the next one
/// finds what it has left.
#[test]
fn sweeps_beside_a_reader() {
    model(|| {
        let map = map();
        add_word(&map, C, 1);
        begin(&map, 1, 2);
        assist(&map);
        let reader = spawn_unpinned(&map, |map| {
            assert_eq!(get_word(map, C), Some(1));
            let lane = map.hazards.lane();
            // SAFETY: used here only.
            unsafe { map.table_by(&lane) }.log2()
        });
        assist(&map);
        map.limbo.domain().flush();
        if reader.join().unwrap() == 2 {
            map.limbo.domain().flush();
            assert!(!map.parked().any(), "nobody has used the old table since");
        }
    });
}

/// Two threads look through the list at once, one of them in a sweep: a table that the one puts back is not forgotten by
/// the other.
#[test]
fn a_sweep_beside_who_puts_a_table_back() {
    model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        // This thread's slot names the old table; another thread unlinks it.
        get_word(&map, C);
        let other = spawn_unpinned(&map, assist);
        map.limbo.domain().flush();
        other.join().unwrap();
        let lane = map.hazards.lane();
        // SAFETY: used here only.
        let moved_on = unsafe { map.table_by(&lane) }.log2() == 2;
        assert!(moved_on);
        map.limbo.domain().flush();
        assert!(!map.parked().any(), "nobody names it");
    });
}

/// A table is put back because a reader still named it, while that reader moves on: one of the two finds it.
#[test]
fn a_table_is_put_back_while_its_reader_moves_on() {
    model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        let named = Arc::new(loom::sync::Notify::new());
        let reader = {
            let named = named.clone();
            spawn_unpinned(&map, move |map| {
                get_word(map, C);
                // Its slot names the old table now. The other thread goes on first: see the text of the models.
                named.notify();
                thread::yield_now();
                let lane = map.hazards.lane();
                // SAFETY: used here only.
                unsafe { map.table_by(&lane) }.log2() == 2
            })
        };
        named.wait();
        assist(&map);
        let moved_on = reader.join().unwrap();
        assert!(!(moved_on && map.parked().any()), "nobody names it");
    });
}

/// Every table of a list is taken with it, once.
#[test]
fn parked_tables_are_taken_with_their_list() {
    model(|| {
        let parked = Arc::new(Parked::new());
        let other = {
            let parked = parked.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    // SAFETY: made just now: nobody names it, and it is in no list.
                    unsafe { parked.put(Table::new(&Allocator::process(), MIN_LOG2).unwrap()) };
                }
            })
        };
        let mut taken = 0;
        let mut take = || {
            parked.take(|table| {
                taken += 1;
                // SAFETY: taken, and nobody names it.
                unsafe { Table::release(table.as_ptr(), &Allocator::process()) };
            });
        };
        take();
        other.join().unwrap();
        take();
        assert_eq!((taken, parked.any()), (2, false));
    });
}
