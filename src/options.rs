//! What all containers can be told when they are made.

use crate::mem::{Allocator, NoMemory};
use crate::reclaim::Domain;

/// Where a container's memory comes from, and on whose clock it is reclaimed.
///
/// ```
/// use conex::{Domain, Options, Stack};
///
/// let domain = Domain::new()?;
/// let stack = Stack::<u64>::with_options(&Options::new().domain(&domain))?;
/// # Ok::<(), conex::NoMemory>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    domain: Option<Domain>,
    allocator: Allocator,
}

impl Options {
    /// The default domain and the process allocator.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses the clock of `domain`.
    #[must_use]
    pub fn domain(mut self, domain: &Domain) -> Self {
        self.domain = Some(domain.clone());
        self
    }

    /// Takes the memory from `allocator`.
    #[must_use]
    pub fn allocator(mut self, allocator: Allocator) -> Self {
        self.allocator = allocator;
        self
    }

    pub(crate) fn resolve(&self) -> Result<(Domain, Allocator), NoMemory> {
        let domain = match &self.domain {
            Some(domain) => domain.clone(),
            #[cfg(not(loom))]
            None => Domain::try_default()?,
            #[cfg(loom)]
            None => panic!("a model names its domain"),
        };
        Ok((domain, self.allocator))
    }
}
