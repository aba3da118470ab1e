//! A web server on this machine: drop or draw an image, see what every model of a run says.
//!
//! `GET /` is the page, `POST /predict` takes PNG, JPEG or JSON, `GET /models`, `/healthz` and
//! `/openapi.json` are for programs. Whatever comes in is bounded: bytes of a body, pixels of an
//! image, images of a request, requests at work, seconds. What is wrong with a request it says as
//! JSON, and it goes on.

mod answer;
mod error;
mod handlers;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::data::DecodeLimits;
use crate::model::{Model, SimilarIndex};

pub use error::ServeError;

/// A model as it is served.
pub struct Served {
    /// Its name in requests and answers.
    pub id: String,
    /// Its title for people.
    pub title: String,
    /// The model.
    pub model: Model,
}

/// What a server bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Pixels of an image.
    pub image: DecodeLimits,
    /// Images of one request.
    pub n_images: usize,
    /// Requests that are computed at the same time; others wait.
    pub n_at_work: usize,
    /// Requests that wait, beyond which one is told to come back.
    pub n_waiting: usize,
    /// How long a request may take from its first header to its answer.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes: 8 << 20,
            image: DecodeLimits { max_pixels: 16 << 20, max_side: 16_384 },
            n_images: 256,
            n_at_work: 4,
            n_waiting: 256,
            time: Duration::from_secs(30),
        }
    }
}

/// What requests read.
struct State {
    models: Vec<Served>,
    similar: Option<SimilarIndex>,
    limits: Limits,
    at_work: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Serves models until the process is asked to end; requests at work are answered first. `ready` is
/// told the address once requests are taken.
///
/// # Errors
/// [`ServeError::Bind`] where the address cannot be had; [`ServeError::Io`].
pub fn serve(
    models: Vec<Served>,
    similar: Option<SimilarIndex>,
    address: SocketAddr,
    limits: Limits,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let state = Arc::new(State {
        models,
        similar,
        limits,
        at_work: Arc::new(Semaphore::new(limits.n_at_work)),
        waiting: Arc::new(Semaphore::new(limits.n_at_work + limits.n_waiting)),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(limits.n_at_work.max(1))
        .enable_all()
        .build()
        .map_err(ServeError::Io)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Bind { address, source })?;
        ready(listener.local_addr().map_err(ServeError::Io)?);
        axum::serve(listener, router(state))
            .with_graceful_shutdown(asked_to_end())
            .await
            .map_err(ServeError::Io)
    })
}

fn router(state: Arc<State>) -> Router {
    let n_bytes = state.limits.body_bytes;
    Router::new()
        .route("/", get(handlers::page))
        .route("/healthz", get(handlers::health))
        .route("/models", get(handlers::models))
        .route("/openapi.json", get(handlers::openapi))
        .route("/predict", post(handlers::predict))
        .fallback(handlers::not_found)
        .method_not_allowed_fallback(handlers::method_not_allowed)
        .layer(DefaultBodyLimit::max(n_bytes))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), handlers::bounded))
        .with_state(state)
}

/// Ends with Ctrl-C or a request to terminate.
async fn asked_to_end() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::pin!(interrupted, terminated);
    std::future::poll_fn(|context| {
        use std::future::Future;
        if interrupted.as_mut().poll(context).is_ready()
            || terminated.as_mut().poll(context).is_ready()
        {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
}
