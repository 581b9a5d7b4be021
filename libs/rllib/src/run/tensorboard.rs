//! TensorBoard event files, written by hand: a `TFRecord` frame around a protobuf `Event` per point in time.
//!
//! A frame is the length of its data (`u64`), the masked CRC-32C of the length, the data, the masked CRC-32C of the
//! data; all little-endian. An `Event` has `wall_time` (field 1, double), `step` (2, varint) and either `file_version`
//! (3, text) or `summary` (5), which is a list (1) of values with `tag` (1, text) and `simple_value` (2, float).

use super::append::AppendOnly;
use crate::error::{Error, Result};
use crate::metrics::{METRICS, Report};
use std::fs::File;
use std::path::Path;

/// Writes scalars that TensorBoard shows.
#[derive(Debug)]
pub struct EventWriter {
    file: AppendOnly<File>,
}

impl EventWriter {
    /// Creates `events.out.tfevents.<time>.raytree` in a folder; `unix_s` is the current time in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create(folder: &Path, unix_s: f64) -> Result<Self> {
        let path = folder.join(format!("events.out.tfevents.{:010}.raytree", unix_s as u64));
        let file = File::create_new(&path).map_err(Error::io("create", &path))?;
        let mut writer = Self { file: AppendOnly::new(file, &path) };
        writer.write(&encode_event(unix_s, 0, |event| bytes(event, 3, b"brain.Event:2")))?;
        Ok(writer)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Adds scalars, by tag, at a step. `unix_s` is the current time in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::Io`].
    pub fn scalars(&mut self, unix_s: f64, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let event = encode_event(unix_s, step, |event| {
            let mut summary = Vec::new();
            for (tag, scalar) in scalars {
                let mut value = Vec::new();
                bytes(&mut value, 1, tag.as_bytes());
                value.push(2 << 3 | FIXED32);
                value.extend_from_slice(&(*scalar as f32).to_le_bytes());
                bytes(&mut summary, 1, &value);
            }
            bytes(event, 5, &summary);
        });
        self.write(&event)
    }

    /// Adds every metric of a report that has a value, over environment steps.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::Io`].
    pub fn report(&mut self, unix_s: f64, report: &Report) -> Result<()> {
        let values = METRICS.iter().zip(report.values());
        let scalars: Vec<(&str, f64)> =
            values.filter_map(|(metric, value)| Some((metric.name, value?))).collect();
        self.scalars(unix_s, report.env_steps, &scalars)
    }

    fn write(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut frame = Vec::with_capacity(event.len() + 16);
        frame.extend_from_slice(&length);
        frame.extend_from_slice(&masked_crc(&length).to_le_bytes());
        frame.extend_from_slice(event);
        frame.extend_from_slice(&masked_crc(event).to_le_bytes());
        self.file.append(&frame)
    }
}

/// Protobuf wire types.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED32: u8 = 5;

fn encode_event(unix_s: f64, step: u64, what: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED64];
    event.extend_from_slice(&unix_s.to_le_bytes());
    event.push(2 << 3 | VARINT);
    varint(&mut event, step);
    what(&mut event);
    event
}

/// A field of bytes, a text or a message.
fn bytes(to: &mut Vec<u8>, field: u8, content: &[u8]) {
    to.push(field << 3 | LENGTH);
    varint(to, content.len() as u64);
    to.extend_from_slice(content);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// The checksum of the frame format: CRC-32C, rotated and offset so that data may itself hold checksums.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32C bit by bit, to check against.
    fn slow_crc(data: &[u8]) -> u32 {
        !data.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
            })
        })
    }

    fn slow_masked(data: &[u8]) -> u32 {
        let crc = u64::from(slow_crc(data));
        // Rotated by way of twice the width.
        let rotated = ((crc | crc << 32) >> 15) as u32;
        rotated.wrapping_add(0xa282_ead8)
    }

    fn take<const N: usize>(from: &mut &[u8]) -> [u8; N] {
        let (head, tail) = from.split_at(N);
        *from = tail;
        head.try_into().unwrap()
    }

    fn read_varint(from: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let [byte] = take::<1>(from);
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// Any protobuf message as `(field, content)` pairs.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        while !message.is_empty() {
            let key = read_varint(&mut message);
            let content = match key & 7 {
                0 => read_varint(&mut message).to_le_bytes().to_vec(),
                1 => take::<8>(&mut message).to_vec(),
                5 => take::<4>(&mut message).to_vec(),
                2 => {
                    let length = read_varint(&mut message) as usize;
                    let (head, tail) = message.split_at(length);
                    message = tail;
                    head.to_vec()
                }
                other => panic!("wire type {other}"),
            };
            found.push((key >> 3, content));
        }
        found
    }

    fn events(mut file: &[u8]) -> Vec<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let length = take::<8>(&mut file);
            assert_eq!(u32::from_le_bytes(take(&mut file)), slow_masked(&length));
            let (data, rest) = file.split_at(u64::from_le_bytes(length) as usize);
            file = rest;
            assert_eq!(u32::from_le_bytes(take(&mut file)), slow_masked(data));
            found.push(fields(data));
        }
        found
    }

    #[test]
    fn an_independent_reader_finds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), 1_795_257_480.5).unwrap();
        writer.scalars(1_795_257_481.25, 300, &[("loss", 0.5), ("a/b", -2.0)]).unwrap();
        let report = Report { env_steps: 70_000, entropy: Some(0.25), ..Report::default() };
        writer.report(1_795_257_482.0, &report).unwrap();
        let name = writer.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(name, "events.out.tfevents.1795257480.raytree");

        let events = events(&std::fs::read(writer.path()).unwrap());
        assert_eq!(events.len(), 3);
        assert_eq!(events[0][0], (1, 1_795_257_480.5f64.to_le_bytes().to_vec()));
        assert_eq!(events[0][2], (3, b"brain.Event:2".to_vec()));
        assert_eq!(events[1][1], (2, 300u64.to_le_bytes().to_vec()));
        let (5, summary) = &events[1][2] else { panic!("no summary") };
        let values: Vec<_> = fields(summary).iter().map(|(_, value)| fields(value)).collect();
        let value =
            |tag: &str, x: f32| vec![(1, tag.as_bytes().to_vec()), (2, x.to_le_bytes().to_vec())];
        assert_eq!(values, [value("loss", 0.5), value("a/b", -2.0)]);
        let (5, summary) = &events[2][2] else { panic!("no summary") };
        let tags: Vec<Vec<u8>> =
            fields(summary).iter().map(|(_, value)| fields(value)[0].1.clone()).collect();
        assert!(tags.contains(&b"entropy".to_vec()) && !tags.contains(&b"grad_norm".to_vec()));
    }

    /// The check value of CRC-32C.
    #[test]
    fn checksum() {
        assert_eq!(slow_crc(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), slow_masked(b"123456789"));
    }
}
