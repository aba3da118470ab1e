//! Behaviour of the whole classifier on small data.
