//! Estimation of means and covariances, and the discriminant functions that follow from them.

use ndarray::{Array1, Array2, Axis};

use super::model::{Discriminant, Functions, Report};
use super::params::{Covariance, DiscriminantValidParams};
use crate::data::{Features, TableShape};
use crate::learn::input::{Checked, check_samples};
use crate::learn::linalg::product;
use crate::learn::map_rows::stop_if;
use crate::learn::moments::{Count, Grouped, Moments, Variances, overall_mean, square};
use crate::learn::whitening::{Singular, Whitening, deviations, shrink};
use crate::learn::{Classifier, InputError, LearnError, Learner, NominalCost, Samples};
use crate::progress::{Part, Progress};

/// Multiplications a second of the sums behind a covariance, on one core: of bytes, of floats.
const PRODUCTS_PER_SECOND: (f64, f64) = (2.5e11, 4e10);

impl Learner for DiscriminantValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let (n, p) = (shape.n_train as f64, shape.n_features as f64);
        let c = shape.n_classes as f64;
        let speed = if shape.is_bytes { PRODUCTS_PER_SECOND.0 } else { PRODUCTS_PER_SECOND.1 };
        let (sums, solve, predict) = match self.covariance {
            Covariance::Spherical => (0.0, 0.0, p * c),
            Covariance::Shared => (p * p / 2.0, p * p * p, p * c),
            Covariance::PerClass => (p * p / 2.0, p * p * p * c, p * p * c),
        };
        let seconds = (n * sums / speed + shape.n_test as f64 * predict / PRODUCTS_PER_SECOND.1)
            / n_threads as f64
            + n * p / 2e9
            + solve / PRODUCTS_PER_SECOND.1;
        Some(NominalCost { seconds, peak_bytes: (8.0 * p * p * (4.0 + n_threads as f64)) as u64 })
    }
}

impl DiscriminantValidParams {
    /// Fits the classifier.
    ///
    /// # Errors
    /// Samples that cannot be fitted, a class of one sample for a covariance of its own, no variation
    /// within the classes, priors that do not cover the labels, or an interruption.
    ///
    /// # Cost
    /// `n_features^2 / 2` multiplications a row (exact integers for bytes without weights) and
    /// `n_features^3`; for each class if its covariance is its own. Spherical: one pass.
    pub(super) fn fit_model(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Discriminant, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let classes: Vec<usize> =
            (0..checked.n_classes).filter(|&class| checked.is_present[class]).collect();
        let rows = Grouped {
            features: &checked.features,
            groups: Some(samples.labels),
            n_groups: checked.n_classes,
            weights: samples.weights,
        };
        let n_counting = samples.weights.map_or(samples.labels.len(), |weights| {
            weights.iter().filter(|&&weight| weight > 0.0).count()
        });
        if n_counting <= classes.len() {
            let what = format!("a covariance within {} classes", classes.len());
            let needed = classes.len() + 1;
            return Err(InputError::TooFewSamples { what, needed, found: n_counting }.into());
        }
        match self.covariance {
            Covariance::Spherical => self.fit_spherical(rows, classes, progress),
            Covariance::Shared => self.fit_shared(rows, classes, progress),
            Covariance::PerClass => self.fit_per_class(&checked, samples, classes, progress),
        }
    }

    fn fit_spherical(
        &self,
        rows: Grouped,
        classes: Vec<usize>,
        progress: &dyn Progress,
    ) -> Result<Discriminant, LearnError> {
        let found = Variances::of(rows, progress)?;
        let n_features = found.means.ncols();
        let weighted = found.variances.rows().into_iter().zip(&found.counts);
        let scatter: f64 = weighted.map(|(row, count)| row.sum() * count.weight).sum();
        let weight: f64 = found.counts.iter().map(|count| count.weight).sum();
        let variance = scatter / weight / n_features as f64;
        if variance <= 0.0 {
            return Err(no_variation(n_features));
        }
        let shift = overall_mean(&found.counts, &found.means);
        let means = found.means.select(Axis(0), &classes) - &Array1::from(shift.clone());
        let deviation = variance.sqrt();
        self.linear(classes, &found.counts, shift, &means / deviation, |whitened| {
            whitened / deviation
        })
        .map(|model| model.with_report(Report { rank: n_features, ..self.report(0.0) }))
    }

    fn fit_shared(
        &self,
        rows: Grouped,
        classes: Vec<usize>,
        progress: &dyn Progress,
    ) -> Result<Discriminant, LearnError> {
        let moments = Moments::of(rows, progress)?;
        let share = self.shrinkage.share(rows, &moments, progress)?;
        let mut covariance = &moments.scatter / moments.weight();
        shrink(&mut covariance, share);
        let scales = deviations(&covariance, &moments);
        let whitening = Whitening::new(&covariance, &scales, Singular::Drop, progress)?;
        let n_features = scales.len();
        if whitening.rank == 0 {
            return Err(no_variation(n_features));
        }
        let shift = overall_mean(&moments.counts, &moments.means);
        let means = moments.means.select(Axis(0), &classes) - &Array1::from(shift.clone());
        let whitened = product(&means, &whitening.matrix);
        let back = whitening.matrix.t().as_standard_layout().into_owned();
        self.linear(classes, &moments.counts, shift, whitened, |whitened| product(whitened, &back))
            .map(|model| model.with_report(Report { rank: whitening.rank, ..self.report(share) }))
    }

    /// Linear functions from the class means in whitened coordinates (about `shift`), and the map
    /// from there back to weights of features.
    fn linear(
        &self,
        classes: Vec<usize>,
        counts: &[Count],
        shift: Vec<f64>,
        whitened: Array2<f64>,
        back: impl Fn(&Array2<f64>) -> Array2<f64>,
    ) -> Result<Discriminant, LearnError> {
        let counts: Vec<Count> = classes.iter().map(|&class| counts[class]).collect();
        let priors = self.priors.logarithms(&classes, &counts)?;
        let intercept = whitened.rows().into_iter().zip(&priors).map(|(m, p)| p - square(m) / 2.0);
        let intercept = intercept.collect();
        let coef = back(&whitened).t().as_standard_layout().into_owned();
        let functions = Functions::Linear { shift, coef, intercept };
        Ok(Discriminant::new(classes, functions, self.report(0.0)))
    }

    fn fit_per_class(
        &self,
        checked: &Checked,
        samples: Samples,
        classes: Vec<usize>,
        progress: &dyn Progress,
    ) -> Result<Discriminant, LearnError> {
        let mut of_class = vec![Vec::new(); checked.n_classes];
        for (row, &label) in samples.labels.iter().enumerate() {
            of_class[label].push(row);
        }
        let n_features = checked.features.n_features();
        let mut means = Array2::zeros((classes.len(), n_features));
        let (mut counts, mut covariances) = (Vec::new(), Vec::new());
        let mut shares = Vec::new();
        let mut pooled = vec![0.0; n_features];
        for (nth, &class) in classes.iter().enumerate() {
            let part = Part::new(progress, nth, nth + 1, 2 * classes.len());
            let idx = &of_class[class];
            let features: Features = checked.features.select(idx);
            let weights: Option<Vec<f64>> =
                samples.weights.map(|weights| idx.iter().map(|&row| weights[row]).collect());
            let rows = Grouped::whole(&features, weights.as_deref());
            let moments = Moments::of(rows, &part)?;
            let count = moments.counts[0];
            if count.n < 2 {
                let what = format!("a covariance of class {class} alone");
                return Err(InputError::TooFewSamples { what, needed: 2, found: count.n }.into());
            }
            let share = self.shrinkage.share(rows, &moments, &part)?;
            let mut covariance = moments.scatter / count.weight;
            shrink(&mut covariance, share);
            for (sum, variance) in pooled.iter_mut().zip(covariance.diag()) {
                *sum += variance.max(0.0);
            }
            means.row_mut(nth).assign(&moments.means.row(0));
            counts.push(count);
            shares.push(share);
            covariances.push(covariance);
        }
        // One unit a feature for all classes, so that their determinants can be compared.
        let scales: Vec<f64> =
            pooled.iter().map(|sum| (sum / classes.len() as f64).sqrt()).collect();
        if scales.iter().all(|&scale| scale == 0.0) {
            return Err(no_variation(n_features));
        }
        let priors = self.priors.logarithms(&classes, &counts)?;
        let mut maps = Vec::new();
        let mut offset = Vec::new();
        let mut singular = Vec::new();
        let n_used = scales.iter().filter(|&&scale| scale > 0.0).count();
        for (nth, covariance) in covariances.iter().enumerate() {
            stop_if(progress)?;
            let part = Part::new(
                progress,
                classes.len() + nth,
                classes.len() + nth + 1,
                2 * classes.len(),
            );
            let whitening = Whitening::new(covariance, &scales, Singular::Floor, &part)?;
            if whitening.rank < n_used {
                singular.push(classes[nth]);
            }
            offset.push(priors[nth] - whitening.log_det / 2.0);
            maps.push(whitening.matrix);
        }
        // One number for the report: all are the same unless each class has its own.
        let share = shares.iter().copied().fold(0.0, f64::max);
        let report = Report { rank: n_used, singular, ..self.report(share) };
        let functions = Functions::Quadratic { means, maps, offset };
        Ok(Discriminant::new(classes, functions, report))
    }

    fn report(&self, shrinkage: f64) -> Report {
        Report { covariance: self.covariance, shrinkage, rank: 0, singular: Vec::new() }
    }
}

fn no_variation(n_features: usize) -> LearnError {
    InputError::NoVariation { n_features, among: "within the classes" }.into()
}

crate::learn::classifier::linfa_traits!(DiscriminantValidParams, Discriminant);
