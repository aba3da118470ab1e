//! LIBSVM's text form of a model, written and read.
//!
//! ```text
//! svm_type c_svc
//! kernel_type rbf
//! gamma 0.05
//! nr_class 3
//! total_sv 40
//! rho R01 R02 R12           minus our biases
//! label 0 1 2
//! probA A01 A02 A12         absent without probabilities
//! probB B01 B02 B12
//! nr_sv 12 15 13            support vectors of each class
//! SV
//! COEF COEF 1:0.5 7:0.25    coefficients against the other classes; features counted from 1, zeros left out
//! ```
//!
//! Numbers are written with the fewest digits that give the same double back. A byte `v` is the
//! real number `v / 255`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use ndarray::Array2;

use super::block::stop_if;
use super::gram::{Resolved, byte_row, float_row};
use super::model::Svc;
use super::params::{Gamma, Kernel, SvcError};
use super::probability::Sigmoid;
use crate::data::Features;
use crate::progress::Progress;

/// Support vectors written or read between two looks at [`Progress::interrupted`].
const BATCH: usize = 256;

impl Svc {
    /// Writes the model as LIBSVM's `svm-predict` and `svm_load_model` read it.
    ///
    /// # Errors
    /// What `out` refuses.
    pub fn write_libsvm(&self, out: &mut dyn Write) -> io::Result<()> {
        let gamma = self.resolved.gamma;
        writeln!(out, "svm_type c_svc")?;
        match self.resolved.kernel {
            Kernel::Linear => writeln!(out, "kernel_type linear")?,
            Kernel::Rbf { .. } => writeln!(out, "kernel_type rbf\ngamma {gamma}")?,
            Kernel::Polynomial { degree, coef0, .. } => writeln!(
                out,
                "kernel_type polynomial\ndegree {degree}\ngamma {gamma}\ncoef0 {coef0}"
            )?,
            Kernel::Sigmoid { coef0, .. } => {
                writeln!(out, "kernel_type sigmoid\ngamma {gamma}\ncoef0 {coef0}")?;
            }
        }
        let n_support = self.support.n_samples();
        writeln!(out, "nr_class {}\ntotal_sv {n_support}", self.classes.len())?;
        // Zero without a sign, as LIBSVM writes it.
        write_line(out, "rho", self.bias.iter().map(|bias| 0.0 - bias))?;
        write_line(out, "label", &self.classes)?;
        if let Some(sigmoids) = &self.sigmoids {
            write_line(out, "probA", sigmoids.iter().map(|sigmoid| sigmoid.a))?;
            write_line(out, "probB", sigmoids.iter().map(|sigmoid| sigmoid.b))?;
        }
        write_line(out, "nr_sv", &self.n_support)?;
        writeln!(out, "SV")?;
        for (sv, coefficients) in self.dual_coef.columns().into_iter().enumerate() {
            for coefficient in coefficients {
                write!(out, "{coefficient} ")?;
            }
            match &self.support {
                Features::Bytes(all) => {
                    for (feature, &v) in byte_row(all, sv).iter().enumerate().filter(|v| *v.1 != 0)
                    {
                        write!(out, "{}:{} ", feature + 1, f64::from(v) / 255.0)?;
                    }
                }
                Features::Floats(all) => {
                    let row = float_row(all, sv).iter().enumerate();
                    for (feature, &v) in row.filter(|v| *v.1 != 0.0) {
                        write!(out, "{}:{} ", feature + 1, f64::from(v))?;
                    }
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Reads a classifier (`c_svc` or `nu_svc`) that LIBSVM or [`Svc::write_libsvm`] wrote. It
    /// predicts real features `[n_samples, n_features]`; classes keep the order of the file, which
    /// decides ties.
    ///
    /// # Errors
    /// [`SvcError::ReadModel`] if the file cannot be read, [`SvcError::ModelFile`] with the line if
    /// it is damaged or not such a model, or [`SvcError::Interrupted`].
    pub fn read_libsvm(
        path: &Path,
        n_features: usize,
        progress: &dyn Progress,
    ) -> Result<Svc, SvcError> {
        let refused = |source| SvcError::ReadModel { path: path.to_owned(), source };
        let file = File::open(path).map_err(refused)?;
        let mut lines = Lines { path, from: BufReader::new(file), line: Vec::new(), n_read: 0 };
        let header = Header::read(&mut lines)?;
        header.model(&mut lines, n_features, progress)
    }
}

fn write_line<T: std::fmt::Display>(
    out: &mut dyn Write,
    key: &str,
    values: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    write!(out, "{key}")?;
    for value in values {
        write!(out, " {value}")?;
    }
    writeln!(out)
}

/// Lines of a file, counted for messages.
struct Lines<'a> {
    path: &'a Path,
    from: BufReader<File>,
    line: Vec<u8>,
    n_read: usize,
}

impl Lines<'_> {
    /// The next line without its end; none at the end of the file.
    fn next(&mut self) -> Result<Option<&str>, SvcError> {
        self.line.clear();
        let n_bytes = self
            .from
            .read_until(b'\n', &mut self.line)
            .map_err(|source| SvcError::ReadModel { path: self.path.to_owned(), source })?;
        self.n_read += 1;
        if n_bytes == 0 {
            return Ok(None);
        }
        match std::str::from_utf8(&self.line) {
            Ok(text) => Ok(Some(text.trim_end())),
            Err(_) => Err(self.wrong("text", "bytes that are none")),
        }
    }

    /// An error at the line last read.
    fn wrong(&self, expected: impl Into<String>, found: &str) -> SvcError {
        // A damaged line may be megabytes long.
        let mut shown: String = found.chars().take(40).collect();
        if shown.len() < found.len() {
            shown.push('…');
        }
        SvcError::ModelFile {
            path: self.path.to_owned(),
            line: self.n_read,
            expected: expected.into(),
            found: shown,
        }
    }
}

/// What the lines before `SV` say.
#[derive(Default)]
struct Header {
    kernel: String,
    degree: Option<u32>,
    gamma: Option<f64>,
    coef0: Option<f64>,
    n_classes: usize,
    total_sv: usize,
    rho: Vec<f64>,
    label: Vec<usize>,
    prob_a: Vec<f64>,
    prob_b: Vec<f64>,
    nr_sv: Vec<usize>,
}

impl Header {
    fn read(lines: &mut Lines) -> Result<Header, SvcError> {
        let mut header = Header::default();
        let mut svm_type = String::new();
        loop {
            let Some(line) = lines.next()?.map(str::to_owned) else {
                return Err(lines.wrong("a line `SV`", "the end of the file"));
            };
            let (key, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match key {
                "svm_type" => svm_type = rest.to_owned(),
                "kernel_type" => header.kernel = rest.to_owned(),
                "degree" => header.degree = Some(number(lines, "a number", rest)?),
                "gamma" => header.gamma = Some(number(lines, "a number", rest)?),
                "coef0" => header.coef0 = Some(number(lines, "a number", rest)?),
                "nr_class" => header.n_classes = number(lines, "a number", rest)?,
                "total_sv" => header.total_sv = number(lines, "a number", rest)?,
                "rho" => header.rho = numbers(lines, "numbers", rest)?,
                "label" => header.label = numbers(lines, "classes counted from 0", rest)?,
                "probA" => header.prob_a = numbers(lines, "numbers", rest)?,
                "probB" => header.prob_b = numbers(lines, "numbers", rest)?,
                "nr_sv" => header.nr_sv = numbers(lines, "numbers", rest)?,
                "SV" => break,
                _ if svm_type.is_empty() => {
                    return Err(lines.wrong("a LIBSVM model, which begins with `svm_type`", &line));
                }
                _ => return Err(lines.wrong("a header line of a LIBSVM classifier", &line)),
            }
            if key == "svm_type" && !["c_svc", "nu_svc"].contains(&rest) {
                return Err(lines.wrong("svm_type `c_svc` or `nu_svc`", rest));
            }
        }
        header.check(lines)?;
        Ok(header)
    }

    /// Whether the numbers of numbers agree.
    fn check(&self, lines: &Lines) -> Result<(), SvcError> {
        let n_classes = self.n_classes;
        if n_classes < 2 {
            return Err(lines.wrong("`nr_class` of at least 2 before `SV`", &n_classes.to_string()));
        }
        // As many labels were read, so this does not overflow.
        let n_pairs = self.label.len() * self.label.len().saturating_sub(1) / 2;
        let probabilities = if self.prob_a.is_empty() { 0 } else { n_pairs };
        for (key, found, expected) in [
            ("label", self.label.len(), n_classes),
            ("rho", self.rho.len(), n_pairs),
            ("nr_sv", self.nr_sv.len(), n_classes),
            ("probA", self.prob_a.len(), probabilities),
            ("probB", self.prob_b.len(), probabilities),
        ] {
            if found != expected {
                let expected = format!("{expected} values of `{key}` before `SV`");
                return Err(lines.wrong(expected, &found.to_string()));
            }
        }
        let sum = self.nr_sv.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
        if sum != Some(self.total_sv) {
            let expected = format!("`nr_sv` that add up to `total_sv`, {}", self.total_sv);
            return Err(lines.wrong(expected, &format!("{:?}", self.nr_sv)));
        }
        Ok(())
    }

    fn kernel(&self, lines: &Lines) -> Result<Resolved, SvcError> {
        let needed = |value: Option<f64>, name: &str| {
            value.ok_or_else(|| lines.wrong(format!("`{name}` before `SV`"), "none"))
        };
        let gamma = if self.kernel == "linear" { 1.0 } else { needed(self.gamma, "gamma")? };
        if gamma <= 0.0 {
            return Err(lines.wrong("a `gamma` above 0", &gamma.to_string()));
        }
        let resolved = Gamma::Value(gamma);
        let kernel = match self.kernel.as_str() {
            "linear" => Kernel::Linear,
            "rbf" => Kernel::Rbf { gamma: resolved },
            "polynomial" => Kernel::Polynomial {
                gamma: resolved,
                degree: self.degree.ok_or_else(|| lines.wrong("`degree` before `SV`", "none"))?,
                coef0: needed(self.coef0, "coef0")?,
            },
            "sigmoid" => Kernel::Sigmoid { gamma: resolved, coef0: needed(self.coef0, "coef0")? },
            other => {
                let expected = "kernel_type `linear`, `polynomial`, `rbf` or `sigmoid`";
                return Err(lines.wrong(expected, other));
            }
        };
        Ok(Resolved { kernel, gamma })
    }

    /// Reads the support vectors.
    fn model(
        self,
        lines: &mut Lines,
        n_features: usize,
        progress: &dyn Progress,
    ) -> Result<Svc, SvcError> {
        let resolved = self.kernel(lines)?;
        let n_coefficients = self.n_classes - 1;
        let mut coefficients: Vec<f64> = Vec::new();
        let mut rows: Vec<f32> = Vec::new();
        for sv in 0..self.total_sv {
            if sv % BATCH == 0 {
                stop_if(progress)?;
                progress.update(sv as u64, self.total_sv as u64, "reading support vectors");
            }
            let Some(line) = lines.next()?.map(str::to_owned) else {
                let found = format!("the end of the file after {sv}");
                return Err(lines.wrong(format!("{} support vectors", self.total_sv), &found));
            };
            let mut words = line.split_ascii_whitespace();
            for _ in 0..n_coefficients {
                let word = words.next().unwrap_or("the end of the line");
                coefficients.push(number(lines, &format!("{n_coefficients} coefficients"), word)?);
            }
            let start = rows.len();
            rows.resize(start + n_features, 0.0);
            let mut last = 0;
            for word in words {
                let (feature, value) = entry(lines, word, last, n_features)?;
                rows[start + feature - 1] = value;
                last = feature;
            }
        }
        while let Some(line) = lines.next()?.map(str::to_owned) {
            if !line.is_empty() {
                let expected =
                    format!("the end of the file after {} support vectors", self.total_sv);
                return Err(lines.wrong(expected, &line));
            }
        }
        let dual_coef = Array2::from_shape_fn((n_coefficients, self.total_sv), |(other, sv)| {
            coefficients[sv * n_coefficients + other]
        });
        let Ok(support) = Array2::from_shape_vec((self.total_sv, n_features), rows) else {
            unreachable!("each support vector added one row");
        };
        let bias = self.rho.iter().map(|rho| 0.0 - rho).collect();
        let mut svc =
            Svc::new(resolved, self.label, Features::Floats(support), self.nr_sv, dual_coef, bias);
        if !self.prob_a.is_empty() {
            let both = self.prob_a.into_iter().zip(self.prob_b);
            svc.sigmoids = Some(both.map(|(a, b)| Sigmoid { a, b }).collect());
        }
        if !svc.fits_together() {
            return Err(lines.wrong("a model of distinct classes", "one whose parts do not fit"));
        }
        Ok(svc)
    }
}

/// The feature, counted from 1, and the value of `FEATURE:VALUE`.
fn entry(
    lines: &Lines,
    word: &str,
    last: usize,
    n_features: usize,
) -> Result<(usize, f32), SvcError> {
    let Some((feature, value)) = word.split_once(':') else {
        return Err(lines.wrong("FEATURE:VALUE", word));
    };
    let feature: usize = number(lines, "FEATURE:VALUE", feature)?;
    if feature <= last {
        return Err(lines.wrong(format!("a feature after {last}"), word));
    }
    if feature > n_features {
        return Err(lines.wrong(format!("at most {n_features} features, as the data have"), word));
    }
    let value: f64 = number(lines, "FEATURE:VALUE", value)?;
    let single = value as f32;
    if single.is_finite() {
        Ok((feature, single))
    } else {
        Err(lines.wrong("a finite value", word))
    }
}

/// A number in a file; real ones are finite.
trait Number: Sized {
    fn parse(word: &str) -> Option<Self>;
}

impl Number for f64 {
    fn parse(word: &str) -> Option<Self> {
        word.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

impl Number for usize {
    fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

impl Number for u32 {
    fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

fn number<T: Number>(lines: &Lines, expected: &str, word: &str) -> Result<T, SvcError> {
    T::parse(word.trim()).ok_or_else(|| lines.wrong(expected, word))
}

fn numbers<T: Number>(lines: &Lines, expected: &str, rest: &str) -> Result<Vec<T>, SvcError> {
    rest.split_ascii_whitespace().map(|word| number(lines, expected, word)).collect()
}
