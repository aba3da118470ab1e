//! Engines made up for the purpose: what is run, foretold, skipped and said.
