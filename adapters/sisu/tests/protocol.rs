//! Pull and delivery against the simulated Sisu.
