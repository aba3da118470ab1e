//! A directory of its own for each test, and the binary run in it as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A pipeline that has one stage of every kind and runs in about a second.
pub const SMALL: &str = r#"
name = "small"
title = "Small"
seed = 7

[stage.data]
kind = "dataset"
name = "garments-small"
validation = 0.1

[stage.net]
kind = "cnn"
title = "Net, softmax"
inputs = { data = "data" }
architecture = "a3"
epochs = 2
batch_size = 64

[stage.penultimate]
kind = "features"
inputs = { network = "net", data = "data" }
layer = "penultimate"

[stage.svm]
kind = "svm"
title = "SVM on features"
inputs = { data = "penultimate" }
kernel = "rbf"
c = 10.0

[stage.svm_pixels]
kind = "svm"
title = "SVM on pixels"
inputs = { data = "data" }
kernel = "rbf"
c = 10.0

[stage.knn]
kind = "knn"
title = "Nearest neighbours on pixels"
inputs = { data = "data" }

[stage.clusters]
kind = "kmeans"
title = "Clusters of pixels"
inputs = { data = "data" }

[stage.boosting]
kind = "gradient_boosting"
title = "Gradient boosted trees on pixels"
inputs = { data = "data" }
n_estimators = 5

[stage.logistic]
kind = "logistic"
title = "Logistic regression on pixels"
inputs = { data = "data" }

[stage.perceptron]
kind = "perceptron"
title = "Perceptron on pixels"
inputs = { data = "data" }

[stage.mlp]
kind = "mlp"
title = "Back-propagation on pixels"
inputs = { data = "data" }
hidden = [16, 16]
max_iter = 3

[stage.scaled]
kind = "scale"
inputs = { data = "data" }

[stage.components]
kind = "pca"
inputs = { data = "data" }
n_components = 10

[stage.directions]
kind = "fisher"
inputs = { data = "data" }
shrinkage = "auto"

[stage.combined]
kind = "random_projection"
inputs = { data = "scaled" }
n_components = 20

[stage.normal]
kind = "discriminant"
title = "Normal classes on components"
inputs = { data = "components" }
covariance = "per_class"
shrinkage = 0.1

[stage.nearest_mean]
kind = "discriminant"
title = "Nearest mean on directions"
inputs = { data = "directions" }
covariance = "spherical"

[stage.naive]
kind = "gaussian_nb"
title = "Naive Bayes on combinations"
inputs = { data = "combined" }

[stage.tree]
kind = "decision_tree"
title = "Decision tree on pixels"
inputs = { data = "data" }
max_depth = 6

[stage.forest]
kind = "random_forest"
title = "Random forest on features"
inputs = { data = "penultimate" }
n_estimators = 4
oob_score = true

[stage.extra_trees]
kind = "extra_trees"
title = "Extra trees on pixels"
inputs = { data = "data" }
n_estimators = 4
max_features = 20

[stage.adaboost]
kind = "adaboost"
title = "Boosted linear SVMs on features"
inputs = { data = "penultimate" }
n_estimators = 2
learner = "linear_svm"
params = { c = 0.1 }

[stage.vote]
kind = "ensemble"
title = "Net with mirrored images"
inputs = { networks = ["net"], data = "data" }
flip_views = true

[stage.evaluation]
kind = "evaluate"

[stage.evaluation.inputs]
data = "data"
models = [
    "net", "svm", "svm_pixels", "knn", "clusters", "boosting", "logistic", "perceptron", "mlp",
    "normal", "nearest_mean", "naive", "tree", "forest", "extra_trees", "adaboost", "vote",
]
reductions = ["components", "directions"]
"#;

/// A temporary working directory.
pub struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// An empty directory.
    pub fn empty() -> Self {
        Project { dir: tempfile::tempdir().unwrap() }
    }

    /// A directory with [`SMALL`] in `small.toml`.
    pub fn small() -> Self {
        let project = Project::empty();
        project.write("small.toml", SMALL);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The binary in this directory: no data at hand, no network, no variables of the caller.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipeline"));
        command.args(args).current_dir(self.dir.path());
        for name in ["PIPELINE_DATA", "PIPELINE_CACHE"] {
            command.env_remove(name);
        }
        command.env("XDG_CACHE_HOME", self.path("user-cache"));
        command.env("HOME", self.path("home"));
        // A port on which nothing listens: downloads fail at once.
        command.env("PIPELINE_MIRROR", "http://127.0.0.1:9/");
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// `results.json` of the newest run of a pipeline.
    pub fn results(&self, pipeline: &str) -> Value {
        read_json(&self.path("reports").join(pipeline).join("latest/results.json"))
    }
}

pub fn read_json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// What a finished process printed.
pub struct Run(pub Output);

impl Run {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code(), Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
        self
    }

    /// Asserts a failure: exit code, an `error:` line, each fragment on stderr, and no panic.
    #[track_caller]
    pub fn fails(self, code: i32, fragments: &[&str]) -> Self {
        let stderr = self.stderr();
        assert_eq!(self.code(), Some(code), "{stderr}");
        assert!(stderr.contains("error: "), "no `error: ` in:\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        for fragment in fragments {
            assert!(stderr.contains(fragment), "no `{fragment}` in:\n{stderr}");
        }
        self
    }
}
