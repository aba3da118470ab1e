//! Structure of the graphs written.
