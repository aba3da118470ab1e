//! What `pipeline data show` says of a data set.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};

use crate::data::import::{ImportOptions, Survey, Unreadable, import};
use crate::data::{self, Dataset, Duplicates, Sources, Transforms, registry};
use crate::progress::Progress;

/// Images of a sheet besides one per class.
const N_SHOWN: usize = 25;

/// Files that cannot be read, and sizes, that are printed; `--json` has all.
const N_LISTED: usize = 20;

/// A data set and what a look at it finds.
pub struct DataCard {
    dataset: Dataset,
    survey: Survey,
    duplicates: Duplicates,
    is_own: bool,
}

impl DataCard {
    /// Reads a data set: of the user's own, whatever can be read, at the size of its first image.
    ///
    /// # Errors   as the data set's reader
    pub fn read(name: &str, sources: &Sources, progress: &dyn Progress) -> anyhow::Result<Self> {
        let is_own = name == registry::OWN;
        let (dataset, survey) = if is_own {
            let options = ImportOptions {
                any_size: true,
                unreadable: Unreadable::Skip,
                ..ImportOptions::default()
            };
            let imported = import(registry::own_path(sources)?, &options, progress)?;
            (imported.dataset, imported.survey)
        } else {
            let dataset = data::load(name, None, sources, progress)?.dataset;
            let shape = dataset.train.shape;
            let n_images = dataset.train.len() + dataset.test.len();
            let sizes = vec![([shape.height, shape.width], n_images)];
            (dataset, Survey { sizes, ..Survey::default() })
        };
        let duplicates = data::duplicates(&dataset);
        Ok(DataCard { dataset, survey, duplicates, is_own })
    }

    /// Writes the picture and says where: images as they are, or one per class with changed copies.
    ///
    /// # Errors   what the picture says, or a file that cannot be written
    pub fn write_sheet(
        &self,
        out: Option<PathBuf>,
        augment: Option<(Transforms, u64)>,
    ) -> anyhow::Result<(PathBuf, &'static str)> {
        let train = &self.dataset.train;
        let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.png", self.dataset.name)));
        let one_per_class = data::sheet::one_per_class(train, self.dataset.n_classes());
        let (png, shown) = match augment {
            None => {
                let n_shown = N_SHOWN.min(train.len());
                let mut rows: Vec<usize> =
                    (0..n_shown).map(|nth| nth * train.len() / n_shown).collect();
                rows.extend(one_per_class);
                let (small, rows) = data::sheet::thumbnails(train, &rows);
                let png = data::contact_sheet(&small, &rows, 5)?;
                (png, "25 images of all and one per class")
            }
            Some((transforms, seed)) => {
                let png = data::sheet::changed_sheet(train, &one_per_class, &transforms, seed)?;
                (png, "one image per class and 7 changed copies of each")
            }
        };
        std::fs::write(&out, png).with_context(|| format!("cannot write `{}`", out.display()))?;
        Ok((out, shown))
    }

    /// Prints the card.
    ///
    /// # Errors   if standard output is closed
    pub fn print(&self, sheet: &(PathBuf, &str), as_json: bool) -> std::io::Result<()> {
        let mut out = stdout().lock();
        if as_json {
            return writeln!(out, "{:#}", self.json(sheet));
        }
        let data = &self.dataset;
        let shape = data.train.shape;
        let origin = if data.synthetic { "SYNTHETIC (generated)" } else { "real images" };
        writeln!(out, "{}: {origin}", data.name)?;
        writeln!(
            out,
            "{} training and {} test images{}, {}x{} pixels, {} channel(s)",
            data.train.len(),
            data.test.len(),
            if self.survey.was_split { " (split off)" } else { "" },
            shape.height,
            shape.width,
            shape.channels
        )?;
        self.print_sizes(&mut out)?;
        self.print_faults(&mut out)?;
        writeln!(out, "\n{:>5}  {:<20} {:>8} {:>8}", "class", "name", "train", "test")?;
        for (class, name, n_train, n_test) in self.classes() {
            writeln!(out, "{class:>5}  {name:<20} {n_train:>8} {n_test:>8}")?;
        }
        writeln!(out, "\n{}: {}", sheet.1, sheet.0.display())
    }

    fn print_sizes(&self, out: &mut impl Write) -> std::io::Result<()> {
        let sizes = &self.survey.sizes;
        if sizes.len() < 2 {
            return Ok(());
        }
        writeln!(out, "\nsizes differ (height x width), here brought to that of the first:")?;
        let mut by_count: Vec<_> = sizes.iter().collect();
        by_count.sort_by_key(|(_, n_images)| std::cmp::Reverse(*n_images));
        for ([height, width], n_images) in by_count.iter().take(N_LISTED) {
            writeln!(out, "  {height}x{width}: {n_images}")?;
        }
        more(out, sizes.len())?;
        let [height, width] = by_count[0].0;
        writeln!(out, "a run needs one: `--set data.size=[{height},{width}]`, for example")
    }

    fn print_faults(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Survey { unreadable, n_ignored, .. } = &self.survey;
        if !unreadable.is_empty() {
            writeln!(out, "\n{} files cannot be read:", unreadable.len())?;
            for (path, fault) in unreadable.iter().take(N_LISTED) {
                writeln!(out, "  {}: {fault}", path.display())?;
            }
            more(out, unreadable.len())?;
        }
        if *n_ignored > 0 {
            writeln!(out, "{n_ignored} files are no images by their names")?;
        }
        let found = &self.duplicates;
        writeln!(
            out,
            "duplicates: {} test images are training images too; {} training images stand there \
             before, {} of them with another label",
            found.test_in_train, found.within_train, found.within_train_other_label
        )
    }

    /// Number, name, training and test images of each class.
    fn classes(&self) -> Vec<(usize, &str, usize, usize)> {
        let (train, test) = (self.dataset.train.class_counts(), self.dataset.test.class_counts());
        let count = |counts: &[usize], class: usize| counts.get(class).copied().unwrap_or(0);
        let names = self.dataset.class_names.iter().enumerate();
        names
            .map(|(class, name)| (class, name.as_str(), count(&train, class), count(&test, class)))
            .collect()
    }

    fn json(&self, (sheet, _): &(PathBuf, &str)) -> Value {
        let classes: Vec<_> = self
            .classes()
            .into_iter()
            .map(|(class, name, n_train, n_test)| {
                json!({"class": class, "name": name, "n_train": n_train, "n_test": n_test})
            })
            .collect();
        let sizes: Vec<_> = self
            .survey
            .sizes
            .iter()
            .map(|([height, width], n_images)| {
                json!({"height": height, "width": width, "n_images": n_images})
            })
            .collect();
        let unreadable: Vec<_> = self
            .survey
            .unreadable
            .iter()
            .map(|(path, fault)| {
                json!({"path": path.to_string_lossy(), "reason": fault.to_string()})
            })
            .collect();
        json!({
            "name": self.dataset.name,
            "own": self.is_own,
            "synthetic": self.dataset.synthetic,
            "shape": self.dataset.train.shape,
            "n_train": self.dataset.train.len(),
            "n_validation": self.dataset.validation_idx.len(),
            "n_test": self.dataset.test.len(),
            "test_was_split_off": self.survey.was_split,
            "classes": classes,
            "sizes": sizes,
            "unreadable": unreadable,
            "n_ignored": self.survey.n_ignored,
            "duplicates": self.duplicates,
            "sheet": sheet,
        })
    }
}

/// Says how many are not listed.
fn more(out: &mut impl Write, n_items: usize) -> std::io::Result<()> {
    match n_items.saturating_sub(N_LISTED) {
        0 => Ok(()),
        n_more => writeln!(out, "  and {n_more} more (`--json` has all)"),
    }
}
