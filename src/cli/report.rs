//! `pipeline report`: write the page of a run again, or join several runs in one page.

use std::io::Write;
use std::path::PathBuf;

use super::outcome::UsageError;
use crate::report::{self, RunOutput};

/// Write the page of a run again, or one page of several runs.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline report cnn_svm\n  \
    pipeline report cnn_svm svm_raw --out reports/both")]
pub struct Args {
    /// Runs: a run directory, NAME (its newest run) or NAME/RUN.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    /// New directory for the page; without it the page of a single run is written in its place.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
}

/// Writes the page and prints where it is.
///
/// # Errors   if a run is missing or damaged, or the page cannot be written
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut dirs = Vec::new();
    for name in &args.runs {
        let dir = report::find_run(&args.reports, name)?;
        if dirs.contains(&dir) {
            let message = format!("run `{name}` is named twice");
            return Err(UsageError::new(message, "name each run once".to_owned()).into());
        }
        dirs.push(dir);
    }
    let outputs =
        dirs.iter().map(|dir| report::read_output(dir)).collect::<Result<Vec<RunOutput>, _>>()?;
    let place = match (args.out, &outputs[..]) {
        (Some(out), [single]) => {
            report::write_page(&out, single)?;
            out
        }
        (None, [single]) => {
            report::rewrite_page(&dirs[0], single)?;
            dirs.swap_remove(0)
        }
        (Some(out), several) => {
            report::join(several).map_or(Ok(()), |joined| report::write_page(&out, &joined))?;
            out
        }
        (None, _) => {
            let hint = "say where with `--out DIR`".to_owned();
            return Err(UsageError::new("several runs in one page need a place", hint).into());
        }
    };
    writeln!(std::io::stdout(), "{}", place.join("report.html").display())?;
    Ok(())
}
