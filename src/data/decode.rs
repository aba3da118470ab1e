//! Encoded images: PNG and JPEG bytes to pixels, whoever sent them.
//!
//! What a file is, its content says, not its name. The header is read first, and nothing is
//! allocated for an image larger than [`DecodeLimits`] allow.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::{DataError, ImageShape};

/// How large an image may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Most pixels, height times width.
    pub max_pixels: u64,
    /// Most pixels along a side.
    pub max_side: u32,
}

impl Default for DecodeLimits {
    /// 64 megapixels and 32,768 pixels a side: any photograph, at most 512 MiB while it is decoded.
    fn default() -> Self {
        DecodeLimits { max_pixels: 64 << 20, max_side: 32_768 }
    }
}

/// Why bytes are no image that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Neither PNG nor JPEG.
    #[error("{} is neither a PNG nor a JPEG image", .found)]
    NotAnImage {
        /// What it looks like.
        found: String,
    },
    /// The header promises more than the limits allow.
    #[error(
        "the image has {width} x {height} pixels, at most {} and {} a side are read",
        .limits.max_pixels, .limits.max_side
    )]
    TooLarge {
        /// Columns of pixels.
        width: u32,
        /// Rows of pixels.
        height: u32,
        /// What was allowed.
        limits: DecodeLimits,
    },
    /// The image breaks the rules of its format.
    #[error("damaged {format} image: {reason}")]
    Damaged {
        /// `PNG` or `JPEG`.
        format: &'static str,
        /// What the decoder met.
        reason: String,
    },
}

/// An image in memory: gray or colour, 8 bits a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Height, width and 1 or 3 channels.
    pub shape: ImageShape,
    /// `[shape.n_pixels()]`: rows of pixels, channel fastest.
    pub pixels: Vec<u8>,
}

/// Decodes a PNG or a JPEG image.
///
/// 16 bits a channel become 8, palettes colours; what is not opaque is laid on white, as a page
/// would show it; a photograph is turned as its EXIF data say. One channel if the file has one,
/// else three.
///
/// # Errors
/// [`DataError::Image`]: no image, a damaged one, or one beyond `limits`.
/// # Cost
/// At most 8 bytes a pixel while decoding, besides `bytes`
pub fn decode_image(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DataError> {
    Ok(decode(bytes, limits)?)
}

/// Height and width that the header of a PNG or JPEG image promises, before EXIF data turn it.
///
/// # Errors
/// As [`decode_image`], for what the header shows.
pub fn image_size(bytes: &[u8], limits: &DecodeLimits) -> Result<[usize; 2], DataError> {
    Ok(size(bytes, limits)?)
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, ImageFault> {
    let (format, mut decoder) = open(bytes, limits)?;
    let damaged =
        |error: image::ImageError| ImageFault::Damaged { format, reason: error.to_string() };
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok(flatten(image))
}

pub(super) fn size(bytes: &[u8], limits: &DecodeLimits) -> Result<[usize; 2], ImageFault> {
    let (_, decoder) = open(bytes, limits)?;
    let (width, height) = decoder.dimensions();
    Ok([height as usize, width as usize])
}

/// The format by content, and a decoder that has read the header and reserves no more than `limits`
/// allow.
fn open<'a>(
    bytes: &'a [u8],
    limits: &DecodeLimits,
) -> Result<(&'static str, impl ImageDecoder + 'a), ImageFault> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        Ok(other) => {
            let extension = other.extensions_str().first().copied().unwrap_or_default();
            return Err(ImageFault::NotAnImage { found: format!("a `{extension}` file") });
        }
        Err(_) => {
            let found = match bytes {
                [] => "an empty file".to_owned(),
                bytes => format!("what starts with {:02x?}", &bytes[..bytes.len().min(4)]),
            };
            return Err(ImageFault::NotAnImage { found });
        }
    };
    let name = if format == ImageFormat::Png { "PNG" } else { "JPEG" };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut reserved = image::Limits::default();
    // The decoder's own buffers; sides are checked by us, with an error that says them.
    reserved.max_alloc = Some(limits.max_pixels.saturating_mul(8).saturating_add(1 << 20));
    reader.limits(reserved);
    let decoder = reader
        .into_decoder()
        .map_err(|error| ImageFault::Damaged { format: name, reason: error.to_string() })?;
    check(decoder.dimensions(), limits)?;
    Ok((name, decoder))
}

fn check((width, height): (u32, u32), limits: &DecodeLimits) -> Result<(), ImageFault> {
    let n_pixels = u64::from(width) * u64::from(height);
    if width.max(height) > limits.max_side || n_pixels > limits.max_pixels {
        return Err(ImageFault::TooLarge { width, height, limits: *limits });
    }
    Ok(())
}

/// 8 bits a channel, opaque.
fn flatten(image: DynamicImage) -> Decoded {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let color = image.color();
    let (channels, pixels) = match (color.has_color(), color.has_alpha()) {
        (false, false) => (1, image.into_luma8().into_raw()),
        (false, true) => (1, on_white::<2>(&image.into_luma_alpha8().into_raw())),
        (true, false) => (3, image.into_rgb8().into_raw()),
        (true, true) => (3, on_white::<4>(&image.into_rgba8().into_raw())),
    };
    Decoded { shape: ImageShape { height, width, channels }, pixels }
}

/// Pixels of `N` channels, the last of them opacity, laid on white.
fn on_white<const N: usize>(pixels: &[u8]) -> Vec<u8> {
    let mut opaque = Vec::with_capacity(pixels.len() / N * (N - 1));
    for pixel in pixels.chunks_exact(N) {
        let alpha = u32::from(pixel[N - 1]);
        opaque.extend(
            pixel[..N - 1]
                .iter()
                .map(|&value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8),
        );
    }
    opaque
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    fn png(pixels: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(pixels, width, height, color)
            .unwrap();
        bytes
    }

    fn decoded(bytes: &[u8]) -> Decoded {
        decode_image(bytes, &DecodeLimits::default()).unwrap()
    }

    fn fault(bytes: &[u8]) -> ImageFault {
        match decode_image(bytes, &DecodeLimits::default()) {
            Err(DataError::Image(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    /// The header of a PNG that claims a size, then its palette-less gray data missing.
    fn claiming(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png(&[0], 1, 1, ExtendedColorType::L8);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    }

    #[test]
    fn depths_and_opacity_become_eight_opaque_bits() {
        let gray = decoded(&png(&[1, 2, 3, 4, 5, 6], 3, 2, ExtendedColorType::L8));
        assert_eq!(gray.shape, ImageShape { height: 2, width: 3, channels: 1 });
        assert_eq!(gray.pixels, [1, 2, 3, 4, 5, 6]);
        let deep: Vec<u8> = [0u16, 257, 65535].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(decoded(&png(&deep, 3, 1, ExtendedColorType::L16)).pixels, [0, 1, 255]);
        let half = png(&[0, 100, 200, 128, 9, 9, 9, 0], 2, 1, ExtendedColorType::Rgba8);
        assert_eq!(decoded(&half).pixels, [127, 177, 227, 255, 255, 255]);
    }

    #[test]
    fn a_jpeg_is_told_by_its_content() {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100)
            .write_image(&[200; 8 * 8 * 3], 8, 8, ExtendedColorType::Rgb8)
            .unwrap();
        let found = decoded(&bytes);
        assert_eq!(found.shape, ImageShape { height: 8, width: 8, channels: 3 });
        assert!(found.pixels.iter().all(|&value| value.abs_diff(200) <= 2), "{:?}", found.pixels);
    }

    #[test]
    fn a_size_beyond_the_limits_is_refused_by_its_header() {
        for (width, height) in [(100_000, 100_000), (40_000, 1), (10_000, 10_000)] {
            let bytes = claiming(width, height);
            let limits = DecodeLimits::default();
            assert_eq!(fault(&bytes), ImageFault::TooLarge { width, height, limits });
            assert!(image_size(&bytes, &limits).is_err());
        }
    }

    #[test]
    fn every_shorter_file_is_an_error_and_never_a_panic() {
        let whole = png(&(0..=255).collect::<Vec<u8>>(), 16, 16, ExtendedColorType::L8);
        // The last 12 bytes are the end chunk, which readers do not insist on.
        for n_kept in 0..whole.len() - 12 {
            fault(&whole[..n_kept]);
        }
        let mut flipped = whole.clone();
        flipped[50] ^= 0x10;
        assert!(matches!(fault(&flipped), ImageFault::Damaged { format: "PNG", .. }));
    }

    #[test]
    fn what_is_no_image_is_named() {
        for (bytes, found) in
            [(&b""[..], "empty file"), (b"GIF89a...", "`gif` file"), (b"hello", "68, 65, 6c")]
        {
            let error = fault(bytes).to_string();
            assert!(error.contains(found), "{error}");
        }
    }
}
