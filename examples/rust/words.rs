//! Counts words from several threads: lines through a queue, counts in a map.
//!
//! ```text
//! cargo run --release --example words < README.md
//! ```

use std::io::{self, BufRead};
use std::ops::ControlFlow;
use std::thread;

use conex::{Map, Queue};

fn main() -> io::Result<()> {
    let lines = Queue::new();
    for line in io::stdin().lock().lines() {
        lines.push(line?);
    }

    let counts: Map<String, u64> = Map::new();
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // One session over all the counting: the map's operations need no pin of their own.
                let mut session = conex::Domain::default().enter();
                while let Some(line) = lines.pop() {
                    for word in line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
                        counts.fetch_add(word.to_lowercase(), 1);
                    }
                    session.refresh();
                }
            });
        }
    });

    let mut table = Vec::new();
    let _: ControlFlow<()> = counts.for_each(|word, &count| {
        table.push((count, word.clone()));
        ControlFlow::Continue(())
    });
    table.sort_unstable_by(|a, b| b.cmp(a));
    for (count, word) in table.iter().take(20) {
        println!("{count:8}  {word}");
    }
    Ok(())
}
