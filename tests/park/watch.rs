//! A watchdog: if the thread that it watches does not go on, it is the parked threads that it waits for, and they are let go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use crate::stop::Park;

struct Watched {
    park: Arc<[Park; 2]>,
    patience: Duration,
    barked: bool,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);
/// What the watched thread has got done, of all cases.
static DONE: AtomicU64 = AtomicU64::new(0);

/// Ends the watch when it is dropped.
pub(crate) struct Watch;

impl Watch {
    pub(crate) fn over(park: &Arc<[Park; 2]>, patience: Duration) -> Self {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| drop(thread::spawn(watch)));
        DONE.fetch_add(1, Ordering::SeqCst);
        *WATCHED.lock().unwrap() = Some(Watched { park: park.clone(), patience, barked: false });
        Self
    }

    /// Called after each thing done: whether it took too long, so that the parked threads were let go.
    pub(crate) fn barked(&self) -> bool {
        DONE.fetch_add(1, Ordering::SeqCst);
        WATCHED.lock().unwrap().as_ref().is_some_and(|watched| watched.barked)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *WATCHED.lock().unwrap() = None;
    }
}

fn watch() {
    let mut seen = 0;
    let mut since = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(50));
        let now = DONE.load(Ordering::SeqCst);
        if now != seen {
            seen = now;
            since = Instant::now();
        } else if let Some(watched) = WATCHED.lock().unwrap().as_mut()
            && since.elapsed() > watched.patience
        {
            watched.barked = true;
            watched.park.iter().for_each(Park::open);
            if since.elapsed() > watched.patience + Duration::from_secs(60) {
                eprintln!(
                    "what stood still does not go on either when the parked threads do: this is a hang"
                );
                std::process::abort();
            }
        }
    }
}
