use super::*;
use crate::spill::FileId;

const KEY: Key = Key(0x1234_5678_9abc_def0_0fed_cba9_8765_4321);

fn bytes(len: usize) -> Vec<u8> {
    let mut word = 88_172_645_463_325_252_u64;
    let next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn record(object: &[u8]) -> (Vec<u8>, Extent) {
    let mut file = Vec::new();
    let checksum = write(&mut file, KEY, object).unwrap();
    assert_eq!(file.len() as u64, span(object.len() as u64));
    (file, Extent { file: FileId(0), offset: 0, len: object.len() as u64, checksum })
}

/// What is read, or what is wrong.
fn read_all(mut file: &[u8], key: Key, at: &Extent) -> Result<Vec<u8>, Damage> {
    let mut into = vec![0xee; at.len as usize];
    match read(&mut file, key, at, &mut into) {
        Ok(()) => Ok(into),
        Err(Unread::Damaged(damage)) => Err(damage),
        Err(Unread::Io(error)) => panic!("{error}"),
    }
}

fn read_some(file: &[u8], at: &Extent, part: Range<u64>) -> Result<Vec<u8>, Damage> {
    let mut into = vec![0xee; (part.end - part.start) as usize];
    let chunks = Chunks::of(at.len, &part);
    // A file that is cut off has nothing behind its end.
    let get = |part: Range<u64>| {
        let end = part.end.min(file.len() as u64);
        &file[part.start.min(end) as usize..end as usize]
    };
    let sums = chunks.read_sums(&mut get(chunks.sums()));
    let done = sums
        .and_then(|sums| chunks.read(&mut get(chunks.bytes()), KEY, &sums, part.start, &mut into));
    match done {
        Ok(()) => Ok(into),
        Err(Unread::Damaged(damage)) => Err(damage),
        Err(Unread::Io(error)) => panic!("{error}"),
    }
}

const MIB: usize = CHUNK as usize;

#[test]
fn sr_1_objects_of_any_length_come_back() {
    for len in [0, 1, 63, 64, 65, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 17] {
        let object = bytes(len);
        let (file, at) = record(&object);
        assert!(read_all(&file, KEY, &at).unwrap() == object, "{len} bytes");
    }
}

#[test]
fn sr_1_parts_of_an_object_come_back() {
    let object = bytes(3 * MIB + 17);
    let (file, at) = record(&object);
    let end = object.len();
    for (from, to) in [
        (0, end),
        (0, 1),
        (end - 1, end),
        (MIB, 2 * MIB),
        (MIB - 1, MIB + 1),
        (5, 3 * MIB + 5),
        (3 * MIB, end),
        (3 * MIB - 1, end - 1),
    ] {
        let part = read_some(&file, &at, from as u64..to as u64).unwrap();
        assert!(part == object[from..to], "{from}..{to}");
    }
}

#[test]
fn sr_1_a_file_that_is_cut_off_anywhere_is_found() {
    let object = bytes(1000);
    let (file, at) = record(&object);
    let needed = HEADER + object.len() + SUM as usize;
    for cut in 0..needed {
        assert_eq!(read_all(&file[..cut], KEY, &at), Err(Damage::CutOff), "after {cut} bytes");
        assert_eq!(read_some(&file[..cut], &at, 0..1000), Err(Damage::CutOff), "after {cut} bytes");
    }
    // What is behind it are zeros, to the next record.
    assert_eq!(read_all(&file[..needed], KEY, &at), Ok(object));
}

#[test]
fn sr_1_every_flipped_bit_is_found() {
    let object = bytes(300);
    let (mut file, at) = record(&object);
    let bytes_at = HEADER..HEADER + object.len();
    for bit in 0..(bytes_at.end + SUM as usize) * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        let damage = match bit / 8 {
            at if at < HEADER => Damage::Header,
            at if bytes_at.contains(&at) => Damage::Bytes { from: 0, len: 300 },
            _ => Damage::Table,
        };
        assert_eq!(read_all(&file, KEY, &at), Err(damage), "bit {bit}");
        if bit / 8 >= HEADER {
            let found = read_some(&file, &at, 10..20);
            assert_eq!(found, Err(Damage::Bytes { from: 0, len: 300 }), "bit {bit}");
        }
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(read_all(&file, KEY, &at), Ok(object));
}

#[test]
fn sr_1_it_is_said_which_part_has_changed_and_others_can_be_read() {
    let object = bytes(2 * MIB + 100);
    let (mut file, at) = record(&object);
    file[HEADER + MIB + 7] ^= 0x10;
    let second = Err(Damage::Bytes { from: CHUNK, len: CHUNK });
    assert_eq!(read_all(&file, KEY, &at), second);
    assert_eq!(read_some(&file, &at, CHUNK - 1..CHUNK + 1), second.map(|_: Vec<u8>| vec![]));
    assert_eq!(read_some(&file, &at, 0..CHUNK).unwrap(), object[..MIB]);
    assert_eq!(read_some(&file, &at, 2 * CHUNK..2 * CHUNK + 100).unwrap(), object[2 * MIB..]);
    file[HEADER + 2 * MIB + 99] ^= 1;
    let last = Err(Damage::Bytes { from: 2 * CHUNK, len: 100 });
    assert_eq!(read_some(&file, &at, 2 * CHUNK..2 * CHUNK + 100), last);
}

#[test]
fn sr_1_one_object_is_not_read_for_another() {
    let object = bytes(3 * MIB);
    let (file, at) = record(&object);
    assert_eq!(read_all(&file, Key(1), &at), Err(Damage::Another));
    let shorter = Extent { len: 7, ..at };
    assert_eq!(read_all(&file, KEY, &shorter), Err(Damage::Another));
    let mut other = object.clone();
    other[5] ^= 1;
    let (written_later, _) = record(&other);
    assert_eq!(read_all(&written_later, KEY, &at), Err(Damage::Table), "by its checksum");
    // Chunks that a disk has exchanged, each with its own checksum.
    let mut exchanged = file;
    let (first, rest) = exchanged[HEADER..].split_at_mut(MIB);
    first.swap_with_slice(&mut rest[..MIB]);
    let sums = HEADER + 3 * MIB;
    let (one, rest) = exchanged[sums..].split_at_mut(SUM as usize);
    one.swap_with_slice(&mut rest[..SUM as usize]);
    let first = Err(Damage::Bytes { from: 0, len: CHUNK });
    assert_eq!(read_some(&exchanged, &at, 0..CHUNK), first);
}
