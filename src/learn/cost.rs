//! What a learner's work costs by arithmetic, before it is done.

/// What a fit and the prediction of all test rows cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NominalCost {
    /// Wall time on the machine named in [`REFERENCE_MACHINE`], with the threads asked for.
    pub seconds: f64,
    /// Memory on top of the rows themselves.
    pub peak_bytes: u64,
}

/// Where the coefficients of nominal costs were measured.
pub const REFERENCE_MACHINE: &str = "two cores of an AMD Zen 5 at 4 GHz";
