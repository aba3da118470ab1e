//! Several networks as one: by hand, stored, and refused.

use approx::assert_relative_eq;
use ndarray::{Array2, array};

use super::Stopper;
use crate::data::{ImageShape, TensorFile};
use crate::nn::plan::{Fusion, Plan};
use crate::nn::{Architecture, Average, Ensemble, Network, NnError, Precision};
use crate::progress::Silent;

const SHAPE: ImageShape = ImageShape { height: 1, width: 2, channels: 1 };

/// Two classes of images of two pixels. The first class scores `score` where the first pixel is
/// white, whatever the second is, besides `bias`.
fn linear(shape: ImageShape, score: f32, bias: [f32; 2]) -> Network {
    let text = "title = \"linear\"\n[[layer]]\nkind = \"flatten\"\n\
                [[layer]]\nkind = \"dense\"\nunits = \"classes\"\n";
    let architecture = Architecture::parse("linear", text).unwrap();
    let plan = Plan::new(&architecture, shape, 2, Fusion::On).unwrap();
    let weights = plan.parameters.iter().map(|parameter| match parameter.shape.len() {
        1 => bias.to_vec(),
        _ => {
            let mut kernel = vec![0.0; parameter.n_values()];
            kernel[0] = score;
            kernel
        }
    });
    let weights = weights.collect();
    Network::new(&architecture, shape, 2, Precision::F32, weights).unwrap()
}

/// Tells the first class with 3/4, and the second with 4/5, of any image.
fn two() -> Vec<Network> {
    let sure = |odds: f32, class: usize| {
        let mut bias = [0.0; 2];
        bias[class] = odds.ln();
        linear(SHAPE, 0.0, bias)
    };
    vec![sure(3.0, 0), sure(4.0, 1)]
}

fn probabilities(ensemble: &Ensemble) -> Array2<f32> {
    ensemble.probabilities(array![[255u8, 0], [0, 0]].view(), &Silent).unwrap()
}

#[test]
fn probabilities_are_averaged_with_equal_weights() {
    let ensemble = Ensemble::new(two(), Average::Arithmetic, false).unwrap();
    for row in probabilities(&ensemble).rows() {
        assert_relative_eq!(row[0], (0.75 + 0.2) / 2.0, epsilon = 1e-6);
        assert_relative_eq!(row[1], (0.25 + 0.8) / 2.0, epsilon = 1e-6);
    }
}

#[test]
fn logarithms_are_averaged_and_scaled_to_one() {
    let ensemble = Ensemble::new(two(), Average::Geometric, false).unwrap();
    let [a, b] = [(0.75f32 * 0.2).sqrt(), (0.25f32 * 0.8).sqrt()];
    for row in probabilities(&ensemble).rows() {
        assert_relative_eq!(row[0], a / (a + b), epsilon = 1e-6);
        assert_relative_eq!(row[1], b / (a + b), epsilon = 1e-6);
    }
}

#[test]
fn the_mirrored_image_counts_as_much_as_the_image() {
    // Odds of 3 where the first pixel is white; the mirrored image has it black: odds of 1.
    let network = linear(SHAPE, 3.0f32.ln(), [0.0; 2]);
    let ensemble = Ensemble::new(vec![network], Average::Arithmetic, true).unwrap();
    let found = probabilities(&ensemble);
    assert_relative_eq!(found[[0, 0]], (0.75 + 0.5) / 2.0, epsilon = 1e-6);
    assert_relative_eq!(found[[1, 0]], 0.5, epsilon = 1e-6);
}

#[test]
fn one_network_alone_gives_its_own_probabilities() {
    let network = linear(SHAPE, 1.7, [0.3, -0.2]);
    let pixels = array![[255u8, 3], [80, 200]];
    let expected = network.probabilities(pixels.view()).unwrap();
    let ensemble = Ensemble::new(vec![network], Average::Arithmetic, false).unwrap();
    assert_eq!(ensemble.probabilities(pixels.view(), &Silent).unwrap(), expected);
}

#[test]
fn a_stored_ensemble_gives_the_same_bits() {
    let ensemble = Ensemble::new(two(), Average::Geometric, true).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ensemble.safetensors");
    ensemble.to_tensors().write(&path).unwrap();
    let read = Ensemble::from_tensors(TensorFile::read(&path).unwrap()).unwrap();
    assert_eq!(probabilities(&read), probabilities(&ensemble));
}

#[test]
fn networks_of_other_images_and_interruption_are_errors() {
    let error = Ensemble::new(Vec::new(), Average::Arithmetic, false).unwrap_err();
    assert!(matches!(error, NnError::NoMembers));
    let mut members = two();
    members.push(linear(ImageShape { height: 2, ..SHAPE }, 0.0, [0.0; 2]));
    let error = Ensemble::new(members, Average::Arithmetic, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "network 3 of the ensemble tells 2 classes of 2x2x1 images, the first tells 2 classes of \
         1x2x1 images"
    );
    assert!(error.hint().is_some());
    let ensemble = Ensemble::new(two(), Average::Arithmetic, true).unwrap();
    let stopped = ensemble.probabilities(array![[1u8, 2]].view(), &Stopper::after(0));
    assert!(matches!(stopped, Err(NnError::Interrupted)));
    let wide = ensemble.probabilities(array![[1u8, 2, 3]].view(), &Silent).unwrap_err();
    assert_eq!(wide.to_string(), "images of 3 pixels, the network reads 2");
}
