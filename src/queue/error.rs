//! Why a pop that waits has no element.

use core::fmt;

use super::Nothing;

/// Why a pop that waits came back without an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// The time was up, and the queue empty.
    TimedOut,
    /// The queue is closed, and empty for ever.
    Closed,
}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the time was up before there was an element",
            Self::Closed => "the queue is closed and empty",
        })
    }
}

impl std::error::Error for PopError {}

impl From<Nothing> for PopError {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Closed => Self::Closed,
            Nothing::Empty | Nothing::TimedOut => Self::TimedOut,
        }
    }
}
