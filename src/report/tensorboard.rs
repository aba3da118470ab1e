//! Curves of a network as a TensorBoard event file.
//!
//! ```text
//! file    = record*
//! record  = length: u64, masked CRC of its bytes: u32, event, masked CRC of the event: u32
//! event   = wall_time: double = 1, step: int64 = 2, file_version: string = 3, summary = 5
//! summary = value* = 1          value = tag: string = 1, simple_value: float = 2
//! ```
//!
//! Little-endian; events are protocol buffers (`tensorflow/core/util/event.proto`). Written by hand:
//! it is five fields of two messages.

use super::NetworkCard;
use crate::metrics::EpochRecord;

/// Tags with what they show.
const SCALARS: [(&str, fn(&EpochRecord) -> Option<f64>); 5] = [
    ("loss/train", |epoch| Some(epoch.train_loss)),
    ("loss/validation", |epoch| epoch.validation_loss),
    ("accuracy/train", |epoch| Some(epoch.train_accuracy)),
    ("accuracy/validation", |epoch| epoch.validation_accuracy),
    ("learning_rate", |epoch| Some(epoch.learning_rate)),
];

/// Bytes of the event file of a network whose training began `started` seconds after 1970; one
/// event per epoch, timed by the seconds that the epochs took.
pub fn events(network: &NetworkCard, started: f64) -> Vec<u8> {
    let mut file = record(&event(started, 0, 3, b"brain.Event:2"));
    let mut wall_time = started;
    for epoch in &network.history {
        wall_time += epoch.seconds;
        let mut summary = Vec::new();
        for (tag, value) in SCALARS {
            if let Some(value) = value(epoch) {
                let mut scalar = Vec::new();
                bytes_field(&mut scalar, 1, tag.as_bytes());
                scalar.push(key(2, FIXED32));
                scalar.extend((value as f32).to_le_bytes());
                bytes_field(&mut summary, 1, &scalar);
            }
        }
        file.extend(record(&event(wall_time, epoch.epoch as u64, 5, &summary)));
    }
    file
}

/// Name of the file; TensorBoard looks for `tfevents` and sorts by the second.
pub fn file_name(started: f64) -> String {
    format!("events.out.tfevents.{started:.0}.pipeline")
}

// Wire types of protocol buffers.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

fn key(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(key(field, BYTES));
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// An event whose content is the bytes of `field`; step 0 is the default and not written.
fn event(wall_time: f64, step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![key(1, FIXED64)];
    out.extend(wall_time.to_le_bytes());
    if step > 0 {
        out.push(key(2, VARINT));
        varint(&mut out, step);
    }
    bytes_field(&mut out, field, content);
    out
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(event);
    out.extend(masked_crc(event).to_le_bytes());
    out
}

/// CRC of bytes that hold CRCs is weak, so TensorFlow stores it rotated and shifted.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: the files are a few kilobytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_castagnolis() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    // The fixture is made by tests/reference/tensorboard_events.py with TensorBoard's own writer.
    #[test]
    fn bytes_are_those_of_tensorboards_writer() {
        let text = include_str!("../../tests/reference/tensorboard_events.json");
        let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
        let epoch = |epoch: usize, validation: Option<f64>| EpochRecord {
            epoch,
            train_loss: 0.75 / epoch as f64,
            train_accuracy: 0.5,
            validation_loss: validation,
            validation_accuracy: validation.map(|loss| 1.0 - loss),
            learning_rate: 0.001,
            seconds: 2.5,
        };
        let network = NetworkCard {
            id: "net".into(),
            architecture: "a3".into(),
            layers: Vec::new(),
            // A step above 127 takes two bytes.
            history: vec![epoch(1, Some(0.25)), epoch(2, None), epoch(300, Some(0.125))],
            best_epoch: 1,
        };
        let hex: String =
            events(&network, 1_700_000_000.25).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, fixture["hex"].as_str().unwrap());
    }
}
