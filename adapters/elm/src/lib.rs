//! The ELM adapter: European Learning Model v3 credentials.
