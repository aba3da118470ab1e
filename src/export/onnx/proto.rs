//! Protocol buffers, as much of them as writing a model takes.
//!
//! A message is its fields one after another: `(number << 3 | wire type)`, then a variable-length integer
//! (wire type 0), four bytes (5), or a length and that many bytes (2). Numbers and types of the fields are
//! those of `onnx.proto3`; of what we write these are about thirty, which is why no schema compiler and no
//! library is at work here.

/// An encoded message.
#[derive(Default)]
pub struct Message(Vec<u8>);

const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    /// The encoded bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.tag(field, VARINT);
        push_varint(&mut self.0, value as u64);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.tag(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.tag(field, BYTES);
        push_varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: Message) -> Self {
        self.bytes(field, &value.0)
    }

    /// Repeated integers, packed.
    pub fn ints(self, field: u64, values: &[i64]) -> Self {
        let mut packed = Vec::with_capacity(2 * values.len());
        values.iter().for_each(|&value| push_varint(&mut packed, value as u64));
        self.bytes(field, &packed)
    }

    fn tag(&mut self, field: u64, wire: u64) {
        push_varint(&mut self.0, field << 3 | wire);
    }
}

/// Seven bits a byte, lowest first; the eighth says that more follow.
fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
pub mod reader {
    //! Reads messages back, in tests.

    /// One field: its number, and its integer or its bytes.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Field<'a> {
        pub number: u64,
        pub int: u64,
        pub bytes: &'a [u8],
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// The fields of a message.
    pub fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let mut field = Field { number: tag >> 3, int: 0, bytes: &[] };
            match tag & 7 {
                0 => field.int = varint(&mut bytes),
                wire => {
                    let length = if wire == 5 { 4 } else { varint(&mut bytes) as usize };
                    (field.bytes, bytes) = bytes.split_at(length);
                }
            }
            found.push(field);
        }
        found
    }

    /// The fields of a number, as bytes.
    pub fn all(bytes: &[u8], number: u64) -> Vec<&[u8]> {
        fields(bytes).into_iter().filter(|f| f.number == number).map(|f| f.bytes).collect()
    }

    /// The first field of a number, as text.
    pub fn text(bytes: &[u8], number: u64) -> String {
        all(bytes, number)
            .first()
            .map(|b| String::from_utf8_lossy(b).into_owned())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::reader::fields;
    use super::*;

    #[test]
    fn bytes_are_those_of_the_wire_format() {
        // `150` in field 1 and `"testing"` in field 2 are the examples of the format's documentation.
        let message = Message::new().int(1, 150).text(2, "testing");
        let expected = [0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        assert_eq!(message.into_bytes(), expected);
        assert_eq!(
            Message::new().ints(4, &[3, 270, 86942]).into_bytes()[1..],
            [6, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]
        );
        assert_eq!(Message::new().float(2, 1.0).into_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
    }

    #[test]
    fn negative_integers_take_ten_bytes_and_come_back() {
        let bytes = Message::new().int(3, -1).into_bytes();
        assert_eq!(bytes.len(), 11);
        assert_eq!(fields(&bytes)[0].int as i64, -1);
    }
}
