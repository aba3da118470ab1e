//! One function a route.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::State;
use super::answer::answers;
use super::error::Refusal;
use super::request::{Query, images};

/// The page for people.
pub(super) async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
        img-src data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("page.html")))
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Models with what they expect and answer.
pub(super) async fn models(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let documents = state.models.iter().map(|served| {
        let input = &served.model.chain.input;
        json!({
            "id": served.id,
            "title": served.title,
            "shape": input.shape,
            "class_names": input.class_names,
        })
    });
    let has_similar = state.similar.is_some();
    Json(json!({ "models": documents.collect::<Vec<_>>(), "similar": has_similar }))
}

/// The description of this interface.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}

pub(super) async fn not_found() -> Refusal {
    let message = "there is /, /predict, /models, /healthz and /openapi.json";
    Refusal::new(StatusCode::NOT_FOUND, message)
}

pub(super) async fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "POST /predict; GET all else")
}

/// Labels the images of the body.
pub(super) async fn predict(
    Shared(state): Shared<Arc<State>>,
    query: Result<axum::extract::Query<Query>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    refuse_other_pages(&headers)?;
    let query = query.map_err(|error| Refusal::bad(error.body_text()))?.0;
    query.check(&state)?;
    let body = body.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    // Who finds too many waiting is told so at once.
    let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are waiting");
    let waiting = Arc::clone(&state.waiting).try_acquire_owned().map_err(|_| busy())?;
    let at_work = Arc::clone(&state.at_work).acquire_owned().await.map_err(|_| busy())?;
    // The permits go along: a request that ran out of time is still computed to its end.
    let work = tokio::task::spawn_blocking(move || {
        let _permits = (waiting, at_work);
        let images = images(&headers, &body, &state.limits)?;
        answers(&state, &query, &images)
    });
    match work.await {
        Ok(found) => Ok(Json(found?)),
        Err(_) => {
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the image could not be labelled"))
        }
    }
}

/// A page of another site may not ask in its reader's name.
fn refuse_other_pages(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    if text(header::HOST) == Some(host) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, format!("requests from `{origin}` are not taken")))
}

/// Ends what takes too long.
pub(super) async fn bounded(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(state.limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let seconds = state.limits.time.as_secs();
            let message = format!("not answered within {seconds} seconds");
            Refusal::new(StatusCode::REQUEST_TIMEOUT, message).into_response()
        }
    }
}
