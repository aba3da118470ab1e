//! What a request asks: images and how to answer.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::Refusal;
use super::{Limits, State};
use crate::data::{Decoded, ImageShape, decode_image};

/// The part of the address behind `?`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Query {
    /// Model to ask; all if none.
    pub model: Option<String>,
    /// Turn dark into light first.
    pub invert: bool,
    /// Cut out, scale and centre first.
    pub centre: bool,
    /// Most similar training images to give.
    pub similar: usize,
    /// Whether to give a heat map of each model's class.
    pub heat: bool,
}

/// Most similar images that one request may ask for.
const MAX_SIMILAR: usize = 100;

/// A JSON body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    images: Vec<Image>,
}

/// One image of a JSON body.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Image {
    /// An encoded PNG or JPEG image in base64.
    Encoded { data: String },
    /// Values from 0 to 255: rows of pixels, channel fastest.
    Pixels {
        pixels: Vec<u8>,
        height: usize,
        width: usize,
        #[serde(default = "one")]
        channels: usize,
    },
}

fn one() -> usize {
    1
}

impl Query {
    /// Checks it against what is served.
    pub fn check(&self, state: &State) -> Result<(), Refusal> {
        if let Some(id) = &self.model
            && state.models.iter().all(|model| model.id != *id)
        {
            let known: Vec<&str> = state.models.iter().map(|model| model.id.as_str()).collect();
            let message = format!("no model `{id}`; there are {}", known.join(", "));
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
        if self.similar > MAX_SIMILAR {
            let message = format!("`similar` is {}, at most {MAX_SIMILAR}", self.similar);
            return Err(Refusal::bad(message));
        }
        if self.similar > 0 && state.similar.is_none() {
            return Err(Refusal::bad("this server has no training images to compare with"));
        }
        Ok(())
    }
}

/// The images of a body, by what its header says it is.
pub(super) fn images(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<Vec<Decoded>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match kind {
        "application/json" => from_json(body, limits),
        "image/png" | "image/jpeg" | "application/octet-stream" | "" => {
            Ok(vec![decode_image(body, &limits.image)?])
        }
        other => {
            let message = format!(
                "content type `{other}`; expected image/png, image/jpeg or application/json"
            );
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
    }
}

fn from_json(body: &[u8], limits: &Limits) -> Result<Vec<Decoded>, Refusal> {
    let Body { images } = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad(format!(
            "{error}; expected {{\"images\": [{{\"pixels\": […], \"height\": H, \"width\": W}}]}} or \
             {{\"images\": [{{\"data\": \"base64 of a PNG or JPEG\"}}]}}"
        ))
    })?;
    if images.is_empty() || images.len() > limits.n_images {
        let (found, most) = (images.len(), limits.n_images);
        return Err(Refusal::bad(format!("{found} images, expected 1 to {most}")));
    }
    images.into_iter().enumerate().map(|(nth, image)| decoded(nth, image, limits)).collect()
}

fn decoded(nth: usize, image: Image, limits: &Limits) -> Result<Decoded, Refusal> {
    match image {
        Image::Encoded { data } => {
            let bytes = STANDARD
                .decode(data)
                .map_err(|error| Refusal::bad(format!("image {nth}: no base64: {error}")))?;
            Ok(decode_image(&bytes, &limits.image)?)
        }
        Image::Pixels { pixels, height, width, channels } => {
            let n_values = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
            let is_image = (channels == 1 || channels == 3) && height > 0 && width > 0;
            if !is_image || n_values != Some(pixels.len()) {
                return Err(Refusal::bad(format!(
                    "image {nth}: {} values for {height} x {width} pixels in {channels} channels; \
                     expected height * width * channels of them, channels 1 or 3",
                    pixels.len()
                )));
            }
            Ok(Decoded { shape: ImageShape { height, width, channels }, pixels })
        }
    }
}
