//! Linear classifiers: their weights as images, and what every pixel of this image adds.

use std::any::Any;

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::reach::{Reach, reach};
use super::{Decision, ExplainError, Subject, over_channels};
use crate::data::{Picture, largest_of};
use crate::learn::Classifier;
use crate::learn::discriminant::Discriminant;
use crate::learn::linear_svm::LinearSvc;
use crate::learn::logistic::LogisticRegression;
use crate::learn::perceptron::Perceptron;
use crate::learn::svm::Svc;
use crate::progress::Progress;
use crate::report::{Exhibit, Figure};

/// Most classes whose weights are shown, the largest scores first.
const N_SHOWN: usize = 20;

/// The weights of a linear classifier.
pub enum Linear<'a> {
    /// A vector for each label: `[n_classes, n_features]`.
    PerClass {
        /// Labels, ascending.
        classes: Vec<usize>,
        /// Of the class's own score.
        weights: Array2<f64>,
    },
    /// A vector for each pair of labels, of a linear support vector classifier.
    OneAgainstOne(&'a LinearSvc),
    /// The same of one with a linear kernel.
    KernelPairs(&'a Svc),
}

impl<'a> Linear<'a> {
    /// Those of a classifier that is linear.
    pub fn of(classifier: &'a dyn Classifier) -> Option<Self> {
        let any = classifier as &dyn Any;
        if let Some(svc) = any.downcast_ref::<Svc>() {
            let (one, two) = (*svc.classes().first()?, *svc.classes().get(1)?);
            return svc.linear_weights_of(one, two).map(|_| Linear::KernelPairs(svc));
        }
        let (classes, coef) = if let Some(linear) = any.downcast_ref::<LinearSvc>() {
            if linear.coef().nrows() > 1 && linear.report().problems[0].negative.is_some() {
                return Some(Linear::OneAgainstOne(linear));
            }
            (linear.classes(), linear.coef().clone())
        } else if let Some(logistic) = any.downcast_ref::<LogisticRegression>() {
            (logistic.classes(), logistic.coef().clone())
        } else if let Some(perceptron) = any.downcast_ref::<Perceptron>() {
            (perceptron.classes(), perceptron.coef().clone())
        } else {
            let discriminant = any.downcast_ref::<Discriminant>()?;
            (discriminant.classes(), discriminant.coef()?.t().to_owned())
        };
        // Of two classes there may be one vector, for the second.
        let weights = match coef.nrows() {
            1 => Array2::from_shape_fn((2, coef.ncols()), |(class, feature)| {
                if class == 0 { -coef[[0, feature]] } else { coef[[0, feature]] }
            }),
            _ => coef,
        };
        Some(Linear::PerClass { classes: classes.to_vec(), weights })
    }

    /// The weights of a label's own score.
    fn of_class(&self, class: usize) -> Option<Array1<f64>> {
        let Linear::PerClass { classes, weights } = self else { return None };
        let position = classes.iter().position(|&known| known == class)?;
        Some(weights.row(position).to_owned())
    }

    /// The weights of a label's margin over another.
    pub fn between(&self, class: usize, other: usize) -> Option<Array1<f64>> {
        match self {
            Linear::PerClass { .. } => Some(self.of_class(class)? - self.of_class(other)?),
            Linear::KernelPairs(svc) => svc.linear_weights_of(class, other),
            Linear::OneAgainstOne(linear) => {
                // The second class of a pair is positive.
                let mut problems = linear.report().problems.iter().enumerate();
                problems.find_map(|(nth, problem)| {
                    let row = || linear.coef().row(nth).to_owned();
                    match (problem.positive, problem.negative) {
                        (positive, Some(negative)) if (positive, negative) == (class, other) => {
                            Some(row())
                        }
                        (positive, Some(negative)) if (positive, negative) == (other, class) => {
                            Some(-row())
                        }
                        _ => None,
                    }
                })
            }
        }
    }
}

/// The weights of a class against the runner-up on a layer's values, where the model is a network's
/// layer, affine maps and a linear classifier.
pub(super) fn on_layer(
    model: &crate::model::Model,
    classifier: &dyn Classifier,
    class: usize,
    against: Option<usize>,
    progress: &dyn Progress,
) -> Result<Option<Vec<f32>>, ExplainError> {
    let Some(linear) = Linear::of(classifier) else { return Ok(None) };
    let own = linear.of_class(class);
    let weights = own.or_else(|| linear.between(class, against?));
    let Some(weights) = weights else { return Ok(None) };
    match reach(&model.chain, weights.view().insert_axis(Axis(0)), progress)? {
        Some(Reach::Layer(weights)) => Ok(Some(weights.iter().map(|&w| w as f32).collect())),
        _ => Ok(None),
    }
}

pub(super) fn exhibits(
    subject: &Subject<'_>,
    decision: &Decision,
    progress: &dyn Progress,
) -> Result<Vec<Exhibit>, ExplainError> {
    let Some(linear) = subject.classifier().and_then(Linear::of) else { return Ok(Vec::new()) };
    let Some(runner_up) = decision.runner_up else { return Ok(Vec::new()) };
    let shown = decision.scores.iter().map(|score| score.class).take(N_SHOWN);
    // By class where there is such a thing, else the winner against each other class.
    let is_by_class = linear.of_class(decision.class).is_some();
    let vectors: Vec<(usize, Array1<f64>)> = shown
        .filter_map(|class| {
            let weights = match is_by_class {
                true => linear.of_class(class),
                false => linear.between(decision.class, class),
            };
            weights.map(|weights| (class, weights))
        })
        .collect();
    let Some(between) = linear.between(decision.class, runner_up) else { return Ok(Vec::new()) };
    let all: Vec<ArrayView1<'_, f64>> =
        vectors.iter().map(|(_, weights)| weights.view()).chain([between.view()]).collect();
    let Ok(stacked) = ndarray::stack(Axis(0), &all) else { return Ok(Vec::new()) };
    let Some(Reach::Pixels(weights)) = reach(&subject.model.chain, stacked.view(), progress)?
    else {
        return Ok(Vec::new());
    };
    let is_reduced = !subject.model.chain.links.is_empty();
    let mut found = vec![weights_exhibit(subject, decision, &vectors, &weights, is_by_class)];
    found.push(contributions(subject, decision, runner_up, &vectors, &weights, is_by_class));
    if is_reduced {
        for exhibit in &mut found {
            exhibit.note.push_str(" The maps before the classifier are part of the weights.");
        }
    }
    Ok(found)
}

fn weights_exhibit(
    subject: &Subject<'_>,
    decision: &Decision,
    vectors: &[(usize, Array1<f64>)],
    weights: &Array2<f64>,
    is_by_class: bool,
) -> Exhibit {
    let images: Vec<Array2<f32>> = weights
        .rows()
        .into_iter()
        .map(|row| over_channels(&row.to_vec(), subject.shape()))
        .collect();
    let largest = images.iter().map(|image| largest_of(image.view())).fold(0.0, f32::max);
    let winner = subject.class_name(decision.class);
    let figures = vectors.iter().zip(&images).map(|((class, _), image)| {
        let name = subject.class_name(*class);
        let caption =
            if is_by_class { name.to_owned() } else { format!("{winner} against {name}") };
        Figure::new(caption, Picture::Signed { values: image.clone(), largest })
    });
    let note =
        "What one pixel at full brightness adds to the score: red raises it, blue lowers it. \
                The same scale for all. It holds for every image; what this image makes of it is \
                below."
            .to_owned();
    Exhibit::new("weights", "The weights as images", note, figures.collect())
}

/// Weight times pixel for the winner, the runner-up and their difference.
fn contributions(
    subject: &Subject<'_>,
    decision: &Decision,
    runner_up: usize,
    vectors: &[(usize, Array1<f64>)],
    weights: &Array2<f64>,
    is_by_class: bool,
) -> Exhibit {
    let pixels: Array1<f64> = subject.image.mapv(|v| f64::from(v) / 255.0);
    let position = |class: usize| vectors.iter().position(|(known, _)| *known == class);
    let (winner, other) = (subject.class_name(decision.class), subject.class_name(runner_up));
    let mut rows = Vec::new();
    if is_by_class {
        rows.extend(position(decision.class).map(|row| (winner.to_owned(), row)));
        rows.extend(position(runner_up).map(|row| (other.to_owned(), row)));
    }
    rows.push((format!("{winner} against {other}"), weights.nrows() - 1));
    let parts: Vec<(String, f64, Array2<f32>)> = rows
        .into_iter()
        .map(|(name, row)| {
            let added = &weights.row(row) * &pixels;
            (name, added.sum(), over_channels(&added.to_vec(), subject.shape()))
        })
        .collect();
    let largest = parts.iter().map(|(.., image)| largest_of(image.view())).fold(0.0, f32::max);
    let figures = parts.into_iter().map(|(name, sum, values)| {
        Figure::new(format!("{name}: {sum:+.3} in all"), Picture::Signed { values, largest })
    });
    let note = format!(
        "Weight times pixel: what every pixel of this image adds to the score of {winner} and of \
         {other}, the class with the next score. Sums leave out the constants."
    );
    Exhibit::new("contributions", "What this image makes of the weights", note, figures.collect())
}
