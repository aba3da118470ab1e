//! Training on images that are changed in every epoch.

use super::{Stopper, bars, params, small, weight_bytes};
use crate::data::Transforms;
use crate::nn::{NnError, TrainParams, train};
use crate::progress::Silent;

fn changing() -> TrainParams {
    let augment =
        Transforms { crop: 2, flip: 0.5, rotate: 15.0, erase: 0.5, ..Transforms::default() };
    TrainParams { augment, ..params() }
}

fn weights(params: &TrainParams) -> Vec<Vec<u8>> {
    weight_bytes(&train(&small(), &bars(300), params, 3, None, &Silent).unwrap().network)
}

#[test]
fn changed_images_are_the_same_on_any_number_of_threads() {
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| weights(&changing()))
    };
    let expected = on(1);
    assert!(on(2) == expected && on(3) == expected);
    assert_ne!(expected, weights(&params()));
}

#[test]
fn an_interrupted_training_on_changed_images_continues_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let run = |progress: &Stopper| {
        train(&small(), &bars(300), &changing(), 3, Some(dir.path()), progress)
    };
    assert!(matches!(run(&Stopper::after(13)), Err(NnError::Interrupted)));
    let resumed = run(&Stopper::after(usize::MAX)).unwrap();
    assert_eq!(weight_bytes(&resumed.network), weights(&changing()));
}

#[test]
fn images_held_out_are_never_changed() {
    // Steps too small to move a weight: losses differ by the images alone.
    let still = |params: TrainParams| {
        let params = TrainParams { learning_rate: 1e-30, epochs: 2, ..params };
        train(&small(), &bars(300), &params, 3, None, &Silent).unwrap().history
    };
    let (plain, changed) = (still(params()), still(changing()));
    let held_out = |nth: usize| [plain[nth].validation_loss, changed[nth].validation_loss];
    assert_eq!(held_out(0)[0], held_out(0)[1]);
    assert_eq!(held_out(1)[0], held_out(0)[0]);
    assert_ne!(plain[0].train_loss, changed[0].train_loss);
}

#[test]
fn changes_out_of_range_are_refused_before_training() {
    let augment = Transforms { crop: 12, ..Transforms::default() };
    let params = TrainParams { augment, ..params() };
    let error = train(&small(), &bars(60), &params, 3, None, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`augment`: a shift of 12 pixels leaves nothing of images of 12 x 12 pixels"
    );
    assert!(error.hint().is_some());
}
