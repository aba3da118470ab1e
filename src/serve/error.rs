//! What can go wrong with a server and with a request.

use std::net::SocketAddr;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::data::DataError;
use crate::model::ModelError;

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refused something else.
    #[error("the server stopped: {0}")]
    Io(std::io::Error),
}

impl ServeError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ServeError::Bind { .. } => {
                Some("choose another by `--port N`; 0 takes any that is free".to_owned())
            }
            ServeError::Io(_) => None,
        }
    }
}

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into() }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<DataError> for Refusal {
    fn from(error: DataError) -> Self {
        let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}{hint}"))
    }
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::PixelCount { .. } => Refusal::bad(error.to_string()),
            other => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let document =
            json!({ "error": { "status": self.status.as_u16(), "message": self.message } });
        let mut response = (self.status, Json(document)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(1));
        }
        response
    }
}
