//! L-BFGS, and OWL-QN where there is an L1 penalty.
//!
//! ```text
//! g       gradient of F without the L1 penalty
//! pg      pseudo-gradient: the subgradient of least norm; g itself without L1
//! d       -H pg, H from the last M steps s and changes of gradient y (Liu and Nocedal,
//!         Mathematical Programming 45 (1989), 503-528)
//! H_0     gamma P: P inverts what stands for second derivatives, gamma fits the last step
//! ```
//!
//! With L1 (Andrew and Gao, ICML 2007, 33-40) a step stays in the orthant of `theta` and `-pg`. The
//! end is where no partial pseudo-derivative is above `tol` times the sum of the samples' costs:
//! scikit-learn's test, which has the losses averaged.

use std::collections::VecDeque;

use ndarray::Array2;

use super::problem::Problem;
use crate::kernels::Cpu;
use crate::kernels::weights::Weights;
use crate::learn::LearnError;
use crate::progress::Progress;

/// Steps remembered.
const M: usize = 10;
/// Share of the foretold decrease that a step must reach.
const DECREASE: f64 = 1e-4;
/// Share of the slope that a step must leave at most.
const SLOPE: f64 = 0.9;
/// Tries of a step length.
const MAX_TRIES: usize = 40;
/// Decreases below this share of F are rounding.
const ROUNDING: f64 = 1e-14;

/// Where the solver ended.
pub(super) struct Solution {
    pub theta: Vec<f64>,
    /// F.
    pub objective: f64,
    /// Largest partial pseudo-derivative over the sum of the costs.
    pub max_gradient: f64,
    pub n_iter: usize,
    pub converged: bool,
}

/// A step and what it did to the gradient.
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    sy: f64,
}

/// A point with its value and derivatives.
struct Point {
    theta: Vec<f64>,
    value: f64,
    grad: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Minimises the problem from 0.
///
/// # Errors   if the user asks to stop
pub(super) fn solve(
    problem: &Problem,
    tol: f64,
    max_iter: usize,
    progress: &dyn Progress,
) -> Result<Solution, LearnError> {
    let size = problem.n_vectors() * problem.width();
    let preconditioner = problem.preconditioner(progress)?;
    let (mut pairs, scale) = (VecDeque::<Pair>::new(), problem.total_cost());
    let mut point = at(problem, vec![0.0; size], progress)?;
    let mut n_iter = 0;
    loop {
        let pseudo = pseudo_gradient(problem, &point);
        let max_gradient = largest(&pseudo) / scale;
        let note = format!("objective {:.6e}", point.value);
        progress.update(n_iter as u64, max_iter as u64, &note);
        let converged = max_gradient <= tol;
        let next = if converged || n_iter == max_iter {
            None
        } else {
            n_iter += 1;
            step(problem, &point, &pseudo, &mut pairs, preconditioner.as_ref(), progress)?
        };
        let Some(next) = next else {
            let Point { theta, value, .. } = point;
            return Ok(Solution { theta, objective: value, max_gradient, n_iter, converged });
        };
        let s: Vec<f64> = next.theta.iter().zip(&point.theta).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next.grad.iter().zip(&point.grad).map(|(a, b)| a - b).collect();
        let sy = dot(&s, &y);
        if sy > 1e-14 * dot(&s, &s).sqrt() * dot(&y, &y).sqrt() {
            pairs.push_back(Pair { s, y, sy });
            if pairs.len() > M {
                pairs.pop_front();
            }
        }
        point = next;
    }
}

/// What the solver would say of a point that was found elsewhere.
pub(super) fn evaluate_at(
    problem: &Problem,
    theta: Vec<f64>,
    tol: f64,
    progress: &dyn Progress,
) -> Result<Solution, LearnError> {
    let point = at(problem, theta, progress)?;
    let max_gradient = largest(&pseudo_gradient(problem, &point)) / problem.total_cost();
    let Point { theta, value, .. } = point;
    let converged = max_gradient <= tol;
    Ok(Solution { theta, objective: value, max_gradient, n_iter: 0, converged })
}

fn largest(derivatives: &[f64]) -> f64 {
    derivatives.iter().fold(0.0, |max: f64, v| max.max(v.abs()))
}

fn at(problem: &Problem, theta: Vec<f64>, progress: &dyn Progress) -> Result<Point, LearnError> {
    let mut grad = vec![0.0; theta.len()];
    let value = problem.evaluate(&theta, &mut grad, progress)? + problem.l1_penalty(&theta);
    Ok(Point { theta, value, grad })
}

/// Whether an entry of `theta` is penalised.
fn is_weight(problem: &Problem, entry: usize) -> bool {
    entry % problem.width() != problem.width() - 1
}

fn pseudo_gradient(problem: &Problem, point: &Point) -> Vec<f64> {
    let l1 = problem.l1;
    let one = |(entry, (&g, &w)): (usize, (&f64, &f64))| {
        if l1 == 0.0 || !is_weight(problem, entry) {
            g
        } else if w != 0.0 {
            g + l1 * w.signum()
        } else {
            // 0 where some subgradient is.
            (g + l1).min(0.0) + (g - l1).max(0.0)
        }
    };
    point.grad.iter().zip(&point.theta).enumerate().map(one).collect()
}

/// One step; none if no length decreases F beyond rounding.
fn step(
    problem: &Problem,
    point: &Point,
    pseudo: &[f64],
    pairs: &mut VecDeque<Pair>,
    preconditioner: Option<&Array2<f64>>,
    progress: &dyn Progress,
) -> Result<Option<Point>, LearnError> {
    loop {
        let mut direction = descend(problem, pseudo, pairs, preconditioner);
        if problem.l1 > 0.0 {
            for (entry, (d, pg)) in direction.iter_mut().zip(pseudo).enumerate() {
                if is_weight(problem, entry) && *d * pg >= 0.0 {
                    *d = 0.0;
                }
            }
        }
        // Without curvature known, F falls by the largest derivative of a sample at most.
        let is_first = pairs.is_empty() && preconditioner.is_none();
        let start = if is_first { 1.0 / dot(pseudo, pseudo).sqrt().max(1e-300) } else { 1.0 };
        let found = if dot(&direction, pseudo) < 0.0 {
            search(problem, point, pseudo, &direction, start, progress)?
        } else {
            None
        };
        if found.is_some() || pairs.is_empty() {
            return Ok(found);
        }
        // What was remembered misleads: once more without.
        pairs.clear();
    }
}

/// `-H pseudo` by the recursion of two loops.
fn descend(
    problem: &Problem,
    pseudo: &[f64],
    pairs: &VecDeque<Pair>,
    preconditioner: Option<&Array2<f64>>,
) -> Vec<f64> {
    let mut q = pseudo.to_vec();
    let mut alphas = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let alpha = dot(&pair.s, &q) / pair.sy;
        q.iter_mut().zip(&pair.y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    let mut r = precondition(problem, preconditioner, &q);
    if let Some(last) = pairs.back() {
        let curved = dot(&last.y, &precondition(problem, preconditioner, &last.y));
        let gamma = if curved > 0.0 { last.sy / curved } else { 1.0 };
        r.iter_mut().for_each(|r| *r *= gamma);
    }
    for (pair, alpha) in pairs.iter().zip(alphas.iter().rev()) {
        let beta = dot(&pair.y, &r) / pair.sy;
        r.iter_mut().zip(&pair.s).for_each(|(r, s)| *r += (alpha - beta) * s);
    }
    r.iter_mut().for_each(|r| *r = -*r);
    r
}

/// `P v` for each vector of `values`.
fn precondition(problem: &Problem, matrix: Option<&Array2<f64>>, values: &[f64]) -> Vec<f64> {
    let Some(matrix) = matrix else { return values.to_vec() };
    let (width, n_vectors) = (problem.width(), problem.n_vectors());
    let packed = Weights::pack(width, values);
    let lines: Vec<&[f64]> = matrix.as_slice().unwrap_or(&[]).chunks_exact(width).collect();
    // The matrix is symmetric: products with its rows, `[width][n_vectors]`.
    let mut products = vec![0.0; width * n_vectors];
    packed.add_scores(Cpu::detect(), &lines, &mut products);
    (0..values.len()).map(|at| products[at % width * n_vectors + at / width]).collect()
}

/// A length that decreases F enough and, without L1, leaves slope enough behind (weak Wolfe
/// conditions, by bisection: Lewis and Overton, Mathematical Programming 141 (2013), 135-163).
fn search(
    problem: &Problem,
    point: &Point,
    pseudo: &[f64],
    direction: &[f64],
    start: f64,
    progress: &dyn Progress,
) -> Result<Option<Point>, LearnError> {
    let slope = dot(direction, pseudo);
    let (mut length, mut low, mut high) = (start, 0.0, f64::INFINITY);
    let mut best: Option<Point> = None;
    for _ in 0..MAX_TRIES {
        let theta = moved(problem, point, pseudo, direction, length);
        let foretold: f64 = pseudo
            .iter()
            .zip(theta.iter().zip(&point.theta))
            .map(|(pg, (new, old))| pg * (new - old))
            .sum();
        let trial = at(problem, theta, progress)?;
        let enough = DECREASE * foretold + ROUNDING * point.value.abs();
        if !(trial.value <= point.value + enough && trial.value.is_finite()) {
            high = length;
        } else if problem.l1 == 0.0 && dot(&trial.grad, direction) < SLOPE * slope {
            low = length;
            best = Some(trial);
        } else {
            return Ok(Some(trial));
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    Ok(best)
}

/// `theta + length * direction`; with L1, what leaves its orthant stays at 0.
fn moved(
    problem: &Problem,
    point: &Point,
    pseudo: &[f64],
    direction: &[f64],
    length: f64,
) -> Vec<f64> {
    let one = |(entry, ((&w, &d), &pg)): (usize, ((&f64, &f64), &f64))| {
        let new = w + length * d;
        let orthant = if w != 0.0 { w } else { -pg };
        let leaves = problem.l1 > 0.0 && is_weight(problem, entry) && new * orthant <= 0.0;
        if leaves { 0.0 } else { new }
    };
    point.theta.iter().zip(direction).zip(pseudo).enumerate().map(one).collect()
}
