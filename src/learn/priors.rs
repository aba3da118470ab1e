//! What classes are held to be before a sample is seen.

use super::ParamError;
use super::moments::Count;

/// Prior probabilities of classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Priors {
    /// Each class's share of the weight of the samples.
    Empirical,
    /// The same for every class that occurs.
    Uniform,
    /// By label, not below 0; scaled to sum to 1 over the classes that occur.
    PerClass(Vec<f64>),
}

impl Priors {
    pub(super) fn check(&self) -> Result<(), ParamError> {
        let Priors::PerClass(priors) = self else { return Ok(()) };
        let bad = priors.iter().find(|prior| !(prior.is_finite() && **prior >= 0.0));
        match bad {
            Some(bad) => Err(ParamError::new("priors", "finite numbers not below 0", bad)),
            None => Ok(()),
        }
    }

    /// Logarithms of the priors of `classes`, given what each of them counts for.
    pub(super) fn logarithms(
        &self,
        classes: &[usize],
        counts: &[Count],
    ) -> Result<Vec<f64>, ParamError> {
        let shares: Vec<f64> = match self {
            Priors::Empirical => counts.iter().map(|count| count.weight).collect(),
            Priors::Uniform => vec![1.0; classes.len()],
            Priors::PerClass(priors) => {
                let of = |&class: &usize| {
                    priors.get(class).copied().ok_or_else(|| {
                        let expected = format!("a prior for each of {} labels", class + 1);
                        ParamError::new("priors", expected, priors.len())
                    })
                };
                classes.iter().map(of).collect::<Result<_, _>>()?
            }
        };
        let total: f64 = shares.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(ParamError::new("priors", "above 0 for a class that occurs", total));
        }
        Ok(shares.iter().map(|share| (share / total).ln()).collect())
    }
}
