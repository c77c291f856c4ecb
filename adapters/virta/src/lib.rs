//! The VIRTA adapter: Finland's national store of higher-education study records.
