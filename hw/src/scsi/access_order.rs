//! Recommended access order and the ends of wraps: in which order a drive wants to read (spec scsi.md §19, SSC-5 §7.10).

use std::collections::HashMap;

use super::cursor::{DecodeError, Decoded, Reader, Writer};

/// Bytes of a descriptor without geometry, behind its length field.
const DESCRIPTOR_REST: u16 = 0x1E;

/// Bytes of a name.
const NAME_BYTES: usize = 10;

/// What these structures are called in messages.
const WHAT: &str = "access order";

/// What a drive takes in one list (RECEIVE RAO, limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessOrderLimits {
    /// Segments; 0 means that it takes none.
    pub segments_max: u16,
    /// Bytes of a descriptor.
    pub descriptor_bytes_max: u16,
}

impl AccessOrderLimits {
    /// Decodes them.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new(WHAT, bytes);
        Ok(Self { segments_max: fields.u16()?, descriptor_bytes_max: fields.u16()? })
    }

    /// Encodes them.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new().u16(self.segments_max).u16(self.descriptor_bytes_max).finish()
    }
}

/// Objects that are read in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessSegment {
    /// Its name, which the drive gives back as it is.
    pub name: [u8; NAME_BYTES],
    /// Partition.
    pub partition: u8,
    /// First logical object.
    pub first: u64,
    /// Last logical object, at least the first.
    pub last: u64,
}

impl AccessSegment {
    /// A segment whose name is its number in a list.
    pub fn numbered(number: usize, first: u64, last: u64) -> Self {
        let mut name = [0; NAME_BYTES];
        let digits = number.to_string();
        name.iter_mut().zip(digits.bytes()).for_each(|(place, digit)| *place = digit);
        Self { name, partition: 0, first, last }
    }

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let length = fields.u16()?;
        if length < DESCRIPTOR_REST {
            return Err(DecodeError::field(WHAT, format!("wrong descriptor length ({length})")));
        }
        let mut fields = fields.part(usize::from(length))?;
        fields.skip(3)?;
        let (name, partition) = (fields.array()?, fields.u8()?);
        let (first, last) = (fields.u64()?, fields.u64()?);
        if last < first {
            return Err(DecodeError::field(
                WHAT,
                format!("object {last} ends what {first} begins"),
            ));
        }
        Ok(Self { name, partition, first, last })
    }

    fn encode(&self, writer: Writer) -> Writer {
        writer
            .u16(DESCRIPTOR_REST)
            .zeros(3)
            .bytes(&self.name)
            .u8(self.partition)
            .u64(self.first)
            .u64(self.last)
    }
}

fn decode_segments(mut fields: Reader<'_>) -> Decoded<Vec<AccessSegment>> {
    let mut segments = Vec::new();
    while fields.remaining() > 0 {
        segments.push(AccessSegment::decode(&mut fields)?);
    }
    Ok(segments)
}

fn encode_segments(header: Writer, segments: &[AccessSegment]) -> Vec<u8> {
    let one = |writer: Writer, segment: &AccessSegment| segment.encode(writer);
    let descriptors = segments.iter().fold(Writer::new(), one).finish();
    header.u32(descriptors.len() as u32).bytes(&descriptors).finish()
}

/// The segments that a host wants to be ordered (GENERATE RAO).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessOrderRequest {
    /// In any order.
    pub segments: Vec<AccessSegment>,
}

impl AccessOrderRequest {
    /// Decodes the parameter list.
    ///
    /// # Errors
    /// Fewer bytes than announced, a descriptor that is too short, objects that end before they begin.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new(WHAT, bytes);
        fields.skip(4)?;
        let length = fields.u32()? as usize;
        Ok(Self { segments: decode_segments(fields.part(length)?)? })
    }

    /// Encodes the parameter list: 8 bytes, and 32 for each segment.
    pub fn encode(&self) -> Vec<u8> {
        encode_segments(Writer::new().zeros(4), &self.segments)
    }
}

/// The segments in the order that a drive recommends (RECEIVE RAO, list).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessOrderList {
    /// What was asked for, 3 bits: 1 only estimates, 2 a new order.
    pub process: u8,
    /// Status, 3 bits.
    pub status: u8,
    /// In the recommended order.
    pub segments: Vec<AccessSegment>,
}

impl AccessOrderList {
    /// Decodes the answer. Descriptors may be longer than those without geometry.
    ///
    /// # Errors
    /// Fewer bytes than announced, a descriptor that is too short, objects that end before they begin.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new(WHAT, bytes);
        let (process, status) = (fields.u8()? & 7, fields.u8()? & 7);
        fields.skip(2)?;
        let length = fields.u32()? as usize;
        Ok(Self { process, status, segments: decode_segments(fields.part(length)?)? })
    }

    /// Encodes the answer, with descriptors without geometry.
    pub fn encode(&self) -> Vec<u8> {
        let header = Writer::new().u8(self.process & 7).u8(self.status & 7).zeros(2);
        encode_segments(header, &self.segments)
    }

    /// Where in `sent` the segments of the answer are, in the recommended order.
    ///
    /// # Errors
    /// An answer that is no permutation of what was sent.
    pub fn order_of(&self, sent: &[AccessSegment]) -> Decoded<Vec<usize>> {
        if self.segments.len() != sent.len() {
            let reason = format!("{} segments of {}", self.segments.len(), sent.len());
            return Err(DecodeError::field(WHAT, reason));
        }
        let mut places: HashMap<_, _> = sent.iter().zip(0..).collect();
        let taken = self.segments.iter().map(|segment| places.remove(segment));
        taken.collect::<Option<Vec<_>>>().ok_or_else(|| {
            DecodeError::field(WHAT, "a segment that was not sent, or one that comes twice")
        })
    }
}

/// Where a wrap ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrapEnd {
    /// The wrap.
    pub wrap: u16,
    /// Its partition.
    pub partition: u16,
    /// Its last logical object, 48 bits; in the last wrap that holds data, the end of these.
    pub object: u64,
}

/// The ends of all wraps that hold data (READ END OF WRAP POSITION with report all).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WrapEnds {
    /// By ascending wrap.
    pub wraps: Vec<WrapEnd>,
}

/// Bytes of one wrap.
const WRAP_BYTES: usize = 12;

impl WrapEnds {
    /// Decodes them.
    ///
    /// # Errors
    /// Fewer bytes than announced: the allocation was too small, and the last wrap would be missing.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = announced_wraps(bytes)?;
        let mut wraps = Vec::new();
        while fields.remaining() >= WRAP_BYTES {
            let (wrap, partition) = (fields.u16()?, fields.u16()?);
            fields.skip(2)?;
            wraps.push(WrapEnd { wrap, partition, object: fields.u48()? });
        }
        Ok(Self { wraps })
    }

    /// Encodes them.
    pub fn encode(&self) -> Vec<u8> {
        let header = Writer::new().u16((2 + WRAP_BYTES * self.wraps.len()) as u16).zeros(2);
        let one = |writer: Writer, end: &WrapEnd| {
            writer.u16(end.wrap).u16(end.partition).zeros(2).u48(end.object)
        };
        self.wraps.iter().fold(header, one).finish()
    }

    /// Decodes the answer about a single wrap: its last object.
    ///
    /// # Errors
    /// Fewer bytes than announced or than the answer has.
    pub fn decode_single(bytes: &[u8]) -> Decoded<u64> {
        announced_wraps(bytes)?.u48()
    }

    /// Encodes the answer about a single wrap.
    pub fn encode_single(object: u64) -> Vec<u8> {
        Writer::new().u16(8).zeros(2).u48(object).finish()
    }
}

fn announced_wraps(bytes: &[u8]) -> Decoded<Reader<'_>> {
    let mut fields = Reader::new("ends of wraps", bytes);
    let length = usize::from(fields.u16()?);
    let mut fields = fields.part(length)?;
    fields.skip(2)?;
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    /// Spec scsi.md §19.
    const REQUEST: &str = "00000000 00000040
        001E 000000 30 000000000000000000 00 0000000000000000 0000000000000063
        001E 000000 31 000000000000000000 00 0000000000001388 00000000000013C7";

    fn segments() -> Vec<AccessSegment> {
        vec![AccessSegment::numbered(0, 0, 99), AccessSegment::numbered(1, 5000, 5063)]
    }

    #[test]
    fn request_of_the_spec() {
        let request = AccessOrderRequest { segments: segments() };
        assert_eq!(request.encode(), hex(REQUEST));
        assert_eq!(request.encode().len(), 72);
        assert_eq!(AccessOrderRequest::decode(&hex(REQUEST)).unwrap(), request);
    }

    #[test]
    fn limits() {
        let limits = AccessOrderLimits { segments_max: 2700, descriptor_bytes_max: 32 };
        assert_eq!(limits.encode(), hex("0A8C 0020"));
        assert_eq!(AccessOrderLimits::decode(&limits.encode()).unwrap(), limits);
        assert!(AccessOrderLimits::decode(&[0; 3]).is_err());
    }

    #[test]
    fn an_order_is_a_permutation() {
        let sent = segments();
        let answer =
            |segments: Vec<AccessSegment>| AccessOrderList { process: 2, status: 0, segments };
        assert_eq!(answer(vec![sent[1], sent[0]]).order_of(&sent).unwrap(), [1, 0]);
        let unknown = AccessSegment::numbered(2, 5000, 5063);
        let moved = AccessSegment { last: 5064, ..sent[1] };
        for wrong in [vec![], vec![sent[0]], vec![sent[0], sent[0]], vec![sent[0], unknown]] {
            assert!(answer(wrong).order_of(&sent).is_err());
        }
        assert!(answer(vec![sent[0], moved]).order_of(&sent).is_err());
        assert!(answer(vec![sent[0], sent[1], sent[1]]).order_of(&sent).is_err());
    }

    #[test]
    fn descriptors_are_stepped_through_by_their_length() {
        let long = hex("02 00 0000 00000054
            0032 000000 31 000000000000000000 00 0000000000001388 00000000000013C7
            0000000000000000000000000000000000000000
            001E 000000 30 000000000000000000 00 0000000000000000 0000000000000063");
        let list = AccessOrderList::decode(&long).unwrap();
        assert_eq!(list.order_of(&segments()).unwrap(), [1, 0]);
        let mut short = hex(REQUEST);
        short[9] = 0x1D;
        assert!(AccessOrderRequest::decode(&short).is_err());
        assert!(AccessOrderRequest::decode(&hex(REQUEST)[..71]).is_err());
    }

    #[test]
    fn objects_do_not_end_before_they_begin() {
        let mut bytes = hex(REQUEST);
        bytes[31] = 100;
        assert!(AccessOrderRequest::decode(&bytes).is_err());
    }

    /// Objects that were seen on a real medium.
    #[test]
    fn ends_of_wraps() {
        let bytes = hex("0026 0000 0000 0000 0000 000000032DB6 0001 0000 0000 000000065A0F
            0002 0000 0000 0000000987B2");
        let ends = WrapEnds::decode(&bytes).unwrap();
        let objects: Vec<_> = ends.wraps.iter().map(|end| end.object).collect();
        assert_eq!(objects, [208310, 416271, 624562]);
        assert_eq!(ends.encode(), bytes);
        assert!(WrapEnds::decode(&bytes[..bytes.len() - 1]).is_err());
        let all = (0..280).map(|wrap| WrapEnd { wrap, partition: 0, object: 0 });
        assert_eq!(WrapEnds { wraps: all.collect() }.encode().len(), 3364);
    }

    #[test]
    fn end_of_a_single_wrap() {
        let bytes = WrapEnds::encode_single(416271);
        assert_eq!(bytes, hex("0008 0000 000000065A0F"));
        assert_eq!(WrapEnds::decode_single(&bytes).unwrap(), 416271);
        assert!(WrapEnds::decode_single(&bytes[..9]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..96)) {
            let list = [&[2, 0, 0, 0, 0, 0, 0, content.len() as u8][..], &content].concat();
            let wraps = [&[0, content.len() as u8][..], &content].concat();
            for bytes in [&content, &list, &wraps] {
                assert_round_trip(bytes, AccessOrderLimits::decode, AccessOrderLimits::encode);
                assert_round_trip(bytes, AccessOrderRequest::decode, AccessOrderRequest::encode);
                assert_round_trip(bytes, AccessOrderList::decode, AccessOrderList::encode);
                assert_round_trip(bytes, WrapEnds::decode, WrapEnds::encode);
                assert_round_trip(bytes, WrapEnds::decode_single, |end| WrapEnds::encode_single(*end));
            }
        }

        #[test]
        fn segments_come_back(list in proptest::collection::vec((any::<u64>(), any::<u32>()), 0..9)) {
            let ends = list.iter().map(|(first, length)| first.saturating_add(u64::from(*length)));
            let segments: Vec<_> = list
                .iter()
                .zip(ends)
                .enumerate()
                .map(|(number, ((first, _), last))| AccessSegment::numbered(number, *first, last))
                .collect();
            let list = AccessOrderList { process: 2, status: 1, segments: segments.clone() };
            let decoded = AccessOrderList::decode(&list.encode()).unwrap();
            prop_assert_eq!(&decoded, &list);
            let order = decoded.order_of(&segments).unwrap();
            prop_assert_eq!(order, (0..segments.len()).collect::<Vec<_>>());
        }
    }
}
