use super::bytes::{Pixels, shape_of_row};
use super::*;

#[test]
fn classes_are_in_the_order_of_numbers_or_else_of_letters() {
    let ordered = |names: &[&str]| classes::ordered(names.iter().map(|name| (*name).to_owned()));
    assert_eq!(ordered(&["10", "9", "0", "9"]), ["0", "9", "10"]);
    assert_eq!(ordered(&["10", "9", "bag"]), ["10", "9", "bag"]);
}

#[test]
fn labels_become_classes_over_all_parts() {
    let texts = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    let labels = [texts(&["cat", "ant"]), Vec::new(), texts(&["bee", "cat"])];
    let (names, numbered) = classes::number_labels(Path::new("set"), labels).unwrap();
    assert_eq!(names, ["ant", "bee", "cat"]);
    assert_eq!(numbered, [vec![2, 0], Vec::new(), vec![1, 2]]);
    let many = [(0..5000).map(|label| label.to_string()).collect(), Vec::new(), Vec::new()];
    let found = classes::number_labels(Path::new("set"), many);
    assert!(matches!(found, Err(ImportError::TooManyClasses { found: 5000, .. })));
}

#[test]
fn real_pixels_are_shares_of_255_unless_one_is_above_1() {
    let bytes = |values: &[f64]| {
        let mut pixels = Pixels::new(true, 0);
        assert!(values.iter().all(|&value| pixels.push(value)));
        pixels.into_bytes()
    };
    assert_eq!(bytes(&[0.0, 0.5, 1.0]), [0, 128, 255]);
    assert_eq!(bytes(&[0.0, 0.4, 0.6, 1.0, 200.2]), [0, 0, 1, 1, 200]);
    let mut whole = Pixels::new(false, 0);
    assert!(whole.push(1.0) && !whole.push(256.0) && !whole.push(-1.0) && !whole.push(f64::NAN));
    assert_eq!(whole.into_bytes(), [1]);
}

#[test]
fn a_row_of_pixels_is_an_image_of_the_size_asked_for_or_a_square() {
    let shape = |height, width, channels| Some(ImageShape { height, width, channels });
    assert_eq!(shape_of_row(784, None), shape(28, 28, 1));
    assert_eq!(shape_of_row(3072, None), shape(32, 32, 3));
    assert_eq!(shape_of_row(24, Some([4, 2])), shape(4, 2, 3));
    assert_eq!(shape_of_row(784, Some([14, 14])), shape(28, 28, 1));
    assert_eq!(shape_of_row(24, None), None);
    assert_eq!(shape_of_row(0, None), None);
}

#[test]
fn directories_are_told_apart_by_the_names_of_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let touch = |name: &str| std::fs::write(path(name), "").unwrap();
    assert!(recognise(dir.path()).is_err());
    touch(".hidden.csv");
    touch("fashion_train.csv");
    let one = Source::Table { train: path("fashion_train.csv"), test: None };
    assert_eq!(recognise(dir.path()).unwrap(), one);
    touch("fashion_test.csv");
    let (train, test) = (path("fashion_train.csv"), Some(path("fashion_test.csv")));
    assert_eq!(recognise(dir.path()).unwrap(), Source::Table { train, test });
    std::fs::create_dir(path("cats")).unwrap();
    assert_eq!(recognise(dir.path()).unwrap(), Source::Folder(dir.path().to_owned()));
    touch("t10k-labels-idx1-ubyte");
    assert_eq!(recognise(dir.path()).unwrap(), Source::Idx(dir.path().to_owned()));
}
