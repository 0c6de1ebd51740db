//! A pool of buffers that threads share: a stack, because the buffer that was used last is the one still in the cache.

use std::thread;

use conex::Stack;

const BUFFERS: usize = 4;

fn main() {
    let pool: Stack<Vec<u8>> = (0..BUFFERS).map(|_| Vec::with_capacity(4096)).collect();
    thread::scope(|scope| {
        for thread in 0..BUFFERS {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..1000 {
                    // As many buffers as threads, and each thread gives its own back: there is always one.
                    let mut buffer = pool.pop().expect("a free buffer");
                    buffer.clear();
                    buffer.extend_from_slice(format!("thread {thread}, round {round}").as_bytes());
                    pool.push(buffer);
                }
            });
        }
    });
    println!("{} buffers are back in the pool", pool.len());
}
