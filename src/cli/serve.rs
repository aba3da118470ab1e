//! `pipeline serve`: the models of a run behind a web page on this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::fitted::RunArgs;
use super::outcome::{UsageError, say};
use super::target::set_threads;
use crate::progress::Silent;
use crate::serve::{Limits, Served, serve};

/// Serve the models of a finished run: a page to drop or draw an image, and an interface for programs.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline serve cnn_svm\n  \
    pipeline serve cnn_svm --model svm_rbf_a3 --port 0\n  \
    curl -s --data-binary @shoe.png -H 'content-type: image/png' http://127.0.0.1:8765/predict")]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Stage that made the model; all models of the run if none is named.
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Address to listen on; anything but loopback lets other machines ask.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port; 0 takes any that is free.
    #[arg(long, default_value = "8765")]
    port: u16,
    /// Do not read the training images to find similar ones.
    #[arg(long)]
    no_similar: bool,
    /// Most bytes of a request, MiB.
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_body_mib: u16,
    /// Seconds until a request is given up.
    #[arg(long, default_value = "30", value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,
    /// Threads to use [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Serves until Ctrl-C.
///
/// # Errors   if the run is not there or the address cannot be had
pub fn run(args: Args) -> anyhow::Result<()> {
    let n_threads = set_threads(args.threads)?;
    let fitted = args.run.models(args.model.as_deref())?;
    let Some(first) = fitted.first() else {
        let message = format!("run `{}` has no models", args.run.name());
        return Err(UsageError::new(message, None).into());
    };
    let similar = match args.no_similar || args.run.is_exported() {
        true => None,
        false => Some(args.run.open()?.similar(Some(&first.id), None, &Silent)?),
    };
    let models = fitted.into_iter().map(|fitted| {
        let (id, title, model) = (fitted.id, fitted.title, fitted.model);
        Served { id, title, model }
    });
    let limits = Limits {
        body_bytes: usize::from(args.max_body_mib) << 20,
        time: Duration::from_secs(args.timeout.into()),
        n_at_work: n_threads,
        ..Limits::default()
    };
    let ready = |address: SocketAddr| say(&format!("http://{address}/ (Ctrl-C ends it)"));
    serve(models.collect(), similar, SocketAddr::new(args.host, args.port), limits, ready)?;
    Ok(())
}
